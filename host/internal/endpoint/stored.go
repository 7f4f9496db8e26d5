package endpoint

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// OnStore returns the Subscriptions that s keeps. Delay is how long after a notice its mailbox shall be pulled.
func OnStore(s *store.Store, delay time.Duration) Subscriptions { return stored{s, delay} }

type stored struct {
	store *store.Store
	delay time.Duration
}

// ByToken implements Subscriptions.
func (s stored) ByToken(ctx context.Context, hash []byte) (store.Subscription, bool, error) {
	return s.store.SubscriptionByToken(ctx, hash)
}

// Heard implements Subscriptions.
func (s stored) Heard(ctx context.Context, batch []Heard) error {
	return s.store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, h := range batch {
			if err := s.record(ctx, tx, h); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s stored) record(ctx context.Context, tx *store.Tx, h Heard) error {
	// The subscription may have been replaced since its token was looked up. Then its successor is none the worse for
	// what befell it, but that something changed is true all the same.
	_, living, err := tx.SubscriptionByToken(ctx, h.TokenHash)
	if err != nil {
		return err
	}
	if living {
		if err := tx.TouchSubscription(ctx, h.TokenHash, h.At); err != nil {
			return err
		}
	}
	if h.Kind == backend.Alive {
		return nil
	}
	if h.Kind == backend.Lost && living {
		if err := tx.DropSubscriptions(ctx, h.Tenant, h.Person); err != nil {
			return err
		}
	}
	at := time.Time{}
	if s.delay > 0 && h.Kind == backend.Dirty {
		at = h.At.Add(s.delay)
	}
	return tx.Notice(ctx, h.Tenant, h.Person, at)
}
