package soak_test

import (
	"slices"
	"strings"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/host/internal/store"
)

// isPrivate reports whether private bookings and items of a world are busy blocks on the other side; the first act says so.
func isPrivate(how soak.Act) bool { return how.A/2%4 == 1 }

func closed(c booking.Class) bool { return c == booking.Private || c == booking.Confidential }

// veiled reports whether neither side is to have the other's words: a booking is private as a whole as soon as one of its occurrences
// is, and who is invited is told.
func (w *world) veiled(b *booking.Booking) bool {
	private, invites := closed(b.Class), len(b.Attendees) > 0
	for _, x := range b.Exceptions {
		private = private || x.Class != nil && closed(*x.Class)
		invites = invites || x.Attendees != nil && len(*x.Attendees) > 0
	}
	return w.private && private && !invites
}

// veil notes that from now on, or until now, a booking's words are not told: who changes what is told needs this.
func (w *world) veil(id string) {
	if w.private {
		n := w.note(id)
		n.veil, n.hidden, n.secrets = true, false, nil
	}
}

// typed takes down what somebody wrote into a private item that was one when all was quiet last: it is the owner's own.
func (w *world) typed(p *who, it exchangesim.Appointment, token string) {
	n := w.note(w.bookingOf(it))
	if l, known := w.linked(p, it.ID); n.hidden && token != "" && known && l.State == store.LinkLive {
		n.secrets = append(n.secrets, token)
	}
}

// words are those of the booking system: no calendar has them of what is private.
func leaks(text string) bool {
	return slices.ContainsFunc([]string{" title ", " part ", "floor "}, func(word string) bool { return strings.Contains(" "+text, word) })
}

// told says what of an item its owner is told that is only the booking system's; empty if nothing is.
func (w *world) leaked(b *booking.Booking, p *who, it exchangesim.Appointment) string {
	if !w.veiled(b) || w.note(b.ID).own {
		return ""
	}
	all := []string{it.Subject, it.Location}
	if it.Recurrence != nil {
		seen, err := w.sim.Outlook(p.Email).Occurrences(it.ID, w.day(-20), w.day(60))
		w.must(err)
		for _, o := range seen {
			all = append(all, o.Subject, o.Location)
		}
	}
	if i := slices.IndexFunc(all, leaks); i >= 0 {
		return all[i]
	}
	return ""
}

// checkPrivate: what is private on one side is a busy block on the other.
func (w *world) checkPrivate(b *booking.Booking, p *who, it exchangesim.Appointment) {
	if text := w.leaked(b, p, it); text != "" {
		w.recall(b.ID)
		w.fail("%s is private, and its item says %q", b.ID, text)
	}
	for _, secret := range w.note(b.ID).secrets {
		if slices.ContainsFunc(w.history(b.ID), func(c store.ChangeRecord) bool { return strings.Contains(string(c.Data), secret) }) {
			w.fail("%s is private, and %q of its item came into the booking", b.ID, secret)
		}
	}
}

// aboutPrivate returns the booking that a mail about a private item is about; empty if the item is gone.
func (w *world) aboutPrivate(m exchangesim.Mail) string {
	o := w.sim.Outlook(m.From)
	for _, it := range append(o.Items(), o.Deleted()...) {
		if it.ID == m.ItemID {
			return w.bookingOf(it)
		}
	}
	return ""
}

// withoutDayTexts returns a series without what its occurrences say in words of their own.
func withoutDayTexts(b *booking.Booking) *booking.Booking {
	c := b.Clone()
	for i := range c.Exceptions {
		x := &c.Exceptions[i]
		x.Title, x.Location, x.Notes = nil, nil, nil
	}
	c.Exceptions = slices.DeleteFunc(c.Exceptions, func(x booking.Exception) bool {
		return booking.SameException(x, booking.Exception{Occurrence: x.Occurrence})
	})
	return c
}
