package app

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
)

// keepAnswers is how long the answers to requests are kept that may be repeated (Idempotency-Key).
const keepAnswers = 48 * time.Hour

func prune(ctx context.Context, tx *store.Tx, s config.Sync, now time.Time) error {
	_, err := tx.Prune(ctx, store.Before{
		Timeline: now.Add(-s.KeepTimeline), Changes: now.Add(-s.KeepChanges), Answers: now.Add(-keepAnswers),
	})
	return err
}

// endLeftovers has servers end the push subscriptions that nobody wants any more.
func (a *App) endLeftovers(ctx context.Context) error {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		if _, err := a.engine.EndLeftovers(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("push subscriptions that nobody wants could not be ended; it is tried again", "error", err)
		}
	}
}

// extendSeries lets series that go on occupy their resources ever further. Hosts on one database may do so at once: each finds what
// the others have not done.
func (a *App) extendSeries(ctx context.Context) error {
	t := time.NewTicker(6 * time.Hour) // what it does once a day is done on the day that begins
	defer t.Stop()
	for {
		if _, err := a.engine.ExtendSeries(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("the resources of series that go on could not be reserved any further; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// tidy removes what is older than anybody asks for.
func (a *App) tidy(ctx context.Context) error {
	t := time.NewTicker(6 * time.Hour)
	defer t.Stop()
	for {
		err := a.store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			return prune(ctx, tx, a.force.get().Sync, time.Now())
		})
		if err != nil && ctx.Err() == nil {
			a.Log.Warn("old entries of the timeline could not be removed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}
