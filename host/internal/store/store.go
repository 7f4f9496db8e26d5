// Package store is the memory of Roomwire: persons, mailboxes, bookings, links, intents, the change feed and the
// timeline, in SQLite or in PostgreSQL.
//
// Reading is done on a Store, from the last committed state, or on a Tx; writing only on a Tx:
//
//	err := s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
//		b, ok, err := tx.Booking(ctx, tenant, id)
//		…
//		return tx.PutBooking(ctx, b)
//	})
//
// Whatever is read by its key within a Tx stays as it is until the Tx ends. No row crosses tenants. Times are kept in
// UTC to the millisecond.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// Options say which database to open, and how.
type Options struct {
	URL string           // "sqlite:PATH" or "postgres://…"
	Log hclog.Logger     // nil: none
	Now func() time.Time // nil: time.Now
}

// Dialect is the kind of database behind a Store.
type Dialect string

// The dialects.
const (
	SQLite     Dialect = "sqlite"
	PostgreSQL Dialect = "postgres"
)

// A Store is an open database. It is safe for concurrent use.
type Store struct {
	Reads

	url     string
	dialect Dialect
	log     hclog.Logger
	now     func() time.Time
	watch   watchers

	writer, reader *sql.DB
	pools          []*pgxpool.Pool // PostgreSQL only
	file           *fileLock       // SQLite only
	group          *group          // SQLite only

	// Set before the store is used.
	queue    Queue
	coalesce atomic.Int64 // a time.Duration; may be changed at any time

	closing  sync.Once
	closeErr error
}

// Open opens the database at o.URL and brings its tables up to date. An SQLite database is made where there is none;
// it belongs to one process at a time, and another one is refused with *InUseError.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{url: o.URL, log: o.Log, now: o.Now}
	if s.log == nil {
		s.log = hclog.NewNullLogger()
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	scheme, rest, _ := strings.Cut(o.URL, ":")
	switch scheme {
	case "sqlite":
		err = s.openSQLite(ctx, rest)
	case "postgres", "postgresql":
		err = s.openPostgres(ctx)
	default:
		err = fmt.Errorf("store url %q: unknown kind of database; write \"sqlite:PATH\" or \"postgres://USER@HOST/DATABASE\"", redactURL(o.URL))
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Reads = Reads{q: db.New(s.reader), snapshot: s.snapshot}
	return s, nil
}

// Close releases the database. No transaction may be under way.
func (s *Store) Close() error {
	s.closing.Do(func() {
		var errs []error
		for _, d := range []*sql.DB{s.reader, s.writer} {
			if d != nil {
				errs = append(errs, d.Close())
			}
		}
		for _, p := range s.pools {
			p.Close()
		}
		if s.file != nil {
			errs = append(errs, s.file.release())
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.reader.PingContext(ctx); err != nil {
		return fmt.Errorf("%s database does not answer: %w", s.dialect, err)
	}
	return nil
}

// Now returns the present moment of the store's clock.
func (s *Store) Now() time.Time { return s.now() }

// Dialect returns the kind of database.
func (s *Store) Dialect() Dialect { return s.dialect }

// A Queue makes sure that dirty mailboxes get their pass. It is told within the transaction that marks them, so that
// mark and wake-up are durable together.
type Queue interface {
	// Wake asks for a pass of the mailbox at the given moment, which may have come already. Bulk work yields to fresh
	// notices.
	Wake(ctx context.Context, tx *Tx, tenant, person string, at time.Time, bulk bool) error
}

// SetQueue names the queue that marks wake. Without one marks are only recorded, and a queue that is set later finds
// them (see Due). It must be called before the store is used by others.
func (s *Store) SetQueue(q Queue) { s.queue = q }

// SetCoalesce sets how long after a fresh notice its pass shall begin, so that the notices that follow share it.
func (s *Store) SetCoalesce(d time.Duration) { s.coalesce.Store(int64(d)) }

// Writer returns the one connection through which an SQLite database is written; nil for PostgreSQL. It is meant for
// the queue, whose tables lie in the same database.
func (s *Store) Writer() *sql.DB {
	if s.dialect != SQLite {
		return nil
	}
	return s.writer
}

// Reads are the questions that a Store and a Tx both answer. What does not exist is (zero, false, nil).
type Reads struct {
	q *db.Queries
	// lock and reserve keep others from changing a row, or from making it; nil outside transactions.
	lock    func(ctx context.Context, l rowLock, args ...any) (found bool, err error)
	reserve func(ctx context.Context, names ...string) error
	// snapshot has several questions answered as of one moment; nil within transactions, which are that anyway.
	snapshot func(ctx context.Context, ask func(Reads) error) error
}

// atOnce has what ask reads be of one moment, so that no booking is told with what is known of another version of it.
func (r Reads) atOnce(ctx context.Context, ask func(Reads) error) error {
	if r.snapshot == nil {
		return ask(r)
	}
	return r.snapshot(ctx, ask)
}

func (s *Store) snapshot(ctx context.Context, ask func(Reads) error) error {
	options := &sql.TxOptions{ReadOnly: true}
	if s.dialect == PostgreSQL {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.reader.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return ask(Reads{q: db.New(tx)})
}

// hold locks one row if r belongs to a transaction.
func (r Reads) hold(ctx context.Context, l rowLock, args ...any) error {
	if r.lock == nil {
		return nil
	}
	_, err := r.lock(ctx, l, args...)
	return err
}

// maxRows is the largest page, and what a limit of zero or less means.
const maxRows = 1000

func page(limit int) int32 {
	if limit <= 0 || limit > maxRows {
		return maxRows
	}
	return int32(limit)
}

// found turns "no rows" into a plain false.
func found(err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	}
	return false, err
}

// millis and moment convert times to and from columns; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
