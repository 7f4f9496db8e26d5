package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// switchOff switches the sync of alice off, or on again.
func (w *world) switchOff(off bool) {
	w.Helper()
	w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncDisabled: off})
}

// leftOver are the items of a room that are gone and not settled.
func (w *world) leftOver(room string) []store.RoomItem {
	w.Helper()
	rows, err := w.store.RoomItemsGone(w.Context(), tenant, room)
	if err != nil {
		w.Fatal(err)
	}
	return rows
}

// A room's copy is gone while nobody can ask its organizer's item what became of it: that is told, once, and no longer when it is known,
// or when the copy is there again.
func TestACopyThatIsGoneDoesNotWaitUntold(t *testing.T) {
	for name, c := range map[string]struct {
		again bool // the copy is there again
		other bool // under another reference
	}{
		"the calendar can be read again":            {},
		"the copy is there again":                   {again: true},
		"the copy is there under another reference": {again: true, other: true},
	} {
		t.Run(name, func(t *testing.T) {
			rooms(t, func(w *world) {
				refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
				w.pass("room-a")
				w.pass("alice")
				id := w.theOne().ID
				copied := w.only(roomA)
				w.server.unread = alice
				w.server.remove(roomA, refs[1])
				for range 20 { // notices are no tries
					w.pass("room-a")
				}
				if n := w.differences(roomWaits); n != 0 {
					w.Errorf("%d differences in the first moment", n)
				}
				for range 8 {
					w.later(time.Hour)
					w.pass("room-a")
				}
				if n := w.differences(roomWaits); n != 1 {
					w.Errorf("%d differences while the calendar cannot be read, want 1", n)
				}
				if c.again {
					if c.other {
						copied.Ref = ""
					}
					w.server.add(roomA, copied)
					w.pass("room-a")
				}
				w.server.unread = ""
				w.later(time.Hour)
				w.pass("room-a")
				w.pass("alice")
				if n, left := w.differences(roomWaits), w.leftOver("room-a"); n != 0 || len(left) != 0 {
					w.Errorf("%d differences are open, left over %+v", n, left)
				}
				want := booking.AnswerDeclined
				if c.again {
					want = booking.AnswerAccepted
				}
				if b := w.booking(id); b.Status != booking.Confirmed || w.answerOf(b, roomA).State != want {
					w.Errorf("booking %s, answer %+v, want %s", b.Status, w.answerOf(b, roomA), want)
				}
			})
		})
	}
}

// What was taken for the copy of a booking is gone, and the booking's own item cannot be made, because the sync of its organizer is off:
// nothing invites the room, so nothing says that it declined, and nobody waits for a calendar that may be off for ever.
func TestNobodyWaitsForAnItemThatIsNotMade(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", noOneElse)
		w.switchOff(true)
		ref := w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: meetingAt(9, "m1", alice, roomA)})
		w.pass("room-a")
		if b := w.theOne(); b.ID != "b1" {
			w.Fatalf("it was taken for a meeting of its own: %+v", b)
		}
		w.server.remove(roomA, ref)
		w.pass("room-a")
		if left := w.leftOver("room-a"); len(left) != 0 {
			w.Errorf("it waits: %+v", left)
		}
		if b := w.theOne(); len(b.Resources) != 1 || b.SyncProblem != "" {
			w.Errorf("booking %+v", b)
		}
		w.switchOff(false)
		w.pass("alice")
		if it := w.only(alice); len(it.Event.Attendees) != 1 || it.Event.Attendees[0].Email != roomA {
			w.Errorf("the item invites %+v", it.Event.Attendees)
		}
	})
}

// The item that the add-in made is there, but not read, because the sync of its organizer is off.
func TestACopyOfAnItemThatIsExpectedIsListedWhenItIsGone(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", noOneElse, func(b *booking.Booking) { b.ItemExpected = true })
		w.switchOff(true)
		refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.server.mark(alice, refs[0], "b1")
		w.pass("room-a")
		w.server.remove(roomA, refs[1])
		for range 8 {
			w.pass("room-a")
			w.later(time.Hour)
		}
		if n := w.differences(roomWaits); n != 1 {
			w.Errorf("%d differences, want 1", n)
		}
		w.switchOff(false)
		w.pass("alice")
		w.later(time.Hour)
		w.pass("room-a")
		if n, left := w.differences(roomWaits), w.leftOver("room-a"); n != 0 || len(left) != 0 {
			w.Errorf("%d differences are open, left over %+v", n, left)
		}
		if b := w.theOne(); b.ID != "b1" || w.answerOf(b, roomA).State != booking.AnswerDeclined {
			w.Errorf("booking %+v", b)
		}
	})
}
