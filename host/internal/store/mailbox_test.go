package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

// fakeQueue records what it is told, and takes jobs as the real one does.
type fakeQueue struct{ woken []wake }

type wake struct {
	person string
	at     time.Time
	bulk   bool
}

func (q *fakeQueue) Wake(ctx context.Context, tx *store.Tx, _, person string, at time.Time, bulk bool) error {
	q.woken = append(q.woken, wake{person, at, bulk})
	if at.After(tx.Now()) {
		return nil
	}
	_, _, err := tx.SetQueued(ctx, tenant, person, bulk)
	return err
}

func (q *fakeQueue) take() []wake {
	w := q.woken
	q.woken = nil
	return w
}

func TestSaveMailboxLeavesTheCountersToOthers(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPerson(t, s, "alice")
		at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
		want := store.Mailbox{
			Tenant: tenant, Person: "alice", Epoch: 1, Cursor: "c", Round: 2, RoundOpen: true, Wanted: 1, Way: "push",
			SubscriptionID: "s", SubscribedAt: at, LastPull: at.Add(2), LastPush: at.Add(3 * time.Hour),
			RenewAt: at.Add(4 * time.Hour), PollAt: at.Add(5 * time.Hour), ReconcileAt: at.Add(6 * time.Hour),
			WaitUntil: at.Add(7 * time.Hour), Failures: 8, NextDue: at.Add(9 * time.Hour), HeldDeletions: 10,
		}
		given := want
		given.Wanted, given.Done, given.LastHeard, given.DeletionsApproved = 77, 77, at, true
		tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.SaveMailbox(ctx, given) })
		want.LastPull = at // kept to the millisecond
		if got := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, "alice")); got != want {
			t.Errorf("mailbox = %+v\nwant %+v", got, want)
		}
		given.Epoch--
		err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.SaveMailbox(ctx, given) })
		if !errors.Is(err, store.ErrMoved) {
			t.Errorf("SaveMailbox of a former epoch = %v, want ErrMoved", err)
		}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.SetDone(ctx, tenant, "alice", 5), tx.SetDone(ctx, tenant, "alice", 3),
				tx.ApproveDeletions(ctx, tenant, "alice", true))
		})
		if got := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, "alice")); got.Done != 5 || !got.DeletionsApproved {
			t.Errorf("done %d, approved %v; want 5, true", got.Done, got.DeletionsApproved)
		}
	})
}

func TestMarksWakeTheQueueOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		c, q := newClock(), &fakeQueue{}
		s := storetest.New(t, store.Options{URL: url, Now: c.Now})
		s.SetQueue(q)
		addPerson(t, s, "alice")
		expect := func(what string, want ...wake) {
			t.Helper()
			if got := q.take(); !slices.EqualFunc(got, want, func(a, b wake) bool {
				return a.person == b.person && a.at.Equal(b.at) && a.bulk == b.bulk
			}) {
				t.Errorf("%s: woken %v, want %v", what, got, want)
			}
		}
		mark := func(at time.Time) {
			t.Helper()
			tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.MarkDirty(ctx, tenant, "alice", at) })
		}
		expect("a new person", wake{"alice", c.now, true})
		mark(time.Time{})
		expect("a notice while a bulk job waits", wake{"alice", c.now, false})
		mark(time.Time{})
		mark(c.now.Add(time.Hour))
		expect("while a fresh job waits")

		var lease store.Lease
		tx(t, s, func(ctx context.Context, tx *store.Tx) (err error) {
			lease, _, _, err = tx.TakeLease(ctx, tenant, "alice", c.now.Add(time.Minute))
			return err
		})
		if lease.Wanted != 4 || lease.Fence != 1 {
			t.Errorf("lease = %+v", lease)
		}
		mark(time.Time{})
		expect("during a pass")
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			due, fresh, err := tx.EndLease(ctx, lease, store.PassEnd{Clean: true, Next: c.now.Add(time.Hour)})
			if !due.Equal(c.now) || !fresh {
				t.Errorf("EndLease = %v, %v; want now, fresh", due, fresh)
			}
			return err
		})
		mark(time.Time{})
		expect("after the pass", wake{"alice", c.now, false})
		m := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, "alice"))
		if m.Wanted != 6 || m.Done != 4 {
			t.Errorf("wanted %d, done %d; want 6 and 4", m.Wanted, m.Done)
		}
		c.now = c.now.Add(time.Hour) // long after: is that job still there?
		mark(time.Time{})
		if len(q.take()) != 1 {
			t.Error("a job that was lost is never put into the queue again")
		}
		mark(time.Time{})
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return tx.MarkDirty(ctx, tenant, "nobody", time.Time{})
		})
		expect("nobody")
	})
}

func TestResumedMailboxesAreDueUnlessTheirServerAskedThemToWait(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		c := newClock()
		s := storetest.New(t, store.Options{URL: url, Now: c.Now})
		kinds := map[string]string{"alice": "unauthorized", "bob": "throttled", "carol": ""}
		addPerson(t, s, "alice", "bob", "carol")
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			for _, p := range []string{"alice", "bob", "carol"} {
				m := must[store.Mailbox](t)(tx.Mailbox(ctx, tenant, p))
				m.NextDue = time.Time{}
				if kinds[p] != "" {
					m.WaitUntil, m.NextDue, m.Failures = c.now.Add(6*time.Hour), c.now.Add(6*time.Hour), 7
				}
				state := store.PersonState{Status: store.StatusAttention, Kind: kinds[p]}
				if err := errors.Join(tx.SaveMailbox(ctx, m), tx.SetPersonState(ctx, tenant, p, state)); err != nil {
					return err
				}
			}
			n, err := tx.ResumeMailboxes(ctx)
			if n != 1 {
				t.Errorf("%d mailboxes resumed, want 1", n)
			}
			return err
		})
		keys, err := s.Due(t.Context(), c.now, 10)
		if err != nil || len(keys) != 1 || keys[0].Person != "alice" {
			t.Errorf("due = %+v, %v", keys, err)
		}
		if m := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, "alice")); m.Failures != 0 || !m.WaitUntil.IsZero() {
			t.Errorf("mailbox = %+v", m)
		}
	})
}

func TestNothingIsDueBeforeTheWaitIsOver(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		c := newClock()
		s := storetest.New(t, store.Options{URL: url, Now: c.Now})
		addPerson(t, s, "alice", "bob", "carol")
		wait := c.now.Add(10 * time.Minute)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			for _, p := range []string{"alice", "bob", "carol"} {
				m := must[store.Mailbox](t)(tx.Mailbox(ctx, tenant, p))
				m.NextDue = time.Time{}
				if p == "bob" {
					m.WaitUntil = wait
				}
				if err := tx.SaveMailbox(ctx, m); err != nil {
					return err
				}
			}
			return errors.Join(tx.MarkDirty(ctx, tenant, "alice", c.now.Add(time.Minute)),
				tx.MarkDirtyBulk(ctx, tenant, "alice", c.now.Add(time.Hour)),
				tx.MarkDirty(ctx, tenant, "bob", time.Time{}), tx.MarkDirty(ctx, tenant, "bob", time.Time{}),
				tx.MarkDirtyBulk(ctx, tenant, "carol", c.now.Add(time.Second)))
		})
		for _, step := range []struct {
			after time.Duration
			want  []string
		}{
			{0, nil},
			{time.Second, []string{"carol"}},
			{time.Minute, []string{"alice", "carol"}}, // fresh ones first
			{9 * time.Minute, []string{"alice", "carol"}},
			{10 * time.Minute, []string{"alice", "bob", "carol"}},
		} {
			keys, err := s.Due(t.Context(), c.now.Add(step.after), 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, k := range keys {
				got = append(got, k.Person)
			}
			if !slices.Equal(got, step.want) {
				t.Errorf("due after %v: %q, want %q", step.after, got, step.want)
			}
		}
		if keys, err := s.Due(t.Context(), wait, 2); err != nil || len(keys) != 2 {
			t.Errorf("Due with limit 2 = %v, %v", keys, err)
		}
	})
}

func TestTheNewSubscriptionKillsTheOldToken(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPerson(t, s, "alice", "bob")
		at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
		sub := store.Subscription{Tenant: tenant, Person: "alice", TokenHash: []byte{1, 0, 255}, Mode: "Exchange2013", Created: at}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			other, second := sub, sub
			other.Person, other.TokenHash = "bob", []byte("bob's")
			second.TokenHash, second.Created = []byte("second"), at.Add(time.Hour)
			return errors.Join(tx.AddSubscription(ctx, sub), tx.AddSubscription(ctx, other), tx.AddSubscription(ctx, second))
		})
		if got := must[store.Subscription](t)(s.SubscriptionByToken(t.Context(), sub.TokenHash)); got.Active || got.Person != "alice" || got.Mode != sub.Mode || !got.Created.Equal(at) {
			t.Errorf("subscription = %+v, want %+v", got, sub)
		}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.ActivateSubscription(ctx, tenant, "alice", store.Grant{TokenHash: []byte("second"), ID: "server-id", At: at.Add(time.Minute)}),
				tx.TouchSubscription(ctx, []byte("second"), at.Add(2*time.Minute)),
				tx.TouchSubscription(ctx, []byte("unknown"), at.Add(3*time.Minute)))
		})
		if _, ok, err := s.SubscriptionByToken(t.Context(), sub.TokenHash); ok || err != nil {
			t.Errorf("the old token lives: %v, %v", ok, err)
		}
		must[store.Subscription](t)(s.SubscriptionByToken(t.Context(), []byte("bob's")))
		list, err := s.Subscriptions(t.Context(), tenant, "alice")
		if err != nil || len(list) != 1 || !list[0].Active || list[0].ID != "server-id" || !list[0].LastHeard.Equal(at.Add(2*time.Minute)) {
			t.Errorf("subscriptions = %+v, %v", list, err)
		}
		m := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, "alice"))
		if m.SubscriptionID != "server-id" || !m.SubscribedAt.Equal(at.Add(time.Minute)) || !m.LastHeard.Equal(at.Add(2*time.Minute)) {
			t.Errorf("mailbox = %+v", m)
		}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.DropSubscriptions(ctx, tenant, "alice") })
		if m := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, "alice")); m.SubscriptionID != "" {
			t.Errorf("mailbox after dropping = %+v", m)
		}
		err = s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.ActivateSubscription(ctx, tenant, "alice", store.Grant{TokenHash: []byte("second"), ID: "late", At: at})
		})
		if err == nil {
			t.Error("a dropped subscription was activated")
		}
	})
}
