package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A meeting's room was taken, and its calendar is not read any more. Freed, the room comes to the meeting that has invited it all along.
func TestARoomWhoseCalendarIsNotReadAnyMoreIsExcusedOnlyWhileItIsTaken(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b9", by("bob"))
		refs := w.invite(meetingAt(9, "m1", alice, roomA, roomB), roomA, roomB)
		w.pass("room-a")
		w.pass("room-b")
		w.pass("alice")
		w.pass("room-a")
		the := func() *booking.Booking {
			for _, b := range w.bookings() {
				if b.ID != "b9" {
					return b
				}
			}
			w.Fatal("none")
			return nil
		}
		if b := the(); len(b.Resources) != 1 || b.Organizer != "alice" || b.SyncOff {
			w.Fatalf("%+v", b)
		}
		w.person(directory.Person{ID: "room-a", Email: roomA, DisplayName: "Room A", Kind: directory.KindResource, SyncDisabled: true})
		w.pass("room-a")
		if _, err := w.engine.Cancel(w.Context(), tenant, "b9", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("bob")
		w.pass("room-a")
		w.pass("alice")
		set := func(hour int, list ...string) {
			w.server.edit(alice, refs[0], func(ev *calendar.Event) {
				e := meetingAt(hour, "m1", alice, list...)
				ev.Attendees, ev.Start, ev.End = e.Attendees, e.Start, e.End
			})
			w.pass("alice")
			w.later(time.Hour)
			w.pass("alice")
		}
		set(9, roomB)
		set(9, roomA, roomB)
		set(15, roomA, roomB)
		if b := the(); len(b.Resources) != 2 {
			w.Errorf("the free room is not booked: %v at %v, item %+v", b.Resources, b.Start, w.only(alice).Event.Attendees)
		}
		if _, err := w.tryBook("b10", by("bob"), at(15)); err == nil {
			w.Errorf("somebody else gets the room to which the item is invited")
		}
	})
}
