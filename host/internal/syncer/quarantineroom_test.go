package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Bookings that came from a room's calendar are cancelled by an approval that was a mistake. Undone, they stand again.
func TestMassDeletionsOfARoomsCalendarCanBeUndone(t *testing.T) {
	rooms(t, func(w *world) {
		var refs []calendar.Ref
		for i := range 30 {
			ev := meetingAt(9, "m"+string(rune('A'+i)), outside, roomA)
			ev.Start, ev.End = ev.Start.AddDate(0, 0, i), ev.End.AddDate(0, 0, i)
			refs = append(refs, w.invite(ev, roomA)...)
		}
		w.pass("room-a")
		n := len(w.bookings())
		for _, r := range refs {
			w.server.remove(roomA, r)
		}
		w.pass("room-a")
		units, err := w.store.Quarantines(w.Context(), tenant, store.QuarantineFilter{Person: "room-a"})
		if err != nil || len(units) != 1 || len(w.bookings()) != n {
			w.Fatal(units, err, len(w.bookings()))
		}
		if _, err := w.engine.DecideQuarantine(w.Context(), tenant, units[0].ID, Approve); err != nil {
			w.Fatal(err)
		}
		w.later(2 * roomSwapWait)
		w.pass("room-a")
		if left := len(w.bookings()); left != 0 {
			w.Fatalf("approved, and %d bookings stand", left)
		}
		if _, err := w.engine.DecideQuarantine(w.Context(), tenant, units[0].ID, Undo); err != nil {
			w.Fatal(err)
		}
		w.later(2 * roomSwapWait)
		w.pass("room-a") // which holds nothing of them any more
		if left := len(w.bookings()); left != n {
			w.Errorf("%d bookings stand after the undo, of %d", left, n)
		}
		if listed := w.differences(roomDiffers); listed != n { // nothing holds the room in Exchange
			w.Errorf("%d of %d are listed", listed, n)
		}
	})
}
