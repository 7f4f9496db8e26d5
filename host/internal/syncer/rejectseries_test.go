package syncer

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Whatever the order in which a row of changes of one occurrence is refused, it is at last as before all of them.
func TestRowOfChangesOfAnOccurrenceRejectedInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1", ruled(fiveDays), with(retitled(1, "Review")))
				w.pass("alice")
				var seqs []int64
				for _, s := range []string{"One", "Two", "Three"} {
					seqs = append(seqs, w.edited("alice", func(ev *calendar.Event) { changeOccurrence(ev, nth(1), subject(s)) }))
				}
				for _, i := range order {
					if _, err := w.engine.Reject(w.Context(), tenant, seqs[i], "no"); err != nil {
						w.Fatal(err)
					}
					w.pass("alice")
				}
				if got, want := w.told("b1"), "2 09:00 Review"; got != want {
					w.Errorf("exceptions = %q, want %q", got, want)
				}
			})
		})
	}
}

// A series is lengthened and one of its occurrences retitled before the calendar is read: both are undone, as one change.
func TestRejectedLengthAndOccurrenceAreUndoneTogether(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays), with(leftOut(3)))
		w.pass("alice")
		seq := w.edited("alice", func(ev *calendar.Event) {
			ev.End = ev.End.Add(time.Hour)
			changeOccurrence(ev, nth(1), subject("Review"))
			changeOccurrence(ev, nth(3), nil)
		})
		w.reject(seq, RolledBack)
		w.pass("alice")
		if got, want := w.told("b1"), "4 09:00 out"; got != want {
			w.Errorf("exceptions = %q, want %q", got, want)
		}
		if b, it := w.booking("b1"), w.only(alice); b.End.Hour() != 10 || it.Event.End.Hour() != 10 {
			w.Errorf("booking until %v, item until %v", b.End, it.Event.End)
		}
	})
}

// That another booking has the room at one of the times does not stand in the way of undoing what does not touch the times.
func TestRejectionOfASeriesThatSharesItsRoom(t *testing.T) {
	each(t, func(w *world) {
		w.book("endless", func(b *booking.Booking) { b.Recurrence = "FREQ=DAILY" })
		w.pass("alice")
		far := december(1).Add(booking.Horizon).Truncate(24*time.Hour).AddDate(0, 0, 14).Add(9 * time.Hour)
		w.book("later", by("bob"), func(b *booking.Booking) { b.Start, b.End = far, far.Add(time.Hour) })
		w.later(60 * 24 * time.Hour)
		if n, err := w.engine.ExtendSeries(w.Context()); n != 1 || err != nil {
			w.Fatalf("extended %d, %v", n, err)
		}
		w.pass("alice")
		w.reject(w.edited("alice", subject("Party")), RolledBack)
		if b := w.booking("endless"); b.Title != "Planning" {
			w.Errorf("title = %q", b.Title)
		}
	})
}

// What is left out for conflicts counts as exceptions, of which a series has no more than it may have.
func TestTooManyOccurrencesInConflictAreRefused(t *testing.T) {
	each(t, func(w *world) {
		w.book("other", func(b *booking.Booking) { b.Recurrence = "FREQ=DAILY;COUNT=700" })
		_, err := w.put(&booking.Booking{
			Tenant: tenant, ID: "s", Organizer: "alice", Resources: []string{"room-a"}, Zone: "UTC",
			Start: december(1), End: december(1).Add(time.Hour), Recurrence: "FREQ=DAILY", Exceptions: manyRetitled(720, booking.MaxExceptions-200),
		}, booking.Skip)
		if v, ok := errors.AsType[*booking.InvalidError](err); !ok || v.Violations[0].Field != "exceptions" {
			w.Errorf("err = %v, want that there are too many exceptions", err)
		}
	})
}

// manyRetitled retitles a number of the occurrences of a daily series, from the nth on.
func manyRetitled(from, n int) (xs []booking.Exception) {
	for i := range n {
		xs = append(xs, retitled(from+i, "Review"))
	}
	return xs
}
