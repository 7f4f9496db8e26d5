package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

var morning = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func meeting(id string, hour, hours int, resources ...string) *booking.Booking {
	b := &booking.Booking{
		Tenant: tenant, ID: id, Version: 1, Title: "T", Organizer: "alice", Resources: resources,
		Start: morning.Add(time.Duration(hour) * time.Hour), End: morning.Add(time.Duration(hour+hours) * time.Hour),
	}
	b.Normalize()
	return b
}

func putBooking(t *testing.T, s *store.Store, list ...*booking.Booking) {
	t.Helper()
	tx(t, s, func(ctx context.Context, tx *store.Tx) error {
		for _, b := range list {
			if err := tx.PutBooking(ctx, b); err != nil {
				return err
			}
		}
		return nil
	})
}

func ids(list []*booking.Booking) []string {
	var ids []string
	for _, b := range list {
		ids = append(ids, b.ID)
	}
	return ids
}

func TestABookingComesBackAsItWas(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		texts := rapid.StringMatching(`[ -~äöü€😀\n]{0,20}`)
		rapid.Check(t, func(r *rapid.T) {
			start := time.Unix(rapid.Int64Range(-1e9, 4e9).Draw(r, "start"), 0).UTC()
			want := &booking.Booking{
				Tenant: tenant, ID: rapid.StringMatching(`[a-z]{1,3}`).Draw(r, "id"), Version: rapid.Int64Min(1).Draw(r, "version"),
				Title: texts.Draw(r, "title"), Notes: texts.Draw(r, "notes"), Location: texts.Draw(r, "location"),
				Start: start, End: start.Add(time.Duration(rapid.IntRange(0, 1e6).Draw(r, "seconds")) * time.Second),
				Zone:      rapid.SampledFrom([]string{"", "Europe/Berlin"}).Draw(r, "zone"),
				Organizer: "alice", Resources: rapid.SliceOf(rapid.StringMatching(`[a-z]{1,2}`)).Draw(r, "resources"),
				Busy: booking.Tentative, Class: booking.Private, SyncDisabled: rapid.Bool().Draw(r, "disabled"),
				Status:      rapid.SampledFrom([]booking.Status{booking.Confirmed, booking.Cancelled}).Draw(r, "status"),
				SyncProblem: texts.Draw(r, "problem"), ItemExpected: rapid.Bool().Draw(r, "expected"), ExpectedUntil: start,
				Created: morning, Updated: morning.Add(time.Millisecond),
			}
			for _, e := range rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,3}@x`), 0, 3).Draw(r, "attendees") {
				want.Attendees = append(want.Attendees, booking.Attendee{Email: e, Name: texts.Draw(r, "name"), Role: booking.Optional})
			}
			if rapid.Bool().Draw(r, "reminds") {
				want.ReminderMinutes = new(rapid.IntRange(0, 100).Draw(r, "minutes"))
			}
			want.Normalize()
			if start.Unix() == 0 {
				want.ExpectedUntil = time.Time{}
			}
			err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.PutBooking(ctx, want) })
			if err != nil {
				r.Fatal(err)
			}
			got, ok, err := s.Booking(t.Context(), tenant, want.ID)
			if err != nil || !ok {
				r.Fatal(ok, err)
			}
			if len(got.Resources)+len(want.Resources) == 0 {
				got.Resources = want.Resources
			}
			if len(got.Attendees)+len(want.Attendees) == 0 {
				got.Attendees = want.Attendees
			}
			if !reflect.DeepEqual(got, want) {
				r.Fatalf("got  %+v\nwant %+v", got, want)
			}
		})
	})
}

func TestBookingsAreChosenByTimePersonAndProblem(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		bob, off, bad, day := meeting("b-bob", 2, 1), meeting("c-off", 2, 1), meeting("d-bad", 4, 1), meeting("e-day", 0, 0)
		bob.Organizer = "bob"
		off.Status = booking.Cancelled
		bad.SyncProblem = "refused five times"
		day.Start, day.End = morning.Truncate(24*time.Hour), morning.Truncate(24*time.Hour).Add(24*time.Hour)
		day.AllDay, day.Zone = true, "Pacific/Auckland" // 13 hours earlier than UTC's day
		other := meeting("f-other", 0, 1)
		other.Tenant = "Other"
		putBooking(t, s, meeting("a", 0, 1), bob, off, bad, day, other, meeting("g-zero", 4, 0))
		hour := func(n int) time.Time { return morning.Add(time.Duration(n) * time.Hour) }
		for _, c := range []struct {
			filter store.BookingFilter
			want   []string
		}{
			{store.BookingFilter{}, []string{"a", "b-bob", "d-bad", "e-day", "g-zero"}},
			{store.BookingFilter{IncludeCancelled: true, Limit: 3}, []string{"a", "b-bob", "c-off"}},
			{store.BookingFilter{After: "b-bob", Limit: 1}, []string{"d-bad"}},
			{store.BookingFilter{Person: "bob"}, []string{"b-bob"}},
			{store.BookingFilter{Problem: true}, []string{"d-bad"}},
			{store.BookingFilter{From: hour(1), To: hour(4)}, []string{"b-bob", "e-day"}},
			{store.BookingFilter{From: hour(4)}, []string{"d-bad", "g-zero"}},
			{store.BookingFilter{To: hour(0)}, []string{"e-day"}},
		} {
			list, err := s.Bookings(t.Context(), tenant, c.filter)
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(list); !slices.Equal(got, c.want) {
				t.Errorf("Bookings(%+v) = %q, want %q", c.filter, got, c.want)
			}
		}
	})
}

func TestOverlapIsTheModels(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		kept := map[string]*booking.Booking{}
		draw := func(r *rapid.T) *booking.Booking {
			b := meeting(rapid.StringMatching(`[a-h]`).Draw(r, "id"), rapid.IntRange(0, 6).Draw(r, "hour"),
				rapid.IntRange(0, 3).Draw(r, "hours"), rapid.SliceOfN(rapid.StringMatching(`[xyz]`), 0, 2).Draw(r, "resources")...)
			if rapid.IntRange(0, 4).Draw(r, "cancelled") == 0 {
				b.Status = booking.Cancelled
			}
			return b
		}
		rapid.Check(t, func(r *rapid.T) {
			b := draw(r)
			var want []string
			for _, o := range kept {
				if o.ID != b.ID && booking.Overlaps(b, o) {
					want = append(want, o.ID)
				}
			}
			slices.Sort(want)
			err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				got, err := tx.Overlapping(ctx, b)
				if err != nil {
					return err
				}
				if !slices.Equal(got, want) {
					return fmt.Errorf("Overlapping(%+v) = %q, want %q", b, got, want)
				}
				return tx.PutBooking(ctx, b)
			})
			if err != nil {
				r.Fatal(err)
			}
			kept[b.ID] = b
		})
	})
}

// TestTwoWritersNeverDoubleBook has many writers race for the same two rooms.
func TestTwoWritersNeverDoubleBook(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		taken := errors.New("taken")
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			wins []string
		)
		for i := range 12 {
			wg.Go(func() {
				rooms := []string{"red", "blue"}
				if i%2 == 0 {
					slices.Reverse(rooms) // asked for in another order
				}
				b := meeting(fmt.Sprintf("b%02d", i), i%3, 4, rooms...)
				err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					others, err := tx.Overlapping(ctx, b)
					if err != nil {
						return err
					}
					if len(others) > 0 {
						return taken
					}
					return tx.PutBooking(ctx, b)
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					wins = append(wins, b.ID)
				} else if !errors.Is(err, taken) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(wins) != 1 {
			t.Errorf("bookings that got the rooms: %q, want one", wins)
		}
	})
}

// TestTwoWritersOfOneBookingTakeTurns has many writers create and change one booking on top of what they read.
func TestTwoWritersOfOneBookingTakeTurns(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		const writers = 10
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					b, ok, err := tx.Booking(ctx, tenant, "one")
					if err != nil {
						return err
					}
					if !ok {
						b = meeting("one", 0, 1)
						b.Version = 0
					}
					b.Version++
					return tx.PutBooking(ctx, b)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		b, ok, err := s.Booking(t.Context(), tenant, "one")
		if err != nil || !ok || b.Version != writers {
			t.Errorf("booking = %+v, %v, %v; want version %d", b, ok, err, writers)
		}
	})
}

func TestUnlinkedBookingsAreThoseThatBelongIntoTheCalendar(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		off, cancelled, bobs := meeting("off", 3, 1), meeting("cancelled", 3, 1), meeting("bobs", 3, 1)
		off.SyncDisabled = true
		cancelled.Status = booking.Cancelled
		bobs.Organizer = "bob"
		putBooking(t, s, meeting("z-soon", 1, 1), meeting("linked", 3, 1), meeting("dead-link", 3, 1), meeting("past", -9, 1),
			off, cancelled, bobs)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(
				tx.PutLink(ctx, store.Link{Tenant: tenant, Key: "k1", Booking: "linked", Person: "alice", State: store.LinkPending}),
				tx.PutLink(ctx, store.Link{Tenant: tenant, Key: "k2", Booking: "dead-link", Person: "alice", State: store.LinkDead}),
				tx.PutLink(ctx, store.Link{Tenant: "Other", Key: "k3", Booking: "z-soon", Person: "alice", State: store.LinkLive}),
			)
		})
		list, err := s.UnlinkedBookings(t.Context(), tenant, "alice", morning, 10)
		if got, want := ids(list), []string{"z-soon", "dead-link"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("UnlinkedBookings = %q, %v; want %q", got, err, want)
		}
	})
}
