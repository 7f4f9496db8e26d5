package soak_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// A defect is what a backend does wrong, so that it can be seen that the model notices.
type defect struct {
	page    func(*backend.Page)
	fetched func([]backend.Fetched)
	apply   func(context.Context, launch.Backend, mutation) (backend.Result, error)
}

// defects are some that this kind of program is known for.
func defects() map[string]defect {
	n := 0
	return map[string]defect{
		"a repeated create makes a second item": {apply: func(ctx context.Context, b launch.Backend, m mutation) (backend.Result, error) {
			if m.Op == calendar.Create {
				again := m
				if again.Key, n = m.Key+"x", n+1; n%2 == 0 {
					if _, err := b.Apply(ctx, again); err != nil {
						return backend.Result{}, err
					}
				}
			}
			return b.Apply(ctx, m)
		}},
		"what is to be silent mails": {apply: func(ctx context.Context, b launch.Backend, m mutation) (backend.Result, error) {
			m.Mail = calendar.MailAll
			return b.Apply(ctx, m)
		}},
		"a write is told to be done and is not": {apply: func(ctx context.Context, b launch.Backend, m mutation) (backend.Result, error) {
			if n++; m.Op != calendar.Update || n%3 > 0 {
				return b.Apply(ctx, m)
			}
			got, err := b.Fetch(ctx, m.Mailbox, []calendar.Ref{m.Ref})
			if err = errors.Join(err, got[0].Err); err != nil {
				return backend.Result{}, err
			}
			m.Event.UID, m.Event.Organizer = got[0].Item.Event.UID, got[0].Item.Event.Organizer
			got[0].Item.Event = m.Event
			return backend.Result{Item: got[0].Item}, nil
		}},
		"a failed read says that an item is gone": {fetched: func(got []backend.Fetched) {
			for i := range got {
				if n++; n%3 == 0 {
					got[i] = backend.Fetched{Err: fmt.Errorf("item: %w", fault.NotFound)}
				}
			}
		}, page: func(p *backend.Page) {
			for i := range p.Changes {
				if n++; n%3 == 0 {
					p.Changes[i] = backend.Change{Ref: p.Changes[i].Ref, Deleted: true}
				}
			}
		}},
		"what is read is never twice the same": {page: func(p *backend.Page) {
			for i, c := range p.Changes {
				if c.Item != nil {
					it := *c.Item
					n++
					it.Event.Location += fmt.Sprint(" ", n)
					p.Changes[i].Item = &it
				}
			}
		}},
	}
}

// daily is what happens on a day without trouble: that defects are noticed shall not depend on what else there is.
var daily = soak.NewTable("put 26, edit 26, occurrence 6, series 6, remove 4, cancel 2, pass 34, later 2, settle 4")

// busyDay is the schedule of a seed with many writes and reads.
func busyDay(seed int) []soak.Act {
	return append([]soak.Act{{Do: "world", A: seed, B: seed / 3, C: seed / 5}}, daily.Schedule(uint64(seed), 40, 40)...)
}

// The model notices what it is there to notice: each of these backends fails one of a few schedules.
func TestTheModelNoticesDefects(t *testing.T) {
	for what, d := range defects() {
		t.Run(what, func(t *testing.T) {
			s := newStage(t, "sqlite")
			s.plugins.defect = d
			const most = 40
			for seed := 1; seed <= most; seed++ {
				if wrong, _ := s.play(busyDay(seed), newTally(), nil); wrong != "" {
					t.Logf("SEED=%d: %s", seed, wrong)
					return
				}
			}
			t.Errorf("%d schedules passed", most)
		})
	}
}
