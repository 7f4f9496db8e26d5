package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// ErrLeaseLost means that the pass under way no longer owns its mailbox: another host took over, or the person is gone.
var ErrLeaseLost = errors.New("the mailbox has passed to another host, or its person is gone")

// A Lease is the right to make one pass of a mailbox. While it is kept alive nobody else gets one.
type Lease struct {
	Tenant, Person string
	Fence          int64 // grows with every lease of the mailbox
	Wanted         int64 // Mailbox.Wanted when the pass began
}

type leaseKey struct{}

// WithLease returns a context whose transactions fail with ErrLeaseLost once l has passed to somebody else. So a host
// that was thought dead cannot write behind the back of its successor.
func WithLease(ctx context.Context, l Lease) context.Context {
	return context.WithValue(ctx, leaseKey{}, l)
}

func (t *Tx) checkLease(ctx context.Context, l Lease) error {
	if err := t.hold(ctx, lockMailbox, l.Tenant, l.Person); err != nil {
		return err
	}
	row, err := t.q.GetLease(ctx, db.GetLeaseParams{Tenant: l.Tenant, Person: l.Person})
	ok, err := found(err)
	switch {
	case err != nil:
		return fmt.Errorf("check lease of mailbox %s: %w", l.Person, err)
	case !ok || row.LeaseFence != l.Fence:
		return fmt.Errorf("mailbox %s: %w", l.Person, ErrLeaseLost)
	}
	return nil
}

// TakeLease begins a pass. exists is false if there is no such mailbox; taken is false if somebody else has its lease.
// Whatever waited in the queue for this mailbox is what the pass is for.
func (t *Tx) TakeLease(ctx context.Context, tenant, person string, until time.Time) (l Lease, taken, exists bool, err error) {
	row, err := t.q.TakeLease(ctx, db.TakeLeaseParams{
		Tenant: tenant, Person: person, Now: millis(t.s.now()), Until: millis(until),
	})
	if taken, err = found(err); err != nil {
		return Lease{}, false, false, fmt.Errorf("take lease of mailbox %s: %w", person, err)
	}
	if taken {
		return Lease{Tenant: tenant, Person: person, Fence: row.LeaseFence, Wanted: row.Wanted}, true, true, nil
	}
	_, err = t.q.GetLease(ctx, db.GetLeaseParams{Tenant: tenant, Person: person})
	if exists, err = found(err); err != nil {
		return Lease{}, false, false, fmt.Errorf("look at lease of mailbox %s: %w", person, err)
	}
	return Lease{}, false, exists, nil
}

// RenewLease keeps l alive; false means that it is lost.
func (t *Tx) RenewLease(ctx context.Context, l Lease, until time.Time) (bool, error) {
	n, err := t.q.RenewLease(ctx, db.RenewLeaseParams{
		Tenant: l.Tenant, Person: l.Person, Fence: l.Fence, Until: millis(until),
	})
	if err != nil {
		return false, fmt.Errorf("renew lease of mailbox %s: %w", l.Person, err)
	}
	return n == 1, nil
}

// A PassEnd says how a pass ended.
type PassEnd struct {
	Clean bool      // what was wanted when it began is dealt with
	Next  time.Time // when the next one is due; zero: when woken
	// Retry is set when the pass failed as a whole: the queue will repeat it then.
	Retry time.Time
}

// retryGrace is how long after the queue should have repeated a failed pass the clock does it.
const retryGrace = 5 * time.Minute

// EndLease ends a pass and returns when the next one is due (zero: when woken), and whether fresh notices want it. What
// was marked during the pass makes it due once more.
func (t *Tx) EndLease(ctx context.Context, l Lease, end PassEnd) (due time.Time, fresh bool, err error) {
	if err := t.checkLease(ctx, l); err != nil {
		return time.Time{}, false, err
	}
	m, err := t.q.GetMailbox(ctx, db.GetMailboxParams{Tenant: l.Tenant, Person: l.Person})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("end pass of mailbox %s: %w", l.Person, err)
	}
	done, queued := m.Done, time.Time{}
	switch now := t.s.now(); {
	case !end.Retry.IsZero():
		// The queue holds a job until then, which marks need not wake. The clock is there in case it is lost.
		due, queued = end.Retry.Add(retryGrace), end.Retry
	case m.Wanted > l.Wanted:
		due = now
		if m.Fresh {
			due = now.Add(time.Duration(t.s.coalesce.Load()))
		}
		if echoed := moment(m.LastPush).Add(echoTime); m.LastPush > 0 && due.Before(echoed) && !echoed.After(now.Add(echoTime)) {
			due = echoed
		}
		if wait := moment(m.WaitUntil); due.Before(wait) {
			due = wait
		}
		if !end.Next.IsZero() && end.Next.Before(due) {
			due = end.Next
		}
	case !end.Next.IsZero():
		due = end.Next
	case m.NextDue > millis(now):
		due = moment(m.NextDue) // the pass itself wrote it
	}
	if end.Clean {
		done = max(done, l.Wanted)
	}
	err = t.q.EndLease(ctx, db.EndLeaseParams{
		Tenant: l.Tenant, Person: l.Person, Done: done, NextDue: millis(due), QueuedAt: millis(queued),
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("end pass of mailbox %s: %w", l.Person, err)
	}
	return due, m.Fresh, nil
}

// SetQueued records that a job waits in the queue for the mailbox, so that further marks need not wake it. It returns
// the number of the pass that the job is for, which makes jobs for one pass alike and jobs for different ones different;
// exists is false if there is no such mailbox.
func (t *Tx) SetQueued(ctx context.Context, tenant, person string, bulk bool) (pass int64, exists bool, err error) {
	fence, err := t.q.SetQueued(ctx, db.SetQueuedParams{
		Tenant: tenant, Person: person, QueuedAt: millis(t.s.now()), QueuedBulk: bulk,
	})
	if exists, err = found(err); err != nil {
		return 0, false, fmt.Errorf("record job of mailbox %s: %w", person, err)
	}
	return fence + 1, exists, nil
}

// ResetQueue forgets the leases and the jobs of a process that is dead; its mailboxes are due at once. It is right only
// where no other process can be at work: on SQLite.
func (t *Tx) ResetQueue(ctx context.Context) error {
	if err := t.q.ResetQueue(ctx, millis(t.s.now())); err != nil {
		return fmt.Errorf("reset queue: %w", err)
	}
	return nil
}
