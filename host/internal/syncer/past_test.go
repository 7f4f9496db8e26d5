package syncer

import (
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// away has the server not be reached while f happens, and for twenty days more: what is booked in between is over then.
func (w *world) away(f func()) {
	w.Helper()
	w.server.before = func(string) error { return fault.Unavailable }
	f()
	w.pass("alice")
	w.later(20 * 24 * time.Hour)
	w.server.before = nil
}

func (w *world) cancel(id string) {
	w.Helper()
	if _, err := w.engine.Cancel(w.Context(), tenant, id, booking.Match{}); err != nil {
		w.Fatal(err)
	}
}

// onAnyServer plays f with a calendar that can be written in silence, and with one that cannot.
func onAnyServer(t *testing.T, f func(w *world)) {
	for name, loud := range map[string]bool{"silent": false, "loud": true} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.pass("alice")
				w.server.loud = loud
				f(w)
			})
		})
	}
}

// restsInSilence fails unless nobody was mailed since there were so many mails, and nobody has anything to decide, now and later.
func (w *world) restsInSilence(mails int) {
	w.Helper()
	w.pass("alice")
	writes := w.server.writes
	for range 3 {
		w.later(25 * time.Hour)
		if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
	}
	if got := w.server.mails[mails:]; len(got) > 0 {
		w.Errorf("mails = %v", got)
	}
	open, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{})
	if err != nil || len(open) > 0 || w.server.writes != writes {
		w.Errorf("to decide: %+v, %v; %d writes", open, err, w.server.writes-writes)
	}
	if s := w.state("alice"); s.Status != store.StatusOK {
		w.Errorf("state = %+v", s)
	}
}

// on has a booking take place at nine of another day.
func on(day int) func(*booking.Booking) {
	return func(b *booking.Booking) {
		b.Start = time.Date(2026, 12, day, 9, 0, 0, 0, time.UTC)
		b.End = b.Start.Add(time.Hour)
	}
}

func TestNobodyIsInvitedToWhatIsOver(t *testing.T) {
	onAnyServer(t, func(w *world) {
		w.away(func() { w.book("b1") })
		w.restsInSilence(0)
		w.none(alice)
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Errorf("booking = %+v", b)
		}
		w.book("b1", on(28)) // it takes place after all
		w.pass("alice")
		if it := w.only(alice); len(w.server.mails) != 1 || it.Event.Start.Day() != 28 {
			w.Errorf("mails = %v, item %+v", w.server.mails, it)
		}
	})
}

// The answer to the create was lost: its item is there, or is not.
func TestWhatWasMadeBeforeTheOutageIsFoundThoughItIsOver(t *testing.T) {
	onAnyServer(t, func(w *world) {
		w.server.after = func(call string) error {
			if call == "apply" {
				return fault.Unavailable
			}
			return nil
		}
		w.book("b1")
		w.pass("alice")
		w.server.after = nil
		w.later(20 * 24 * time.Hour)
		w.restsInSilence(len(w.server.mails))
		w.book("b1", on(28))
		w.pass("alice")
		if it := w.only(alice); len(w.server.mails) != 2 || it.Event.Start.Day() != 28 {
			w.Errorf("mails = %v, item %+v", w.server.mails, it)
		}
	})
}

func TestNobodyIsToldThatWhatIsOverIsCancelled(t *testing.T) {
	onAnyServer(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		mails := len(w.server.mails)
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncDisabled: true})
		w.cancel("b1")
		w.pass("alice")
		w.later(20 * 24 * time.Hour)
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice"})
		w.restsInSilence(mails)
		if n := len(w.server.items(alice)); n != 0 && !w.server.loud {
			w.Errorf("%d items", n)
		}
		w.book("b1", on(29)) // and stands again
		w.pass("alice")
		if it := w.only(alice); len(w.server.mails) != mails+1 || it.Event.Start.Day() != 29 {
			w.Errorf("mails = %v, item %+v", w.server.mails, it)
		}
	})
}

func TestNobodyIsToldOfAChangeOfWhatIsOver(t *testing.T) {
	onAnyServer(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		mails := len(w.server.mails)
		w.away(func() { w.book("b1", at(14)) })
		w.restsInSilence(mails)
		if moved := w.only(alice).Event.Start.Hour() == 14; moved == w.server.loud {
			w.Errorf("moved: %t", moved)
		}
		w.book("b1", on(28))
		w.pass("alice")
		if it := w.only(alice); len(w.server.mails) != mails+1 || it.Event.Start.Day() != 28 {
			w.Errorf("mails = %v, item %+v", w.server.mails, it)
		}
	})
}

// Who was told of a meeting to come hears that there is none, though by the booking it is over; and who was told of one that is over hears of
// the one to come.
func TestAMoveBetweenPastAndFutureIsTold(t *testing.T) {
	onAnyServer(t, func(w *world) {
		w.book("b1", on(20))
		w.pass("alice")
		mails := len(w.server.mails)
		told := func(what string) {
			w.Helper()
			w.pass("alice")
			if mails++; len(w.server.mails) != mails {
				w.Fatalf("%s: mails = %v, want %d", what, w.server.mails, mails)
			}
		}
		w.later(10 * 24 * time.Hour) // the second of December
		w.book("b1", on(1))
		told("into the past")
		w.book("b1", on(20))
		told("back into the future")
		w.book("b1", on(1))
		w.cancel("b1")
		told("cancelled after it was moved into the past, which nobody had heard of")
		w.none(alice)
	})
}

// An item that somebody has moved in the calendar, to a time to come, and a booking that is cancelled before that is met.
func TestTheCancellationOfWhatWasMovedIntoTheFutureIsTold(t *testing.T) {
	onAnyServer(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		mails := len(w.server.mails)
		w.later(20 * 24 * time.Hour)
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) {
			ev.Start, ev.End = ev.Start.AddDate(0, 0, 20), ev.End.AddDate(0, 0, 20)
		})
		w.cancel("b1")
		w.pass("alice")
		w.none(alice)
		if len(w.server.mails) != mails+1 {
			w.Errorf("mails = %v", w.server.mails)
		}
	})
}

// A series is over when the last of its occurrences is, also one that was moved beyond its end.
func TestASeriesIsOverWhenItsLastOccurrenceIs(t *testing.T) {
	for name, c := range map[string]struct {
		days  int
		moved bool
		mails int
	}{
		"going on": {12, false, 1}, "over": {20, false, 0}, "its last one put off": {20, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1", ruled(fiveDays), func(b *booking.Booking) {
					if c.moved {
						last := b.Start.AddDate(0, 0, 4)
						s, e := last.AddDate(0, 0, 20), last.AddDate(0, 0, 20).Add(time.Hour)
						b.Exceptions = []booking.Exception{{Occurrence: last, Start: &s, End: &e}}
					}
				})
				w.pass("alice")
				mails := len(w.server.mails)
				w.later(time.Duration(c.days) * 24 * time.Hour)
				w.cancel("b1")
				w.pass("alice")
				w.none(alice)
				if got := w.server.mails[mails:]; len(got) != c.mails {
					t.Errorf("mails = %v, want %d", got, c.mails)
				}
			})
		})
	}
}

// Where another person has the booking by now the former one's item of it goes, or stays: nobody hears.
func TestNobodyIsToldThatWhatIsOverHasAnotherOrganizer(t *testing.T) {
	onAnyServer(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		mails := len(w.server.mails)
		w.later(20 * 24 * time.Hour)
		w.book("b1", by("carol"))
		w.pass("carol")
		w.restsInSilence(mails)
		w.none(carol)
	})
}

// What a person decides is done as that person says.
func TestWhatAPersonWantsWrittenThoughItMailsIsWrittenThoughItIsOver(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.loud = true
		w.book("b1", func(b *booking.Booking) { b.Title = "Renamed" })
		w.pass("alice")
		d, mails := w.heldDifference(), len(w.server.mails)
		w.later(20 * 24 * time.Hour)
		if err := w.engine.Resolve(w.Context(), tenant, d.ID, Resolution{Use: UseBooking, Mail: true}); err != nil {
			t.Fatal(err)
		}
		w.pass("alice")
		if w.only(alice).Event.Subject != "Renamed" || len(w.server.mails) != mails+1 {
			t.Errorf("item = %+v, mails %v", w.only(alice), w.server.mails[mails:])
		}
	})
}

// The days of a meeting end where its zone has them end.
func TestAMeetingOfWholeDaysIsOverWhereItTakesPlace(t *testing.T) {
	for name, c := range map[string]struct {
		before time.Duration // the midnight that ends the day in UTC
		mails  int
	}{"not yet": {90 * time.Minute, 1}, "over": {30 * time.Minute, 0}} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1", func(b *booking.Booking) {
					b.AllDay, b.Start, b.End = true, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
				})
				w.pass("alice")
				mails := len(w.server.mails)
				w.later(time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC).Add(-c.before).Sub(w.now()))
				w.cancel("b1")
				w.pass("alice")
				if got := w.server.mails[mails:]; len(got) != c.mails {
					t.Errorf("mails = %v, want %d", got, c.mails)
				}
			})
		})
	}
}

// A room has its copy of what is over and cancelled: that is nothing to decide about.
func TestARoomsCopyOfWhatIsOverIsNothingToDecide(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.identify(alice, w.only(alice).Ref, "m1")
		ev := w.only(alice).Event
		ev.Organizer = calendar.Address{Name: "Alice", Email: alice}
		w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		w.pass("alice")
		mails := len(w.server.mails)
		w.later(20 * 24 * time.Hour)
		w.cancel("b1")
		w.pass("alice")
		w.pass("room-a")
		w.later(25 * time.Hour)
		w.pass("room-a")
		open, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{})
		if err != nil || len(open) > 0 || len(w.server.mails) != mails {
			w.Errorf("%+v, %v; mails %v", open, err, w.server.mails[mails:])
		}
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("booking = %+v", b)
		}
	})
}

// What is over is made in no calendar, so a full read finds nothing to make, and the record says once why.
func TestThatAnItemWasNotMadeIsSaidOnce(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.away(func() { w.book("b1") })
		w.restsInSilence(0)
		if said := w.timeline("alice"); strings.Count(said, "item not made") != 1 {
			t.Errorf("said: %s", said)
		}
	})
}

// The last occurrence of a series was moved past the end of its rule, in a room that is read for the first time.
func TestASeriesIsNotOverWhileAMovedOccurrenceIsAhead(t *testing.T) {
	rooms(t, func(w *world) {
		ev := weekly(9, 2, "m1", outside, roomA)
		is := one(&ev, week(1, 9))
		is.Start, is.End = week(6, 9), week(6, 10)
		exceptAt(&ev, week(1, 9), is)
		w.later(21 * 24 * time.Hour) // 12-13
		w.invite(ev, roomA)
		w.pass("room-a")
		if n := len(w.bookings()); n != 1 {
			w.Errorf("%d bookings, want 1", n)
		}
	})
}

// A booking that was over already when it was made records what took place: its item is made, and nobody is told. Where that cannot be had
// in silence there is none, and nothing to decide.
func TestABookingOfWhatTookPlaceGetsItsItemInSilence(t *testing.T) {
	onAnyServer(t, func(w *world) {
		mails := len(w.server.mails)
		w.book("b1", func(b *booking.Booking) {
			b.Start = w.now().Add(-48 * time.Hour).Truncate(time.Hour)
			b.End = b.Start.Add(time.Hour)
		})
		w.restsInSilence(mails)
		want := 1
		if w.server.loud {
			want = 0
		}
		if n := len(w.server.items(alice)); n != want {
			w.Errorf("%d items, want %d", n, want)
		}
	})
}
