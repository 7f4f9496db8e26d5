package syncer

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// daily books n days in a row, and lets alice's calendar have them.
func (w *world) daily(first, n int) {
	w.Helper()
	w.engine.limits().MassDeletionLimit = 5
	for i := first; i < first+n; i++ {
		w.book(fmt.Sprintf("b%02d", i), func(b *booking.Booking) { b.Start, b.End = b.Start.AddDate(0, 0, i), b.End.AddDate(0, 0, i) })
	}
	w.pass("alice")
	w.pass("alice")
}

func (w *world) wipe(first, n int) {
	w.Helper()
	for _, it := range w.server.items(alice) {
		var i int
		if _, err := fmt.Sscanf(it.ForeignKey, "b%d", &i); err == nil && i >= first && i < first+n {
			w.server.remove(alice, it.Ref)
		}
	}
}

func (w *world) standing(first, n int) (k int) {
	w.Helper()
	for i := first; i < first+n; i++ {
		if w.booking(fmt.Sprintf("b%02d", i)).Status == booking.Confirmed {
			k++
		}
	}
	return k
}

func (w *world) approve() {
	w.Helper()
	if err := w.engine.ApproveDeletions(w.Context(), tenant, "alice"); err != nil {
		w.Fatal(err)
	}
}

func TestApprovalOfNothingLetsNoMassDeletionThrough(t *testing.T) {
	each(t, func(w *world) {
		w.daily(0, 8)
		w.approve()
		w.wipe(0, 8)
		w.pass("alice")
		if n := w.standing(0, 8); n != 8 || w.mailbox("alice").HeldDeletions != 8 {
			w.Errorf("%d stand, %+v", n, w.mailbox("alice"))
		}
	})
}

func TestApprovalIsForWhatWasHeldAndForOnce(t *testing.T) {
	each(t, func(w *world) {
		w.daily(0, 16)
		w.wipe(0, 7)
		w.pass("alice")
		w.approve()
		w.wipe(7, 7) // nobody was asked about these
		w.pass("alice")
		if n := w.standing(0, 16); n != 16 || w.mailbox("alice").HeldDeletions != 14 {
			w.Fatalf("%d stand, %+v", n, w.mailbox("alice"))
		}
		w.pass("alice")
		if n := w.standing(0, 16); n != 16 {
			w.Fatalf("%d stand after another pass", n)
		}
		w.approve()
		w.pass("alice")
		if n := w.standing(0, 16); n != 2 || w.mailbox("alice").DeletionsApproved {
			w.Errorf("%d stand after the second approval, want 2; %+v", n, w.mailbox("alice"))
		}
	})
}

func TestApprovalDuringAPassIsForTheNext(t *testing.T) {
	each(t, func(w *world) {
		w.daily(0, 8)
		w.wipe(0, 8)
		w.pass("alice")
		w.amid("fetch", w.approve)
		w.once("alice")
		w.pass("alice")
		if n := w.standing(0, 8); n != 0 {
			w.Errorf("%d stand though the deletions were approved", n)
		}
	})
}

func TestBookingCancelledWhileItsDeletionIsHeldIsNotMadeAgain(t *testing.T) {
	cancel := func(w *world) {
		if _, err := w.engine.Cancel(w.Context(), tenant, "b03", booking.Match{}); err != nil {
			w.Fatal(err)
		}
	}
	restore := func(w *world) {
		if err := w.engine.RestoreDeletions(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name  string
		steps []func(*world)
	}{
		{"CancelThenRestore", []func(*world){cancel, restore}},
		{"RestoreThenCancel", []func(*world){restore, cancel}},
		{"CancelPassRestore", []func(*world){cancel, func(w *world) { w.pass("alice") }, restore}},
		{"RestorePassCancel", []func(*world){restore, func(w *world) { w.pass("alice") }, cancel}},
		{"ApproveThenRestore", []func(*world){cancel, (*world).approve, restore}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			each(t, func(w *world) {
				w.daily(0, 8)
				w.wipe(0, 8)
				w.pass("alice")
				for _, step := range tc.steps {
					step(w)
				}
				w.pass("alice")
				w.pass("alice")
				if n, items := w.standing(0, 8), len(w.server.items(alice)); n != 7 || items != 7 {
					w.Errorf("%d bookings stand, %d items; want 7 of both", n, items)
				}
				if mb := w.mailbox("alice"); mb.HeldDeletions != 0 || w.state("alice").Status != store.StatusOK {
					w.Errorf("mailbox %+v, state %+v", mb, w.state("alice"))
				}
			})
		})
	}
}

func TestTidyingUpThePastCancelsNothing(t *testing.T) {
	each(t, func(w *world) {
		w.daily(0, 8)
		w.later(60 * 24 * time.Hour)
		w.pass("alice")
		w.wipe(0, 8)
		w.pass("alice")
		if n := w.standing(0, 8); n != 8 || w.mailbox("alice").HeldDeletions != 0 || w.state("alice").Status != store.StatusOK {
			w.Errorf("%d stand, %+v", n, w.mailbox("alice"))
		}
		w.pass("alice")
		w.none(alice)
	})
}

func TestItemsOfThePastAreNotTakenOver(t *testing.T) {
	each(t, func(w *world) {
		w.person(doraWithout(true))
		w.book("b1", by("dora"))
		w.server.add("dora@example.com", calendar.Item{ForeignKey: "b1", Event: calendar.Event{Subject: "as it was"}})
		w.later(60 * 24 * time.Hour)
		w.person(doraWithout(false))
		w.pass("dora")
		if it := w.only("dora@example.com"); it.Event.Subject != "as it was" || w.server.writes != 0 {
			w.Errorf("item = %+v", it)
		}
	})
}

func TestItemThatCannotBeDeletedIsListedUntilItIsGone(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.server.before = func(call string) error {
			if call == "apply" {
				return fmt.Errorf("the item is on hold: %w", fault.Invalid)
			}
			return nil
		}
		for range 6 {
			w.pass("alice")
			w.later(time.Hour)
		}
		w.only(alice)
		if n := w.differences("item not deleted"); n != 1 || w.differences("sync disabled") != 0 {
			w.Fatalf("%d differences, want 1", n)
		}
		w.server.before = nil
		w.later(25 * time.Hour)
		w.pass("alice")
		w.none(alice)
		if n := w.differences("item not deleted"); n != 0 {
			w.Errorf("%d differences are left open", n)
		}
	})
}

func TestDeletionThatWasOverruledDoesNotCancelLater(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.remove(alice, w.only(alice).Ref)
		w.book("b1", at(14))
		w.server.before = func(call string) error {
			if call == "apply" {
				return fmt.Errorf("busy: %w", fault.Unavailable)
			}
			return nil
		}
		w.pass("alice") // decides to make it anew, and cannot
		w.server.before = nil
		w.book("b1") // as it was when the item was deleted
		w.later(time.Hour)
		w.pass("alice")
		w.pass("alice")
		w.only(alice)
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Errorf("booking = %+v", b)
		}
	})
}

func TestIntentFoldedAgainAndAgainEndsAllTheSame(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1")
		n := 0
		w.server.before = func(call string) error {
			if n++; call == "apply" && n < 40 {
				w.book("b1", remind(n))
			}
			return nil
		}
		for range 30 {
			w.once("alice")
		}
		w.server.before = nil
		w.pass("alice")
		left, err := w.store.Intents(context.WithoutCancel(w.Context()), tenant, "alice", farFuture, 10)
		if err != nil || len(left) != 0 || len(w.server.mails) != 1 {
			w.Errorf("intents %+v, %v; mails %v", left, err, w.server.mails)
		}
	})
}
