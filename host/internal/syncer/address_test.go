package syncer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// addressed gives a room another address.
func (w *world) addressed(room, address string) {
	w.Helper()
	row, found, err := w.store.Person(w.Context(), tenant, room)
	if err != nil || !found {
		w.Fatalf("%v, found %v", err, found)
	}
	p := row.Person
	p.Email = address
	w.person(p)
}

// calls wants exactly these to be invited.
func (w *world) calls(e calendar.Event, want ...string) {
	w.Helper()
	got := allInvited(calendar.Event{Attendees: e.Attendees})
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		w.Errorf("the item invites %q, want %q", got, want)
	}
}

// Somebody types another mailbox's address for a room and corrects it after a while: what the booking system holds stands throughout.
func TestASlipInTheAddressOfARoomCancelsNothing(t *testing.T) {
	rooms(t, func(w *world) {
		w.invite(meetingAt(9, "m1", outside, roomA), roomA)
		w.book("b1", func(b *booking.Booking) {
			b.Resources = []string{"room-a"}
			b.Start, b.End = b.Start.Add(3*time.Hour), b.End.Add(3*time.Hour)
		})
		w.pass("alice")
		w.pass("room-a")
		before, mails := w.bookings(), len(w.server.mails)
		w.addressed("room-a", "room-x@example.com")
		for range 5 {
			w.pass("room-a")
			w.pass("alice")
			w.later(10 * time.Minute)
		}
		if after := w.bookings(); len(after) != len(before) {
			w.Fatalf("%d bookings of %d stand: %v", len(after), len(before), w.changes())
		}
		w.addressed("room-a", roomA)
		for range 5 {
			w.pass("room-a")
			w.pass("alice")
			w.later(10 * time.Minute)
		}
		after := w.bookings()
		for i, b := range after {
			if b.ID != before[i].ID || len(b.Resources) != 1 {
				w.Errorf("%+v", b)
			}
		}
		w.quiet(mails)
		if s := w.state("room-a"); s.Status != store.StatusOK || len(w.allOpen()) != 0 {
			w.Errorf("state %+v, listed %+v", s, w.allOpen())
		}
	})
}

// An organization gets another domain: rooms are addressed anew, and older items name them by what they were called when they were invited.
func TestARoomIsKnownByItsFormerAddress(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", func(b *booking.Booking) { b.Resources = []string{"room-a"} })
		w.pass("alice")
		mails := len(w.server.mails)
		w.addressed("room-a", "room-a@new.example")
		w.pass("alice")
		w.later(10 * time.Minute)
		it := w.only(alice)
		w.server.edit(alice, it.Ref, func(ev *calendar.Event) { ev.Subject = "Other" })
		w.pass("alice")
		b := w.booking("b1")
		if b.Title != "Other" || len(b.Resources) != 1 {
			w.Errorf("%+v", b)
		}
		w.quiet(mails)
		w.calls(w.only(alice).Event, bob, roomA)
		if open := w.allOpen(); len(open) != 0 {
			w.Errorf("listed: %+v", open)
		}
	})
}

// A room moves to another mailbox for good, without its meetings: their bookings stand until somebody says what is to be. What goes in the new
// calendar is believed as ever.
func TestARoomWithAnotherAddressWaitsForAWordAboutWhatIsMissing(t *testing.T) {
	rooms(t, func(w *world) {
		const there = "room-x@example.com"
		w.invite(meetingAt(9, "m1", outside, roomA), roomA)
		w.pass("room-a")
		w.addressed("room-a", there)
		ref := w.server.add(there, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: meetingAt(13, "m2", outside, there)})
		w.pass("room-a")
		w.later(2 * roomSwapWait)
		w.pass("room-a")
		if s := w.state("room-a"); len(w.bookings()) != 2 || s.Status != store.StatusAttention || !strings.Contains(s.Remedy, "--email") {
			w.Fatalf("%d bookings, state %+v", len(w.bookings()), s)
		}
		units, err := w.store.Quarantines(w.Context(), tenant, store.QuarantineFilter{Person: "room-a", State: store.QuarantineWaiting})
		if err != nil || len(units) != 1 {
			w.Fatalf("%+v, %v", units, err)
		}
		if items, err := ParseQuarantine(units[0]); err != nil || len(items) != 1 || !strings.Contains(items[0].Does, "address") {
			w.Errorf("the unit says %+v, %v", items, err)
		}
		w.server.remove(there, ref)
		w.pass("room-a")
		w.later(2 * roomSwapWait)
		w.pass("room-a")
		if n := len(w.bookings()); n != 1 {
			w.Fatalf("%d bookings stand: %v", n, w.changes())
		}
		if _, err := w.engine.DecideQuarantine(w.Context(), tenant, units[0].ID, Approve); err != nil {
			w.Fatal(err)
		}
		w.pass("room-a")
		if n := len(w.bookings()); n != 0 || w.state("room-a").Status != store.StatusOK {
			w.Errorf("%d bookings stand, state %+v", n, w.state("room-a"))
		}
	})
}

// An item that names its room by a former address keeps it by that, whatever else is written to it.
func TestARoomStaysInvitedByItsFormerAddress(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", func(b *booking.Booking) { b.Resources = []string{"room-a"} })
		w.pass("alice")
		w.addressed("room-a", "room-a@new.example")
		w.rebook("b1", func(b *booking.Booking) {
			b.Attendees = append(b.Attendees, booking.Attendee{Email: outside, Role: booking.Required})
			b.Resources = []string{"room-a", "room-b"}
		})
		w.pass("alice")
		w.calls(w.only(alice).Event, bob, outside, roomA, roomB)
		w.rebook("b1", func(b *booking.Booking) { b.Resources = []string{"room-b"} })
		w.pass("alice")
		w.calls(w.only(alice).Event, bob, outside, roomB)
		if open := w.allOpen(); len(open) != 0 {
			w.Errorf("listed: %+v", open)
		}
	})
}

// The same goes for a series and what is agreed on of its occurrences, and for what a room has answered.
func TestASeriesKnowsItsRoomsByFormerAddresses(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", func(b *booking.Booking) {
			b.Recurrence, b.Resources = "FREQ=DAILY;COUNT=5", []string{"room-a"}
		})
		second := w.booking("b1").Start.AddDate(0, 0, 1)
		if _, err := w.putOccurrence("b1", booking.Exception{Occurrence: second, Resources: &[]string{"room-b"}}); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.server.respond(alice, w.only(alice).Event.UID, roomA, calendar.Accepted)
		w.pass("alice")
		before := w.only(alice)
		w.addressed("room-a", "room-a@new.example")
		w.addressed("room-b", "room-b@new.example")
		w.server.edit(alice, before.Ref, func(ev *calendar.Event) { ev.Subject = "Other" })
		w.server.respond(alice, before.Event.UID, roomA, calendar.Declined)
		w.pass("alice")
		b := w.booking("b1")
		if a, known := b.AnswerOf("room-a"); !known || a.State != booking.AnswerDeclined || len(b.Answers) != 1 {
			w.Errorf("answers %+v", b.Answers)
		}
		if b.Title != "Other" || !slices.Equal(b.Resources, []string{"room-a"}) || len(b.Exceptions) != 1 || !slices.Equal(*b.Exceptions[0].Resources, []string{"room-b"}) {
			w.Errorf("%+v", b)
		}
		after := w.only(alice)
		w.calls(after.Event, bob, roomA)
		if open := w.allOpen(); len(open) != 0 || len(after.Event.Exceptions) != 1 {
			w.Errorf("listed: %+v, item %+v", open, after.Event)
		}
	})
}

// The mailbox of a room gets another address, as all of a company do that is renamed. Nobody has touched anything.
func TestANewAddressOfARoomWritesNothing(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.person(directory.Person{ID: "room-a", Email: "room-a@new.example.com", DisplayName: "Room A", Kind: directory.KindResource, SyncDisabled: true})
		w.later(2 * DefaultLimits().ReconcileInterval)
		w.pass("alice")
		rooms := 0
		for _, a := range w.only(alice).Event.Attendees {
			if strings.HasPrefix(a.Email, "room-a@") {
				rooms++
			}
		}
		if rooms != 1 {
			w.Errorf("the item invites the one room by %d addresses: %+v", rooms, w.only(alice).Event.Attendees)
		}
		if open := w.allOpen(); len(open) > 0 {
			w.Errorf("an administrator is told of an edit that nobody made: %s: %s", open[0].Kind, open[0].Detail)
		}
	})
}

// The same, and the organizer had put the room into the line of those required, as Outlook lets everybody do.
func TestARoomInvitedAsRequiredGetsAnotherAddress(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) {
			for i := range ev.Attendees {
				if ev.Attendees[i].Email == roomA {
					ev.Attendees[i].Role = calendar.Required
				}
			}
		})
		w.pass("alice")
		w.person(directory.Person{ID: "room-a", Email: "room-a@new.example.com", DisplayName: "Room A", Kind: directory.KindResource, SyncDisabled: true})
		w.later(2 * DefaultLimits().ReconcileInterval)
		w.pass("alice")
		if a := w.booking("b1").Attendees; len(a) != 1 {
			w.Errorf("the room has become a guest of the booking: %+v", a)
		}
	})
}

// A room is missing in one night's table. It is known by the address that items name it by still, also where it is back with another one.
func TestARoomThatIsBackIsKnownByItsFormerAddress(t *testing.T) {
	for name, before := range map[string]string{"same address": "room-a@new.example", "another address": roomA} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.booked(3)
				w.silently(func() {
					w.addressed("room-a", before)
					w.full()
					row, found, err := w.store.Person(w.Context(), tenant, "room-a")
					if err != nil || !found {
						w.Fatalf("%v, found %v", err, found)
					}
					if err := w.engine.DeletePerson(w.Context(), tenant, "room-a"); err != nil {
						w.Fatal(err)
					}
					w.full()
					back := row.Person
					back.Email = "room-a@new.example"
					w.person(back)
					w.daysOf("alice")
				})
				if len(w.allOpen()) > 0 {
					w.Errorf("listed: %+v", w.allOpen())
				}
				for _, it := range w.server.items(alice) {
					w.calls(it.Event, bob, roomA)
				}
				if since, err := w.store.AddressedSince(w.Context(), tenant, "room-a"); err != nil || since > w.mailbox("room-a").Epoch {
					w.Errorf("its calendar is believed from epoch %d on, %v", since, err)
				}
			})
		})
	}
}

// A room had the address of somebody else by a slip, which was read there. Whoever has that address stays a guest of what is booked since: the
// room is not booked for it, and hears nothing of it, nor are the guest's answers the room's.
func TestAGuestWhoseAddressARoomOnceHadIsAGuest(t *testing.T) {
	const guest = "guest@example.com"
	for name, taken := range map[string][]string{"another room": {"room-a"}, "that room": {"room-b"}} {
		t.Run(name, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.addressed("room-b", guest)
				w.pass("room-b")
				w.addressed("room-b", roomB)
				w.pass("room-b")
				w.book("b1", func(b *booking.Booking) { b.Resources, b.Attendees = taken, []booking.Attendee{{Email: guest}} })
				w.pass("alice")
				w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) {
					for i := range ev.Attendees {
						if ev.Attendees[i].Email == guest {
							ev.Attendees[i].Response = calendar.Declined
						}
					}
				})
				w.later(26 * time.Hour)
				w.pass("alice")
				b := w.booking("b1")
				if len(b.Attendees) != 1 || !slices.Equal(b.Resources, taken) || b.SyncProblem != "" {
					w.Errorf("%+v", b)
				}
				if a, _ := b.Answer(guest); a.State != booking.AnswerDeclined || a.Resource != "" {
					w.Errorf("the guest's answer: %+v", b.Answers)
				}
				w.calls(w.only(alice).Event, guest, map[string]string{"room-a": roomA, "room-b": roomB}[taken[0]])
				if open := w.allOpen(); len(open) != 0 {
					w.Errorf("listed: %+v", open)
				}
			})
		})
	}
}
