package syncer

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Whoever copies a meeting with a room in Outlook has the room twice.
func TestACopyOfAMarkedMeetingIsAMeetingOfItsOwn(t *testing.T) {
	for _, first := range []string{"alice", "room-a"} {
		t.Run(first, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.invite(meetingAt(9, "m1", alice, roomA), roomA)
				w.pass("room-a")
				w.pass("alice")
				copied := w.only(alice)
				copied.Ref, copied.Event.UID = "", "m2"
				copied.Event.Start = copied.Event.Start.Add(24 * time.Hour)
				copied.Event.End = copied.Event.End.Add(24 * time.Hour)
				w.server.add(alice, copied)
				ev := copied.Event
				ev.Organizer = calendar.Address{Name: "Organizer", Email: alice}
				w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
				second := "alice"
				if first == "alice" {
					second = "room-a"
				}
				for range 3 {
					w.pass(first)
					w.pass(second)
					w.later(time.Minute)
				}
				if n := len(w.bookings()); n != 2 {
					w.Errorf("%d bookings, want two", n)
				}
			})
		})
	}
}

// The copy of the former item goes from the room some time after its successor was made.
func TestAMeetingWhoseItemIsMadeAnewKeepsItsRoom(t *testing.T) {
	for _, both := range []bool{true, false} {
		t.Run(fmt.Sprint(both), func(t *testing.T) {
			rooms(t, func(w *world) {
				refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
				w.pass("room-a")
				w.pass("alice")
				b := w.theOne().Clone()
				b.Title = "Another"
				b.Start, b.End = b.Start.Add(time.Hour), b.End.Add(time.Hour)
				if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
					w.Fatal(err)
				}
				w.server.remove(alice, refs[0])
				w.pass("alice")
				w.later(2 * time.Second)
				w.pass("alice")
				it := w.only(alice)
				w.server.identify(alice, it.Ref, "m2")
				w.pass("alice")
				w.later(time.Second)
				if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
				if both {
					ev := w.only(alice).Event
					ev.Organizer = calendar.Address{Name: "Organizer", Email: alice}
					w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
				}
				w.pass("room-a")
				w.server.remove(roomA, refs[1])
				for range 3 {
					w.pass("room-a")
					w.pass("alice")
					w.later(2 * time.Minute)
				}
				now := w.booking(b.ID)
				if now.Status != booking.Confirmed || len(now.Resources) != 1 {
					w.Errorf("the copy of the successor there: %t; the booking is %s with %v", both, now.Status, now.Resources)
				}
			})
		})
	}
}

// To cut and paste is to copy and delete.
func TestAMeetingThatIsCopiedAndDeletedKeepsItsRoom(t *testing.T) {
	for _, first := range []string{"alice", "room-a"} {
		t.Run(first, func(t *testing.T) {
			rooms(t, func(w *world) {
				refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
				w.pass("room-a")
				w.pass("alice")
				copied := w.only(alice)
				copied.Ref, copied.Event.UID = "", "m2"
				copied.Event.Start = copied.Event.Start.Add(24 * time.Hour)
				copied.Event.End = copied.Event.End.Add(24 * time.Hour)
				w.server.add(alice, copied)
				w.server.remove(alice, refs[0])
				ev := copied.Event
				ev.Organizer = calendar.Address{Name: "Organizer", Email: alice}
				w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
				second := "alice"
				if first == "alice" {
					second = "room-a"
				}
				for i := range 5 {
					if i == 2 {
						w.server.remove(roomA, refs[1])
					}
					w.pass(first)
					w.pass(second)
					w.later(2 * time.Minute)
				}
				n := 0
				for _, b := range w.bookings() {
					if b.Status == booking.Confirmed && len(b.Resources) == 1 && b.Start.Equal(ev.Start) {
						n++
					}
				}
				if n != 1 {
					w.Errorf("%d bookings stand; %d items", n, len(w.server.items(alice)))
				}
			})
		})
	}
}

// The copy of the former item is still in the room, at the former time.
func TestABookingWhoseItemIsMadeAnewIsNotDoubledByItsRoom(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.book("b1", noOneElse)
		w.pass("alice")
		it := w.only(alice)
		w.server.identify(alice, it.Ref, "u1")
		ev := w.only(alice).Event
		ev.Organizer = calendar.Address{Name: "Organizer", Email: alice}
		ref := w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		w.pass("alice")
		b := w.booking("b1").Clone()
		b.Start, b.End = b.Start.Add(4*time.Hour), b.End.Add(4*time.Hour)
		if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
			w.Fatal(err)
		}
		w.server.remove(alice, it.Ref)
		w.pass("alice")
		w.later(2 * time.Second)
		w.pass("alice")
		w.server.identify(alice, w.only(alice).Ref, "u2")
		if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.pass("room-a")
		if len(w.bookings()) != 1 {
			w.Errorf("%d bookings, want one", len(w.bookings()))
		}
		w.server.remove(roomA, ref)
		for range 3 {
			w.pass("room-a")
			w.pass("alice")
			w.later(2 * time.Minute)
		}
	})
}

func TestAFreedRoomComesBackToASeries(t *testing.T) {
	for _, single := range []bool{true, false} {
		t.Run(fmt.Sprint(single), func(t *testing.T) {
			rooms(t, func(w *world) {
				if single {
					w.book("b1", by("bob"), noOneElse)
					w.invite(meetingAt(9, "m1", alice, roomA, roomB), roomA, roomB)
				} else {
					w.book("b1", by("bob"), noOneElse, func(b *booking.Booking) { b.Recurrence = "FREQ=WEEKLY;COUNT=3" })
					w.invite(weekly(9, 3, "m1", alice, roomA, roomB), roomA, roomB)
				}
				for range 2 {
					w.pass("room-b")
					w.pass("alice")
					w.pass("room-a")
				}
				if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
					w.Fatal(err)
				}
				for range 3 {
					w.later(time.Minute)
					w.pass("room-a")
					w.pass("alice")
					w.pass("room-b")
				}
				b := w.theOne()
				if len(b.Resources) != 2 {
					w.Errorf("single %v: has %v", single, b.Resources)
				}
			})
		})
	}
}
