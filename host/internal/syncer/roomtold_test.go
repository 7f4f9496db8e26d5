package syncer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// somebodys is a private booking of Alice in both rooms; nobody but an administrator may learn of it.
func somebodys(id string) func(*booking.Booking) {
	return func(b *booking.Booking) {
		b.ID, b.Title, b.Class, b.Resources = id, "Redundancies", booking.Private, []string{"room-a", "room-b"}
	}
}

// discreet checks what people are mailed, and what the change feed and the bookings of others say.
func (w *world) discreet(secret string) {
	w.Helper()
	told := func(where, text string) {
		w.Helper()
		for _, not := range []string{secret, "Redundancies", alice, "alice", "Alice"} {
			if strings.Contains(text, not) {
				w.Errorf("%s says %q: %s", where, not, text)
			}
		}
	}
	mails, err := w.store.DueMails(w.Context(), w.now(), 100)
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range mails {
		if told("a mail", m.Detail); m.Person != "bob" || m.Booking == secret {
			w.Errorf("mail to %s about booking %s", m.Person, m.Booking)
		}
		if !strings.Contains(m.Detail, "by another booking") {
			w.Errorf("a mail does not say why: %s", m.Detail)
		}
	}
	changes, err := w.store.Changes(w.Context(), tenant, 0, 1000)
	if err != nil {
		w.Fatal(err)
	}
	for _, c := range changes {
		if c.Booking != secret {
			told("the feed of "+c.Booking, c.Reason+string(c.Data))
		}
	}
	for _, b := range w.bookings() {
		if b.ID != secret {
			told("booking "+b.ID, b.SyncProblem)
		}
	}
}

// Whoever invites a room that is taken is told which room and when, and not by whose booking; an administrator looks that up.
func TestARoomConflictNamesNobodysBooking(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		const secret = "secret-4711"
		w.book(secret, noOneElse, somebodys(secret))
		w.pass("alice")
		w.invite(meetingAt(9, "m1", bob, roomA), roomA)
		w.pass("room-a")
		list, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{Kind: roomConflict})
		if err != nil || len(list) != 1 || !strings.Contains(list[0].Detail, secret) || strings.Contains(list[0].Detail, "Redundancies") {
			w.Errorf("listed: %+v, %v", list, err)
		}
		mails, err := w.store.DueMails(w.Context(), w.now(), 100)
		if err != nil || len(mails) != 1 || !strings.Contains(mails[0].Detail, "Room A") || !strings.Contains(mails[0].Detail, "2026-12-01 10:00 (Europe/Berlin)") {
			w.Errorf("mails: %+v, %v", mails, err)
		}
		w.discreet(secret)
	})
}

// A series is told of by the dates, in the mail and in the booking that lacks the room then.
func TestAConflictOfOneOccurrenceNamesNobodysBooking(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		const secret = "secret-4711"
		w.book(secret, noOneElse, somebodys(secret), inWeek(1, 9))
		w.pass("alice")
		w.invite(weekly(9, 3, "m1", bob, roomA), roomA)
		w.pass("room-a")
		w.pass("bob")
		if got := w.news(); !slices.Equal(got, []string{"bob: room conflict"}) {
			w.Errorf("mails %q", got)
		}
		w.discreet(secret)
	})
}

// Nor do a meeting that is moved to a taken time, in the room's calendar or in its organizer's, and what becomes of it.
func TestAMoveToATakenTimeNamesNobodysBooking(t *testing.T) {
	for _, organizer := range []string{outside, bob} {
		t.Run(organizer, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.withMails()
				const secret = "secret-4711"
				w.book(secret, noOneElse, somebodys(secret), at(11))
				w.pass("alice")
				refs := w.invite(meetingAt(9, "m1", organizer, roomA), roomA)
				w.pass("room-a")
				for i, who := range []string{organizer, roomA}[2-len(refs):] {
					w.server.edit(who, refs[i], func(ev *calendar.Event) { *ev = meetingAt(11, "m1", organizer, roomA) })
				}
				w.pass("bob")
				w.pass("room-a")
				i := slices.IndexFunc(w.bookings(), func(b *booking.Booking) bool { return b.ID != secret })
				if i < 0 || w.bookings()[i].Start.Hour() != 9 {
					w.Fatalf("bookings: %q", w.changes())
				}
				if organizer == bob {
					if got := w.news(); !slices.Equal(got, []string{"bob: change refused"}) {
						w.Errorf("mails %q", got)
					}
					said, err := w.store.Activities(w.Context(), tenant, "bob", "", 100)
					if err != nil || !slices.ContainsFunc(said, func(a store.Activity) bool { return strings.Contains(a.Why, "booking "+secret) }) {
						w.Errorf("an administrator cannot look up what is in the way: %+v, %v", said, err)
					}
				}
				w.discreet(secret)
			})
		})
	}
}

// Where what rooms wrote may not be read a refusal counts all the same, and an administrator can see why it has no reason.
func TestARefusalWhoseTextMayNotBeRead(t *testing.T) {
	rooms(t, func(w *world) {
		w.answers = true
		_ = w.store.Close()
		w.start()
		w.book("b1", noOneElse)
		w.book("b2", noOneElse, at(12))
		w.pass("alice")
		for i, it := range w.server.items(alice) {
			w.server.identify(alice, it.Ref, fmt.Sprint("u", i))
		}
		w.server.before = func(call string) error {
			if call == "answer" {
				return fmt.Errorf("the application needs the permission Mail.Read: %w", fault.Forbidden)
			}
			return nil
		}
		w.server.respond(alice, "u0", roomA, calendar.Declined)
		w.pass("alice")
		problem := ""
		for _, b := range w.bookings() {
			problem += b.SyncProblem
		}
		if problem != "the room room-a declined" || !slices.Equal(w.engine.Unread(), []Unread{{"Memory", "the application needs the permission Mail.Read"}}) {
			w.Errorf("problem %q, unread %q", problem, w.engine.Unread())
		}
		w.server.before = nil
		w.server.respond(alice, "u1", roomA, calendar.Declined)
		w.pass("alice")
		if len(w.engine.Unread()) != 0 {
			w.Errorf("unread %q after one was read", w.engine.Unread())
		}
	})
}

// The booking system refuses what the calendar did, and the organizer wants it cancelled then: the item goes on inviting the room.
func TestARefusedChangeThatCancelsWakesRooms(t *testing.T) {
	rooms(t, func(w *world) {
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", ConflictBehaviour: directory.Cancel})
		w.book("b1")
		w.pass("alice")
		w.server.identify(alice, w.only(alice).Ref, "m1")
		ev := w.only(alice).Event
		ev.Organizer = calendar.Address{Name: "Alice", Email: alice}
		w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		w.pass("alice")
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { e.Subject = "Party" })
		w.pass("alice")
		seq := w.lastSeq()
		w.reject(seq, CalledOff)
		for range 3 {
			w.pass("alice")
			w.pass("room-a")
			w.later(time.Hour)
		}
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Fatal("stands")
		}
		if w.differences(roomUnbooked) != 1 {
			w.Errorf("%d differences tell of the room's meeting; room has %d items", w.differences(roomUnbooked), len(w.server.items(roomA)))
		}
	})
}
