package syncer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A host dies at every step of a move, with changes on both sides before, amid and after it.
func TestHostDiesAtEveryStepOfAMove(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(5)
		steps := map[string]bool{}
		to := "Other"
		for n := 1; ; n++ {
			title := fmt.Sprintf("round %d", n)
			w.server.edit(alice, w.itemOf("b0.1").Ref, func(e *calendar.Event) { e.Subject = title })
			w.rebook("b1", titled(title))
			left, died := n, ""
			w.engine.Failpoint = func(step string) {
				if !strings.HasPrefix(step, "move:") {
					return
				}
				steps[step] = true
				if left--; left == 0 {
					died = step
					panic(crashed{step})
				}
			}
			mails := len(w.server.mails)
			w.ask(to)
			func() {
				defer func() {
					if r := recover(); r != nil {
						if _, ok := r.(crashed); !ok {
							panic(r)
						}
					}
				}()
				w.pass("alice")
			}()
			w.server.edit(alice, w.itemOf("b2.1").Ref, func(e *calendar.Event) { e.Subject = title })
			w.rebook("b3", titled(title))
			again := New(w.engine.Options)
			again.Failpoint = func(string) {}
			w.engine = again
			w.pass("alice")
			w.mode(to)
			w.moved(store.MoveDone)
			items := w.server.items(alice)
			if len(items) != 5 || len(w.server.mails) != mails {
				w.Fatalf("died at %q: %d items, %d mails", died, len(items), len(w.server.mails)-mails)
			}
			for _, i := range []int{0, 1, 2, 3} {
				b, it := w.booking(fmt.Sprintf("b%d", i)), w.itemOf(fmt.Sprintf("b%d.1", i))
				if b.Title != title || it.Event.Subject != title {
					w.Fatalf("died at %q: b%d is %q and %q, want %q", died, i, b.Title, it.Event.Subject, title)
				}
			}
			if died == "" {
				break
			}
			to = map[string]string{"Other": "Memory", "Memory": "Other"}[to]
		}
		if len(steps) < 7 {
			w.Errorf("only these steps: %v", steps)
		}
	})
}
