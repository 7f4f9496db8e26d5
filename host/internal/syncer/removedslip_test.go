package syncer

import (
	"slices"
	"testing"
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
