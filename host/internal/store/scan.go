package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// AddScan records a scan and returns its number. s.ID and s.Ended are not looked at.
func (t *Tx) AddScan(ctx context.Context, s Scan) (int64, error) {
	if s.Started.IsZero() {
		s.Started = t.s.now()
	}
	id, err := t.q.InsertScan(ctx, db.InsertScanParams{
		Tenant: s.Tenant, Target: string(s.Target), Name: s.Name, FromMs: millis(s.From), ToMs: millis(s.To), Thorough: s.Thorough,
		Started: millis(s.Started),
	})
	if err != nil {
		return 0, fmt.Errorf("record scan: %w", err)
	}
	return id, nil
}

// PutScanPart writes the part of a scan in one mailbox. With the last one that is no longer waiting the scan ends.
func (t *Tx) PutScanPart(ctx context.Context, p ScanPart) error {
	if p.State != ScanWaiting && p.Ended.IsZero() {
		p.Ended = t.s.now()
	}
	err := t.q.PutScanPart(ctx, db.PutScanPartParams{
		Scan: p.Scan, Tenant: p.Tenant, Person: p.Person, State: string(p.State), Phase: p.Phase, After: p.After, Problem: p.Problem,
		Compared: p.Compared, Differing: p.Differing, Settling: p.Settling, Ended: millis(p.Ended),
	})
	if err != nil {
		return fmt.Errorf("save scan %d of %s: %w", p.Scan, p.Person, err)
	}
	if p.State == ScanWaiting {
		return nil
	}
	return t.EndScan(ctx, p.Scan)
}

// EndScan ends a scan none of whose parts waits.
func (t *Tx) EndScan(ctx context.Context, id int64) error {
	if err := t.q.EndScan(ctx, db.EndScanParams{ID: id, Ended: millis(t.s.now())}); err != nil {
		return fmt.Errorf("end scan %d: %w", id, err)
	}
	return nil
}

// Scan returns a scan with its counts.
func (r Reads) Scan(ctx context.Context, tenant string, id int64) (Scan, bool, error) {
	row, err := r.q.GetScan(ctx, db.GetScanParams{Tenant: tenant, ID: id})
	ok, err := found(err)
	if err != nil {
		return Scan{}, false, fmt.Errorf("read scan %d: %w", id, err)
	}
	if !ok {
		return Scan{}, false, nil
	}
	s, err := r.counted(ctx, row)
	return s, err == nil, err
}

// Scans returns a page of a tenant's scans with their counts, newest first; before: only those with a smaller number, 0: all.
func (r Reads) Scans(ctx context.Context, tenant string, before int64, limit int) ([]Scan, error) {
	rows, err := r.q.ListScans(ctx, db.ListScansParams{Tenant: tenant, Before: open(before), MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("list scans: %w", err)
	}
	list := make([]Scan, len(rows))
	for i, row := range rows {
		if list[i], err = r.counted(ctx, row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r Reads) counted(ctx context.Context, row db.Scan) (Scan, error) {
	sum, err := r.q.SumScan(ctx, row.ID)
	if err != nil {
		return Scan{}, fmt.Errorf("count scan %d: %w", row.ID, err)
	}
	return Scan{
		ID: row.ID, Tenant: row.Tenant, Target: ScanTarget(row.Target), Name: row.Name, From: moment(row.FromMs), To: moment(row.ToMs),
		Thorough: row.Thorough, Started: moment(row.Started), Ended: moment(row.Ended), Counts: ScanCounts(sum),
	}, nil
}

// NextScanPart returns the oldest part of a scan that waits for a pass of the mailbox.
func (r Reads) NextScanPart(ctx context.Context, tenant, person string) (ScanPart, bool, error) {
	row, err := r.q.NextScanPart(ctx, db.NextScanPartParams{Tenant: tenant, Person: person})
	ok, err := found(err)
	if err != nil {
		return ScanPart{}, false, fmt.Errorf("look for a scan of %s: %w", person, err)
	}
	if !ok {
		return ScanPart{}, false, nil
	}
	return scanPartFromRow(row), true, nil
}

// ScanParts returns a page of the parts of a scan in the given state, or in any if it is empty, ordered by person.
func (r Reads) ScanParts(ctx context.Context, scan int64, state ScanState, after string, limit int) ([]ScanPart, error) {
	rows, err := r.q.ListScanParts(ctx, db.ListScanPartsParams{Scan: scan, State: string(state), After: after, MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the parts of scan %d: %w", scan, err)
	}
	return mapped(rows, scanPartFromRow), nil
}

// ScanCount is how many parts of scans are in a state, of all tenants.
type ScanCount struct {
	State ScanState
	Parts int64
}

// CountScanParts counts the parts of the scans that are kept by their states.
func (r Reads) CountScanParts(ctx context.Context) ([]ScanCount, error) {
	rows, err := r.q.CountScanParts(ctx)
	if err != nil {
		return nil, fmt.Errorf("count parts of scans: %w", err)
	}
	return mapped(rows, func(row db.CountScanPartsRow) ScanCount {
		return ScanCount{State: ScanState(row.State), Parts: row.Parts}
	}), nil
}

func scanPartFromRow(row db.ScanPart) ScanPart {
	return ScanPart{
		Scan: row.Scan, Tenant: row.Tenant, Person: row.Person, State: ScanState(row.State), Phase: row.Phase, After: row.After,
		Problem: row.Problem, Compared: row.Compared, Differing: row.Differing, Settling: row.Settling, Ended: moment(row.Ended),
	}
}

// A ScanTarget is what a scan compares.
type ScanTarget string

// The targets of scans.
const (
	ScanBooking ScanTarget = "booking"
	ScanSeries  ScanTarget = "series"
	ScanPerson  ScanTarget = "person"
	ScanRoom    ScanTarget = "room"
	ScanWindow  ScanTarget = "window"
	ScanAll     ScanTarget = "all"
)

// A ScanState is how far a part of a scan is.
type ScanState string

// The states of parts of scans.
const (
	ScanWaiting   ScanState = "waiting"   // for a pass of its mailbox, or for the rest of it
	ScanDone      ScanState = "done"      // everything was compared
	ScanUnchanged ScanState = "unchanged" // nothing has changed since the calendar was last read in full, which is as good
	ScanFailed    ScanState = "failed"    // it cannot be read; why is its Problem
)

// A Scan is a comparison of bookings and items in full, in the background.
type Scan struct {
	ID       int64
	Tenant   string
	Target   ScanTarget
	Name     string    // id of the booking, person or room; empty for a window and for all
	From, To time.Time // only what is in between; zero: open
	Thorough bool      // calendars that nothing changed in are read all the same
	Started  time.Time
	Ended    time.Time // zero: under way
	Counts   ScanCounts
}

// ScanCounts say how far a scan is and what it found.
type ScanCounts struct {
	Mailboxes, Waiting, Failed, Unchanged int64
	Compared                              int64 // bookings and items
	Differing                             int64 // of those: laid before a person
	Settling                              int64 // of those: that passes settle by themselves
}

// A ScanPart is a scan's work in one mailbox.
type ScanPart struct {
	Scan                          int64
	Tenant, Person                string
	State                         ScanState
	Phase, After                  string // how far it is; package syncer
	Problem                       string // why it failed
	Compared, Differing, Settling int64
	Ended                         time.Time
}
