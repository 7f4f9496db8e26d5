package store

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A Split is a series in a person's calendar that bears the marker of another one: it was split off that there, or it is a
// mere copy.
type Split struct {
	Tenant, Person string
	Ref            calendar.Ref // of the item
	Key            string       // of the link whose marker it bears
	Version        int64        // of that link's booking when the item was looked at last; 0: not yet
	At             time.Time    // when it was met first
}

// Splits returns those of a person, the one met first at first.
func (r Reads) Splits(ctx context.Context, tenant, person string) ([]Split, error) {
	rows, err := r.q.ListSplits(ctx, db.ListSplitsParams{Tenant: tenant, Person: person})
	if err != nil {
		return nil, wrapped(err, "list split series of %s", person)
	}
	return mapped(rows, func(row db.Split) Split {
		return Split{
			Tenant: row.Tenant, Person: row.Person, Ref: calendar.Ref(row.Ref), Key: row.Key, Version: row.Version, At: moment(row.At),
		}
	}), nil
}

// PutSplit writes s, as a new one if its item was not met before. At is kept as first written.
func (t *Tx) PutSplit(ctx context.Context, s Split) error {
	if s.At.IsZero() {
		s.At = t.s.now()
	}
	err := t.q.PutSplit(ctx, db.PutSplitParams{
		Tenant: s.Tenant, Person: s.Person, Ref: string(s.Ref), Key: s.Key, Version: s.Version, At: millis(s.At),
	})
	return wrapped(err, "record split series of %s", s.Person)
}

// DeleteSplit forgets one.
func (t *Tx) DeleteSplit(ctx context.Context, s Split) error {
	err := t.q.DeleteSplit(ctx, db.DeleteSplitParams{Tenant: s.Tenant, Person: s.Person, Ref: string(s.Ref)})
	return wrapped(err, "forget split series of %s", s.Person)
}
