package looptest

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// How often the item of a dead run is looked for that cannot be removed: seldom, when it has been for long.
const (
	tidyAgainMin = lease
	tidyAgainMax = 6 * time.Hour
	sweepBatch   = 50
)

// sweep cleans up after the runs, of any host, that were to say before horizon that they are alive, unless that is under
// way already.
func (r *Runner) sweep(ctx context.Context, horizon time.Time) {
	if !r.sweeping.CompareAndSwap(false, true) {
		return
	}
	r.alive.Go(func() {
		defer r.sweeping.Store(false)
		rows, err := r.Store.UncleanTestRuns(ctx, horizon, sweepBatch)
		if err != nil {
			if ctx.Err() == nil {
				r.Log.Warn("synchronisation tests to clean up after cannot be listed; it is tried again", "error", err)
			}
			return
		}
		for _, row := range rows {
			if ctx.Err() != nil {
				return
			}
			r.tidy(ctx, row, horizon)
		}
	})
}

// tidy ends one dead run and removes its item.
func (r *Runner) tidy(ctx context.Context, dead store.TestRun, horizon time.Time) {
	log := r.Log.With("tenant", dead.Tenant, "person", dead.Person, "run", dead.ID)
	row, claimed, err := r.claim(ctx, dead, horizon)
	if err != nil {
		if ctx.Err() == nil {
			log.Warn("a dead synchronisation test cannot be ended; it is tried again", "error", err)
		}
		return
	}
	if !claimed || row.Cleaned {
		return
	}
	n, err := r.clearRow(ctx, row)
	early := dead.AliveUntil.After(r.now())
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		log.Warn("the item of a dead synchronisation test could not be removed; it is tried again", "error", sentence(err))
		row.AliveUntil = r.now().Add(min(max(r.now().Sub(row.Ended), tidyAgainMin), tidyAgainMax))
	case n == 0 && early:
		// The dead host's request may still be on its way through the server.
		row.AliveUntil = r.now().Add(lease)
	default:
		log.Info("a dead synchronisation test was cleaned up after", "items", n)
		row.Cleaned = true
	}
	if err := r.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.PutTestRun(ctx, row) }); err != nil && ctx.Err() == nil {
		log.Warn("what became of a dead synchronisation test cannot be recorded; it is looked at again", "error", err)
	}
	r.watch.wake(row.Tenant + "\x00" + row.ID)
}

// claim takes a dead run, for as long as a living one may keep silent, and ends it.
func (r *Runner) claim(ctx context.Context, dead store.TestRun, horizon time.Time) (row store.TestRun, claimed bool, err error) {
	err = r.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		claimed = false
		// Reading the person keeps others from writing runs of theirs at the same time.
		if _, _, err := tx.Person(ctx, dead.Tenant, dead.Person); err != nil {
			return err
		}
		now, found, err := tx.TestRun(ctx, dead.Tenant, dead.ID)
		if err != nil || !found || now.Cleaned || !now.AliveUntil.Before(horizon) {
			return err
		}
		row, claimed = now, true
		if row.Outcome == Running {
			run, err := fromRow(row)
			if err != nil {
				return err
			}
			run.interrupt(r.now(), "the host that ran the test died")
			row = (&active{run: run, key: row.Key, mailbox: backend.Mailbox{Address: row.Address, URL: row.URL}}).row(r.now())
			row.Mode = now.Mode
		}
		row.AliveUntil, row.Cleaned = r.now().Add(lease), row.Key == ""
		return tx.PutTestRun(ctx, row)
	})
	return row, claimed, err
}

// clearRow removes the item of a run of which only the record is left, from the calendar that it was made in.
func (r *Runner) clearRow(ctx context.Context, row store.TestRun) (int, error) {
	mode, err := r.Modes.Mode(ctx, row.Mode, row.Address)
	if err != nil {
		return 0, err
	}
	t := target{mode: mode, mailbox: backend.Mailbox{Address: row.Address, URL: row.URL}, key: row.Key}
	t.admit()
	return r.clear(ctx, t)
}
