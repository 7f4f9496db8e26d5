package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// A series that its booking cannot follow any more is left alone and listed. Called off then, it takes its booking along: nothing else would.
func TestASeriesThatIsLeftAloneTakesItsBookingAlong(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.invite(weekly(9, 4, "m1", outside, roomA), roomA)
		w.pass("room-a")
		w.theOne()
		w.server.edit(roomA, refs[0], func(ev *calendar.Event) { ev.Recurrence = "FREQ=HOURLY;COUNT=3" })
		w.pass("room-a")
		w.theOne()
		if n := w.differences(roomSeries); n != 1 {
			w.Fatalf("%d series are listed as left alone", n)
		}
		w.server.remove(roomA, refs[0])
		w.pass("room-a")
		w.later(2 * roomSwapWait)
		w.pass("room-a")
		if n := len(w.bookings()); n != 0 {
			w.Errorf("it was called off, and %d bookings stand", n)
		}
		if n := w.differences(roomSeries); n != 0 {
			w.Errorf("%d series are still listed as left alone", n)
		}
	})
}

// It is followed again as soon as a booking can have its pattern, with all that was changed meanwhile.
func TestASeriesThatWasLeftAloneIsFollowedAgain(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.invite(weekly(9, 4, "m1", outside, roomA), roomA)
		w.pass("room-a")
		w.theOne()
		w.server.edit(roomA, refs[0], func(ev *calendar.Event) { ev.Recurrence = "FREQ=HOURLY;COUNT=3" })
		w.pass("room-a")
		w.server.edit(roomA, refs[0], func(ev *calendar.Event) {
			ev.Recurrence = "FREQ=WEEKLY;COUNT=2;BYDAY=TU"
			ev.Start, ev.End = week(0, 14), week(0, 15)
		})
		w.pass("room-a")
		if left, differ := w.differences(roomSeries), w.differences(roomDiffers); left != 0 || differ != 0 {
			w.Errorf("it is followed again, and listed: %d as left alone, %d as another one", left, differ)
		}
		wantTimes(w, w.theOne(), "room-a", "12-01T14", "12-08T14")
		w.server.edit(roomA, refs[0], func(ev *calendar.Event) { ev.Start, ev.End = week(0, 15), week(0, 16) })
		w.pass("room-a")
		wantTimes(w, w.theOne(), "room-a", "12-01T15", "12-08T15")
	})
}
