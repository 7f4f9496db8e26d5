package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// Leftovers returns the subscriptions of all tenants that are to be ended at their servers and need not wait, those that
// wait longest first.
func (r Reads) Leftovers(ctx context.Context, now time.Time, limit int) ([]Leftover, error) {
	rows, err := r.q.DueLeftovers(ctx, db.DueLeftoversParams{Now: millis(now), MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("list what is left of subscriptions: %w", err)
	}
	return mapped(rows, func(row db.Leftover) Leftover {
		return Leftover{
			Tenant: row.Tenant, Person: row.Person, Mode: row.Mode, ID: row.ServerID, Email: row.Email, MailboxURL: row.MailboxUrl,
			Created: moment(row.Created), Tries: int(row.Tries),
		}
	}), nil
}

// AddLeftover records a subscription that was granted and is not wanted.
func (t *Tx) AddLeftover(ctx context.Context, l Leftover) error {
	err := t.q.InsertLeftover(ctx, db.InsertLeftoverParams{
		Tenant: l.Tenant, Mode: l.Mode, ServerID: l.ID, Person: l.Person, Email: l.Email, MailboxUrl: l.MailboxURL,
		Created: millis(t.s.now()),
	})
	if err != nil {
		return fmt.Errorf("record what is left of a subscription of %s: %w", l.Person, err)
	}
	return nil
}

// PutLeftoverOff has a leftover wait after a try that failed.
func (t *Tx) PutLeftoverOff(ctx context.Context, l Leftover, until time.Time) error {
	err := t.q.PutLeftoverOff(ctx, db.PutLeftoverOffParams{Tenant: l.Tenant, Mode: l.Mode, ServerID: l.ID, NotBefore: millis(until)})
	if err != nil {
		return fmt.Errorf("put off what is left of a subscription of %s: %w", l.Person, err)
	}
	return nil
}

// DropLeftover forgets a leftover: it is ended, or it ends by itself.
func (t *Tx) DropLeftover(ctx context.Context, l Leftover) error {
	err := t.q.DropLeftover(ctx, db.DropLeftoverParams{Tenant: l.Tenant, Mode: l.Mode, ServerID: l.ID})
	if err != nil {
		return fmt.Errorf("forget what is left of a subscription of %s: %w", l.Person, err)
	}
	return nil
}
