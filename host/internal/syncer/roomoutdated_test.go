package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// One person's meeting moves, and another one takes its place; the room's calendar is read first. It declines nothing that is free.
func TestARoomThatIsReadFirstDeclinesNothingThatIsFree(t *testing.T) {
	for name, away := range map[string]func(w *world, refs []calendar.Ref){
		"moved": func(w *world, refs []calendar.Ref) {
			for i, who := range []string{alice, roomA} {
				w.server.edit(who, refs[i], func(ev *calendar.Event) { ev.Start, ev.End = week(0, 14), week(0, 15) })
			}
		},
		"called off": func(w *world, refs []calendar.Ref) {
			w.server.remove(alice, refs[0])
			w.server.remove(roomA, refs[1])
		},
	} {
		for _, master := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				rooms(t, func(w *world) {
					w.room("a", master)
					refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
					w.pass("room-a")
					w.pass("alice")
					w.theOne()
					away(w, refs)
					w.invite(meetingAt(9, "m2", bob, roomA), roomA)
					w.pass("room-a")
					w.pass("alice")
					w.later(time.Minute)
					w.pass("room-a")
					w.pass("bob")
					if len(w.server.mails) != 0 || w.differences(roomConflict) != 0 {
						w.Errorf("mails %q, %d conflicts", w.server.mails, w.differences(roomConflict))
					}
					if !bobHas(w, 9) {
						w.Errorf("bob's meeting is not booked: %q", w.changes())
					}
				})
			})
		}
	}
}

func bobHas(w *world, hour int) bool {
	for _, b := range w.bookings() {
		if b.Organizer == "bob" && b.Start.Hour() == hour && len(b.Resources) == 1 {
			return true
		}
	}
	return false
}

// Who moved away is not heard: after a few looks the room is taken for what its bookings say.
func TestARoomThatIsReadFirstDeclinesInTheEnd(t *testing.T) {
	rooms(t, func(w *world) {
		w.room("a", true)
		refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.pass("room-a")
		w.pass("alice")
		w.server.edit(roomA, refs[1], func(ev *calendar.Event) { ev.Start, ev.End = week(0, 14), week(0, 15) })
		w.invite(meetingAt(9, "m2", bob, roomA), roomA)
		looks := 0
		for ; len(w.server.mails) == 0 && looks < 10; looks++ {
			w.pass("room-a")
			w.later(10 * time.Minute)
		}
		if looks != outdatedTries+1 || len(w.server.mails) != 1 {
			w.Errorf("%d looks, mails %q", looks, w.server.mails)
		}
	})
}

// A series is split, "this and following" and what follows is longer: the room's calendar is read before the organizer's.
func TestTheRestOfASeriesIsNotDeclinedByARoomThatIsReadFirst(t *testing.T) {
	for name, rule := range map[string]string{"all of it is in the way": "", "a part of it": "FREQ=DAILY;COUNT=6"} {
		t.Run(name, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", true)
				w.book("b1", ruled(fiveDays), noOneElse)
				w.pass("alice")
				first := w.only(alice)
				w.server.identify(alice, first.Ref, "u1")
				w.pass("alice")
				ev := cloned(w.only(alice).Event)
				organizer := calendar.Address{Email: alice, Name: "Alice"}
				ev.UID, ev.Organizer = "u1", organizer
				copied := w.server.add(roomA, calendar.Item{Kind: calendar.Master, ReadOnly: true, Response: calendar.Accepted, Event: ev})
				w.pass("room-a")
				w.shorten(first, 4)
				ref := w.rest(first, cutOff{4, func(ev *calendar.Event) {
					if ev.Organizer = organizer; rule != "" {
						ev.Recurrence = rule
					}
				}})
				w.server.edit(roomA, copied, func(ev *calendar.Event) { ev.Recurrence = "FREQ=DAILY;COUNT=3" })
				w.server.add(roomA, calendar.Item{Kind: calendar.Master, ReadOnly: true, Response: calendar.Accepted, Event: cloned(w.itemAt(ref).Event)})
				before := len(w.server.mails)
				w.pass("room-a")
				w.pass("alice")
				w.later(time.Minute)
				w.pass("room-a")
				if got := w.server.mails[before:]; len(got) != 0 {
					w.Errorf("mails %q", got)
				}
				list := w.bookings()
				for _, b := range list {
					if len(b.Resources) != 1 || b.SyncProblem != "" || len(b.Exceptions) != 0 {
						w.Errorf("booking %s %s has %v: %q", b.ID, b.Recurrence, b.Resources, b.SyncProblem)
					}
					if a := w.answerOf(b, roomA); a.State != booking.AnswerAccepted || len(a.Occurrences) != 0 {
						w.Errorf("booking %s: answer %+v", b.ID, a)
					}
				}
				if len(list) != 2 || len(w.server.items(roomA)) != 2 {
					w.Errorf("%d bookings, %d items in the room", len(list), len(w.server.items(roomA)))
				}
			})
		})
	}
}
