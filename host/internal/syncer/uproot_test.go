package syncer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

const married = "alice.married@example.com"

// renamed has alice's mailbox get another address; its items are the same, under the same references.
func (w *world) renamed() {
	w.server.mu.Lock()
	w.server.boxes[married] = w.server.boxes[alice]
	w.server.mu.Unlock()
}

// reached has alice's mailbox reached by an address, URL and sync mode from now on.
func (w *world) reached(change func(*directory.Person)) {
	w.Helper()
	p := directory.Person{Tenant: tenant, ID: "alice", Email: alice, DisplayName: "Alice", SyncMode: "Memory", Kind: directory.KindPerson}
	change(&p)
	if _, err := w.engine.PutPerson(w.Context(), p); err != nil {
		w.Fatal(err)
	}
}

func byAnotherAddress(p *directory.Person) { p.Email = married }

// places are the ways in which a mailbox comes to be reached at another place. In each of them the calendar is the same.
var places = map[string]func(*directory.Person){
	"address": byAnotherAddress,
	"URL":     func(p *directory.Person) { p.SyncURL = "https://new.example.com/" },
	"mode":    func(p *directory.Person) { p.SyncMode = "Other" },
}

// wholeModes are two modes by which calendars are read in full.
type wholeModes struct{ *twoModes }

func (t wholeModes) Mode(ctx context.Context, name, email string) (Mode, error) {
	m, err := t.twoModes.Mode(ctx, name, email)
	m.Everything = true
	return m, err
}

// elsewhere plays f once for each way in which alice's mailbox comes to be reached at another place by move.
func elsewhere(t *testing.T, f func(w *world, move func())) {
	for way, change := range places {
		t.Run(way, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.engine.Modes = wholeModes{m}
				f(w, func() {
					w.renamed()
					w.reached(change)
				})
			})
		})
	}
}

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

// Where several items have the same UID it is not known which item is the booking's: nothing is made, and
// somebody is asked.
func TestWhatCannotBeToldAtAnotherPlaceIsLaidBeforeAPerson(t *testing.T) {
	for name, doubt := range map[string]func(w *world, m *twoModes, ref calendar.Ref){
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

// Cancellations that wait for somebody's word wait on in their unit, and who was invited hears of them.
func TestCancellationsInQuarantineAreToldAtAnotherPlace(t *testing.T) {
	const n = 12
	for _, decision := range []string{Approve, Discard, Undo} {
		t.Run(decision, func(t *testing.T) {
			elsewhere(t, func(w *world, move func()) {
				w.many(n)
				for i := range n {
					w.cancel(fmt.Sprintf("b%02d", i))
				}
				w.pass("alice")
				q, mails := w.waiting(BookingCancellations, n), len(w.server.mails)
				move()
				w.pass("alice")
				if now := w.waiting(BookingCancellations, n); now.ID != q.ID {
					w.Errorf("unit %d, before %d", now.ID, q.ID)
				}
				if decision == Discard {
					w.decideUnit(q, Discard)
					w.are(n, n, n, "Planning")
					if len(w.server.mails) != mails {
						w.Errorf("mails %v", w.server.mails[mails:])
					}
					return
				}
				q = w.decideUnit(q, Approve)
				w.none(alice)
				if got := len(w.server.mails) - mails; got != n {
					w.Errorf("%d cancellations were told, want %d", got, n)
				}
				if decision == Undo {
					w.decideUnit(q, Undo)
					w.are(n, n, n, "Planning")
				}
			})
		})
	}
}

// So do those that were approved, or need no word, and that could not be carried out before the mailbox was reached at another place. Nobody is
// asked again.
func TestCancellationsThatAreDueAreToldAtAnotherPlace(t *testing.T) {
	const n = 12
	for name, some := range map[string]int{"few": 2, "approved": n} {
		t.Run(name, func(t *testing.T) {
			elsewhere(t, func(w *world, move func()) {
				w.many(n)
				for i := range some {
					w.cancel(fmt.Sprintf("b%02d", i))
				}
				if some == n {
					w.pass("alice")
					if _, err := w.engine.DecideQuarantine(w.Context(), tenant, w.waiting(BookingCancellations, n).ID, Approve); err != nil {
						w.Fatal(err)
					}
				}
				mails := len(w.server.mails)
				move()
				w.pass("alice")
				if got := len(w.server.mails) - mails; got != some || len(w.server.items(alice)) != n-some {
					w.Errorf("%d cancellations were told, want %d; %d items are left", got, some, len(w.server.items(alice)))
				}
				if s := w.state("alice"); s.Status != store.StatusOK {
					w.Errorf("state = %+v", s)
				}
			})
		})
	}
}
