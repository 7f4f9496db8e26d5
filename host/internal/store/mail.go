package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A Mail tells a person of trouble with the sync of a booking, or of the whole mailbox.
type Mail struct {
	ID                      int64
	Tenant, Person, Booking string // Booking may be empty
	Kind                    string // what happened, e.g. "sync disabled"
	Detail                  string // why, one sentence
	Created                 time.Time
	NextAt                  time.Time // when it is to be sent; zero: it was sent, or given up
	Attempts                int
	Problem                 string // of the last attempt
}

// AddMail queues a mail.
func (t *Tx) AddMail(ctx context.Context, m Mail) error {
	now := t.s.now()
	err := t.q.InsertMail(ctx, db.InsertMailParams{
		Tenant: m.Tenant, Person: m.Person, Booking: m.Booking, Kind: m.Kind, Detail: m.Detail, Created: millis(now),
		NextAt: millis(now),
	})
	if err != nil {
		return fmt.Errorf("queue mail to %s: %w", m.Person, err)
	}
	return nil
}

// MailsSince counts the mails to a person after the given moment: those of the same booking and kind, and all.
func (r Reads) MailsSince(ctx context.Context, m Mail, after time.Time) (same, all int64, err error) {
	same, err = r.q.RecentMail(ctx, db.RecentMailParams{
		Tenant: m.Tenant, Person: m.Person, Booking: m.Booking, Kind: m.Kind, After: millis(after),
	})
	if err == nil {
		all, err = r.q.CountMailSince(ctx, db.CountMailSinceParams{Tenant: m.Tenant, Person: m.Person, After: millis(after)})
	}
	if err != nil {
		return 0, 0, fmt.Errorf("count mails to %s: %w", m.Person, err)
	}
	return same, all, nil
}

// DueMails returns the mails of all tenants that are to be sent by now, those that wait longest first.
func (r Reads) DueMails(ctx context.Context, now time.Time, limit int) ([]Mail, error) {
	rows, err := r.q.DueMails(ctx, db.DueMailsParams{Now: millis(now), MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("list mails to be sent: %w", err)
	}
	return mapped(rows, func(row db.Mail) Mail {
		return Mail{
			ID: row.ID, Tenant: row.Tenant, Person: row.Person, Booking: row.Booking, Kind: row.Kind, Detail: row.Detail,
			Created: moment(row.Created), NextAt: moment(row.NextAt), Attempts: int(row.Attempts), Problem: row.Problem,
		}
	}), nil
}

// SaveMail writes NextAt, Attempts and Problem.
func (t *Tx) SaveMail(ctx context.Context, m Mail) error {
	err := t.q.SaveMail(ctx, db.SaveMailParams{ID: m.ID, NextAt: millis(m.NextAt), Attempts: int64(m.Attempts), Problem: m.Problem})
	if err != nil {
		return fmt.Errorf("save mail to %s: %w", m.Person, err)
	}
	return nil
}
