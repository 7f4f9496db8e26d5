package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// The add-in makes an item of Alice's, its booking is refused, and the booking of that id becomes Bob's: Alice believes to have the room.
// That is listed when the item is seen, once, until it is gone, becomes a booking's, or somebody decides.
func TestAnItemOfTheAddInWhoseBookingIsSomebodyElsesIsListed(t *testing.T) {
	for name, c := range map[string]func(w *world, ref calendar.Ref, d store.Difference){
		"it is deleted": func(w *world, ref calendar.Ref, _ store.Difference) { w.server.remove(alice, ref) },
		"the booking becomes hers after all": func(w *world, ref calendar.Ref, _ store.Difference) {
			w.book("b1", at(11))
			w.pass("bob")
			w.pass("alice")
			if w.only(alice).Ref != ref {
				w.Error("another item was made")
			}
		},
		"it is removed": func(w *world, _ calendar.Ref, d store.Difference) {
			w.resolve(d, Resolution{Use: UseBooking})
			w.pass("alice")
			w.none(alice)
		},
		"it stays": func(w *world, _ calendar.Ref, d store.Difference) { w.resolve(d, Resolution{Use: UseNeither}) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("other", by("carol"))
				if _, err := w.tryBook("b1"); err == nil {
					w.Fatal("the room is taken twice")
				}
				w.book("b1", by("bob"), at(11), func(b *booking.Booking) { b.Attendees = nil })
				w.pass("bob")
				ref := w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: meetingAt(9, "u1", alice, roomA)})
				w.pass("alice")
				if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
				d := w.one(itemWithoutBooking)
				if d.Ref != ref || d.Person != "alice" || d.Booking != "b1" || d.Recommend != store.SideNeither {
					w.Errorf("listed %+v", d)
				}
				w.scan(store.Scan{Target: store.ScanPerson, Name: "alice"})
				if again := w.one(itemWithoutBooking); again.ID != d.ID {
					w.Errorf("a scan says it again: %+v", again)
				}
				if err := w.engine.Resolve(w.Context(), tenant, d.ID, Resolution{Use: UseCalendar}); err == nil {
					w.Error("the calendar can be used")
				}
				before := w.booking("b1")
				c(w, ref, d)
				w.later(time.Hour)
				w.pass("alice")
				if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
				if n := w.differences(itemWithoutBooking); n != 0 {
					w.Errorf("%d differences are open", n)
				}
				if b := w.booking("b1"); b.Status != booking.Confirmed || b.Organizer == "bob" && b.Version != before.Version {
					w.Errorf("booking %+v", b)
				}
			})
		})
	}
}
