package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
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

// Before says up to when things are removed; what is zero is kept.
type Before struct {
	// Timeline is for activities, differences closed by then (what was ignored, and copies, stay while their bookings are ahead), scans and
	// quarantine decided on, subscriptions that never came into force, test runs, mails and webhook messages given up.
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
		{"parts of scans", b.Timeline, t.q.PruneScanParts},
		{"scans", b.Timeline, t.q.PruneScans},
		{"quarantine", b.Timeline, t.q.PruneQuarantine},
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
