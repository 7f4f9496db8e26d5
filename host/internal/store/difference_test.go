package store_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

func TestWhatBothSidesSayTellsWhetherADifferenceIsNews(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		d := store.Difference{
			Tenant: tenant, Person: "alice", Booking: "b", Kind: "fields differ", Detail: "subject", Ref: "r", At: morning,
			Newer: store.SideCalendar, Recommend: store.SideBooking, Why: "only the booking was changed", Settles: true, Said: []byte("one"),
		}
		add := func() {
			tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.AddDifference(ctx, d) })
		}
		only := func(f store.DifferenceFilter) store.Difference {
			t.Helper()
			got := must[[]store.Difference](t)(one(s.Differences(t.Context(), tenant, f)))
			if len(got) != 1 {
				t.Fatalf("%d differences, want 1: %+v", len(got), got)
			}
			return got[0]
		}
		add()
		first := only(store.DifferenceFilter{Recommend: store.SideBooking})
		d.Detail, d.Said, d.Settles, d.Recommend = "time", []byte("two"), false, store.SideCalendar
		add()
		revised := only(store.DifferenceFilter{Status: store.DifferenceOpen})
		want := d
		want.ID, want.Open, want.Status = first.ID, true, store.DifferenceOpen
		if !reflect.DeepEqual(revised, want) {
			t.Errorf("revised = %+v, want %+v", revised, want)
		}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.EndDifference(ctx, tenant, first.ID, store.DifferenceIgnored)
			return err
		})
		add()
		if got := must[[]store.Difference](t)(one(s.Differences(t.Context(), tenant, store.DifferenceFilter{}))); len(got) != 0 {
			t.Errorf("what was ignored is shown again: %+v", got)
		}
		d.Said = []byte("three")
		add()
		if only(store.DifferenceFilter{}).ID == first.ID {
			t.Error("a change of a side is no news")
		}
		if got := only(store.DifferenceFilter{Status: store.DifferenceIgnored}); got.ID != first.ID || got.Ended.IsZero() {
			t.Errorf("ignored = %+v", got)
		}
	})
}

func TestAScanEndsWithItsLastPart(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		var id int64
		put := func(p store.ScanPart) {
			t.Helper()
			p.Scan, p.Tenant = id, tenant
			tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.PutScanPart(ctx, p) })
		}
		tx(t, s, func(ctx context.Context, tx *store.Tx) (err error) {
			id, err = tx.AddScan(ctx, store.Scan{Tenant: tenant, Target: store.ScanWindow, From: morning, To: morning.Add(time.Hour), Thorough: true})
			return err
		})
		put(store.ScanPart{Person: "alice", State: store.ScanWaiting})
		put(store.ScanPart{Person: "bob", State: store.ScanWaiting})
		put(store.ScanPart{Person: "alice", State: store.ScanWaiting, Phase: "links", After: "k", Compared: 3})
		part, found, err := s.NextScanPart(t.Context(), tenant, "alice")
		if err != nil || !found || part.After != "k" || part.Compared != 3 {
			t.Fatalf("part = %+v, %v, %v", part, found, err)
		}
		put(store.ScanPart{Person: "alice", State: store.ScanDone, Compared: 5, Differing: 2, Settling: 1})
		scan, found, err := s.Scan(t.Context(), tenant, id)
		want := store.ScanCounts{Mailboxes: 2, Waiting: 1, Compared: 5, Differing: 2, Settling: 1}
		if err != nil || !found || !scan.Ended.IsZero() || scan.Counts != want || !scan.From.Equal(morning) || !scan.Thorough {
			t.Fatalf("scan = %+v, %v, %v; want counts %+v", scan, found, err, want)
		}
		if _, found, err := s.Scan(t.Context(), "Other", id); found || err != nil {
			t.Errorf("another tenant sees the scan: %v", err)
		}
		put(store.ScanPart{Person: "bob", State: store.ScanFailed, Problem: "no rights"})
		all := must[[]store.Scan](t)(one(s.Scans(t.Context(), tenant, 0, 0)))
		if len(all) != 1 || all[0].Ended.IsZero() || all[0].Counts.Failed != 1 {
			t.Errorf("scans = %+v", all)
		}
	})
}

func TestAUnitOfTheQuarantineIsKeptWithItsLinks(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		var id int64
		tx(t, s, func(ctx context.Context, tx *store.Tx) (err error) {
			if id, err = tx.AddQuarantine(ctx, store.Quarantine{Tenant: tenant, Person: "alice", Kind: "k", Items: []byte("[1]"), Total: 1}); err != nil {
				return err
			}
			return tx.PutLink(ctx, store.Link{Tenant: tenant, Key: "b.1", Booking: "b", Person: "alice", State: store.LinkLive, Quarantine: id})
		})
		links := must[[]store.Link](t)(one(s.QuarantinedLinks(t.Context(), tenant, "alice", id)))
		if len(links) != 1 || links[0].Quarantine != id {
			t.Errorf("links = %+v", links)
		}
		q, found, err := s.WaitingQuarantine(t.Context(), tenant, "alice", "k")
		if err != nil || !found || q.ID != id || string(q.Items) != "[1]" {
			t.Fatalf("waiting = %+v, %v, %v", q, found, err)
		}
		q.State = store.QuarantineApproved
		tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.SaveQuarantine(ctx, q) })
		if _, found, err := s.WaitingQuarantine(t.Context(), tenant, "alice", "k"); found || err != nil {
			t.Errorf("it still waits: %v", err)
		}
		got := must[[]store.Quarantine](t)(one(s.Quarantines(t.Context(), tenant, store.QuarantineFilter{State: store.QuarantineApproved})))
		if len(got) != 1 || got[0].Decided.IsZero() {
			t.Errorf("units = %+v", got)
		}
	})
}

func TestBookingsAreListedByWhatIsWrongWithThem(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			for _, id := range []string{"fine", "held", "never", "open", "settles"} {
				b := &booking.Booking{Tenant: tenant, ID: id, Version: 1, Title: "t", Organizer: "alice", Start: morning, End: morning.Add(time.Hour), Status: booking.Confirmed}
				if err := tx.PutBooking(ctx, b); err != nil {
					return err
				}
				l := store.Link{Tenant: tenant, Key: id + ".1", Booking: id, Person: "alice", State: store.LinkLive}
				switch id {
				case "never":
					l.State = store.LinkPending
				case "held":
					l.Problem = "mail held back"
				}
				if err := tx.PutLink(ctx, l); err != nil {
					return err
				}
				if id == "open" || id == "settles" {
					d := store.Difference{Tenant: tenant, Person: "alice", Booking: id, Kind: "fields differ", Settles: id == "settles", Said: []byte(id)}
					if err := tx.AddDifference(ctx, d); err != nil {
						return err
					}
				}
			}
			return nil
		})
		for _, f := range []struct {
			filter store.BookingFilter
			want   []string
		}{
			{store.BookingFilter{Problem: true}, []string{"held", "open"}},
			{store.BookingFilter{Problem: true, Person: "alice"}, []string{"held", "open"}},
			{store.BookingFilter{NeverFound: true}, []string{"never"}},
			{store.BookingFilter{NeverFound: true, Person: "bob"}, nil},
		} {
			var got []string
			for _, b := range must[[]*booking.Booking](t)(one(s.Bookings(t.Context(), tenant, f.filter))) {
				got = append(got, b.ID)
			}
			if !reflect.DeepEqual(got, f.want) {
				t.Errorf("Bookings(%+v) = %v, want %v", f.filter, got, f.want)
			}
		}
	})
}

// one gives what has no "found" the form that must takes.
func one[T any](v T, err error) (T, bool, error) { return v, true, err }
