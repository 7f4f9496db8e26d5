package syncer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/fault"
)

// guests are the guests of a series of one's own, and of single occurrences of it.
func (w *world) guests() string {
	w.Helper()
	ev := w.only(alice).Event
	of := func(attending []string) string { return strings.Join(attending, "+") }
	var all, whole []string
	for _, a := range ev.Attendees {
		whole = append(whole, a.Email)
	}
	slices.Sort(whole)
	all = append(all, of(whole))
	for _, x := range ev.Exceptions {
		if x.Event == nil {
			all = append(all, x.Occurrence.Format("2")+" out")
			continue
		}
		var its []string
		for _, a := range x.Event.Attendees {
			its = append(its, a.Email)
		}
		if slices.Sort(its); of(its) == of(whole) {
			its = []string{"as all"}
		}
		all = append(all, x.Occurrence.Format("2 ")+x.Event.Subject+" "+of(its))
	}
	return strings.Join(all, "; ")
}

func invited(to ...string) []booking.Attendee {
	list := []booking.Attendee{}
	for _, one := range to {
		list = append(list, booking.Attendee{Email: one})
	}
	return list
}

// ownGuests has an occurrence retitled and with guests of its own.
func ownGuests(n int, to ...string) booking.Exception {
	x := retitled(n, "Finale")
	list := invited(to...)
	x.Attendees = &list
	return x
}

func inviting(to ...string) func(*booking.Booking) {
	return func(b *booking.Booking) { b.Attendees = invited(to...) }
}

// laterGuests are edits of the booking of a series with exceptions that is being written, and the guests that it has then.
var laterGuests = map[string]struct {
	changed []func(*booking.Booking)
	want    string
}{
	"other guests":               {[]func(*booking.Booking){inviting("zoe@example.com"), with(leftOut(1), retitled(2, "Finale"), ownGuests(3, "guest@example.org"))}, "room-a@example.com+zoe@example.com; 2 out; 3 Finale as all; 4 Finale guest@example.org+room-a@example.com"},
	"others in an occurrence":    {[]func(*booking.Booking){with(leftOut(1), ownGuests(2, "zoe@example.com"), ownGuests(3, "yan@example.com"))}, bob + "+room-a@example.com; 2 out; 3 Finale room-a@example.com+zoe@example.com; 4 Finale room-a@example.com+yan@example.com"},
	"the same in an occurrence":  {[]func(*booking.Booking){with(leftOut(1), retitled(2, "Finale"), retitled(3, "Finale"))}, bob + "+room-a@example.com; 2 out; 3 Finale as all; 4 Finale as all"},
	"nobody in an occurrence":    {[]func(*booking.Booking){with(leftOut(1), ownGuests(2), ownGuests(3))}, bob + "+room-a@example.com; 2 out; 3 Finale room-a@example.com; 4 Finale room-a@example.com"},
	"no guests":                  {[]func(*booking.Booking){inviting(), with(leftOut(1), retitled(2, "Finale"), ownGuests(3, "guest@example.org"))}, "room-a@example.com; 2 out; 3 Finale as all; 4 Finale guest@example.org+room-a@example.com"},
	"nobody at all":              {[]func(*booking.Booking){inviting(), unroomed, with(leftOut(1), retitled(2, "Finale"), retitled(3, "Finale"))}, "; 2 out; 3 Finale as all; 4 Finale as all"},
	"another room":               {[]func(*booking.Booking){inRoom("room-b"), with(leftOut(1), retitled(2, "Finale"), ownGuests(3, "guest@example.org"))}, bob + "+room-b@example.com; 2 out; 3 Finale as all; 4 Finale guest@example.org+room-b@example.com"},
	"an occurrence less":         {[]func(*booking.Booking){inviting("zoe@example.com"), with(leftOut(1), retitled(2, "Finale"), leftOut(3))}, "room-a@example.com+zoe@example.com; 2 out; 3 Finale as all; 4 out"},
	"an exception less":          {[]func(*booking.Booking){inviting("zoe@example.com"), with(leftOut(1), retitled(3, "Finale"))}, "room-a@example.com+zoe@example.com; 2 out; 4 Finale as all"},
	"guests in another one":      {[]func(*booking.Booking){with(leftOut(1), retitled(2, "Finale"), ownGuests(4, "guest@example.org"))}, bob + "+room-a@example.com; 2 out; 3 Finale as all; 5 Finale guest@example.org+room-a@example.com"},
	"guests of all as of an own": {[]func(*booking.Booking){inviting("guest@example.org"), with(leftOut(1), retitled(2, "Finale"), ownGuests(3, bob))}, "guest@example.org+room-a@example.com; 2 out; 3 Finale as all; 4 Finale " + bob + "+room-a@example.com"},
}

func unroomed(b *booking.Booking) { b.Resources = nil }

func inRoom(id string) func(*booking.Booking) {
	return func(b *booking.Booking) { b.Resources = []string{id} }
}

// However often the write of a new series is cut off, with edits of its booking in between, the booking has the last word: what an
// earlier try has put there is nobody's edit.
func TestABookingThatIsEditedBetweenCutOffInvitationsHasTheLastWord(t *testing.T) {
	for _, loud := range []bool{false, true} {
		cuts := [][2]int{{3, 1}, {4, 1}, {4, 2}, {6, 1}} // before which steps of the create, and of what follows; the sixth is none
		if loud {
			cuts = [][2]int{{5, 2}, {6, 1}}
		}
		t.Run(fmt.Sprintf("loud %t", loud), func(t *testing.T) {
			each(t, func(w *world) {
				w.server.loud = loud
				for name, edit := range laterGuests {
					for _, cut := range cuts {
						if !loud || name != "an exception less" { // of which nobody is to be told there
							w.editedBetween(fmt.Sprintf("%s, cut off before steps %d", name, cut), cut, edit.changed, edit.want)
						}
					}
				}
			})
		})
	}
}

// editedBetween has the write of a new series cut off twice and its booking changed in between, and looks at what becomes of the item.
func (w *world) editedBetween(name string, cut [2]int, changed []func(*booking.Booking), want string) {
	w.Helper()
	lost := w.differences(editLost)
	id := fmt.Sprintf("b%d", w.server.next)
	w.server.cut = cut[0]
	w.book(id, ruled(fiveDays), with(leftOut(1), retitled(2, "Finale"), ownGuests(3, "guest@example.org")))
	w.pass("alice")
	w.server.cut = cut[1]
	w.book(id, append([]func(*booking.Booking){ruled(fiveDays)}, changed...)...)
	w.later(time.Hour)
	w.pass("alice")
	w.server.cut = 0
	w.later(time.Hour)
	w.pass("alice")
	if got := w.guests(); got != want {
		w.Errorf("%s: the item has %s\nwant %s", name, got, want)
	}
	if n := w.differences(editLost) - lost; n != 0 {
		w.Errorf("%s: %d edits were lost", name, n)
	}
	if _, err := w.engine.Cancel(w.Context(), tenant, id, booking.Match{}); err != nil {
		w.Fatal(err)
	}
	w.pass("alice")
	w.none(alice)
}

// What arrived without an answer was agreed on when it was sent. A booking that says what it said before, or something else again, has been
// changed since; nobody has edited its item.
func TestABookingThatIsChangedAfterALostAnswerHasTheLastWord(t *testing.T) {
	for name, c := range map[string]struct{ first, second, third func(*booking.Booking) }{
		"a title back":        {nil, func(b *booking.Booking) { b.Title = "Budget" }, nil},
		"another title":       {nil, func(b *booking.Booking) { b.Title = "Budget" }, func(b *booking.Booking) { b.Title = "Finale" }},
		"guests back":         {inviting(), inviting(bob), inviting()},
		"a room back":         {nil, inRoom("room-b"), nil},
		"the time back":       {nil, at(14), nil},
		"a series back":       {ruled(fiveDays), func(b *booking.Booking) { b.Recurrence = "FREQ=DAILY;COUNT=3" }, ruled(fiveDays)},
		"a series that was":   {nil, ruled(fiveDays), nil},
		"a series with times": {ruled(fiveDays), func(b *booking.Booking) { at(14)(b); ruled(fiveDays)(b) }, func(b *booking.Booking) { at(16)(b); ruled(fiveDays)(b) }},
		"an occurrence back":  {ruled(fiveDays), func(b *booking.Booking) { ruled(fiveDays)(b); with(rehoused(2, 14))(b) }, ruled(fiveDays)},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				unchanged := func(*booking.Booking) {}
				or := func(f func(*booking.Booking)) func(*booking.Booking) {
					if f == nil {
						return unchanged
					}
					return f
				}
				w.book("b1", or(c.first))
				w.pass("alice")
				w.server.after = func(string) error { return fmt.Errorf("the answer is lost: %w", fault.Unavailable) }
				w.book("b1", or(c.second))
				w.pass("alice")
				w.server.after = nil
				want := w.book("b1", or(c.third))
				w.later(time.Hour)
				w.pass("alice")
				got, item := w.booking("b1"), w.only(alice).Event
				if got.Title != want.Title || !got.Start.Equal(want.Start) || got.Recurrence != want.Recurrence || len(got.Exceptions) != len(want.Exceptions) ||
					len(got.Attendees) != len(want.Attendees) || got.Resources[0] != want.Resources[0] {
					w.Errorf("the booking is %+v", got)
				}
				if item.Subject != want.Title || !item.Start.Equal(want.Start) || item.Recurrence != want.Recurrence ||
					len(item.Exceptions) != len(want.Exceptions) || len(item.Attendees) != len(want.Attendees)+1 {
					w.Errorf("the item is %+v", item)
				}
				if n := w.differences(editLost); n != 0 {
					w.Errorf("%d edits were lost", n)
				}
			})
		})
	}
}

// The text of an occurrence that a write was cut off from is still to come.
func TestTheTextOfAnOccurrenceIsWrittenThoughAnotherWasCutOff(t *testing.T) {
	each(t, func(w *world) {
		noted := func(n int, text string) booking.Exception {
			x := retitled(n, "Finale")
			x.Notes = &text
			return x
		}
		w.book("b1", ruled(fiveDays), with(retitled(1, "Budget"), noted(2, "Old")))
		w.pass("alice")
		w.server.cut = 1
		w.book("b1", ruled(fiveDays), with(retitled(1, "Figures"), noted(2, "New")))
		w.pass("alice")
		w.server.cut = 0
		w.later(time.Hour)
		w.pass("alice")
		for _, x := range w.only(alice).Event.Exceptions {
			if x.Occurrence.Equal(nth(2)) && !strings.Contains(x.Event.Body, "New") {
				w.Errorf("the text is %q", x.Event.Body)
			}
		}
		if n := w.differences(editLost); n != 0 {
			w.Errorf("%d edits were lost", n)
		}
	})
}
