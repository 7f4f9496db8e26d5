package syncer

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// By a slip alice's address leads to somebody else's calendar, perhaps twice, and a booking is cancelled or given to somebody else meanwhile. Nothing
// of it is found there. Once the address is corrected its item goes, and who was invited hears of that once.
func TestWhatIsCalledOffDuringASlipInAnAddressIsRemovedLater(t *testing.T) {
	slip := func(addresses ...string) func(w *world, called func()) {
		return func(w *world, called func()) {
			for i, a := range addresses {
				w.server.add(a, calendar.Item{Event: calendar.Event{Subject: "Dentist", Start: w.now().Add(time.Hour), End: w.now().Add(2 * time.Hour)}})
				w.reached(func(p *directory.Person) { p.Email = a })
				if i == 0 {
					w.pass("alice")
					called()
				}
				w.again("alice")
			}
		}
	}
	slips := map[string]func(w *world, called func()){
		"one": slip("alicia@example.com"),
		"two": slip("alicia@example.com", "alix@example.com"),
		"called off just before": func(w *world, called func()) {
			called()
			slip("alicia@example.com")(w, func() {})
		},
		"into an empty calendar": func(w *world, called func()) {
			called()
			w.reached(func(p *directory.Person) { p.Email = "alicia@example.com" })
			w.again("alice")
		},
	}
	calls := map[string]func(w *world){
		"cancelled": func(w *world) { w.cancel("b1") },
		"given to bob": func(w *world) {
			w.rebook("b1", func(b *booking.Booking) { b.Organizer = "bob" })
		},
	}
	for name, slipped := range slips {
		for what, call := range calls {
			t.Run(name+", "+what, func(t *testing.T) {
				each(t, func(w *world) {
					w.booked(3)
					mails := len(w.server.mails)
					slipped(w, func() { call(w) })
					w.pass("bob")
					w.reached(func(*directory.Person) {})
					w.again("alice")
					w.again("bob")
					off := 0
					for _, m := range w.server.mails[mails:] {
						if m == fmt.Sprintf("%d b1.1", calendar.Delete) {
							off++
						}
					}
					if n := len(w.server.items(alice)); n != 2 || off != 1 || len(w.allOpen()) > 0 {
						w.Errorf("%d items, mails %v, listed %+v", n, w.mailedSince(mails), w.allOpen())
					}
					if s := w.state("alice"); s.Status != store.StatusOK {
						w.Errorf("state = %+v", s)
					}
				})
			})
		}
	}
}

// again passes over somebody's mailbox now and a day later.
func (w *world) again(person string) {
	w.Helper()
	w.pass(person)
	w.later(26 * time.Hour)
	w.pass(person)
}
