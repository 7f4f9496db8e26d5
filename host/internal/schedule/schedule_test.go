package schedule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

const tenant = "Default"

func addPersons(t *testing.T, s *store.Store, ids ...string) {
	t.Helper()
	err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, id := range ids {
			p := directory.Person{Tenant: tenant, ID: id, Email: id + "@example.com", Kind: directory.KindPerson}
			if _, err := tx.PutPerson(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mark(t *testing.T, s *store.Store, person string) {
	t.Helper()
	err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.MarkDirty(ctx, tenant, person, time.Time{})
	})
	if err != nil {
		t.Error(err)
	}
}

func mailbox(t *testing.T, s *store.Store, person string) store.Mailbox {
	t.Helper()
	m, ok, err := s.Mailbox(t.Context(), tenant, person)
	if err != nil || !ok {
		t.Fatalf("mailbox %s: %v, %v", person, ok, err)
	}
	return m
}

// run starts a schedule that is stopped at the end of the test, or earlier by the function it returns.
func run(t *testing.T, o Options) (stop func()) {
	t.Helper()
	if o.ScanEvery == 0 {
		o.ScanEvery = 20 * time.Millisecond
		o.poll = 20 * time.Millisecond
	}
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// passes is a Work that counts, and that the test lets go on step by step.
type passes struct {
	began chan string // each pass, as it begins
	goOn  chan error  // what it returns
}

func newPasses() *passes { return &passes{make(chan string), make(chan error)} }

func (p *passes) work(ctx context.Context, _, person string) (Outcome, error) {
	select {
	case p.began <- person:
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
	select {
	case err := <-p.goOn:
		return Outcome{Clean: true}, err
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
}

// settled waits until nothing is wanted that is not done, and nothing is in the queue.
func settled(t *testing.T, s *store.Store, persons ...string) {
	t.Helper()
	eventually(t, func() bool {
		for _, p := range persons {
			if m := mailbox(t, s, p); m.Done < m.Wanted {
				return false
			}
		}
		c, err := s.QueueCounts(t.Context(), s.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c.Running+c.Queued+c.QueuedBulk+c.Due == 0
	})
}

// eventually waits, as long as the test may last, until ok.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-t.Context().Done():
			t.Fatal("the test ended before it came true")
		case <-tick.C:
		}
	}
}

func TestANoticeDuringAPassMakesExactlyOneMore(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		p := newPasses()
		run(t, Options{Store: s, Work: p.work})
		addPersons(t, s, "alice")
		<-p.began
		for range 5 {
			mark(t, s, "alice")
		}
		p.goOn <- nil
		<-p.began
		p.goOn <- nil
		settled(t, s, "alice") // a third pass would be stuck at p.began, and count as running
		if m := mailbox(t, s, "alice"); m.Wanted != 6 || m.Done != 6 {
			t.Errorf("wanted %d, done %d; want 6 and 6", m.Wanted, m.Done)
		}
	})
}

func TestMarksBeforeAPassShareIt(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPersons(t, s, "alice")
		p := newPasses()
		sched, err := New(t.Context(), Options{Store: s, Work: p.work})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			mark(t, s, "alice")
		}
		stats, err := sched.Stats(t.Context())
		if err != nil || stats.Queued != 1 {
			t.Errorf("Stats = %+v, %v; want one job", stats, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- sched.Run(ctx) }()
		<-p.began
		p.goOn <- nil
		settled(t, s, "alice")
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestManyNoticesNoTwoPassesNoneLost marks from many goroutines at random and lets passes end and fail at random.
func TestManyNoticesNoTwoPassesNoneLost(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		const persons, notifiers, notices = 8, 6, 25
		// On PostgreSQL two hosts share the work.
		hosts := []*store.Store{storetest.New(t, store.Options{URL: url})}
		if hosts[0].Dialect() == store.PostgreSQL {
			hosts = append(hosts, storetest.New(t, store.Options{URL: url}))
		}
		var (
			mu      sync.Mutex
			running = map[string]int{}
			seen    = map[string]int64{} // the largest Wanted that a pass has seen when it began
			count   int
		)
		work := func(s *store.Store) func(context.Context, string, string) (Outcome, error) {
			return func(ctx context.Context, tenant, person string) (Outcome, error) {
				m, _, err := s.Mailbox(ctx, tenant, person)
				if err != nil {
					return Outcome{}, err
				}
				mu.Lock()
				running[person]++
				if running[person] > 1 {
					t.Errorf("two passes of %s at once", person)
				}
				count++
				n := count
				mu.Unlock()
				// A write of its own, as every pass has.
				err = s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
					return tx.AddActivity(ctx, store.Activity{Tenant: tenant, Person: person, What: "pass"})
				})
				mu.Lock()
				defer mu.Unlock()
				running[person]--
				switch {
				case err != nil:
					return Outcome{}, err
				case n%7 == 0:
					return Outcome{}, errors.New("the server is busy")
				case n%11 == 0:
					panic("a bug")
				}
				seen[person] = max(seen[person], m.Wanted)
				return Outcome{Clean: true}, nil
			}
		}
		for _, s := range hosts {
			run(t, Options{Store: s, Work: work(s), Workers: 8, firstRetry: time.Millisecond})
		}
		var ids []string
		for i := range persons {
			ids = append(ids, fmt.Sprintf("p%02d", i))
		}
		addPersons(t, hosts[0], ids...)
		var wg sync.WaitGroup
		for n := range notifiers {
			wg.Go(func() {
				for i := range notices {
					mark(t, hosts[(n+i)%len(hosts)], ids[(n*31+i*17)%persons])
				}
			})
		}
		wg.Wait()
		settled(t, hosts[0], ids...)
		var wanted int64
		for _, id := range ids {
			m := mailbox(t, hosts[0], id)
			wanted += m.Wanted
			if m.Done != m.Wanted || seen[id] < m.Wanted {
				t.Errorf("%s: wanted %d, done %d, seen %d: a wake-up was lost", id, m.Wanted, m.Done, seen[id])
			}
		}
		if wanted != notifiers*notices+persons {
			t.Errorf("wanted %d in all, want %d", wanted, notifiers*notices+persons)
		}
		t.Logf("%d notices led to %d passes", notifiers*notices, count)
	})
}

func TestAFailedPassIsRepeated(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		p := newPasses()
		run(t, Options{Store: s, Work: p.work, firstRetry: time.Millisecond})
		addPersons(t, s, "alice")
		for range 3 {
			<-p.began
			p.goOn <- errors.New("the server is busy")
		}
		<-p.began
		mark(t, s, "alice")
		p.goOn <- errors.New("busy again")
		<-p.began
		p.goOn <- nil
		settled(t, s, "alice")
	})
}

func TestBackoffGoesFromASecondToFiveMinutes(t *testing.T) {
	t.Parallel()
	o := Options{}
	setDefaults(&o)
	s := &Schedule{o: o}
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 20: 5 * time.Minute, 30000: 5 * time.Minute} {
		if got := s.backoff(attempt); got > want || got < want*4/5-1 {
			t.Errorf("backoff(%d) = %v, want about %v", attempt, got, want)
		}
	}
}

func TestAPassThatIsDueByTheClockIsMade(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		again := make(chan struct{}, 10)
		first := true
		run(t, Options{Store: s, Work: func(context.Context, string, string) (Outcome, error) {
			again <- struct{}{}
			if first {
				first = false
				return Outcome{Clean: true, Next: s.Now().Add(30 * time.Millisecond)}, nil
			}
			return Outcome{Clean: true}, nil
		}})
		addPersons(t, s, "alice")
		<-again
		<-again
		settled(t, s, "alice")
	})
}

func TestAPassThatIsNotCleanStaysWanted(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		began := make(chan struct{})
		run(t, Options{Store: s, Work: func(context.Context, string, string) (Outcome, error) {
			began <- struct{}{}
			return Outcome{Next: s.Now().Add(time.Hour)}, nil
		}})
		addPersons(t, s, "alice")
		<-began
		eventually(t, func() bool { return mailbox(t, s, "alice").NextDue.After(s.Now()) })
		if m := mailbox(t, s, "alice"); m.Done != 0 || m.Wanted != 1 {
			t.Errorf("wanted %d, done %d; want 1 and 0", m.Wanted, m.Done)
		}
		mark(t, s, "alice") // a notice need not wait for the clock
		<-began
	})
}

func TestFreshNoticesAreCoalesced(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		p := newPasses()
		run(t, Options{Store: s, Work: p.work, Coalesce: 50 * time.Millisecond})
		addPersons(t, s, "alice")
		<-p.began
		p.goOn <- nil
		settled(t, s, "alice")
		before := s.Now()
		mark(t, s, "alice")
		due := mailbox(t, s, "alice").NextDue
		if due.Before(before.Add(49 * time.Millisecond)) {
			t.Errorf("due %v after the notice, want 50 ms", due.Sub(before))
		}
		mark(t, s, "alice")
		<-p.began
		if got := s.Now(); got.Before(due) {
			t.Errorf("the pass began %v too early", due.Sub(got))
		}
		p.goOn <- nil
		settled(t, s, "alice")
	})
}
