package soak_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/soak"
)

// divide is the booking system's "this and following": a series ends, and what follows is another one. Either is put first; where the
// rest is in the way of the first, it is put once more after that.
func (w *world) divide(a soak.Act) {
	id := fmt.Sprintf("b%d", a.A%bookings)
	old, rest := w.booking(id), w.booking(id+"r")
	if old == nil || old.Status != booking.Confirmed || !old.Series() || rest != nil && rest.Status == booking.Confirmed || w.marked(id+"r") {
		return
	}
	bare := old.Clone()
	bare.Exceptions = nil
	all := first(bare, 6)
	if len(all) < 2 {
		return
	}
	n := 1 + a.B%(len(all)-1)
	at := all[n].Occurrence
	next := old.Clone()
	if rest != nil { // made again
		next.Version, next.Answers = rest.Version, nil
	}
	next.ID, next.Title = id+"r", w.fresh(id+"r", "title")
	next.Start, next.End = all[n].Booking().Start, all[n].Booking().End
	next.Recurrence = without(old.Recurrence, "COUNT")
	if count := countOf(old.Recurrence); count > 0 {
		next.Recurrence += fmt.Sprintf(";COUNT=%d", count-n)
	}
	short := old.Clone()
	short.Recurrence = without(without(old.Recurrence, "COUNT"), "UNTIL") + fmt.Sprintf(";COUNT=%d", n)
	keep := func(b *booking.Booking, ahead bool) {
		b.Exceptions = slices.DeleteFunc(b.Exceptions, func(x booking.Exception) bool { return x.Occurrence.Before(at) == ahead })
	}
	keep(next, true)
	keep(short, false)
	w.say("what follows in %s from %s on is to be %s", id, at.Format(time.DateOnly), next.ID)
	if a.C%2 == 0 {
		w.save(next, rest, true)
	}
	w.save(short, old, true)
	if made := w.booking(next.ID); made == nil || made.Status != booking.Confirmed {
		w.save(next, rest, true)
	}
}

// without leaves a part out of a rule.
func without(rule, name string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(rule, ";"), func(part string) bool { return strings.HasPrefix(part, name+"=") }), ";")
}

func countOf(rule string) (n int) {
	for part := range strings.SplitSeq(rule, ";") {
		_, _ = fmt.Sscanf(part, "COUNT=%d", &n)
	}
	return n
}

// one returns the id of a booking of the booking system's: mostly one of a few, else what followed in one that was divided.
func (w *world) one(n int) string {
	id := fmt.Sprintf("b%d", n%bookings)
	if n/bookings%3 == 0 && w.booking(id+"r") != nil {
		return id + "r"
	}
	return id
}
