package syncer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestASyncMasterDeclinesWhatCollides(t *testing.T) {
	for _, organizer := range []string{bob, outside} {
		t.Run(organizer, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", true)
				w.book("b1", noOneElse)
				w.pass("alice")
				w.quiet(1) // the room is invited
				refs := w.invite(meetingAt(9, "m1", organizer, roomA), roomA)
				w.pass("room-a")
				w.pass("bob")
				w.pass("room-a")
				w.theOne()
				w.none(roomA)
				w.quiet(2)
				if got, want := w.server.mails[1], roomA+" declines m1: "+roomNotFree; got != want {
					w.Errorf("mail %q, want %q", got, want)
				}
				if strings.Contains(w.server.mails[1], "b1") {
					w.Error("the organizer is told of somebody else's booking")
				}
				if w.differences(roomConflict) != 0 {
					w.Error("what is declined is listed")
				}
				if organizer == bob && w.only(bob).Ref != refs[0] {
					w.Error("the organizer's item was touched")
				}
				// Read in full it is not declined once more, and invited again to a free time it is booked.
				if err := w.engine.Sync(w.Context(), tenant, "room-a", true); err != nil {
					w.Fatal(err)
				}
				w.pass("room-a")
				w.quiet(2)
				ev := meetingAt(12, "m1", organizer, roomA)
				if organizer == bob {
					w.server.edit(bob, refs[0], func(e *calendar.Event) { *e = ev })
				}
				w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
				w.pass("room-a")
				w.pass("bob")
				if n := len(w.bookings()); n != 2 {
					w.Errorf("%d bookings stand", n)
				}
			})
		})
	}
}

// The host is killed, or the answer lost, at every step of a decline: the organizer is mailed once.
func TestADeclineIsMadeOnce(t *testing.T) {
	for _, at := range []string{"room:page-settled", "room:page-stored", "room:settled", "decline:recorded", "decline:answered"} {
		t.Run(at, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", true)
				w.book("b1", noOneElse)
				w.pass("alice")
				w.invite(meetingAt(9, "m1", outside, roomA), roomA)
				died := false
				w.engine.Failpoint = func(step string) {
					if step == at && !died {
						died = true
						panic("killed")
					}
				}
				func() {
					defer func() { _ = recover() }()
					w.pass("room-a")
				}()
				if !died {
					w.Fatal("the step was not reached")
				}
				_ = w.store.Close()
				w.start()
				w.pass("room-a")
				w.none(roomA)
				w.quiet(2)
				w.theOne()
			})
		})
	}
}

func TestADeclineThatFailsIsTriedAgainOrListed(t *testing.T) {
	rooms(t, func(w *world) {
		w.room("a", true)
		w.book("b1", noOneElse)
		w.pass("alice")
		w.invite(meetingAt(9, "m1", outside, roomA), roomA)
		w.server.before = func(call string) error {
			if call == "respond" {
				return fmt.Errorf("too busy: %w", fault.Unavailable)
			}
			return nil
		}
		if out, err := w.engine.Pass(w.Context(), tenant, "room-a"); err != nil || out.Clean {
			w.Errorf("pass: %+v, %v", out, err)
		}
		if w.state("room-a").Status != store.StatusWaiting {
			w.Errorf("state %+v", w.state("room-a"))
		}
		w.server.before = func(call string) error {
			if call == "respond" {
				return fmt.Errorf("not an invitation: %w", fault.Invalid)
			}
			return nil
		}
		w.later(time.Hour)
		w.pass("room-a")
		if w.differences(roomConflict) != 1 {
			w.Error("it is not listed")
		}
		w.only(roomA)
	})
}

// What could not be declined at once is looked at again before it is: the world has moved on.
func TestADeclineThatHadToWaitIsReconsidered(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Unavailable, fault.Conflict} {
		for name, then := range map[string]func(w *world, copied calendar.Ref) (hour int){
			"the room is free by now": func(w *world, _ calendar.Ref) int {
				if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
					w.Fatal(err)
				}
				return 9
			},
			"the meeting was moved": func(w *world, copied calendar.Ref) int {
				w.server.edit(roomA, copied, func(ev *calendar.Event) { *ev = meetingAt(14, "m1", outside, roomA) })
				return 14
			},
			"nothing changed": func(*world, calendar.Ref) int { return 0 },
		} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				rooms(t, func(w *world) {
					w.room("a", true)
					w.book("b1", noOneElse)
					w.pass("alice")
					refs := w.invite(meetingAt(9, "m1", outside, roomA), roomA)
					w.server.before = func(call string) error {
						if call == "respond" {
							return fmt.Errorf("not now: %w", kind)
						}
						return nil
					}
					if _, err := w.engine.Pass(w.Context(), tenant, "room-a"); err != nil {
						w.Fatal(err)
					}
					w.server.before = nil
					hour := then(w, refs[0])
					w.later(2 * time.Hour)
					w.pass("room-a")
					if hour == 0 {
						w.none(roomA)
						w.quiet(2)
						w.theOne()
						return
					}
					w.only(roomA)
					w.quiet(1)
					i := slices.IndexFunc(w.bookings(), func(b *booking.Booking) bool { return b.ID != "b1" })
					if i < 0 || w.bookings()[i].Start.Hour() != hour {
						w.Fatalf("it is not booked: %q", w.changes())
					}
				})
			})
		}
	}
}

// refusing has every answer fail until it is called off, and counts them.
func (w *world) refusing(kind fault.Kind) (tried *int, off func()) {
	tried = new(int)
	w.server.before = func(call string) error {
		if call != "respond" {
			return nil
		}
		*tried++
		return fmt.Errorf("not now: %w", kind)
	}
	return tried, func() { w.server.before = nil }
}

// A decline that the server goes on refusing is given up in the end, and listed.
func TestADeclineThatFailsForGoodIsListed(t *testing.T) {
	for name, ev := range map[string]calendar.Event{
		"single":         meetingAt(9, "m1", outside, roomA),
		"one occurrence": weekly(9, 3, "m1", outside, roomA),
	} {
		t.Run(name, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", true)
				w.book("b1", noOneElse)
				w.pass("alice")
				w.invite(ev, roomA)
				tried, _ := w.refusing(fault.Conflict)
				for range 3 * declineTries {
					w.pass("room-a")
					w.later(2 * time.Hour)
				}
				if *tried != declineTries {
					w.Errorf("tried %d times, want %d", *tried, declineTries)
				}
				if n := w.differences(roomConflict); n != 1 {
					w.Errorf("%d differences", n)
				}
				w.only(roomA)
			})
		})
	}
}

// What of a series is to be declined as a whole is asked of all its occurrences again, not only of the first.
func TestADeclineOfASeriesIsReconsideredOccurrenceByOccurrence(t *testing.T) {
	for _, organizer := range []string{outside, bob} {
		t.Run(organizer, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", true)
				for i := range 3 {
					w.book(fmt.Sprint("b", i), noOneElse, inWeek(i, 9))
				}
				w.pass("alice")
				ev := weekly(9, 3, "m1", organizer, roomA)
				if organizer == bob { // who has it booked in another room
					ev = weekly(9, 3, "m1", organizer, roomA, roomB)
					w.invite(ev, roomB)
					w.pass("room-b")
					w.pass("bob")
					w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
				} else {
					w.invite(ev, roomA)
				}
				_, off := w.refusing(fault.Conflict)
				w.pass("room-a")
				w.pass("bob")
				off()
				if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
					w.Fatal(err)
				}
				for range 3 {
					w.later(2 * time.Hour)
					w.pass("room-a")
					w.pass("bob")
				}
				w.only(roomA)
				wantTimes(w, w.seriesOf(), "room-a", "12-08T09")
				w.quiet(3 + 2) // the room is invited three times, and declines two occurrences
			})
		})
	}
}
