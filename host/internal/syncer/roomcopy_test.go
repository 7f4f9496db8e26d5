package syncer

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// The organizer takes a room out of a meeting, the room's copy is still there, and the room is taken by somebody else meanwhile. Freed
// again, it does not come back: the organizer's item says what the meeting is.
func TestARoomThatItsOrganizerTookOutDoesNotComeBack(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.pass("room-a")
		w.pass("alice")
		id := w.theOne().ID
		w.server.edit(alice, refs[0], func(ev *calendar.Event) {
			ev.Attendees = slices.DeleteFunc(slices.Clone(ev.Attendees), func(a calendar.Attendee) bool { return a.Email == roomA })
		})
		w.pass("alice")
		w.book("b1", by("bob"), noOneElse)
		w.server.edit(roomA, refs[1], func(ev *calendar.Event) { ev.Subject = "Quarter, without you" })
		w.pass("room-a")
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		for range 2 {
			w.later(time.Minute)
			w.pass("room-a")
			w.pass("alice")
		}
		if b := w.booking(id); b.Status != booking.Confirmed || len(b.Resources) > 0 {
			w.Errorf("%s in %v, want confirmed in none", b.Status, b.Resources)
		}
	})
}

// A booking is cancelled and made again before its room is read: what is gone from the room's calendar is the copy of its former item,
// and no refusal of the new one.
func TestTheCopyOfAFormerItemIsNoRefusal(t *testing.T) {
	rooms(t, func(w *world) {
		invited := func(uid string) calendar.Ref {
			it := w.only(alice)
			w.server.identify(alice, it.Ref, uid)
			ev := w.only(alice).Event
			ev.Organizer = calendar.Address{Name: "Alice", Email: alice}
			return w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		}
		w.book("b1")
		w.pass("alice")
		former := invited("m1")
		w.pass("room-a")
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.book("b1", at(14))
		w.pass("alice")
		w.server.remove(roomA, former)
		invited("m2")
		for range 2 {
			w.pass("room-a")
			w.pass("alice")
			w.later(time.Minute)
		}
		b := w.booking("b1")
		if a, _ := b.Answer(roomA); a.State != booking.AnswerAccepted || b.SyncProblem != "" {
			w.Errorf("answer %+v, problem %q", a, b.SyncProblem)
		}
	})
}

// A booking gets another organizer, and the copy of the former one's item leaves the room before the new one has an item: the room has
// declined nothing, and nothing is cancelled for it.
func TestTheCopyOfAFormerOrganizersItemIsNoRefusal(t *testing.T) {
	rooms(t, func(w *world) {
		w.person(directory.Person{ID: "bob", Email: bob, DisplayName: "Bob", ConflictBehaviour: directory.Cancel})
		w.book("b1")
		w.pass("alice")
		w.server.identify(alice, w.only(alice).Ref, "m1")
		ev := w.only(alice).Event
		ev.Organizer = calendar.Address{Name: "Alice", Email: alice}
		copied := w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("alice")
		w.pass("room-a")
		w.book("b1", by("bob"))
		w.pass("alice")
		w.server.remove(roomA, copied)
		w.pass("room-a")
		w.pass("bob")
		w.later(time.Hour)
		w.pass("room-a")
		b := w.booking("b1")
		if a, _ := b.Answer(roomA); b.Status != booking.Confirmed || a.State == booking.AnswerDeclined {
			w.Errorf("%s, answer %+v", b.Status, a)
		}
	})
}

// Somebody deletes a meeting from a room's calendar while its organizer drags it elsewhere: that is the room's refusal all the same, and
// not taken for the organizer's calling it off.
func TestARoomsCopyIsDeletedWhileTheItemIsMoved(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.shadow(true) // no marker of ours tells the item
		w.pass("room-a")
		id := w.theOne().ID
		w.server.remove(roomA, refs[1])
		w.server.move(alice, w.only(alice).Ref)
		for range 2 {
			w.pass("room-a")
			w.pass("alice")
			w.later(time.Hour)
			w.shadow(false)
		}
		w.pass("room-a")
		if a := w.answerOf(w.booking(id), roomA); a.State != booking.AnswerDeclined {
			w.Errorf("the room's answer is %+v", a)
		}
	})
}

// A room declined, and the booking was cancelled; its item stays and still invites the other room. Booked anew without rooms, it has
// none: what the rooms' calendars have of it are copies of its item and nothing else.
func TestABookingMadeAnewDoesNotFollowTheCopiesOfItsItem(t *testing.T) {
	rooms(t, func(w *world) {
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", ConflictBehaviour: directory.Cancel})
		both := func(b *booking.Booking) { b.Resources = []string{"room-a", "room-b"} }
		w.book("b1", both)
		w.pass("alice")
		w.server.identify(alice, w.only(alice).Ref, "m1")
		ev := w.only(alice).Event
		ev.Organizer = calendar.Address{Name: "Alice", Email: alice}
		w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		w.server.respond(alice, "m1", roomB, calendar.Declined)
		w.pass("alice")
		if w.booking("b1").Status != booking.Cancelled {
			w.Fatal("the booking stands")
		}
		if w.pass("room-a"); w.differences(roomUnbooked) != 1 {
			w.Errorf("%d differences tell that the item goes on inviting the other room", w.differences(roomUnbooked))
		}
		w.server.edit(roomA, w.only(roomA).Ref, func(ev *calendar.Event) { ev.Subject += "!" })
		w.pass("room-a")
		w.book("b1", func(b *booking.Booking) { b.Resources = nil })
		for range 2 {
			w.server.edit(roomA, w.only(roomA).Ref, func(ev *calendar.Event) { ev.Subject += "!" })
			w.pass("room-a")
			w.later(time.Minute)
		}
		if b := w.booking("b1"); len(b.Resources) > 0 {
			w.Errorf("the booking has %v", b.Resources)
		}
	})
}

// Somebody books a room, and invites it to a meeting of their own at the same time before the booking has its item: they are two.
func TestAMeetingBesideABookingThatHasNoItemYetIsAnother(t *testing.T) {
	rooms(t, func(w *world) {
		w.pass("alice")
		w.book("b1", noOneElse)
		w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.pass("room-a")
		w.pass("alice")
		for _, it := range w.server.items(alice) {
			if it.Key != "" {
				w.server.identify(alice, it.Ref, "own")
				w.server.edit(alice, it.Ref, func(ev *calendar.Event) { ev.Busy = calendar.Tentative })
			}
		}
		for range 2 {
			w.pass("alice")
			w.pass("room-a")
		}
		if n := w.differences(roomConflict); n != 1 {
			w.Errorf("%d conflicts are listed, want that of the meeting", n)
		}
	})
}

// A room is taken for one week of a series; somebody deletes its copy of that. The organizer's item goes on inviting it to that week, and a
// full read of both calendars writes nothing.
func TestADeletedCopyLeavesWhatTheRoomIsTakenFor(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", noOneElse, inWeek(1, 9))
		w.pass("alice")
		refs := w.invite(weekly(9, 3, "m1", bob, roomA), roomA)
		for range 2 {
			w.pass("room-a")
			w.pass("bob")
		}
		w.server.remove(roomA, refs[1])
		writes := w.server.writes
		for range 3 {
			w.pass("room-a")
			w.pass("bob")
			w.later(25 * time.Hour)
			w.server.edit(bob, refs[0], func(ev *calendar.Event) { ev.Body += "." })
		}
		if n := w.server.writes - writes; n > 0 {
			w.Errorf("%d writes: %+v", n, w.only(bob).Event)
		}
		wantTimes(w, w.seriesOf(), "room-a", "12-01T09", "12-15T09")
	})
}

// As above, but another room declines the booking's item, and the booking is cancelled: the meeting goes on inviting the room, and nothing
// stands for it.
func TestAMeetingTakenForTheCopyOfACancelledBookingIsTold(t *testing.T) {
	rooms(t, func(w *world) {
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", ConflictBehaviour: directory.Cancel})
		w.pass("alice")
		w.book("b1", noOneElse, func(b *booking.Booking) { b.Resources = []string{"room-a", "room-b"} })
		w.invite(meetingAt(9, "m1", alice, roomA, roomB), roomA)
		w.pass("room-a")
		w.pass("alice")
		for _, it := range w.server.items(alice) {
			if it.Key != "" {
				w.server.edit(alice, it.Ref, func(ev *calendar.Event) {
					for i := range ev.Attendees {
						ev.Attendees[i].Response = calendar.Declined
					}
				})
			}
		}
		for range 3 {
			w.pass("alice")
			w.pass("room-a")
		}
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Fatalf("the booking stands: %+v", b)
		}
		if n := w.differences(roomUnbooked); n != 1 && len(w.bookings()) != 1 {
			w.Error("nobody is told of the meeting that stays in the room's calendar")
		}
	})
}

// What the organizer's item said of a room before its copy was found gone is no answer to that, though it is read after it.
func TestAnAnswerFromBeforeTheCopyWasGoneIsNoNews(t *testing.T) {
	for _, answered := range []bool{true, false} { // the making of the item
		t.Run(fmt.Sprint(answered), func(t *testing.T) { staysDeclined(t, answered) })
	}
}

func staysDeclined(t *testing.T, answered bool) {
	rooms(t, func(w *world) {
		w.book("b1")
		if !answered {
			w.server.after = func(string) error {
				w.server.after = nil
				return errors.New("the connection broke")
			}
		}
		w.pass("alice")
		own := w.only(alice)
		w.server.identify(alice, own.Ref, "u1")
		ev := own.Event
		ev.UID, ev.Organizer = "u1", calendar.Address{Name: "Alice", Email: alice}
		copied := w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		w.server.edit(alice, own.Ref, func(ev *calendar.Event) {
			for i := range ev.Attendees {
				if ev.Attendees[i].Email == roomA {
					ev.Attendees[i].Response = calendar.Accepted
				}
			}
		})
		w.server.remove(roomA, copied)
		for range 3 {
			w.pass("room-a")
			w.later(2 * time.Minute)
		}
		w.sync("alice")
		if a := w.answerOf(w.booking("b1"), roomA); a.State != booking.AnswerDeclined {
			t.Errorf("the answer is %+v", a)
		}
	})
}

// What is listed about an item of a room's calendar is listed about the one that takes its place: items change their reference when they
// are moved, or made anew by an update.
func TestWhatIsListedOfARoomsItemMovesWithIt(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", by("bob"))
		w.pass("bob")
		refs := w.invite(meetingAt(9, "m1", outside, roomA), roomA)
		w.pass("room-a")
		if n := w.differences(roomConflict); n != 1 {
			w.Fatalf("%d conflicts are listed, want 1", n)
		}
		moved := w.server.move(roomA, refs[0])
		w.pass("room-a")
		all, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{Kind: roomConflict})
		if err != nil || len(all) != 1 || all[0].Ref != moved {
			w.Errorf("listed: %+v, %v", all, err)
		}
	})
}

// A room declined the item of the former organizer, and took it after that. That it declines the new one's is news.
func TestARoomDeclinesTheNewOrganizersItem(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.identify(alice, w.only(alice).Ref, "m1")
		w.server.respond(alice, "m1", roomA, calendar.Declined)
		w.pass("alice")
		ev := w.only(alice).Event
		ev.Organizer = calendar.Address{Name: "Alice", Email: alice}
		w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		if a := w.answerOf(w.booking("b1"), roomA); a.State != booking.AnswerAccepted {
			w.Fatalf("answer %+v", a)
		}
		w.book("b1", by("bob"))
		w.pass("bob")
		w.server.identify(bob, w.only(bob).Ref, "m2")
		w.server.respond(bob, "m2", roomA, calendar.Declined)
		w.pass("bob")
		if a := w.answerOf(w.booking("b1"), roomA); a.State != booking.AnswerDeclined {
			w.Errorf("answer %+v", a)
		}
	})
}
