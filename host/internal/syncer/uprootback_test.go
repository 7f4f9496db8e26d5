package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// By a slip alice's address leads to somebody else's calendar, and a booking is changed that has an item there by then. Once the address is
// corrected, what the item in her own calendar says is from before: the booking stays changed.
func TestWhatWasChangedDuringASlipInAnAddressStaysChanged(t *testing.T) {
	const stranger = "alicia@example.com"
	for _, name := range []string{"into an empty calendar", "into one that is not"} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.booked(3)
				named := func(address, as string) {
					for _, it := range w.server.items(address) {
						if it.Key != "" {
							w.server.identify(address, it.Ref, as+it.Key)
						}
					}
					w.full()
				}
				named(alice, "uid of ")
				if name != "into an empty calendar" {
					w.server.add(stranger, calendar.Item{Event: calendar.Event{Subject: "Dentist", Start: w.now().Add(time.Hour), End: w.now().Add(2 * time.Hour)}})
				}
				w.reached(func(p *directory.Person) { p.Email = stranger })
				w.pass("alice")
				w.rebook("b1", at(15))
				w.pass("alice")
				named(stranger, "uid there of ")
				mails := len(w.server.mails)
				w.reached(func(*directory.Person) {})
				w.daysOf("alice")
				if b, it := w.booking("b1"), w.itemOf("b1.1"); b.Start.Hour() != 15 || it.Event.Start.Hour() != 15 || len(w.server.mails) != mails {
					w.Errorf("the booking is at %s, its item at %s, mails %v", b.Start, it.Event.Start, w.mailedSince(mails))
				}
				if n := len(w.server.items(alice)); n != 3 {
					w.Errorf("%d items", n)
				}
			})
		})
	}
}
