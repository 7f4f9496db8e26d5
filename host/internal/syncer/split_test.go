package syncer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// cutOff is what Outlook does to the only series of alice from an occurrence on: it ends before, and another item with the same
// markers is what follows, as change has it. first shortens it, then makes the rest; either may be left out with nil.
type cutOff struct {
	day    int // of December 2026
	change func(*calendar.Event)
}

func (w *world) rest(of calendar.Item, c cutOff) calendar.Ref {
	rest := of
	rest.Ref, rest.Event = "", cloned(of.Event)
	rest.Event.UID = fmt.Sprintf("rest-%d", c.day)
	rest.Event.Start = time.Date(2026, 12, c.day, of.Event.Start.Hour(), 0, 0, 0, time.UTC)
	rest.Event.End = rest.Event.Start.Add(of.Event.End.Sub(of.Event.Start))
	rest.Event.Recurrence, rest.Event.Exceptions = "FREQ=DAILY;COUNT="+fmt.Sprint(6-c.day), nil
	if c.change != nil {
		c.change(&rest.Event)
	}
	return w.server.add(alice, rest)
}

func (w *world) shorten(of calendar.Item, day int) {
	w.server.edit(alice, of.Ref, func(ev *calendar.Event) {
		ev.Recurrence = fmt.Sprintf("FREQ=DAILY;COUNT=%d", day-1)
	})
}

// second returns the booking that is not b1.
func (w *world) second() *booking.Booking {
	w.Helper()
	all, err := w.store.Bookings(w.Context(), tenant, store.BookingFilter{})
	if err != nil {
		w.Fatal(err)
	}
	var other *booking.Booking
	for _, b := range all {
		if b.ID != "b1" && strings.HasPrefix(b.ID, "b1-") {
			if other != nil {
				w.Fatalf("two bookings were made: %s and %s", other.ID, b.ID)
			}
			other = b
		}
	}
	return other
}

func (w *world) itemAt(ref calendar.Ref) calendar.Item {
	w.Helper()
	for _, it := range w.server.items(alice) {
		if it.Ref == ref {
			return it
		}
	}
	w.Fatalf("there is no item %s", ref)
	return calendar.Item{}
}

// becameOne checks that the rest of a series is a booking of its own, and its item that booking's.
func (w *world) becameOne(ref calendar.Ref, rule string) *booking.Booking {
	w.Helper()
	b := w.second()
	if b == nil {
		w.Fatalf("what follows is not booked; %v", w.open())
	}
	it := w.itemAt(ref)
	if b.Recurrence != rule || b.Organizer != "alice" || fmt.Sprint(b.Resources) != "[room-a]" || b.Status != booking.Confirmed {
		w.Errorf("booked is %+v, want the rule %s", b, rule)
	}
	if it.ForeignKey != b.ID || it.Key != b.ID+".1" {
		w.Errorf("its item bears %q and %q", it.Key, it.ForeignKey)
	}
	if open := w.open(); len(open) > 0 {
		w.Errorf("differences: %v", open)
	}
	return b
}

func TestThisAndFollowingBecomesABookingOfItsOwn(t *testing.T) {
	for name, do := range map[string]func(w *world, first calendar.Item, c cutOff) calendar.Ref{
		"TheRestComesFirst": func(w *world, first calendar.Item, c cutOff) calendar.Ref {
			ref := w.rest(first, c)
			w.shorten(first, c.day)
			w.pass("alice")
			return ref
		},
		"TheRestComesLast": func(w *world, first calendar.Item, c cutOff) calendar.Ref {
			w.shorten(first, c.day)
			ref := w.rest(first, c)
			w.pass("alice")
			return ref
		},
		"APassBetween": func(w *world, first calendar.Item, c cutOff) calendar.Ref {
			ref := w.rest(first, c)
			w.pass("alice")
			w.later(time.Minute)
			w.shorten(first, c.day)
			w.pass("alice")
			return ref
		},
		"APassBetweenTheOtherWayRound": func(w *world, first calendar.Item, c cutOff) calendar.Ref {
			w.shorten(first, c.day)
			w.pass("alice")
			w.later(time.Hour)
			ref := w.rest(first, c)
			w.pass("alice")
			return ref
		},
		"OnPagesOfOne": func(w *world, first calendar.Item, c cutOff) calendar.Ref {
			w.server.page = 1
			ref := w.rest(first, c)
			w.shorten(first, c.day)
			w.pass("alice")
			return ref
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1", ruled(fiveDays), with(retitled(1, "Review"), retitled(4, "Party")), func(b *booking.Booking) {
					b.Notes, b.LeadMinutes = "bring cups", 15
				})
				w.pass("alice")
				mails := len(w.server.mails)
				ref := do(w, w.only(alice), cutOff{4, func(ev *calendar.Event) { ev.Subject = "Planning II" }})
				w.pass("alice")
				b := w.becameOne(ref, "FREQ=DAILY;COUNT=2")
				if b.Title != "Planning II" || b.Notes != "bring cups" || b.LeadMinutes != 15 {
					w.Errorf("booked is %+v", b)
				}
				if first := w.booking("b1"); first.Recurrence != "FREQ=DAILY;COUNT=3" || len(first.Exceptions) != 1 {
					w.Errorf("the first half is %q with %+v", first.Recurrence, first.Exceptions)
				}
				if len(b.Exceptions) != 1 || *b.Exceptions[0].Title != "Party" || len(w.itemAt(ref).Event.Exceptions) != 1 {
					w.Errorf("its exceptions are %+v, in the calendar %+v", b.Exceptions, w.itemAt(ref).Event.Exceptions)
				}
				if len(w.server.mails) != mails {
					w.Errorf("mails: %v", w.server.mails[mails:])
				}
				changes, writes := w.changes(), w.server.writes
				for range 2 {
					w.later(25 * time.Hour)
					w.pass("alice")
				}
				if got := w.changes(); len(got) != len(changes) || w.server.writes != writes {
					w.Errorf("it goes on: %v, %d writes", got[len(changes):], w.server.writes-writes)
				}
				// Both go their own ways.
				w.server.edit(alice, ref, func(ev *calendar.Event) { ev.Subject = "Third" })
				w.pass("alice")
				if got, first := w.second().Title, w.booking("b1").Title; got != "Third" || first != "Planning" {
					w.Errorf("titles: %q and %q", first, got)
				}
				w.server.remove(alice, ref)
				w.pass("alice")
				w.later(time.Hour)
				w.pass("alice")
				if got := w.booking(b.ID).Status; got != booking.Cancelled || w.booking("b1").Status != booking.Confirmed {
					w.Errorf("deleted in the calendar, it is %s; the first one is %s", got, w.booking("b1").Status)
				}
			})
		})
	}
}

// What is no rest of a series stays what it was: a copy.
func TestACopyOfASeriesIsNoRestOfIt(t *testing.T) {
	for name, do := range map[string]func(w *world, first calendar.Item){
		"Plain": func(w *world, first calendar.Item) { w.rest(first, cutOff{day: 1}) },
		"Later": func(w *world, first calendar.Item) { w.rest(first, cutOff{day: 6, change: daily(3)}) },
		"LaterThanAShorterOne": func(w *world, first calendar.Item) {
			w.shorten(first, 4)
			w.rest(first, cutOff{day: 9, change: daily(3)})
		},
		"OfTheSameMeeting": func(w *world, first calendar.Item) {
			w.shorten(first, 4)
			w.rest(first, cutOff{day: 4, change: func(ev *calendar.Event) { ev.UID = "meeting" }})
		},
		"WithinTheSeries": func(w *world, first calendar.Item) {
			w.shorten(first, 5)
			w.rest(first, cutOff{day: 4, change: daily(2)})
		},
		"OfOneShortenedInTheBookingSystem": func(w *world, first calendar.Item) {
			w.book("b1", ruled("FREQ=DAILY;COUNT=3"))
			w.rest(first, cutOff{day: 4, change: daily(2)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1", ruled(fiveDays))
				w.pass("alice")
				w.server.identify(alice, w.only(alice).Ref, "meeting")
				w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Busy = calendar.Tentative })
				w.pass("alice")
				do(w, w.only(alice))
				w.pass("alice")
				w.later(time.Hour)
				w.pass("alice")
				if b := w.second(); b != nil || w.differences(copyLeftAlone) != 1 {
					w.Errorf("booked is %+v; %v", b, w.open())
				}
			})
		})
	}
}

func daily(n int) func(*calendar.Event) {
	return func(ev *calendar.Event) { ev.Recurrence = fmt.Sprintf("FREQ=DAILY;COUNT=%d", n) }
}

// Somebody else has the room at the time to which what follows was moved.
func TestTheRestOfASeriesMeetsATakenRoom(t *testing.T) {
	for name, cancel := range map[string]bool{"RollbackPutsItBack": false, "CancelLeavesItUnbooked": true} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				if cancel {
					w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", ConflictBehaviour: directory.Cancel})
				}
				w.book("b1", ruled(fiveDays))
				w.book("b2", by("bob"), func(b *booking.Booking) {
					b.Start = time.Date(2026, 12, 5, 15, 0, 0, 0, time.UTC)
					b.End = b.Start.Add(time.Hour)
				})
				w.pass("alice")
				mails := len(w.server.mails)
				first := w.only(alice)
				w.shorten(first, 4)
				ref := w.rest(first, cutOff{4, func(ev *calendar.Event) {
					ev.Start, ev.End = ev.Start.Add(6*time.Hour), ev.End.Add(6*time.Hour)
				}})
				w.pass("alice")
				if len(w.server.mails) != mails {
					w.Errorf("mails: %v", w.server.mails[mails:])
				}
				if cancel {
					if got := w.open(); w.second() != nil || len(got) != 1 || !strings.Contains(got[0], "b2") || !strings.Contains(got[0], "2026-12-04") {
						w.Errorf("differences: %v", got)
					}
					return
				}
				b := w.becameOne(ref, "FREQ=DAILY;COUNT=2")
				if b.Start.Hour() != 9 || w.itemAt(ref).Event.Start.Hour() != 9 {
					w.Errorf("it is at %s, its item at %s", b.Start, w.itemAt(ref).Event.Start)
				}
			})
		})
	}
}

// A split of a split, and a series that was a single appointment.
func TestASingleAppointmentIsMadeASeriesAndSplitAndSplit(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Recurrence = fiveDays })
		w.pass("alice")
		first := w.only(alice)
		w.shorten(first, 3)
		ref := w.rest(first, cutOff{day: 3})
		w.pass("alice")
		second := w.becameOne(ref, "FREQ=DAILY;COUNT=3")
		it := w.itemAt(ref)
		w.server.edit(alice, ref, daily(1))
		third := w.rest(it, cutOff{day: 4})
		w.pass("alice")
		if got := w.itemAt(third); !strings.HasPrefix(got.ForeignKey, second.ID+"-") || w.booking(got.ForeignKey).Recurrence != "FREQ=DAILY;COUNT=2" {
			w.Errorf("the third one bears %q", got.ForeignKey)
		}
		if got := w.booking(second.ID).Recurrence; got != "FREQ=DAILY;COUNT=1" || len(w.open()) > 0 {
			w.Errorf("the second one is %q; %v", got, w.open())
		}
	})
}

// The host is killed at every step, and the item is moved to another folder and back meanwhile.
func TestASplitSurvivesWhatever(t *testing.T) {
	for _, at := range []string{"page:settled", "page:stored", "split:settled", "split:recorded", "remark:planned", "remark:applied", "remark:recorded"} {
		for _, moved := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/moved=%t", at, moved), func(t *testing.T) {
				each(t, func(w *world) {
					w.book("b1", ruled(fiveDays))
					w.pass("alice")
					first := w.only(alice)
					ref := w.rest(first, cutOff{day: 4})
					w.shorten(first, 4)
					if !w.killedAt(at) {
						w.Fatalf("the pass never came to %s", at)
					}
					if moved {
						ref = w.server.move(alice, ref)
					}
					for range 3 {
						w.later(time.Minute)
						w.dirty()
						w.pass("alice")
					}
					w.becameOne(ref, "FREQ=DAILY;COUNT=2")
					if n := len(w.server.items(alice)); n != 2 {
						w.Errorf("%d items", n)
					}
				})
			})
		}
	}
}

// The server cannot be reached just when the item is to be marked. It is marked later, and once.
func TestARemarkIsMadeUpFor(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays))
		w.pass("alice")
		first := w.only(alice)
		w.shorten(first, 4)
		ref := w.rest(first, cutOff{day: 4})
		w.server.before = func(call string) error {
			if call == "apply" {
				return fmt.Errorf("no: %w", fault.Unavailable)
			}
			return nil
		}
		w.once("alice")
		if b := w.second(); b == nil || w.itemAt(ref).Key != first.Key {
			w.Errorf("booked is %+v, the item %+v", b, w.itemAt(ref))
		}
		w.server.before = nil
		w.later(time.Hour)
		writes := w.server.writes
		w.pass("alice")
		w.becameOne(ref, "FREQ=DAILY;COUNT=2")
		if n := w.server.writes - writes; n != 1 {
			w.Errorf("%d writes, want the marking alone", n)
		}
	})
}

// A series that was split before its foreign marker was written bears none in either half.
func TestTheRestOfAHalfMadeSeriesIsMarked(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays))
		w.pass("alice")
		first := w.only(alice)
		w.shorten(first, 4)
		bare := first
		bare.ForeignKey = ""
		ref := w.rest(bare, cutOff{day: 4})
		w.pass("alice")
		w.becameOne(ref, "FREQ=DAILY;COUNT=2")
	})
}

// killed is a panic at a failpoint.
type killed struct{}

// killedAt has the host killed at a step of a pass, and another one started. It reports whether the pass came there.
func (w *world) killedAt(at string) (came bool) {
	w.Helper()
	w.engine.Failpoint = func(step string) {
		if step == at {
			panic(killed{})
		}
	}
	func() {
		defer func() {
			if r := recover(); r != nil {
				if _, is := r.(killed); !is {
					panic(r)
				}
				came = true
			}
		}()
		_, _ = w.engine.Pass(w.Context(), tenant, "alice")
	}()
	if err := w.store.Close(); err != nil {
		w.Fatal(err)
	}
	w.start()
	return came
}
