package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func syncOff(b *booking.Booking) { b.SyncOff = true }

func unsaid(b *booking.Booking) { b.SyncUnsaid = true }

func TestBookingWithoutSyncStaysOutOfTheCalendar(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", syncOff)
		for range 2 {
			w.pass("alice")
			w.none(alice)
			w.book("b1", unsaid, at(14))
		}
		if b := w.booking("b1"); !b.SyncOff || b.Version != 2 {
			w.Errorf("booking = %+v", b)
		}
		// Somebody's item with its id is not taken for it.
		w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: calendar.Event{Subject: "Mine", Start: w.booking("b1").Start, End: w.booking("b1").End}})
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Planning" {
			w.Errorf("booking = %+v", b)
		}
	})
}

func TestDefaultOfTheOrganizerHoldsForNewBookings(t *testing.T) {
	each(t, func(w *world) {
		w.person(directory.Person{ID: "dora", Email: "dora@example.com", SyncOnRequest: true})
		w.book("unsaid", by("dora"), unsaid)
		w.book("asked", by("dora"), at(11))
		w.book("made", by("dora"), at(13), unsaid, func(b *booking.Booking) { b.ItemExpected = true })
		w.book("others", at(15), unsaid)
		for id, off := range map[string]bool{"unsaid": true, "asked": false, "made": false, "others": false} {
			if got := w.booking(id).SyncOff; got != off {
				w.Errorf("%s: SyncOff = %v, want %v", id, got, off)
			}
		}
		w.pass("dora")
		if it := w.only("dora@example.com"); it.ForeignKey != "asked" {
			w.Errorf("item = %+v", it)
		}
	})
}

func TestSyncOffAndItemExpectedContradict(t *testing.T) {
	each(t, func(w *world) {
		_, err := w.tryBook("b1", syncOff, func(b *booking.Booking) { b.ItemExpected = true })
		if err == nil {
			w.Error("taken")
		}
	})
}

func TestSyncSwitchedOffLeavesTheItemAndOnFindsItAgain(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		ref, mails := w.only(alice).Ref, len(w.server.mails)
		w.book("b1", syncOff)
		w.pass("alice")
		w.book("b1", syncOff, at(14))
		w.pass("alice")
		if it := w.only(alice); it.Ref != ref || it.Event.Start.Hour() != 9 {
			w.Errorf("item = %+v", it)
		}
		w.server.edit(alice, ref, subject("Mine"))
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Planning" {
			w.Errorf("booking = %+v", b)
		}
		w.book("b1", at(14))
		w.pass("alice")
		if it := w.only(alice); it.Ref != ref || it.Event.Start.Hour() != 14 || it.Event.Subject != "Planning" {
			w.Errorf("item = %+v", it)
		}
		if len(w.server.mails) != mails {
			w.Errorf("mails = %v", w.server.mails[mails:])
		}
	})
}

func TestSyncSwitchedOnMakesTheItemThatIsNotThere(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", syncOff)
		w.server.remove(alice, w.only(alice).Ref)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Errorf("booking = %+v", b)
		}
		w.book("b1")
		w.pass("alice")
		w.only(alice)
	})
}

// The answer to the create was lost and sync was switched off before anybody asked again: the item is found by its key.
func TestSyncSwitchedOffWhileTheItemIsMadeMakesNoSecondOne(t *testing.T) {
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
		w.book("b1", syncOff)
		w.later(DefaultLimits().RetryMax * 2)
		w.pass("alice")
		w.only(alice)
		w.book("b1")
		w.pass("alice")
		w.only(alice)
		if links, err := w.store.LinksOfBooking(w.Context(), tenant, "b1"); err != nil || links[len(links)-1].State != store.LinkLive {
			w.Errorf("links = %+v, %v", links, err)
		}
	})
}

// Moved items have another reference, and are known by their key alone.
func TestItemFoundAgainMayBeMoved(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", syncOff)
		w.book("b1")
		w.pass("alice")
		ref := w.server.move(alice, w.only(alice).Ref)
		w.pass("alice")
		if b, it := w.booking("b1"), w.only(alice); b.Status != booking.Confirmed || it.Ref != ref || w.differences(unlinkedLeftAlone) != 0 {
			w.Errorf("booking = %+v, item %s, want %s", b, it.Ref, ref)
		}
		w.server.edit(alice, ref, subject("Mine"))
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Mine" {
			w.Errorf("title = %q", b.Title)
		}
		w.server.remove(alice, ref)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("booking = %+v", b)
		}
	})
}

func TestItemLetGoMayBeMovedUntilItIsWantedAgain(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", syncOff)
		ref, mails := w.server.move(alice, w.only(alice).Ref), len(w.server.mails)
		w.pass("alice")
		w.server.migrate(alice)
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncURL: "https://other.example.com"})
		w.pass("alice")
		w.book("b1", at(14))
		w.pass("alice")
		if it := w.only(alice); it.Ref == ref || it.Event.Start.Hour() != 14 {
			w.Errorf("item = %+v", it)
		}
		if len(w.server.mails) != mails {
			w.Errorf("mails = %v", w.server.mails[mails:])
		}
	})
}

// The person was forgotten and came back: the items are those of before, wherever they lie.
func TestItemsOfAPersonWhoComesBackMayBeMoved(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.server.move(alice, w.only(alice).Ref)
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice"})
		w.pass("alice")
		w.server.move(alice, w.only(alice).Ref)
		w.pass("alice")
		w.only(alice)
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Errorf("booking = %+v", b)
		}
	})
}

// What was written in that moment was for the time before.
func TestSyncSwitchedOffAndOnWhileTheItemIsWritten(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1")
		w.amid("apply", func() {
			w.book("b1", syncOff)
			w.book("b1", at(14))
		})
		w.once("alice")
		w.amid("pull", func() {})
		w.pass("alice")
		if it := w.only(alice); it.Event.Start.Hour() != 14 || len(w.server.mails) != 2 {
			w.Errorf("item = %+v, mails %v", it, w.server.mails)
		}
	})
}
