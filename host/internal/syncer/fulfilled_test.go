package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
)

// At a take-over every item of a calendar is one that was waited for.
func TestItemThatSaysWhatItsBookingSaysIsReadOnce(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		w.addInItem(alice)
		before := w.server.calls["fetch"]
		w.pass("alice")
		fetched := w.server.calls["fetch"] - before
		open, err := w.store.Intents(w.Context(), tenant, "alice", farFuture, 10)
		if err != nil || len(open) != 0 || fetched != 0 {
			w.Errorf("the item was read %d more times, and %v is still to be done (%v)", fetched, open, err)
		}
		if it := w.only(alice); it.Event.Subject != "Planning" {
			w.Errorf("item = %+v", it)
		}
	})
}
