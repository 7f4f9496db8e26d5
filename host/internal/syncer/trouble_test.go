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

// TestClosedServerIsNotHammered: EWS is switched off for a tenant of a thousand mailboxes. The backend knows it for that from
// the third refusal on; from then on there is one request for each pause, and when it works again nobody waits for long.
func TestClosedServerIsNotHammered(t *testing.T) {
	each(t, func(w *world) {
		const n = 1000
		var rows []directory.Person
		for i := range n {
			rows = append(rows, directory.Person{
				ID: fmt.Sprintf("p%d", i), Tenant: tenant, Email: fmt.Sprintf("p%d@example.com", i), SyncMode: "Memory",
				DisplayName: "P", Kind: directory.KindPerson,
			})
		}
		if _, err := w.engine.ImportPersons(w.Context(), tenant, rows, ImportOptions{}); err != nil {
			w.Fatal(err)
		}
		refused := 0
		w.server.before = func(string) error {
			refused++
			if refused < 3 {
				return &fault.Error{Kind: fault.Forbidden, Message: "this mailbox may not be opened"}
			}
			return &fault.Error{Kind: fault.Forbidden, Scope: fault.ScopeServer, Code: "EWSDisabled", Message: "nobody's may"}
		}
		round := func() (next time.Time) {
			for i := range n {
				out, err := w.engine.Pass(w.Context(), tenant, fmt.Sprintf("p%d", i))
				if err != nil {
					w.Fatal(err)
				}
				next = earliest(next, out.Next)
			}
			return next
		}
		next := round()
		if refused != 3 {
			w.Errorf("%d requests in the first round, want 3", refused)
		}
		if p := w.engine.Pauses(); len(p) != 1 || p[0].Kind != fault.Forbidden {
			w.Errorf("pauses %+v, want one", p)
		}
		for _, p := range []string{"p2", "p999"} {
			s := w.state(p)
			if s.Status != store.StatusAttention || s.Kind != string(fault.Forbidden) || s.Until.Before(w.now()) || !strings.Contains(s.Reason, "nobody's") {
				w.Errorf("%s: %+v", p, s)
			}
		}
		for i := range 3 {
			w.later(next.Sub(w.now()) + 10*time.Minute) // all are due
			if next = round(); refused > 4+i {
				w.Fatalf("%d requests after %d more rounds, want one for each", refused, i+1)
			}
		}
		w.server.before = nil
		if err := w.engine.Sync(w.Context(), tenant, "p500", false); err != nil { // somebody knows that it works again
			w.Fatal(err)
		}
		w.pass("p500")
		w.later(time.Minute)
		round()
		for i := range n {
			if s := w.state(fmt.Sprintf("p%d", i)); s.Status != store.StatusOK {
				w.Fatalf("p%d: %+v", i, s)
			}
		}
	})
}

func TestOneGoesFirstAfterAPause(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		err  error
		then entry
	}{
		"it gets in":                       {nil, everybody},
		"its deletions are held":           {errStopped, everybody},
		"its mailbox is not there":         {fault.MailboxNotFound, everybody},
		"its own right is missing":         {&fault.Error{Kind: fault.Forbidden}, everybody},
		"nobody has the right":             {&fault.Error{Kind: fault.Forbidden, Scope: fault.ScopeServer}, first},
		"the login is refused":             {&fault.Error{Kind: fault.Unauthorized}, first},
		"the server does not answer":       {fault.Unavailable, first},
		"the server is busy for everybody": {&fault.Error{Kind: fault.Throttled, Scope: fault.ScopeServer}, first},
		"our own store fails":              {ours(fault.Invalid), first},
	} {
		p := newPauses()
		p.set("s", pause{until: now, err: fault.Forbidden})
		if _, who := p.enter("s", now.Add(-1)); who != nobody {
			t.Errorf("%s: before the end: %d", name, who)
		}
		why, who := p.enter("s", now)
		if who != first {
			t.Fatalf("%s: at the end: %d", name, who)
		}
		if _, who := p.enter("s", now); who != second {
			t.Errorf("%s: while it is away: %d", name, who)
		}
		p.tried("s", why, answered(tc.err))
		if _, who := p.enter("s", now); who != tc.then {
			t.Errorf("%s: afterwards %d, want %d", name, who, tc.then)
		}
	}
	p := newPauses()
	p.set("s", pause{until: now, err: fault.Forbidden})
	why, _ := p.enter("s", now)
	p.set("s", pause{until: now.Add(time.Hour), err: fault.Forbidden}) // by what it met
	p.tried("s", why, true)
	if _, who := p.enter("s", now); who != nobody {
		t.Errorf("a newer pause does not stand: %d", who)
	}
}

// An administrator lifts a pause while somebody tries the server. Nobody would ever have come back from that try.
func TestAPauseThatIsLiftedWhileSomebodyTries(t *testing.T) {
	t.Parallel()
	for _, answered := range []bool{true, false} {
		p, now := newPauses(), time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
		p.set("s", pause{until: now})
		why, who := p.enter("s", now)
		if who != first {
			t.Fatalf("who = %d, want the first", who)
		}
		p.lift("s")
		p.tried("s", why, answered)
		if _, who = p.enter("s", now); who != first {
			t.Errorf("answered %v: who = %d, want the first: nobody else is on the way", answered, who)
		}
	}
}
