package syncer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// unsettled has both rooms invited to a meeting whose organizer's calendar cannot be read for now, and the copy deleted in that of the
// first, which only recorded it.
func (w *world) unsettled() (refs []calendar.Ref) {
	w.Helper()
	ev := meetingAt(9, "m1", alice, roomA, roomB)
	for i := range ev.Attendees {
		if strings.HasPrefix(ev.Attendees[i].Email, "room-") {
			ev.Attendees[i].Response = calendar.Accepted
		}
	}
	refs = w.invite(ev, roomA, roomB)
	w.server.before = func(call string) error {
		if call == "find" {
			return fmt.Errorf("busy: %w", fault.Unavailable)
		}
		return nil
	}
	w.pass("room-a")
	w.server.remove(roomA, refs[1])
	return refs
}

// A room's copy of a meeting waits for its organizer's calendar, and is deleted before that could be read. The booking that another room's
// calendar brings in knows of it, whichever is read first: the organizer's item goes on saying that the room accepted.
func TestACopyThatWasDeletedWhileItWaitedIsARefusal(t *testing.T) {
	for name, order := range map[string][]string{
		"the other room is read first": {"room-b", "room-a"},
		"it is read first":             {"room-a", "room-b"},
	} {
		t.Run(name, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.unsettled()
				w.server.before = nil
				w.later(time.Hour)
				for range 2 {
					for _, name := range order {
						w.pass(name)
					}
					w.pass("alice")
				}
				b := w.theOne()
				if a, other := w.answerOf(b, roomA), w.answerOf(b, roomB); a.State != booking.AnswerDeclined || a.Reason == "" || other.State != booking.AnswerAccepted {
					w.Errorf("answers %+v, %+v", a, other)
				}
				if n, err := w.store.RoomItemsGone(w.Context(), tenant, "room-a"); err != nil || len(n) > 0 {
					w.Errorf("left over: %+v, %v", n, err)
				}
				w.quiet(0)
			})
		})
	}
}

// Deleted by its organizer, the meeting is nobody's affair, and nothing is remembered of it.
func TestAMeetingThatIsCalledOffWhileItsCopiesWaitIsForgotten(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.unsettled()
		w.pass("room-b")
		w.pass("room-a")
		w.server.remove(alice, refs[0])
		w.server.remove(roomB, refs[2])
		w.server.before = nil
		w.later(time.Hour)
		for range 3 {
			w.pass("room-a")
			w.pass("room-b")
			w.later(8 * 24 * time.Hour)
		}
		if n := len(w.bookings()); n != 0 {
			w.Errorf("%d bookings", n)
		}
		for _, name := range []string{"room-a", "room-b"} {
			if left, err := w.store.RoomItemsGone(w.Context(), tenant, name); err != nil || len(left) > 0 {
				w.Errorf("left over in %s: %+v, %v", name, left, err)
			}
		}
		w.quiet(0)
	})
}

// The same copy in another place of the room's calendar is no refusal.
func TestACopyThatWasMovedWhileItWaitedIsNoRefusal(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.unsettled()
		it := w.server.items(roomB)[0]
		it.Ref = ""
		w.server.add(roomA, it)
		w.pass("room-b")
		w.server.before = nil
		w.later(time.Hour)
		for range 2 {
			w.pass("room-b")
			w.pass("room-a")
			w.pass("alice")
		}
		if a := w.answerOf(w.theOne(), roomA); a.State != booking.AnswerAccepted {
			w.Errorf("answer %+v, %v", a, refs)
		}
		w.quiet(0)
	})
}

// A room was taken at the time of a meeting, and its copy was deleted; moved to where the room is free, the meeting becomes a booking by
// another room's calendar. It does not have the room that gave it up, though the organizer's item says that it accepted.
func TestARoomThatGaveAMeetingUpIsNotInItsBooking(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", by("bob"), noOneElse)
		ev := meetingAt(9, "m1", alice, roomA, roomB)
		refs := w.invite(ev, roomA, roomB)
		w.pass("room-a")
		if w.differences(roomConflict) != 1 {
			w.Fatal("the room is not taken")
		}
		later := func(ev *calendar.Event) { ev.Start, ev.End = ev.Start.Add(2*time.Hour), ev.End.Add(2*time.Hour) }
		w.server.edit(alice, refs[0], later)
		w.server.edit(roomB, refs[2], later)
		w.server.remove(roomA, refs[1])
		for range 2 {
			w.pass("room-a")
			w.pass("room-b")
			w.pass("alice")
		}
		var meeting *booking.Booking
		for _, b := range w.bookings() {
			if b.ID != "b1" {
				meeting = b
			}
		}
		if meeting == nil || !slices.Equal(meeting.Resources, []string{"room-b"}) {
			w.Fatalf("booking %+v", meeting)
		}
		// Asked again, and there, it comes.
		again := w.server.items(roomB)[0]
		again.Ref = ""
		w.server.add(roomA, again)
		for range 2 {
			w.pass("room-a")
			w.pass("alice")
		}
		if b := w.booking(meeting.ID); !slices.Equal(b.Resources, []string{"room-a", "room-b"}) {
			w.Errorf("asked again: %+v", b)
		}
	})
}
