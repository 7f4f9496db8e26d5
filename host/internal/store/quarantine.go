package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A QuarantineState is what became of a unit.
type QuarantineState string

// The states of a unit.
const (
	QuarantineWaiting   QuarantineState = "waiting"
	QuarantineApproved  QuarantineState = "approved"
	QuarantineDiscarded QuarantineState = "discarded" // the other side was restored
	QuarantineUndone    QuarantineState = "undone"    // approved first, then put back
	QuarantineClosed    QuarantineState = "closed"    // nothing of it was left
)

// A Quarantine is one reviewable unit: what a pass would have done and did not, because it was too much at once.
type Quarantine struct {
	ID             int64
	Tenant, Person string
	Kind           string // package syncer
	State          QuarantineState
	Items          []byte // what it would have done; package syncer, JSON
	Total          int64  // how many
	Created        time.Time
	Decided        time.Time // zero while it waits
}

// AddQuarantine records a unit that waits and returns its number. q.ID, q.State and q.Decided are not looked at.
func (t *Tx) AddQuarantine(ctx context.Context, q Quarantine) (int64, error) {
	if q.Created.IsZero() {
		q.Created = t.s.now()
	}
	id, err := t.q.InsertQuarantine(ctx, db.InsertQuarantineParams{
		Tenant: q.Tenant, Person: q.Person, Kind: q.Kind, Items: q.Items, Total: q.Total, Created: millis(q.Created),
	})
	if err != nil {
		return 0, fmt.Errorf("record quarantine of %s: %w", q.Person, err)
	}
	return id, nil
}

// SaveQuarantine writes state, items and count of a unit that there is.
func (t *Tx) SaveQuarantine(ctx context.Context, q Quarantine) error {
	if q.State != QuarantineWaiting && q.Decided.IsZero() {
		q.Decided = t.s.now()
	}
	_, err := t.q.SaveQuarantine(ctx, db.SaveQuarantineParams{
		Tenant: q.Tenant, ID: q.ID, State: string(q.State), Items: q.Items, Total: q.Total, Decided: millis(q.Decided),
	})
	if err != nil {
		return fmt.Errorf("save quarantine %d: %w", q.ID, err)
	}
	return nil
}

// Quarantine returns a unit.
func (r Reads) Quarantine(ctx context.Context, tenant string, id int64) (Quarantine, bool, error) {
	row, err := r.q.GetQuarantine(ctx, db.GetQuarantineParams{Tenant: tenant, ID: id})
	return quarantineFound(row, err)
}

// WaitingQuarantine returns the unit of a kind that waits for a word about a person's calendar.
func (r Reads) WaitingQuarantine(ctx context.Context, tenant, person, kind string) (Quarantine, bool, error) {
	row, err := r.q.GetWaitingQuarantine(ctx, db.GetWaitingQuarantineParams{Tenant: tenant, Person: person, Kind: kind})
	return quarantineFound(row, err)
}

func quarantineFound(row db.Quarantine, err error) (Quarantine, bool, error) {
	ok, err := found(err)
	if err != nil {
		return Quarantine{}, false, fmt.Errorf("read quarantine: %w", err)
	}
	if !ok {
		return Quarantine{}, false, nil
	}
	return quarantineFromRow(row), true, nil
}

// A QuarantineFilter chooses units; its zero value chooses those of the whole tenant.
type QuarantineFilter struct {
	Person string          // empty: any
	State  QuarantineState // empty: any
	Before int64           // only those with a smaller ID; 0: all
	Limit  int             // 0: as many as a page may hold, 1000
}

// Quarantines returns the units that f chooses, newest first.
func (r Reads) Quarantines(ctx context.Context, tenant string, f QuarantineFilter) ([]Quarantine, error) {
	rows, err := r.q.ListQuarantine(ctx, db.ListQuarantineParams{
		Tenant: tenant, Person: f.Person, State: string(f.State), Before: open(f.Before), MaxRows: page(f.Limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list quarantine: %w", err)
	}
	return mapped(rows, quarantineFromRow), nil
}

// QuarantinedLinks returns the links of a person that wait with a unit.
func (r Reads) QuarantinedLinks(ctx context.Context, tenant, person string, unit int64) ([]Link, error) {
	rows, err := r.q.ListLinksInQuarantine(ctx, db.ListLinksInQuarantineParams{Tenant: tenant, Person: person, Quarantine: unit})
	return linkList(rows, err)
}

// QuarantineCount is how many units of a kind wait, of all tenants.
type QuarantineCount struct {
	Kind  string
	Units int64
}

// CountQuarantine counts the units that wait by their kinds.
func (r Reads) CountQuarantine(ctx context.Context) ([]QuarantineCount, error) {
	rows, err := r.q.CountQuarantine(ctx)
	if err != nil {
		return nil, fmt.Errorf("count quarantine: %w", err)
	}
	return mapped(rows, func(row db.CountQuarantineRow) QuarantineCount { return QuarantineCount(row) }), nil
}

// CloseQuarantine closes the units of a person that wait: their mailbox lies elsewhere, or the person is gone.
func (t *Tx) CloseQuarantine(ctx context.Context, tenant, person string) error {
	err := t.q.DropQuarantineOfPerson(ctx, db.DropQuarantineOfPersonParams{Tenant: tenant, Person: person, Decided: millis(t.s.now())})
	if err != nil {
		return fmt.Errorf("close quarantine of %s: %w", person, err)
	}
	return nil
}

func quarantineFromRow(row db.Quarantine) Quarantine {
	return Quarantine{
		ID: row.ID, Tenant: row.Tenant, Person: row.Person, Kind: row.Kind, State: QuarantineState(row.State), Items: row.Items,
		Total: row.Total, Created: moment(row.Created), Decided: moment(row.Decided),
	}
}
