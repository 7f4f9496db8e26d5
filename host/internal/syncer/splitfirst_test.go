package syncer

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A series that lies elsewhere since, and was split there before anybody saw it, is told from its rest by its UID, whichever is
// read first.
func TestASeriesThatWasMovedAndSplitIsToldFromItsRest(t *testing.T) {
	for name, do := range map[string]func(w *world, first calendar.Item) (moved, rest calendar.Ref){
		"TheRestComesFirst": func(w *world, first calendar.Item) (moved, rest calendar.Ref) {
			w.shorten(first, 4)
			rest = w.rest(first, cutOff{day: 4})
			return w.server.move(alice, first.Ref), rest
		},
		"TheRestComesLast": func(w *world, first calendar.Item) (moved, rest calendar.Ref) {
			w.shorten(first, 4)
			moved = w.server.move(alice, first.Ref)
			return moved, w.rest(first, cutOff{day: 4})
		},
		"TheHostDiesBetween": func(w *world, first calendar.Item) (moved, rest calendar.Ref) {
			w.shorten(first, 4)
			rest = w.rest(first, cutOff{day: 4})
			moved = w.server.move(alice, first.Ref)
			if !w.killedAt("page:stored") {
				w.Fatal("the pass read nothing")
			}
			w.later(time.Minute)
			w.dirty()
			return moved, rest
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1", ruled(fiveDays))
				w.pass("alice")
				w.server.identify(alice, w.only(alice).Ref, "meeting")
				w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Busy = calendar.Tentative })
				w.pass("alice")
				moved, rest := do(w, w.only(alice))
				for range 2 {
					w.pass("alice")
					w.later(time.Minute)
					w.dirty()
				}
				if b := w.booking("b1"); b.Recurrence != "FREQ=DAILY;COUNT=3" {
					w.Errorf("the first is %s", b.Recurrence)
				}
				if it := w.itemAt(moved); it.Key != "b1.1" {
					w.Errorf("the item of the first bears %q", it.Key)
				}
				w.becameOne(rest, "FREQ=DAILY;COUNT=2")
			})
		})
	}
}

// The answer to the making of a series is lost, and it is split before it is read: of its halves the one that begins when its
// booking does is its item.
func TestASeriesThatNobodyMetIsToldFromItsRest(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", ruled(fiveDays))
		w.server.after = func(call string) error {
			if call != "apply" {
				return nil
			}
			w.server.after = nil
			return fmt.Errorf("the answer is lost: %w", fault.Unavailable)
		}
		w.pass("alice")
		first := w.only(alice)
		rest := w.rest(first, cutOff{day: 4})
		w.shorten(first, 4)
		for range 3 {
			w.later(time.Hour)
			w.dirty()
			w.pass("alice")
		}
		if it := w.itemAt(first.Ref); it.Key != "b1.1" || w.booking("b1").Recurrence != "FREQ=DAILY;COUNT=3" {
			w.Errorf("the first is %s, its item bears %q", w.booking("b1").Recurrence, it.Key)
		}
		w.becameOne(rest, "FREQ=DAILY;COUNT=2")
	})
}
