package app

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
)

// How long the timeline with closed differences, the change feed, and the answers to requests that may be repeated are kept.
const (
	keepTimeline = 90 * 24 * time.Hour
	keepChanges  = 400 * 24 * time.Hour
	keepAnswers  = 48 * time.Hour
)

func prune(ctx context.Context, tx *store.Tx, now time.Time) error {
	_, err := tx.Prune(ctx, store.Before{
		Timeline: now.Add(-keepTimeline), Changes: now.Add(-keepChanges), Answers: now.Add(-keepAnswers),
	})
	return err
}

// tidy removes what is older than anybody asks for.
func (a *App) tidy(ctx context.Context) error {
	t := time.NewTicker(6 * time.Hour)
	defer t.Stop()
	for {
		err := a.store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			return prune(ctx, tx, time.Now())
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
