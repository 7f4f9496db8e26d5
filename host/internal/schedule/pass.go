package schedule

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"

	"github.com/roomwire/roomwire/host/internal/store"
)

// worker makes the passes that jobs ask for.
type worker struct {
	river.WorkerDefaults[passArgs]

	s *Schedule
}

// The longest time until a failed pass is repeated, and until a job looks again whether its mailbox is free.
const (
	lastRetry = 5 * time.Minute
	busyRetry = 5 * time.Second
)

// recording is how long the end of a pass may take to be written.
const recording = 30 * time.Second

// NextRetry implements river.Worker.
func (w *worker) NextRetry(job *river.Job[passArgs]) time.Time {
	return time.Now().Add(w.s.backoff(job.Attempt))
}

// backoff doubles with each attempt. It varies a little, so that mailboxes that failed together do not return together.
func (s *Schedule) backoff(attempt int) time.Duration {
	d := s.o.firstRetry
	for ; attempt > 1 && d < lastRetry; attempt-- {
		d *= 2
	}
	d = min(d, lastRetry)
	return d - rand.N(d/5+1)
}

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, job *river.Job[passArgs]) error {
	tenant, person := job.Args.Tenant, job.Args.Person
	log := w.s.o.Log.With("tenant", tenant, "person", person)
	lease, taken, exists, err := w.s.take(ctx, tenant, person)
	switch {
	case err != nil:
		return err
	case !exists:
		return nil // the person was deleted meanwhile
	case !taken:
		log.Debug("a pass is under way elsewhere; looking again later")
		return river.JobSnooze(busyRetry)
	}
	outcome, failure := w.s.pass(ctx, lease)

	// The end is recorded even if the schedule is being stopped.
	recorded, cancel := context.WithTimeout(context.WithoutCancel(ctx), recording)
	defer cancel()
	end := store.PassEnd{Clean: outcome.Clean, Next: outcome.Next}
	if failure != nil {
		end = store.PassEnd{Retry: w.s.o.Store.Now()}
		if errors.Is(ctx.Err(), context.Canceled) {
			failure = ctx.Err() // the schedule is being stopped: that is no failure of the mailbox's
		} else {
			backoff := w.s.backoff(job.Attempt)
			end.Retry = end.Retry.Add(backoff)
			log.Error("pass failed; it will be repeated", "error", failure, "attempt", job.Attempt, "in", backoff.Round(time.Millisecond))
		}
	}
	err = w.s.o.Store.Tx(recorded, func(ctx context.Context, tx *store.Tx) error {
		due, fresh, err := tx.EndLease(ctx, lease, end)
		if err != nil || failure != nil {
			return err
		}
		if due.IsZero() {
			return nil
		}
		// The job of this pass counts as running until River has noted its end, together with others'. The next one has
		// another number.
		return w.s.Wake(ctx, tx, tenant, person, due, !fresh)
	})
	switch {
	case errors.Is(err, store.ErrLeaseLost):
		log.Info("a pass ended that was not this host's any more: the person was removed, or the pass's successor repeats what it missed")
		return nil
	case err != nil:
		return fmt.Errorf("record the end of a pass: %w", err)
	}
	return failure
}

func (s *Schedule) take(ctx context.Context, tenant, person string) (lease store.Lease, taken, exists bool, err error) {
	err = s.o.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		lease, taken, exists, err = tx.TakeLease(ctx, tenant, person, tx.Now().Add(s.o.Lease))
		return err
	})
	return lease, taken, exists, err
}

// pass makes one pass under a lease, which is kept alive meanwhile.
func (s *Schedule) pass(ctx context.Context, lease store.Lease) (outcome Outcome, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	// The lease lasts as long as the pass really runs, even if it takes no notice of its context's end.
	keeping, done := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		s.keep(keeping, lease, cancel)
	}()
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("pass panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("pass panicked: %v", p)
		}
		done()
		<-kept
		cancel(nil)
	}()
	return s.o.Work(store.WithLease(ctx, lease), lease.Tenant, lease.Person)
}

// keep renews the lease until ctx ends. It calls end if the lease is lost, or could not be renewed for so long that
// others may think so.
func (s *Schedule) keep(ctx context.Context, lease store.Lease, end context.CancelCauseFunc) {
	tick := time.NewTicker(s.o.Lease / 3)
	defer tick.Stop()
	until := time.Now().Add(s.o.Lease)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var ours bool
		began := time.Now()
		err := s.o.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
			ours, err = tx.RenewLease(ctx, lease, tx.Now().Add(s.o.Lease))
			return err
		})
		switch {
		case err == nil && ours:
			until = began.Add(s.o.Lease)
		case err == nil, ctx.Err() == nil && time.Now().After(until):
			end(store.ErrLeaseLost)
			return
		case ctx.Err() == nil:
			s.o.Log.Warn("cannot renew the lease of a mailbox; trying again", "tenant", lease.Tenant, "person", lease.Person, "error", err)
		}
	}
}
