package syncer

import (
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Somebody has the address of another one by a slip, while that one is missing in the table. Once it is corrected, and the other one is back,
// before or after that, the bookings have their items again.
func TestASlipIntoTheAddressOfWhoIsMissing(t *testing.T) {
	const moved = "alice.moved@example.com"
	for name, after := range map[string]func(w *world){
		"corrected before she is back": func(w *world) {
			w.tableOf(nil, "bob", "carol")
			w.pass("bob")
			w.tableOf(nil, "alice", "bob", "carol")
		},
		"back in the table that corrects it": func(w *world) {
			w.server.boxes[moved] = w.server.boxes[alice]
			w.tableOf(map[string]string{"alice": moved}, "alice", "bob", "carol")
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.booked(2)
				mails := len(w.server.mails)
				w.silently(func() {
					w.tableOf(nil, "bob", "carol")
					w.tableOf(map[string]string{"bob": alice}, "bob", "carol")
					w.pass("bob")
					after(w)
					w.daysOf("alice")
					w.daysOf("bob")
				})
				if n := len(w.server.items(alice)); n != 2 || len(w.allOpen()) > 0 {
					w.Errorf("%d items, listed: %+v", n, w.allOpen())
				}
				w.cancel("b0")
				w.daysOf("alice")
				if it := w.only(alice); it.Key != "b1.1" {
					w.Errorf("item = %+v", it)
				}
				if got := w.mailedSince(mails); !slices.Equal(got, []string{"3 b0.1"}) {
					w.Errorf("mailed: %v", got)
				}
			})
		})
	}
}

// Somebody has another id, and then another address as well, before the booking system names the new organizer: nothing is doubled.
func TestAnotherIDAndThenAnotherAddressDoubleNothing(t *testing.T) {
	each(t, func(w *world) {
		const id = "alice.smith"
		w.booked(2)
		for _, it := range w.server.items(alice) {
			w.server.identify(alice, it.Ref, "uid of "+it.Key)
		}
		w.full()
		w.silently(func() {
			w.tableOf(map[string]string{id: alice}, id, "bob", "carol")
			w.pass(id)
			w.renamed()
			w.tableOf(map[string]string{id: married}, id, "bob", "carol")
			w.pass(id)
			w.rebook("b0", by(id))
			w.rebook("b1", by(id))
			w.daysOf(id)
		})
		if n := len(w.server.items(alice)); n != 2 || len(w.allOpen()) > 0 {
			w.Errorf("%d items, listed: %+v", n, w.allOpen())
		}
	})
}

// What somebody changes in Outlook while missing in the table is carried to the booking by whoever is back: those invited have heard of it. What
// was deleted is made anew, as ever where the sync is switched on.
func TestAnEditOfWhoWasMissingIsCarried(t *testing.T) {
	for name, back := range map[string]func(*directory.Person){
		"same place":    func(*directory.Person) {},
		"another place": func(p *directory.Person) { p.SyncURL = "https://new.example.com/" },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.booked(3)
				mails := len(w.server.mails)
				w.rebook("b2", titled("changed")) // and is not written yet
				w.removed(func() {
					w.server.edit(alice, w.itemOf("b1.1").Ref, func(ev *calendar.Event) { ev.Start, ev.End = ev.Start.Add(6*time.Hour), ev.End.Add(6*time.Hour) })
					w.server.remove(alice, w.itemOf("b0.1").Ref)
				}, back)
				w.daysOf("alice")
				if b, it := w.booking("b1"), w.itemOf("b1.1"); b.Start.Hour() != 16 || it.Event.Start.Hour() != 16 {
					w.Errorf("the booking is at %s, its item at %s", b.Start, it.Event.Start)
				}
				if it := w.itemOf("b2.1"); it.Event.Subject != "changed" {
					w.Errorf("item = %+v", it)
				}
				if w.booking("b0").Status != booking.Confirmed || len(w.server.items(alice)) != 3 {
					w.Errorf("booking %+v, %d items", w.booking("b0"), len(w.server.items(alice)))
				}
				if got := w.mailedSince(mails); len(got) > 0 || len(w.allOpen()) > 0 {
					w.Errorf("mailed: %v, listed: %+v", got, w.allOpen())
				}
			})
		})
	}
}
