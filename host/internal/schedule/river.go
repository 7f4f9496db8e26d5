package schedule

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/roomwire/roomwire/host/internal/store"
)

// Fresh notices and everything else have workers of their own, so that neither waits for the other.
const (
	queueFresh = "fresh"
	queueBulk  = "bulk"
)

// passArgs are what a job says: make the pass of this number. Jobs for the same pass are one job. A pass that died with
// its host had a lower number, so its job, which still counts as running, is in nobody's way.
type passArgs struct {
	Tenant string `json:"tenant"`
	Person string `json:"person"`
	Pass   int64  `json:"pass"`
}

// Kind implements river.JobArgs.
func (passArgs) Kind() string { return "mailbox_pass" }

// riverQueue is River on one kind of database: D is its driver, T a transaction.
type riverQueue[D riverdriver.Driver[T], T any] struct {
	client *river.Client[T]
	tx     func(*store.Tx) T
	done   func()
}

func newSQLite(ctx context.Context, s *Schedule) (queue, error) {
	st := s.o.Store
	q, err := newRiver[*riversqlite.Driver](ctx, s, riversqlite.New(st.Writer()), (*store.Tx).SQL, func() {})
	if err != nil {
		return nil, err
	}
	// The file is ours alone, so whoever left jobs is dead. The mailboxes know what is to be done.
	err = st.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, table := range []string{"river_job", "river_leader"} {
			if _, err := tx.SQL().ExecContext(ctx, "DELETE FROM "+table); err != nil {
				return fmt.Errorf("clear %s: %w", table, err)
			}
		}
		return tx.ResetQueue(ctx)
	})
	if err != nil {
		return nil, err
	}
	return q, nil
}

func newPostgres(ctx context.Context, s *Schedule) (queue, error) {
	pool, err := s.o.Store.NewPool(ctx)
	if err != nil {
		return nil, err
	}
	tx := func(tx *store.Tx) pgx.Tx { return tx.PGX() }
	q, err := newRiver[*riverpgxv5.Driver](ctx, s, riverpgxv5.New(pool), tx, pool.Close)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return q, nil
}

var (
	_ func(*store.Tx) *sql.Tx = (*store.Tx).SQL
	_ queue                   = (*riverQueue[*riversqlite.Driver, *sql.Tx])(nil)
)

func newRiver[D riverdriver.Driver[T], T any](ctx context.Context, s *Schedule, driver D, tx func(*store.Tx) T, done func()) (*riverQueue[D, T], error) {
	log := slog.New(&logHandler{log: s.o.Log.Named("queue")})
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("prepare the queue's migrations: %w", err)
	}
	err = s.o.Store.Exclusively(ctx, func(ctx context.Context) error {
		_, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bring the queue's tables up to date: %w", err)
	}
	q := &riverQueue[D, T]{tx: tx, done: done}
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{s: s})
	q.client, err = river.NewClient(driver, &river.Config{
		Queues: map[string]river.QueueConfig{
			queueFresh: {MaxWorkers: s.o.Workers},
			queueBulk:  {MaxWorkers: s.o.BulkWorkers},
		},
		Workers:           workers,
		Logger:            log,
		FetchCooldown:     20 * time.Millisecond,
		FetchPollInterval: s.o.poll,
		JobTimeout:        s.o.PassTimeout,
		// Only a net: a mailbox whose host died is found by its lease long before.
		RescueStuckJobsAfter:        s.o.PassTimeout + time.Minute,
		CompletedJobRetentionPeriod: 10 * time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("set up River: %w", err)
	}
	return q, nil
}

func insertOpts(bulk bool) *river.InsertOpts {
	o := &river.InsertOpts{
		Queue: queueFresh,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
			rivertype.JobStateScheduled, rivertype.JobStateRetryable,
		}},
	}
	if bulk {
		o.Queue = queueBulk
	}
	return o
}

func (q *riverQueue[D, T]) insert(ctx context.Context, tx *store.Tx, jobs []passArgs, bulk bool) error {
	many := make([]river.InsertManyParams, len(jobs))
	for i, job := range jobs {
		many[i] = river.InsertManyParams{Args: job, InsertOpts: insertOpts(bulk)}
	}
	results, err := q.client.InsertManyTx(ctx, q.tx(tx), many)
	if err != nil {
		return fmt.Errorf("insert %d jobs: %w", len(jobs), err)
	}
	for _, res := range results {
		there := res.Job
		if !res.UniqueSkippedAsDuplicate || bulk || there.Queue != queueBulk || there.State != rivertype.JobStateAvailable {
			continue
		}
		if err := q.moveUp(ctx, tx, there); err != nil {
			return err
		}
	}
	return nil
}

// moveUp takes a job out of the bulk work and puts it where fresh notices wait.
func (q *riverQueue[D, T]) moveUp(ctx context.Context, tx *store.Tx, there *rivertype.JobRow) error {
	var job passArgs
	if err := json.Unmarshal(there.EncodedArgs, &job); err != nil {
		return fmt.Errorf("read what job %d is for: %w", there.ID, err)
	}
	_, err := q.client.JobDeleteTx(ctx, q.tx(tx), there.ID)
	switch {
	case errors.Is(err, rivertype.ErrJobRunning):
		return nil // a worker just took it, which is better still
	case err != nil && !errors.Is(err, rivertype.ErrNotFound):
		return fmt.Errorf("take job out of the bulk work: %w", err)
	}
	if _, err := q.client.InsertTx(ctx, q.tx(tx), job, insertOpts(false)); err != nil {
		return fmt.Errorf("move job up: %w", err)
	}
	return nil
}

func (q *riverQueue[D, T]) start(ctx context.Context) error  { return q.client.Start(ctx) }
func (q *riverQueue[D, T]) stop(ctx context.Context) error   { return q.client.Stop(ctx) }
func (q *riverQueue[D, T]) cancel(ctx context.Context) error { return q.client.StopAndCancel(ctx) }
func (q *riverQueue[D, T]) close()                           { q.done() }
