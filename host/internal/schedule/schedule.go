// Package schedule decides when which mailbox gets its pass, and sees to it that every reason for one leads to one,
// whatever dies in between.
//
// The truth is the mailbox's row in the store: how much was wanted, how much is done, when it is due. The queue (River,
// in the same database) hands the passes that are due now to the hosts and repeats those that failed. A job lost from
// the queue is found again by the clock.
//
// Two passes of one mailbox never run at once, on any number of hosts: a pass holds a lease in the mailbox's row. A mark
// made during a pass leads to exactly one more.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/store"
)

// An Outcome says what a pass achieved.
type Outcome struct {
	Clean bool      // what was wanted when it began is dealt with
	Next  time.Time // when a pass is due again; zero: when woken
}

// Options are what a Schedule works with.
type Options struct {
	Store *store.Store
	// Work makes one pass. Its context ends when the pass takes too long, when the schedule is stopped and the time for
	// draining is over, or when the mailbox has passed to another host. An error, or a panic, has the pass repeated
	// after 1 s, 2 s … 5 min.
	Work func(ctx context.Context, tenant, person string) (Outcome, error)
	Log  hclog.Logger // nil: none

	Workers     int // passes at once for fresh notices; default 8
	BulkWorkers int // passes at once for everything else; default half of Workers

	ScanEvery    time.Duration // how often the store is asked what is due; default 1 s
	Coalesce     time.Duration // how long a fresh notice waits for others to share its pass; default none
	PassTimeout  time.Duration // how long one pass may take; default 5 min
	DrainTimeout time.Duration // how long passes may go on when the schedule is stopped; default 20 s
	Lease        time.Duration // after how long without a sign of life a host is thought dead; default 1 min

	firstRetry time.Duration // default 1 s; tests have less
	poll       time.Duration // how often the queue looks for failed jobs that are ready; default 1 s; tests have less
}

// Stats says how many mailboxes, of all tenants, are where.
type Stats store.QueueCounts

// A Schedule makes the passes of this host.
type Schedule struct {
	o     Options
	queue queue
	alarm *alarm
}

// A queue hands jobs to workers.
type queue interface {
	// insert adds a job for each of the given passes of different mailboxes, or moves those there are up from the bulk work.
	insert(ctx context.Context, tx *store.Tx, jobs []passArgs, bulk bool) error
	start(ctx context.Context) error
	// stop takes no new jobs and waits for those under way; cancel has those end, too.
	stop(ctx context.Context) error
	cancel(ctx context.Context) error
	close()
}

// New makes a Schedule, brings the queue's tables up to date and becomes the store's queue. Nothing runs before Run.
func New(ctx context.Context, o Options) (*Schedule, error) {
	setDefaults(&o)
	s := &Schedule{o: o, alarm: newAlarm()}
	var err error
	if o.Store.Dialect() == store.SQLite {
		s.queue, err = newSQLite(ctx, s)
	} else {
		s.queue, err = newPostgres(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("set up the queue: %w", err)
	}
	o.Store.SetCoalesce(o.Coalesce)
	o.Store.SetQueue(s)
	return s, nil
}

func setDefaults(o *Options) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Workers <= 0 {
		o.Workers = 8
	}
	if o.BulkWorkers <= 0 {
		o.BulkWorkers = max(1, o.Workers/2)
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&o.ScanEvery, time.Second},
		{&o.PassTimeout, 5 * time.Minute},
		{&o.DrainTimeout, 20 * time.Second},
		{&o.Lease, time.Minute},
		{&o.firstRetry, time.Second},
		{&o.poll, time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
}

// Run makes passes until ctx ends. Then it takes up no new ones, lets those under way go on for DrainTimeout, and cuts
// off what is left, which is repeated at the next start. It may be called once.
func (s *Schedule) Run(ctx context.Context) error {
	defer s.queue.close()
	if err := s.queue.start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	s.scan(ctx)
	return s.drain(context.WithoutCancel(ctx))
}

// cutOff is how long passes get to notice that their context has ended.
const cutOff = 10 * time.Second

func (s *Schedule) drain(ctx context.Context) error {
	soft, cancel := context.WithTimeout(ctx, s.o.DrainTimeout)
	defer cancel()
	err := s.queue.stop(soft)
	if err == nil {
		return nil
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop the queue: %w", err)
	}
	s.o.Log.Warn("passes are cut off, and repeated at the next start", "after", s.o.DrainTimeout)
	hard, cancel := context.WithTimeout(ctx, cutOff)
	defer cancel()
	if err := s.queue.cancel(hard); err != nil {
		return fmt.Errorf("some passes do not end; they are repeated at the next start: %w", err)
	}
	return nil
}

// Stats counts the mailboxes by what they wait for.
func (s *Schedule) Stats(ctx context.Context) (Stats, error) {
	counts, err := s.o.Store.QueueCounts(ctx, s.o.Store.Now())
	return Stats(counts), err
}

// Wake implements store.Queue. What is due later is left to the clock, so the queue holds only what may run now.
func (s *Schedule) Wake(ctx context.Context, tx *store.Tx, tenant, person string, at time.Time, bulk bool) error {
	if now := tx.Now(); at.After(now) {
		tx.OnCommit(func() { s.alarm.set(now, at) })
		return nil
	}
	pass, exists, err := tx.SetQueued(ctx, tenant, person, bulk)
	if err != nil || !exists {
		return err
	}
	return s.queue.insert(ctx, tx, []passArgs{{Tenant: tenant, Person: person, Pass: pass}}, bulk)
}
