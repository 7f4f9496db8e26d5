package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// TestItemOfTheAddInMovedBeforeItCouldBeRemovedIsListed: whether it is the item or somebody's copy cannot be told once the
// server has forgotten its history, so it is not deleted; but somebody is told.
func TestItemOfTheAddInMovedBeforeItCouldBeRemovedIsListed(t *testing.T) {
	each(t, func(w *world) {
		b := w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		ref := w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: calendar.Event{
			Subject: b.Title, Start: b.Start, End: b.End, Zone: b.Zone, Busy: calendar.Occupied, Class: calendar.Public,
		}})
		w.pass("alice")
		w.server.move(alice, ref)
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.server.forget(alice)
		w.later(time.Second)
		w.pass("alice")
		w.pass("alice")
		if items, told := len(w.server.items(alice)), w.differences(unlinkedLeftAlone); items != 1 || told != 1 {
			w.Errorf("%d items are left, and %d differences say so", items, told)
		}
	})
}
