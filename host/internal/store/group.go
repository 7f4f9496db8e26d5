package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A group lets transactions that wait for SQLite's one writer share a commit, and with it the wait for the disk. Each has
// a savepoint of its own, so one that fails undoes its own work alone; none returns before what it wrote is durable.
//
// They still run one after the other, each in its caller's goroutine, so nothing changes for what they do. Nobody waits
// for company: a commit is put off only while somebody is waiting to write.
type group struct {
	writer  *sql.DB
	turn    chan struct{} // of capacity 1: held by the one that uses the connection
	waiting atomic.Int32  // how many want the turn
	open    *shared       // what has begun and is not committed; guarded by turn
}

// A shared is the database's transaction that several of ours are part of.
type shared struct {
	tx      *sql.Tx
	members int
	began   time.Time
	done    chan struct{} // closed when err is set
	err     error         // of the commit
}

// A commit is not put off for longer than this, nor for more members.
const (
	groupTime    = 10 * time.Millisecond
	groupMembers = 64
)

func newGroup(writer *sql.DB) *group { return &group{writer: writer, turn: make(chan struct{}, 1)} }

// run calls f in its part of a transaction and returns when that is committed, or undone.
func (g *group) run(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	g.waiting.Add(1)
	select {
	case g.turn <- struct{}{}:
		g.waiting.Add(-1)
	case <-ctx.Done():
		// Somebody may have left the commit to us.
		go func() {
			g.turn <- struct{}{}
			g.waiting.Add(-1)
			g.commit()
			<-g.turn
		}()
		return fmt.Errorf("wait for the database: %w", context.Cause(ctx))
	}
	in, err := g.take(ctx, f)
	if err != nil {
		return err
	}
	<-in.done
	return in.err
}

// take does one part while the turn is held, and gives the turn back.
func (g *group) take(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) (in *shared, err error) {
	defer func() {
		g.commit()
		<-g.turn
	}()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("wait for the database: %w", context.Cause(ctx))
	}
	// SQLite undoes the whole transaction when one of its statements is interrupted, so the caller's end must not reach
	// them: the others' work is in it, too.
	whole := context.WithoutCancel(ctx)
	if g.open == nil {
		tx, err := g.writer.BeginTx(whole, nil)
		if err != nil {
			return nil, fmt.Errorf("begin transaction: %w", err)
		}
		g.open = &shared{tx: tx, began: time.Now(), done: make(chan struct{})}
	}
	in = g.open
	in.members++
	return in, g.part(whole, in, func(whole context.Context, tx *sql.Tx) error {
		if err := f(whole, tx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the transaction was given up: %w", context.Cause(ctx))
		}
		return nil
	})
}

// part calls f between a savepoint and its end. It is undone if f fails or panics; if even that fails, everything is.
func (g *group) part(ctx context.Context, in *shared, f func(ctx context.Context, tx *sql.Tx) error) (err error) {
	if _, err := in.tx.ExecContext(ctx, "SAVEPOINT part"); err != nil {
		return g.spoil(fmt.Errorf("begin transaction: %w", err))
	}
	kept := false
	defer func() {
		if kept {
			return
		}
		_, undo := in.tx.ExecContext(ctx, "ROLLBACK TO part")
		if undo == nil {
			_, undo = in.tx.ExecContext(ctx, "RELEASE part")
		}
		if undo != nil {
			err = errors.Join(err, g.spoil(fmt.Errorf("undo transaction: %w", undo)))
		}
	}()
	if err := f(ctx, in.tx); err != nil {
		return err
	}
	if _, err := in.tx.ExecContext(ctx, "RELEASE part"); err != nil {
		return fmt.Errorf("end transaction: %w", err)
	}
	kept = true
	return nil
}

// spoil undoes the whole of what has begun. Its members are told why.
func (g *group) spoil(err error) error {
	in := g.open
	if in == nil {
		return err
	}
	g.open = nil
	_ = in.tx.Rollback() // whatever is left of it
	in.err = fmt.Errorf("a transaction that shared the commit broke the database's: %w", err)
	close(in.done)
	return err
}

// commit ends what has begun unless somebody waits who can share it. The turn is held.
func (g *group) commit() {
	in := g.open
	if in == nil {
		return
	}
	if g.waiting.Load() > 0 && in.members < groupMembers && time.Since(in.began) < groupTime {
		return
	}
	g.open = nil
	if err := in.tx.Commit(); err != nil {
		_ = in.tx.Rollback() // SQLite keeps it open when the disk is full
		in.err = fmt.Errorf("commit: %w", err)
	}
	close(in.done)
}
