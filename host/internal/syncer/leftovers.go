package syncer

import (
	"context"
	"errors"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	leftoversAtOnce  = 100
	leftoverTimeout  = 30 * time.Second
	leftoverFirst    = 2 * time.Minute // the wait after a failure, which doubles …
	leftoverMost     = 6 * time.Hour   // … up to this
	leftoverLifetime = 8 * 24 * time.Hour
)

// EndLeftovers tells servers to end push subscriptions that nobody wants any more and that do not end by the answer to a
// message. What cannot be ended is tried again, until it has ended by itself for certain. It returns how many are done with;
// its error is a fault of our own store.
func (e *Engine) EndLeftovers(ctx context.Context) (int, error) {
	list, err := e.Store.Leftovers(ctx, e.now(), leftoversAtOnce)
	if err != nil {
		return 0, err
	}
	done := 0
	for _, l := range list {
		trouble := e.endLeftover(ctx, l)
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			if trouble == nil || e.now().Sub(l.Created) > leftoverLifetime {
				return tx.DropLeftover(ctx, l)
			}
			wait := leftoverFirst
			for range min(l.Tries, 16) {
				wait = min(2*wait, leftoverMost)
			}
			return tx.PutLeftoverOff(ctx, l, e.now().Add(max(spread(wait, l.Tenant, l.Person), fault.After(trouble))))
		})
		if err != nil {
			return done, err
		}
		if trouble == nil {
			done++
			continue
		}
		e.Log.Debug("a push subscription that nobody wants could not be ended; it is tried again", "tenant", l.Tenant,
			"person", l.Person, "sync_mode", l.Mode, "error", trouble)
	}
	return done, nil
}

// endLeftover returns nil if there is nothing left to do.
func (e *Engine) endLeftover(ctx context.Context, l store.Leftover) error {
	mode, err := e.Modes.Mode(ctx, l.Mode)
	if err != nil {
		return err
	}
	if mode.Pusher == nil {
		return nil
	}
	if mode.Admit != nil {
		mode.Admit(l.MailboxURL)
	}
	ctx, cancel := context.WithTimeout(ctx, leftoverTimeout)
	defer cancel()
	err = mode.Pusher.Unsubscribe(ctx, backend.Mailbox{Address: l.Email, URL: l.MailboxURL}, backend.Subscription{ID: l.ID, Quiet: true})
	if errors.Is(err, fault.Unsupported) || errors.Is(err, fault.NotFound) || errors.Is(err, fault.SubscriptionLost) {
		return nil
	}
	return err
}
