package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

func TestPutPersonTellsWhatItDid(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		put := func(p directory.Person) (res store.PutResult) {
			t.Helper()
			tx(t, s, func(ctx context.Context, tx *store.Tx) (err error) {
				res, err = tx.PutPerson(ctx, p)
				return err
			})
			return res
		}
		p := person("alice")
		steps := []struct {
			name   string
			change func()
			want   store.PutResult
			epoch  int64
		}{
			{"first", func() {}, store.PutResult{Created: true, Changed: true}, 1},
			{"again", func() {}, store.PutResult{}, 1},
			{"another name", func() { p.DisplayName = "Alice" }, store.PutResult{Changed: true}, 1},
			{"address in capitals", func() { p.Email = "ALICE@example.com" }, store.PutResult{Changed: true}, 1},
			{"another address", func() { p.Email = "alice.a@example.com" }, store.PutResult{Changed: true, Moved: true}, 2},
			{"another mode", func() { p.SyncMode = "O365" }, store.PutResult{Changed: true, Moved: true}, 3},
			{"another URL", func() { p.SyncURL = "https://x.example/" }, store.PutResult{Changed: true, Moved: true}, 4},
			{"switched off", func() { p.SyncDisabled = true }, store.PutResult{Changed: true}, 4},
		}
		for _, step := range steps {
			step.change()
			if got := put(p); got != step.want {
				t.Errorf("%s: PutPerson = %+v, want %+v", step.name, got, step.want)
			}
			if got := must[store.PersonRow](t)(s.Person(t.Context(), tenant, "alice")); got.Person != p {
				t.Errorf("%s: person = %+v, want %+v", step.name, got.Person, p)
			}
			m := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, "alice"))
			if m.Epoch != step.epoch {
				t.Errorf("%s: epoch = %d, want %d", step.name, m.Epoch, step.epoch)
			}
		}
	})
}

func TestAMovedPersonStartsAnew(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPerson(t, s, "alice")
		later := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			m := must[store.Mailbox](t)(tx.Mailbox(ctx, tenant, "alice"))
			m.Cursor, m.Round, m.RoundOpen, m.ReconcileAt, m.WaitUntil, m.Way = "c", 3, true, later, later, "push"
			return errors.Join(
				tx.SaveMailbox(ctx, m),
				tx.AddSubscription(ctx, store.Subscription{Tenant: tenant, Person: "alice", TokenHash: []byte("h")}),
				tx.ActivateSubscription(ctx, tenant, "alice", store.Grant{TokenHash: []byte("h"), ID: "sub-1", At: later}),
				tx.SetPersonState(ctx, tenant, "alice", store.PersonState{Status: store.StatusOK}),
			)
		})
		p := person("alice")
		p.Email = "elsewhere@example.com"
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.PutPerson(ctx, p)
			return err
		})
		m := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, "alice"))
		if m.Cursor != "" || m.RoundOpen || m.SubscriptionID != "" || !m.SubscribedAt.IsZero() || !m.ReconcileAt.IsZero() ||
			!m.WaitUntil.IsZero() || m.Way != "" {
			t.Errorf("mailbox after the move = %+v", m)
		}
		if m.Wanted <= m.Done {
			t.Errorf("wanted %d, done %d: nobody looks at the new mailbox", m.Wanted, m.Done)
		}
		if _, ok, err := s.SubscriptionByToken(t.Context(), []byte("h")); ok || err != nil {
			t.Errorf("old token is still known: %v, %v", ok, err)
		}
		if got := must[store.PersonRow](t)(s.Person(t.Context(), tenant, "alice")); got.State.Status != store.StatusNew {
			t.Errorf("state = %+v, want new", got.State)
		}
	})
}

func TestAnAddressBelongsToOnePersonOfATenant(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPerson(t, s, "alice", "bob")
		p := person("bob")
		p.Email = "Alice@Example.COM"
		err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.PutPerson(ctx, p)
			return err
		})
		var taken *store.TakenError
		if !errors.As(err, &taken) || taken.By != "alice" {
			t.Errorf("PutPerson = %v, want TakenError by alice", err)
		}
		got := must[store.PersonRow](t)(s.PersonByEmail(t.Context(), tenant, "ALICE@example.com"))
		if got.ID != "alice" {
			t.Errorf("PersonByEmail found %q", got.ID)
		}
		p.Tenant = "Other" // another tenant may have it
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.PutPerson(ctx, p)
			return err
		})
		if _, ok, err := s.Person(t.Context(), "Other", "alice"); ok || err != nil {
			t.Errorf("a person crossed tenants: %v, %v", ok, err)
		}
	})
}

func TestPersonsComeInPagesAndByState(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPerson(t, s, "alice", "Bob", "carol", "dave")
		room := person("room")
		room.Kind = directory.KindResource
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.PutPerson(ctx, room)
			return errors.Join(err, tx.SetPersonState(ctx, tenant, "carol", store.PersonState{Status: store.StatusAttention}))
		})
		for _, c := range []struct {
			filter store.PersonFilter
			want   []string
		}{
			{store.PersonFilter{}, []string{"Bob", "alice", "carol", "dave", "room"}}, // byte by byte on both databases
			{store.PersonFilter{Limit: 2}, []string{"Bob", "alice"}},
			{store.PersonFilter{Limit: 2, After: "alice"}, []string{"carol", "dave"}},
			{store.PersonFilter{Status: store.StatusAttention}, []string{"carol"}},
			{store.PersonFilter{Kind: "resource"}, []string{"room"}},
			{store.PersonFilter{After: "room"}, nil},
		} {
			list, err := s.Persons(t.Context(), tenant, c.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range list {
				got = append(got, p.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("Persons(%+v) = %q, want %q", c.filter, got, c.want)
			}
		}
	})
}

func TestAStateKeepsItsBeginningWhileItLasts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		c := newClock()
		s := storetest.New(t, store.Options{URL: url, Now: c.Now})
		addPerson(t, s, "alice")
		began := c.now
		state := func(st store.PersonState) store.PersonState {
			t.Helper()
			c.now = c.now.Add(time.Hour)
			tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.SetPersonState(ctx, tenant, "alice", st) })
			return must[store.PersonRow](t)(s.Person(t.Context(), tenant, "alice")).State
		}
		waiting := store.PersonState{Status: store.StatusWaiting, Kind: "unavailable", Reason: "r", Remedy: "m", Until: began.Add(24 * time.Hour)}
		first := state(waiting)
		if want := began.Add(time.Hour); !first.Since.Equal(want) || first.Reason != "r" || first.Remedy != "m" || !first.Until.Equal(waiting.Until) {
			t.Errorf("state = %+v, want %+v since %v", first, waiting, want)
		}
		waiting.Reason = "another server"
		if second := state(waiting); !second.Since.Equal(first.Since) || second.Reason != "another server" {
			t.Errorf("same kind again = %+v, want since %v", second, first.Since)
		}
		waiting.Kind = "unauthorized"
		if third := state(waiting); !third.Since.Equal(began.Add(3 * time.Hour)) {
			t.Errorf("another kind = %+v, want a new beginning", third)
		}
	})
}

func TestADeletedPersonLeavesNothingThatActs(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPerson(t, s, "alice", "bob")
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(
				tx.AddSubscription(ctx, store.Subscription{Tenant: tenant, Person: "alice", TokenHash: []byte("h")}),
				tx.PutLink(ctx, store.Link{Tenant: tenant, Key: "k", Booking: "b", Person: "alice", State: store.LinkLive, Ref: "r"}),
				tx.PutIntent(ctx, store.Intent{Tenant: tenant, Key: "k", Booking: "b", Person: "alice", Op: store.OpSync}),
				tx.AddDifference(ctx, store.Difference{Tenant: tenant, Person: "alice", Booking: "b", Kind: "edit lost"}),
			)
		})
		tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.DeletePerson(ctx, tenant, "alice") })
		ctx := t.Context()
		_, personThere, err1 := s.Person(ctx, tenant, "alice")
		_, mailboxThere, err2 := s.Mailbox(ctx, tenant, "alice")
		_, tokenKnown, err3 := s.SubscriptionByToken(ctx, []byte("h"))
		_, intentThere, err4 := s.Intent(ctx, tenant, "k")
		_, itemLinked, err5 := s.LinkByRef(ctx, tenant, "alice", "r")
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			t.Fatal(err)
		}
		if personThere || mailboxThere || tokenKnown || intentThere || itemLinked {
			t.Error("something of the person is still there:", personThere, mailboxThere, tokenKnown, intentThere, itemLinked)
		}
		if l := must[store.Link](t)(s.Link(ctx, tenant, "k")); l.State != store.LinkDead {
			t.Errorf("link = %+v, want it dead, so that its key is never used again", l)
		}
		if open, err := s.Differences(ctx, tenant, store.DifferenceFilter{}); err != nil || len(open) != 0 {
			t.Errorf("open differences = %v, %v", open, err)
		}
		must[store.PersonRow](t)(s.Person(ctx, tenant, "bob"))
	})
}

// A person is found by an address that he had, until it is somebody else's; one by which the mailbox never could be read was never his.
func TestAPersonIsFoundByFormerAddresses(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		put := func(id, email string) {
			t.Helper()
			tx(t, s, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.PutPerson(ctx, directory.Person{Tenant: tenant, ID: id, Email: email, Kind: directory.KindPerson})
				return err
			})
		}
		find := func(email, want string) {
			t.Helper()
			row, found, err := s.PersonByEmail(t.Context(), tenant, email)
			if err != nil || found != (want != "") || row.ID != want {
				t.Errorf("%s is %q (%v), want %q", email, row.ID, err, want)
			}
		}
		since := func(want int64) {
			t.Helper()
			if got, err := s.AddressedSince(t.Context(), tenant, "ann"); err != nil || got != want {
				t.Errorf("addressed so since epoch %d (%v), want %d", got, err, want)
			}
		}
		put("ann", "ann@old.example")
		since(0)
		put("ann", "Ann@new.example")
		find("ANN@old.example", "ann")
		find("ann@new.example", "ann")
		since(2)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return tx.SetPersonState(ctx, tenant, "ann", store.PersonState{Status: store.StatusAttention, Kind: "not_found"})
		})
		put("ann", "ann@third.example")
		find("ann@new.example", "")
		since(2)
		put("bob", "ann@old.example")
		find("ann@old.example", "bob")
		put("bob", "bob@old.example")
		find("ann@old.example", "bob")
		put("ann", "ann@old.example")
		find("ann@old.example", "ann")
		tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.DeletePerson(ctx, tenant, "ann") })
		find("ann@old.example", "bob")
		find("ann@third.example", "")
	})
}
