package syncer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// roomSays has room a answer the only meeting of somebody, as the organizer's item tells it.
func (w *world) roomSays(organizer, uid string, r calendar.Response) {
	w.Helper()
	address := organizer + "@example.com"
	w.server.identify(address, w.only(address).Ref, uid)
	w.pass(organizer)
	w.server.respond(address, uid, roomA, r)
	w.pass(organizer)
}

// roomStands checks what is known of the answer of room a to b1, and whether the booking has a problem by it.
func (w *world) roomStands(want booking.AnswerState) {
	w.Helper()
	b := w.booking("b1")
	if a := w.answerOf(b, roomA); a.State != want || (b.SyncProblem != "") != (want == booking.AnswerDeclined) {
		w.Errorf("the room %s, and the booking's problem is %q; want %s", a.State, b.SyncProblem, want)
	}
}

func (w *world) hasNews(want ...string) {
	w.Helper()
	if got := w.news(); !slices.Equal(got, want) {
		w.Errorf("mails %q, want %q", got, want)
	}
}

// A room declines a meeting, which is cancelled for that. A day later the booking system puts it again, at another time: what the room
// answered to the former one is no answer to this one, and its organizer hears of what it says to this one.
func TestABookingPutAgainIsAnsweredAnew(t *testing.T) {
	for _, answer := range []calendar.Response{calendar.Declined, calendar.Accepted} {
		t.Run(string(answerStates[answer]), func(t *testing.T) {
			rooms(t, func(w *world) {
				w.withMails()
				w.book("b1", noOneElse)
				w.pass("alice")
				w.roomSays("alice", "u1", calendar.Declined)
				w.hasNews("alice: room declined")
				w.cancel("b1")
				w.pass("alice")
				w.none(alice)
				w.later(25 * time.Hour)
				b := w.book("b1", noOneElse, at(14))
				if b.SyncProblem != "" {
					w.Errorf("before the room is asked the booking says: %s", b.SyncProblem)
				}
				if c, _, err := w.store.Change(w.Context(), tenant, w.lastSeq()); err != nil || strings.Contains(string(c.Data), "declined") || c.Kind != "created" {
					w.Errorf("the feed tells %s: %s, %v", c.Kind, c.Data, err)
				}
				w.pass("alice")
				w.roomStands(booking.AnswerPending)
				w.roomSays("alice", "u2", answer)
				w.roomStands(answerStates[answer])
				if answer == calendar.Declined {
					w.hasNews("alice: room declined", "alice: room declined")
				} else {
					w.hasNews("alice: room declined")
				}
			})
		})
	}
}

// A room declined the meeting of somebody who keeps such bookings, and the booking is given to somebody who does not want to: once the
// room has declined the new meeting, too, it is cancelled, and not before.
func TestABookingOfAnotherOrganizerIsAnsweredAnew(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.book("b1", noOneElse)
		w.pass("alice")
		w.roomSays("alice", "u1", calendar.Declined)
		w.book("b1", noOneElse, by("carol"))
		for range 2 {
			w.pass("alice")
			w.pass("carol")
		}
		w.roomStands(booking.AnswerPending)
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Fatalf("%+v", b)
		}
		w.roomSays("carol", "u2", calendar.Declined)
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("it stands without its room: %+v", b)
		}
		w.hasNews("alice: room declined", "carol: room cancelled")
	})
}

// A booking was cancelled because its room declined, its item stayed, and the booking system puts it again: the item goes on saying that
// the room declined, which cancels nothing a second time. Once the room is asked anew and declines again, that does.
func TestABookingWhoseItemStayedIsNotCancelledTwiceForOneAnswer(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.book("b1", noOneElse, by("carol"))
		w.pass("carol")
		w.roomSays("carol", "u1", calendar.Declined)
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Fatalf("%+v", b)
		}
		mails := w.news()
		w.later(time.Hour)
		w.book("b1", noOneElse, by("carol"))
		for range 2 {
			w.pass("carol")
			w.later(25 * time.Hour)
		}
		w.only(carol)
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Fatalf("cancelled again: %+v", b)
		}
		w.roomStands(booking.AnswerDeclined)
		w.hasNews(mails...)
		w.server.respond(carol, "u1", roomA, calendar.NoResponse)
		w.pass("carol")
		w.roomStands(booking.AnswerPending)
		w.server.respond(carol, "u1", roomA, calendar.Declined)
		w.pass("carol")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("it stands: %+v", b)
		}
		if got := w.news(); len(got) != len(mails)+1 {
			w.Errorf("mails %q", got)
		}
	})
}

// The organizer deletes a meeting in Outlook that its room has accepted, the booking system refuses that, and the meeting is made again:
// the room is asked again, which is told as an answer.
func TestARestoredBookingIsAnsweredAnew(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.book("b1", noOneElse)
		w.pass("alice")
		w.roomSays("alice", "u1", calendar.Accepted)
		w.roomStands(booking.AnswerAccepted)
		w.server.remove(alice, w.only(alice).Ref)
		w.pass("alice")
		w.reject(w.lastSeq(), Restored)
		w.roomStands(booking.AnswerPending)
		if c, _, err := w.store.Change(w.Context(), tenant, w.lastSeq()); err != nil || c.Kind != changeAnswered || c.Version != w.booking("b1").Version {
			w.Errorf("the feed tells %+v, %v", c, err)
		}
		w.pass("alice")
		w.roomStands(booking.AnswerPending)
		w.roomSays("alice", "u2", calendar.Declined)
		w.roomStands(booking.AnswerDeclined)
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Errorf("%+v", b)
		}
	})
}

// The room's own calendar tells what it answered to the new meeting, before the organizer's item does and otherwise: that one knows better.
func TestARoomsOwnCalendarKnowsBetterAnew(t *testing.T) {
	for _, answer := range []calendar.Response{calendar.Accepted, calendar.Declined} {
		t.Run(string(answerStates[answer]), func(t *testing.T) {
			rooms(t, func(w *world) {
				w.withMails()
				meet := func(uid string, r calendar.Response) {
					w.server.identify(alice, w.only(alice).Ref, uid)
					ev := w.only(alice).Event
					ev.Organizer = calendar.Address{Name: "Alice", Email: alice}
					w.server.add(roomA, calendar.Item{ReadOnly: true, Response: r, Event: ev})
					w.pass("alice")
					for range 2 {
						w.pass("room-a")
					}
				}
				w.book("b1", noOneElse)
				w.pass("alice")
				meet("u1", calendar.Declined)
				w.roomStands(booking.AnswerDeclined)
				w.cancel("b1")
				w.pass("alice")
				w.server.remove(roomA, w.only(roomA).Ref)
				w.pass("room-a")
				w.later(25 * time.Hour)
				w.pass("room-a")
				w.book("b1", noOneElse, at(14))
				w.pass("alice")
				w.roomStands(booking.AnswerPending)
				meet("u2", answer)
				w.roomStands(answerStates[answer])
				w.pass("alice")
				w.roomStands(answerStates[answer])
				want := []string{"alice: room declined"}
				if answer == calendar.Declined {
					want = append(want, want[0])
				}
				w.hasNews(want...)
			})
		})
	}
}

// The item of a cancelled booking still waits to be removed when the booking is put again, or its time is changed: it is the item that the
// room answered.
func TestAnItemThatStaysKeepsItsAnswers(t *testing.T) {
	for _, how := range []string{"waiting to be removed", "another time"} {
		t.Run(how, func(t *testing.T) {
			each(t, func(w *world) {
				w.many(12)
				w.withMails()
				w.book("b1", noOneElse, func(b *booking.Booking) { b.Resources = []string{"room-b"} }, at(11))
				w.pass("alice")
				var ref calendar.Ref
				for _, it := range w.server.items(alice) {
					if it.ForeignKey == "b1" {
						ref = it.Ref
					}
				}
				w.server.edit(alice, ref, func(ev *calendar.Event) {
					for i := range ev.Attendees {
						ev.Attendees[i].Response = calendar.Declined
					}
				})
				w.pass("alice")
				problem := w.booking("b1").SyncProblem
				news := w.news()
				if problem == "" || len(news) != 1 {
					w.Fatalf("the room did not decline: %q", news)
				}
				hour := 12
				if how == "waiting to be removed" {
					hour = 11
					for _, b := range w.bookings() {
						w.cancel(b.ID)
					}
					w.pass("alice")
					w.waiting(BookingCancellations, 13)
				}
				b := w.book("b1", noOneElse, func(b *booking.Booking) { b.Resources = []string{"room-b"} }, at(hour))
				if b.SyncProblem != problem {
					w.Errorf("the problem is %q, was %q", b.SyncProblem, problem)
				}
				for range 2 {
					w.pass("alice")
				}
				if b := w.booking("b1"); b.SyncProblem != problem || b.Status != booking.Confirmed {
					w.Errorf("%+v", b)
				}
				w.hasNews(news...)
			})
		})
	}
}

// Somebody's sync is off when a booking is put again that a room had declined, and on later.
func TestABookingPutAgainForSomebodyWhoseSyncIsOff(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.book("b1", noOneElse)
		w.pass("alice")
		w.roomSays("alice", "u1", calendar.Declined)
		w.cancel("b1")
		w.pass("alice")
		off := directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", MailOnError: true, SyncDisabled: true}
		w.person(off)
		w.book("b1", noOneElse)
		w.roomStands(booking.AnswerPending)
		off.SyncDisabled = false
		w.later(25 * time.Hour)
		w.person(off)
		for range 2 {
			w.pass("alice")
		}
		w.roomStands(booking.AnswerPending)
		w.roomSays("alice", "u2", calendar.Declined)
		w.roomStands(booking.AnswerDeclined)
		w.hasNews("alice: room declined", "alice: room declined")
	})
}
