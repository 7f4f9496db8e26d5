package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

func appendChange(s *store.Store, ctx context.Context, tenant, booking string) error {
	return s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.AppendChange(ctx, store.ChangeRecord{Tenant: tenant, Kind: "created", Booking: booking})
		return err
	})
}

func TestTheChangeFeedKeepsWhatWasAppended(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		want := store.ChangeRecord{
			Tenant: tenant, Seq: 1, Kind: "updated", Source: "calendar", Booking: "b", Version: 7, At: morning,
			Data: []byte(`{"id":"b"}`), Reason: "moved in Outlook",
		}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			seq, err := tx.AppendChange(ctx, want)
			if seq != 1 {
				t.Errorf("seq = %d, want 1", seq)
			}
			return err
		})
		if err := appendChange(s, t.Context(), "Other", "x"); err != nil {
			t.Fatal(err)
		}
		list, err := s.Changes(t.Context(), tenant, 0, 10)
		if err != nil || len(list) != 1 || fmt.Sprint(list[0]) != fmt.Sprint(want) {
			t.Errorf("Changes = %+v, %v; want %+v", list, err, want)
		}
		for tenant, want := range map[string]int64{tenant: 1, "Other": 1, "None": 0} {
			if got, err := s.LastSeq(t.Context(), tenant); err != nil || got != want {
				t.Errorf("LastSeq(%s) = %d, %v; want %d", tenant, got, err, want)
			}
		}
	})
}

// TestAReaderOfTheFeedNeverMissesAChange reads while many append, always after the last number seen.
func TestAReaderOfTheFeedNeverMissesAChange(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		const writers, each = 6, 15
		changed, cancel := s.WatchChanges(tenant)
		defer cancel()
		boom := errors.New("boom")
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					if err := appendChange(s, t.Context(), tenant, fmt.Sprintf("%d-%d", w, i)); err != nil {
						t.Error(err)
					}
					err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
						_, err := tx.AppendChange(ctx, store.ChangeRecord{Tenant: tenant, Booking: "never"})
						return errors.Join(err, boom) // leaves no gap
					})
					if !errors.Is(err, boom) {
						t.Error(err)
					}
				}
			})
		}
		var last int64
		for last < writers*each {
			<-changed
			for {
				list, err := s.Changes(t.Context(), tenant, last, 7)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range list {
					if c.Seq != last+1 {
						t.Fatalf("after %d comes %d", last, c.Seq)
					}
					last = c.Seq
				}
				if len(list) < 7 {
					break
				}
			}
		}
		wg.Wait()
	})
}

func TestAWatchEndsWhenCancelled(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		gone, cancel := s.WatchChanges(tenant)
		cancel()
		cancel()
		other, cancelOther := s.WatchChanges("Other")
		defer cancelOther()
		if err := appendChange(s, t.Context(), tenant, "b"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-gone:
			t.Error("woken after the end")
		case <-other:
			t.Error("woken by another tenant")
		default:
		}
	})
}

func TestPruneTakesOnlyWhatHasServed(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPerson(t, s, "alice")
		old, young := morning, morning.Add(time.Hour)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			var errs []error
			for _, at := range []time.Time{old, young} {
				errs = append(errs,
					tx.AddActivity(ctx, store.Activity{Tenant: tenant, Person: "alice", At: at, What: "x"}),
					tx.AddDifference(ctx, store.Difference{Tenant: tenant, Booking: "open", Kind: at.String(), At: at}),
					tx.AddDifference(ctx, store.Difference{Tenant: tenant, Booking: "closed", Kind: at.String(), At: at}),
					tx.AddSubscription(ctx, store.Subscription{Tenant: tenant, Person: "alice", TokenHash: []byte(at.String()), Created: at}))
				_, err := tx.AppendChange(ctx, store.ChangeRecord{Tenant: tenant, At: at})
				errs = append(errs, err)
			}
			return errors.Join(append(errs, tx.CloseDifferences(ctx, tenant, "closed", ""),
				tx.AddSubscription(ctx, store.Subscription{Tenant: tenant, Person: "alice", TokenHash: []byte("a"), Created: old, Active: true}))...)
		})
		prune := func(activities, changes time.Time, want int64) {
			t.Helper()
			tx(t, s, func(ctx context.Context, tx *store.Tx) error {
				n, err := tx.Prune(ctx, store.Before{Timeline: activities, Changes: changes})
				if n != want {
					t.Errorf("Prune took %d rows, want %d", n, want)
				}
				return err
			})
		}
		prune(time.Time{}, time.Time{}, 0)
		prune(young, time.Time{}, 2) // an activity, a subscription nobody answered; the differences were closed just now
		prune(young, young, 1)
		if list, err := s.Changes(t.Context(), tenant, 0, 10); err != nil || len(list) != 1 || list[0].Seq != 2 {
			t.Errorf("feed after pruning = %+v, %v", list, err)
		}
		if err := appendChange(s, t.Context(), tenant, "b"); err != nil {
			t.Fatal(err)
		}
		if seq, err := s.LastSeq(t.Context(), tenant); err != nil || seq != 3 {
			t.Errorf("LastSeq = %d, %v; numbers must go on", seq, err)
		}
		// The second activity and the second subscription nobody answered, and both differences that were closed; those that are open stay.
		prune(time.Now().Add(time.Hour), time.Time{}, 4)
	})
}
