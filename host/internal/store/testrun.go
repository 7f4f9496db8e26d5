package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A TestRun is one run of the loop test on a person's mailbox.
type TestRun struct {
	Tenant, ID, Person string
	Mode, Address, URL string // of the mailbox when the run began, by which its item is found again
	Key                string // marker on the test item; empty before one was about to be made
	Outcome            string // "running", "passed", "failed", "interrupted"
	Steps              []byte // JSON, as the runner keeps them
	Started, Ended     time.Time
	AliveUntil         time.Time // after it, a run that has not ended is thought dead
	Cleaned            bool      // nothing of it is left in the mailbox
}

// PutTestRun writes a run, new or not.
func (t *Tx) PutTestRun(ctx context.Context, r TestRun) error {
	err := t.q.UpsertTestRun(ctx, db.UpsertTestRunParams{
		Tenant: r.Tenant, ID: r.ID, Person: r.Person, Mode: r.Mode, Address: r.Address, Url: r.URL, ItemKey: r.Key,
		Outcome: r.Outcome, Steps: r.Steps, Started: millis(r.Started), Ended: millis(r.Ended),
		AliveUntil: millis(r.AliveUntil), Cleaned: r.Cleaned,
	})
	if err != nil {
		return fmt.Errorf("save test run of %s: %w", r.Person, err)
	}
	return nil
}

// TestRun returns one run.
func (r Reads) TestRun(ctx context.Context, tenant, id string) (TestRun, bool, error) {
	row, err := r.q.GetTestRun(ctx, db.GetTestRunParams{Tenant: tenant, ID: id})
	ok, err := found(err)
	if err != nil {
		return TestRun{}, false, fmt.Errorf("read test run: %w", err)
	}
	if !ok {
		return TestRun{}, false, nil
	}
	return testRunFromRow(row), true, nil
}

// TestRuns returns the runs on a person's mailbox, newest first.
func (r Reads) TestRuns(ctx context.Context, tenant, person string, limit int) ([]TestRun, error) {
	rows, err := r.q.ListTestRuns(ctx, db.ListTestRunsParams{Tenant: tenant, Person: person, MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("list test runs of %s: %w", person, err)
	}
	return mapped(rows, testRunFromRow), nil
}

// UncleanTestRuns returns runs of all tenants that are dead and may have left something behind.
func (r Reads) UncleanTestRuns(ctx context.Context, now time.Time, limit int) ([]TestRun, error) {
	rows, err := r.q.ListUncleanTestRuns(ctx, db.ListUncleanTestRunsParams{Now: millis(now), MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("list test runs to clean up after: %w", err)
	}
	return mapped(rows, testRunFromRow), nil
}

func testRunFromRow(row db.TestRun) TestRun {
	return TestRun{
		Tenant: row.Tenant, ID: row.ID, Person: row.Person, Mode: row.Mode, Address: row.Address, URL: row.Url,
		Key: row.ItemKey, Outcome: row.Outcome, Steps: bytesOf(row.Steps), Started: moment(row.Started),
		Ended: moment(row.Ended), AliveUntil: moment(row.AliveUntil), Cleaned: row.Cleaned,
	}
}
