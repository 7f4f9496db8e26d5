package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// MoveState says how far a Move is.
type MoveState string

// The states of a move.
const (
	MoveOffered   MoveState = "offered"   // the mailbox was found by another sync mode; somebody must say whether to move
	MoveWaiting   MoveState = "waiting"   // asked for; it is tried at Move.NextAt
	MoveRunning   MoveState = "running"   // a pass is at it, or died at it
	MoveDone      MoveState = "done"      // the person is moved, or in a dry run it is known what would happen
	MoveAttention MoveState = "attention" // it was not made; somebody must do something and ask again
	MoveCancelled MoveState = "cancelled" // somebody thought better of it
)

// A Move is the change of a person from one sync mode to another with all that is linked. Each person has one at most.
type Move struct {
	Tenant, Person string
	From, To       string // sync modes
	URL            string // with the new mode; empty: the mode's own
	DryRun         bool   // find out what would happen, and change nothing
	// Lenient: it is made however many items are not found.
	Lenient bool

	State     MoveState
	Reason    string // why it waits or needs attention, one sentence; else what is to be known of it
	Remedy    string // what to do; empty if nothing
	Report    []byte // JSON, what was found; nil before that
	Tries     int    // failed in a row
	NextAt    time.Time
	Requested time.Time
	Started   time.Time
	Finished  time.Time
}

// Open reports whether the move is still to be made.
func (m Move) Open() bool { return m.State == MoveWaiting || m.State == MoveRunning }

// Move returns the latest move of a person.
func (r Reads) Move(ctx context.Context, tenant, person string) (Move, bool, error) {
	if err := r.hold(ctx, lockMove, tenant, person); err != nil {
		return Move{}, false, err
	}
	row, err := r.q.GetMove(ctx, db.GetMoveParams{Tenant: tenant, Person: person})
	ok, err := found(err)
	if err != nil {
		return Move{}, false, fmt.Errorf("read move of %s: %w", person, err)
	}
	if !ok {
		return Move{}, false, nil
	}
	return moveFromRow(row), true, nil
}

// A MoveFilter chooses moves; its zero value chooses all of a tenant.
type MoveFilter struct {
	State MoveState // empty: any
	After string    // person of the last move of the page before
	Limit int       // 0: as many as a page may hold, 1000
}

// Moves returns the moves that f chooses, ordered by person.
func (r Reads) Moves(ctx context.Context, tenant string, f MoveFilter) ([]Move, error) {
	rows, err := r.q.ListMoves(ctx, db.ListMovesParams{Tenant: tenant, After: f.After, State: string(f.State), MaxRows: page(f.Limit)})
	if err != nil {
		return nil, fmt.Errorf("list moves: %w", err)
	}
	return mapped(rows, moveFromRow), nil
}

// A MoveCount says how many moves of a tenant are in a state.
type MoveCount struct {
	Tenant  string
	State   MoveState
	DryRun  bool
	Persons int64
}

// CountMoves counts the moves of all tenants by their state.
func (r Reads) CountMoves(ctx context.Context) ([]MoveCount, error) {
	rows, err := r.q.CountMoves(ctx)
	if err != nil {
		return nil, fmt.Errorf("count moves: %w", err)
	}
	return mapped(rows, func(row db.CountMovesRow) MoveCount {
		return MoveCount{Tenant: row.Tenant, State: MoveState(row.State), DryRun: row.DryRun, Persons: row.Persons}
	}), nil
}

// PutMove writes m in place of the person's move before.
func (t *Tx) PutMove(ctx context.Context, m Move) error {
	err := t.q.PutMove(ctx, db.PutMoveParams{
		Tenant: m.Tenant, Person: m.Person, FromMode: m.From, ToMode: m.To, ToUrl: m.URL, DryRun: m.DryRun, Lenient: m.Lenient,
		State: string(m.State), Reason: m.Reason, Remedy: m.Remedy, Report: m.Report, Tries: int64(m.Tries),
		NextAt: millis(m.NextAt), Requested: millis(m.Requested), Started: millis(m.Started), Finished: millis(m.Finished),
	})
	if err != nil {
		return fmt.Errorf("save move of %s: %w", m.Person, err)
	}
	return nil
}

// DropMove forgets the move of a person.
func (t *Tx) DropMove(ctx context.Context, tenant, person string) error {
	if err := t.q.DropMove(ctx, db.DropMoveParams{Tenant: tenant, Person: person}); err != nil {
		return fmt.Errorf("drop move of %s: %w", person, err)
	}
	return nil
}

// MovedFrom returns the sync modes that a person was moved away from, whatever was asked for since.
func (r Reads) MovedFrom(ctx context.Context, tenant, person string) ([]string, error) {
	modes, err := r.q.ListMovedFrom(ctx, db.ListMovedFromParams{Tenant: tenant, Person: person})
	return modes, wrapped(err, "read the former sync modes of %s", person)
}

// SetMovedFrom replaces the sync modes that a person was moved away from.
func (t *Tx) SetMovedFrom(ctx context.Context, tenant, person string, modes ...string) error {
	if err := t.q.DropMovedFrom(ctx, db.DropMovedFromParams{Tenant: tenant, Person: person}); err != nil {
		return wrapped(err, "forget the former sync modes of %s", person)
	}
	for _, mode := range modes {
		if err := t.q.PutMovedFrom(ctx, db.PutMovedFromParams{Tenant: tenant, Person: person, Mode: mode}); err != nil {
			return wrapped(err, "save the former sync modes of %s", person)
		}
	}
	return nil
}

func moveFromRow(row db.Move) Move {
	return Move{
		Tenant: row.Tenant, Person: row.Person, From: row.FromMode, To: row.ToMode, URL: row.ToUrl, DryRun: row.DryRun,
		Lenient: row.Lenient, State: MoveState(row.State), Reason: row.Reason, Remedy: row.Remedy, Report: bytesOf(row.Report),
		Tries: int(row.Tries), NextAt: moment(row.NextAt), Requested: moment(row.Requested), Started: moment(row.Started),
		Finished: moment(row.Finished),
	}
}
