package looptest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/looptest"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestTheWholeLoop(t *testing.T) {
	in(t, func(w *world) {
		w.tells("alice", 5*time.Second)
		var made calendar.Item
		w.server.fail(nil, func(call string) error {
			if call == "create" {
				for _, it := range w.server.items {
					if it.Key != "" {
						made = it
					}
				}
			}
			return nil
		})
		r, _ := w.serve()
		run := w.ended(r, w.begin(r, "alice").ID)
		if got := states(run); got != "passed: ok ok ok ok ok" {
			t.Errorf("%s\n%+v", got, run.Steps)
		}
		w.untouched()
		if w.proved != 1 || len(w.fallen) != 0 || w.server.deleted != 1 {
			t.Errorf("proved %d, fallen back %v, deleted %d", w.proved, w.fallen, w.server.deleted)
		}
		if took := step(run, looptest.StepNotification).Took; took < 4*time.Second || took > 7*time.Second {
			t.Errorf("the notification took %s", took)
		}
		if run.Way != "push" || run.Ended.Sub(run.Started) < 5*time.Second || run.Person != "alice" {
			t.Errorf("run %+v", run)
		}
		if row := w.row(run.ID); !row.Cleaned || !strings.HasPrefix(row.Key, looptest.KeyPrefix) || row.Address != alice {
			t.Errorf("row %+v", row)
		}

		ev, day := made.Event, time.Now().UTC().AddDate(10, 0, 1)
		if !strings.HasPrefix(made.Key, looptest.KeyPrefix) || strings.Contains(made.Key, ".") || made.ForeignKey != "" {
			t.Errorf("markers %q, %q", made.Key, made.ForeignKey)
		}
		if ev.Start.Format(time.DateOnly) != day.Format(time.DateOnly) || ev.End.Sub(ev.Start) != 15*time.Minute {
			t.Errorf("from %s to %s", ev.Start, ev.End)
		}
		if ev.Busy != calendar.Free || ev.Class != calendar.Private || ev.Reminder != nil || len(ev.Attendees) != 0 {
			t.Errorf("event %+v", ev)
		}
		if !strings.Contains(ev.Body, "may be deleted") {
			t.Errorf("body %q", ev.Body)
		}
		runs, err := r.Runs(w.Context(), tenant, "alice", 10)
		if err != nil || len(runs) != 1 || states(runs[0]) != states(run) {
			t.Errorf("runs %+v, %v", runs, err)
		}
	})
}

func TestACalendarThatCannotBeSearchedIsReadWhole(t *testing.T) {
	in(t, func(w *world) {
		w.tells("alice", 5*time.Second)
		full := w.mode
		w.mode = func(name string) (syncer.Mode, error) {
			mode, err := full(name)
			mode.Finder = nil
			return mode, err
		}
		r, _ := w.serve()
		run := w.ended(r, w.begin(r, "alice").ID)
		if got := states(run); got != "passed: ok ok ok ok ok" {
			t.Errorf("%s\n%+v", got, run.Steps)
		}
		w.untouched()
		if w.server.deleted != 1 {
			t.Errorf("deleted %d", w.server.deleted)
		}
	})
}

func TestNoticesOfThisProcessAreSeenAtOnce(t *testing.T) {
	in(t, func(w *world) {
		r, _ := w.serve()
		run := w.begin(r, "alice")
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.Notice(ctx, tenant, "alice", time.Now()) })
		r.Noticed(tenant, "alice")
		synctest.Wait()
		if s := step(w.ended(r, run.ID), looptest.StepNotification); s.State != looptest.StateOK || s.Took != 300*time.Millisecond {
			t.Errorf("%+v", s)
		}
	})
}

func TestOneRunAtATime(t *testing.T) {
	in(t, func(w *world) {
		w.person("bob", "bob@example.com")
		w.way("bob", "push")
		r, stop := w.serve()
		first := w.begin(r, "alice")
		again, already, err := r.Start(w.Context(), tenant, "alice")
		if err != nil || !already || again.ID != first.ID {
			t.Errorf("second start: %+v, %v, %v", again, already, err)
		}
		w.begin(r, "bob")
		if _, _, err := r.Start(w.Context(), tenant, "nobody"); !errors.Is(err, booking.ErrNotFound) {
			t.Errorf("unknown person: %v", err)
		}
		if _, _, err := r.Start(w.Context(), "Other", "alice"); !errors.Is(err, booking.ErrNotFound) {
			t.Errorf("another tenant's person: %v", err)
		}
		stop()
		if _, _, err := r.Start(w.Context(), tenant, "alice"); !errors.Is(err, fault.Unavailable) {
			t.Errorf("start without a host: %v", err)
		}
	})
}

func TestAStarterMayLeave(t *testing.T) {
	in(t, func(w *world) {
		w.tells("alice", time.Second)
		r, _ := w.serve()
		ctx, leave := context.WithCancel(w.Context())
		run, _, err := r.Start(ctx, tenant, "alice")
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if got := w.ended(r, run.ID); got.Outcome != looptest.Passed {
			t.Errorf("%s", states(got))
		}
	})
}

func TestManyRunsWaitForTheirTurn(t *testing.T) {
	in(t, func(w *world) {
		r, _ := w.serve()
		var ids []string
		for i := range 10 {
			id := fmt.Sprint("p", i)
			w.person(id, id+"@example.com")
			w.way(id, "streaming")
			ids = append(ids, w.begin(r, id).ID)
		}
		for _, id := range ids {
			if run := w.ended(r, id); run.Outcome != looptest.Failed || step(run, looptest.StepNotification).State != looptest.StateFailed {
				t.Errorf("%s: %+v", states(run), run.Steps)
			}
		}
		w.untouched()
	})
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	faulty := func(kind fault.Kind) func(*world) {
		return func(w *world) { w.server.fail(on("probe", fmt.Errorf("the server says no: %w", kind)), nil) }
	}
	person := func(change func(*directory.Person)) func(*world) {
		return func(w *world) { w.person("alice", alice, change) }
	}
	for name, c := range map[string]struct {
		spoil         func(w *world)
		cause, remedy string
	}{
		"switched off": {person(func(p *directory.Person) { p.SyncDisabled = true }), "switched off", "sync_disabled"},
		"shadow": {func(w *world) {
			w.tx(func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.SetShadow(ctx, tenant, "alice", true)
				return err
			})
		}, "shadow mode", "--shadow=false"},
		"no mode":      {person(func(p *directory.Person) { p.SyncMode = "" }), "no sync mode", "roomwire config show"},
		"unknown mode": {person(func(p *directory.Person) { p.SyncMode = "Else" }), `"Else" is not configured`, "roomwire.hcl"},
		"bad URL":      {person(func(p *directory.Person) { p.SyncURL = "mail.example.com" }), "is no URL", "EWS/Exchange.asmx"},
		"plugin away": {func(w *world) {
			w.mode = func(string) (syncer.Mode, error) {
				return syncer.Mode{}, fmt.Errorf("plugin backend-x does not run: %w", fault.Unavailable)
			}
		}, "plugin backend-x does not run", "plugin list"},
		"wrong password": {faulty(fault.Unauthorized), "the server says no", "user and password"},
		"no right":       {faulty(fault.Forbidden), "the server says no", "ApplicationImpersonation"},
		"no mailbox":     {faulty(fault.MailboxNotFound), "the server says no", "mail address"},
		"no server":      {faulty(fault.Unavailable), "the server says no", "firewall"},
		"too busy":       {faulty(fault.Throttled), "the server says no", "throttling"},
		"defect":         {faulty(fault.Internal), "the server says no", "defect"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				c.spoil(w)
				r, _ := w.serve()
				run := w.ended(r, w.begin(r, "alice").ID)
				if got := states(run); got != "failed: failed skipped skipped skipped skipped" {
					t.Errorf("%s", got)
				}
				s := step(run, looptest.StepConfiguration)
				if !strings.Contains(s.Cause, c.cause) || !strings.Contains(s.Remedy, c.remedy) || strings.Contains(s.Cause, string(fault.Unauthorized)) {
					t.Errorf("cause %q, remedy %q", s.Cause, s.Remedy)
				}
				if row := w.row(run.ID); !row.Cleaned || row.Key != "" {
					t.Errorf("row %+v", row)
				}
				w.untouched()
			})
		})
	}
}

func TestANewPersonIsWaitedFor(t *testing.T) {
	in(t, func(w *world) {
		w.tells("bob", time.Second)
		w.person("bob", "bob@example.com")
		r, _ := w.serve()
		run := w.begin(r, "bob")
		time.Sleep(10 * time.Second)
		if now, _, _ := r.Run(w.Context(), tenant, run.ID); step(now, looptest.StepConfiguration).State != looptest.StateRunning {
			t.Errorf("%s", states(now))
		}
		w.way("bob", "streaming")
		got := w.ended(r, run.ID)
		if got.Outcome != looptest.Passed || got.Way != "streaming" || step(got, looptest.StepConfiguration).Took < 10*time.Second {
			t.Errorf("%s by %s: %+v", states(got), got.Way, got.Steps)
		}
	})
}

func TestANewPersonInTrouble(t *testing.T) {
	in(t, func(w *world) {
		w.person("bob", "bob@example.com")
		r, _ := w.serve()
		run := w.begin(r, "bob")
		time.Sleep(3 * time.Second)
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			return tx.SetPersonState(ctx, tenant, "bob", store.PersonState{
				Status: store.StatusAttention, Reason: "too many subscriptions", Remedy: "end some", Since: time.Now(),
			})
		})
		s := step(w.ended(r, run.ID), looptest.StepConfiguration)
		if s.Cause != "too many subscriptions" || s.Remedy != "end some" {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		run = w.begin(r, "bob")
		s = step(w.ended(r, run.ID), looptest.StepConfiguration)
		if !strings.Contains(s.Cause, "not subscribed to within 1m0s") || !strings.Contains(s.Cause, "too many") || s.Remedy != "end some" {
			t.Errorf("%+v", s)
		}
	})
}

func TestByTheClockNothingIsWaitedFor(t *testing.T) {
	in(t, func(w *world) {
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			mb, _, err := tx.Mailbox(ctx, tenant, "alice")
			if err != nil {
				return err
			}
			mb.Way, mb.WayReason, mb.PollAt = "poll", "the firewall is shut", time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
			return tx.SaveMailbox(ctx, mb)
		})
		r, _ := w.serve()
		run := w.ended(r, w.begin(r, "alice").ID)
		s := step(run, looptest.StepNotification)
		if states(run) != "passed: ok ok ok skipped ok" || !strings.Contains(s.Detail, "the firewall is shut") || !strings.Contains(s.Detail, "2027-01-02 03:04:05 UTC") {
			t.Errorf("%s: %+v", states(run), s)
		}
		if w.proved != 0 || len(w.fallen) != 0 {
			t.Errorf("proved %d, fallen back %v", w.proved, w.fallen)
		}
		w.untouched()
	})
}

func TestNotificationsThatDoNotArrive(t *testing.T) {
	in(t, func(w *world) {
		r, _ := w.serve()
		run := w.ended(r, w.begin(r, "alice").ID)
		s := step(run, looptest.StepNotification)
		if states(run) != "failed: ok ok ok failed ok" || s.Took < 2*time.Minute {
			t.Errorf("%s: %+v", states(run), s)
		}
		if !strings.Contains(s.Cause, "no public URL is configured") || len(w.fallen) != 1 || !strings.Contains(w.fallen[0], "no public URL") {
			t.Errorf("%q, fallen back %v", s.Cause, w.fallen)
		}
		w.untouched()
	})
}

func TestGivenUpWhileWaitedFor(t *testing.T) {
	in(t, func(w *world) {
		r, _ := w.serve()
		run := w.begin(r, "alice")
		time.Sleep(10 * time.Second)
		w.way("alice", "poll")
		s := step(w.ended(r, run.ID), looptest.StepNotification)
		if s.State != looptest.StateFailed || !strings.Contains(s.Cause, "gave notifications up") || len(w.fallen) != 0 {
			t.Errorf("%+v, fallen back %v", s, w.fallen)
		}
		w.untouched()
	})
}

func TestWritesThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after func(string) error
		states        string
		step, remedy  string
		left          bool
	}{
		"create refused":  {on("create", fault.Forbidden), nil, "failed: ok failed skipped skipped ok", "create", "Editor or Owner", false},
		"change refused":  {on("update", fault.Forbidden), nil, "failed: ok ok failed skipped ok", "change", "edit items", false},
		"removed by else": {on("update", fault.NotFound), nil, "failed: ok ok failed skipped ok", "change", "assistant", false},
		"delete refused":  {on("delete", fault.Forbidden), nil, "failed: ok ok ok ok failed", "delete", "by hand", true},
		"no search":       {on("find", fault.Unavailable), nil, "failed: ok ok ok ok failed", "delete", "firewall", true},
		"answer lost":     {nil, on("create", fault.Unavailable), "failed: ok failed skipped skipped ok", "create", "firewall", false},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				w.tells("alice", time.Second)
				w.server.fail(c.before, c.after)
				r, _ := w.serve()
				run := w.ended(r, w.begin(r, "alice").ID)
				if got := states(run); got != c.states || !strings.Contains(step(run, c.step).Remedy, c.remedy) {
					t.Errorf("%s: %+v", got, run.Steps)
				}
				if !c.left {
					w.untouched()
					return
				}
				if row := w.row(run.ID); row.Cleaned || len(w.server.all()) != 2 {
					t.Errorf("row %+v, %d items", row, len(w.server.all()))
				}
				time.Sleep(10 * time.Minute) // tried again, in vain
				w.server.fail(nil, nil)
				time.Sleep(30 * time.Minute)
				synctest.Wait()
				w.untouched()
				if row := w.row(run.ID); !row.Cleaned || row.Outcome != looptest.Failed {
					t.Errorf("row %+v", row)
				}
			})
		})
	}
}

func TestACreateThatGetsThroughLate(t *testing.T) {
	in(t, func(w *world) {
		w.server.fail(on("create", fault.Unavailable), nil)
		r, _ := w.serve()
		run := w.ended(r, w.begin(r, "alice").ID)
		row := w.row(run.ID)
		if states(run) != "failed: ok failed skipped skipped skipped" || row.Cleaned {
			t.Fatalf("%s, cleaned %v", states(run), row.Cleaned)
		}
		w.server.fail(nil, nil)
		if _, err := w.server.apply(calendar.Mutation{Op: calendar.Create, Key: row.Key}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		w.untouched()
		if !w.row(run.ID).Cleaned {
			t.Error("not recorded as cleaned")
		}
	})
}

func TestAServerThatAsksForAPauseGetsOne(t *testing.T) {
	in(t, func(w *world) {
		w.tells("alice", time.Second)
		asked := 0
		w.server.fail(func(call string) error {
			if asked++; call == "create" && asked < 5 {
				return fault.ThrottledFor(10*time.Second, "busy")
			}
			return nil
		}, nil)
		r, _ := w.serve()
		run := w.ended(r, w.begin(r, "alice").ID)
		if s := step(run, looptest.StepCreate); run.Outcome != looptest.Passed || s.Took != 30*time.Second {
			t.Errorf("%s: %+v", states(run), s)
		}
	})
}

// The sync found out by itself that push does not work, and is on a way by now that was not tested.
func TestTheWayThatWasNotTestedIsNotGivenUp(t *testing.T) {
	in(t, func(w *world) {
		r, _ := w.serve()
		run := w.begin(r, "alice")
		time.Sleep(time.Minute)
		w.way("alice", "streaming")
		if got := states(w.ended(r, run.ID)); got != "failed: ok ok ok failed ok" {
			t.Errorf("%s", got)
		}
		if len(w.fallen) != 0 {
			t.Errorf("fallen back: %v", w.fallen)
		}
	})
}
