package syncer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func (w *world) lastSeq() int64 {
	w.Helper()
	seq, err := w.store.LastSeq(w.Context(), tenant)
	if err != nil {
		w.Fatal(err)
	}
	return seq
}

func (w *world) reject(seq int64, want string) {
	w.Helper()
	got, err := w.engine.Reject(w.Context(), tenant, seq, "the floor is closed")
	if err != nil || got != want {
		w.Fatalf("reject %d = %q, %v; want %q", seq, got, err, want)
	}
}

// edited has somebody change the one item of a calendar, and carries it into the booking.
func (w *world) edited(person string, change func(*calendar.Event)) (seq int64) {
	w.Helper()
	address := person + "@example.com"
	w.server.edit(address, w.only(address).Ref, change)
	before := w.lastSeq()
	w.pass(person)
	if seq = w.lastSeq(); seq != before+1 {
		w.Fatalf("the edit made %d changes, want 1", seq-before)
	}
	return seq
}

func subject(s string) func(*calendar.Event) { return func(e *calendar.Event) { e.Subject = s } }

func startAt(hour int) func(*calendar.Event) {
	return func(e *calendar.Event) {
		e.Start = time.Date(2026, 12, 1, hour, 0, 0, 0, time.UTC)
		e.End = e.Start.Add(time.Hour)
	}
}

func TestRejectedChangeIsUndoneOnBothSidesAndNobodyIsMailed(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		mails := len(w.server.mails)
		seq := w.edited("alice", startAt(14))
		for range 2 { // the second time nothing more happens
			w.reject(seq, RolledBack)
		}
		w.pass("alice")
		if b, it := w.booking("b1"), w.only(alice); b.Start.Hour() != 9 || it.Event.Start.Hour() != 9 || b.Version != 3 {
			w.Errorf("booking at %v, version %d, item at %v", b.Start, b.Version, it.Event.Start)
		}
		if len(w.server.mails) != mails {
			w.Errorf("mails = %v", w.server.mails[mails:])
		}
		w.pass("alice")
		want := "[b1 created by api b1 updated by calendar b1 updated by sync]"
		if got := fmt.Sprint(w.changes()); got != want {
			w.Errorf("changes = %s, want %s", got, want)
		}
		c, _, err := w.store.Change(w.Context(), tenant, w.lastSeq())
		if err != nil || !strings.Contains(c.Reason, "the floor is closed") {
			w.Errorf("reason = %q, %v", c.Reason, err)
		}
	})
}

func TestRejectionLeavesWhatWasChangedSince(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		seq := w.edited("alice", func(e *calendar.Event) {
			startAt(14)(e)
			e.Subject = "Review"
		})
		w.book("b1", at(14), func(b *booking.Booking) { b.Title = "Retrospective" })
		w.pass("alice")
		w.reject(seq, RolledBack)
		w.pass("alice")
		if b, it := w.booking("b1"), w.only(alice); b.Start.Hour() != 9 || b.Title != "Retrospective" || it.Event.Subject != b.Title || it.Event.Start.Hour() != 9 {
			w.Errorf("booking %q at %v, item %q at %v", b.Title, b.Start, it.Event.Subject, it.Event.Start)
		}
		seq = w.edited("alice", subject("Party"))
		w.book("b1", func(b *booking.Booking) { b.Title = "Planning II" })
		w.reject(seq, Overtaken)
		if b := w.booking("b1"); b.Title != "Planning II" {
			w.Errorf("title = %q", b.Title)
		}
	})
}

// Whatever the order in which a row of changes is refused, what stands at last is what was there before all of them.
func TestRowOfChangesRejectedInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1")
				w.pass("alice")
				var seqs []int64
				for _, s := range []string{"One", "Two", "Three"} {
					seqs = append(seqs, w.edited("alice", subject(s)))
				}
				for _, i := range order {
					if _, err := w.engine.Reject(w.Context(), tenant, seqs[i], "no"); err != nil {
						w.Fatal(err)
					}
					w.pass("alice")
				}
				if b, it := w.booking("b1"), w.only(alice); b.Title != "Planning" || it.Event.Subject != "Planning" {
					w.Errorf("booking %q, item %q", b.Title, it.Event.Subject)
				}
			})
		})
	}
}

func TestRejectionIsRefusedWhenTheOldPlaceIsTaken(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		seq := w.edited("alice", startAt(14))
		w.book("b2", by("bob"))
		_, err := w.engine.Reject(w.Context(), tenant, seq, "no")
		if o, ok := errors.AsType[*booking.OverlapError](err); !ok || fmt.Sprint(o.Others) != "[b2]" {
			w.Errorf("err = %v, want an overlap with b2", err)
		}
		if b := w.booking("b1"); b.Start.Hour() != 14 {
			w.Errorf("booking at %v", b.Start)
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, "b2", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.reject(seq, RolledBack) // it can be said again once the room is free
	})
}

func TestRejectionOfTimeAndPlaceOfWhichOneChangedSince(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		seq := w.edited("alice", func(e *calendar.Event) {
			startAt(14)(e)
			for i, a := range e.Attendees {
				if a.Role == calendar.Resource {
					e.Attendees[i].Email = "room-b@example.com"
				}
			}
		})
		w.book("b1", at(16), func(b *booking.Booking) { b.Resources = []string{"room-b"} })
		_, err := w.engine.Reject(w.Context(), tenant, seq, "no")
		if _, ok := errors.AsType[*booking.InvalidError](err); !ok {
			w.Errorf("err = %v, want that it cannot be told", err)
		}
	})
}

func TestRejectedDeletionBringsBookingAndItemBack(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		mails := len(w.server.mails)
		w.server.remove(alice, w.only(alice).Ref)
		w.pass("alice")
		seq := w.lastSeq()
		w.book("b2", by("bob"))
		_, err := w.engine.Reject(w.Context(), tenant, seq, "no")
		if _, ok := errors.AsType[*booking.OverlapError](err); !ok {
			w.Errorf("err = %v, want that the room is taken", err)
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, "b2", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.reject(seq, Restored)
		w.reject(seq, Restored)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Confirmed || w.only(alice).Event.Subject != "Planning" {
			w.Errorf("booking = %+v", b)
		}
		if len(w.server.mails) != mails {
			w.Errorf("mails = %v", w.server.mails[mails:])
		}
	})
}

func TestDeletionAfterWhichTheBookingWasMadeAgainIsOvertaken(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.remove(alice, w.only(alice).Ref)
		w.pass("alice")
		seq := w.lastSeq()
		w.book("b1", at(11))
		w.reject(seq, Overtaken)
		if b := w.booking("b1"); b.Start.Hour() != 11 {
			w.Errorf("booking = %+v", b)
		}
	})
}

func TestRejectionWithConflictBehaviourCancel(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", by("carol"))
		w.pass("carol")
		seq := w.edited("carol", startAt(14))
		w.reject(seq, CalledOff)
		w.pass("carol")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("booking = %+v", b)
		}
		w.only(carol) // it stays, without a link
		w.server.edit(carol, w.only(carol).Ref, subject("Mine"))
		w.pass("carol")
		if c, _, _ := w.store.Change(w.Context(), tenant, w.lastSeq()); c.Source != sourceSync || c.Kind != "cancelled" {
			w.Errorf("last change = %+v", c)
		}
	})
}

// A calendar that does the same again and again is not fought forever.
func TestRejectionsAreCountedWhileNothingElseHappens(t *testing.T) {
	each(t, func(w *world) {
		w.engine.Mails = func() bool { return true }
		p, _, err := w.store.Person(w.Context(), tenant, "alice")
		if err != nil {
			w.Fatal(err)
		}
		p.Person.MailOnError = true
		w.person(p.Person)
		w.book("b1")
		w.pass("alice")
		tries := DefaultLimits().RollbackTries
		for i := range tries {
			w.reject(w.edited("alice", startAt(11+i)), RolledBack)
			w.pass("alice")
		}
		w.reject(w.edited("alice", startAt(20)), RolledBackOff)
		w.pass("alice")
		if b, it := w.booking("b1"), w.only(alice); b.Start.Hour() != 9 || !b.SyncDisabled || it.Event.Start.Hour() != 20 {
			w.Errorf("booking = %+v, item at %v", b, it.Event.Start)
		}
		due, err := w.store.DueMails(w.Context(), w.now(), 10)
		if err != nil || len(due) != 2 || due[0].Kind != MailChangeRejected || due[1].Kind != MailSyncDisabled {
			w.Errorf("mails = %+v, %v; want one of each kind", due, err)
		}
	})
}

func TestWhatCannotBeRejected(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		seq := w.edited("alice", subject("Review"))
		for _, tc := range []struct {
			seq     int64
			unknown bool
		}{{0, true}, {99, true}, {1, false}} {
			_, err := w.engine.Reject(w.Context(), tenant, tc.seq, "no")
			_, invalid := errors.AsType[*booking.InvalidError](err)
			if errors.Is(err, booking.ErrNotFound) != tc.unknown || invalid == tc.unknown {
				w.Errorf("%d: %v", tc.seq, err)
			}
		}
		w.later(time.Hour)
		if err := w.store.Tx(w.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Prune(ctx, store.Before{Changes: w.now()})
			return err
		}); err != nil {
			w.Fatal(err)
		}
		_, err := w.engine.Reject(w.Context(), tenant, seq, "no")
		if _, ok := errors.AsType[*booking.InvalidError](err); !ok || !strings.Contains(err.Error(), "old") {
			w.Errorf("pruned: %v", err)
		}
	})
}

// What the change did is past: the booking is not cancelled for it.
func TestOvertakenChangeCancelsNothing(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", by("carol"))
		w.pass("carol")
		seq := w.edited("carol", startAt(14))
		w.book("b1", by("carol"), at(11))
		w.reject(seq, Overtaken)
		w.pass("carol")
		if b, it := w.booking("b1"), w.only(carol); b.Status != booking.Confirmed || it.Event.Start.Hour() != 11 {
			w.Errorf("booking = %+v, item at %v", b, it.Event.Start)
		}
	})
}

// A booking came back to an organizer with a former item of theirs, and the other one's is still to go when a cancellation is refused too often:
// the sync is given up for the item of who has it now.
func TestGivingUpAfterRejectionsConcernsTheOrganizersItem(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", func(b *booking.Booking) { b.SyncOff = true })
		w.later(time.Second)
		w.book("b1", by("bob"))
		w.pass("bob")
		w.later(time.Second)
		w.book("b1") // no pass of bob's for now
		w.pass("alice")
		for i := range DefaultLimits().RollbackTries {
			w.reject(w.edited("alice", startAt(11+i)), RolledBack)
			w.pass("alice")
		}
		w.server.remove(alice, w.only(alice).Ref)
		w.pass("alice")
		w.reject(w.lastSeq(), RolledBackOff)
		w.pass("alice")
		if b := w.booking("b1"); !b.SyncDisabled || w.differences(syncDisabled) != 1 || w.differences(itemNotDeleted) != 0 {
			w.Errorf("booking = %+v, %d and %d differences", b, w.differences(syncDisabled), w.differences(itemNotDeleted))
		}
		w.pass("bob")
		w.none(bob)
		w.later(25 * time.Hour)
		w.pass("alice")
		w.none(alice)
	})
}

// A meeting of somebody else is gone from the room's calendar, and the booking system does not want its booking cancelled for that: it stands,
// and somebody is told that nothing holds the room in Exchange.
func TestABookingThatOutlivesItsMeetingByARefusalIsListed(t *testing.T) {
	rooms(t, func(w *world) {
		ref := w.invite(meetingAt(9, "m1", "guest@elsewhere.example", roomA), roomA)[0]
		w.pass("room-a")
		id := w.bookings()[0].ID
		w.server.remove(roomA, ref)
		for range 2 {
			w.pass("room-a")
			w.later(2 * time.Minute)
		}
		if b := w.booking(id); b.Status != booking.Cancelled {
			w.Fatalf("it stands: %+v", b)
		}
		w.reject(w.lastSeq(), Restored)
		if b := w.booking(id); b.Status != booking.Confirmed || w.differences(roomDiffers) != 1 {
			w.Errorf("it is %s; listed: %q", b.Status, w.open())
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, id, booking.Match{}); err != nil {
			w.Fatal(err)
		}
		if n := w.differences(roomDiffers); n != 0 {
			w.Errorf("%d are listed after the booking system has cancelled it", n)
		}
	})
}
