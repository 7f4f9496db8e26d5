package syncer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// invitedAlone has Bob, who has a series in room A, invite room B to its second occurrence. It returns his item, and that of room B's calendar.
func (w *world) invitedAlone(kind calendar.Kind) (own, copied calendar.Ref) {
	w.Helper()
	own = w.invite(weekly(9, 3, "m1", bob, roomA), roomA)[0]
	w.around(2, "room-a", "bob")
	w.server.edit(bob, own, func(ev *calendar.Event) {
		is := one(ev, week(1, 9))
		is.Attendees = append(slices.Clone(is.Attendees), calendar.Attendee{Address: calendar.Address{Email: roomB}, Role: calendar.Resource})
		exceptAt(ev, week(1, 9), is)
	})
	it := w.only(bob)
	return own, w.server.add(roomB, calendar.Item{Kind: kind, ReadOnly: true, Response: calendar.Accepted, Event: *one(&it.Event, week(1, 9))})
}

// A room that is invited to one occurrence of a series alone keeps its item of it when the series is called off, or gets another pattern: it
// is declined by a room that the hub is master of, and else listed until it is gone.
func TestAnOccurrenceAloneThatOutlivesItsSeriesIsListed(t *testing.T) {
	for _, master := range []bool{true, false} {
		for _, kind := range []calendar.Kind{calendar.Single, calendar.Exception} {
			for name, ends := range map[string]func(w *world, id string, own calendar.Ref){
				"cancelled": func(w *world, id string, _ calendar.Ref) {
					if _, err := w.engine.Cancel(w.Context(), tenant, id, booking.Match{}); err != nil {
						w.Fatal(err)
					}
				},
				"deleted": func(w *world, _ string, own calendar.Ref) { w.server.remove(bob, own) },
				"another pattern": func(w *world, _ string, own calendar.Ref) {
					w.server.edit(bob, own, func(ev *calendar.Event) {
						ev.Recurrence, ev.Exceptions = "FREQ=WEEKLY;COUNT=3;BYDAY=TU;INTERVAL=2", nil
					})
				},
			} {
				t.Run(fmt.Sprint(name, " ", kind, " master ", master), func(t *testing.T) {
					rooms(t, func(w *world) {
						w.room("b", master)
						own, copied := w.invitedAlone(kind)
						w.around(5, "room-b", "bob", "room-a")
						b := w.seriesOf()
						wantTimes(w, b, "room-b", "12-08T09")
						if open := w.open(); len(open) != 0 {
							w.Fatalf("listed: %q", open)
						}
						mails := len(w.server.mails)
						ends(w, b.ID, own)
						w.around(6, "bob", "room-b", "room-a")
						list := w.differences(roomUnbooked)
						if master && name != "another pattern" { // where the booking stands nothing is declined
							w.none(roomB)
							w.quiet(mails + 1 + map[string]int{"cancelled": 1}[name])
							if list != 0 {
								w.Errorf("%d listed", list)
							}
							return
						}
						if list != 1 {
							w.Fatalf("%d listed: %q", list, w.open())
						}
						if err := w.engine.Sync(w.Context(), tenant, "room-b", true); err != nil {
							w.Fatal(err)
						}
						w.around(3, "room-b", "bob")
						if n := w.differences(roomUnbooked); n != 1 {
							w.Errorf("%d listed after a full read", n)
						}
						w.server.remove(roomB, copied)
						w.around(2, "room-b")
						if n := w.differences(roomUnbooked); n != 0 {
							w.Errorf("%d listed after it was deleted", n)
						}
					})
				})
			}
		}
	}
}

// The organizer's calendar is read much later than the room's: the room, whose master the hub is, keeps what it was invited to.
func TestAnOccurrenceAloneWaitsForItsOrganizersCalendar(t *testing.T) {
	rooms(t, func(w *world) {
		w.room("b", true)
		w.invitedAlone(calendar.Single)
		mails := len(w.server.mails)
		for range 3 {
			w.around(1, "room-b")
			w.later(2 * roomSwapWait)
		}
		w.only(roomB)
		w.quiet(mails)
		w.around(5, "bob", "room-b")
		wantTimes(w, w.seriesOf(), "room-b", "12-08T09")
		if n := w.differences(roomUnbooked); n != 0 {
			w.Errorf("%d are listed though the booking has it by now", n)
		}
	})
}

// Nobody deletes the organizer's item while the sync of that calendar is off. The room is looked at less and less often until then.
func TestAnOccurrenceAloneWaitsPatientlyForACalendarThatIsOff(t *testing.T) {
	rooms(t, func(w *world) {
		w.room("b", true)
		w.invitedAlone(calendar.Single)
		w.around(5, "room-b", "bob", "room-a")
		mails := len(w.server.mails)
		w.person(directory.Person{ID: "bob", Email: bob, SyncDisabled: true})
		if _, err := w.engine.Cancel(w.Context(), tenant, w.seriesOf().ID, booking.Match{}); err != nil {
			w.Fatal(err)
		}
		until, looks := w.now().Add(24*time.Hour), 0
		for w.now().Before(until) {
			w.later(w.once("room-b").Next.Sub(w.now()))
			looks++
		}
		if looks > 288+30 { // it is polled every five minutes
			w.Errorf("looked at %d times in a day", looks)
		}
		w.only(roomB)
		w.quiet(mails)
		w.person(directory.Person{ID: "bob", Email: bob})
		w.around(5, "bob", "room-b")
		w.later(2 * time.Hour)
		w.around(2, "room-b")
		w.none(roomB)
	})
}
