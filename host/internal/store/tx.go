package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A Tx is a write transaction. It must not be used after the function it was given to has returned, nor by two
// goroutines at once.
type Tx struct {
	Reads

	s     *Store
	exec  db.DBTX
	sql   *sql.Tx
	pgx   pgx.Tx
	after []func()
}

// attempts is how often a transaction is tried that PostgreSQL refuses because of others running beside it.
const attempts = 12

type txKey struct{}

// Tx calls f in one write transaction, which is committed if f returns nil and leaves no trace otherwise. On PostgreSQL
// f is called again when the transaction collided with another one, so it must have no effects but through tx. The
// context that f gets may not be used to begin another transaction.
//
// A context that bears a lease (WithLease) fails with ErrLeaseLost once the lease has passed to somebody else.
func (s *Store) Tx(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	if ctx.Value(txKey{}) == s {
		return errors.New("a transaction was begun within a transaction of the same store")
	}
	ctx = context.WithValue(ctx, txKey{}, s)
	for i := 1; ; i++ {
		tx := &Tx{s: s}
		run := tx.runSQLite
		if s.dialect == PostgreSQL {
			run = tx.runPostgres
		}
		err := run(ctx, f)
		if err == nil {
			for _, f := range tx.after {
				f()
			}
			return nil
		}
		if i == attempts || !collided(err) {
			return err
		}
		s.log.Debug("transaction collided with another one", "attempt", i, "error", err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(rand.N(time.Duration(i) * 5 * time.Millisecond)):
		}
	}
}

// OnCommit has f called once the transaction is committed, in the order of the calls.
func (t *Tx) OnCommit(f func()) { t.after = append(t.after, f) }

// SQL returns the transaction of an SQLite database, nil for PostgreSQL. It is meant for the queue.
func (t *Tx) SQL() *sql.Tx { return t.sql }

// PGX returns the transaction of a PostgreSQL database, nil for SQLite. It is meant for the queue.
func (t *Tx) PGX() pgx.Tx { return t.pgx }

// Now returns the present moment of the store's clock.
func (t *Tx) Now() time.Time { return t.s.now() }

func (t *Tx) runSQLite(ctx context.Context, f func(context.Context, *Tx) error) error {
	return t.s.group.run(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t.sql = tx
		t.bind(tx)
		return t.run(ctx, f)
	})
}

func (t *Tx) runPostgres(ctx context.Context, f func(context.Context, *Tx) error) (err error) {
	conn, err := t.s.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	defer conn.Close()
	// The queue wants a pgx transaction and our queries database/sql: both are had on one connection.
	err = conn.Raw(func(c any) error {
		t.pgx, err = c.(*stdlib.Conn).Conn().Begin(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := t.pgx.Rollback(ctx); err != nil {
			// Never hand on a connection that may still be within the transaction.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}()
	t.bind(conn)
	if err := t.run(ctx, f); err != nil {
		return err
	}
	if err := t.pgx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	return nil
}

func (t *Tx) bind(exec db.DBTX) {
	t.exec = exec
	t.Reads = Reads{q: db.New(exec), lock: t.lockRow, reserve: t.reserveNames}
}

func (t *Tx) run(ctx context.Context, f func(context.Context, *Tx) error) error {
	if l, ok := ctx.Value(leaseKey{}).(Lease); ok {
		if err := t.checkLease(ctx, l); err != nil {
			return err
		}
	}
	return f(ctx, t)
}

// collided reports whether PostgreSQL ended the transaction because of another one: serialization failure, deadlock.
func collided(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
