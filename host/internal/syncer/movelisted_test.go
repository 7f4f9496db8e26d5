package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// restored brings the item of alice's booking b1 back that was removed with the booking, once for each of the UIDs.
func (w *world) restored(uids ...string) (refs []calendar.Ref) {
	w.Helper()
	gone := w.itemOf("b1.1")
	w.cancel("b1")
	w.pass("alice")
	for _, uid := range uids {
		gone.Ref, gone.Event.UID = "", uid
		refs = append(refs, w.server.add(alice, gone))
	}
	w.pass("alice")
	if n := w.differences(unlinkedLeftAlone); n != len(uids) {
		w.Fatalf("%d of %d restored items are listed", n, len(uids))
	}
	return refs
}

// listedAs returns what is listed of unlinked items with a status, by the items' references.
func (w *world) listedAs(status store.DifferenceStatus) map[calendar.Ref]store.Difference {
	w.Helper()
	all, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{Kind: unlinkedLeftAlone, Status: status})
	if err != nil {
		w.Fatal(err)
	}
	by := map[calendar.Ref]store.Difference{}
	for _, d := range all {
		by[d.Ref] = d
	}
	if len(by) != len(all) {
		w.Errorf("listed twice: %+v", all)
	}
	return by
}

// What is listed of an item that is too much is still about that item after a move: who has it removed has it removed.
func TestWhatIsTooMuchIsRemovedAfterAMove(t *testing.T) {
	for name, moves := range map[string][]string{"moved": {"Other"}, "there and back": {"Other", "Memory"}} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, _ *twoModes) {
				w.booked(3)
				w.restored("u1")
				before, mails := w.one(unlinkedLeftAlone), len(w.server.mails)
				for _, to := range moves {
					w.relocated(to)
					w.full()
				}
				d := w.one(unlinkedLeftAlone)
				if d.ID != before.ID {
					w.Errorf("it is listed anew: %+v", d)
				}
				w.resolve(d, Resolution{Use: UseBooking})
				w.pass("alice")
				if n := len(w.server.items(alice)); n != 2 || len(w.server.mails) != mails || len(w.allOpen()) != 0 {
					w.Errorf("%d items, want 2; mails %v; open %+v", n, w.server.mails[mails:], w.allOpen())
				}
			})
		})
	}
}

// A booking can be let stand again by its item also after a move.
func TestABookingStandsAgainByItsItemAfterAMove(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		w.restored("u1")
		w.relocated("Other")
		w.resolve(w.one(unlinkedLeftAlone), Resolution{Use: UseCalendar})
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Confirmed || len(w.server.items(alice)) != 3 {
			w.Errorf("%+v, %d items", b, len(w.server.items(alice)))
		}
	})
}

// What was ignored stays ignored while the item is as it was, by whatever reference it is known, and is asked about again once it is changed.
func TestWhatWasIgnoredOfAnItemStaysSoAfterAMove(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		refs := w.restored("u1")
		w.resolve(w.one(unlinkedLeftAlone), Resolution{Use: UseNeither})
		w.full()
		for _, to := range []string{"", "Other", "Memory"} {
			if to != "" {
				w.relocated(to)
				w.full()
			}
			if open := w.allOpen(); len(open) != 0 {
				w.Errorf("after the move to %q: %+v", to, open)
			}
		}
		w.server.edit(alice, refs[0], func(ev *calendar.Event) { ev.Location = "elsewhere" })
		w.pass("alice")
		w.one(unlinkedLeftAlone)
	})
}

// Of several items, those that are there are listed, each once, and nothing that is not there. Where one was ignored and nobody can tell which, all are.
func TestOfSeveralItemsTheOnesThatAreThereAreListedAfterAMove(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile     func(w *world, refs []calendar.Ref)
		open, ignored int
	}{
		"all":         {func(*world, []calendar.Ref) {}, 3, 0},
		"one is gone": {func(w *world, refs []calendar.Ref) { w.server.remove(alice, refs[1]) }, 2, 0},
		"all are gone": {func(w *world, refs []calendar.Ref) {
			for _, ref := range refs {
				w.server.remove(alice, ref)
			}
		}, 0, 0},
		"one was ignored": {func(w *world, refs []calendar.Ref) {
			w.resolve(w.listedAs(store.DifferenceOpen)[refs[0]], Resolution{Use: UseNeither})
		}, 3, 1}, // the one that was ignored is under its former reference, too
		"all were ignored": {func(w *world, _ []calendar.Ref) {
			for _, d := range w.listedAs(store.DifferenceOpen) {
				w.resolve(d, Resolution{Use: UseNeither})
			}
		}, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(3)
				refs := w.restored("u1", "u2", "u3")
				tc.meanwhile(w, refs)
				w.relocated("Other")
				w.full()
				open, ignored := w.listedAs(store.DifferenceOpen), w.listedAs(store.DifferenceIgnored)
				if len(open) != tc.open || len(ignored) != tc.ignored {
					w.Errorf("%d open, want %d; %d ignored, want %d", len(open), tc.open, len(ignored), tc.ignored)
				}
				for ref := range open {
					there := false
					for _, it := range w.server.items(alice) {
						there = there || otherPrefix+it.Ref == ref
					}
					if !there {
						w.Errorf("%s is listed and is not there", ref)
					}
				}
			})
		})
	}
}

// An item that stayed when its booking was taken out of the sync is not what is listed of that booking: the copy beside it is.
func TestACopyBesideAnItemThatWasLetGoStaysListedAfterAMove(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		w.server.identify(alice, w.itemOf("b1.1").Ref, "uid of the item")
		w.pass("alice")
		own := w.itemOf("b1.1")
		w.rebook("b1", func(b *booking.Booking) { b.SyncOff = true })
		w.pass("alice")
		second := own
		second.Ref, second.Event.UID = "", "uid of the copy"
		ref := w.server.add(alice, second)
		w.pass("alice")
		if d := w.one(unlinkedLeftAlone); d.Ref != ref {
			w.Fatalf("listed is %+v", d)
		}
		w.relocated("Other")
		w.full()
		if d := w.one(unlinkedLeftAlone); d.Ref != otherPrefix+ref {
			w.Errorf("listed is %+v, want %s", d, ref)
		}
	})
}
