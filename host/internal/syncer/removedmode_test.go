package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A finicky mode calls the references of another mode malformed, as Exchange does with one that is none of its own.
type finicky struct{ *spaced }

func (f finicky) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	got := make([]backend.Fetched, len(refs))
	for i, ref := range refs {
		if strings.HasPrefix(string(ref), otherPrefix) != (f.prefix == otherPrefix) {
			got[i].Err = fmt.Errorf("item %q: %w", ref, fault.Invalid)
			continue
		}
		one, err := f.spaced.Fetch(ctx, m, []backend.Ref{ref})
		if err != nil {
			return nil, err
		}
		got[i] = one[0]
	}
	return got, nil
}

type finickyModes struct{ *twoModes }

func (t finickyModes) Mode(ctx context.Context, name, email string) (Mode, error) {
	m, err := t.twoModes.Mode(ctx, name, email)
	if err == nil {
		b := finicky{m.Backend.(*spaced)}
		m.Backend, m.Finder = b, b
	}
	return m, err
}

// Somebody is removed and comes back in another sync mode, instead of being moved, some even a second time: the sync goes on, and what was
// cancelled meanwhile goes.
func TestWhoComesBackInAnotherModeIsSynced(t *testing.T) {
	for _, modes := range [][]string{{"Other"}, {"Other", "Memory"}, {"Other", "Other"}} {
		t.Run(strings.Join(modes, ", "), func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.engine.Modes = finickyModes{m}
				w.booked(3)
				mails := len(w.server.mails)
				for i, mode := range modes {
					if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
						w.Fatal(err)
					}
					if i == len(modes)-1 {
						w.cancel("b2")
					}
					w.switched(mode)
					if i == 0 && len(modes) > 1 {
						w.pass("alice")
					}
				}
				for range 12 {
					w.pass("alice")
					w.later(12 * time.Hour)
				}
				if s := w.state("alice"); s.Status != store.StatusOK {
					w.Errorf("state = %+v", s)
				}
				w.rebook("b1", titled("changed"))
				w.pass("alice")
				if it := w.itemOf("b1.1"); it.Event.Subject != "changed" || len(w.server.items(alice)) != 2 {
					w.Errorf("%d items, %+v", len(w.server.items(alice)), it)
				}
				if got := w.mailedSince(mails); !slices.Equal(got, []string{"3 b2.1"}) {
					w.Errorf("mailed: %v", got)
				}
			})
		})
	}
}

// What was taken over without a marker is known by its UID when its owner is back, and the mailbox is reached at another place.
func TestWhatBearsNoMarkerIsKnownWhenItsOwnerIsBackElsewhere(t *testing.T) {
	elsewhere(t, func(w *world, move func()) {
		w.takenOver()
		if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.silently(func() {
			move()
			w.daysOf("alice")
		})
		w.only(alice)
	})
}
