package store_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

func TestPersonsAreFoundByWhatIsKnownOfThem(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			for id, name := range map[string]string{"a1": "Übel, Anna", "A2": "100% Anton", "b1": "Bert_x"} {
				p := person(id)
				p.DisplayName = name
				if id == "b1" {
					p.SyncMode = "EWS1"
				}
				if _, err := tx.PutPerson(ctx, p); err != nil {
					return err
				}
			}
			m := must[store.Mailbox](t)(tx.Mailbox(ctx, tenant, "A2"))
			m.Way = "streaming"
			return tx.SaveMailbox(ctx, m)
		})
		for _, c := range []struct {
			name string
			f    store.PersonFilter
			want []string
		}{
			{"mode", store.PersonFilter{Mode: "EWS1"}, []string{"b1"}},
			{"way", store.PersonFilter{Way: "streaming"}, []string{"A2"}},
			{"way nobody is on", store.PersonFilter{Way: "push"}, nil},
			{"id, whatever the case", store.PersonFilter{Prefix: "a"}, []string{"A2", "a1"}},
			{"e-mail address", store.PersonFilter{Prefix: "B1@EXAMPLE"}, []string{"b1"}},
			{"name", store.PersonFilter{Prefix: "Übel, A"}, []string{"a1"}},
			{"name in small letters", store.PersonFilter{Prefix: "bert_"}, []string{"b1"}},
			{"what is no pattern", store.PersonFilter{Prefix: "100%"}, []string{"A2"}},
			{"a pattern", store.PersonFilter{Prefix: "%"}, nil},
			{"not yet", store.PersonFilter{UpdatedSince: time.Now().Add(time.Hour)}, nil},
			{"since long", store.PersonFilter{UpdatedSince: time.Unix(1, 0)}, []string{"A2", "a1", "b1"}},
		} {
			list, err := s.Persons(t.Context(), tenant, c.f)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			var got []string
			for _, p := range list {
				got = append(got, p.ID)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	})
}

func TestBookingsAreFoundByResource(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		start := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			for id, resources := range map[string][]string{"1": {"r1"}, "2": {"r2", "r1"}, "3": {"R1"}, "4": {`a"r1"b`}, "5": nil, "6": {"r12"}} {
				b := &booking.Booking{
					Tenant: tenant, ID: id, Version: 1, Start: start, End: start.Add(time.Hour), Organizer: "alice",
					Resources: resources, Status: booking.Confirmed,
				}
				if id == "2" {
					b.Status = booking.Cancelled
				}
				if err := tx.PutBooking(ctx, b); err != nil {
					return err
				}
			}
			return nil
		})
		for _, c := range []struct {
			f    store.BookingFilter
			want []string
		}{
			{store.BookingFilter{Resource: "r1"}, []string{"1"}},
			{store.BookingFilter{Resource: "r1", IncludeCancelled: true}, []string{"1", "2"}},
			{store.BookingFilter{Resource: `a"r1"b`, Person: "alice"}, []string{"4"}},
			{store.BookingFilter{Resource: "r"}, nil},
		} {
			list, err := s.Bookings(t.Context(), tenant, c.f)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range list {
				got = append(got, b.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v, want %v", c.f, got, c.want)
			}
		}
	})
}

func TestTimelineAndDifferencesComeInPages(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			var errs error
			for _, what := range []string{"a", "b", "c", "d"} {
				errs = errors.Join(errs,
					tx.AddActivity(ctx, store.Activity{Tenant: tenant, Person: "alice", Booking: "1", What: what}),
					tx.AddDifference(ctx, store.Difference{Tenant: tenant, Person: "alice", Kind: "k", Detail: what}))
			}
			return errs
		})
		for _, by := range []store.ActivityFilter{{}, {Person: "alice"}, {Booking: "1"}} {
			before, seen := int64(math.MaxInt64), ""
			var ids []int64
			for {
				by.Before, by.Limit = before, 3
				page, err := s.Timeline(t.Context(), tenant, by)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				for _, a := range page {
					seen += a.What
					ids = append(ids, a.ID)
				}
				before = ids[len(ids)-1]
			}
			if seen != "dcba" {
				t.Errorf("%+v: %q", by, seen)
			}
			by.Before, by.After = 0, ids[1]
			if newer, err := s.Timeline(t.Context(), tenant, by); err != nil || len(newer) != 1 || newer[0].What != "d" {
				t.Errorf("%+v: %+v, %v", by, newer, err)
			}
		}
		all, err := s.Differences(t.Context(), tenant, store.DifferenceFilter{})
		if err != nil || len(all) != 4 {
			t.Fatal(all, err)
		}
		older, err := s.Differences(t.Context(), tenant, store.DifferenceFilter{Before: all[1].ID})
		if err != nil || len(older) != 2 || older[0].ID != all[2].ID {
			t.Errorf("%+v, %v", older, err)
		}
	})
}
