package syncer

import (
	"context"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// full reads alice's calendar from the beginning.
func (w *world) full() {
	w.Helper()
	if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
		w.Fatal(err)
	}
	w.pass("alice")
}

// copyOf makes a copy of alice's item with a key, to another day.
func (w *world) copyOf(key string) calendar.Ref {
	w.Helper()
	it := w.itemOf(key)
	w.server.identify(alice, it.Ref, "uid of "+key)
	it.Ref, it.Event.UID = "", "uid of the copy"
	it.Event.Start, it.Event.End = it.Event.Start.AddDate(0, 0, 7), it.Event.End.AddDate(0, 0, 7)
	return w.server.add(alice, it)
}

// The new mode shows a copy, which is known as one, and not the item itself.
func TestCopyIsNeverTakenForAnItemThatTheNewModeDoesNotShow(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(3)
		own := w.itemOf("b1.1").Ref
		other := w.copyOf("b1.1")
		w.pass("alice")
		m.other.hidden = map[calendar.Ref]bool{own: true}
		start := w.booking("b1").Start
		w.silently(func() {
			w.ask("Other")
			w.pass("alice")
			w.mode("Other")
			w.full()
			w.server.edit(alice, other, func(ev *calendar.Event) { ev.Location = "elsewhere" })
			w.pass("alice")
			w.full()
		})
		if b := w.booking("b1"); !b.Start.Equal(start) || b.Location != "" {
			w.Errorf("the booking follows the copy: %+v", b)
		}
		if l := w.links()["b1"]; l.State != store.LinkLost || w.differences(notFoundAfterMove) != 1 || w.differences(copyLeftAlone) != 1 {
			w.Errorf("link = %+v", l)
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if n := len(w.server.items(alice)); n != 4 {
			w.Errorf("%d items: the copy was deleted", n)
		}
	})
}

// Somebody has the calendar looked through again though the copies are still there.
func TestLookingAgainChoosesNoneOfSeveral(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(3)
		m.memory.fail = fault.MailboxMoved
		first := w.copyOf("b1.1")
		w.server.edit(alice, w.itemOf("b1.1").Ref, func(ev *calendar.Event) { ev.Location = "corner" })
		start := w.booking("b1").Start
		w.silently(func() {
			w.ask("Other")
			w.pass("alice")
			for range 2 {
				if l := w.links()["b1"]; l.State != store.LinkUnclear || w.differences(ambiguousAfterMove) != 1 || w.differences(notFoundAfterMove) != 0 {
					w.Fatalf("link = %+v", l)
				}
				if n, err := w.engine.DecideMove(w.Context(), tenant, "alice", LookAgain, nil); err != nil || n != 1 {
					w.Fatal(n, err)
				}
				w.rebook("b1", titled("changed")) // which looks for the item, too
				w.pass("alice")
			}
		})
		if b := w.booking("b1"); !b.Start.Equal(start) || b.Location != "" {
			w.Errorf("the booking is %+v", b)
		}
		w.server.remove(alice, first)
		if _, err := w.engine.DecideMove(w.Context(), tenant, "alice", LookAgain, nil); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if l, b := w.links()["b1"], w.booking("b1"); l.State != store.LinkLive || b.Location != "corner" || w.itemOf("b1.1").Event.Subject != "changed" {
			w.Errorf("link = %+v, booking = %+v", l, b)
		}
	})
}

// What one mode cannot do without mail the next one can, unless somebody has decided that it is not to be done.
func TestWhatWasHeldBackIsMadeUpForByAModeThatKeepsSilent(t *testing.T) {
	for name, ignored := range map[string]bool{"open": false, "ignored": true} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, _ *twoModes) {
				w.booked(2)
				w.server.loud = true
				w.rebook("b0", titled("changed"))
				w.pass("alice")
				d := w.heldDifference()
				if ignored {
					if err := w.engine.Resolve(w.Context(), tenant, d.ID, Resolution{Use: UseNeither}); err != nil {
						w.Fatal(err)
					}
				}
				mails, old := len(w.server.mails), w.itemOf("b0.1").Event.Subject
				w.ask("Other") // as loud
				w.pass("alice")
				if !ignored {
					w.heldDifference()
				}
				w.server.loud = false
				w.ask("Memory")
				w.pass("alice")
				want := "changed"
				if ignored {
					want = old
				}
				if got := w.itemOf("b0.1").Event.Subject; got != want || w.differences(mailHeldBack) != 0 || len(w.server.mails) != mails {
					w.Errorf("the item is %q, want %q; mails: %v", got, want, w.server.mails[mails:])
				}
			})
		})
	}
}

// The item of a booking that no longer stands could not be deleted without mail.
func TestADeletionThatWasHeldBackIsMadeByAModeThatKeepsSilent(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.book("b")
		w.pass("alice")
		w.server.loud = true
		helds["a deletion"].hold(w)
		w.pass("alice")
		w.heldDifference()
		w.server.loud = false
		mails := len(w.server.mails)
		w.ask("Other")
		w.pass("alice")
		if w.none(alice); w.differences(mailHeldBack) != 0 || len(w.server.mails) != mails {
			w.Errorf("mails: %v", w.server.mails[mails:])
		}
	})
}

// A booking is taken out of the sync while its item is being made, and taken in again after the person has moved.
func TestItemOnItsWayIsNotMadeTwiceAcrossAMove(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(1)
		w.book("b", at(15))
		w.server.after = func(call string) error {
			if call == "apply" {
				return fault.Unavailable // made, but nobody hears of it
			}
			return nil
		}
		if _, err := w.engine.Pass(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.server.after = nil
		w.rebook("b", func(b *booking.Booking) { b.SyncOff = true })
		w.later(time.Hour)
		w.ask("Other")
		w.pass("alice")
		w.mode("Other")
		w.silently(func() {
			w.rebook("b", func(b *booking.Booking) { b.SyncOff = false })
			w.pass("alice")
		})
		if n := len(w.server.items(alice)); n != 2 {
			w.Errorf("%d items, want 2", n)
		}
	})
}

// Items that were let go stay let go; nobody is asked about them because their references are others.
func TestWhatWasLetGoIsNoNewsAfterAMove(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		w.rebook("b1", func(b *booking.Booking) { b.SyncOff = true })
		w.pass("alice")
		for _, to := range []string{"Other", "Memory"} {
			w.silently(func() {
				w.ask(to)
				w.pass("alice")
				w.full()
			})
			if n := w.differences(unlinkedLeftAlone); n != 0 {
				w.Errorf("%d differences after the move to %s", n, to)
			}
		}
		w.silently(func() {
			w.rebook("b1", func(b *booking.Booking) { b.SyncOff = false })
			w.pass("alice")
		})
		if l := w.links()["b1"]; l.State != store.LinkLive || len(w.server.items(alice)) != 3 {
			w.Errorf("link = %+v", l)
		}
	})
}

// What lies before a person already is not laid there again under another reference.
func TestAMoveSaysNothingTwice(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		w.copyOf("b1.1")
		w.server.edit(alice, w.itemOf("b2.1").Ref, func(ev *calendar.Event) { ev.Recurrence = "FREQ=HOURLY;COUNT=3" })
		w.pass("alice")
		for _, to := range []string{"", "Other", "Memory"} {
			if to != "" {
				w.ask(to)
				w.pass("alice")
			}
			w.full()
			if c, s := w.differences(copyLeftAlone), w.differences("series left alone"); c != 1 || s != 1 {
				w.Errorf("after the move to %q %d copies and %d series are shown", to, c, s)
			}
		}
	})
}

// A booking whose item could not be seen any more, and was let go because it was over, is moved to a new day.
func TestABookingThatWasOverComesBackToItsItem(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(2)
		m.other.hidden = map[calendar.Ref]bool{w.itemOf("b0.1").Ref: true}
		w.later(time.Date(2026, 12, 1, 10, 30, 0, 0, time.UTC).Sub(w.now()))
		w.ask("Other")
		w.pass("alice")
		if _, r := w.moved(store.MoveDone); r.Past != 1 {
			w.Fatalf("report = %+v", r)
		}
		m.other.hidden = nil
		w.full()
		if n := w.differences(unlinkedLeftAlone); n != 0 {
			w.Errorf("%d differences", n)
		}
		w.rebook("b0", at(20))
		w.pass("alice")
		if n, it := len(w.server.items(alice)), w.itemOf("b0.1"); n != 2 || it.Event.Start.Hour() != 20 {
			w.Errorf("%d items, %+v", n, it)
		}
	})
}

// An item was moved while the old mode could not tell of it, and the full read of the new mode does not show it.
func TestDeletedByItsFormerReferenceIsLookedForByItsMarker(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(4)
		w.engine.Failpoint = func(step string) {
			if step == "move:read" {
				w.server.move(alice, w.itemOf("b2.1").Ref)
			}
		}
		m.other.hidden = map[calendar.Ref]bool{w.itemOf("b2.1").Ref: true} // it was being moved as the calendar was read
		w.silently(func() {
			w.ask("Other")
			w.pass("alice")
		})
		if b, l := w.booking("b2"), w.links()["b2"]; b.Status != booking.Confirmed || l.State != store.LinkLive {
			w.Errorf("booking = %+v, link = %+v", b, l)
		}
	})
}

// A booking whose item a move did not find, or found several of, is taken out of the sync and in again.
func TestWhatAMoveLeftOpenIsNotMadeTwiceWhenItIsLetGo(t *testing.T) {
	out := func(b *booking.Booking) { b.SyncOff = true }
	for name, tc := range map[string]struct {
		unclear bool
		letGo   func(w *world)
	}{
		"lost, and taken out":          {false, func(w *world) { w.rebook("b1", out) }},
		"lost, by an administrator":    {false, func(w *world) { w.decide(LetGo) }},
		"unclear, and taken out":       {true, func(w *world) { w.rebook("b1", out) }},
		"unclear, by an administrator": {true, func(w *world) { w.decide(LetGo) }},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(3)
				m.memory.fail = fault.MailboxMoved
				if tc.unclear {
					w.copyOf("b1.1")
					w.server.edit(alice, w.itemOf("b1.1").Ref, func(ev *calendar.Event) { ev.Location = "corner" })
				} else {
					m.other.hidden = map[calendar.Ref]bool{w.itemOf("b1.1").Ref: true}
				}
				w.ask("Other")
				w.pass("alice")
				if l := w.links()["b1"]; !leftByMove(l) {
					w.Fatalf("link = %+v", l)
				}
				items, mails, start := len(w.server.items(alice)), len(w.server.mails), w.booking("b1").Start
				tc.letGo(w)
				w.pass("alice")
				if n := w.differences(notFoundAfterMove) + w.differences(ambiguousAfterMove); n != 0 {
					w.Errorf("%d differences", n)
				}
				m.other.hidden = nil
				w.rebook("b1", titled("changed"), func(b *booking.Booking) { b.SyncOff, b.SyncDisabled = false, false })
				w.pass("alice")
				if n := len(w.server.items(alice)); n != items || len(w.server.mails) != mails || !w.booking("b1").Start.Equal(start) {
					w.Errorf("%d items, want %d; mails: %v; %+v", n, items, w.server.mails[mails:], w.booking("b1"))
				}
				if l := w.links()["b1"]; l.State != store.LinkLive {
					w.Errorf("link = %+v", l)
				}
			})
		})
	}
}

// Whichever of several items is taken when the booking's is to be made anew: the booking prevails.
func TestMadeAnewOfSeveralTheBookingPrevails(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(3)
		m.memory.fail = fault.MailboxMoved
		w.copyOf("b1.1")
		w.server.edit(alice, w.itemOf("b1.1").Ref, func(ev *calendar.Event) { ev.Start, ev.End = ev.Start.Add(5*time.Hour), ev.End.Add(5*time.Hour) })
		before := w.booking("b1")
		w.ask("Other")
		w.pass("alice")
		mails := len(w.server.mails)
		w.decide(MakeAnew)
		w.full() // the items are read before the booking's is written
		if b := w.booking("b1"); b.Version != before.Version || len(w.server.items(alice)) != 4 || len(w.server.mails) != mails {
			w.Errorf("booking = %+v, %d items, mails: %v", b, len(w.server.items(alice)), w.server.mails[mails:])
		}
		l := w.links()["b1"]
		for _, it := range w.server.items(alice) {
			if otherPrefix+it.Ref == l.Ref && !it.Event.Start.Equal(before.Start) {
				w.Errorf("item = %+v", it)
			}
		}
	})
}

// A person with items that nobody has found goes and comes back.
func TestWhatAMoveLeftOpenIsNotMadeTwiceWhenThePersonComesBack(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(3)
		m.memory.fail = fault.MailboxMoved
		m.other.hidden = map[calendar.Ref]bool{w.itemOf("b1.1").Ref: true}
		w.ask("Other")
		w.pass("alice")
		if l := w.links()["b1"]; l.State != store.LinkLost {
			w.Fatalf("link = %+v", l)
		}
		m.memory.fail = nil
		w.silently(func() {
			if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
				w.Fatal(err)
			}
			w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice"})
			w.pass("alice")
		})
		if l := w.links()["b1"]; l.State != store.LinkLive || len(w.server.items(alice)) != 3 {
			w.Errorf("link = %+v", l)
		}
	})
}

func (w *world) decide(decision string) {
	w.Helper()
	if n, err := w.engine.DecideMove(w.Context(), tenant, "alice", decision, nil); err != nil || n != 1 {
		w.Fatal(n, err)
	}
}

// A server may be worked on for more mailboxes at once than usual; a move goes there like everybody else.
func TestAMoveGoesToABroadServerAsEverybodyElse(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(1)
		broad := broadly{m}
		w.engine.Modes = broad
		mode, err := broad.Mode(w.Context(), "Other", alice)
		if err != nil {
			w.Fatal(err)
		}
		server := serverOf(mode.Name, mode.URL)
		for range w.engine.limits().WorkersPerServer {
			leave, ok := w.engine.servers.enter(server, w.engine.limits().WorkersPerServer)
			if !ok {
				w.Fatal("no place")
			}
			defer leave()
		}
		w.ask("Other")
		if _, err := w.engine.Pass(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.mode("Other")
	})
}

type broadly struct{ *twoModes }

func (b broadly) Mode(ctx context.Context, name, email string) (Mode, error) {
	m, err := b.twoModes.Mode(ctx, name, email)
	m.Breadth = 4
	return m, err
}

// Of several items that a move found one is taken when it is to be made anew. What somebody has changed in it is laid before a person.
func TestWhatMakeAnewOverwritesIsRecorded(t *testing.T) {
	movers(t, func(w *world, m *twoModes) {
		w.booked(3)
		m.memory.fail = fault.MailboxMoved
		w.copyOf("b1.1")
		for _, it := range w.server.items(alice) {
			if it.Key == "b1.1" {
				w.server.edit(alice, it.Ref, func(ev *calendar.Event) { ev.Subject = "Mine: " + ev.Subject; ev.Location = "My desk" })
			}
		}
		w.ask("Other")
		w.pass("alice")
		w.decide(MakeAnew)
		w.pass("alice")
		mine := 0
		for _, it := range w.server.items(alice) {
			if it.Event.Location == "My desk" {
				mine++
			}
		}
		if lost := w.differences(editLost); mine+lost != 2 {
			w.Errorf("%d of the two items are as they were left, and %d differences tell of the other", mine, lost)
		}
	})
}
