package syncer

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// tookOver has bookings that were made while their organizer's sync was off get their items, of which nobody is told.
func (w *world) tookOver(book func()) {
	w.Helper()
	off := directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncDisabled: true}
	w.person(off)
	book()
	off.SyncDisabled = false
	w.person(off)
	w.sync("alice")
}

// sync has a calendar read in full.
func (w *world) sync(person string) {
	w.Helper()
	if err := w.engine.Sync(w.Context(), tenant, person, true); err != nil {
		w.Fatal(err)
	}
	w.pass(person)
}

// heardRooms fails unless exactly these rooms were told of silent writes, and nobody else of anything.
func (w *world) heardRooms(want ...string) {
	w.Helper()
	if !slices.Equal(w.server.told, want) {
		w.Errorf("rooms were told %q, want %q", w.server.told, want)
	}
	if len(w.server.mails) != 0 {
		w.Errorf("mails: %v", w.server.mails)
	}
}

func TestWhatIsMadeInSilenceInvitesItsRooms(t *testing.T) {
	each(t, func(w *world) {
		w.tookOver(func() { w.book("b1", func(b *booking.Booking) { b.Resources = []string{"room-a", "room-b"} }) })
		it := w.only(alice)
		if len(it.Event.Attendees) != 3 || it.Event.Location != "Room A, Room B" {
			t.Errorf("the item is %+v", it.Event)
		}
		w.heardRooms("+"+roomA, "+"+roomB)
		w.sync("alice")
		w.sync("alice")
		w.heardRooms("+"+roomA, "+"+roomB)
		if n := w.differences(editLost) + w.differences(mailHeldBack); n != 0 {
			t.Errorf("%d differences", n)
		}
	})
}

// The rooms of a series are invited to all of it at once, when its exceptions are there, and to what they have alone.
func TestASeriesMadeInSilenceInvitesItsRooms(t *testing.T) {
	each(t, func(w *world) {
		other := []string{"room-b"}
		elsewhere := booking.Exception{Occurrence: nth(3), Resources: &other}
		w.tookOver(func() { w.book("b1", ruled(fiveDays), with(leftOut(1), retitled(2, "Finale"), elsewhere)) })
		it, b := w.only(alice), w.booking("b1")
		if len(it.Event.Attendees) != 2 || len(it.Event.Exceptions) != 3 || len(b.Exceptions) != 3 {
			t.Errorf("the item is %+v, the booking %+v", it.Event, b)
		}
		w.heardRooms("+"+roomA, "+"+roomB)
		for _, x := range it.Event.Exceptions {
			if x.Occurrence.Equal(nth(3)) && (!invites(*x.Event, roomB) || invites(*x.Event, roomA)) {
				t.Errorf("the occurrence elsewhere invites %+v", x.Event.Attendees)
			}
		}
		w.sync("alice")
		w.heardRooms("+"+roomA, "+"+roomB)
	})
}

// Whatever a silent creation is cut off from, the item is one, and its rooms are invited once.
func TestASilentCreationThatIsCutOffInvitesItsRoomsOnce(t *testing.T) {
	for call := 1; call <= 2; call++ {
		for _, answered := range []bool{false, true} {
			t.Run("", func(t *testing.T) {
				each(t, func(w *world) {
					n := 0
					fail := func(what string) error {
						if what != "apply" {
							return nil
						}
						if n++; n == call {
							return errors.New("the connection broke")
						}
						return nil
					}
					if answered {
						w.server.after = fail
					} else {
						w.server.before = fail
					}
					w.tookOver(func() { w.book("b1") })
					w.later(time.Hour)
					w.sync("alice")
					if it, b := w.only(alice), w.booking("b1"); len(it.Event.Attendees) != 2 || len(b.Resources) != 1 || len(b.Attendees) != 1 {
						t.Errorf("the item is %+v, the booking %+v", it.Event, b)
					}
					w.heardRooms("+" + roomA)
				})
			})
		}
	}
}

// A room that somebody put in place of another and that is taken goes again, and the other one comes back.
func TestARoomThatIsSetBackIsInvited(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.book("other", by("bob"), func(b *booking.Booking) { b.Resources = []string{"room-b"} })
		w.pass("alice")
		w.server.mails = nil
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) {
			for i := range ev.Attendees {
				if ev.Attendees[i].Email == roomA {
					ev.Attendees[i].Email = roomB
				}
			}
		})
		w.sync("alice")
		if it := w.only(alice); !invites(it.Event, roomA) || invites(it.Event, roomB) {
			t.Errorf("the item is %+v", it.Event)
		}
		slices.Sort(w.server.told)
		w.heardRooms("+"+roomA, "-"+roomB)
	})
}

// Where a calendar cannot be silent, a meeting of nobody but rooms is made all the same.
func TestASilentMeetingOfRoomsAloneIsMadeWhereEverythingMails(t *testing.T) {
	each(t, func(w *world) {
		w.server.loud = true
		w.tookOver(func() { w.book("b", func(b *booking.Booking) { b.Attendees = nil }) })
		if it := w.only(alice); !invites(it.Event, roomA) {
			t.Errorf("the item is %+v", it.Event)
		}
		w.heardRooms("+" + roomA)
	})
}

// A room whose calendar still holds the booking by an item that was deleted without telling it would decline the next one for that.
func TestARoomThatHoldsTheFormerItemIsNotInvitedAnew(t *testing.T) {
	for _, holds := range []bool{true, false} {
		t.Run("", func(t *testing.T) {
			rooms(t, func(w *world) {
				refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
				w.pass("room-a")
				w.pass("alice")
				b := w.theOne().Clone()
				b.Title = "Another"
				w.server.remove(alice, refs[0])
				if !holds {
					w.server.remove(roomA, refs[1]) // of which nothing has been heard yet
				}
				if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
					t.Fatal(err)
				}
				w.pass("alice")
				w.later(2 * time.Second)
				w.pass("alice")
				if it := w.only(alice); !invites(it.Event, roomA) {
					t.Errorf("the item is %+v", it.Event)
				}
				if want := map[bool][]string{true: nil, false: {"+" + roomA}}[holds]; !slices.Equal(w.server.told, want) {
					t.Errorf("told %q, want %q", w.server.told, want)
				}
			})
		})
	}
}

// While that room's calendar cannot be read nobody knows, and the change waits; not for ever.
func TestASilentChangeWaitsForARoomThatMayHoldTheFormerItem(t *testing.T) {
	for _, back := range []bool{true, false} {
		t.Run("", func(t *testing.T) {
			rooms(t, func(w *world) {
				refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
				w.pass("room-a")
				w.pass("alice")
				b := w.theOne().Clone()
				b.Title = "Another"
				w.server.remove(alice, refs[0])
				if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
					w.Fatal(err)
				}
				w.server.unread = roomA
				w.pass("alice")
				w.later(2 * time.Second)
				w.pass("alice")
				if w.heardRooms(); invites(w.only(alice).Event, roomA) {
					w.Fatal("it did not wait")
				}
				if back {
					w.server.unread = ""
					w.later(time.Minute)
				} else {
					w.later(2 * formerWait)
				}
				w.pass("alice")
				if !invites(w.only(alice).Event, roomA) || w.state("alice").Status != store.StatusOK {
					w.Errorf("the item is %+v, alice %+v", w.only(alice).Event, w.state("alice"))
				}
				if back {
					w.heardRooms()
				} else {
					w.heardRooms("+" + roomA)
				}
			})
		})
	}
}
