package syncer

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
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

// A server that is busy or away at first says nothing of whether a calendar is empty: it is filled once it is read.
func TestAnEmptyCalendarIsFilledThoughTheServerWasBusy(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Throttled, fault.Unavailable} {
		t.Run(string(kind), func(t *testing.T) {
			each(t, func(w *world) {
				w.booked(3)
				mails := len(w.server.mails)
				w.reached(byAnotherAddress)
				tries := 2
				w.server.before = func(call string) error {
					if call == "pull" && tries > 0 {
						tries--
						return fmt.Errorf("not now: %w", kind)
					}
					return nil
				}
				for range 4 {
					w.pass("alice")
					w.later(time.Hour)
				}
				if n := len(w.server.items(married)); n != 3 || len(w.server.mails) != mails || w.state("alice").Status != store.StatusOK {
					w.Errorf("%d items, mails %v, state %+v", n, w.mailedSince(mails), w.state("alice"))
				}
			})
		})
	}
}
