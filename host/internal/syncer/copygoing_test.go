package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The copy of an item that is to be removed is its owner's: neither is it deleted, nor is anybody told that it was, in whatever way
// Roomwire comes to look for what is to be removed.

// copiedFrom has somebody copy an item and delete the original.
func (w *world) copiedFrom(it calendar.Item) (dup calendar.Ref) {
	w.Helper()
	dup = w.copyBeside(it)
	w.server.remove(alice, it.Ref)
	return dup
}

func (w *world) copyBeside(it calendar.Item) calendar.Ref {
	it.Ref, it.Event.UID = "", "copy"
	return w.server.add(alice, it)
}

// staysCopy fails unless the copy is there and listed, and nobody was mailed beyond mails.
func (w *world) staysCopy(dup calendar.Ref, mails int) {
	w.Helper()
	there := false
	for _, it := range w.server.items(alice) {
		there = there || it.Ref == dup
	}
	if told := w.server.mails[mails:]; !there || len(told) != 0 {
		w.Errorf("the copy is there: %t; mails %v", there, told)
	}
	if w.differences(unlinkedLeftAlone) != 1 {
		w.Errorf("listed: %q", w.open())
	}
}

// cancelled has alice's item of b1 known by its UID, and cancels the booking.
func (w *world) cancelled(ref calendar.Ref, read func()) {
	w.Helper()
	w.server.identify(alice, ref, "own")
	read()
	if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
		w.Fatal(err)
	}
}

func TestACopyOfWhatIsToGoIsNotDeleted(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.cancelled(w.only(alice).Ref, func() { w.pass("alice") })
		dup := w.copiedFrom(w.only(alice))
		mails := len(w.server.mails)
		w.pass("alice")
		w.staysCopy(dup, mails)
		w.later(25 * time.Hour)
		w.pass("alice")
		w.staysCopy(dup, mails)
	})
}

func TestACopyOutlivesADeletionWhoseAnswerWasLost(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.cancelled(w.only(alice).Ref, func() { w.pass("alice") })
		done := false
		var dup calendar.Ref
		w.server.before = func(call string) error {
			if call == "apply" && !done {
				dup = w.copyBeside(w.only(alice))
			}
			return nil
		}
		w.server.after = func(call string) error {
			if call == "apply" && !done {
				done = true
				return fault.Unavailable
			}
			return nil
		}
		w.later(time.Minute)
		w.pass("alice")
		mails := len(w.server.mails)
		w.later(time.Hour)
		w.pass("alice")
		w.later(25 * time.Hour)
		w.pass("alice")
		w.staysCopy(dup, mails)
	})
}

func TestAnotherModeDeletesNoCopyOfWhatIsToGo(t *testing.T) {
	for name, change := range map[string]func(w *world, m *twoModes){
		"set by hand": func(w *world, _ *twoModes) {
			p := directory.Person{Tenant: tenant, ID: "alice", Email: alice, DisplayName: "Alice", SyncMode: "Other", Kind: directory.KindPerson}
			if _, err := w.engine.PutPerson(w.Context(), p); err != nil {
				w.Fatal(err)
			}
		},
		"moved while the old one is gone": func(w *world, m *twoModes) {
			m.memory.fail = fault.MailboxMoved
			w.ask("Other")
		},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(3)
				w.cancelled(w.itemOf("b1.1").Ref, w.full)
				dup := w.copiedFrom(w.itemOf("b1.1"))
				mails := len(w.server.mails)
				change(w, m)
				w.pass("alice")
				w.full()
				w.staysCopy(dup, mails)
			})
		})
	}
}
