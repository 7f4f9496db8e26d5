package syncer

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/fault"
)

// blame marks an intent that was carried out when a fault of the mailbox showed, and returns that fault. It costs no
// try: most likely another one would have met the same.
func (e *Engine) blame(ctx context.Context, p *pass, in store.Intent, cause error) error {
	if in.Failures > 0 {
		return cause
	}
	ctx = context.WithoutCancel(ctx) // the pass may have taken too long
	err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		return tx.DeferIntent(ctx, in.Tenant, in.Key, in.NotBefore, 1)
	})
	if err != nil {
		return err
	}
	return cause
}

// postpone puts an intent off that failed for its item alone, longer each time, and gives the booking up when it has
// failed too often.
func (e *Engine) postpone(ctx context.Context, p *pass, in store.Intent, cause error) error {
	in.Failures++
	e.Log.Warn("a write to a calendar failed", "tenant", in.Tenant, "person", in.Person, "booking", in.Booking,
		"kind", string(fault.Of(cause)), "tries", in.Failures, "error", cause.Error())
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		if in.Failures >= e.tries(p) {
			l, found, err := tx.Link(ctx, in.Tenant, in.Key)
			if err != nil || !found {
				return err
			}
			if in.Op == store.OpMark { // it is known by its reference, as before
				if err := e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item not marked", sentence(cause)); err != nil {
					return err
				}
				return e.dropTx(ctx, tx, in)
			}
			pr, err := pairUp(ctx, tx, l)
			if err != nil {
				return err
			}
			return e.giveUp(ctx, tx, &pr, fmt.Sprintf("the calendar refused the change %s: %s", plural(in.Failures, "time", "times"), sentence(cause)))
		}
		wait := e.limits().RetryBase << min(in.Failures-1, 6)
		return tx.DeferIntent(ctx, in.Tenant, in.Key, e.now().Add(min(wait, time.Hour)), in.Failures)
	})
}

// tries is how often a write that fails for its item alone is tried.
func (e *Engine) tries(p *pass) int {
	if conflictBehaviour(p.person) == directory.Cancel {
		return max(e.limits().CancelTries, 1)
	}
	return max(e.limits().RollbackTries, 1)
}

// drop removes an intent that has nothing to do any more.
func (e *Engine) drop(ctx context.Context, p *pass, in store.Intent) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error { return e.dropTx(ctx, tx, in) })
}

func (e *Engine) dropTx(ctx context.Context, tx *store.Tx, in store.Intent) error {
	_, err := tx.FinishIntent(ctx, in.Tenant, in.Key, in.Wanted)
	return err
}
