package syncer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// ruled makes a booking a series of five days, or of as many as rule says.
func ruled(rule string) func(*booking.Booking) {
	return func(b *booking.Booking) { b.Recurrence = rule }
}

const fiveDays = "FREQ=DAILY;COUNT=5"

// nth is when the rule of the series that tests book has an occurrence start.
func nth(n int) time.Time { return time.Date(2026, 12, 1+n, 9, 0, 0, 0, time.UTC) }

func retitled(n int, title string) booking.Exception {
	return booking.Exception{Occurrence: nth(n), Title: &title}
}

func rehoused(n, hour int) booking.Exception {
	start := time.Date(2026, 12, 1+n, hour, 0, 0, 0, time.UTC)
	end := start.Add(time.Hour)
	return booking.Exception{Occurrence: nth(n), Start: &start, End: &end}
}

func leftOut(n int) booking.Exception { return booking.Exception{Occurrence: nth(n), Skipped: true} }

func with(xs ...booking.Exception) func(*booking.Booking) {
	return func(b *booking.Booking) { b.Exceptions = append(b.Exceptions, xs...) }
}

// inOutlook changes one occurrence of the series of alice's calendar, as a person does; nil leaves it out.
func (w *world) inOutlook(n int, change func(*calendar.Event)) {
	w.Helper()
	w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { changeOccurrence(ev, nth(n), change) })
}

// changeOccurrence changes one occurrence of a series; nil leaves it out.
func changeOccurrence(ev *calendar.Event, at time.Time, change func(*calendar.Event)) {
	i := slices.IndexFunc(ev.Exceptions, func(x calendar.OccurrenceException) bool { return x.Occurrence.Equal(at) })
	x := calendar.OccurrenceException{Occurrence: at}
	if change != nil {
		one := cloned(*ev)
		one.Recurrence, one.Exceptions = "", nil
		one.Start, one.End = at, at.Add(ev.End.Sub(ev.Start))
		if i >= 0 {
			one = cloned(*ev.Exceptions[i].Event)
		}
		change(&one)
		x.Event = &one
	}
	if i >= 0 {
		ev.Exceptions[i] = x
		return
	}
	ev.Exceptions = append(ev.Exceptions, x)
	slices.SortFunc(ev.Exceptions, func(a, b calendar.OccurrenceException) int { return a.Occurrence.Compare(b.Occurrence) })
}

// told describes the exceptions of a booking and its item, which must be alike.
func (w *world) told(id string) string {
	w.Helper()
	var booked, item []string
	b := w.booking(id)
	for _, x := range b.Exceptions {
		switch {
		case x.Skipped:
			booked = append(booked, x.Occurrence.Format("2 15:04")+" out")
		case x.Start != nil:
			booked = append(booked, x.Occurrence.Format("2 15:04")+" at "+x.Start.Format("15:04"))
		case x.Title != nil:
			booked = append(booked, x.Occurrence.Format("2 15:04")+" "+*x.Title)
		}
	}
	ev := w.only(alice).Event
	for _, x := range ev.Exceptions {
		switch {
		case x.Event == nil:
			item = append(item, x.Occurrence.Format("2 15:04")+" out")
		case !x.Event.Start.Equal(x.Occurrence):
			item = append(item, x.Occurrence.Format("2 15:04")+" at "+x.Event.Start.Format("15:04"))
		case x.Event.Subject != ev.Subject:
			item = append(item, x.Occurrence.Format("2 15:04")+" "+x.Event.Subject)
		}
	}
	if !slices.Equal(booked, item) || b.Recurrence != ev.Recurrence {
		w.Errorf("booking %s: %v, %q\nits item: %v, %q", id, booked, b.Recurrence, item, ev.Recurrence)
	}
	return strings.Join(booked, ", ")
}

// open returns what lies before people.
func (w *world) open() (details []string) {
	w.Helper()
	all, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{})
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range all {
		details = append(details, d.Kind+": "+d.Detail)
	}
	return details
}

func TestASeriesIsOneItem(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays), with(retitled(1, "Review"), rehoused(2, 14), leftOut(3)))
		w.pass("alice")
		if got, want := w.told("b1"), "2 09:00 Review, 3 09:00 at 14:00, 4 09:00 out"; got != want {
			w.Errorf("exceptions = %q, want %q", got, want)
		}
		if it := w.only(alice); it.Kind != calendar.Master {
			w.Errorf("made an item of kind %d", it.Kind)
		}
		writes, changes := w.server.writes, len(w.changes())
		w.full()
		if w.server.writes != writes || len(w.changes()) != changes || len(w.open()) > 0 {
			w.Errorf("its echo led to %d writes, %v and %v", w.server.writes-writes, w.changes()[changes:], w.open())
		}
	})
}

func TestOccurrencesMeet(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays))
		w.pass("alice")
		mails := len(w.server.mails)
		w.inOutlook(1, func(ev *calendar.Event) { ev.Start, ev.End = ev.Start.Add(2*time.Hour), ev.End.Add(2*time.Hour) })
		w.inOutlook(2, nil)
		w.book("b1", ruled(fiveDays), with(retitled(4, "Review")))
		w.pass("alice")
		if got, want := w.told("b1"), "2 09:00 at 11:00, 3 09:00 out, 5 09:00 Review"; got != want {
			w.Errorf("exceptions = %q, want %q", got, want)
		}
		if len(w.open()) > 0 || len(w.server.mails) != mails {
			w.Errorf("%v, mails %v", w.open(), w.server.mails[mails:])
		}
	})
}

// The time of a series is changed in Outlook, which throws its exceptions away. They are written again, and nobody is mailed.
func TestAnotherTimeInOutlookKeepsExceptions(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays), with(retitled(1, "Review"), leftOut(3), retitled(4, "Last")))
		w.pass("alice")
		mails := len(w.server.mails)
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) {
			ev.Start, ev.End, ev.Recurrence = ev.Start.Add(time.Hour), ev.End.Add(time.Hour), "FREQ=DAILY;COUNT=4"
		})
		w.pass("alice")
		if got, want := w.told("b1"), "2 10:00 Review, 4 10:00 out"; got != want {
			w.Errorf("exceptions = %q, want %q", got, want)
		}
		if b := w.booking("b1"); b.Start.Hour() != 10 || len(w.open()) > 0 || len(w.server.mails) != mails {
			w.Errorf("at %s, %v, mails %v", b.Start, w.open(), w.server.mails[mails:])
		}
	})
}

// A write of a series breaks off between its exceptions. What is missing then was not deleted by anybody.
func TestAWriteThatIsCutOffLosesNothing(t *testing.T) {
	for name, change := range map[string]func(*booking.Booking){
		"Made":    nil,
		"Another": func(b *booking.Booking) { b.Start, b.End = b.Start.Add(time.Hour), b.End.Add(time.Hour) },
		"Longer":  ruled("FREQ=DAILY;COUNT=9"),
		"BackIn": func(b *booking.Booking) {
			b.Exceptions = slices.DeleteFunc(b.Exceptions, func(x booking.Exception) bool { return x.Skipped })
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				all := with(retitled(1, "Review"), leftOut(2), rehoused(3, 14))
				if w.server.cut = 2; change != nil {
					w.server.cut = 0
				}
				w.book("b1", ruled(fiveDays), all)
				w.pass("alice")
				if change != nil {
					w.server.cut = 2
					b := w.booking("b1")
					next := b.Clone()
					change(next)
					exceptions := next.Exceptions
					next.Normalize()
					next.Exceptions = exceptions
					booking.Rebase(b, next)
					w.book("b1", func(b *booking.Booking) { *b = *next })
					w.pass("alice")
				}
				if w.server.cut != 0 {
					w.Fatal("the write was not cut off")
				}
				w.later(time.Hour)
				want := w.booking("b1")
				w.pass("alice")
				w.told("b1")
				if got := w.booking("b1"); !booking.Same(got, want) || len(got.Exceptions) < 2 || len(w.open()) > 0 {
					w.Errorf("the booking has %+v, want %+v; %v", got.Exceptions, want.Exceptions, w.open())
				}
				for _, c := range w.changes() {
					if strings.HasSuffix(c, "calendar") {
						w.Errorf("the calendar is said to have changed something: %s", c)
					}
				}
			})
		})
	}
}

// The first write of a series breaks off because somebody was at it meanwhile. The next try finds the item by its key before any
// pull tells of it: what is missing of its exceptions was not deleted by anybody.
func TestASeriesThatIsTouchedWhileItIsMadeKeepsItsExceptions(t *testing.T) {
	each(t, func(w *world) {
		w.server.cut, w.server.cutBy = 2, fault.Conflict
		w.book("b1", ruled(fiveDays), with(retitled(1, "Review"), leftOut(2), rehoused(3, 14)))
		w.pass("alice")
		if w.server.cut != 0 {
			w.Fatal("the write was not cut off")
		}
		w.pass("alice")
		if got, want := w.told("b1"), "2 09:00 Review, 3 09:00 out, 4 09:00 at 14:00"; got != want || len(w.open()) > 0 {
			w.Errorf("exceptions = %q, want %q; %v", got, want, w.open())
		}
	})
}

// An occurrence is moved onto a room that is taken. It goes back by itself; the rest of the edit stays.
func TestATakenRoomSendsOneOccurrenceBack(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays), with(rehoused(2, 12)))
		w.book("b2", func(b *booking.Booking) {
			b.Start = time.Date(2026, 12, 3, 15, 0, 0, 0, time.UTC)
			b.End, b.Organizer = b.Start.Add(time.Hour), "bob"
		})
		w.pass("alice")
		mails := len(w.server.mails)
		w.inOutlook(2, func(ev *calendar.Event) {
			ev.Start = time.Date(2026, 12, 3, 15, 0, 0, 0, time.UTC)
			ev.End = ev.Start.Add(time.Hour)
		})
		w.inOutlook(1, func(ev *calendar.Event) { ev.Subject = "Review" })
		w.pass("alice")
		if got, want := w.told("b1"), "2 09:00 Review, 3 09:00 at 12:00"; got != want {
			w.Errorf("exceptions = %q, want %q", got, want)
		}
		if len(w.server.mails) != mails || w.booking("b1").SyncDisabled {
			w.Errorf("mails %v, disabled %v", w.server.mails[mails:], w.booking("b1").SyncDisabled)
		}
	})
}

// The whole series is moved into the way of another booking: that is reset.
func TestATakenRoomSendsASeriesBack(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays), with(retitled(1, "Review")))
		w.book("b2", func(b *booking.Booking) {
			b.Start = time.Date(2026, 12, 3, 15, 0, 0, 0, time.UTC)
			b.End, b.Organizer = b.Start.Add(time.Hour), "bob"
		})
		w.pass("alice")
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) {
			ev.Start, ev.End = ev.Start.Add(6*time.Hour), ev.End.Add(6*time.Hour)
		})
		w.pass("alice")
		if got, want := w.told("b1"), "2 09:00 Review"; got != want || w.only(alice).Event.Start.Hour() != 9 {
			w.Errorf("exceptions = %q, want %q; at %s", got, want, w.only(alice).Event.Start)
		}
	})
}

func TestASingleItemBecomesASeriesAndBack(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		mails := len(w.server.mails)
		ref := w.only(alice).Ref
		w.server.edit(alice, ref, func(ev *calendar.Event) { ev.Recurrence = "FREQ=DAILY;COUNT=5" })
		w.pass("alice")
		w.inOutlook(1, nil)
		w.pass("alice")
		if got := w.told("b1"); got != "2 09:00 out" || w.booking("b1").Recurrence != fiveDays {
			w.Errorf("a series in the calendar: %q, %q", got, w.booking("b1").Recurrence)
		}
		w.server.edit(alice, ref, func(ev *calendar.Event) { ev.Recurrence = "" })
		w.pass("alice")
		if b := w.booking("b1"); b.Series() || len(b.Exceptions) > 0 || w.only(alice).Kind != calendar.Single {
			w.Errorf("a single appointment again: %+v", b)
		}
		if len(w.server.mails) != mails {
			w.Errorf("mails: %v", w.server.mails[mails:])
		}
		w.book("b1", ruled("FREQ=WEEKLY;COUNT=3"))
		w.pass("alice")
		w.told("b1")
		w.book("b1")
		w.pass("alice")
		if it := w.only(alice); it.Event.Recurrence != "" {
			w.Errorf("the item is %+v", it)
		}
	})
}

// A pattern that no booking can have is left alone, until it is another one.
func TestAPatternThatCannotBeSaidIsLeftAlone(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays))
		w.pass("alice")
		ref := w.only(alice).Ref
		w.server.edit(alice, ref, func(ev *calendar.Event) { ev.Recurrence = "FREQ=HOURLY" })
		w.pass("alice")
		w.book("b1", ruled(fiveDays), func(b *booking.Booking) { b.Title = "Other" })
		w.pass("alice")
		if n := w.differences(seriesLeftAlone); n != 1 || w.only(alice).Event.Subject != "Planning" || w.booking("b1").Recurrence != fiveDays {
			w.Errorf("%d differences, item %+v", n, w.only(alice).Event)
		}
		w.server.edit(alice, ref, func(ev *calendar.Event) { ev.Recurrence = "FREQ=DAILY;COUNT=7" })
		w.pass("alice")
		if n := w.differences(seriesLeftAlone); n != 0 || w.only(alice).Event.Subject != "Other" || w.booking("b1").Recurrence != "FREQ=DAILY;COUNT=7" {
			w.Errorf("%d differences, item %+v, booking %q", n, w.only(alice).Event, w.booking("b1").Recurrence)
		}
	})
}

// Only what a person changed of an occurrence says who is told.
func TestWhoIsToldOfAnOccurrence(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays), with(leftOut(0)))
		w.pass("alice")
		for _, step := range []struct {
			what  string
			x     booking.Exception
			mails int
		}{{"retitled", retitled(1, "Review"), 0}, {"moved", rehoused(2, 14), 1}, {"left out", leftOut(3), 1}} {
			mails, b := len(w.server.mails), w.booking("b1").Clone()
			b.SetException(step.x)
			w.book("b1", func(next *booking.Booking) { *next = *b })
			w.pass("alice")
			if got := len(w.server.mails) - mails; got != step.mails {
				w.Errorf("%s: %d mails, want %d", step.what, got, step.mails)
			}
		}
		w.told("b1")
	})
}

func TestASeriesThatIsDeletedAtOnce(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled("FREQ=WEEKLY"), with(retitled(7, "Review")))
		w.pass("alice")
		w.server.remove(alice, w.only(alice).Ref)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("the booking is %s", b.Status)
		}
		w.none(alice)
	})
}

func TestTheOrganizerOfASeriesChanges(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays), with(retitled(1, "Review"), leftOut(3)))
		w.pass("alice")
		w.book("b1", ruled(fiveDays), with(retitled(1, "Review"), leftOut(3)), by("bob"))
		w.pass("alice")
		w.pass("bob")
		w.none(alice)
		if ev := w.only(bob).Event; ev.Recurrence != fiveDays || len(ev.Exceptions) != 2 {
			w.Errorf("bob has %+v", ev)
		}
	})
}

// "This and following" in Outlook shortens a series and makes another one of the rest, with the same marker. That is no mere
// copy, and said so.
func TestASeriesThatIsSplitInOutlookIsTold(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays), with(retitled(1, "Review")))
		w.pass("alice")
		rest := w.only(alice)
		rest.Ref, rest.Event = "", cloned(rest.Event)
		rest.Event.Start, rest.Event.End, rest.Event.Recurrence, rest.Event.Exceptions = nth(3), nth(3).Add(time.Hour), "FREQ=DAILY;COUNT=2", nil
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Recurrence = "FREQ=DAILY;COUNT=3" })
		ref := w.server.add(alice, rest)
		w.pass("alice")
		if b := w.booking("b1"); b.Recurrence != "FREQ=DAILY;COUNT=3" || len(b.Exceptions) != 1 {
			w.Errorf("the first half is %q with %+v", b.Recurrence, b.Exceptions)
		}
		if got := w.open(); len(got) != 1 || !strings.Contains(got[0], "was split in the calendar") || !strings.Contains(got[0], "2026-12-04") {
			w.Errorf("differences: %v", got)
		}
		for _, it := range w.server.items(alice) {
			if it.Ref == ref && it.Event.Recurrence != "FREQ=DAILY;COUNT=2" {
				w.Errorf("the rest was written to: %+v", it.Event)
			}
		}
	})
}
