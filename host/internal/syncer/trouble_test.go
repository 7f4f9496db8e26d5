package syncer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestFailedReadDeletesNothing(t *testing.T) {
	each(t, func(w *world) {
		for i := range 8 {
			w.book(fmt.Sprintf("b%d", i), at(8+i))
		}
		w.pass("alice")
		n := 0
		w.server.before = func(call string) error {
			if call == "pull" {
				if n++; n > 1 {
					return fault.Unavailable
				}
			}
			return nil
		}
		if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if s := w.state("alice"); s.Status != store.StatusWaiting || s.Until.IsZero() {
			w.Errorf("state = %+v", s)
		}
		for i := range 8 {
			if b := w.booking(fmt.Sprintf("b%d", i)); b.Status != booking.Confirmed {
				w.Errorf("%s was cancelled by a failed read", b.ID)
			}
		}
		w.server.before = nil
		w.later(time.Hour)
		w.pass("alice")
		if s := w.state("alice"); s.Status != store.StatusOK || len(w.server.items(alice)) != 8 {
			w.Errorf("state = %+v with %d items", s, len(w.server.items(alice)))
		}
	})
}

func TestLostCursorReadsInFullAndFindsDeletions(t *testing.T) {
	each(t, func(w *world) {
		for i := range 5 {
			w.book(fmt.Sprintf("b%d", i), at(8+i))
		}
		w.pass("alice")
		w.pass("alice") // reads its own writes
		victim := w.server.items(alice)[0]
		w.server.remove(alice, victim.Ref)
		w.server.forget(alice)
		w.pass("alice")
		cancelled := 0
		for i := range 5 {
			if w.booking(fmt.Sprintf("b%d", i)).Status == booking.Cancelled {
				cancelled++
			}
		}
		if cancelled != 1 || w.booking(victim.ForeignKey).Status != booking.Cancelled {
			w.Errorf("%d bookings cancelled, want %s alone", cancelled, victim.ForeignKey)
		}
	})
}

func TestRefusedPasswordStopsTheWholeServer(t *testing.T) {
	each(t, func(w *world) {
		w.server.before = func(string) error {
			return &fault.Error{Kind: fault.Unauthorized, Message: "the server refused the login"}
		}
		w.pass("alice")
		w.pass("bob")
		if n := w.server.calls["probe"]; n != 1 {
			w.Errorf("%d requests with a wrong password, want 1", n)
		}
		for _, p := range []string{"alice", "bob"} {
			if s := w.state(p); s.Status != store.StatusAttention || s.Remedy == "" || s.Until.IsZero() {
				w.Errorf("%s: %+v", p, s)
			}
		}
		w.server.before = nil
		w.later(2 * time.Hour)
		w.pass("alice")
		w.pass("bob")
		if s := w.state("bob"); s.Status != store.StatusOK {
			w.Errorf("bob: %+v", s)
		}
	})
}

func TestRefusedSubscriptionFallsBackToTheClock(t *testing.T) {
	each(t, func(w *world) {
		w.server.noPush = fmt.Errorf("the server refuses the URL: %w", fault.SubscriptionLost)
		w.pass("alice")
		mb, _, _ := w.store.Mailbox(w.Context(), tenant, "alice")
		if s := w.state("alice"); s.Status != store.StatusOK || mb.Way != "poll" || mb.PollAt.IsZero() || !strings.Contains(s.Reason, "refuses the URL") {
			w.Errorf("state %+v, way %q, poll at %v", s, mb.Way, mb.PollAt)
		}
		w.server.noPush = nil
		w.later(5 * time.Hour)
		w.pass("alice")
		w.hear("alice")
		w.pass("alice")
		if mb, _, _ := w.store.Mailbox(w.Context(), tenant, "alice"); mb.Way != "push" || !mb.PollAt.IsZero() {
			w.Errorf("it did not climb back: %+v", mb)
		}
	})
}

func TestSilentSubscriptionIsRenewed(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.later(59 * time.Minute)
		w.pass("alice")
		if n := len(w.server.subscribed); n != 1 {
			w.Errorf("%d subscriptions after 59 minutes, want 1", n)
		}
		w.later(2 * time.Minute)
		w.pass("alice")
		if n := len(w.server.subscribed); n != 2 {
			w.Errorf("%d subscriptions after silence, want 2", n)
		}
	})
}

func TestMoveDuringAPassIsNotUndoneByIt(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.pass("alice")
		moved := false
		w.server.before = func(call string) error {
			if call == "pull" && !moved {
				moved = true
				w.person(directory.Person{ID: "alice", Email: "alice@new.example.com", DisplayName: "Alice"})
			}
			return nil
		}
		w.pass("alice")
		w.pass("alice")
		mb, _, _ := w.store.Mailbox(w.Context(), tenant, "alice")
		if mb.Epoch != 2 || mb.RoundOpen {
			w.Errorf("mailbox = %+v", mb)
		}
		w.only("alice@new.example.com")
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Errorf("booking = %+v", b)
		}
	})
}

// TestCrashBetweenAnyTwoStepsLeavesOneItem ends the pass at every failpoint in turn, as a killed host would, and goes
// on with a new engine.
func TestCrashBetweenAnyTwoStepsLeavesOneItem(t *testing.T) {
	each(t, func(w *world) {
		type crash struct{ step string }
		points := map[string]bool{}
		script := func(w *world, id string, run func(person string)) {
			w.book(id)
			run("alice")
			w.book(id, at(14))
			run("alice")
			w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { e.Subject = "Review" })
			run("alice")
			if b, it := w.booking(id), w.only(alice); b.Title != "Review" || it.Event.Start.Hour() != 14 {
				w.Fatalf("%s: booking %q, item at %d", id, b.Title, it.Event.Start.Hour())
			}
			w.book(id, by("bob"), at(14))
			run("bob")
			run("alice")
			w.none(alice)
			w.server.remove(bob, w.only(bob).Ref)
			run("bob")
			w.none(bob)
			if w.booking(id).Status != booking.Cancelled {
				w.Fatalf("%s still stands", id)
			}
			w.later(5 * time.Hour) // subscriptions are renewed
			run("alice")
		}
		w.engine.Failpoint = func(step string) { points[step] = true }
		script(w, "dry", w.pass)
		if len(points) < 12 {
			w.Fatalf("only %d failpoints were passed: %v", len(points), points)
		}
		for step := range points {
			mails := len(w.server.mails)
			fired := false
			arm := func() {
				w.engine.Failpoint = func(s string) {
					if s == step && !fired {
						fired = true
						panic(crash{s})
					}
				}
			}
			run := func(person string) {
				crashed := func() (crashed bool) {
					defer func() {
						if r := recover(); r != nil {
							if _, ok := r.(crash); !ok {
								panic(r)
							}
							crashed = true
						}
					}()
					w.pass(person)
					return false
				}()
				if crashed {
					_ = w.store.Close()
					w.start()
					w.pass(person)
				}
			}
			arm()
			script(w, "crash-"+strings.ReplaceAll(step, ":", "-"), run)
			if !fired {
				w.Errorf("%s was not reached", step)
			}
			// A repeated create or change may not invite twice; the steps mail four times in all.
			if got := len(w.server.mails) - mails; got > 5 {
				w.Errorf("crash at %s: %d mails", step, got)
			}
		}
	})
}
