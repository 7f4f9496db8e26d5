package syncer

import (
	"context"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// Somebody copied an appointment, and an administrator has decided that the copy stays: it is not shown again as long as nobody
// changes it, however long ago it was found.
func TestWhatWasIgnoredStaysIgnored(t *testing.T) {
	for name, c := range map[string]struct{ before, after time.Duration }{
		"found long ago and ignored today":    {100 * 24 * time.Hour, time.Hour},
		"ignored at once, three months later": {0, 100 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b", func(b *booking.Booking) {
					b.Start, b.End = b.Start.AddDate(1, 0, 0), b.End.AddDate(1, 0, 0)
				})
				w.pass("alice")
				it := w.only(alice)
				it.Ref = ""
				w.server.add(alice, it)
				w.pass("alice")
				open := w.allOpen()
				if len(open) != 1 {
					w.Fatalf("open: %+v", open)
				}
				w.later(c.before)
				w.resolve(open[0], Resolution{Use: UseNeither})
				again := func() {
					w.Helper()
					if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil { // as the clock does, too
						w.Fatal(err)
					}
					w.pass("alice")
					if open := w.allOpen(); len(open) != 0 {
						w.Errorf("what was ignored is open again: %s, found %v: %s", open[0].Kind, open[0].At, open[0].Detail)
					}
				}
				again()
				w.later(c.after)
				w.tx(func(ctx context.Context, tx *store.Tx) error { // as the host does every six hours
					_, err := tx.Prune(ctx, store.Before{Timeline: w.now().Add(-90 * 24 * time.Hour)})
					return err
				})
				again()
			})
		})
	}
}

// The copy that was met beside its original, and that an administrator has decided to leave, stays a copy: who deletes the original
// calls the booking off.
func TestACopyDoesNotStandForItsOriginalAfterMonths(t *testing.T) {
	for name, old := range map[string]time.Duration{"while it is remembered": 24 * time.Hour, "three months later": 91 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b", func(b *booking.Booking) {
					b.Start, b.End = b.Start.AddDate(1, 0, 0), b.End.AddDate(1, 0, 0)
				})
				w.pass("alice")
				it := w.only(alice)
				original := it.Ref
				it.Ref = ""
				w.server.add(alice, it)
				w.pass("alice")
				open := w.allOpen()
				if len(open) != 1 || open[0].Kind != copyLeftAlone {
					w.Fatalf("open: %+v", open)
				}
				w.resolve(open[0], Resolution{Use: UseNeither})
				w.later(old)
				w.pass("alice")
				w.tx(func(ctx context.Context, tx *store.Tx) error { // as the host does every six hours
					_, err := tx.Prune(ctx, store.Before{Timeline: w.now().Add(-90 * 24 * time.Hour)})
					return err
				})
				w.server.remove(alice, original)
				w.pass("alice")
				if b := w.booking("b"); b.Status != booking.Cancelled {
					w.Errorf("the organizer deleted the meeting, and its booking stands: by now it belongs to the copy")
				}
			})
		})
	}
}
