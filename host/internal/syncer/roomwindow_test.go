package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A room whose window ends before the series does takes it up to there (EnforceSchedulingHorizon off): that is no refusal, and the
// booking keeps the room beyond. Of somebody else's series nobody but the room tells, so it is booked as far as the room has it.
func TestARoomThatTakesASeriesUpToADate(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.book("b1", noOneElse, func(b *booking.Booking) { b.Recurrence = "FREQ=WEEKLY;COUNT=4;BYDAY=TU" })
		w.pass("alice")
		own := w.only(alice)
		w.server.identify(alice, own.Ref, "u1")
		cut := own.Event
		cut.UID, cut.Organizer, cut.Recurrence = "u1", calendar.Address{Name: "Alice", Email: alice}, "FREQ=WEEKLY;COUNT=2;BYDAY=TU"
		w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: cut})
		w.server.respond(alice, "u1", roomA, calendar.Accepted)
		w.invite(weekly(12, 2, "m1", outside, roomA), roomA)
		for range 2 {
			w.pass("room-a")
			w.pass("alice")
		}
		b := w.booking("b1")
		wantTimes(w, b, "room-a", "12-01T09", "12-08T09", "12-15T09", "12-22T09")
		if a := w.answerOf(b, roomA); a.State != booking.AnswerAccepted || len(a.Occurrences) != 0 || b.SyncProblem != "" || len(w.news()) != 0 {
			w.Errorf("answer %+v, problem %q, mails %q", a, b.SyncProblem, w.news())
		}
		for _, other := range w.bookings() {
			if other.ID != "b1" {
				wantTimes(w, other, "room-a", "12-01T12", "12-08T12")
			}
		}
		w.quiet(1)
	})
}
