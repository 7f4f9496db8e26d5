package store

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// AddDifference lays d before a person. It changes nothing while one that says the same is open. One with Said takes the
// place of the open one of its kind, booking and item, and is not laid before anybody again who has ignored it as long as
// both sides say the same. d.ID, d.Open, d.Status and d.Ended are not looked at.
func (t *Tx) AddDifference(ctx context.Context, d Difference) error {
	if d.At.IsZero() {
		d.At = t.s.now()
	}
	var same db.Difference
	var err error
	if d.Said != nil {
		same, err = t.q.GetSaidDifference(ctx, db.GetSaidDifferenceParams{
			Tenant: d.Tenant, Person: d.Person, Booking: d.Booking, Kind: d.Kind, Ref: string(d.Ref), Said: d.Said,
		})
	} else {
		same, err = t.q.GetOpenDifference(ctx, db.GetOpenDifferenceParams{
			Tenant: d.Tenant, Person: d.Person, Booking: d.Booking, Kind: d.Kind, Detail: d.Detail, Ref: string(d.Ref),
		})
	}
	ok, err := found(err)
	switch {
	case err != nil:
		return fmt.Errorf("look for open difference of %s: %w", d.Person, err)
	case ok && (!same.IsOpen || d.Said == nil):
		return nil
	case ok:
		err := t.q.ReviseDifference(ctx, db.ReviseDifferenceParams{
			Tenant: d.Tenant, ID: same.ID, Detail: d.Detail, Newer: string(d.Newer), Recommend: string(d.Recommend), Why: d.Why,
			Settles: d.Settles, Said: d.Said,
		})
		if err != nil {
			return fmt.Errorf("revise difference %d: %w", same.ID, err)
		}
		return nil
	}
	_, err = t.q.InsertDifference(ctx, db.InsertDifferenceParams{
		Tenant: d.Tenant, Person: d.Person, Booking: d.Booking, At: millis(d.At), Kind: d.Kind, Detail: d.Detail,
		Ref: string(d.Ref), Newer: string(d.Newer), Recommend: string(d.Recommend), Why: d.Why, Settles: d.Settles, Said: d.Said,
	})
	if err != nil {
		return fmt.Errorf("record difference of %s: %w", d.Person, err)
	}
	return nil
}

// A DifferenceFilter chooses differences; its zero value chooses all open ones.
type DifferenceFilter struct {
	Person, Booking, Kind string           // empty: any
	Status                DifferenceStatus // empty: any; another than open implies IncludeClosed
	Recommend             Side             // empty: any
	IncludeClosed         bool
	Before                int64 // only those with a smaller ID; 0: all
	Limit                 int   // 0: as many as a page may hold, 1000
}

// Differences returns the differences that f chooses, newest first.
func (r Reads) Differences(ctx context.Context, tenant string, f DifferenceFilter) ([]Difference, error) {
	rows, err := r.q.ListDifferences(ctx, db.ListDifferencesParams{
		Tenant: tenant, Person: f.Person, Booking: f.Booking, Kind: f.Kind, Status: string(f.Status), Recommend: string(f.Recommend),
		IncludeClosed: f.IncludeClosed || f.Status != "" && f.Status != DifferenceOpen,
		Before:        open(f.Before), MaxRows: page(f.Limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list differences: %w", err)
	}
	return mapped(rows, differenceFromRow), nil
}

// Difference returns one, open or not.
func (r Reads) Difference(ctx context.Context, tenant string, id int64) (Difference, bool, error) {
	row, err := r.q.GetDifference(ctx, db.GetDifferenceParams{Tenant: tenant, ID: id})
	ok, err := found(err)
	if err != nil {
		return Difference{}, false, fmt.Errorf("read difference %d: %w", id, err)
	}
	if !ok {
		return Difference{}, false, nil
	}
	return differenceFromRow(row), true, nil
}

// CloseDifferences closes the open differences of a booking of one kind, or of all kinds if it is empty: they ended by
// themselves.
func (t *Tx) CloseDifferences(ctx context.Context, tenant, booking, kind string) error {
	_, err := t.q.CloseDifferences(ctx, db.CloseDifferencesParams{Tenant: tenant, Booking: booking, Kind: kind, Ended: millis(t.s.now())})
	if err != nil {
		return fmt.Errorf("close differences of booking %s: %w", booking, err)
	}
	return nil
}

// CloseEither closes the open differences of a booking of two kinds.
func (t *Tx) CloseEither(ctx context.Context, tenant, booking, kind, other string) error {
	_, err := t.q.CloseEither(ctx, db.CloseEitherParams{Tenant: tenant, Booking: booking, Kind: kind, Other: other, Ended: millis(t.s.now())})
	if err != nil {
		return fmt.Errorf("close differences of booking %s: %w", booking, err)
	}
	return nil
}

// CloseDifferencesOfItem closes the open differences of a booking about one item, which is gone, but for those of one kind.
func (t *Tx) CloseDifferencesOfItem(ctx context.Context, tenant, booking string, ref calendar.Ref, except string) error {
	if ref == "" {
		return nil
	}
	_, err := t.q.CloseDifferencesOfItem(ctx, db.CloseDifferencesOfItemParams{
		Tenant: tenant, Booking: booking, Ref: string(ref), ExceptKind: except, Ended: millis(t.s.now()),
	})
	if err != nil {
		return fmt.Errorf("close differences of booking %s: %w", booking, err)
	}
	return nil
}

// EndDifference ends one difference with the given status; false if there is no such open one.
func (t *Tx) EndDifference(ctx context.Context, tenant string, id int64, status DifferenceStatus) (bool, error) {
	n, err := t.q.EndDifference(ctx, db.EndDifferenceParams{Tenant: tenant, ID: id, Status: string(status), Ended: millis(t.s.now())})
	if err != nil {
		return false, fmt.Errorf("end difference %d: %w", id, err)
	}
	return n == 1, nil
}

// RenameDifference has a difference name its item, and what both sides say, otherwise: they are the same as before.
func (t *Tx) RenameDifference(ctx context.Context, tenant string, id int64, ref calendar.Ref, said []byte) error {
	err := t.q.RenameDifference(ctx, db.RenameDifferenceParams{Tenant: tenant, ID: id, Ref: string(ref), Said: said})
	return wrapped(err, "rename the item of difference %d", id)
}

// ReopenDifference has one that was ignored open again; false if there is no such one.
func (t *Tx) ReopenDifference(ctx context.Context, tenant string, id int64) (bool, error) {
	n, err := t.q.ReopenDifference(ctx, db.ReopenDifferenceParams{Tenant: tenant, ID: id})
	if err != nil {
		return false, fmt.Errorf("reopen difference %d: %w", id, err)
	}
	return n == 1, nil
}

// DifferenceCount is how many differences of a kind are open, of all tenants.
type DifferenceCount struct {
	Kind string
	Open int64
}

// CountDifferences counts the open differences by their kinds.
func (r Reads) CountDifferences(ctx context.Context) ([]DifferenceCount, error) {
	rows, err := r.q.CountDifferences(ctx)
	if err != nil {
		return nil, fmt.Errorf("count differences: %w", err)
	}
	return mapped(rows, func(row db.CountDifferencesRow) DifferenceCount { return DifferenceCount(row) }), nil
}

func differenceFromRow(row db.Difference) Difference {
	return Difference{
		Tenant:    row.Tenant,
		Person:    row.Person,
		Booking:   row.Booking,
		ID:        row.ID,
		At:        moment(row.At),
		Kind:      row.Kind,
		Detail:    row.Detail,
		Ref:       calendar.Ref(row.Ref),
		Open:      row.IsOpen,
		Status:    DifferenceStatus(row.Status),
		Newer:     Side(row.Newer),
		Recommend: Side(row.Recommend),
		Why:       row.Why,
		Settles:   row.Settles,
		Said:      bytesOf(row.Said),
		Ended:     moment(row.Ended),
	}
}
