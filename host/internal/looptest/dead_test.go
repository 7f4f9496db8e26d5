package looptest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/looptest"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

var deaths = []string{
	"create:key-stored", "create:applied", "change:applied", "notification:waiting", "delete:planned", "delete:applied",
}

// A host that is killed at any point leaves nothing behind once another one runs.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, point := range deaths {
		t.Run(point, func(t *testing.T) {
			in(t, func(w *world) {
				w.tells("alice", time.Second)
				w.o.Failpoint = dieAt(point)
				first, kill := w.serve()
				run := w.begin(first, "alice")
				time.Sleep(10 * time.Second)
				synctest.Wait()
				kill()
				if row := w.row(run.ID); row.Outcome != looptest.Running || row.Key == "" || row.Cleaned {
					t.Fatalf("after death: %+v", row)
				}
				second, _ := w.serve()
				// An SQLite database has one process at a time, so the run is known to be dead at once.
				got, _, err := second.Run(w.Context(), tenant, run.ID)
				if err != nil || got.Outcome != looptest.Interrupted {
					t.Errorf("%s, %v", states(got), err)
				}
				if s := states(got); strings.Contains(s, looptest.StatePending) || strings.Contains(s, "running") {
					t.Errorf("%s", s)
				}
				again, already, err := second.Start(w.Context(), tenant, "alice")
				if err != nil || already || again.ID == run.ID {
					t.Errorf("new run: %+v, %v, %v", again, already, err)
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				w.untouched()
				if !w.row(run.ID).Cleaned {
					t.Error("not recorded as cleaned")
				}
			})
		})
	}
}

// The same while the host goes on, as when another host of several dies: the run is dead when it has been silent for long.
func TestSilentRunsAreCleanedUpAfter(t *testing.T) {
	t.Parallel()
	for _, point := range deaths {
		t.Run(point, func(t *testing.T) {
			in(t, func(w *world) {
				w.tells("alice", time.Second)
				w.o.Failpoint = dieAt(point)
				r, _ := w.serve()
				run := w.begin(r, "alice")
				time.Sleep(10 * time.Second)
				if _, already, err := r.Start(w.Context(), tenant, "alice"); !already || err != nil {
					t.Errorf("a silent run was given up too soon: %v", err)
				}
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				w.untouched()
				if row := w.row(run.ID); row.Outcome != looptest.Interrupted || !row.Cleaned {
					t.Errorf("row %+v", row)
				}
			})
		})
	}
}

func TestStopped(t *testing.T) {
	in(t, func(w *world) {
		r, stop := w.serve()
		run := w.begin(r, "alice")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(w.server.all()) != 2 {
			t.Fatal("the item was not made yet")
		}
		stop()
		got, _, err := r.Run(w.Context(), tenant, run.ID)
		if err != nil || states(got) != "interrupted: ok ok ok failed skipped" || !w.row(run.ID).Cleaned {
			t.Errorf("%s, %v", states(got), err)
		}
		w.untouched()
		if len(w.fallen) != 0 {
			t.Errorf("fallen back: %v", w.fallen)
		}
	})
}

func TestStoppedWhileTheServerIsAway(t *testing.T) {
	in(t, func(w *world) {
		r, stop := w.serve()
		run := w.begin(r, "alice")
		time.Sleep(10 * time.Second)
		w.server.fail(func(string) error { return fault.Unavailable }, nil)
		stop()
		if row := w.row(run.ID); row.Outcome != looptest.Interrupted || row.Cleaned {
			t.Errorf("row %+v", row)
		}
		w.server.fail(nil, nil)
		time.Sleep(time.Second)
		w.serve()
		w.untouched()
		if !w.row(run.ID).Cleaned {
			t.Error("not recorded as cleaned")
		}
	})
}

func TestStartedInTheLastMoment(t *testing.T) {
	in(t, func(w *world) {
		r, stop := w.serve()
		run := w.begin(r, "alice")
		stop()
		if got, _, _ := r.Run(w.Context(), tenant, run.ID); got.Outcome != looptest.Interrupted || !w.row(run.ID).Cleaned {
			t.Errorf("%s", states(got))
		}
		w.untouched()
	})
}

// A host that slept while another one took its run for dead must not go on with it.
func TestARunThatWasGivenUpEnds(t *testing.T) {
	in(t, func(w *world) {
		r, _ := w.serve()
		run := w.begin(r, "alice")
		time.Sleep(10 * time.Second)
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			row, _, err := tx.TestRun(ctx, tenant, run.ID)
			if err != nil {
				return err
			}
			row.Outcome, row.Cleaned = looptest.Interrupted, true
			return tx.PutTestRun(ctx, row)
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		w.untouched()
		if row := w.row(run.ID); row.Outcome != looptest.Interrupted || !row.Cleaned || len(w.fallen) != 0 {
			t.Errorf("row %+v, fallen back %v", row, w.fallen)
		}
	})
}

// The item of a person that is synced elsewhere by now, or gone, is removed from where it was made.
func TestCleanedWhereItWasMade(t *testing.T) {
	in(t, func(w *world) {
		w.o.Failpoint = dieAt("notification:waiting")
		r, kill := w.serve()
		run := w.begin(r, "alice")
		time.Sleep(10 * time.Second)
		kill()
		w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.DeletePerson(ctx, tenant, "alice") })
		var admitted []string
		mode := w.mode
		w.mode = func(name string) (syncer.Mode, error) {
			m, err := mode(name)
			m.Admit = func(url string) { admitted = append(admitted, url) }
			return m, err
		}
		w.serve()
		w.untouched()
		if !w.row(run.ID).Cleaned || fmt.Sprint(admitted) != "[https://mail.example.com/x]" {
			t.Errorf("row %+v, admitted %v", w.row(run.ID), admitted)
		}
	})
}

// The sync reads a calendar that holds a test item, and neither changes it nor says anything of it.
func TestTheSyncLeavesTheItemAlone(t *testing.T) {
	in(t, func(w *world) {
		engine := syncer.New(syncer.Options{
			Store: w.store, Modes: w, Limits: syncer.DefaultLimits(),
			Render: func(b *booking.Booking) ([]byte, error) { return json.Marshal(b) },
		})
		w.o.Failpoint = dieAt("notification:waiting")
		r, _ := w.serve()
		w.begin(r, "alice")
		time.Sleep(10 * time.Second)
		before := w.server.all()
		for range 3 {
			if _, err := engine.Pass(w.Context(), tenant, "alice"); err != nil {
				t.Fatal(err)
			}
		}
		// Gone, it is not missed either.
		for _, it := range before {
			if it.Key != "" {
				_, _ = w.server.apply(calendar.Mutation{Op: calendar.Delete, Ref: it.Ref})
			}
		}
		if err := engine.Sync(w.Context(), tenant, "alice", true); err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Pass(w.Context(), tenant, "alice"); err != nil {
			t.Fatal(err)
		}
		if len(before) != 2 {
			t.Errorf("the calendar held %d items", len(before))
		}
		differences, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{IncludeClosed: true})
		if err != nil || len(differences) != 0 {
			t.Errorf("differences %+v, %v", differences, err)
		}
		bookings, err := w.store.Bookings(w.Context(), tenant, store.BookingFilter{})
		if err != nil || len(bookings) != 0 {
			t.Errorf("bookings %+v, %v", bookings, err)
		}
		activities, err := w.store.Activities(w.Context(), tenant, "alice", "", 0)
		for _, a := range activities {
			if strings.Contains(a.What, "item") || a.Booking != "" {
				t.Errorf("on the timeline: %+v", a)
			}
		}
		if err != nil {
			t.Error(err)
		}
		w.untouched()
	})
}
