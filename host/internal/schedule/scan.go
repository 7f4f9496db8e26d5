package schedule

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
)

// batch is how many mailboxes are put into the queue in one transaction, which others wait for on SQLite.
const batch = 50

// scan puts mailboxes into the queue as they become due, until ctx ends.
func (s *Schedule) scan(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			if err := s.wakeDue(ctx); err != nil && ctx.Err() == nil {
				s.o.Log.Error("cannot look for mailboxes that are due; trying again", "error", err)
			}
		case <-s.alarm.changed:
		}
		timer.Reset(s.alarm.next(s.o.Store.Now(), s.o.ScanEvery))
	}
}

func (s *Schedule) wakeDue(ctx context.Context) error {
	for {
		now := s.o.Store.Now()
		keys, err := s.o.Store.Due(ctx, now, batch)
		if err != nil || len(keys) == 0 {
			return err
		}
		err = s.o.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return s.enqueue(ctx, tx, keys, now) })
		if err != nil || len(keys) < batch {
			return err
		}
	}
}

// enqueue puts those of the mailboxes that are due into the queue. Together they cost little more than one alone.
func (s *Schedule) enqueue(ctx context.Context, tx *store.Tx, keys []store.MailboxKey, now time.Time) error {
	// Whoever locks many mailboxes locks them in this order: PostgreSQL takes a second to find a deadlock.
	slices.SortFunc(keys, func(a, b store.MailboxKey) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Person, b.Person))
	})
	jobs := map[bool][]passArgs{} // by whether they are bulk work
	for _, k := range keys {
		// Another host, or a notice, may have been faster.
		due, fresh, err := tx.IsDue(ctx, k.Tenant, k.Person, now)
		if err != nil {
			return err
		}
		if !due {
			continue
		}
		pass, exists, err := tx.SetQueued(ctx, k.Tenant, k.Person, !fresh)
		if err != nil {
			return err
		}
		if exists {
			jobs[!fresh] = append(jobs[!fresh], passArgs{Tenant: k.Tenant, Person: k.Person, Pass: pass})
		}
	}
	for bulk, some := range jobs {
		if err := s.queue.insert(ctx, tx, some, bulk); err != nil {
			return err
		}
	}
	return nil
}

// An alarm holds the moments at which something known to this process becomes due, so that it need not wait for the next
// scan. Losing one costs a moment, never a pass.
type alarm struct {
	changed chan struct{} // of capacity 1

	mu    sync.Mutex
	times []time.Time // sorted
}

// The alarm's times are rounded up, and those far away are left to the scans, so that it stays small.
const (
	alarmGrain   = 20 * time.Millisecond
	alarmHorizon = time.Minute
)

func newAlarm() *alarm { return &alarm{changed: make(chan struct{}, 1)} }

// set adds a moment. It never blocks.
func (a *alarm) set(now, at time.Time) {
	if at.Sub(now) > alarmHorizon {
		return
	}
	at = at.Add(alarmGrain - 1).Truncate(alarmGrain)
	a.mu.Lock()
	i, known := slices.BinarySearchFunc(a.times, at, time.Time.Compare)
	if !known {
		a.times = slices.Insert(a.times, i, at)
	}
	a.mu.Unlock()
	if known || i > 0 {
		return
	}
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// next forgets the moments gone by and returns how long to wait for the next one: at most the given time, and not at all
// if some had gone by.
func (a *alarm) next(now time.Time, most time.Duration) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	gone, _ := slices.BinarySearchFunc(a.times, now.Add(1), time.Time.Compare)
	a.times = slices.Delete(a.times, 0, gone)
	switch {
	case gone > 0:
		return 0
	case len(a.times) > 0:
		return min(most, a.times[0].Sub(now))
	}
	return most
}
