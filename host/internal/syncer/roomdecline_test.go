package syncer

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// refusing has every answer fail until it is called off, and counts them.
func (w *world) refusing(kind fault.Kind) (tried *int, off func()) {
	tried = new(int)
	w.server.before = func(call string) error {
		if call != "respond" {
			return nil
		}
		*tried++
		return fmt.Errorf("not now: %w", kind)
	}
	return tried, func() { w.server.before = nil }
}

// A decline that the server goes on refusing is given up in the end, and listed.
func TestADeclineThatFailsForGoodIsListed(t *testing.T) {
	for name, ev := range map[string]calendar.Event{
		"single":         meetingAt(9, "m1", outside, roomA),
		"one occurrence": weekly(9, 3, "m1", outside, roomA),
	} {
		t.Run(name, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", true)
				w.book("b1", noOneElse)
				w.pass("alice")
				w.invite(ev, roomA)
				tried, _ := w.refusing(fault.Conflict)
				for range 3 * declineTries {
					w.pass("room-a")
					w.later(2 * time.Hour)
				}
				if *tried != declineTries {
					w.Errorf("tried %d times, want %d", *tried, declineTries)
				}
				if n := w.differences(roomConflict); n != 1 {
					w.Errorf("%d differences", n)
				}
				w.only(roomA)
			})
		})
	}
}

// What of a series is to be declined as a whole is asked of all its occurrences again, not only of the first.
func TestADeclineOfASeriesIsReconsideredOccurrenceByOccurrence(t *testing.T) {
	for _, organizer := range []string{outside, bob} {
		t.Run(organizer, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", true)
				for i := range 3 {
					w.book(fmt.Sprint("b", i), noOneElse, inWeek(i, 9))
				}
				w.pass("alice")
				ev := weekly(9, 3, "m1", organizer, roomA)
				if organizer == bob { // who has it booked in another room
					ev = weekly(9, 3, "m1", organizer, roomA, roomB)
					w.invite(ev, roomB)
					w.pass("room-b")
					w.pass("bob")
					w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
				} else {
					w.invite(ev, roomA)
				}
				_, off := w.refusing(fault.Conflict)
				w.pass("room-a")
				w.pass("bob")
				off()
				if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
					w.Fatal(err)
				}
				for range 3 {
					w.later(2 * time.Hour)
					w.pass("room-a")
					w.pass("bob")
				}
				w.only(roomA)
				wantTimes(w, w.seriesOf(), "room-a", "12-08T09")
				w.quiet(3 + 2) // the room is invited three times, and declines two occurrences
			})
		})
	}
}
