package watch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestStreamingGroupsMailboxesAndTellsOfChanges(t *testing.T) {
	bubble(t, "streaming", 250, func(r *rig) {
		time.Sleep(20 * time.Second)
		if got := r.sizes(); !slices.Equal(got, []int{200, 50}) {
			t.Fatalf("connections of %v", got)
		}
		groups := map[string]int{}
		for _, l := range r.listens() {
			groups[l.Group]++
		}
		if len(r.listens()) != 250 || groups[""] != 2 || len(groups) != 3 {
			t.Errorf("%d subscriptions in groups %v", len(r.listens()), slices.Collect(maps.Values(groups)))
		}
		before := r.mailbox("p007")
		r.server.tell(t, "p007@example.com", backend.Dirty)
		if mb := r.mailbox("p007"); mb.Notices != 1 || mb.Wanted != before.Wanted+1 {
			t.Errorf("mailbox = %+v", mb)
		}
		if mb := r.mailbox("p008"); mb.Notices != 0 || mb.Way != "streaming" {
			t.Errorf("mailbox = %+v", mb)
		}
		s := r.watch.Stats()
		if s.Connections != 2 || s.Ways["streaming"] != (Count{250, 250}) || len(s.Groups) != 2 {
			t.Errorf("stats = %+v", s)
		}
		r.told()
		time.Sleep(2 * time.Hour)
		if n, got := len(r.listens()), r.told(); n != 250 || got != "" {
			t.Errorf("%d subscriptions after connections were closed and opened again; told %q", n, got)
		}
	})
}

func TestNewcomersJoinWithoutTouchingWhoIsThere(t *testing.T) {
	bubble(t, "streaming", 3, func(r *rig) {
		time.Sleep(20 * time.Second)
		r.told()
		r.person("new", "streaming")
		time.Sleep(20 * time.Second)
		if got := r.sizes(); !slices.Equal(got, []int{4}) || len(r.listens()) != 4 {
			t.Errorf("connections of %v, %d subscriptions", got, len(r.listens()))
		}
		// What was told in the moment in which the connection was cut may be lost.
		if got := r.told(); got != "listening streaming 4" {
			t.Errorf("told %q", got)
		}
		r.change("p000", func(mb *store.Mailbox) { mb.Way = "poll" })
		time.Sleep(45 * time.Minute)
		if got := r.sizes(); !slices.Equal(got, []int{3}) || len(r.listens()) != 4 {
			t.Errorf("connections of %v, %d subscriptions", got, len(r.listens()))
		}
	})
}

func TestLostSubscriptionIsMadeAnewAndSoonInAGroupOfItsOwn(t *testing.T) {
	bubble(t, "streaming", 5, func(r *rig) {
		time.Sleep(20 * time.Second)
		wanted := r.mailbox("p001").Wanted
		r.server.tell(t, "p001@example.com", backend.Lost)
		time.Sleep(10 * time.Second)
		if got := r.sizes(); !slices.Equal(got, []int{5}) || len(r.listens()) != 6 {
			t.Errorf("connections of %v, %d subscriptions", got, len(r.listens()))
		}
		if r.mailbox("p001").Wanted == wanted {
			t.Error("the mailbox is not read")
		}
		r.server.tell(t, "p001@example.com", backend.Lost)
		time.Sleep(20 * time.Second)
		if got := r.sizes(); !slices.Equal(got, []int{5, 1}) && !slices.Equal(got, []int{4, 1}) {
			t.Errorf("connections of %v", got)
		}
		last := r.listens()[len(r.listens())-1]
		if last.Group != "" || last.Mailbox.Address != "p001@example.com" {
			t.Errorf("last subscription: %+v", last)
		}
		if s := r.watch.Stats(); s.Lost != 2 || s.Ways["streaming"] != (Count{5, 5}) {
			t.Errorf("stats = %+v", s)
		}
	})
}

func TestServerThatIsAwayHasItsMailboxesPolled(t *testing.T) {
	bubble(t, "streaming", 5, func(r *rig) {
		time.Sleep(20 * time.Second)
		r.told()
		r.server.mu.Lock()
		r.server.fail = func(string, string) error { return fmt.Errorf("connection refused: %w", fault.Unavailable) }
		r.server.mu.Unlock()
		for _, c := range r.server.open() {
			c.end <- fault.Unavailable
		}
		time.Sleep(90 * time.Second)
		if got := r.told(); got != "" {
			t.Errorf("told %q after 90 seconds", got)
		}
		time.Sleep(time.Minute)
		if got := r.told(); got != "deaf streaming 5" {
			t.Errorf("told %q", got)
		}
		if mb := r.mailbox("p000"); mb.Way != "poll" || mb.TryWay != "streaming" || !strings.Contains(mb.WayReason, "connection refused") {
			t.Errorf("mailbox = %+v", mb)
		}
		time.Sleep(3 * time.Hour)
		r.server.mu.Lock()
		calls := len(r.server.calls)
		r.server.fail = nil
		r.server.mu.Unlock()
		if calls > 60 {
			t.Errorf("%d calls in three hours", calls)
		}
		time.Sleep(6 * time.Minute)
		if got := r.told(); got != "listening streaming 5" || len(r.listens()) != 5 {
			t.Errorf("told %q, %d subscriptions", got, len(r.listens()))
		}
		if mb := r.mailbox("p000"); mb.Way != "streaming" || mb.TryWay != "" || mb.WayReason != "" {
			t.Errorf("mailbox = %+v", mb)
		}
	})
}

func TestSilentConnectionIsOpenedAnew(t *testing.T) {
	bubble(t, "streaming", 1, func(r *rig) {
		r.server.mu.Lock()
		r.server.silent = true
		r.server.mu.Unlock()
		time.Sleep(8 * time.Minute)
		if n := len(r.calls()); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
		if mb := r.mailbox("p000"); mb.Way != "poll" {
			t.Errorf("mailbox = %+v", mb)
		}
	})
}

// A login that is refused, and a server that nobody may use though the login is good (EWS switched off for a tenant), rest for
// all mailboxes together. Nobody is given up or gets a connection of their own for it.
func TestRefusalOfEverybodyIsNotTriedOverAndOver(t *testing.T) {
	for name, refusal := range map[string]error{
		"login": fault.Unauthorized,
		"EWS":   &fault.Error{Kind: fault.Forbidden, Scope: fault.ScopeServer, Message: "EWS is switched off"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, "streaming", 450, func(r *rig) {
				refuse := func(err error) {
					r.server.mu.Lock()
					r.server.fail = func(string, string) error { return err }
					r.server.mu.Unlock()
				}
				refuse(refusal)
				time.Sleep(4 * time.Minute)
				first := len(r.listens())
				time.Sleep(90 * time.Minute)
				all := len(r.listens())
				if first > 3 || all > first+5 {
					t.Errorf("%d tries at first, %d within one and a half hours", first, all)
				}
				refuse(nil)
				time.Sleep(65 * time.Minute)
				if got := r.sizes(); !slices.Equal(got, []int{200, 200, 50}) {
					t.Errorf("connections of %v", got)
				}
			})
		})
	}
}

func TestConnectionLimitIsHonoured(t *testing.T) {
	bubble(t, "streaming", 600, func(r *rig) {
		r.server.mu.Lock()
		r.server.fail = func(call, _ string) error {
			open := 0
			for _, c := range r.server.calls {
				if !c.over {
					open++
				}
			}
			if call == "watch" && open > 2 {
				return &fault.Error{Kind: fault.Throttled, Message: "too many connections"}
			}
			return nil
		}
		r.server.mu.Unlock()
		time.Sleep(9 * time.Minute)
		if got, n := r.sizes(), len(r.calls()); !slices.Equal(got, []int{200, 200}) || n > 5 {
			t.Errorf("connections of %v after %d calls", got, n)
		}
		if s := r.watch.Stats(); s.Ways["streaming"] != (Count{600, 400}) {
			t.Errorf("stats = %+v", s.Ways)
		}
		polled := 0
		for i := range 600 {
			if r.mailbox(fmt.Sprintf("p%03d", i)).Way == "poll" {
				polled++
			}
		}
		if polled != 200 {
			t.Errorf("%d mailboxes are polled, want 200", polled)
		}
	})
}

func TestMailboxThatCannotBeListenedToIsGivenUp(t *testing.T) {
	bubble(t, "streaming", 4, func(r *rig) {
		r.server.mu.Lock()
		r.server.fail = func(call, address string) error {
			if call == "listen" && address == "p002@example.com" {
				return fmt.Errorf("a delegate cannot subscribe: %w", fault.Unsupported)
			}
			return nil
		}
		r.server.mu.Unlock()
		time.Sleep(time.Minute)
		if mb := r.mailbox("p002"); mb.Way != "poll" || mb.TryWay != "" || mb.ClimbAt.IsZero() {
			t.Errorf("mailbox = %+v", mb)
		}
		time.Sleep(time.Hour)
		if got := r.sizes(); !slices.Equal(got, []int{3}) || len(r.listens()) != 4 {
			t.Errorf("connections of %v, %d subscriptions", got, len(r.listens()))
		}
	})
}

func TestAskingKeepsToTheIntervalsOfROOMS(t *testing.T) {
	bubble(t, "pull", 150, func(r *rig) {
		time.Sleep(20 * time.Second)
		if s := r.watch.Stats(); s.Ways["pull"] != (Count{150, 150}) || len(s.Groups) != 2 {
			t.Fatalf("stats = %+v", s)
		}
		for _, l := range r.listens() {
			if l.Way != backend.WayAsking || l.Timeout != 12*time.Hour {
				t.Fatalf("subscription %+v", l)
			}
		}
		r.server.mu.Lock()
		before := len(r.server.calls)
		r.server.pending["p003@example.com"] = true
		r.server.mu.Unlock()
		time.Sleep(5 * time.Minute)
		r.server.mu.Lock()
		calls := len(r.server.calls) - before
		last := r.server.calls[len(r.server.calls)-1].req
		marks := map[string]int{}
		for _, c := range r.server.calls[len(r.server.calls)-2:] {
			for _, w := range c.req.Watched {
				marks[w.Subscription.Mark]++
			}
		}
		r.server.mu.Unlock()
		if calls != 20 || last.For != 0 || last.Way != backend.WayAsking || len(last.Watched) > 100 {
			t.Errorf("%d calls in five minutes, the last for %v of %d", calls, last.For, len(last.Watched))
		}
		if marks["m1"] != 1 || marks["m0"] != 149 {
			t.Errorf("marks %v", marks)
		}
		if mb := r.mailbox("p003"); mb.Notices != 1 {
			t.Errorf("mailbox = %+v", mb)
		}
	})
}

func TestSubscriptionsRefusedTooOftenEndAsking(t *testing.T) {
	bubble(t, "pull", 3, func(r *rig) {
		r.server.mu.Lock()
		r.server.fail = func(call, address string) error {
			if call == "listen" && address == "p001@example.com" {
				return fault.Internal
			}
			return nil
		}
		r.server.mu.Unlock()
		time.Sleep(150 * time.Minute)
		if mb := r.mailbox("p001"); mb.Way != "poll" || mb.TryWay != "pull" {
			t.Errorf("mailbox = %+v", mb)
		}
		time.Sleep(20 * time.Minute) // the tenth time
		if mb := r.mailbox("p001"); mb.TryWay != "" || mb.Falls != 1 {
			t.Errorf("mailbox = %+v", mb)
		}
		tries := 0
		for _, l := range r.listens() {
			if l.Mailbox.Address == "p001@example.com" {
				tries++
			}
		}
		if tries != 10 {
			t.Errorf("%d tries, want 10", tries)
		}
	})
}

func TestMailboxThatIsNeverAnsweredForEndsAsking(t *testing.T) {
	bubble(t, "pull", 2, func(r *rig) {
		time.Sleep(20 * time.Second)
		r.server.mu.Lock()
		r.server.only = "p000@example.com"
		r.server.mu.Unlock()
		time.Sleep(4 * time.Minute)
		if got, want := r.watch.Stats().Ways["pull"], (Count{2, 1}); got != want {
			t.Errorf("listened: %+v, want %+v", got, want)
		}
		if mb := r.mailbox("p001"); mb.Way != "poll" || mb.TryWay != "pull" {
			t.Errorf("mailbox = %+v", mb)
		}
		time.Sleep(2 * time.Minute) // the tenth time
		if mb := r.mailbox("p001"); mb.TryWay != "" || !strings.Contains(mb.WayReason, "not for this mailbox") {
			t.Errorf("mailbox = %+v", mb)
		}
		if mb := r.mailbox("p000"); mb.Way != "pull" {
			t.Errorf("mailbox = %+v", mb)
		}
	})
}

func TestMovedAndSwitchedOffMailboxesLeave(t *testing.T) {
	bubble(t, "streaming", 3, func(r *rig) {
		time.Sleep(20 * time.Second)
		for _, p := range []directory.Person{
			{ID: "p000", Email: "other@example.com", DisplayName: "p000"},
			{ID: "p001", Email: "p001@example.com", DisplayName: "p001", SyncDisabled: true},
		} {
			p.Tenant, p.Kind, p.SyncMode = tenant, directory.KindPerson, "EWS"
			if _, err := r.engine.PutPerson(r.Context(), p); err != nil {
				t.Fatal(err)
			}
			r.watch.Changed(tenant, p.ID)
		}
		r.change("p000", func(mb *store.Mailbox) { mb.Way = "streaming" })
		time.Sleep(time.Minute)
		var got []string
		for _, c := range r.server.open() {
			for _, w := range c.req.Watched {
				if w.Mailbox.Address != "p001@example.com" { // it leaves when the connection is opened anew
					got = append(got, w.Mailbox.Address)
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, []string{"other@example.com", "p002@example.com"}) {
			t.Errorf("watched: %v", got)
		}
		if s := r.watch.Stats(); s.Ways["streaming"] != (Count{2, 2}) {
			t.Errorf("stats = %+v", s)
		}
	})
}

func TestAnotherHostTakesOver(t *testing.T) {
	bubble(t, "streaming", 3, func(r *rig) {
		time.Sleep(20 * time.Second)
		other := New(Options{
			Store: r.store, Engine: spy{r.engine, r}, Modes: oneMode{r, "streaming"}, Holder: "two", Limits: DefaultLimits(),
		})
		stop := r.start(other)
		defer stop()
		time.Sleep(10 * time.Minute)
		if s := other.Stats(); len(s.Groups) != 0 {
			t.Errorf("the other host listens, too: %+v", s)
		}
		r.told()
		r.stop()
		r.stop = func() {}
		time.Sleep(30 * time.Second)
		if s := other.Stats(); s.Ways["streaming"] != (Count{3, 3}) || len(r.listens()) != 6 {
			t.Errorf("stats = %+v, %d subscriptions", s, len(r.listens()))
		}
		if got := r.told(); got != "listening streaming 3" {
			t.Errorf("told %q", got)
		}
	})
}
