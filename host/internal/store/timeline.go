package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// AddActivity adds a to the timeline; a.ID is not looked at.
func (t *Tx) AddActivity(ctx context.Context, a Activity) error {
	if a.At.IsZero() {
		a.At = t.s.now()
	}
	_, err := t.q.InsertActivity(ctx, db.InsertActivityParams{
		Tenant: a.Tenant, Person: a.Person, Booking: a.Booking, At: millis(a.At), What: a.What, Why: a.Why,
	})
	if err != nil {
		return fmt.Errorf("record activity of %s: %w", a.Person, err)
	}
	return nil
}

// An ActivityFilter chooses activities; its zero value chooses those of the whole tenant.
type ActivityFilter struct {
	Person, Booking string // empty: any
	After, Before   int64  // numbers (ID) between which they lie; 0: open
	Limit           int    // 0: as many as a page may hold, 1000
}

// Activities returns the timeline of a person, of a booking, of both together, or of the whole tenant, newest first.
func (r Reads) Activities(ctx context.Context, tenant, person, booking string, limit int) ([]Activity, error) {
	return r.Timeline(ctx, tenant, ActivityFilter{Person: person, Booking: booking, Limit: limit})
}

// Timeline returns the activities that f chooses, newest first.
func (r Reads) Timeline(ctx context.Context, tenant string, f ActivityFilter) ([]Activity, error) {
	before, limit := open(f.Before), page(f.Limit)
	var rows []db.Activity
	var err error
	switch {
	case f.Person != "":
		rows, err = r.q.ListActivitiesOfPerson(ctx, db.ListActivitiesOfPersonParams{
			Tenant: tenant, Person: f.Person, Booking: f.Booking, After: f.After, Before: before, MaxRows: limit,
		})
	case f.Booking != "":
		rows, err = r.q.ListActivitiesOfBooking(ctx, db.ListActivitiesOfBookingParams{
			Tenant: tenant, Booking: f.Booking, After: f.After, Before: before, MaxRows: limit,
		})
	default:
		rows, err = r.q.ListActivities(ctx, db.ListActivitiesParams{
			Tenant: tenant, After: f.After, Before: before, MaxRows: limit,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read timeline: %w", err)
	}
	return mapped(rows, activityFromRow), nil
}

// AddDifference lays d before a person. It changes nothing while one that says the same is open. d.ID and d.Open are not
// looked at.
func (t *Tx) AddDifference(ctx context.Context, d Difference) error {
	if d.At.IsZero() {
		d.At = t.s.now()
	}
	_, err := t.q.GetOpenDifference(ctx, db.GetOpenDifferenceParams{
		Tenant: d.Tenant, Person: d.Person, Booking: d.Booking, Kind: d.Kind, Detail: d.Detail, Ref: string(d.Ref),
	})
	if ok, err := found(err); err != nil {
		return fmt.Errorf("look for open difference of %s: %w", d.Person, err)
	} else if ok {
		return nil
	}
	_, err = t.q.InsertDifference(ctx, db.InsertDifferenceParams{
		Tenant: d.Tenant, Person: d.Person, Booking: d.Booking, At: millis(d.At), Kind: d.Kind, Detail: d.Detail,
		Ref: string(d.Ref),
	})
	if err != nil {
		return fmt.Errorf("record difference of %s: %w", d.Person, err)
	}
	return nil
}

// A DifferenceFilter chooses differences; its zero value chooses all open ones.
type DifferenceFilter struct {
	Person, Booking, Kind string // empty: any
	IncludeClosed         bool
	Before                int64 // only those with a smaller ID; 0: all
	Limit                 int   // 0: as many as a page may hold, 1000
}

// Differences returns the differences that f chooses, newest first.
func (r Reads) Differences(ctx context.Context, tenant string, f DifferenceFilter) ([]Difference, error) {
	rows, err := r.q.ListDifferences(ctx, db.ListDifferencesParams{
		Tenant: tenant, Person: f.Person, Booking: f.Booking, Kind: f.Kind, IncludeClosed: f.IncludeClosed,
		Before: open(f.Before), MaxRows: page(f.Limit),
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

// CloseDifferences closes the open differences of a booking of one kind, or of all kinds if it is empty.
func (t *Tx) CloseDifferences(ctx context.Context, tenant, booking, kind string) error {
	_, err := t.q.CloseDifferences(ctx, db.CloseDifferencesParams{Tenant: tenant, Booking: booking, Kind: kind})
	if err != nil {
		return fmt.Errorf("close differences of booking %s: %w", booking, err)
	}
	return nil
}

// CloseDifference closes one difference; false if there is no such open one.
func (t *Tx) CloseDifference(ctx context.Context, tenant string, id int64) (bool, error) {
	n, err := t.q.CloseDifference(ctx, db.CloseDifferenceParams{Tenant: tenant, ID: id})
	if err != nil {
		return false, fmt.Errorf("close difference %d: %w", id, err)
	}
	return n == 1, nil
}

// Before says up to when things are removed; what is zero is kept.
type Before struct {
	// Timeline is for activities, closed differences, subscriptions that never came into force, test runs, mails and
	// webhook messages given up.
	Timeline time.Time
	Changes  time.Time // the feed, with what was rejected of it
	Answers  time.Time // kept for repeated requests
}

// Prune removes what has served its time, of all tenants. It returns how many rows went.
func (t *Tx) Prune(ctx context.Context, b Before) (int64, error) {
	var total int64
	steps := []struct {
		what   string
		before time.Time
		run    func(context.Context, int64) (int64, error)
	}{
		{"activities", b.Timeline, t.q.PruneActivities},
		{"differences", b.Timeline, t.q.PruneDifferences},
		{"subscriptions", b.Timeline, t.q.PruneSubscriptions},
		{"test runs", b.Timeline, t.q.PruneTestRuns},
		{"mails", b.Timeline, t.q.PruneMails},
		{"webhook messages", b.Timeline, t.q.PruneDead},
		{"changes", b.Changes, t.q.PruneChanges},
		{"rejections", b.Changes, t.q.PruneRejections},
		{"answers", b.Answers, t.q.PruneIdempotency},
	}
	for _, s := range steps {
		if s.before.IsZero() {
			continue
		}
		n, err := s.run(ctx, millis(s.before))
		if err != nil {
			return total, fmt.Errorf("prune %s: %w", s.what, err)
		}
		total += n
	}
	return total, nil
}

// open makes an upper bound that lets everything through of one that is not given.
func open(before int64) int64 {
	if before == 0 {
		return math.MaxInt64
	}
	return before
}

func activityFromRow(row db.Activity) Activity {
	return Activity{
		Tenant:  row.Tenant,
		Person:  row.Person,
		Booking: row.Booking,
		ID:      row.ID,
		At:      moment(row.At),
		What:    row.What,
		Why:     row.Why,
	}
}

func differenceFromRow(row db.Difference) Difference {
	return Difference{
		Tenant:  row.Tenant,
		Person:  row.Person,
		Booking: row.Booking,
		ID:      row.ID,
		At:      moment(row.At),
		Kind:    row.Kind,
		Detail:  row.Detail,
		Ref:     calendar.Ref(row.Ref),
		Open:    row.IsOpen,
	}
}
