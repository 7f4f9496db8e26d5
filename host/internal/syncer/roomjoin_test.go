package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// around has everybody look once or more, in an order of their own.
func (w *world) around(rounds int, people ...string) {
	w.Helper()
	for range rounds {
		for _, one := range people {
			w.pass(one)
		}
		w.later(time.Minute)
	}
}

// accepts puts a room's copy of a meeting into its calendar, and the organizer hears that the room has accepted.
func (w *world) accepts(room string, ev calendar.Event) calendar.Ref {
	w.server.respond(ev.Organizer.Email, ev.UID, room, calendar.Accepted)
	return w.server.add(room, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
}

// A room is invited in Outlook to a series that is booked, and taken for one occurrence of it: it gets the others.
func TestARoomThatIsTakenOnceJoinsABookedSeries(t *testing.T) {
	rooms(t, func(w *world) {
		w.room("b", true)
		refs := w.invite(weekly(9, 3, "m1", bob, roomA), roomA)
		w.around(2, "room-a", "bob")
		w.book("b1", noOneElse, inWeek(1, 9), func(b *booking.Booking) { b.Resources = []string{"room-b"} })
		w.pass("alice")
		ev := weekly(9, 3, "m1", bob, roomA, roomB)
		w.server.edit(bob, refs[0], func(e *calendar.Event) { *e = cloned(ev) })
		w.server.edit(roomA, refs[1], func(e *calendar.Event) { *e = cloned(ev) })
		w.accepts(roomB, ev)
		writes := w.server.writes
		w.around(3, "room-b", "bob", "room-a")
		b := w.seriesOf()
		wantTimes(w, b, "room-a", "12-01T09", "12-08T09", "12-15T09")
		wantTimes(w, b, "room-b", "12-01T09", "12-15T09")
		if n := w.server.writes - writes; n != 1 { // the decline
			w.Errorf("%d writes: %q", n, w.server.mails)
		}
		if open := w.open(); len(open) != 0 {
			w.Errorf("listed: %q", open)
		}
		it := w.only(bob)
		if is := one(&it.Event, week(1, 9)); len(is.Attendees) != 3 {
			w.Errorf("invited to the occurrence are %+v", is.Attendees)
		}
	})
}

// A meeting that its room declined is moved, and the organizer's calendar is read before the room's: the room is free then, and the
// booking gets it.
func TestARoomThatDeclinedTakesTheMovedMeeting(t *testing.T) {
	rooms(t, func(w *world) {
		w.room("a", true)
		w.book("b1", noOneElse)
		w.pass("alice")
		refs := w.invite(meetingAt(9, "m1", bob, roomA, roomB), roomA, roomB)
		w.around(2, "room-a", "room-b", "bob")
		w.none(roomA)
		ev := meetingAt(14, "m1", bob, roomA, roomB)
		w.server.edit(bob, refs[0], func(e *calendar.Event) { *e = cloned(ev) })
		w.server.edit(roomB, refs[2], func(e *calendar.Event) { *e = cloned(ev) })
		w.accepts(roomA, ev)
		w.pass("bob")
		w.around(2, "room-a", "bob", "room-b")
		for _, b := range w.bookings() {
			if b.ID != "b1" && len(b.Resources) != 2 {
				w.Errorf("booked in %v", b.Resources)
			}
		}
	})
}

// A room becomes free for a meeting that it has accepted: the booking gets the room, and the room's answer with it.
func TestTheAnswerOfARoomThatIsFreedIsKnown(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", noOneElse)
		w.pass("alice")
		ev := meetingAt(9, "m1", bob, roomA, roomB)
		w.invite(ev, roomB)
		w.accepts(roomA, ev)
		w.around(2, "room-b", "room-a", "bob")
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.around(2, "room-a", "bob", "room-b")
		b := w.theOne()
		if a := w.answerOf(b, roomA); len(b.Resources) != 2 || a.State != booking.AnswerAccepted {
			w.Errorf("booked in %v, answer %+v", b.Resources, a)
		}
	})
}
