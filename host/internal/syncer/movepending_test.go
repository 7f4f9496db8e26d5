package syncer

import (
	"context"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/fault"
)

// wholly are modes whose backends tell in full also of what bears no marker.
type wholly struct{ *twoModes }

func (t wholly) Mode(ctx context.Context, name, email string) (Mode, error) {
	m, err := t.twoModes.Mode(ctx, name, email)
	m.Everything = true
	return m, err
}

// A move that waited for the end of shadow mode does not end the take-over before anything was taken over.
func TestAMoveAtTheEndOfShadowModeLeavesTheTakeOverToBeMade(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.shadow(true)
		w.oldSync(w.book("marked"), true)
		w.book("missing", at(13))
		w.pass("alice")
		w.ask("Other")
		w.pass("alice")
		w.shadow(false)
		w.pass("alice")
		w.pass("alice")
		w.mode("Other")
		for _, id := range []string{"marked", "missing"} {
			if l, linked := w.links()[id]; !linked || l.State != store.LinkLive {
				w.Errorf("%s after the take-over: linked %v, %+v", id, linked, l)
			}
		}
		if w.mailbox("alice").TakeOver || len(w.server.items(alice)) != 2 {
			w.Errorf("to be taken over: %v; %d items, want 2", w.mailbox("alice").TakeOver, len(w.server.items(alice)))
		}
		w.cancel("marked")
		w.pass("alice")
		if it := w.server.items(alice); len(it) != 1 || it[0].ForeignKey != "missing" {
			w.Errorf("after the cancellation there are %+v", it)
		}
	})
}

// Somebody was synced, put into shadow mode before a booking was written, which another sync did then, and is moved as it ends: what that made
// without a marker is taken over before anything is written, so nothing is made twice.
func TestNothingIsWrittenBetweenShadowModeAndTheTakeOver(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.engine.Modes = wholly{m}
		w.booked(1)
		bare := w.book("bare", at(15))
		w.shadow(true)
		ref := w.oldSync(bare, false)
		w.server.identify(alice, ref, "uid of the old sync")
		w.pass("alice")
		w.ask("Other")
		w.shadow(false)
		mails := len(w.server.mails)
		w.pass("alice")
		w.pass("alice")
		w.mode("Other")
		if l := w.links()["bare"]; l.State != store.LinkLive || l.Ref != otherPrefix+ref || len(w.server.items(alice)) != 2 || len(w.server.mails) != mails {
			w.Errorf("link = %+v; %d items, want 2; mails %v", l, len(w.server.items(alice)), w.server.mails[mails:])
		}
	})
}

// The sync of a person is switched on, and the person is moved at once: what was booked and changed meanwhile comes into the calendar.
func TestAMoveRightAfterTheSyncIsSwitchedOnCatchesUp(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.book("before")
		w.pass("alice")
		p := directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncDisabled: true}
		w.person(p)
		w.pass("alice")
		w.book("before", at(12))
		w.book("meanwhile", at(15))
		p.SyncDisabled = false
		w.person(p)
		w.ask("Other")
		w.pass("alice")
		w.pass("alice")
		w.mode("Other")
		if it := w.itemOf("before.1"); len(w.server.items(alice)) != 2 || it.Event.Start.Hour() != 12 {
			w.Errorf("%d items, want 2; the one from before is at %s, its booking at 12", len(w.server.items(alice)), it.Event.Start)
		}
	})
}

// A full read that somebody asked for, or that was cut off, is made by the new mode. Who wanted none is not read in full once more.
func TestAFullReadThatIsWantedIsMadeAfterTheMove(t *testing.T) {
	for name, tc := range map[string]struct {
		wanted func(w *world, m *twoModes)
		rounds int64
	}{
		"none": {func(*world, *twoModes) {}, 1},
		"asked for": {func(w *world, _ *twoModes) {
			if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
				w.Fatal(err)
			}
		}, 2},
		"cut off": {func(w *world, m *twoModes) {
			mb := w.mailbox("alice")
			mb.RoundOpen, mb.ReconcileAt = true, w.now().Add(time.Hour)
			w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.SaveMailbox(ctx, mb) })
			m.memory.fail = fault.MailboxMoved
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(2)
				before := w.mailbox("alice").Round
				tc.wanted(w, m)
				w.silently(func() {
					w.ask("Other")
					w.pass("alice")
					w.mode("Other")
					w.pass("alice")
				})
				mb := w.mailbox("alice")
				if got := mb.Round - before; got != tc.rounds || mb.RoundOpen || mb.ReconcileAt.IsZero() {
					w.Errorf("%d rounds, want %d; %+v", got, tc.rounds, mb)
				}
			})
		})
	}
}
