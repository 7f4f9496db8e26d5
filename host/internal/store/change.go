package store

import (
	"context"
	"fmt"

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
