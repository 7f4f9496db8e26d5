package endpoint

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/backend"
)

// subscribe gives a person a subscription in force, with the person's id as token and "S-" and the id as the server's.
func subscribe(ctx context.Context, tx *store.Tx, person string) error {
	p := directory.Person{Tenant: "Default", ID: person, Email: person + "@example.com", Kind: directory.KindPerson, SyncMode: "Exchange2013"}
	if _, err := tx.PutPerson(ctx, p); err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(person))
	if err := tx.AddSubscription(ctx, store.Subscription{Tenant: "Default", Person: person, TokenHash: hash[:], Mode: "Exchange2013"}); err != nil {
		return err
	}
	return tx.ActivateSubscription(ctx, "Default", person, store.Grant{TokenHash: hash[:], ID: "S-" + person, At: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)})
}

func onStore(t *testing.T, s *store.Store, people ...string) Options {
	t.Helper()
	err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, p := range people {
			if err := subscribe(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o := newRig().Options
	o.Subscriptions = OnStore(s, func() time.Duration { return 0 })
	o.Now = func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	return o
}

func mailbox(t *testing.T, s *store.Store, person string) store.Mailbox {
	t.Helper()
	m, found, err := s.Mailbox(t.Context(), "Default", person)
	if err != nil || !found {
		t.Fatalf("mailbox of %s: %v, %v", person, found, err)
	}
	return m
}

func TestANoticeIsDurableWhenItIsAnswered(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		h := New(onStore(t, s, "alice", "bob"))
		before := mailbox(t, s, "alice")
		post := func(token, body string) string {
			return text(t, do(t, h, "POST", NotificationPath+"?Default&k="+token, body))
		}

		if got := post("alice", "S-alice alive"); got != "OK" {
			t.Fatalf("alive: %q", got)
		}
		m := mailbox(t, s, "alice")
		if m.Wanted != before.Wanted || m.LastHeard.IsZero() {
			t.Errorf("a sign of life: wanted %d, last heard %v", m.Wanted, m.LastHeard)
		}
		if got := post("alice", "S-alice dirty"); got != "OK" {
			t.Fatalf("dirty: %q", got)
		}
		if m = mailbox(t, s, "alice"); m.Wanted != before.Wanted+1 || m.SubscriptionID != "S-alice" {
			t.Errorf("a notice: wanted %d after %d, subscription %q", m.Wanted, before.Wanted, m.SubscriptionID)
		}
		if got := post("alice", "S-bob dirty"); got != "Unsubscribe" {
			t.Errorf("bob's id with alice's token: %q", got)
		}
		if got := post("nobody", "S-alice dirty"); got != "Unsubscribe" {
			t.Errorf("an unknown token: %q", got)
		}
		if got := mailbox(t, s, "alice").Wanted; got != m.Wanted {
			t.Errorf("untrusted messages were acted on: wanted %d after %d", got, m.Wanted)
		}
		if got := mailbox(t, s, "bob"); got.Wanted != before.Wanted || !got.LastHeard.IsZero() {
			t.Errorf("bob's mailbox was touched: %+v", got)
		}
	})
}

func TestALostSubscriptionIsForgottenAndTheMailboxMarked(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		h := New(onStore(t, s, "alice"))
		before := mailbox(t, s, "alice")
		if got := text(t, do(t, h, "POST", NotificationPath+"?Default&k=alice", "S-alice lost")); got != "OK" {
			t.Fatalf("lost: %q", got)
		}
		if m := mailbox(t, s, "alice"); m.SubscriptionID != "" || m.Wanted != before.Wanted+1 {
			t.Errorf("subscription %q, wanted %d after %d", m.SubscriptionID, m.Wanted, before.Wanted)
		}
		if got := text(t, do(t, h, "POST", NotificationPath+"?Default&k=alice", "S-alice dirty")); got != "Unsubscribe" {
			t.Errorf("the old token: %q", got)
		}
	})
}

// A quiet subscription may live on at the server: it is given to the server again, and its messages are heard meanwhile.
func TestALossOfAQuietSubscriptionHasItRenewed(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		h := New(onStore(t, s, "alice"))
		err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			hash := sha256.Sum256([]byte("alice"))
			return tx.ActivateSubscription(ctx, "Default", "alice", store.Grant{TokenHash: hash[:], ID: "S-alice", Quiet: true, At: time.Unix(1, 0)})
		})
		if err != nil {
			t.Fatal(err)
		}
		before := mailbox(t, s, "alice")
		if got := text(t, do(t, h, "POST", NotificationPath+"?Default&k=alice", "S-alice lost")); got != "OK" {
			t.Fatalf("lost: %q", got)
		}
		if m := mailbox(t, s, "alice"); m.SubscriptionID != "S-alice" || m.RenewAt.IsZero() || m.Wanted != before.Wanted+1 {
			t.Errorf("%+v", m)
		}
		if got := text(t, do(t, h, "POST", NotificationPath+"?Default&k=alice", "S-alice dirty")); got != "OK" {
			t.Errorf("its next message: %q", got)
		}
	})
}

func TestALateLossDoesNotEndTheSuccessor(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		subs := onStore(t, s, "alice").Subscriptions
		before := mailbox(t, s, "alice")
		gone := sha256.Sum256([]byte("alice's former token"))
		err := subs.Heard(t.Context(), []Heard{{Tenant: "Default", Person: "alice", TokenHash: gone[:], Kind: backend.Lost, At: time.Unix(1, 0)}})
		if err != nil {
			t.Fatal(err)
		}
		if m := mailbox(t, s, "alice"); m.SubscriptionID != "S-alice" || m.Wanted != before.Wanted+1 {
			t.Errorf("subscription %q, wanted %d after %d", m.SubscriptionID, m.Wanted, before.Wanted)
		}
	})
}

func TestManyNoticesAtOnceAreAllMarked(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		var people []string
		for i := range 20 {
			people = append(people, fmt.Sprintf("p%d", i))
		}
		h := New(onStore(t, s, people...))
		before := mailbox(t, s, "p0")
		var wg sync.WaitGroup
		for _, p := range people {
			for range 5 {
				wg.Go(func() {
					if got := text(t, do(t, h, "POST", NotificationPath+"?Default&k="+p, "S-"+p+" dirty")); got != "OK" {
						t.Errorf("%s: %q", p, got)
					}
				})
			}
		}
		wg.Wait()
		for _, p := range people {
			if got := mailbox(t, s, p).Wanted; got <= before.Wanted {
				t.Errorf("%s was not marked", p)
			}
		}
	})
}
