package syncer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// noWatcher is a backend's Watcher that the engine knows of and never calls.
type noWatcher struct{ backend.Watcher }

// prefer sets the sync mode's preferred way, with a backend that can do everything.
func (w *world) prefer(notices string) {
	w.engine.Modes = oneMode{m: w.server, notices: notices, watcher: noWatcher{}}
}

// hear records a message that bears the token of the subscription in force.
func (w *world) hear(person string) {
	w.Helper()
	w.later(time.Second)
	subs, err := w.store.Subscriptions(w.Context(), tenant, person)
	if err != nil || len(subs) == 0 {
		w.Fatalf("%s has no subscription: %v", person, err)
	}
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		return tx.TouchSubscription(ctx, subs[len(subs)-1].TokenHash, w.now())
	})
}

func (w *world) tx(f func(ctx context.Context, tx *store.Tx) error) {
	w.Helper()
	if err := w.store.Tx(w.Context(), f); err != nil {
		w.Fatal(err)
	}
}

// after lets time go by until the mailbox is due by the clock, for at most d, and makes its passes.
func (w *world) after(d time.Duration, person string) {
	w.Helper()
	end := w.now().Add(d)
	for {
		due := w.mailbox(person).NextDue
		if due.IsZero() || due.After(end) {
			w.later(end.Sub(w.now()))
			return
		}
		w.later(max(0, due.Sub(w.now())))
		w.pass(person)
	}
}

// on checks which way a mailbox is on, and which one is on probation.
func (w *world) on(person, way, try string) {
	w.Helper()
	mb := w.mailbox(person)
	if mb.Way != way || mb.TryWay != try {
		w.Errorf("way %q with %q on probation, want %q with %q; %q, climbs at %v", mb.Way, mb.TryWay, way, try, mb.WayReason, mb.ClimbAt)
	}
}

// timeline returns what happened to a person, oldest first, without subscriptions that were renewed.
func (w *world) timeline(person string) string {
	w.Helper()
	all, err := w.store.Activities(w.Context(), tenant, person, "", 1000)
	if err != nil {
		w.Fatal(err)
	}
	var out []string
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].What != "subscribed" {
			out = append(out, all[i].What)
		}
	}
	return strings.Join(out, "; ")
}

// watchedAs is a mailbox as those who listen know it.
func (w *world) watchedAs(person string) store.Watched {
	w.Helper()
	return store.Watched{Tenant: tenant, Person: person, Epoch: w.mailbox(person).Epoch, Mode: "Memory"}
}

func (w *world) listening(way, person string) {
	w.Helper()
	if err := w.engine.Listening(w.Context(), way, []store.Watched{w.watchedAs(person)}); err != nil {
		w.Fatal(err)
	}
	w.pass(person)
}

func TestSilentPushFallsToStreamingAndClimbsBackOnceItIsHeard(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("push")
		w.pass("alice")
		w.after(59*time.Minute, "alice")
		w.hear("alice")
		w.after(61*time.Minute, "alice") // the first silence: subscribed anew
		w.on("alice", "push", "")
		if n := len(w.server.subscribed); n != 2 {
			w.Errorf("%d subscriptions after the first silence, want 2", n)
		}
		w.after(time.Hour, "alice") // the second in a row
		w.on("alice", "streaming", "")
		if s := w.state("alice"); s.Status != store.StatusOK || !strings.HasPrefix(s.Reason, "notices arrive by streaming: nothing was heard") {
			w.Errorf("state = %+v", s)
		}
		if subs, err := w.store.Subscriptions(w.Context(), tenant, "alice"); err != nil || len(subs) != 0 {
			w.Errorf("subscriptions %v, %v", subs, err)
		}

		w.after(80*time.Minute, "alice") // an hour and up to a quarter
		w.on("alice", "streaming", "push")
		w.after(time.Hour, "alice")
		w.on("alice", "streaming", "")
		if mb := w.mailbox("alice"); mb.Falls != 2 || mb.ClimbAt.Sub(w.now()) < 90*time.Minute {
			w.Errorf("%d falls, next try in %v", mb.Falls, mb.ClimbAt.Sub(w.now()))
		}

		w.after(150*time.Minute, "alice")
		w.on("alice", "streaming", "push")
		w.hear("alice")
		w.after(2*time.Minute+30*time.Minute, "alice") // looked at when a sign of life should have come
		w.on("alice", "push", "")
		if mb := w.mailbox("alice"); mb.WayReason != "" || mb.Falls != 0 || mb.Silences != 0 || !mb.ClimbAt.IsZero() || w.state("alice").Reason != "" {
			w.Errorf("mailbox = %+v", mb)
		}
		if got, want := w.timeline("alice"), "notices arrive by streaming; notices arrive by push"; got != want {
			w.Errorf("timeline: %s, want %s", got, want)
		}
	})
}

func TestOneMessageForgivesSilence(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("push")
		w.pass("alice")
		for range 3 {
			w.after(time.Hour, "alice")
			w.on("alice", "push", "")
			w.hear("alice")
		}
		if n := w.mailbox("alice").Silences; n != 1 {
			w.Errorf("%d silences, want 1", n)
		}
	})
}

func TestSilenceWhileNoHostRanIsNotHeldAgainstPush(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("push")
		w.pass("alice")
		for range 3 {
			w.later(5 * time.Hour)
			if _, err := w.engine.Resume(w.Context()); err != nil {
				w.Fatal(err)
			}
			w.pass("alice")
		}
		w.on("alice", "push", "")
		if mb := w.mailbox("alice"); mb.Silences != 0 {
			w.Errorf("mailbox = %+v", mb)
		}
	})
}

func TestModesBeginOnTheWayTheyPrefer(t *testing.T) {
	for _, c := range []struct {
		notices, url, way, reason string
		watcher                   backend.Watcher
		asking                    bool
	}{
		{"push", "https://rooms.example.com/x?Default", "push", "", noWatcher{}, false},
		{"", "https://rooms.example.com/x?Default", "push", "", nil, false},
		{"push", "", "streaming", "notices arrive by streaming: no public URL", noWatcher{}, false},
		{"push", "", "poll", "changes are looked for by the clock: no public URL", nil, false},
		{"streaming", "", "streaming", "", noWatcher{}, false},
		{"streaming", "", "poll", "", nil, false},
		{"pull", "", "pull", "", noWatcher{}, false},
		{"pull", "", "poll", "", nil, false},
		{"push", "", "pull", "notices are asked for at intervals: no public URL", noWatcher{}, true},
		{"streaming", "", "pull", "notices are asked for at intervals: this server has no connections", noWatcher{}, true},
		{"pull", "", "pull", "", noWatcher{}, true},
		{"poll", "https://rooms.example.com/x?Default", "poll", "", noWatcher{}, false},
	} {
		t.Run(c.notices+" is "+c.way, func(t *testing.T) {
			each(t, func(w *world) {
				w.engine.Modes = oneMode{m: w.server, notices: c.notices, watcher: c.watcher, asking: c.asking}
				w.engine.NotificationURL = func(string, string) string { return c.url }
				var told []string
				w.engine.WayChanged = func(_, person string) { told = append(told, person) }
				w.pass("alice")
				w.on("alice", c.way, "")
				if s := w.state("alice"); s.Status != store.StatusOK || !strings.HasPrefix(s.Reason, c.reason) || c.reason == "" && s.Reason != "" {
					w.Errorf("state = %+v, want reason %q", s, c.reason)
				}
				if len(told) != 1 || told[0] != "alice" {
					w.Errorf("told of %v", told)
				}
				w.after(3*time.Hour, "alice")
				if mb := w.mailbox("alice"); mb.Way == "poll" && mb.PollAt.IsZero() || mb.Way != "push" && mb.Way != "poll" && !mb.PollAt.IsZero() {
					w.Errorf("way %q, pulled by the clock at %v", mb.Way, mb.PollAt)
				}
			})
		})
	}
}

func TestAServerWithoutConnectionsIsAsked(t *testing.T) {
	for notices, url := range map[string]string{"push": "", "streaming": "https://rooms.example.com/x?Default"} {
		t.Run(notices, func(t *testing.T) {
			each(t, func(w *world) {
				w.engine.Modes = oneMode{m: w.server, notices: notices, watcher: noWatcher{}, asking: true}
				w.engine.NotificationURL = func(string, string) string { return url }
				w.pass("alice")
				w.on("alice", "pull", "")
			})
		})
	}
	t.Run("push that does not work", func(t *testing.T) {
		each(t, func(w *world) {
			w.engine.Modes = oneMode{m: w.server, notices: "push", watcher: noWatcher{}, asking: true}
			w.pass("alice")
			w.on("alice", "push", "")
			if err := w.engine.FallBack(w.Context(), tenant, "alice", "nothing came"); err != nil {
				w.Fatal(err)
			}
			w.on("alice", "pull", "")
		})
	})
}

func TestPushIsTriedOnceThereIsAPublicURL(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("push")
		url := w.engine.NotificationURL
		w.engine.NotificationURL = func(string, string) string { return "" }
		w.pass("alice")
		w.on("alice", "streaming", "")
		w.engine.NotificationURL = url
		w.pass("alice")
		w.on("alice", "streaming", "push")
		w.hear("alice")
		w.pass("alice")
		w.on("alice", "push", "")
		w.engine.NotificationURL = func(string, string) string { return "" }
		w.pass("alice")
		w.on("alice", "streaming", "")
		if subs, err := w.store.Subscriptions(w.Context(), tenant, "alice"); err != nil || len(subs) != 0 {
			w.Errorf("subscriptions %v, %v", subs, err)
		}
	})
}

func TestRefusedSubscriptionFallsToStreaming(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Unsupported, fault.Forbidden, fault.Invalid, fault.SubscriptionLost} {
		t.Run(string(kind), func(t *testing.T) {
			each(t, func(w *world) {
				w.prefer("push")
				w.server.noPush = &fault.Error{Kind: kind, Message: "the server refuses the URL"}
				w.pass("alice")
				w.on("alice", "streaming", "")
				if s := w.state("alice"); s.Reason != "notices arrive by streaming: the server refuses the URL" {
					w.Errorf("state = %+v", s)
				}
				w.after(80*time.Minute, "alice") // refused once more
				w.on("alice", "streaming", "")
				if n := w.mailbox("alice").Falls; n != 2 {
					w.Errorf("%d falls, want 2", n)
				}
			})
		})
	}
}

func TestTroubleOfABetterWayDoesNotStopTheSync(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("push")
		w.server.noPush = fault.Unsupported
		w.pass("alice")
		w.server.noPush = fault.Internal
		w.book("b1")
		w.after(80*time.Minute, "alice")
		w.pass("alice")
		w.only(alice)
		w.on("alice", "streaming", "")
		if s := w.state("alice"); s.Status != store.StatusOK {
			w.Errorf("state = %+v", s)
		}
	})
}

func TestMailboxThatIsNotListenedToIsPolledMeanwhile(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("streaming")
		w.pass("alice")
		before := w.mailbox("alice").Wanted
		if err := w.engine.Deaf(w.Context(), "streaming", []store.Watched{w.watchedAs("alice")}, "the server closes every connection"); err != nil {
			w.Fatal(err)
		}
		w.on("alice", "poll", "streaming")
		if w.mailbox("alice").Wanted != before+1 {
			w.Error("the mailbox is not read at once")
		}
		w.pass("alice")
		if s := w.state("alice"); s.Status != store.StatusOK || s.Reason != "changes are looked for by the clock: the server closes every connection" {
			w.Errorf("state = %+v", s)
		}
		w.after(48*time.Hour, "alice") // there is nothing else to try
		w.on("alice", "poll", "streaming")
		w.listening("streaming", "alice")
		w.on("alice", "streaming", "")
		if s := w.state("alice"); s.Reason != "" {
			w.Errorf("state = %+v", s)
		}
		want := "notices arrive by streaming; changes are looked for by the clock; notices arrive by streaming"
		if got := w.timeline("alice"); got != want {
			w.Errorf("timeline: %s, want %s", got, want)
		}
	})
}

func TestFallBackGoesDownOneRungAndClimbsFromThere(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("push")
		w.pass("alice")
		for _, want := range []string{"streaming", "poll", "poll"} {
			if err := w.engine.FallBack(w.Context(), tenant, "alice", "the test's notification did not arrive"); err != nil {
				w.Fatal(err)
			}
			w.on("alice", want, "")
			w.pass("alice")
			w.on("alice", want, "")
		}
		if s := w.state("alice"); s.Reason != "changes are looked for by the clock: the test's notification did not arrive" {
			w.Errorf("state = %+v", s)
		}
		if err := w.engine.ClimbNow(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.on("alice", "poll", "streaming")
		w.after(61*time.Minute, "alice") // no connection came about: push has its turn
		w.on("alice", "poll", "")
		if err := w.engine.Sync(w.Context(), tenant, "alice", false); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.on("alice", "poll", "push")
		before := len(w.server.subscribed) // the cause is gone: a new subscription is greeted at once
		if err := w.engine.Sync(w.Context(), tenant, "alice", false); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.on("alice", "poll", "push")
		if n := len(w.server.subscribed) - before; n != 1 {
			w.Errorf("subscribed %d times more", n)
		}
		w.hear("alice")
		w.pass("alice")
		w.on("alice", "push", "")
	})
}

// What falls back while its subscription is renewed stays fallen: the server grants what no message of it will come by.
func TestFallBackWhileASubscriptionIsRenewed(t *testing.T) {
	for _, step := range []string{"asked", "granted"} {
		t.Run(step, func(t *testing.T) {
			each(t, func(w *world) {
				w.prefer("push")
				w.pass("alice")
				w.later(5 * time.Hour)
				fall := func() {
					if err := w.engine.FallBack(w.Context(), tenant, "alice", "nothing came"); err != nil {
						w.Fatal(err)
					}
				}
				w.engine.Failpoint = func(s string) {
					if s == "subscribe:token-stored" && step == "asked" || s == "subscribe:granted" && step == "granted" {
						w.engine.Failpoint = func(string) {}
						fall()
					}
				}
				w.pass("alice")
				w.on("alice", "streaming", "")
				w.pass("alice")
				w.on("alice", "streaming", "")
				if got := w.mailbox("alice"); got.WayReason != "nothing came" || got.SubscriptionID != "" {
					w.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestStreamingThatStandsLeadsOnToPush(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("push")
		w.pass("alice")
		for range 2 {
			if err := w.engine.FallBack(w.Context(), tenant, "alice", "nothing arrives"); err != nil {
				w.Fatal(err)
			}
		}
		if err := w.engine.ClimbNow(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.on("alice", "poll", "streaming")
		w.listening("streaming", "alice")
		w.on("alice", "streaming", "push")
	})
}

func TestMailboxThatCannotBeListenedToFalls(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("pull")
		w.pass("alice")
		fail := func() {
			if err := w.engine.CannotListen(w.Context(), "pull", w.watchedAs("alice"), "a delegate's mailbox"); err != nil {
				w.Fatal(err)
			}
			w.pass("alice")
		}
		fail()
		w.on("alice", "poll", "")
		if s := w.state("alice"); s.Reason != "changes are looked for by the clock: a delegate's mailbox" {
			w.Errorf("state = %+v", s)
		}
		w.after(80*time.Minute, "alice")
		w.on("alice", "poll", "pull")
		fail()
		w.on("alice", "poll", "")
		if n := w.mailbox("alice").Falls; n != 2 {
			w.Errorf("%d falls, want 2", n)
		}
		w.after(160*time.Minute, "alice")
		w.listening("pull", "alice")
		w.on("alice", "pull", "")
		if n := w.mailbox("alice").Falls; n != 0 {
			w.Errorf("%d falls, want 0", n)
		}
	})
}

func TestWhoIsElsewhereIsNotHeard(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("streaming")
		w.pass("alice")
		w.pass("bob")
		old := []store.Watched{w.watchedAs("alice"), w.watchedAs("bob"), {Tenant: tenant, Person: "nobody", Mode: "Memory"}}
		w.person(directory.Person{ID: "alice", Email: "alice@new.example.com", DisplayName: "Alice"})
		w.person(directory.Person{ID: "bob", Email: bob, DisplayName: "Bob", SyncDisabled: true})
		w.pass("alice")
		w.pass("bob")
		wanted := w.mailbox("alice").Wanted
		if err := w.engine.Deaf(w.Context(), "streaming", old, "gone"); err != nil {
			w.Fatal(err)
		}
		if err := w.engine.Listening(w.Context(), "streaming", old); err != nil {
			w.Fatal(err)
		}
		w.on("alice", "streaming", "")
		w.on("bob", "", "")
		if got := w.mailbox("alice").Wanted; got != wanted {
			w.Errorf("marked %d times", got-wanted)
		}
	})
}

func TestAnotherPreferenceTakesEffectAtTheNextPass(t *testing.T) {
	each(t, func(w *world) {
		for _, c := range []struct{ notices, way, try string }{
			{"push", "push", ""}, {"streaming", "streaming", ""}, {"push", "streaming", "push"}, {"pull", "pull", ""},
			{"poll", "poll", ""}, {"streaming", "poll", "streaming"}, {"pull", "poll", "pull"}, {"push", "poll", "streaming"},
		} {
			w.prefer(c.notices)
			w.pass("alice")
			w.on("alice", c.way, c.try)
		}
	})
}
