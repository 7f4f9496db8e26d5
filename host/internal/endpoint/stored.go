package endpoint

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// OnStore returns the Subscriptions that s keeps. delay says how long after a notice its mailbox shall be pulled.
func OnStore(s *store.Store, delay func() time.Duration) Subscriptions { return stored{s, delay} }

type stored struct {
	store *store.Store
	delay func() time.Duration
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

// touchEvery is how far apart signs of life must be to be written down: silence is told after minutes at the earliest, and
// each of them costs two rows.
const touchEvery = 30 * time.Second

func (s stored) record(ctx context.Context, tx *store.Tx, h Heard) error {
	// The subscription may have been replaced since its token was looked up. Then its successor is none the worse for
	// what befell it, but that something changed is true all the same.
	sub, living, err := tx.SubscriptionByToken(ctx, h.TokenHash)
	if err != nil {
		return err
	}
	if living && h.At.Sub(sub.LastHeard) >= touchEvery {
		if err := tx.TouchSubscription(ctx, h.TokenHash, h.At); err != nil {
			return err
		}
	}
	if h.Kind == backend.Alive {
		return nil
	}
	switch {
	case h.Kind != backend.Lost || !living:
	case sub.Quiet: // what is left of it is renewed, so that it does not live on at the server unknown
		if err := tx.RenewSubscription(ctx, h.Tenant, h.Person); err != nil {
			return err
		}
	default:
		if err := tx.DropSubscriptions(ctx, h.Tenant, h.Person); err != nil {
			return err
		}
	}
	at := time.Time{}
	if d := s.delay(); d > 0 && h.Kind == backend.Dirty {
		at = h.At.Add(d)
	}
	return tx.Notice(ctx, h.Tenant, h.Person, at)
}
