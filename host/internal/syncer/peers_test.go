package syncer

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// The tests of this file are about what users of other programs of this kind complain of. docs/reliability.md has the whole
// list and names the tests.

// An attendee's calendar gets a copy of the meeting with all its markers, and the attendee is synced, too: it is nobody's item.
func TestAnAttendeesCopyIsNotTakenForABookingsItem(t *testing.T) {
	each(t, func(w *world) {
		w.person(directory.Person{ID: "bob", Email: bob})
		w.book("b1")
		w.pass("alice")
		copied := w.only(alice)
		copied.Ref = ""
		ref := w.server.add(bob, copied)
		writes := w.server.writes
		for range 3 {
			w.pass("alice")
			w.pass("bob")
		}
		w.server.edit(bob, ref, func(e *calendar.Event) { e.Subject = "Bob's own words" })
		w.pass("bob")
		w.server.remove(bob, ref)
		w.pass("bob")
		w.later(25 * time.Hour)
		w.pass("bob")
		w.pass("alice")
		if b := w.booking("b1"); b.Version != 1 || b.Status != booking.Confirmed {
			w.Errorf("booking = %+v", b)
		}
		if w.server.writes != writes {
			w.Errorf("%d writes because of an attendee's copy", w.server.writes-writes)
		}
		w.only(alice)
		w.none(bob)
	})
}

// Attendees answer, and the server notes that on the organizer's item: nothing is to be done about it, however often.
func TestAnswersOfAttendeesAreNoEdits(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		ref, writes, before := w.only(alice).Ref, w.server.writes, w.booking("b1")
		for _, answer := range []calendar.Response{calendar.Accepted, calendar.TentativelyAccepted, calendar.Declined, calendar.Accepted} {
			w.server.edit(alice, ref, func(e *calendar.Event) {
				for i := range e.Attendees {
					e.Attendees[i].Response = answer
				}
			})
			w.pass("alice")
			w.pass("alice")
		}
		// An answer is a version of the booking, which tells it, but no edit.
		if b := w.booking("b1"); !booking.Same(before, b) || w.server.writes != writes || len(w.server.mails) != 1 {
			w.Errorf("version %d, %d writes, mails %v", b.Version, w.server.writes-writes, w.server.mails)
		}
	})
}

// The server changes revisions on its own after a write, once more and late: that is no edit.
func TestWhatTheServerTouchesIsNoEdit(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		ref, writes := w.only(alice).Ref, w.server.writes
		for range 5 {
			w.server.edit(alice, ref, func(*calendar.Event) {})
			w.pass("alice")
		}
		if b := w.booking("b1"); b.Version != 1 || w.server.writes != writes {
			w.Errorf("version %d, %d writes", b.Version, w.server.writes-writes)
		}
	})
}

// A person edits in the very moment after a write of ours: no window of time makes that an echo.
func TestAnEditInTheMomentOfOurWriteIsSeen(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", at(14))
		w.server.after = func(string) error {
			w.server.after = nil
			w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { e.Subject = "Review" })
			return nil
		}
		w.pass("alice")
		w.pass("alice")
		b, it := w.booking("b1"), w.only(alice)
		if b.Title != "Review" || b.Start.Hour() != 14 || it.Event.Subject != "Review" || it.Event.Start.Hour() != 14 {
			w.Errorf("booking %q at %s, item %q at %s", b.Title, b.Start, it.Event.Subject, it.Event.Start)
		}
	})
}

// A full read that succeeds and tells of nothing cancels nothing as long as the items are there.
func TestAnEmptyFullReadDeletesNothing(t *testing.T) {
	each(t, func(w *world) {
		for i := range 3 {
			w.book(fmt.Sprintf("b%d", i), at(9+i))
		}
		w.pass("alice")
		w.server.forget(alice)
		w.server.box(alice).log = nil
		w.pass("alice")
		w.later(25 * time.Hour)
		w.pass("alice")
		for i := range 3 {
			if b := w.booking(fmt.Sprintf("b%d", i)); b.Status != booking.Confirmed {
				w.Errorf("%s was cancelled by an empty read", b.ID)
			}
		}
		if got := len(w.server.items(alice)); got != 3 || len(w.server.mails) != 3 {
			w.Errorf("%d items, mails %v", got, w.server.mails)
		}
	})
}

// Something copies an item over and over: each copy is listed and none is touched, and the booking follows its own item.
func TestHundredsOfCopiesAreListedAndLeftAlone(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		own, writes := w.only(alice), w.server.writes
		const copies = 100
		for range copies {
			again := own
			again.Ref = ""
			w.server.add(alice, again)
		}
		for range 3 {
			w.pass("alice")
		}
		if got := w.differences(copyLeftAlone); got != copies || w.server.writes != writes {
			w.Errorf("%d copies listed, want %d; %d writes", got, copies, w.server.writes-writes)
		}
		w.server.edit(alice, own.Ref, func(e *calendar.Event) { e.Subject = "Review" })
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Review" {
			w.Errorf("booking = %+v", b)
		}
		w.server.remove(alice, own.Ref)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("booking = %+v", b)
		}
		if got := len(w.server.items(alice)); got != copies {
			w.Errorf("%d copies are left, want %d", got, copies)
		}
	})
}

// An item changes and nobody is told, not even by its revision: the next full read finds it, and both sides are the same again.
func TestADivergenceThatNobodyWasToldOfIsFound(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.pass("alice")
		w.server.box(alice).items[w.only(alice).Ref].Event.Subject = "Review"
		w.pass("alice")
		w.later(25 * time.Hour)
		w.pass("alice")
		if b, it := w.booking("b1"), w.only(alice); b.Title != "Review" || it.Event.Subject != "Review" {
			w.Errorf("booking %q, item %q", b.Title, it.Event.Subject)
		}
	})
}

// A program strips an item of its markers: it is still the booking's, and no second one is made.
func TestAnItemThatLostItsMarkersIsStillTheBookings(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		it := w.only(alice)
		w.server.box(alice).items[it.Ref].Key, w.server.box(alice).items[it.Ref].ForeignKey = "", ""
		w.server.edit(alice, it.Ref, func(e *calendar.Event) { e.Subject = "Review" })
		w.pass("alice")
		w.book("b1", at(14))
		w.pass("alice")
		w.later(25 * time.Hour)
		w.pass("alice")
		now := w.only(alice)
		if now.Ref != it.Ref || now.Event.Start.Hour() != 14 || w.booking("b1").Status != booking.Confirmed {
			w.Errorf("item %+v, booking %+v", now, w.booking("b1"))
		}
	})
}
