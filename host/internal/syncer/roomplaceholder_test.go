package syncer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A room is left out of a meeting's booking because it is taken, and its own calendar has nothing of the meeting: it declined by itself.
// Another booking gives the room up at another time. That frees it for nothing: the organizer's item goes on inviting it, and is neither
// set back nor takes its booking with it. Only when the room is free indeed does it come in.
func TestARoomThatIsFreedAtAnotherTimeIsStillTaken(t *testing.T) {
	series := func(b *booking.Booking) { b.Recurrence = "FREQ=WEEKLY;COUNT=8;BYDAY=TU" }
	for _, c := range []struct {
		name   string
		taken  func(*booking.Booking)
		ev     func(organizer string) calendar.Event
		before []string // when the room is the meeting's while it is taken
		after  []string
	}{
		{"a meeting", at(9), func(o string) calendar.Event { return meetingAt(9, "m1", o, roomA, roomB) }, nil, []string{"12-01T09"}},
		{"a series", series, func(o string) calendar.Event { return weekly(9, 2, "m1", o, roomA, roomB) }, nil, []string{"12-01T09", "12-08T09"}},
		{"one occurrence", inWeek(1, 9), func(o string) calendar.Event { return weekly(9, 2, "m1", o, roomA, roomB) },
			[]string{"12-01T09"}, []string{"12-01T09", "12-08T09"}},
	} {
		for organizer, address := range map[string]string{"bob": bob, "carol": carol} { // who rolls back, and who cancels
			t.Run(fmt.Sprint(c.name, " of ", organizer), func(t *testing.T) {
				rooms(t, func(w *world) {
					w.book("taken", noOneElse, c.taken)
					w.book("other", noOneElse, at(14))
					w.invite(c.ev(address), roomB)
					for range 2 {
						for _, who := range []string{"alice", "room-b", "room-a", organizer} {
							w.pass(who)
						}
					}
					meeting := func() *booking.Booking {
						for _, b := range w.bookings() {
							if b.Organizer == organizer {
								return b
							}
						}
						w.Fatalf("the meeting is not booked: %q", w.changes())
						return nil
					}
					give := func(id string) {
						if _, err := w.engine.Cancel(w.Context(), tenant, id, booking.Match{}); err != nil {
							w.Fatal(err)
						}
						for range 2 {
							for _, who := range []string{"alice", "room-a", organizer, "room-b"} {
								w.pass(who)
							}
						}
					}
					if got := times(meeting(), "room-a"); !slices.Equal(got, c.before) {
						w.Fatalf("before: the room is the meeting's at %q, want %q", got, c.before)
					}
					mails, it := len(w.server.mails), w.only(address)
					give("other")
					if got := times(meeting(), "room-a"); !slices.Equal(got, c.before) {
						w.Errorf("the room is the meeting's at %q, want %q", got, c.before)
					}
					if now := w.only(address); now.Revision != it.Revision || len(now.Event.Attendees) != 3 {
						w.Errorf("the organizer's item was written to: it invites %v", now.Event.Attendees)
					}
					w.quiet(mails + 1) // alice calls hers off
					if n := w.differences(roomConflict); n != 1 {
						w.Errorf("%d differences, want 1", n)
					}
					if n := w.differences(editLost) + w.differences(mailHeldBack); n != 0 {
						w.Errorf("%d differences about the organizer's item", n)
					}
					give("taken")
					if got := times(meeting(), "room-a"); !slices.Equal(got, c.after) {
						w.Errorf("freed, the room is the meeting's at %q, want %q", got, c.after)
					}
					if n := w.differences(roomConflict); n != 0 {
						w.Errorf("%d differences are left", n)
					}
				})
			})
		}
	}
}

// A room that was taken for all of a series is freed for a part of it: that part it gets, and the rest is listed.
func TestARoomThatIsFreedForAPartOfASeriesGetsThat(t *testing.T) {
	rooms(t, func(w *world) {
		taken := w.book("taken", noOneElse, func(b *booking.Booking) { b.Recurrence = "FREQ=WEEKLY;COUNT=8;BYDAY=TU" })
		w.invite(weekly(9, 3, "m1", bob, roomA, roomB), roomB)
		passes := func() {
			for range 2 {
				for _, who := range []string{"alice", "room-b", "room-a", "bob"} {
					w.pass(who)
				}
			}
		}
		meeting := func() *booking.Booking {
			return w.bookings()[slices.IndexFunc(w.bookings(), func(b *booking.Booking) bool { return b.Organizer == "bob" })]
		}
		passes()
		wantTimes(w, meeting(), "room-a")
		it := w.only(bob)
		for n, want := range [][]string{{"12-15T09"}, {"12-08T09", "12-15T09"}} {
			taken = taken.Clone()
			taken.Recurrence = fmt.Sprintf("FREQ=WEEKLY;COUNT=%d;BYDAY=TU", 2-n)
			saved, err := w.engine.Put(w.Context(), taken, booking.Match{}, booking.Refuse)
			if err != nil {
				w.Fatal(err)
			}
			taken = saved.Booking
			passes()
			wantTimes(w, meeting(), "room-a", want...)
			wantTimes(w, meeting(), "room-b", "12-01T09", "12-08T09", "12-15T09")
			if got := w.differences(roomConflict); got != 2-n {
				w.Errorf("%d differences, want one for each occurrence that is taken: %d", got, 2-n)
			}
			if now := w.only(bob); now.Revision != it.Revision {
				w.Errorf("the organizer's item was written to: it invites %v", now.Event.Attendees)
			}
		}
	})
}

// The copy in the calendar of a room that is taken waits for the organizer's calendar when another room's makes the booking. Until it is
// settled the room is not brought in by the organizer's item: with the conflict behaviour cancel that would be the end of the booking.
func TestARoomThatIsTakenAndWaitsIsNotBroughtIn(t *testing.T) {
	for name, ev := range map[string]func(o string) calendar.Event{
		"a meeting": func(o string) calendar.Event { return meetingAt(9, "m1", o, roomA, roomB) },
		"a series":  func(o string) calendar.Event { return weekly(9, 3, "m1", o, roomA, roomB) },
	} {
		for organizer, address := range map[string]string{"bob": bob, "carol": carol} {
			t.Run(name+" of "+organizer, func(t *testing.T) {
				rooms(t, func(w *world) {
					w.book("taken", noOneElse, func(b *booking.Booking) { b.Recurrence = "FREQ=WEEKLY;COUNT=8;BYDAY=TU" })
					w.pass("alice")
					w.invite(ev(address), roomA, roomB)
					w.server.before = func(call string) error {
						if call == "find" {
							return fmt.Errorf("busy: %w", fault.Unavailable)
						}
						return nil
					}
					w.pass("room-a")
					w.server.before = nil
					it := w.only(address)
					for range 2 {
						for _, who := range []string{"room-b", organizer} {
							w.pass(who)
						}
					}
					w.later(time.Hour)
					for range 2 {
						for _, who := range []string{"room-a", organizer, "room-b"} {
							w.pass(who)
						}
					}
					i := slices.IndexFunc(w.bookings(), func(b *booking.Booking) bool { return b.Organizer == organizer })
					if i < 0 {
						w.Fatalf("the meeting is not booked: %q", w.changes())
					}
					if b := w.bookings()[i]; len(times(b, "room-a")) > 0 || len(times(b, "room-b")) == 0 {
						w.Errorf("the rooms are the meeting's at %q and %q", times(b, "room-a"), times(b, "room-b"))
					}
					if now := w.only(address); len(now.Event.Attendees) != 3 || now.Event.Start != it.Event.Start {
						w.Errorf("the organizer's item was changed: %+v", now.Event)
					}
					if n, lost := w.differences(roomConflict), w.differences(editLost)+w.differences(mailHeldBack); n != 1 || lost != 0 {
						w.Errorf("%d conflicts, %d lost edits, want 1 and none", n, lost)
					}
				})
			})
		}
	}
}

// The room's copy comes in the moment in which its placeholder is to be looked at again: it takes its place, and is the only one.
func TestARoomsCopyTakesThePlaceOfAPlaceholderThatIsLookedAt(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("taken", noOneElse)
		w.book("other", noOneElse, at(14))
		ev := meetingAt(9, "m1", bob, roomA, roomB)
		w.invite(ev, roomB)
		for _, who := range []string{"alice", "room-b", "bob"} {
			w.pass(who)
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, "other", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		rows, err := w.store.RoomItemsByUID(w.Context(), tenant, "m1")
		if err != nil {
			w.Fatal(err)
		}
		rows = slices.DeleteFunc(rows, func(r store.RoomItem) bool { return r.Room != "room-a" })
		if len(rows) != 1 || isPlaceholder(rows[0]) || w.differences(roomConflict) != 1 {
			w.Errorf("known of the room: %+v; %d differences", rows, w.differences(roomConflict))
		}
	})
}
