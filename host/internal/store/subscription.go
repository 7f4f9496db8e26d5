package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// SubscriptionByToken returns the subscription whose token has this hash, active or not.
func (r Reads) SubscriptionByToken(ctx context.Context, hash []byte) (Subscription, bool, error) {
	row, err := r.q.GetSubscriptionByToken(ctx, hash)
	ok, err := found(err)
	if err != nil {
		return Subscription{}, false, fmt.Errorf("read subscription: %w", err)
	}
	if !ok {
		return Subscription{}, false, nil
	}
	return subscriptionFromRow(row), true, nil
}

// Subscriptions returns the subscriptions of a mailbox, oldest first.
func (r Reads) Subscriptions(ctx context.Context, tenant, person string) ([]Subscription, error) {
	rows, err := r.q.ListSubscriptions(ctx, db.ListSubscriptionsParams{Tenant: tenant, Person: person})
	if err != nil {
		return nil, fmt.Errorf("list subscriptions of %s: %w", person, err)
	}
	return mapped(rows, subscriptionFromRow), nil
}

// AddSubscription records a subscription that is about to be asked for, so that its token is known before the first
// message bears it.
func (t *Tx) AddSubscription(ctx context.Context, s Subscription) error {
	if s.Created.IsZero() {
		s.Created = t.s.now()
	}
	err := t.q.InsertSubscription(ctx, db.InsertSubscriptionParams{
		TokenHash: s.TokenHash,
		Tenant:    s.Tenant,
		Person:    s.Person,
		ServerID:  s.ID,
		Active:    s.Active,
		Mode:      s.Mode,
		Created:   millis(s.Created),
		LastHeard: millis(s.LastHeard),

		Quiet: s.Quiet, Url: s.URL, Email: s.Email, MailboxUrl: s.MailboxURL,
	})
	if err != nil {
		return fmt.Errorf("add subscription of %s: %w", s.Person, err)
	}
	return nil
}

// A Grant is the server's answer to a subscription.
type Grant struct {
	TokenHash []byte // whose messages are trusted from now on
	ID        string // the server's
	Quiet     bool
	At        time.Time
}

// ActivateSubscription records that a subscription is in force. The mailbox's other subscriptions are dropped, so their
// tokens are dead from now on; what lives on at the server of them becomes a Leftover.
func (t *Tx) ActivateSubscription(ctx context.Context, tenant, person string, g Grant) error {
	if err := t.leave(ctx, tenant, person, g.ID); err != nil {
		return err
	}
	n, err := t.q.ActivateSubscription(ctx, db.ActivateSubscriptionParams{
		Tenant: tenant, Person: person, TokenHash: g.TokenHash, ServerID: g.ID, Quiet: g.Quiet,
	})
	if err != nil {
		return fmt.Errorf("activate subscription of %s: %w", person, err)
	}
	if n == 0 {
		return fmt.Errorf("activate subscription of %s: it was dropped meanwhile; subscribe again", person)
	}
	err = t.q.DropOtherSubscriptions(ctx, db.DropOtherSubscriptionsParams{
		Tenant: tenant, Person: person, TokenHash: g.TokenHash,
	})
	if err != nil {
		return fmt.Errorf("drop former subscriptions of %s: %w", person, err)
	}
	return t.setSubscription(ctx, tenant, person, g)
}

// leave makes Leftovers of the mailbox's subscriptions, but for the one that stays in force under the id kept.
func (t *Tx) leave(ctx context.Context, tenant, person, kept string) error {
	err := t.q.LeaveSubscriptions(ctx, db.LeaveSubscriptionsParams{
		Tenant: tenant, Person: person, KeptID: kept, Created: millis(t.s.now()),
	})
	if err != nil {
		return fmt.Errorf("record what is left of the subscriptions of %s: %w", person, err)
	}
	return nil
}

// RenewSubscription has the push subscription of the mailbox renewed at the next pass; nothing happens if it has none.
func (t *Tx) RenewSubscription(ctx context.Context, tenant, person string) error {
	err := t.q.RenewSubscription(ctx, db.RenewSubscriptionParams{Tenant: tenant, Person: person, Now: millis(t.s.now())})
	if err != nil {
		return fmt.Errorf("have the subscription of %s renewed: %w", person, err)
	}
	return nil
}

// TouchSubscription records that a message bore this token. A token that is not known is left alone.
func (t *Tx) TouchSubscription(ctx context.Context, hash []byte, at time.Time) error {
	row, err := t.q.TouchSubscription(ctx, db.TouchSubscriptionParams{TokenHash: hash, At: millis(at)})
	if ok, err := found(err); err != nil {
		return fmt.Errorf("touch subscription: %w", err)
	} else if !ok {
		return nil
	}
	err = t.q.TouchMailbox(ctx, db.TouchMailboxParams{Tenant: row.Tenant, Person: row.Person, At: millis(at)})
	if err != nil {
		return fmt.Errorf("touch mailbox %s: %w", row.Person, err)
	}
	return nil
}

// DropSubscriptions forgets every subscription of the mailbox; what lives on at the server of them becomes a Leftover.
func (t *Tx) DropSubscriptions(ctx context.Context, tenant, person string) error {
	if err := t.leave(ctx, tenant, person, ""); err != nil {
		return err
	}
	if err := t.q.DropSubscriptions(ctx, db.DropSubscriptionsParams{Tenant: tenant, Person: person}); err != nil {
		return fmt.Errorf("drop subscriptions of %s: %w", person, err)
	}
	return t.setSubscription(ctx, tenant, person, Grant{})
}

func (t *Tx) setSubscription(ctx context.Context, tenant, person string, g Grant) error {
	err := t.q.SetMailboxSubscription(ctx, db.SetMailboxSubscriptionParams{
		Tenant: tenant, Person: person, SubscriptionID: g.ID, SubscribedAt: millis(g.At), Quiet: g.Quiet,
	})
	if err != nil {
		return fmt.Errorf("save subscription at mailbox %s: %w", person, err)
	}
	return nil
}

func subscriptionFromRow(row db.Subscription) Subscription {
	return Subscription{
		Tenant:    row.Tenant,
		Person:    row.Person,
		TokenHash: row.TokenHash,
		ID:        row.ServerID,
		Active:    row.Active,
		Mode:      row.Mode,
		Created:   moment(row.Created),
		LastHeard: moment(row.LastHeard),

		Quiet: row.Quiet, URL: row.Url, Email: row.Email, MailboxURL: row.MailboxUrl,
	}
}

// mapped returns f of each row.
func mapped[R, T any](rows []R, f func(R) T) []T {
	list := make([]T, len(rows))
	for i, row := range rows {
		list[i] = f(row)
	}
	return list
}
