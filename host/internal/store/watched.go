package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A Watched is a mailbox whose changes are listened for, or are to be.
type Watched struct {
	Tenant, Person   string
	Epoch            int64
	Way, TryWay      string
	Email, Mode, URL string // the person's; URL may be empty, then it is the mode's
}

// Watched returns the mailboxes of all tenants that are on the ways "streaming" and "pull" or on probation, ordered by
// tenant and person, after the given one.
func (r Reads) Watched(ctx context.Context, after Watched, limit int) ([]Watched, error) {
	rows, err := r.q.ListWatched(ctx, db.ListWatchedParams{
		AfterTenant: after.Tenant, AfterPerson: after.Person, MaxRows: page(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list mailboxes that are listened to: %w", err)
	}
	return mapped(rows, func(row db.ListWatchedRow) Watched {
		return Watched{
			Tenant: row.Tenant, Person: row.Person, Epoch: row.Epoch, Way: row.Way, TryWay: row.TryWay,
			Email: row.Email, Mode: row.SyncMode, URL: row.SyncUrl,
		}
	}), nil
}

// A WayCount says how many mailboxes are on a way.
type WayCount struct {
	Way       string
	Mailboxes int64
	Oldest    time.Time // push subscription; zero if there is none
}

// Ways counts the mailboxes of all tenants by the way in which notices arrive.
func (r Reads) Ways(ctx context.Context) ([]WayCount, error) {
	rows, err := r.q.CountWays(ctx)
	if err != nil {
		return nil, fmt.Errorf("count mailboxes by way: %w", err)
	}
	return mapped(rows, func(row db.CountWaysRow) WayCount {
		return WayCount{Way: row.Way, Mailboxes: row.Mailboxes, Oldest: moment(row.Oldest)}
	}), nil
}

// A StateCount says how many persons are in a state.
type StateCount struct {
	Status  Status
	Kind    string // of fault
	Persons int64
}

// States counts the persons of all tenants by the state of their sync.
func (r Reads) States(ctx context.Context) ([]StateCount, error) {
	rows, err := r.q.CountStates(ctx)
	if err != nil {
		return nil, fmt.Errorf("count persons by state: %w", err)
	}
	return mapped(rows, func(row db.CountStatesRow) StateCount {
		return StateCount{Status: Status(row.Status), Kind: row.Fault, Persons: row.Persons}
	}), nil
}

// A ModeCount says how many persons are synced in a mode at a URL.
type ModeCount struct {
	Mode, URL string // URL may be empty, then it is the mode's
	Persons   int64
	Domain    string // as a question: only those with addresses of this mail domain; empty: all
}

// Modes counts the persons of all tenants by sync mode and URL.
func (r Reads) Modes(ctx context.Context) ([]ModeCount, error) {
	rows, err := r.q.CountModes(ctx)
	if err != nil {
		return nil, fmt.Errorf("count persons by sync mode: %w", err)
	}
	return mapped(rows, func(row db.CountModesRow) ModeCount {
		return ModeCount{Mode: row.SyncMode, URL: row.SyncUrl, Persons: row.Persons}
	}), nil
}

// Samples returns some persons of a mode and URL to try it with, those whose sync works first.
func (r Reads) Samples(ctx context.Context, m ModeCount, limit int) ([]PersonRow, error) {
	rows, err := r.q.SamplePersons(ctx, db.SamplePersonsParams{SyncMode: m.Mode, SyncUrl: m.URL, Emails: addresses(m.Domain), MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("list persons of sync mode %s: %w", m.Mode, err)
	}
	return mapped(rows, personFromRow), nil
}

// OldestDirty returns since when the mailbox waits that waits longest though nothing keeps it from being worked on; zero
// if none waits.
func (r Reads) OldestDirty(ctx context.Context, now time.Time) (time.Time, error) {
	at, err := r.q.OldestDirty(ctx, millis(now))
	if err != nil {
		return time.Time{}, fmt.Errorf("look for the mailbox that waits longest: %w", err)
	}
	return moment(at), nil
}

// Silent counts the push subscriptions that were not heard of since before.
func (r Reads) Silent(ctx context.Context, before time.Time) (int64, error) {
	n, err := r.q.CountSilent(ctx, millis(before))
	if err != nil {
		return 0, fmt.Errorf("count silent subscriptions: %w", err)
	}
	return n, nil
}
