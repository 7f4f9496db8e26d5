package schedule

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

func TestBulkWorkLeavesRoomForFreshNotices(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		p := newPasses()
		run(t, Options{Store: s, Work: p.work, Workers: 1, BulkWorkers: 1})
		addPersons(t, s, "alice", "bob", "carol") // bulk: new persons
		first := <-p.began                        // and the only worker for bulk work is taken
		eventually(t, func() bool {
			c, err := s.QueueCounts(t.Context(), s.Now())
			return err == nil && c.QueuedBulk == 2
		})
		fresh := map[string]string{"alice": "carol", "bob": "carol", "carol": "bob"}[first]
		mark(t, s, fresh) // is moved up
		if got := <-p.began; got != fresh {
			t.Errorf("began with %s, want %s, which had a notice", got, fresh)
		}
		p.goOn <- nil
		p.goOn <- nil
		<-p.began
		p.goOn <- nil
		settled(t, s, "alice", "bob", "carol")
	})
}

func TestMarksMadeWithoutAQueueAreFoundAtStart(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPersons(t, s, "alice")
		mark(t, s, "alice")
		p := newPasses()
		run(t, Options{Store: s, Work: p.work})
		<-p.began
		p.goOn <- nil
		settled(t, s, "alice")
	})
}

func TestARolledBackMarkWakesNobody(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		p := newPasses()
		run(t, Options{Store: s, Work: p.work})
		addPersons(t, s, "alice")
		<-p.began
		p.goOn <- nil
		settled(t, s, "alice")
		boom := errors.New("boom")
		err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.MarkDirty(ctx, tenant, "alice", time.Time{}), boom)
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		if c, err := s.QueueCounts(t.Context(), s.Now()); err != nil || c != (store.QueueCounts{}) {
			t.Errorf("queue = %+v, %v; want it empty", c, err)
		}
		if m := mailbox(t, s, "alice"); m.Wanted != m.Done {
			t.Errorf("wanted %d, done %d", m.Wanted, m.Done)
		}
	})
}

func TestADeletedPersonsJobEndsQuietly(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		p := newPasses()
		run(t, Options{Store: s, Work: p.work})
		addPersons(t, s, "alice")
		<-p.began
		err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.DeletePerson(ctx, tenant, "alice") })
		if err != nil {
			t.Fatal(err)
		}
		p.goOn <- nil
		addPersons(t, s, "bob")
		if got := <-p.began; got != "bob" {
			t.Errorf("pass of %s", got)
		}
		p.goOn <- nil
		settled(t, s, "bob")
	})
}

// TestPassesOfADeadHostAreRepeated simulates kill -9: the leases and jobs of a process that is gone stay behind.
func TestPassesOfADeadHostAreRepeated(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		dead := storetest.New(t, store.Options{URL: url})
		sched, err := New(t.Context(), Options{Store: dead, Work: newPasses().work, Lease: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		addPersons(t, dead, "alice", "bob", "carol")
		// Two passes are under way, with a mark during one of them, and one is queued; then all is silence.
		for _, person := range []string{"alice", "bob"} {
			if _, taken, _, err := sched.take(t.Context(), tenant, person); err != nil || !taken {
				t.Fatal(taken, err)
			}
		}
		mark(t, dead, "alice")
		err = dead.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			const statement = "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = created_at " +
				"WHERE CAST(args AS TEXT) NOT LIKE '%carol%'"
			if tx.SQL() != nil {
				_, err := tx.SQL().ExecContext(ctx, statement)
				return err
			}
			_, err := tx.PGX().Exec(ctx, statement)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := dead.Close(); err != nil {
			t.Fatal(err)
		}

		s := storetest.New(t, store.Options{URL: url})
		p := newPasses()
		run(t, Options{Store: s, Work: p.work})
		got := map[string]bool{}
		for range 3 {
			got[<-p.began] = true
			p.goOn <- nil
		}
		if !got["alice"] || !got["bob"] || !got["carol"] {
			t.Errorf("repeated passes: %v, want all three", got)
		}
		settled(t, s, "alice", "bob", "carol")
	})
}

func TestAHostThoughtDeadCannotWrite(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPersons(t, s, "alice")
		take := func(until time.Time) (l store.Lease, taken bool) {
			t.Helper()
			err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
				l, taken, _, err = tx.TakeLease(ctx, tenant, "alice", until)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return l, taken
		}
		old, _ := take(s.Now().Add(-time.Second)) // expired at once
		if _, taken := take(s.Now().Add(time.Hour)); !taken {
			t.Fatal("an expired lease was not handed on")
		}
		if _, taken := take(s.Now().Add(time.Hour)); taken {
			t.Fatal("a living lease was handed on")
		}
		write := func(ctx context.Context, tx *store.Tx) error {
			return tx.AddActivity(ctx, store.Activity{Tenant: tenant, Person: "alice", What: "x"})
		}
		if err := s.Tx(store.WithLease(t.Context(), old), write); !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("Tx of the old host = %v, want ErrLeaseLost", err)
		}
		err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if ours, err := tx.RenewLease(ctx, old, s.Now().Add(time.Hour)); ours || err != nil {
				t.Errorf("RenewLease of the old host = %v, %v", ours, err)
			}
			_, _, err := tx.EndLease(ctx, old, store.PassEnd{Clean: true})
			return err
		})
		if !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("EndLease of the old host = %v, want ErrLeaseLost", err)
		}
	})
}

func TestALeaseIsKeptWhileThePassRuns(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		const lease = 2 * time.Second
		p := newPasses()
		run(t, Options{Store: s, Work: p.work, Lease: lease})
		addPersons(t, s, "alice")
		<-p.began
		expiry := s.Now().Add(lease) // of the lease as it was taken, or later
		eventually(t, func() bool {
			c, err := s.QueueCounts(t.Context(), expiry)
			return err == nil && c.Running == 1
		})
		p.goOn <- nil
		settled(t, s, "alice")
	})
}

func TestStoppingLetsPassesEndAndRepeatsTheRest(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		s := storetest.New(t, store.Options{URL: url})
		var ended atomic.Int64
		began := make(chan struct{}, 2)
		release := make(chan struct{})
		stop := run(t, Options{Store: s, DrainTimeout: 300 * time.Millisecond, Work: func(ctx context.Context, _, person string) (Outcome, error) {
			began <- struct{}{}
			if person == "slow" {
				<-ctx.Done()
				return Outcome{}, ctx.Err()
			}
			<-release
			ended.Add(1)
			return Outcome{Clean: true}, nil
		}})
		addPersons(t, s, "quick", "slow")
		<-began
		<-began
		go close(release) // while the schedule is stopping, or just before
		stop()
		if ended.Load() != 1 {
			t.Error("the quick pass was not let end")
		}
		if m := mailbox(t, s, "quick"); m.Done != m.Wanted {
			t.Errorf("quick: wanted %d, done %d", m.Wanted, m.Done)
		}
		if m := mailbox(t, s, "slow"); m.Done == m.Wanted {
			t.Error("slow counts as done")
		}
		p := newPasses()
		run(t, Options{Store: s, Work: p.work, firstRetry: time.Millisecond})
		if got := <-p.began; got != "slow" {
			t.Errorf("repeated %s, want slow", got)
		}
		p.goOn <- nil
		settled(t, s, "slow", "quick")
	})
}
