package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// What the booking system takes back before the calendar has heard of it is nothing that anybody need be told of: the item is still
// there, and as it shall be.
func TestWhatIsTakenBackBeforeThePassMailsNobody(t *testing.T) {
	for name, c := range map[string]struct{ wrong, right func(w *world) }{
		"cancelled and put again": {
			func(w *world) {
				if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
					w.Fatal(err)
				}
			},
			func(w *world) { w.book("b1") },
		},
		"the wrong organizer and back": {func(w *world) { w.book("b1", by("bob")) }, func(w *world) { w.book("b1") }},
		"another time and back":        {func(w *world) { w.book("b1", at(14)) }, func(w *world) { w.book("b1") }},
		"out of the sync and back":     {func(w *world) { w.book("b1", syncOff) }, func(w *world) { w.book("b1") }},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1")
				w.pass("alice")
				ref, mails := w.only(alice).Ref, len(w.server.mails)
				c.wrong(w)
				c.right(w)
				for range 2 {
					w.pass("bob")
					w.pass("alice")
				}
				if it := w.only(alice); it.Ref != ref {
					w.Errorf("the item %s has gone, and %s was made in its place", ref, it.Ref)
				}
				w.none(bob)
				if got := w.server.mails[mails:]; len(got) > 0 {
					w.Errorf("mails for nothing: %q", got)
				}
			})
		})
	}
}

// What is put again otherwise than it was is a change like any other, of the item that is there.
func TestWhatIsTakenBackIsChangedWhereItDiffers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*booking.Booking)
		mails  int
	}{
		"another time":           {at(14), 1},
		"words that nobody asks": {func(b *booking.Booking) { b.Notes = "Bring the plan." }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1")
				w.pass("alice")
				ref, mails := w.only(alice).Ref, len(w.server.mails)
				w.server.edit(alice, ref, func(ev *calendar.Event) { ev.Subject = "As Alice calls it" })
				w.cancel("b1")
				w.book("b1", c.change)
				w.pass("alice")
				w.pass("alice")
				it := w.only(alice)
				if b := w.booking("b1"); it.Ref != ref || !it.Event.Start.Equal(b.Start) || b.Title != "As Alice calls it" {
					w.Errorf("item %+v, booking %+v", it, b)
				}
				w.quiet(mails + c.mails)
				if open := w.allOpen(); len(open) != 0 {
					w.Errorf("listed: %+v", open)
				}
			})
		})
	}
}

// The booking is put again while its item is just being deleted: it has one again, and those who were told that it is off are invited.
func TestWhatIsTakenBackTooLateIsMadeAnew(t *testing.T) {
	for _, moment := range []string{"before", "after"} {
		t.Run(moment, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1")
				w.pass("alice")
				ref, mails := w.only(alice).Ref, len(w.server.mails)
				w.cancel("b1")
				again := func(call string) error {
					if call == "apply" {
						w.server.before, w.server.after = nil, nil
						w.book("b1")
					}
					return nil
				}
				if moment == "before" {
					w.server.before = again
				} else {
					w.server.after = again
				}
				for range 3 {
					w.pass("alice")
					w.later(time.Minute)
				}
				if it := w.only(alice); it.Ref == ref || w.booking("b1").Status != booking.Confirmed {
					w.Errorf("item %+v, booking %+v", it, w.booking("b1"))
				}
				w.quiet(mails + 2) // off, and on again
				if open := w.allOpen(); len(open) != 0 {
					w.Errorf("listed: %+v", open)
				}
			})
		})
	}
}

// An item that the add-in made does not bear our key, and is known again all the same: what its owner edited is kept, and who is invited is told of
// what is put otherwise than before.
func TestAnAddInsItemIsTakenBackAsItWasAgreedOn(t *testing.T) {
	for name, c := range map[string]struct {
		hour  int
		mails int
	}{"as it was": {9, 0}, "another time": {14, 1}} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.pass("alice")
				w.book("b1", expected)
				ref := w.addInItem(alice)
				w.server.identify(alice, ref, "u1")
				w.pass("alice")
				ref = w.only(alice).Ref
				w.server.edit(alice, ref, func(ev *calendar.Event) { ev.Subject = "As Alice calls it" })
				mails := len(w.server.mails)
				w.cancel("b1")
				w.book("b1", at(c.hour))
				for range 3 {
					w.pass("alice")
					w.later(time.Minute)
				}
				it := w.only(alice)
				if b := w.booking("b1"); it.Ref != ref || it.Event.Start.Hour() != c.hour || b.Title != "As Alice calls it" {
					w.Errorf("item %+v, booking %+v", it, b)
				}
				w.quiet(mails + c.mails)
				if open := w.allOpen(); len(open) != 0 {
					w.Errorf("listed: %+v", open)
				}
			})
		})
	}
}
