package syncer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// booked makes n bookings of alice and brings them to the calendar.
func (w *world) booked(n int) {
	w.Helper()
	for i := range n {
		w.book(fmt.Sprintf("b%d", i), func(b *booking.Booking) {
			b.Start = b.Start.Add(time.Duration(i) * time.Hour)
			b.End = b.End.Add(time.Duration(i) * time.Hour)
			b.Title = fmt.Sprintf("Planning %d", i)
		})
	}
	w.pass("alice")
	if got := len(w.server.items(alice)); got != n {
		w.Fatalf("%d items, want %d", got, n)
	}
}

// rebook changes a booking, whose other fields stay.
func (w *world) rebook(id string, change ...func(*booking.Booking)) {
	w.Helper()
	b := w.booking(id).Clone()
	for _, c := range change {
		c(b)
	}
	if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
		w.Fatal(err)
	}
}

func (w *world) itemOf(key string) calendar.Item {
	w.Helper()
	for _, it := range w.server.items(alice) {
		if it.Key == key {
			return it
		}
	}
	w.Fatalf("no item %s", key)
	return calendar.Item{}
}

func TestMoveThereAndBackTouchesNothing(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(5)
		for _, to := range []string{"Other", "Memory"} {
			w.silently(func() {
				w.ask(to)
				w.pass("alice")
				w.mode(to)
				if _, r := w.moved(store.MoveDone); r.Verified != 5 || r.Links != 5 || len(r.Items) != 0 {
					w.Errorf("report = %+v", r)
				}
				if s := w.state("alice"); s.Status != store.StatusOK {
					w.Errorf("state = %+v", s)
				}
				if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
			})
			for id, l := range w.links() {
				if l.State != store.LinkLive || strings.HasPrefix(string(l.Ref), otherPrefix) != (to == "Other") {
					w.Errorf("link of %s: %+v", id, l)
				}
			}
			w.on("alice", "push", "")
			// Both sides go on.
			w.rebook("b0", titled("by the booking system, "+to))
			it := w.itemOf("b1.1")
			w.server.edit(alice, it.Ref, func(e *calendar.Event) { e.Subject = "in Outlook, " + to })
			w.pass("alice")
			if it := w.itemOf("b0.1"); it.Event.Subject != "by the booking system, "+to {
				w.Errorf("item of b0 = %+v", it)
			}
			if b := w.booking("b1"); b.Title != "in Outlook, "+to {
				w.Errorf("b1 = %+v", b)
			}
		}
		if len(m.memory.ended) != 1 || len(m.other.ended) != 1 {
			w.Errorf("unsubscribed: %v and %v", m.memory.ended, m.other.ended)
		}
		if n := w.differences(notFoundAfterMove) + w.differences(ambiguousAfterMove); n != 0 {
			w.Errorf("%d differences", n)
		}
	})
}

func TestDryRunOfAMoveChangesNothing(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(3)
		w.server.edit(alice, w.itemOf("b1.1").Ref, func(e *calendar.Event) { e.Subject = "in Outlook" })
		m.other.hidden = map[calendar.Ref]bool{w.itemOf("b2.1").Ref: true}
		before := w.links()
		w.ask("Other", dry)
		mb := w.mailbox("alice")
		w.silently(func() {
			out, done, err := w.engine.carryMove(w.Context(), tenant, "alice")
			if err != nil || done || !out.Next.IsZero() {
				w.Fatal(out, done, err)
			}
		})
		mv, r := w.moved(store.MoveDone)
		if r.Verified != 1 || r.Differing != 1 || r.Missing != 1 || !mv.DryRun {
			w.Errorf("report = %+v", r)
		}
		if want := []MoveItem{{"b1", "differing", "subject"}, {"b2", "missing", ""}}; !slices.Equal(r.Items, want) {
			w.Errorf("items = %v, want %v", r.Items, want)
		}
		w.mode("Memory")
		if got := w.links(); fmt.Sprint(got) != fmt.Sprint(before) || w.mailbox("alice") != mb {
			w.Error("something was changed")
		}
	})
}

// The old mode is switched off, and both sides were changed since.
func TestMoveWithoutTheOldModeLosesNothing(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Forbidden, fault.MailboxMoved, fault.MailboxNotFound, fault.Unauthorized, fault.Unavailable} {
		t.Run(string(kind), func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(4)
				m.memory.fail = &fault.Error{Kind: kind, Message: "switched off"}
				w.server.edit(alice, w.itemOf("b0.1").Ref, func(e *calendar.Event) { e.Subject = "in Outlook" })
				w.rebook("b1", titled("by the booking system"))
				w.book("b3", func(b *booking.Booking) {
					b.Title, b.Start, b.End = "new", b.Start.Add(9*time.Hour), b.End.Add(9*time.Hour)
				})
				if _, err := w.engine.Cancel(w.Context(), tenant, "b2", booking.Match{}); err != nil {
					w.Fatal(err)
				}
				w.after(0, "alice")
				w.ask("Other")
				for range 8 {
					w.after(20*time.Minute, "alice")
				}
				w.mode("Other")
				mv, r := w.moved(store.MoveDone)
				if !strings.Contains(r.Note, "Memory could not be used") || !strings.Contains(mv.Reason, "switched off") {
					w.Errorf("note = %q, reason = %q", r.Note, mv.Reason)
				}
				if b := w.booking("b0"); b.Title != "in Outlook" {
					w.Errorf("b0 = %+v", b)
				}
				items := w.server.items(alice)
				if len(items) != 3 || w.itemOf("b1.1").Event.Subject != "by the booking system" || w.itemOf("b3.1").Event.Subject != "new" {
					w.Errorf("items = %+v", items)
				}
			})
		})
	}
}

// An item that has no markers, or not yet, and was edited since is known by its UID, also when the old mode cannot be asked for that.
func TestItemWithoutMarkersIsFoundWithoutTheOldMode(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(3)
		it := w.itemOf("b1.1")
		w.server.identify(alice, it.Ref, "u1")
		w.pass("alice")
		held := w.server.box(alice).items[it.Ref]
		held.Key, held.ForeignKey = "", ""
		m.memory.fail = fault.Unavailable
		w.server.edit(alice, it.Ref, func(e *calendar.Event) { e.Subject = "in Outlook" })
		w.ask("Other")
		for range 8 {
			w.after(20*time.Minute, "alice")
		}
		w.mode("Other")
		if l := w.links()["b1"]; l.State != store.LinkLive || w.booking("b1").Title != "in Outlook" || len(w.server.items(alice)) != 3 {
			w.Errorf("link %+v, booking %+v, %d items", l, w.booking("b1"), len(w.server.items(alice)))
		}
	})
}

func TestItemThatIsNotFoundIsNeitherMadeNorDeleted(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(4)
		ref := w.itemOf("b2.1").Ref
		m.other.hidden = map[calendar.Ref]bool{ref: true}
		w.silently(func() {
			w.ask("Other")
			w.pass("alice")
			mv, r := w.moved(store.MoveDone)
			if r.Verified != 3 || r.Missing != 1 || mv.Remedy == "" {
				w.Errorf("report = %+v, %+v", r, mv)
			}
			w.rebook("b2", titled("changed"), at(18))
			w.pass("alice")
			w.later(30 * time.Hour)
			w.pass("alice")
			w.later(30 * time.Hour)
			w.pass("alice")
		})
		if b := w.booking("b2"); b.Status != booking.Confirmed || b.Title != "changed" {
			w.Errorf("b2 = %+v", b)
		}
		if l := w.links()["b2"]; l.State != store.LinkLost || l.Problem == "" || w.differences(notFoundAfterMove) != 1 {
			w.Errorf("link = %+v, differences: %d", l, w.differences(notFoundAfterMove))
		}
		x, err := w.engine.Explain(w.Context(), tenant, "b2")
		if err != nil || len(x.Links) != 1 || x.Links[0].Decision != nil || len(x.Links[0].Holds) == 0 {
			w.Errorf("explained: %+v, %v", x, err)
		}
		// It turns up after all.
		m.other.hidden = nil
		w.server.edit(alice, ref, func(e *calendar.Event) { e.Location = "corner" })
		w.pass("alice")
		if l := w.links()["b2"]; l.State != store.LinkLive || w.differences(notFoundAfterMove) != 0 {
			w.Errorf("link = %+v", l)
		}
		if it := w.itemOf("b2.1"); it.Ref != ref || it.Event.Subject != "changed" || w.booking("b2").Location != "corner" {
			w.Errorf("item = %+v, booking = %+v", it, w.booking("b2"))
		}
	})
}

func TestWhatIsNotFoundIsDecided(t *testing.T) {
	for name, tc := range map[string]struct {
		decision string
		check    func(w *world)
	}{
		"made anew": {MakeAnew, func(w *world) {
			if n := len(w.server.items(alice)); n != 4 || w.links()["b3"].State != store.LinkLive {
				w.Errorf("%d items, %+v", n, w.links()["b3"])
			}
		}},
		"let go": {LetGo, func(w *world) {
			b := w.booking("b3")
			if !b.SyncDisabled || b.SyncProblem == "" || b.Status != booking.Confirmed || len(w.server.items(alice)) != 3 {
				w.Errorf("booking = %+v", b)
			}
		}},
		"looked for again": {LookAgain, func(w *world) {
			if w.links()["b3"].State != store.LinkLost || w.differences(notFoundAfterMove) != 1 || len(w.server.items(alice)) != 3 {
				w.Errorf("link = %+v", w.links()["b3"])
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(4)
				m.memory.fail = fault.MailboxMoved // so that nobody knows that it was deleted
				w.server.remove(alice, w.itemOf("b3.1").Ref)
				w.ask("Other")
				w.pass("alice")
				mails := len(w.server.mails)
				n, err := w.engine.DecideMove(w.Context(), tenant, "alice", tc.decision, []string{"b3", "b0"})
				if err != nil || n != 1 {
					w.Fatal(n, err)
				}
				w.pass("alice")
				w.later(25 * time.Hour)
				w.pass("alice")
				if len(w.server.mails) != mails {
					w.Errorf("mails: %v", w.server.mails[mails:])
				}
				tc.check(w)
			})
		})
	}
}

// Somebody deleted the item, and the old mode knows.
func TestDeletionBeforeAMoveIsADeletion(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		w.server.remove(alice, w.itemOf("b1.1").Ref)
		w.ask("Other")
		w.pass("alice")
		w.mode("Other")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("b1 = %+v", b)
		}
	})
}

// It is deleted after the old mode was asked and before the new one is read.
func TestDeletionAmidAMoveIsADeletion(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		w.engine.Failpoint = func(step string) {
			if step == "move:drained" {
				w.server.remove(alice, w.itemOf("b1.1").Ref)
			}
		}
		w.ask("Other")
		w.pass("alice")
		w.mode("Other")
		if _, r := w.moved(store.MoveDone); r.Deleted != 1 || r.Missing != 0 {
			w.Errorf("report = %+v", r)
		}
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("b1 = %+v", b)
		}
	})
}

func TestMoveThatFindsTooLittleIsNotMade(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(4)
		m.other.hidden = map[calendar.Ref]bool{}
		for _, it := range w.server.items(alice)[:3] {
			m.other.hidden[it.Ref] = true
		}
		w.silently(func() {
			before := w.links()
			w.ask("Other")
			w.pass("alice")
			mv, r := w.moved(store.MoveAttention)
			if r.Missing != 3 || mv.Remedy == "" || fmt.Sprint(before) != fmt.Sprint(w.links()) {
				w.Errorf("%+v, %+v", mv, r)
			}
			w.mode("Memory")
			if s := w.state("alice"); s.Status != store.StatusOK {
				w.Errorf("state = %+v", s)
			}
			w.ask("Other", lenient)
			w.pass("alice")
			w.mode("Other")
			if _, r := w.moved(store.MoveDone); r.Missing != 3 || r.Verified != 1 {
				w.Errorf("%+v", r)
			}
		})
	})
}

// One of the modes misreads what the other reads well.
func TestMoveThatFindsMostItemsOtherwiseIsNotMade(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(6)
		w.engine.Failpoint = func(step string) {
			if step == "move:drained" {
				for _, it := range w.server.items(alice)[1:] {
					w.server.edit(alice, it.Ref, func(e *calendar.Event) { e.Subject += "?" })
				}
			}
		}
		w.silently(func() {
			w.ask("Other")
			w.pass("alice")
			mv, r := w.moved(store.MoveAttention)
			if r.Differing != 5 || r.Items[0].Fields != "subject" || !strings.Contains(mv.Reason, "5 items of 6 say something else") {
				w.Errorf("%+v, %+v", mv, r)
			}
			w.mode("Memory")
		})
	})
}

// The person's own copy of an item bears its marker, too.
func TestCopyIsNotTakenForTheItem(t *testing.T) {
	for name, tc := range map[string]struct {
		blind, edited, withUID bool
		unclear                bool
	}{
		"told by the UID":       {withUID: true},
		"told by what it says":  {blind: true, edited: true},
		"not to be told at all": {blind: true, unclear: true},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(3)
				it := w.itemOf("b1.1")
				if tc.withUID {
					w.server.identify(alice, it.Ref, "uid-1")
				}
				it.Ref, it.Event.UID = "", "uid-2"
				if tc.edited {
					it.Event.Subject = "a copy"
				}
				if tc.blind {
					m.memory.fail = fault.MailboxMoved
				}
				first := w.server.add(alice, it)
				_ = first
				w.silently(func() {
					w.ask("Other")
					w.pass("alice")
					w.mode("Other")
					w.later(25 * time.Hour)
					w.pass("alice")
				})
				l := w.links()["b1"]
				if !tc.unclear {
					if l.State != store.LinkLive || l.Ref == otherPrefix+first || w.differences(copyLeftAlone) == 0 {
						w.Errorf("link = %+v, copy = %s", l, first)
					}
					return
				}
				if l.State != store.LinkUnclear || w.differences(ambiguousAfterMove) != 1 {
					w.Errorf("link = %+v", l)
				}
				w.silently(func() {
					w.rebook("b1", titled("changed"))
					w.pass("alice")
				})
				w.server.remove(alice, first) // somebody tidies up, and says so
				if _, err := w.engine.DecideMove(w.Context(), tenant, "alice", LookAgain, nil); err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
				if l := w.links()["b1"]; l.State != store.LinkLive || w.itemOf("b1.1").Event.Subject != "changed" {
					w.Errorf("link = %+v", l)
				}
			})
		})
	}
}

// Neither of two items is deleted when their booking is cancelled and nobody can tell whose they are.
func TestAmbiguousItemIsNotDeleted(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(3)
		it := w.itemOf("b1.1")
		it.Ref = ""
		m.memory.fail = fault.MailboxMoved
		w.server.add(alice, it)
		w.ask("Other")
		w.pass("alice")
		w.silently(func() {
			if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
				w.Fatal(err)
			}
			w.pass("alice")
		})
		if w.differences(itemNotDeleted) != 1 || w.differences(ambiguousAfterMove) != 0 || len(w.server.items(alice)) != 4 {
			w.Errorf("%d items", len(w.server.items(alice)))
		}
	})
}

func TestPastBookingsAreLetGo(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(4)
		m.other.hidden = map[calendar.Ref]bool{}
		for _, it := range w.server.items(alice)[:3] {
			m.other.hidden[it.Ref] = true
		}
		w.later(time.Date(2026, 12, 1, 12, 30, 0, 0, time.UTC).Sub(w.now())) // three are over
		w.silently(func() {
			w.ask("Other")
			w.pass("alice")
			w.mode("Other")
		})
		if _, r := w.moved(store.MoveDone); r.Past != 3 || r.Missing != 0 || r.Verified != 1 {
			w.Errorf("report = %+v", r)
		}
		if n := len(w.server.items(alice)); n != 4 {
			w.Errorf("%d items", n)
		}
	})
}
