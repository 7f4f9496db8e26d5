package syncer

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// The add-in made the item of a booking that the booking system moved since, and the calendar has not been read because the sync of its owner
// is off. The room's copy looks like a meeting of its own and is booked. Once the item is known there is one booking, as the booking system
// has it; and no room, not even a sync master, is in its own way.
func TestAMeetingThatTurnsOutToBeABookingsIsBookedOnce(t *testing.T) {
	for _, master := range []bool{false, true} {
		t.Run(fmt.Sprintf("sync master %t", master), func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", master)
				both := func(b *booking.Booking) { b.Resources = []string{"room-a", "room-b"} }
				w.book("b1", noOneElse, both, func(b *booking.Booking) { b.ItemExpected = true })
				w.switchOff(true)
				w.book("b1", noOneElse, both, at(11))
				ev := meetingAt(9, "m1", alice, roomA, roomB)
				w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: ev})
				refs := []calendar.Ref{w.accepts(roomA, ev), w.accepts(roomB, ev)}
				w.around(2, "room-a", "room-b")
				if n := len(w.bookings()); n != 2 {
					w.Fatalf("%d bookings, want two as nobody knows better", n)
				}
				w.switchOff(false)
				w.pass("alice")
				if it := w.only(alice); !it.Event.Start.Equal(w.booking("b1").Start) {
					w.Fatalf("the item is at %s", it.Event.Start)
				}
				for i, room := range []string{roomA, roomB} { // the server tells them of the new time, and they accept that
					w.server.edit(room, refs[i], func(e *calendar.Event) {
						e.Start, e.End = e.Start.Add(2*time.Hour), e.End.Add(2*time.Hour)
					})
					w.server.respond(alice, ev.UID, room, calendar.Accepted)
				}
				w.around(3, "room-a", "room-b", "alice")
				for _, b := range w.bookings() {
					if want := map[bool]booking.Status{true: booking.Confirmed, false: booking.Cancelled}[b.ID == "b1"]; b.Status != want {
						w.Errorf("%s is %s, want %s", b.ID, b.Status, want)
					}
				}
				b := w.booking("b1")
				for _, room := range []string{roomA, roomB} {
					if n := len(w.server.items(room)); n != 1 || len(b.Resources) != 2 || w.answerOf(b, room).State != booking.AnswerAccepted {
						w.Errorf("%s has %d items, the booking %v, its answer is %+v", room, n, b.Resources, w.answerOf(b, room))
					}
				}
				if n := w.differences(roomConflict); n != 0 {
					w.Errorf("listed: %q", w.open())
				}
			})
		})
	}
}
