package syncer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A server that grants no subscription, whatever its reason, must not keep a calendar from being read and written.
func TestServerThatNeverGrantsASubscriptionIsSyncedAllTheSame(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Unavailable, fault.Internal} {
		t.Run(string(kind), func(t *testing.T) {
			each(t, func(w *world) {
				w.server.noPush = &fault.Error{Kind: kind, Message: "the server stumbles"}
				w.book("b1")
				w.pass("alice")
				w.none(alice)
				w.after(10*time.Minute, "alice")
				w.only(alice)
				w.on("alice", "poll", "")
				if s := w.state("alice"); s.Status != store.StatusOK || !strings.Contains(s.Reason, "the server stumbles") {
					w.Errorf("state = %+v", s)
				}
				w.server.noPush = nil
				w.after(80*time.Minute, "alice")
				w.on("alice", "poll", "push")
			})
		})
	}
}

func TestServerThatIsAwayKeepsItsWay(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.later(5 * time.Hour)
		w.server.before = func(string) error { return fault.Unavailable }
		w.after(30*time.Minute, "alice")
		w.on("alice", "push", "")
		w.server.before = nil
		w.after(20*time.Minute, "alice")
		w.on("alice", "push", "")
		if s := w.state("alice"); s.Status != store.StatusOK || s.Reason != "" {
			w.Errorf("state = %+v", s)
		}
	})
}

// Nobody listens and nobody says so.
func TestMailboxThatNobodyListensToIsReadSometimes(t *testing.T) {
	each(t, func(w *world) {
		for _, way := range []string{"streaming", "pull"} {
			w.prefer(way)
			w.pass("alice")
			w.on("alice", way, "")
			before := w.server.calls["pull"]
			w.after(5*time.Hour, "alice")
			if n := w.server.calls["pull"] - before; n != 1 {
				w.Errorf("%s: read %d times in five hours", way, n)
			}
		}
	})
}

func TestSubscriptionThatIsDroppedOnProbationIsAskedForAnew(t *testing.T) {
	each(t, func(w *world) {
		w.prefer("push")
		w.server.noPush = fault.Unsupported
		w.pass("alice")
		w.server.noPush = nil
		drop := func() {
			w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.DropSubscriptions(ctx, tenant, "alice") })
		}
		w.amid("subscribe", drop)
		w.after(80*time.Minute, "alice")
		w.on("alice", "streaming", "push")
		drop()
		w.pass("alice")
		w.on("alice", "streaming", "push")
		w.hear("alice") // there is one
		w.pass("alice")
		w.on("alice", "push", "")
	})
}

// The person was switched on and off again, and the host died in the pass between.
func TestPersonSwitchedOffAgainIsNotListenedTo(t *testing.T) {
	each(t, func(w *world) {
		off := func(yes bool) {
			w.person(directory.Person{ID: "bob", Email: bob, DisplayName: "Bob", SyncDisabled: yes})
		}
		off(true)
		w.pass("bob")
		off(false)
		w.server.before = func(call string) error {
			if call == "pull" {
				panic("dies")
			}
			return nil
		}
		func() {
			defer func() { _ = recover() }()
			w.pass("bob")
		}()
		w.server.before = nil
		w.on("bob", "push", "")
		off(true)
		w.pass("bob")
		w.on("bob", "", "")
	})
}
