package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// AppendChange adds c to its tenant's change feed and returns its number; c.Seq is not looked at. The numbers follow the
// order of the commits: whoever has read up to one never misses a smaller one.
func (t *Tx) AppendChange(ctx context.Context, c ChangeRecord) (int64, error) {
	// The counter's row is locked until the commit, which makes the order of numbers that of commits.
	seq, err := t.q.NextSeq(ctx, c.Tenant)
	if err != nil {
		return 0, fmt.Errorf("number change of booking %s: %w", c.Booking, err)
	}
	if c.At.IsZero() {
		c.At = t.s.now()
	}
	err = t.q.InsertChange(ctx, db.InsertChangeParams{
		Tenant:  c.Tenant,
		Seq:     seq,
		Kind:    c.Kind,
		Source:  c.Source,
		Booking: c.Booking,
		Version: c.Version,
		At:      millis(c.At),
		Data:    c.Data,
		Reason:  c.Reason,
	})
	if err != nil {
		return 0, fmt.Errorf("record change of booking %s: %w", c.Booking, err)
	}
	tenant := c.Tenant
	t.OnCommit(func() { t.s.watch.wake(tenant) })
	return seq, nil
}

// Changes returns the changes of the tenant after the given number, in order. Numbers that were pruned are skipped.
func (r Reads) Changes(ctx context.Context, tenant string, after int64, limit int) ([]ChangeRecord, error) {
	rows, err := r.q.ListChanges(ctx, db.ListChangesParams{Tenant: tenant, After: after, MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("read change feed: %w", err)
	}
	return mapped(rows, changeFromRow), nil
}

// LastSeq returns the number of the tenant's last change; 0 if there was none.
func (r Reads) LastSeq(ctx context.Context, tenant string) (int64, error) {
	seq, err := r.q.GetSeq(ctx, tenant)
	if _, err := found(err); err != nil {
		return 0, fmt.Errorf("read end of change feed: %w", err)
	}
	return seq, nil
}

func changeFromRow(row db.Change) ChangeRecord {
	return ChangeRecord{
		Tenant:  row.Tenant,
		Seq:     row.Seq,
		Kind:    row.Kind,
		Source:  row.Source,
		Booking: row.Booking,
		Version: row.Version,
		At:      moment(row.At),
		Data:    bytesOf(row.Data),
		Reason:  row.Reason,
	}
}

// bytesOf makes no difference between an empty and an absent value, as the two databases would.
func bytesOf(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// Change returns one change of the feed.
func (r Reads) Change(ctx context.Context, tenant string, seq int64) (ChangeRecord, bool, error) {
	return changeFound(r.q.GetChange(ctx, db.GetChangeParams{Tenant: tenant, Seq: seq}))
}

// ChangeBefore returns the last change of a booking before the given number: what the booking was before it.
func (r Reads) ChangeBefore(ctx context.Context, tenant, booking string, seq int64) (ChangeRecord, bool, error) {
	return changeFound(r.q.ChangeBefore(ctx, db.ChangeBeforeParams{Tenant: tenant, Booking: booking, Before: seq}))
}

func changeFound(row db.Change, err error) (ChangeRecord, bool, error) {
	ok, err := found(err)
	if err != nil {
		return ChangeRecord{}, false, fmt.Errorf("read change: %w", err)
	}
	if !ok {
		return ChangeRecord{}, false, nil
	}
	return changeFromRow(row), true, nil
}

// A Rejection is the booking system's refusal of a change that a calendar made.
type Rejection struct {
	Tenant  string
	Seq     int64 // of the change
	Booking string
	At      time.Time
	Reason  string // for people
	Outcome string // what became of it, e.g. "rolled back"
}

// AddRejection records that a change was refused. A change can be refused once.
func (t *Tx) AddRejection(ctx context.Context, r Rejection) error {
	if r.At.IsZero() {
		r.At = t.s.now()
	}
	err := t.q.InsertRejection(ctx, db.InsertRejectionParams{
		Tenant: r.Tenant, Seq: r.Seq, Booking: r.Booking, At: millis(r.At), Reason: r.Reason, Outcome: r.Outcome,
	})
	if err != nil {
		return fmt.Errorf("record rejection of change %d: %w", r.Seq, err)
	}
	return nil
}

// Rejection returns the refusal of a change, if it was refused.
func (r Reads) Rejection(ctx context.Context, tenant string, seq int64) (Rejection, bool, error) {
	row, err := r.q.GetRejection(ctx, db.GetRejectionParams{Tenant: tenant, Seq: seq})
	ok, err := found(err)
	if err != nil {
		return Rejection{}, false, fmt.Errorf("read rejection of change %d: %w", seq, err)
	}
	if !ok {
		return Rejection{}, false, nil
	}
	return Rejection{
		Tenant: row.Tenant, Seq: row.Seq, Booking: row.Booking, At: moment(row.At), Reason: row.Reason, Outcome: row.Outcome,
	}, true, nil
}
