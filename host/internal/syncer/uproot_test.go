package syncer

import (
	"context"
	"fmt"
	"testing"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
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
