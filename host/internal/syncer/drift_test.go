package syncer

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// State implements backend.DriftChecker.
func (m *memory) State(_ context.Context, mb backend.Mailbox, _ backend.Cursor) (string, error) {
	if err := m.enter("state"); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint(len(m.box(mb.Address).log)), m.leave("state")
}

// counted has the calls of the server counted from now on.
func (w *world) counted() map[string]int {
	calls := map[string]int{}
	w.server.before = func(call string) error { calls[call]++; return nil }
	return calls
}

// drifting begins with a calendar of n bookings whose server can tell whether anything has changed.
func (w *world) drifting(n int) {
	w.Helper()
	w.engine.Modes = oneMode{m: w.server, drift: true}
	w.daily(0, n)
	w.pass("alice")
	w.later(25 * time.Hour)
	w.pass("alice") // in full: the state is that of after our own writes
}

func TestACalendarInWhichNothingChangedIsNotReadInFull(t *testing.T) {
	each(t, func(w *world) {
		w.drifting(5)
		for range 3 {
			w.later(25 * time.Hour)
			w.engine.SetLimits(func() Limits { l := *w.engine.limits(); l.SubscriptionInterval = 1000 * time.Hour; return l }())
			calls := w.counted()
			w.pass("alice")
			delete(calls, "subscribe")
			if want := map[string]int{"state": 1}; !maps.Equal(calls, want) {
				t.Fatalf("reconciled with %v, want %v", calls, want)
			}
		}
		w.server.edit(alice, w.server.items(alice)[0].Ref, func(ev *calendar.Event) { ev.Subject = "Review" })
		w.later(25 * time.Hour)
		calls := w.counted()
		w.pass("alice")
		if calls["pull"] == 0 || w.booking("b00").Title != "Review" {
			t.Errorf("a change was not found: %v", calls)
		}
	})
}

func TestAFullReadThatIsAskedForIsMade(t *testing.T) {
	each(t, func(w *world) {
		w.drifting(2)
		if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
			t.Fatal(err)
		}
		calls := w.counted()
		w.pass("alice")
		if calls["pull"] == 0 {
			t.Errorf("calls = %v", calls)
		}
		w.later(fullReads * 25 * time.Hour)
		calls = w.counted()
		w.pass("alice")
		if calls["pull"] == 0 {
			t.Errorf("the server's word is believed for good: %v", calls)
		}
	})
}

func TestABookingThatIsNotAsAgreedIsFoundWithoutReading(t *testing.T) {
	each(t, func(w *world) {
		w.drifting(3)
		w.tx(func(ctx context.Context, tx *store.Tx) error { // as after a restore of the database
			b := w.booking("b01").Clone()
			b.Title = "Silently other"
			return tx.PutBooking(ctx, b)
		})
		w.later(25 * time.Hour)
		calls := w.counted()
		w.pass("alice")
		if calls["pull"] != 0 {
			t.Errorf("the calendar was read: %v", calls)
		}
		titles := map[string]bool{}
		for _, it := range w.server.items(alice) {
			titles[it.Event.Subject] = true
		}
		if !titles["Silently other"] {
			t.Errorf("the item was not brought up to date: %v", titles)
		}
		if got := w.booking("b01").Status; got != booking.Confirmed {
			t.Errorf("the booking is %s", got)
		}
	})
}
