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

func TestARoomsAnswerFlowsBack(t *testing.T) {
	for _, organizer := range []string{"alice", "carol"} {
		t.Run(organizer, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.withMails()
				w.book("b1", by(organizer), noOneElse)
				w.pass(organizer)
				address := organizer + "@example.com"
				own := w.only(address)
				w.server.identify(address, own.Ref, "u1")
				answer := func(r calendar.Response) {
					w.server.respond(address, "u1", roomA, r)
					w.pass(organizer)
				}
				answer(calendar.Accepted)
				b := w.booking("b1")
				if a := w.answerOf(b, roomA); a.State != booking.AnswerAccepted || b.SyncProblem != "" {
					w.Errorf("answer %+v, problem %q", a, b.SyncProblem)
				}
				answer(calendar.Declined)
				b = w.booking("b1")
				if organizer == "carol" {
					if b.Status != booking.Cancelled || !slices.Equal(w.news(), []string{"carol: room cancelled"}) {
						w.Errorf("booking %s, mails %q", b.Status, w.news())
					}
					w.only(address) // it is let go
					w.quiet(1)
					return
				}
				if b.Status != booking.Confirmed || b.SyncProblem != "the room room-a declined" || b.SyncDisabled {
					w.Errorf("booking %s, problem %q", b.Status, b.SyncProblem)
				}
				if !slices.Equal(w.news(), []string{"alice: room declined"}) {
					w.Errorf("mails %q", w.news())
				}
				list, err := w.store.Bookings(w.Context(), tenant, store.BookingFilter{Problem: true})
				if err != nil || len(list) != 1 || len(list[0].Answers) != 1 {
					w.Errorf("list of problems: %v, %v", list, err)
				}
				// Nobody is invited again by itself, whatever else the booking system says.
				changed := b.Clone()
				changed.Title = "Another"
				if _, err := w.engine.Put(w.Context(), changed, booking.Match{}, booking.Refuse); err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
				if b := w.booking("b1"); b.SyncProblem == "" {
					w.Error("the problem is forgotten")
				}
				w.quiet(1)
				answer(calendar.Accepted)
				if b := w.booking("b1"); b.SyncProblem != "" {
					w.Errorf("problem %q stays", b.SyncProblem)
				}
				answer(calendar.Declined)
				changed = w.booking("b1").Clone()
				changed.Resources = []string{"room-b"}
				if _, err := w.engine.Put(w.Context(), changed, booking.Match{}, booking.Refuse); err != nil {
					w.Fatal(err)
				}
				if b := w.booking("b1"); b.SyncProblem != "" || len(b.Answers) != 0 {
					w.Errorf("another room was chosen: problem %q, answers %v", b.SyncProblem, b.Answers)
				}
				w.pass("alice")
			})
		})
	}
}

func TestADeletionInTheRoomsCalendarIsItsRefusal(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.pass("room-a")
		w.pass("alice")
		w.server.remove(roomA, refs[1])
		w.pass("room-a")
		w.pass("alice")
		b := w.theOne()
		if a := w.answerOf(b, roomA); a.State != booking.AnswerDeclined || !strings.Contains(a.Reason, "gone") || b.SyncProblem == "" {
			w.Errorf("answer %+v, problem %q", a, b.SyncProblem)
		}
		w.quiet(0)
	})
}

func TestManyMeetingsThatVanishFromARoomWait(t *testing.T) {
	rooms(t, func(w *world) {
		l := DefaultLimits()
		l.MassDeletionLimit, l.MassDeletionShare = 2, 0.1
		w.engine.SetLimits(l)
		var refs []calendar.Ref
		for i := range 6 {
			refs = append(refs, w.invite(meetingAt(8+i, fmt.Sprint("m", i), outside, roomA), roomA)...)
		}
		w.pass("room-a")
		w.server.remove(roomA, refs[0])
		w.pass("room-a") // and it is looked at again when another room may have taken its place
		for _, r := range refs[1:4] {
			w.server.remove(roomA, r)
		}
		w.pass("room-a")
		w.later(2 * roomSwapWait)
		if next := w.mailbox("room-a").NextDue; !next.After(w.now()) {
			w.Errorf("due at %v, and at once again after that, until somebody decides", next)
		}
		w.pass("room-a")
		if n := len(w.bookings()); n != 6 || w.mailbox("room-a").HeldDeletions != 4 {
			w.Fatalf("%d bookings stand, %d held", n, w.mailbox("room-a").HeldDeletions)
		}
		if err := w.engine.ApproveDeletions(w.Context(), tenant, "room-a"); err != nil {
			w.Fatal(err)
		}
		w.pass("room-a")
		if n := len(w.bookings()); n != 2 {
			w.Errorf("%d bookings stand after the approval", n)
		}
		w.quiet(0)
	})
}

// What a failed or partial read does not tell is not gone, and a room that is reached elsewhere keeps its bookings.
func TestARoomIsReadAnew(t *testing.T) {
	rooms(t, func(w *world) {
		var refs []calendar.Ref
		for i := range 5 {
			refs = append(refs, w.invite(meetingAt(8+i, fmt.Sprint("m", i), outside, roomA), roomA)...)
		}
		w.pass("room-a")
		calls := 0
		w.server.before = func(call string) error {
			if calls++; call == "pull" && calls > 1 {
				return fmt.Errorf("busy: %w", fault.Unavailable)
			}
			return nil
		}
		w.server.forget(roomA)
		if _, err := w.engine.Pass(w.Context(), tenant, "room-a"); err != nil {
			w.Fatal(err)
		}
		if n := len(w.bookings()); n != 5 {
			w.Fatalf("%d bookings stand after a partial read", n)
		}
		w.server.before = nil
		w.server.migrate(roomA)
		w.later(time.Hour)
		w.pass("room-a")
		w.later(time.Hour)
		w.pass("room-a")
		if n := len(w.bookings()); n != 5 {
			w.Fatalf("%d bookings stand after the migration", n)
		}
		// One of them goes on as before.
		for _, it := range w.server.items(roomA) {
			if it.Event.UID == "m0" {
				w.server.remove(roomA, it.Ref)
			}
		}
		w.pass("room-a")
		w.later(2 * roomSwapWait)
		w.pass("room-a")
		if n := len(w.bookings()); n != 4 {
			w.Errorf("%d bookings stand", n)
		}
		_ = refs
	})
}

// While the organizer's calendar cannot be read nobody knows whether a meeting is booked already.
func TestAMeetingWaitsForItsOrganizersCalendar(t *testing.T) {
	rooms(t, func(w *world) {
		w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.server.before = func(call string) error {
			if call == "find" {
				return fmt.Errorf("busy: %w", fault.Unavailable)
			}
			return nil
		}
		w.pass("room-a")
		if n := len(w.bookings()); n != 0 {
			w.Fatalf("%d bookings", n)
		}
		for range 5 {
			w.later(time.Hour)
			w.pass("room-a")
		}
		if w.differences(roomWaits) != 1 {
			w.Error("nobody is told")
		}
		w.server.before = nil
		w.later(time.Hour)
		w.pass("room-a")
		if b := w.theOne(); b.SyncOff || w.differences(roomWaits) != 0 {
			w.Errorf("booking %+v, %d differences", b, w.differences(roomWaits))
		}
	})
}

func TestASeriesThatNoBookingCanBeIsLeftAlone(t *testing.T) {
	rooms(t, func(w *world) {
		ev := meetingAt(9, "m1", outside, roomA)
		ev.Recurrence = "FREQ=HOURLY;COUNT=3"
		w.server.add(roomA, calendar.Item{Kind: calendar.Master, ReadOnly: true, Event: ev})
		w.pass("room-a")
		if err := w.engine.Sync(w.Context(), tenant, "room-a", true); err != nil {
			w.Fatal(err)
		}
		w.pass("room-a")
		if len(w.bookings()) != 0 || w.differences(roomSeries) != 1 {
			w.Errorf("%d bookings, %d differences", len(w.bookings()), w.differences(roomSeries))
		}
	})
}

// The series of a booking is no series to be left alone: its copy tells the room's answer.
func TestTheSeriesOfABookingTellsTheRoomsAnswer(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", noOneElse)
		w.pass("alice")
		own := w.only(alice)
		w.server.identify(alice, own.Ref, "u1")
		ev := own.Event
		ev.UID, ev.Organizer, ev.Recurrence = "u1", calendar.Address{Email: alice}, "FREQ=DAILY;COUNT=3"
		w.server.add(roomA, calendar.Item{Kind: calendar.Master, ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		if a := w.answerOf(w.theOne(), roomA); a.State != booking.AnswerAccepted || w.differences(roomSeries) != 0 {
			w.Errorf("answer %+v, %d differences", a, w.differences(roomSeries))
		}
	})
}

func TestAnAddInsMeetingWaitsForItsBooking(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.server.mark(alice, refs[0], "b1")
		w.pass("room-a")
		if n := len(w.bookings()); n != 0 {
			w.Fatalf("%d bookings", n)
		}
		w.book("b1", noOneElse, func(b *booking.Booking) { b.ItemExpected = true })
		w.later(time.Minute)
		w.pass("room-a")
		w.pass("alice")
		if b := w.theOne(); b.ID != "b1" {
			w.Errorf("booking %s", b.ID)
		}
		w.only(alice)
		w.quiet(0)
	})
}

func TestSpokenTitle(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ subject, organizer, want string }{
		{"Quarter", "Alice Adams", "Quarter"},
		{"Alice Adams", "Alice Adams", ""},
		{"Alice Adams Quarter", "Alice  Adams", "Quarter"},
		{"Alice Adamson's farewell", "Alice Adams", "Alice Adamson's farewell"},
		{"Quarter", "", "Quarter"},
		{"", "Alice Adams", ""},
	} {
		if got := spokenTitle(tc.subject, tc.organizer); got != tc.want {
			t.Errorf("spokenTitle(%q, %q) = %q, want %q", tc.subject, tc.organizer, got, tc.want)
		}
	}
}

// Two series without an end are found to want the room at the same time when they are looked at two years ahead. That is listed;
// a meeting that is retitled after that is followed, and neither declined nor set aside: its times are what they were.
func TestASeriesThatSharesItsRoomAheadIsFollowed(t *testing.T) {
	for _, master := range []bool{true, false} {
		t.Run(fmt.Sprint("master ", master), func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", master)
				ev := weekly(9, 3, "m1", outside, roomA)
				ev.Recurrence = "FREQ=WEEKLY;BYDAY=TU"
				refs := w.invite(ev, roomA)
				w.pass("room-a")
				series := w.theOne()
				w.book("b1", noOneElse, inWeek(120, 9)) // nobody looks as far ahead
				w.later(60 * 7 * 24 * time.Hour)
				if n, err := w.engine.ExtendSeries(w.Context()); n != 1 || err != nil {
					w.Fatal(n, err)
				}
				w.server.edit(roomA, refs[0], func(ev *calendar.Event) { ev.Subject = "Half-year" })
				w.pass("room-a")
				if b := w.booking(series.ID); b.Status != booking.Confirmed || b.Title != "Half-year" || len(b.Exceptions) != 0 || b.SyncProblem != "" {
					w.Errorf("the series is %+v", b)
				}
				if w.only(roomA); w.differences(roomConflict) != 1 { // that which was found two years ahead
					w.Errorf("%d differences", w.differences(roomConflict))
				}
				w.quiet(0)
			})
		})
	}
}

// Two rooms that cannot follow a meeting each say so once, and not in turn whenever they are read.
func TestTwoRoomsThatCannotFollowAMeeting(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.invite(meetingAt(9, "m1", outside, roomA, roomB), roomA, roomB)
		w.pass("room-a")
		w.pass("room-b")
		id := w.theOne().ID
		w.book("b1", at(14), func(b *booking.Booking) { b.Resources = []string{"room-a", "room-b"} })
		for i, room := range []string{roomA, roomB} {
			w.server.edit(room, refs[i], func(ev *calendar.Event) { ev.Start, ev.End = ev.Start.Add(5*time.Hour), ev.End.Add(5*time.Hour) })
		}
		said := []string{}
		for range 3 {
			for _, room := range []string{"room-a", "room-b"} {
				if err := w.engine.Sync(w.Context(), tenant, room, true); err != nil {
					w.Fatal(err)
				}
				w.pass(room)
			}
			said = append(said, w.booking(id).SyncProblem)
		}
		if said[0] != said[1] || said[1] != said[2] || !strings.Contains(said[2], "room-a is") || !strings.Contains(said[2], "room-b is") {
			w.Errorf("its problem is %q", said)
		}
	})
}

// The host is killed between two meetings that were called off: both bookings are cancelled, once.
func TestMeetingsThatLeaveARoomSurviveAKill(t *testing.T) {
	rooms(t, func(w *world) {
		w.room("a", false)
		var refs []calendar.Ref
		for i, uid := range []string{"m1", "m2"} {
			refs = append(refs, w.invite(meetingAt(9+2*i, uid, outside, roomA), roomA)...)
		}
		w.pass("room-a")
		for _, ref := range refs {
			w.server.remove(roomA, ref)
		}
		died := false
		w.engine.Failpoint = func(step string) {
			if step == "room:gone-settled" && !died {
				died = true
				panic("killed")
			}
		}
		for range 3 { // a meeting that leaves is waited for in another room for a while
			func() {
				defer func() { _ = recover() }()
				w.pass("room-a")
			}()
			w.later(2 * time.Minute)
		}
		if !died {
			w.Fatal("the step was not reached")
		}
		_ = w.store.Close()
		w.start()
		w.pass("room-a")
		w.later(2 * time.Minute)
		w.pass("room-a")
		cancelled := 0
		for _, c := range w.changes() {
			if strings.Contains(c, "cancelled") {
				cancelled++
			}
		}
		if cancelled != 2 {
			w.Errorf("%d bookings were cancelled: %v", cancelled, w.changes())
		}
	})
}
