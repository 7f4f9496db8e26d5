package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// finds counts the searches that f causes.
func (w *world) finds(f func()) int {
	before := w.server.calls["find"]
	f()
	return w.server.calls["find"] - before
}

func TestNewBookingOfAMailboxThatIsKnownNeedsNoSearch(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1") // before the first full read
		if n := w.finds(func() { w.pass("alice") }); n != 0 {
			w.Errorf("%d searches at the first pass", n)
		}
		if n := w.finds(func() {
			w.book("b2", at(11))
			w.pass("alice")
			w.pass("alice")
		}); n != 0 {
			w.Errorf("%d searches for a new booking", n)
		}
		if n := len(w.server.items(alice)); n != 2 {
			w.Errorf("%d items, want 2", n)
		}
	})
}

func TestWhatARestartForgetsIsSearchedForUntilTheNextFullRead(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		_ = w.store.Close()
		w.start()
		w.book("b1")
		if n := w.finds(func() { w.pass("alice") }); n == 0 {
			w.Error("nothing was searched for")
		}
		w.later(DefaultLimits().ReconcileInterval)
		w.pass("alice")
		w.book("b2", at(11))
		if n := w.finds(func() { w.pass("alice") }); n != 0 {
			w.Errorf("%d searches", n)
		}
	})
}

func TestItemThatWaitsForItsBookingIsFound(t *testing.T) {
	each(t, func(w *world) {
		ref := w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: calendar.Event{
			Subject: "Planning", Start: w.now().AddDate(0, 1, 0), End: w.now().AddDate(0, 1, 1),
		}})
		w.pass("alice")
		w.book("b1")
		w.pass("alice")
		if it := w.only(alice); it.Ref != ref {
			w.Errorf("item = %+v, want %s", it, ref)
		}
	})
}

// Other bookings' items, and those of an installation before this one, bear marks as well.
func TestItemOfAFormerInstallationIsFound(t *testing.T) {
	each(t, func(w *world) {
		ref := w.server.add(alice, calendar.Item{Key: "b1.1", ForeignKey: "b1", Event: calendar.Event{
			Subject: "Planning", Start: w.now().AddDate(0, 1, 0), End: w.now().AddDate(0, 1, 1),
		}})
		w.pass("alice")
		w.book("b1")
		w.pass("alice")
		if it := w.only(alice); it.Ref != ref {
			w.Errorf("item = %+v, want %s", it, ref)
		}
	})
}

func TestLostAnswerIsSearchedFor(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1")
		lost := false
		w.server.after = func(call string) error {
			if call == "apply" && !lost {
				lost = true
				return fault.Unavailable
			}
			return nil
		}
		if _, err := w.engine.Pass(w.Context(), tenant, "alice"); err != nil || !lost {
			w.Fatal(lost, err)
		}
		w.later(2 * DefaultLimits().RetryMax)
		w.pass("alice")
		w.only(alice)
	})
}

// Another host has read the calendar meanwhile: what it saw this one does not know.
func TestWhatAnotherHostHasReadIsSearchedFor(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		first := w.engine
		_ = w.store.Close()
		w.start()
		first.Store = w.store
		ref := w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: calendar.Event{
			Subject: "Planning", Start: w.now().AddDate(0, 1, 0), End: w.now().AddDate(0, 1, 1),
		}})
		w.pass("alice")
		w.engine = first
		w.book("b1", func(b *booking.Booking) { b.Title = "Review" })
		w.pass("alice")
		if it := w.only(alice); it.Ref != ref {
			w.Errorf("item = %+v, want %s", it, ref)
		}
	})
}

// An administrator corrected which property the add-in writes: what was read before says nothing of it.
func TestOtherMarkersAreSearchedFor(t *testing.T) {
	each(t, func(w *world) {
		ref := w.server.add(alice, calendar.Item{Event: calendar.Event{
			Subject: "Planning", Start: w.now().AddDate(0, 1, 0), End: w.now().AddDate(0, 1, 1),
		}})
		w.pass("alice")
		w.server.mark(alice, ref, "b1")
		w.engine.Unpause("memory")
		w.book("b1")
		w.pass("alice")
		if it := w.only(alice); it.Ref != ref {
			w.Errorf("item = %+v, want %s", it, ref)
		}
	})
}

// One host follows a mailbox, another has it for a while, and the first one gets it back.
func TestMemoryOfAHostThatWasNotThereIsNotTrusted(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		first := w.engine
		second := New(first.Options)
		w.engine = second
		if err := second.Sync(w.Context(), tenant, "alice", true); err != nil {
			w.Fatal(err)
		}
		ref := w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: calendar.Event{
			Subject: "Planning", Start: w.now().AddDate(0, 1, 0), End: w.now().AddDate(0, 1, 1),
		}})
		w.pass("alice")
		w.engine = first
		w.server.add(alice, calendar.Item{Event: calendar.Event{Subject: "dentist"}})
		w.pass("alice")
		w.book("b1")
		if n := w.finds(func() { w.pass("alice") }); n == 0 {
			w.Error("nothing was searched for")
		}
		items := w.server.items(alice)
		if len(items) != 2 || items[0].Ref != ref || items[1].ForeignKey != "" {
			w.Errorf("items = %+v", items)
		}
	})
}
