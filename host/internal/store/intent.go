package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// PutIntent records that a calendar must be written. If the link has an intent already, the two become one: delete
// beats reset, reset beats sync, the wider audience counts, and it is tried at the earlier of the two moments. Wanted,
// Failures and, where there was one before, Created are not taken from i.
func (t *Tx) PutIntent(ctx context.Context, i Intent) error {
	if i.Created.IsZero() {
		i.Created = t.s.now()
	}
	err := t.q.FoldIntent(ctx, db.FoldIntentParams{
		Tenant:    i.Tenant,
		Key:       i.Key,
		Person:    i.Person,
		Booking:   i.Booking,
		Op:        string(i.Op),
		Mail:      mailToWidth(i.Mail),
		Cause:     i.Cause,
		Created:   millis(i.Created),
		NotBefore: millis(i.NotBefore),
	})
	if err != nil {
		return fmt.Errorf("record intent for booking %s: %w", i.Booking, err)
	}
	return nil
}

// Intent returns the intent of a link.
func (r Reads) Intent(ctx context.Context, tenant, key string) (Intent, bool, error) {
	if err := r.hold(ctx, lockIntent, tenant, key); err != nil {
		return Intent{}, false, err
	}
	row, err := r.q.GetIntent(ctx, db.GetIntentParams{Tenant: tenant, Key: key})
	ok, err := found(err)
	if err != nil {
		return Intent{}, false, fmt.Errorf("read intent: %w", err)
	}
	if !ok {
		return Intent{}, false, nil
	}
	return intentFromRow(row), true, nil
}

// Intents returns the intents for a person's calendar that may be tried now, oldest first.
func (r Reads) Intents(ctx context.Context, tenant, person string, now time.Time, limit int) ([]Intent, error) {
	rows, err := r.q.ListIntents(ctx, db.ListIntentsParams{
		Tenant: tenant, Person: person, Now: millis(now), MaxRows: page(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list intents of %s: %w", person, err)
	}
	return mapped(rows, intentFromRow), nil
}

// NextIntent reports whether there is an intent for a person's calendar, and when the first may be tried; zero: now.
func (r Reads) NextIntent(ctx context.Context, tenant, person string) (time.Time, bool, error) {
	ms, err := r.q.GetNextIntent(ctx, db.GetNextIntentParams{Tenant: tenant, Person: person})
	ok, err := found(err)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("look for intents of %s: %w", person, err)
	}
	return moment(ms), ok, nil
}

// FinishIntent removes the intent of a link if its Wanted is still the given one. It returns false if it was folded
// meanwhile, and so is wanted once more.
func (t *Tx) FinishIntent(ctx context.Context, tenant, key string, wanted int64) (bool, error) {
	n, err := t.q.FinishIntent(ctx, db.FinishIntentParams{Tenant: tenant, Key: key, Wanted: wanted})
	if err != nil {
		return false, fmt.Errorf("finish intent: %w", err)
	}
	return n == 1, nil
}

// DeferIntent records that an intent failed so many times in a row, and when to try it again.
func (t *Tx) DeferIntent(ctx context.Context, tenant, key string, notBefore time.Time, failures int) error {
	_, err := t.q.DeferIntent(ctx, db.DeferIntentParams{
		Tenant: tenant, Key: key, NotBefore: millis(notBefore), Failures: int64(failures),
	})
	if err != nil {
		return fmt.Errorf("defer intent: %w", err)
	}
	return nil
}

// ReviseIntent changes what an intent wants and who is to be told, which folding could only widen. An intent that does not
// exist is left alone.
func (t *Tx) ReviseIntent(ctx context.Context, tenant, key string, op Op, mail calendar.Mail) error {
	_, err := t.q.ReviseIntent(ctx, db.ReviseIntentParams{Tenant: tenant, Key: key, Op: string(op), Mail: mailToWidth(mail)})
	if err != nil {
		return fmt.Errorf("revise intent: %w", err)
	}
	return nil
}

// Audiences are stored by their width, so that the wider of two is the larger.
const (
	widthNobody    = 0
	widthConcerned = 1
	widthAll       = 2
)

func mailToWidth(m calendar.Mail) int64 {
	switch m {
	case calendar.MailAll:
		return widthAll
	case calendar.MailConcerned:
		return widthConcerned
	}
	return widthNobody
}

func mailFromWidth(w int64) calendar.Mail {
	switch w {
	case widthAll:
		return calendar.MailAll
	case widthConcerned:
		return calendar.MailConcerned
	}
	return calendar.MailNobody
}

func intentFromRow(row db.Intent) Intent {
	return Intent{
		Tenant:    row.Tenant,
		Key:       row.Key,
		Person:    row.Person,
		Booking:   row.Booking,
		Op:        Op(row.Op),
		Mail:      mailFromWidth(row.Mail),
		Cause:     row.Cause,
		Wanted:    row.Wanted,
		Created:   moment(row.Created),
		NotBefore: moment(row.NotBefore),
		Failures:  int(row.Failures),
	}
}
