package syncer

import (
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func expected(b *booking.Booking) { b.ItemExpected = true }

// The add-in's appointment is on its way from somebody's Outlook when the booking system changes the booking, without saying again
// that an appointment is expected: it is waited for all the same, and none is made and invited to beside it. Who is invited is told of
// what was changed since the add-in invited them, and of nothing else.
func TestAChangeWhileTheAddInsItemIsAwaited(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*booking.Booking)
		mails  []string
	}{
		"its notes":   {func(b *booking.Booking) { b.Notes = "Coffee for ten" }, nil},
		"its time":    {at(14), []string{"2 b1.1"}},
		"its guests":  {func(b *booking.Booking) { b.Attendees = append(b.Attendees, booking.Attendee{Email: carol}) }, []string{"2 b1.1"}},
		"its sync":    {func(b *booking.Booking) { b.SyncUnsaid = true }, nil},
		"nothing":     {func(b *booking.Booking) {}, nil},
		"said anew":   {expected, nil},
		"time, anew":  {func(b *booking.Booking) { at(14)(b); expected(b) }, []string{"2 b1.1"}},
		"its private": {func(b *booking.Booking) { b.Class = booking.Private }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.pass("alice")
				w.book("b1", expected)
				w.pass("alice")
				w.later(time.Minute)
				b := w.book("b1", c.change)
				if !b.ItemExpected || !w.booking("b1").ExpectedUntil.After(w.now()) {
					w.Errorf("the item is not expected any more")
				}
				w.pass("alice")
				w.none(alice)
				if name == "its time" { // what is changed next is told to nobody, but that is
					w.book("b1", c.change, func(b *booking.Booking) { b.Notes = "Coffee for ten" })
				}
				w.later(time.Minute)
				ref := w.addInItem(alice)
				w.pass("alice")
				b = w.booking("b1")
				it := w.only(alice)
				if it.Ref != ref || b.ItemExpected || !it.Event.Start.Equal(b.Start) || len(it.Event.Attendees) != len(b.Attendees)+1 {
					w.Errorf("the booking is %+v, the item %+v", b, it)
				}
				if !slices.Equal(w.server.mails, c.mails) {
					w.Errorf("mails %q, want %q", w.server.mails, c.mails)
				}
				w.later(time.Hour)
				w.pass("alice")
				w.only(alice)
			})
		})
	}
}

// The add-in wrote the place in words of its own, and the booking's notes were changed meanwhile: nobody is told of either.
func TestAnAddInsItemThatDiffersTellsNobody(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", expected)
		w.pass("alice")
		w.book("b1", func(b *booking.Booking) { b.Notes = "Coffee for ten" })
		w.addInItem(alice, func(e *calendar.Event) { e.Location = "Room A, first floor" })
		w.pass("alice")
		w.pass("alice")
		if it := w.only(alice); it.Event.Location != "Room A" {
			w.Errorf("%+v", it)
		}
		w.quiet(0)
	})
}

// The time is not prolonged by what is said since: no item has come, and one is made, as the booking is by then.
func TestAnItemThatIsAwaitedThroughChangesIsMadeAtLast(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", expected)
		w.pass("alice")
		for _, hour := range []int{14, 15} {
			w.later(7 * time.Minute)
			w.book("b1", at(hour))
			w.pass("alice")
			w.none(alice)
		}
		w.later(2 * time.Minute)
		w.pass("alice")
		if it := w.only(alice); it.Event.Start.Hour() != 15 || w.booking("b1").ItemExpected {
			w.Errorf("item %+v", it)
		}
		if !slices.Equal(w.server.mails, []string{"1 b1.1"}) {
			w.Errorf("mails %q", w.server.mails)
		}
		w.book("b1", at(16)) // nothing is awaited any more
		w.pass("alice")
		if it := w.only(alice); it.Event.Start.Hour() != 16 || w.booking("b1").ItemExpected {
			w.Errorf("item %+v", it)
		}
	})
}

// The booking is cancelled and put again while the item is on its way: it is still that one's.
func TestABookingPutAgainWhileItsItemIsAwaited(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", expected)
		w.pass("alice")
		w.cancel("b1")
		w.pass("alice")
		w.book("b1")
		w.pass("alice")
		w.none(alice)
		ref := w.addInItem(alice)
		w.pass("alice")
		if it := w.only(alice); it.Ref != ref {
			w.Errorf("item %+v", it)
		}
		w.quiet(0)
	})
}

// What is put for another calendar, or for none, does not wait for what the add-in made in this one.
func TestAnAwaitedItemIsTheOrganizersAlone(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", expected)
		w.pass("alice")
		if b := w.book("b1", by("bob"), func(b *booking.Booking) { b.Attendees = nil }); b.ItemExpected {
			w.Error("it is awaited in another calendar")
		}
		w.pass("bob")
		w.only(bob)
		w.book("b2", expected, at(14))
		if b := w.book("b2", syncOff, at(14)); b.ItemExpected {
			w.Error("it is awaited though there is to be none")
		}
	})
}
