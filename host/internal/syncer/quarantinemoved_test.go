package syncer

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// switched has alice's mailbox reached by another sync mode.
func (w *world) switched(mode string) {
	w.Helper()
	p := directory.Person{Tenant: tenant, ID: "alice", Email: alice, DisplayName: "Alice", SyncMode: mode, Kind: directory.KindPerson}
	if _, err := w.engine.PutPerson(w.Context(), p); err != nil {
		w.Fatal(err)
	}
}

// misread has a few of alice's items, or all, say something else than what was agreed on.
func (w *world) misread(n int) {
	w.Helper()
	for _, it := range w.server.items(alice)[:n] {
		w.server.edit(alice, it.Ref, func(ev *calendar.Event) { ev.Subject = "misread" })
	}
}

// So many changes at once wait for a word, also where they are met after the mailbox is reached in another way: by a setting, or by a move of
// which the old mode cannot be asked any more.
func TestMassChangesWaitWhereAnotherModeIsTheFirstToTellOfThem(t *testing.T) {
	const n = 12
	for way, change := range map[string]func(w *world, m *twoModes){
		"set": func(w *world, _ *twoModes) {
			w.switched("Other")
			w.pass("alice")
		},
		"moved": func(w *world, m *twoModes) {
			m.memory.fail = fault.MailboxMoved
			w.ask("Other")
			w.pass("alice")
			if mv, r := w.moved(store.MoveDone); r.Differing != n || !strings.Contains(mv.Remedy, "quarantine show") || !strings.Contains(mv.Reason, "wait") {
				w.Errorf("move = %+v, %+v", mv, r)
			}
		},
		"moved, whatever is found": func(w *world, m *twoModes) {
			m.memory.fail = fault.MailboxMoved
			w.ask("Other", lenient)
			w.pass("alice")
		},
	} {
		for _, decision := range []string{Approve, Discard, Undo} {
			t.Run(fmt.Sprint(way, ", ", decision), func(t *testing.T) {
				movers(t, func(w *world, m *twoModes) {
					w.many(n)
					w.misread(n)
					w.silently(func() {
						change(w, m)
						w.mode("Other")
						w.waiting(CalendarChanges, n)
						w.are(n, 0, n, "misread")
						w.full()
						w.are(n, 0, n, "misread")
					})
					for _, l := range w.links() {
						if l.State != store.LinkLive || l.Ref == "" || l.Quarantine == 0 {
							t.Errorf("link = %+v", l)
						}
					}
					mails := len(w.server.mails)
					q := w.waiting(CalendarChanges, n)
					if decision == Discard {
						w.decideUnit(q, Discard)
						w.are(n, n, n, "Planning")
					} else {
						q = w.decideUnit(q, Approve)
						w.are(n, n, n, "misread")
					}
					if decision == Undo {
						w.decideUnit(q, Undo)
						w.are(n, n, n, "Planning")
					}
					if len(w.server.mails) != mails || w.server.items(alice) == nil || len(w.server.items(alice)) != n {
						t.Errorf("mails = %v, %d items", w.server.mails[mails:], len(w.server.items(alice)))
					}
				})
			})
		}
	}
}

// A few edits are edits, in whatever way they are met.
func TestAFewChangesAreTakenOverInAnotherMode(t *testing.T) {
	const n = 12
	for way, change := range map[string]func(w *world, m *twoModes){
		"set": func(w *world, _ *twoModes) { w.switched("Other") },
		"moved": func(w *world, m *twoModes) {
			m.memory.fail = fault.MailboxMoved
			w.ask("Other")
		},
	} {
		t.Run(way, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.many(n)
				w.misread(4)
				change(w, m)
				w.pass("alice")
				w.mode("Other")
				w.are(n, 4, 4, "misread")
				if s := w.state("alice"); s.Status != store.StatusOK {
					t.Errorf("state = %+v", s)
				}
			})
		})
	}
}

// Changes that wait when the mailbox is moved go on waiting, in the same unit.
func TestMassChangesGoOnWaitingAcrossAMove(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		const n = 12
		w.many(n)
		w.misread(n)
		w.dirty()
		w.pass("alice")
		q := w.waiting(CalendarChanges, n)
		w.ask("Other", lenient)
		w.pass("alice")
		w.mode("Other")
		if now := w.waiting(CalendarChanges, n); now.ID != q.ID {
			t.Errorf("unit %d, before %d", now.ID, q.ID)
		}
		w.are(n, 0, n, "misread")
	})
}

// A move of a person whose changes wait in quarantine is not refused because of them: neither mode misreads anything. What one does misread is
// found beside them.
func TestAMoveBlamesNoModeForWhatWaits(t *testing.T) {
	const n = 12
	for name, tc := range map[string]struct {
		meanwhile int // items that the new mode tells otherwise
		want      store.MoveState
	}{"nothing else": {0, store.MoveDone}, "and the new mode misreads the rest": {4, store.MoveAttention}} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, _ *twoModes) {
				w.many(n + tc.meanwhile)
				w.misread(n)
				w.dirty()
				w.pass("alice")
				w.waiting(CalendarChanges, n)
				w.engine.Failpoint = func(step string) {
					if step == "move:drained" {
						for _, it := range w.server.items(alice)[n:] {
							w.server.edit(alice, it.Ref, func(ev *calendar.Event) { ev.Subject += "?" })
						}
					}
				}
				w.silently(func() {
					w.ask("Other")
					w.pass("alice")
				})
				if m, _ := w.moved(tc.want); tc.want == store.MoveAttention && !strings.Contains(m.Reason, "4 items of 4 say something else") {
					w.Errorf("move = %+v", m)
				}
				w.waiting(CalendarChanges, n)
			})
		})
	}
}

// Bookings that are out of the sync, whose items were changed since, say nothing of how a mode reads.
func TestAMoveBlamesNoModeForWhatIsOutOfTheSync(t *testing.T) {
	const n = 5
	movers(t, func(w *world, _ *twoModes) {
		w.booked(n)
		for _, b := range w.bookings() {
			w.tx(func(ctx context.Context, tx *store.Tx) error {
				next := b.Clone()
				next.SyncDisabled, next.SyncProblem = true, "for some reason"
				return w.engine.save(ctx, tx, b, next, sourceSync, "for some reason")
			})
		}
		w.misread(n)
		w.silently(func() {
			w.ask("Other")
			w.pass("alice")
		})
		w.moved(store.MoveDone)
	})
}
