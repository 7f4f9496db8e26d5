package syncer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// swapped has the series of bob, in room a, moved in Outlook to room b, and to another hour, at which that is taken once by a booking of
// alice's.
func (w *world) swapped(hour int) {
	w.Helper()
	refs := w.invite(weekly(9, 3, "m1", bob, roomA), roomA)
	w.around(2, "room-a", "bob")
	w.book("b1", noOneElse, inWeek(1, hour), func(b *booking.Booking) { b.Resources = []string{"room-b"} })
	w.pass("alice")
	ev := weekly(hour, 3, "m1", bob, roomB)
	w.server.edit(bob, refs[0], func(e *calendar.Event) { *e = cloned(ev) })
	w.server.remove(roomA, refs[1])
	w.accepts(roomB, cloned(ev))
}

// A series is moved in Outlook into a room that is taken for one of its occurrences: it gets the others, in whatever order the calendars
// are read, and that one is declined, or listed and booked when the room is freed.
func TestASeriesSwapsToARoomThatIsTakenOnce(t *testing.T) {
	for hour, master := range map[int]bool{9: false, 10: true, 11: false} {
		at := func(days ...string) (list []string) {
			for _, d := range days {
				list = append(list, fmt.Sprintf("12-%sT%02d", d, hour))
			}
			return list
		}
		for _, order := range [][]string{{"bob", "room-b", "room-a"}, {"room-b", "bob", "room-a"}, {"bob", "room-a", "room-b"}} {
			t.Run(fmt.Sprint(hour, order), func(t *testing.T) {
				rooms(t, func(w *world) {
					w.room("b", master)
					w.swapped(hour)
					w.around(3, order...)
					b := w.seriesOf()
					wantTimes(w, b, "room-a")
					wantTimes(w, b, "room-b", at("01", "15")...)
					if b.Organizer != "bob" || b.SyncProblem != "" && !master {
						w.Errorf("booking %+v", b)
					}
					it := w.only(bob)
					if is := one(&it.Event, week(1, hour)); len(is.Attendees) != 2 || it.Event.Attendees[1].Email != roomB {
						w.Errorf("the item invites %+v, and %+v to the occurrence", it.Event.Attendees, is.Attendees)
					}
					said, err := w.store.Activities(w.Context(), tenant, "bob", "", 100)
					if err != nil || slices.ContainsFunc(said, func(a store.Activity) bool { return strings.Contains(a.What, "refused") }) {
						w.Errorf("activities %+v, %v", said, err)
					}
					if master {
						w.quiet(2) // alice's invitation, and the decline
						if n := w.differences(roomConflict); n != 0 {
							w.Errorf("%d differences", n)
						}
						return
					}
					w.quiet(1)
					if n := w.differences(roomConflict); n != 1 {
						w.Errorf("%d differences", n)
					}
					if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
						w.Fatal(err)
					}
					w.around(3, order...)
					wantTimes(w, w.theOne(), "room-b", at("01", "08", "15")...)
					if n := w.differences(roomConflict); n != 0 {
						w.Errorf("%d differences are open", n)
					}
				})
			})
		}
	}
}

// What no room's calendar can tell of is refused as a whole, as ever, and nothing is noted of the room: it is taken for all of the series,
// or its calendar is not read.
func TestASwapThatIsRefusedNotesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world)
	}{
		"it is taken for all": {before: func(w *world) {
			for i, n := range []int{0, 2} {
				w.book(fmt.Sprint("c", i), noOneElse, inWeek(n, 9), func(b *booking.Booking) { b.Resources = []string{"room-b"} })
			}
			w.pass("alice")
		}},
		"its calendar is not read": {before: func(w *world) {
			w.person(directory.Person{ID: "room-b", Email: roomB, DisplayName: "Room B", Kind: directory.KindResource, SyncDisabled: true})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rooms(t, func(w *world) {
				c.before(w)
				w.swapped(9)
				w.around(2, "bob")
				b := w.seriesOf()
				wantTimes(w, b, "room-a", "12-01T09", "12-08T09", "12-15T09")
				wantTimes(w, b, "room-b")
				if n := w.differences(roomConflict); n != 0 {
					w.Errorf("%d differences", n)
				}
				if rows, err := w.store.RoomItemsByUID(w.Context(), tenant, "m1"); err != nil || slices.ContainsFunc(rows, isPlaceholder) {
					w.Errorf("noted %+v, %v", rows, err)
				}
			})
		})
	}
}

// Somebody whose sync is off swaps the room of a meeting: its booking goes along, with what the booking system added.
func TestARoomIsSwappedBySomebodyWhoseSyncIsOff(t *testing.T) {
	rooms(t, func(w *world) {
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncDisabled: true})
		refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.pass("room-a")
		b := w.theOne()
		next := b.Clone()
		next.Notes, next.ReminderMinutes = "coffee for ten", nil
		if _, err := w.engine.Put(w.Context(), next, booking.Match{}, booking.Refuse); err != nil {
			w.Fatal(err)
		}
		w.pass("room-a")
		w.server.remove(roomA, refs[1])
		ev := meetingAt(9, "m1", alice, roomB)
		w.server.add(roomB, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		w.pass("room-b")
		w.later(2 * roomSwapWait)
		w.pass("room-a")
		now := w.theOne()
		if now.ID != b.ID || now.Notes != "coffee for ten" || len(now.Resources) != 1 || now.Resources[0] != "room-b" {
			w.Errorf("booking %+v, changes %q", now, w.changes())
		}
	})
}
