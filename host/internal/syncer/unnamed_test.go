package syncer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// takenOver has alice's calendar taken over with an item that another sync made, and that bears no marker.
func (w *world) takenOver() (ref calendar.Ref) {
	w.Helper()
	w.shadow(true)
	ref = w.oldSync(w.book("bare"), false)
	w.server.identify(alice, ref, "uid of the old sync")
	w.pass("alice")
	w.shadow(false)
	w.pass("alice")
	if l := w.links()["bare"]; l.Ref != ref || l.State != store.LinkLive || l.UID == "" {
		w.Fatalf("link = %+v", l)
	}
	return ref
}

// What was taken over by its time and subject bears no marker. It is known by its UID.
func TestNothingThatWasTakenOverIsDoubledAtAnotherPlace(t *testing.T) {
	elsewhere(t, func(w *world, move func()) {
		ref := w.takenOver()
		w.silently(func() {
			move()
			w.pass("alice")
			w.only(alice)
		})
		if l := w.links()["bare"]; l.State != store.LinkLive || !strings.HasSuffix(string(l.Ref), string(ref)) || len(l.Sent) > 0 {
			w.Errorf("link = %+v", l)
		}
		w.rebook("bare", at(14))
		w.pass("alice")
		if it := w.only(alice); it.Event.Start.Hour() != 14 {
			w.Errorf("the item is at %s", it.Event.Start)
		}
	})
}

// What its owner changed in Outlook meanwhile is carried to the booking, though the item bears no marker.
func TestAnEditOfWhatWasTakenOverIsCarriedAtAnotherPlace(t *testing.T) {
	elsewhere(t, func(w *world, move func()) {
		ref := w.takenOver()
		w.server.edit(alice, ref, func(ev *calendar.Event) { ev.Subject = "Edited" })
		w.silently(func() {
			move()
			w.pass("alice")
		})
		if b := w.booking("bare"); b.Title != "Edited" || w.only(alice).Event.Subject != "Edited" {
			w.Errorf("booking %q, item %q", b.Title, w.only(alice).Event.Subject)
		}
	})
}

// More items than are looked for in one pass are found by the next ones, and nobody is asked about them meanwhile.
func TestManyItemsWithoutMarkersAreFoundAtAnotherPlace(t *testing.T) {
	each(t, func(w *world) {
		const n = mostSearches + 20
		w.server.page = 1000
		w.shadow(true)
		for i := range n {
			b := w.book(fmt.Sprintf("b%03d", i), func(b *booking.Booking) { b.Start, b.End = b.Start.AddDate(0, 0, i), b.End.AddDate(0, 0, i) })
			w.server.identify(alice, w.oldSync(b, false), "uid of "+b.ID)
		}
		w.pass("alice")
		w.shadow(false)
		w.pass("alice")
		w.silently(func() {
			w.renamed()
			w.reached(byAnotherAddress)
			w.pass("alice")
		})
		if s := w.state("alice"); s.Status != store.StatusOK || len(w.server.items(alice)) != n {
			w.Errorf("%d items, state %+v", len(w.server.items(alice)), s)
		}
		for id, l := range w.links() {
			if l.State != store.LinkLive || l.Ref == "" || !l.GoneAt.IsZero() {
				w.Errorf("%s: %+v", id, l)
			}
		}
	})
}

// An item that the add-in made bears the id of its booking alone. What was edited in it meanwhile is carried to the booking, but if it is too much at
// once it waits.
func TestEditsOfItemsThatBearTheBookingsIDAreCarriedAtAnotherPlace(t *testing.T) {
	for n, wait := range map[int]bool{3: false, 12: true} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			elsewhere(t, func(w *world, move func()) {
				w.many(0)
				w.shadow(true)
				for i := range n {
					w.oldSync(w.book(fmt.Sprintf("b%02d", i), func(b *booking.Booking) { b.Start, b.End = b.Start.AddDate(0, 0, i), b.End.AddDate(0, 0, i) }), true)
				}
				w.pass("alice")
				w.shadow(false)
				w.pass("alice")
				w.misread(n)
				w.silently(func() {
					move()
					w.pass("alice")
				})
				if !wait {
					w.are(n, n, n, "misread")
					return
				}
				w.waiting(CalendarChanges, n)
				w.are(n, 0, n, "misread")
			})
		})
	}
}

// Its booking is cancelled before the new place was ever reached, or just before the old one was left: those invited are told.
func TestTheCancellationOfWhatWasTakenOverIsToldAtAnotherPlace(t *testing.T) {
	for _, first := range []bool{false, true} {
		t.Run(fmt.Sprint("cancelled first ", first), func(t *testing.T) {
			elsewhere(t, func(w *world, move func()) {
				w.takenOver()
				mails := len(w.server.mails)
				if first {
					w.cancel("bare")
					move()
				} else {
					move()
					w.cancel("bare")
				}
				w.pass("alice")
				w.none(alice)
				if got := len(w.server.mails) - mails; got != 1 {
					w.Errorf("%d mails, want 1", got)
				}
			})
		})
	}
}

// Where nobody can search by UID, or several items have the same one, it is not known which item is the booking's: nothing is made, and
// somebody is asked.
func TestWhatCannotBeToldAtAnotherPlaceIsLaidBeforeAPerson(t *testing.T) {
	for name, doubt := range map[string]func(w *world, m *twoModes, ref calendar.Ref){
		"no search by UID": func(_ *world, m *twoModes, _ calendar.Ref) { m.memory.noUID = true },
		"several of one UID": func(w *world, _ *twoModes, ref calendar.Ref) {
			it := w.itemAt(ref)
			it.Ref, it.Event.Location = "", "a copy"
			w.server.add(alice, it)
			w.server.edit(alice, ref, func(ev *calendar.Event) { ev.Location = "the original" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.engine.Modes = wholeModes{m}
				ref := w.takenOver()
				doubt(w, m, ref)
				n := len(w.server.items(alice))
				w.silently(func() {
					w.renamed()
					w.reached(byAnotherAddress)
					for range 3 {
						w.pass("alice")
						w.later(26 * time.Hour)
					}
				})
				if got := len(w.server.items(alice)); got != n {
					w.Errorf("%d items, want %d", got, n)
				}
				if s := w.state("alice"); len(w.allOpen()) == 0 && s.Status != store.StatusAttention {
					w.Errorf("nobody is asked: %+v", s)
				}
				if b := w.booking("bare"); b.Status != booking.Confirmed {
					w.Errorf("booking = %+v", b)
				}
			})
		})
	}
}

// Of several items with one UID the one that says what was agreed on is the booking's.
func TestOfSeveralItemsWithOneUIDTheOneThatWasAgreedOnIsFound(t *testing.T) {
	each(t, func(w *world) {
		ref := w.takenOver()
		it := w.itemAt(ref)
		it.Ref, it.Event.Subject = "", "a copy"
		w.server.add(alice, it)
		w.silently(func() {
			w.renamed()
			w.reached(byAnotherAddress)
			w.pass("alice")
		})
		if l := w.links()["bare"]; l.Ref != ref || l.State != store.LinkLive {
			w.Errorf("link = %+v", l)
		}
	})
}
