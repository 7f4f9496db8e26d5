package syncer

import (
	"context"
	"testing"

	"github.com/roomwire/roomwire/host/internal/store"
)

// broad are two modes whose servers take several times as many mailboxes at once.
type broad struct {
	*twoModes
	breadth int
}

func (b broad) Mode(ctx context.Context, name, domain string) (Mode, error) {
	m, err := b.twoModes.Mode(ctx, name, domain)
	m.Breadth = b.breadth
	return m, err
}

func TestMoveTakesAPlaceAtItsServerAsAPassDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		breadth, taken int
		state          store.MoveState
	}{
		"the only place is taken":      {0, 1, store.MoveWaiting},
		"one of several is left":       {4, 3, store.MoveDone},
		"all of several are taken":     {4, 4, store.MoveWaiting},
		"nobody is there but the move": {0, 0, store.MoveDone},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(1)
				limits := DefaultLimits()
				limits.WorkersPerServer = 1
				w.engine.SetLimits(limits)
				w.engine.Modes = broad{m, tc.breadth}
				var leaves []func()
				for range tc.taken {
					leave, ok := w.engine.servers.enter("Other@other.example.com", 4)
					if !ok {
						w.Fatal("no place")
					}
					leaves = append(leaves, leave)
				}
				w.ask("Other")
				pulls := w.server.calls["pull"]
				w.silently(func() { w.pass("alice") })
				w.moved(tc.state)
				if tc.state == store.MoveDone {
					return
				}
				if n := w.server.calls["pull"] - pulls; n > 0 {
					w.Errorf("the old server was asked %d times by who waits", n)
				}
				for _, leave := range leaves {
					leave()
				}
				w.later(busyServerDelay)
				w.silently(func() { w.pass("alice") })
				w.moved(store.MoveDone)
			})
		})
	}
}
