package store_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

func TestTheTimelineIsNewestFirst(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		add := func(person, booking, what string) {
			tx(t, s, func(ctx context.Context, tx *store.Tx) error {
				return tx.AddActivity(ctx, store.Activity{Tenant: tenant, Person: person, Booking: booking, At: morning, What: what, Why: "w"})
			})
		}
		add("alice", "b1", "one")
		add("alice", "", "two")
		add("bob", "b1", "three")
		add("alice", "b1", "four")
		for _, c := range []struct {
			person, booking string
			limit           int
			want            string
		}{
			{"alice", "", 10, "four two one "},
			{"alice", "", 2, "four two "},
			{"", "b1", 0, "four three one "},
			{"bob", "b1", 0, "three "},
			{"alice", "b1", 0, "four one "},
			{"", "", 2, "four three "},
			{"carol", "", 0, ""},
		} {
			list, err := s.Activities(t.Context(), tenant, c.person, c.booking, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			for _, a := range list {
				got += a.What + " "
				if !a.At.Equal(morning) || a.Why != "w" || a.ID == 0 {
					t.Errorf("activity = %+v", a)
				}
			}
			if got != c.want {
				t.Errorf("Activities(%q, %q) = %q, want %q", c.person, c.booking, got, c.want)
			}
		}
	})
}

func TestADifferenceIsLaidBeforeAPersonOnce(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		d := store.Difference{Tenant: tenant, Person: "alice", Booking: "b", Kind: "edit lost", Detail: "time", Ref: "r", At: morning}
		add := func() {
			tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.AddDifference(ctx, d) })
		}
		list := func(f store.DifferenceFilter, want int) []store.Difference {
			t.Helper()
			got, err := s.Differences(t.Context(), tenant, f)
			if err != nil || len(got) != want {
				t.Errorf("Differences(%+v) = %+v, %v; want %d", f, got, err, want)
			}
			return got
		}
		add()
		add()
		if got := list(store.DifferenceFilter{}, 1); len(got) == 1 {
			want := d
			want.ID, want.Open, want.Status = got[0].ID, true, store.DifferenceOpen
			if !reflect.DeepEqual(got[0], want) {
				t.Errorf("difference = %+v, want %+v", got[0], want)
			}
		}
		d.Detail = "place"
		add()
		d.Kind = "mail held back"
		add()
		list(store.DifferenceFilter{Booking: "b"}, 3)
		list(store.DifferenceFilter{Kind: "edit lost", Limit: 1}, 1)
		list(store.DifferenceFilter{Person: "bob"}, 0)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return tx.CloseDifferences(ctx, tenant, "b", "edit lost")
		})
		open := list(store.DifferenceFilter{}, 1)
		list(store.DifferenceFilter{IncludeClosed: true}, 3)
		d.Kind = "edit lost"
		add() // the former one is closed, so this is news
		list(store.DifferenceFilter{}, 2)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			closed, err := tx.EndDifference(ctx, tenant, open[0].ID, store.DifferenceClosed)
			again, err2 := tx.EndDifference(ctx, tenant, open[0].ID, store.DifferenceClosed)
			foreign, err3 := tx.EndDifference(ctx, "Other", open[0].ID+1, store.DifferenceClosed)
			if !closed || again || foreign {
				t.Errorf("EndDifference = %v, %v, %v; want true, false, false", closed, again, foreign)
			}
			return errors.Join(err, err2, err3)
		})
		list(store.DifferenceFilter{}, 1)
	})
}

func TestARevokedKeyOpensNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		c := newClock()
		s := storetest.New(t, store.Options{URL: url, Now: c.Now})
		k := store.APIKey{Tenant: tenant, ID: "k1", Name: "booking system", Hash: []byte{0, 1, 255}}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.AddAPIKey(ctx, k), tx.TouchAPIKey(ctx, tenant, "k1", c.now.Add(time.Minute)),
				tx.TouchAPIKey(ctx, tenant, "k1", c.now))
		})
		got := must[store.APIKey](t)(s.APIKeyByHash(t.Context(), k.Hash))
		if got.ID != "k1" || got.Name != k.Name || !got.Created.Equal(c.now) || !got.LastUsed.Equal(c.now.Add(time.Minute)) {
			t.Errorf("key = %+v", got)
		}
		revoke := func(tenant string, want bool) {
			t.Helper()
			tx(t, s, func(ctx context.Context, tx *store.Tx) error {
				done, err := tx.RevokeAPIKey(ctx, tenant, "k1")
				if done != want {
					t.Errorf("RevokeAPIKey(%s) = %v, want %v", tenant, done, want)
				}
				return err
			})
		}
		revoke("Other", false)
		revoke(tenant, true)
		revoke(tenant, false)
		if _, ok, err := s.APIKeyByHash(t.Context(), k.Hash); ok || err != nil {
			t.Errorf("a revoked key was found: %v, %v", ok, err)
		}
		if list, err := s.APIKeys(t.Context(), tenant); err != nil || len(list) != 1 || list[0].Revoked.IsZero() {
			t.Errorf("APIKeys = %+v, %v", list, err)
		}
	})
}
