package syncer

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

const (
	tenant = "Default"
	alice  = "alice@example.com"
	bob    = "bob@example.com"
	carol  = "carol@example.com"
)

func TestBookingReachesTheCalendarOnce(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1")
		w.pass("alice")
		it := w.only(alice)
		if it.Event.Subject != "Planning" || it.Event.Location != "Room A" || it.Key != "b1.1" || it.ForeignKey != "b1" || len(it.Event.Attendees) != 2 {
			t := it
			w.Errorf("item = %+v", t)
		}
		for range 3 { // the echo, and a repeated request
			w.pass("alice")
			w.book("b1")
		}
		if got := w.booking("b1").Version; got != 1 {
			w.Errorf("version = %d, want 1", got)
		}
		if w.only(alice).Revision != it.Revision || len(w.server.mails) != 1 {
			w.Errorf("the echo wrote again: %v", w.server.mails)
		}
		if s := w.state("alice"); s.Status != store.StatusOK {
			w.Errorf("state = %+v", s)
		}
	})
}

func TestChangeAndCancellationReachTheCalendar(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", at(14))
		w.pass("alice")
		if got := w.only(alice).Event.Start.Hour(); got != 14 {
			w.Errorf("item at %d, want 14", got)
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.none(alice)
		w.pass("alice")
		if want := 3; len(w.server.mails) != want {
			w.Errorf("%d mails, want %d", len(w.server.mails), want)
		}
	})
}

func TestChangeAndDeletionInTheCalendarReachTheBooking(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		ref := w.only(alice).Ref
		w.server.edit(alice, ref, func(e *calendar.Event) {
			e.Subject = "Review"
			e.Start, e.End = e.Start.Add(2*time.Hour), e.End.Add(2*time.Hour)
		})
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Review" || b.Start.Hour() != 11 || b.Version != 2 {
			w.Errorf("booking = %+v", b)
		}
		w.server.remove(alice, ref)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("booking = %+v", b)
		}
		w.pass("alice")
		w.none(alice)
		want := "[b1 created by api b1 updated by calendar b1 cancelled by calendar]"
		if got := fmt.Sprint(w.changes()); got != want {
			w.Errorf("changes = %s, want %s", got, want)
		}
	})
}

func TestItemMadeByTheAddInIsFoundByItsBookingsID(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		w.pass("alice")
		w.none(alice)
		w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: calendar.Event{
			Subject: "Planning", Location: "Room A", Zone: "Europe/Berlin", Busy: calendar.Occupied,
			Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC),
			Attendees: []calendar.Attendee{
				{Address: calendar.Address{Email: bob}},
				{Address: calendar.Address{Email: "room-a@example.com"}, Role: calendar.Resource},
			},
		}})
		w.pass("alice")
		if open, err := w.store.Intents(w.Context(), tenant, "alice", farFuture, 10); err != nil || len(open) != 0 || w.booking("b1").ItemExpected {
			w.Errorf("still waited for after it was found: %v, %v", open, err)
		}
		w.later(time.Hour)
		w.pass("alice")
		it := w.only(alice)
		w.server.edit(alice, it.Ref, func(e *calendar.Event) { e.Subject = "Review" })
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Review" {
			w.Errorf("booking = %+v", b)
		}
		if len(w.server.mails) != 0 {
			w.Errorf("mails = %v", w.server.mails)
		}
	})
}

func TestExpectedItemThatNeverComesIsMade(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		w.pass("alice")
		w.none(alice)
		w.later(16 * time.Minute)
		w.pass("alice")
		w.only(alice)
		if w.booking("b1").ItemExpected {
			w.Error("still waited for after it was made")
		}
	})
}

func TestOrganizerChangeMovesTheItem(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", by("bob"))
		w.pass("bob")
		w.pass("alice")
		w.none(alice)
		w.only(bob)
		w.book("b1")
		w.pass("alice")
		w.pass("bob")
		w.none(bob)
		w.only(alice)
	})
}

func TestRoomTakenRollsTheItemBack(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.book("b2", at(14), by("bob"))
		w.pass("alice")
		w.pass("bob")
		ref := w.only(alice).Ref
		for try := 1; try <= 5; try++ {
			w.server.edit(alice, ref, func(e *calendar.Event) { e.Start, e.End = e.Start.Add(5*time.Hour), e.End.Add(5*time.Hour) })
			w.pass("alice")
			if got := w.only(alice).Event.Start.Hour(); got != 9 {
				w.Fatalf("try %d: item at %d, want 9", try, got)
			}
		}
		w.server.edit(alice, ref, func(e *calendar.Event) { e.Start, e.End = e.Start.Add(5*time.Hour), e.End.Add(5*time.Hour) })
		w.pass("alice")
		if b := w.booking("b1"); !b.SyncDisabled || b.Start.Hour() != 9 {
			w.Errorf("after six conflicts: %+v", b)
		}
		if len(w.server.mails) != 2 {
			w.Errorf("rollbacks mailed: %v", w.server.mails)
		}
	})
}

func TestRoomTakenCancelsWhereThatIsThePersonsWish(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", by("carol"))
		w.book("b2", at(14), by("bob"))
		w.pass("carol")
		ref := w.only(carol).Ref
		w.server.edit(carol, ref, func(e *calendar.Event) { e.Start, e.End = e.Start.Add(5*time.Hour), e.End.Add(5*time.Hour) })
		w.pass("carol")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("booking = %+v", b)
		}
		w.pass("carol")
		w.only(carol)
	})
}

func TestOverlapOverTheAPIIsRefused(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		_, err := w.tryBook("b2", by("bob"))
		if o, ok := errors.AsType[*booking.OverlapError](err); !ok || fmt.Sprint(o.Others) != "[b1]" {
			w.Errorf("err = %v, want an overlap with b1", err)
		}
	})
}

func TestMassDeletionWaitsForAnAdministrator(t *testing.T) {
	each(t, func(w *world) {
		const n = 30
		for i := range n {
			w.book(fmt.Sprintf("b%02d", i), func(b *booking.Booking) { b.Start = b.Start.AddDate(0, 0, i); b.End = b.End.AddDate(0, 0, i) })
		}
		w.pass("alice")
		wipe := func() {
			for _, it := range w.server.items(alice) {
				w.server.remove(alice, it.Ref)
			}
		}
		standing := func() (k int) {
			for i := range n {
				if w.booking(fmt.Sprintf("b%02d", i)).Status == booking.Confirmed {
					k++
				}
			}
			return k
		}
		mails := len(w.server.mails)
		wipe()
		w.pass("alice")
		if s := w.state("alice"); standing() != n || s.Status != store.StatusAttention || !strings.Contains(s.Reason, "30 items") {
			w.Fatalf("%d stand, state %+v", standing(), s)
		}
		if err := w.engine.RestoreDeletions(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if got := len(w.server.items(alice)); got != n || len(w.server.mails) != mails {
			w.Fatalf("%d items restored, want %d; %d mails", got, n, len(w.server.mails)-mails)
		}
		if s := w.state("alice"); s.Status != store.StatusOK {
			w.Fatalf("state = %+v", s)
		}
		wipe()
		w.pass("alice")
		if err := w.engine.ApproveDeletions(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if standing() != 0 || w.state("alice").Status != store.StatusOK {
			w.Errorf("%d stand after approval, state %+v", standing(), w.state("alice"))
		}
	})
}

func TestCopyIsLeftAlone(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		it := w.only(alice)
		dup := it
		dup.Ref = ""
		copied := w.server.add(alice, dup)
		w.pass("alice")
		w.server.edit(alice, copied, func(e *calendar.Event) { e.Subject = "mine" })
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Planning" || w.differences("copy left alone") != 1 {
			w.Errorf("booking = %q, %d differences", b.Title, w.differences("copy left alone"))
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if left := w.only(alice); left.Ref != copied {
			w.Errorf("the copy was deleted instead of the item")
		}
	})
}

func TestMovedItemKeepsItsBooking(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		it := w.only(alice)
		w.server.remove(alice, it.Ref) // out of the calendar and back: a new reference
		it.Ref = ""
		w.server.add(alice, it)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Confirmed || b.Version != 1 {
			w.Errorf("booking = %+v", b)
		}
		w.book("b1", at(15))
		w.pass("alice")
		if got := w.only(alice).Event.Start.Hour(); got != 15 {
			w.Errorf("item at %d, want 15", got)
		}
	})
}

func TestSeriesIsLeftAloneAndListed(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.mu.Lock()
		it := *w.server.box(alice).items[w.server.box(alice).log[0]]
		it.Kind = calendar.Master
		w.server.put(alice, it)
		w.server.mu.Unlock()
		w.pass("alice")
		w.book("b1", at(15))
		w.pass("alice")
		if got := w.only(alice); got.Event.Start.Hour() != 9 || w.differences("series left alone") != 1 {
			w.Errorf("series written to, or not listed: %+v, %d", got.Event.Start, w.differences("series left alone"))
		}
	})
}

func TestEditsOnBothSidesMerge(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", at(15))
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { e.Subject = "Review" })
		w.pass("alice")
		it, b := w.only(alice), w.booking("b1")
		if it.Event.Subject != "Review" || it.Event.Start.Hour() != 15 || b.Title != "Review" || b.Start.Hour() != 15 {
			w.Errorf("item %q at %d, booking %q at %d", it.Event.Subject, it.Event.Start.Hour(), b.Title, b.Start.Hour())
		}
	})
}

func TestRoomSwapInTheCalendarMovesTheBooking(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) {
			for i := range e.Attendees {
				if e.Attendees[i].Role == calendar.Resource {
					e.Attendees[i].Email = "Room-B@example.com"
				}
			}
		})
		w.pass("alice")
		w.pass("alice")
		if b, it := w.booking("b1"), w.only(alice); fmt.Sprint(b.Resources) != "[room-b]" || it.Event.Location != "Room B" || b.Location != "" {
			w.Errorf("booking in %v (%q), item in %q", b.Resources, b.Location, it.Event.Location)
		}
	})
}

func TestBookingsMadeBeforeThePersonsSyncAreCaughtUpSilently(t *testing.T) {
	each(t, func(w *world) {
		w.person(directory.Person{ID: "dora", Email: "dora@example.com", SyncDisabled: true})
		w.book("b1", by("dora"))
		w.pass("dora")
		w.none("dora@example.com")
		w.person(directory.Person{ID: "dora", Email: "dora@example.com"})
		w.pass("dora")
		w.only("dora@example.com")
		if len(w.server.mails) != 0 {
			w.Errorf("mails = %v", w.server.mails)
		}
	})
}

func TestMailboxChangeMakesItemsAnewAndCancelsNothing(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.person(directory.Person{ID: "alice", Email: "alice@new.example.com", DisplayName: "Alice"})
		w.pass("alice")
		w.pass("alice")
		w.only("alice@new.example.com")
		if b := w.booking("b1"); b.Status != booking.Confirmed || b.Version != 1 {
			w.Errorf("booking = %+v", b)
		}
	})
}
