package syncer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// many makes n bookings with their items.
func (w *world) many(n int) {
	w.Helper()
	limits := *w.engine.limits()
	limits.MassChangeLimit, limits.MassDeletionLimit = 4, 4
	w.engine.SetLimits(limits)
	w.server.page = 100
	w.daily(0, n)
	w.pass("alice")
	w.dirty()
	w.pass("alice")
}

func (w *world) dirty() {
	w.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.MarkDirty(ctx, tenant, "alice", zeroTime) })
}

// waiting returns the only unit that waits.
func (w *world) waiting(kind string, items int) store.Quarantine {
	w.Helper()
	all, err := w.store.Quarantines(w.Context(), tenant, store.QuarantineFilter{State: store.QuarantineWaiting})
	if err != nil || len(all) != 1 || all[0].Kind != kind || all[0].Total != int64(items) {
		w.Fatalf("waiting = %+v, %v; want one unit of %d %s", all, err, items, kind)
	}
	if list, err := ParseQuarantine(all[0]); err != nil || len(list) != items || list[0].Does == "" {
		w.Fatalf("it holds %+v, %v", list, err)
	}
	if s := w.state("alice"); s.Status != store.StatusAttention {
		w.Errorf("the person's state is %+v", s)
	}
	return all[0]
}

func (w *world) decideUnit(q store.Quarantine, decision string) store.Quarantine {
	w.Helper()
	q, err := w.engine.DecideQuarantine(w.Context(), tenant, q.ID, decision)
	if err != nil {
		w.Fatal(err)
	}
	w.pass("alice")
	w.dirty()
	w.pass("alice")
	if s := w.state("alice"); s.Status != store.StatusOK {
		w.Errorf("after %s the person's state is %+v", decision, s)
	}
	return q
}

// titles returns how many bookings and how many items have a title.
func (w *world) titles(n int, title string) (bookings, items int) {
	w.Helper()
	for i := range n {
		if b := w.booking(fmt.Sprintf("b%02d", i)); b.Title == title && b.Status == booking.Confirmed {
			bookings++
		}
	}
	for _, it := range w.server.items(alice) {
		if it.Event.Subject == title {
			items++
		}
	}
	return bookings, items
}

func (w *world) are(n, bookings, items int, title string) {
	w.Helper()
	if b, i := w.titles(n, title); b != bookings || i != items {
		w.Errorf("%d bookings and %d items are %q, want %d and %d", b, i, title, bookings, items)
	}
}

func TestMassChangesOfACalendarWait(t *testing.T) {
	const n = 12
	for _, decision := range []string{Approve, Discard, Undo} {
		t.Run(decision, func(t *testing.T) {
			each(t, func(w *world) {
				w.many(n)
				mails := len(w.server.mails)
				for _, it := range w.server.items(alice) {
					w.server.edit(alice, it.Ref, func(ev *calendar.Event) { ev.Subject = "shifted by a tool" })
				}
				w.dirty()
				w.pass("alice")
				q := w.waiting(CalendarChanges, n)
				w.are(n, 0, n, "shifted by a tool")
				w.book("b03", func(b *booking.Booking) {
					b.Start, b.End, b.Location = w.booking("b03").Start, w.booking("b03").End, "annex"
				})
				w.pass("alice") // the pair waits with its unit, whoever else changes it
				w.are(n, n, 0, "Planning")
				if decision == Discard {
					w.decideUnit(q, Discard)
					w.are(n, n, n, "Planning")
				} else {
					w.decideUnit(q, Approve)
					w.are(n, n, n, "shifted by a tool")
				}
				if got := w.booking("b03").Location; got != "annex" {
					t.Errorf("the booking system's change is lost: %q", got)
				}
				if decision == Undo {
					w.book("b07", func(b *booking.Booking) {
						b.Start, b.End, b.Title = w.booking("b07").Start, w.booking("b07").End, "meant"
					})
					w.pass("alice")
					mails = len(w.server.mails)
					q = w.decideUnit(q, Undo)
					items, _ := ParseQuarantine(q)
					for _, it := range items {
						if changed := it.Booking == "b03" || it.Booking == "b07"; changed != (it.Problem != "") {
							t.Errorf("%s: problem %q", it.Booking, it.Problem)
						}
					}
					w.are(n, n-2, n-2, "Planning")
					w.are(n, 1, 1, "meant")
				}
				if len(w.server.mails) != mails {
					t.Errorf("mails: %v", w.server.mails[mails:])
				}
				if _, err := w.engine.DecideQuarantine(w.Context(), tenant, q.ID, Discard); err == nil || !strings.Contains(err.Error(), "only one that is waiting") {
					t.Errorf("decided twice: %v", err)
				}
			})
		})
	}
}

// Where a calendar cannot be set back without mail, what was discarded is laid before a person item by item. It does not come back as a
// unit, nor into the bookings.
func TestWhatWasDiscardedDoesNotComeBackFromALoudCalendar(t *testing.T) {
	const n = 12
	each(t, func(w *world) {
		w.many(n)
		for _, it := range w.server.items(alice) {
			w.server.edit(alice, it.Ref, func(ev *calendar.Event) { ev.Subject = "shifted by a tool" })
		}
		w.dirty()
		w.pass("alice")
		w.server.loud = true
		w.decideUnit(w.waiting(CalendarChanges, n), Discard)
		for range 3 {
			w.later(25 * time.Hour)
			if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
				w.Fatal(err)
			}
			w.pass("alice")
		}
		w.are(n, n, 0, "Planning")
		units, err := w.store.Quarantines(w.Context(), tenant, store.QuarantineFilter{State: store.QuarantineWaiting})
		if err != nil || len(units) != 0 {
			w.Errorf("units that wait again: %+v, %v", units, err)
		}
		open, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{Kind: mailHeldBack})
		if err != nil || len(open) != n {
			w.Errorf("%d writes are laid before a person, %v; want %d", len(open), err, n)
		}
	})
}

func TestAFewChangesOfACalendarDoNotWait(t *testing.T) {
	each(t, func(w *world) {
		w.many(12)
		for _, it := range w.server.items(alice)[:4] {
			w.server.edit(alice, it.Ref, func(ev *calendar.Event) { ev.Subject = "moved" })
		}
		w.dirty()
		w.pass("alice")
		w.are(12, 4, 4, "moved")
	})
}

func TestWhatIsChangedBackLeavesTheQuarantine(t *testing.T) {
	each(t, func(w *world) {
		const n = 12
		w.many(n)
		change := func(title string) {
			for _, it := range w.server.items(alice) {
				w.server.edit(alice, it.Ref, func(ev *calendar.Event) { ev.Subject = title })
			}
			w.dirty()
			w.pass("alice")
		}
		change("shifted")
		q := w.waiting(CalendarChanges, n)
		change("Planning")
		w.server.edit(alice, w.server.items(alice)[0].Ref, func(ev *calendar.Event) { ev.Subject = "by hand" })
		w.dirty()
		w.pass("alice")
		w.are(n, 1, 1, "by hand")
		w.decideUnit(q, Discard)
		w.are(n, 1, 1, "by hand")
	})
}

func TestMassDeletionsOfACalendarCanBeUndone(t *testing.T) {
	each(t, func(w *world) {
		const n = 12
		w.many(n)
		for _, it := range w.server.items(alice) {
			w.server.remove(alice, it.Ref)
		}
		w.dirty()
		w.pass("alice")
		q := w.waiting(CalendarDeletions, n)
		w.decideUnit(q, Approve)
		w.are(n, 0, 0, "Planning")
		mails := len(w.server.mails)
		if q = w.decideUnit(q, Undo); q.State != store.QuarantineUndone {
			t.Errorf("unit = %+v", q)
		}
		w.are(n, n, n, "Planning")
		if len(w.server.mails) != mails {
			t.Errorf("mails: %v", w.server.mails[mails:])
		}
	})
}

// TestTheUnitNamesWhatIsHeldNow: also when as many others vanished in the meantime.
func TestTheUnitNamesWhatIsHeldNow(t *testing.T) {
	each(t, func(w *world) {
		const n = 24
		w.many(n)
		items := w.server.items(alice)
		for _, it := range items[:n/2] {
			w.server.remove(alice, it.Ref)
		}
		w.dirty()
		w.pass("alice")
		before, err := ParseQuarantine(w.waiting(CalendarDeletions, n/2))
		if err != nil {
			w.Fatal(err)
		}
		for i := range n / 2 {
			w.server.add(alice, items[i])
			w.server.remove(alice, items[n/2+i].Ref)
		}
		w.dirty()
		w.pass("alice")
		after, err := ParseQuarantine(w.waiting(CalendarDeletions, n/2))
		if err != nil {
			w.Fatal(err)
		}
		for i := range after {
			if after[i].Booking == before[i].Booking {
				w.Errorf("%s is still named", after[i].Booking)
			}
		}
	})
}

// TestAnApprovalThatWasTakenBackIsNone: not for what vanishes next either.
func TestAnApprovalThatWasTakenBackIsNone(t *testing.T) {
	each(t, func(w *world) {
		const n = 24
		w.many(n)
		items := w.server.items(alice)
		for _, it := range items[:n/2] {
			w.server.remove(alice, it.Ref)
		}
		w.dirty()
		w.pass("alice")
		q := w.waiting(CalendarDeletions, n/2)
		for _, decision := range []string{Approve, Undo} { // before any pass
			if _, err := w.engine.DecideQuarantine(w.Context(), tenant, q.ID, decision); err != nil {
				w.Fatal(err)
			}
		}
		for _, it := range items[n/2:] {
			w.server.remove(alice, it.Ref)
		}
		w.dirty()
		w.pass("alice")
		w.waiting(CalendarDeletions, n/2)
		if all := w.bookings(); len(all) != n {
			w.Errorf("%d bookings stand, want %d", len(all), n)
		}
	})
}

func TestMassDeletionsOfACalendarCanBeDiscarded(t *testing.T) {
	each(t, func(w *world) {
		const n = 12
		w.many(n)
		for _, it := range w.server.items(alice) {
			w.server.remove(alice, it.Ref)
		}
		w.dirty()
		w.pass("alice")
		mails := len(w.server.mails)
		if q := w.decideUnit(w.waiting(CalendarDeletions, n), Discard); q.State != store.QuarantineDiscarded {
			t.Errorf("unit = %+v", q)
		}
		w.are(n, n, n, "Planning")
		if len(w.server.mails) != mails {
			t.Errorf("mails: %v", w.server.mails[mails:])
		}
	})
}

func TestMassCancellationsOfTheBookingSystemWait(t *testing.T) {
	const n = 12
	for _, decision := range []string{Approve, Discard, Undo} {
		t.Run(decision, func(t *testing.T) {
			each(t, func(w *world) {
				w.many(n)
				mails := len(w.server.mails)
				for i := range n {
					if _, err := w.engine.Cancel(w.Context(), tenant, fmt.Sprintf("b%02d", i), booking.Match{}); err != nil {
						t.Fatal(err)
					}
				}
				w.pass("alice")
				q := w.waiting(BookingCancellations, n)
				w.are(n, 0, n, "Planning")
				if len(w.server.mails) != mails {
					t.Fatalf("mails: %v", w.server.mails[mails:])
				}
				w.book("b05", func(b *booking.Booking) { b.Start, b.End = w.booking("b05").Start, w.booking("b05").End })
				w.pass("alice")
				w.are(n, 1, n, "Planning") // its item is its item again
				if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
					t.Fatal(err)
				}
				w.pass("alice")
				w.are(n, 1, n, "Planning")
				if decision == Discard {
					w.decideUnit(q, Discard)
					w.are(n, n, n, "Planning")
					if len(w.server.mails) != mails {
						t.Errorf("mails: %v", w.server.mails[mails:])
					}
					return
				}
				w.decideUnit(q, Approve)
				w.are(n, 1, 1, "Planning")
				if len(w.server.mails) == mails {
					t.Error("nobody was told of the cancellations that are meant")
				}
				if decision == Undo {
					mails = len(w.server.mails)
					w.decideUnit(q, Undo)
					w.are(n, n, n, "Planning")
					if len(w.server.mails) != mails {
						t.Errorf("mails: %v", w.server.mails[mails:])
					}
				}
			})
		})
	}
}

// A booking that is put again before its removal was set aside is none of those that wait.
func TestWhatIsPutAgainDoesNotWaitToBeRemoved(t *testing.T) {
	const n = 12
	each(t, func(w *world) {
		w.many(n)
		at := w.booking("b05")
		for i := range n {
			if _, err := w.engine.Cancel(w.Context(), tenant, fmt.Sprintf("b%02d", i), booking.Match{}); err != nil {
				t.Fatal(err)
			}
		}
		w.book("b05", func(b *booking.Booking) { b.Start, b.End = at.Start, at.End })
		w.pass("alice")
		w.decideUnit(w.waiting(BookingCancellations, n-1), Discard)
		w.are(n, n, n, "Planning")
		if open := w.allOpen(); len(open) != 0 {
			t.Errorf("listed: %+v", open)
		}
	})
}
