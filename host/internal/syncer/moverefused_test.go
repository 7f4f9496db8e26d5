package syncer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestMoveToAModeThatDoesNotWork(t *testing.T) {
	for kind, state := range map[fault.Kind]store.MoveState{
		fault.Forbidden: store.MoveAttention, fault.Unauthorized: store.MoveAttention, fault.MailboxNotFound: store.MoveAttention,
		fault.MailboxMoved: store.MoveAttention, fault.Unavailable: store.MoveWaiting, fault.Throttled: store.MoveWaiting,
	} {
		t.Run(string(kind), func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(2)
				m.other.fail = &fault.Error{Kind: kind, Message: "not today"}
				w.ask("Other")
				w.pass("alice")
				mv, _ := w.moved(state)
				if !strings.Contains(mv.Reason, "not today") || state == store.MoveAttention && mv.Remedy == "" {
					w.Errorf("move = %+v", mv)
				}
				if s := w.state("alice"); s.Status != store.StatusOK {
					w.Errorf("state = %+v", s)
				}
				w.rebook("b1", titled("changed")) // the old mode goes on
				w.pass("alice")
				if w.itemOf("b1.1").Event.Subject != "changed" {
					w.Errorf("item = %+v", w.itemOf("b1.1"))
				}
				m.other.fail = nil
				w.later(time.Hour)
				if state == store.MoveAttention {
					w.ask("Other")
				}
				w.pass("alice")
				w.mode("Other")
			})
		})
	}
}

// A wrong secret of the new mode is tried once, not by everybody who is to move.
func TestWrongSecretIsNotTriedByEverybody(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		everybody := []string{"alice", "bob", "carol"}
		for _, p := range everybody {
			w.pass(p)
		}
		m.other.fail = &fault.Error{Kind: fault.Unauthorized, Message: "no such secret", Scope: fault.ScopeServer}
		var moves []store.Move
		for _, p := range everybody {
			moves = append(moves, store.Move{Tenant: tenant, Person: p, To: "Other"})
		}
		if refused, err := w.engine.RequestMoves(w.Context(), moves); err != nil || len(refused) > 0 {
			w.Fatal(refused, err)
		}
		for _, p := range everybody {
			w.pass(p)
		}
		if m.other.refused != 1 {
			w.Errorf("it was tried %d times", m.other.refused)
		}
		w.moved(store.MoveAttention)
		for _, p := range everybody {
			if s := w.state(p); s.Status != store.StatusOK {
				w.Errorf("%s: %+v", p, s)
			}
		}
		m.other.fail = nil
		w.later(2 * time.Hour)
		for _, p := range []string{"bob", "carol"} {
			w.pass(p)
			w.pass(p)
			if row, _, err := w.store.Person(w.Context(), tenant, p); err != nil || row.SyncMode != "Other" {
				w.Errorf("%s has %s, %v", p, row.SyncMode, err)
			}
		}
	})
}

func TestMoveIsCancelled(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(2)
		if err := w.engine.CancelMove(w.Context(), tenant, "alice"); err == nil {
			w.Error("what was never asked for was cancelled")
		}
		w.engine.Failpoint = func(step string) {
			if step == "move:matched" {
				if err := w.engine.CancelMove(w.Context(), tenant, "alice"); err != nil {
					w.Error(err)
				}
			}
		}
		w.ask("Other")
		w.pass("alice")
		w.moved(store.MoveCancelled)
		w.mode("Memory")
	})
}

func TestWhoCannotBeMoved(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.person(directory.Person{ID: "bob", Email: bob, SyncDisabled: true})
		refused, err := w.engine.RequestMoves(w.Context(), []store.Move{
			{Tenant: tenant, Person: "bob", To: "Other"}, {Tenant: tenant, Person: "alice", To: "Other"},
			{Tenant: tenant, Person: "room-a", To: "Other"}, {Tenant: tenant, Person: "nobody", To: "Other"},
			{Tenant: tenant, Person: "carol", To: "Memory"},
		})
		if err != nil || len(refused) != 4 || refused[1] != "" {
			w.Errorf("refused: %v, %v", refused, err)
		}
	})
}

func TestMoveNeedsFewRequests(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		const links = 200
		w.booked(links)
		w.server.page = 50
		count := func() int {
			n := 0
			for _, c := range w.server.calls {
				n += c
			}
			return n
		}
		before := count()
		w.ask("Other")
		w.pass("alice")
		w.mode("Other")
		if n := count() - before; n > links/20+6 {
			w.Errorf("%d requests: %v", n, w.server.calls)
		}
	})
}

func TestAfterAMoveNewBookingsNeedNoSearch(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		w.ask("Other")
		w.pass("alice")
		if n := w.finds(func() {
			w.book("new", at(20))
			w.pass("alice")
		}); n != 0 || len(w.server.items(alice)) != 4 {
			w.Errorf("%d searches, %d items", n, len(w.server.items(alice)))
		}
	})
}

func TestMailboxThatIsFoundElsewhereIsOffered(t *testing.T) {
	for name, follow := range map[string]bool{"offered": false, "followed": true} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				limits := DefaultLimits()
				limits.FollowMoves = follow
				w.engine.SetLimits(limits)
				w.booked(2)
				m.memory.fail = &fault.Error{Kind: fault.MailboxMoved, Message: "it has moved"}
				w.rebook("b1", titled("changed"))
				w.pass("alice")
				if follow {
					w.mode("Other")
					w.moved(store.MoveDone)
				} else {
					w.mode("Memory")
					w.moved(store.MoveOffered)
					if s := w.state("alice"); !strings.Contains(s.Remedy, "roomwire person move --to Other alice") {
						w.Errorf("state = %+v", s)
					}
					probes := w.server.calls["probe"]
					w.pass("alice")
					if w.server.calls["probe"] != probes {
						w.Error("asked again though nothing was due")
					}
					if who, err := w.engine.FollowMoves(w.Context(), tenant, true); err != nil || len(who) != 1 {
						w.Fatal(who, err)
					}
					w.pass("alice") // tries it, and finds the mailbox gone from the old mode as before
					w.mode("Memory")
					if mv, _ := w.moved(store.MoveOffered); mv.DryRun || !strings.Contains(mv.Reason, "a dry run found 2 items") || len(mv.Report) == 0 {
						w.Errorf("after a dry run: %+v", mv)
					}
					who, err := w.engine.FollowMoves(w.Context(), tenant, false)
					if err != nil || !slices.Equal(who, []string{"alice"}) {
						w.Fatal(who, err)
					}
					w.pass("alice")
					w.mode("Other")
				}
				w.pass("alice")
				if s := w.state("alice"); s.Status != store.StatusOK || w.itemOf("b1.1").Event.Subject != "changed" {
					w.Errorf("state = %+v, item = %+v", s, w.itemOf("b1.1"))
				}
			})
		})
	}
}

func TestOfferIsWithdrawnWhenTheMailboxIsBack(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(1)
		m.memory.fail = fault.MailboxMoved
		w.rebook("b0", titled("changed"))
		w.pass("alice")
		w.moved(store.MoveOffered)
		m.memory.fail = nil
		w.later(time.Hour)
		w.pass("alice")
		if mv, found, err := w.store.Move(w.Context(), tenant, "alice"); found || err != nil {
			w.Errorf("move = %+v, %v", mv, err)
		}
	})
}
