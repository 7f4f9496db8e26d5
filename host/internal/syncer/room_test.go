package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	roomA   = "room-a@example.com"
	roomB   = "room-b@example.com"
	outside = "zoe@elsewhere.example"
)

// Respond declines an invitation as Exchange does: the item goes, and the organizer is mailed.
func (m *memory) Respond(_ context.Context, r backend.Reaction) error {
	if err := m.enter("respond"); err != nil {
		return err
	}
	m.mu.Lock()
	it := m.box(r.Mailbox.Address).items[r.Ref]
	switch {
	case it == nil:
		m.mu.Unlock()
		return fmt.Errorf("item: %w", fault.NotFound)
	case !it.ReadOnly:
		m.mu.Unlock()
		return fmt.Errorf("item: %w", fault.Invalid)
	}
	organizer, uid := it.Event.Organizer.Email, it.Event.UID
	if !r.Occurrence.IsZero() {
		if !occurs(it.Event, r.Occurrence) || skips(&it.Event, r.Occurrence) {
			m.mu.Unlock()
			return fmt.Errorf("occurrence: %w", fault.NotFound)
		}
		m.writes++
		m.mails = append(m.mails, fmt.Sprintf("%s declines %s on %s: %s", r.Mailbox.Address, uid, r.Occurrence.Format(time.DateOnly), r.Comment))
		m.mu.Unlock()
		m.edit(r.Mailbox.Address, r.Ref, func(ev *calendar.Event) { leaveOutOf(ev, r.Occurrence) })
		m.respondTo(organizer, uid, r.Occurrence, r.Mailbox.Address, calendar.Declined)
		return m.leave("respond")
	}
	m.writes++
	m.mails = append(m.mails, fmt.Sprintf("%s declines %s: %s", r.Mailbox.Address, uid, r.Comment))
	b := m.box(r.Mailbox.Address)
	delete(b.items, r.Ref)
	b.log = append(b.log, r.Ref)
	m.mu.Unlock()
	m.respond(organizer, uid, r.Mailbox.Address, calendar.Declined)
	return m.leave("respond")
}

// respond notes an answer on the organizer's item, if that is in this server.
func (m *memory) respond(organizer, uid, attendee string, r calendar.Response) {
	for _, it := range m.items(organizer) {
		if it.Event.UID == uid {
			m.edit(organizer, it.Ref, func(ev *calendar.Event) {
				for i := range ev.Attendees {
					if strings.EqualFold(ev.Attendees[i].Email, attendee) {
						ev.Attendees[i].Response = r
					}
				}
			})
		}
	}
}

// rooms runs f on both databases, with rooms a and b whose calendars are synced.
func rooms(t *testing.T, f func(w *world)) {
	t.Helper()
	each(t, func(w *world) {
		w.rooms = true
		w.room("a", false)
		w.room("b", false)
		w.pass("room-a")
		w.pass("room-b")
		f(w)
	})
}

func (w *world) room(name string, master bool) {
	w.Helper()
	w.person(directory.Person{
		ID: "room-" + name, Email: "room-" + name + "@example.com", DisplayName: "Room " + strings.ToUpper(name),
		Kind: directory.KindResource, SyncMaster: master,
	})
}

// meetingAt is a meeting on the day of the bookings.
func meetingAt(hour int, uid, organizer string, rooms ...string) calendar.Event {
	ev := calendar.Event{
		UID: uid, Subject: "Quarter", Zone: "Europe/Berlin", Organizer: calendar.Address{Name: "Organizer", Email: organizer},
		Start: time.Date(2026, 12, 1, hour, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, hour+1, 0, 0, 0, time.UTC),
		Attendees: []calendar.Attendee{{Address: calendar.Address{Email: bob}, Role: calendar.Required}},
	}
	for _, r := range rooms {
		ev.Attendees = append(ev.Attendees, calendar.Attendee{Address: calendar.Address{Email: r}, Role: calendar.Resource})
	}
	return ev
}

// invite puts a meeting into the organizer's calendar, if that is ours, and its copies into those of the rooms. A subject
// other than the meeting's is that of the copies.
func (w *world) invite(ev calendar.Event, to ...string) (refs []calendar.Ref) {
	if strings.HasSuffix(ev.Organizer.Email, "@example.com") {
		refs = append(refs, w.server.add(ev.Organizer.Email, calendar.Item{Event: ev}))
	}
	for _, room := range to {
		refs = append(refs, w.server.add(room, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev}))
	}
	return refs
}

func (w *world) bookings() []*booking.Booking {
	w.Helper()
	all, err := w.store.Bookings(w.Context(), tenant, store.BookingFilter{})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// theOne returns the only booking that stands.
func (w *world) theOne() *booking.Booking {
	w.Helper()
	all := w.bookings()
	if len(all) != 1 {
		w.Fatalf("%d bookings stand, want 1: %v", len(all), w.changes())
	}
	return all[0]
}

func (w *world) answerOf(b *booking.Booking, room string) booking.Answer {
	w.Helper()
	a, found := b.Answer(room)
	if !found {
		w.Fatalf("nothing is known of the answer of %s", room)
	}
	return a
}

func (w *world) quiet(mails int) {
	w.Helper()
	if len(w.server.mails) != mails {
		w.Errorf("mails: %q, want %d", w.server.mails, mails)
	}
}

func TestRoomsAreReadOnlyWhereThatIsSwitchedOn(t *testing.T) {
	each(t, func(w *world) {
		w.room("a", false)
		w.invite(meetingAt(9, "m1", outside, roomA), roomA)
		w.pass("room-a")
		if len(w.bookings()) != 0 || !strings.Contains(w.state("room-a").Reason, "rooms { sync = true }") {
			w.Errorf("%d bookings, %+v", len(w.bookings()), w.state("room-a"))
		}
		w.rooms = true
		if err := w.engine.Sync(w.Context(), tenant, "room-a", true); err != nil {
			w.Fatal(err)
		}
		w.pass("room-a")
		if w.theOne(); w.state("room-a").Status != store.StatusOK {
			w.Errorf("state %+v", w.state("room-a"))
		}
	})
}

func TestTheCopyOfABookedMeetingIsNoSecondBooking(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		own := w.only(alice)
		w.server.identify(alice, own.Ref, "u1") // its UID was not told when it was made
		ev := own.Event
		ev.UID, ev.Organizer, ev.Subject, ev.Class = "u1", calendar.Address{Name: "Alice", Email: alice}, "Alice", calendar.Public
		w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
		w.pass("room-a")
		b := w.theOne()
		if b.ID != "b1" || b.Title != "Planning" {
			w.Errorf("booking %s %q", b.ID, b.Title)
		}
		if a := w.answerOf(b, roomA); a.State != booking.AnswerAccepted || a.Resource != "room-a" {
			w.Errorf("answer %+v", a)
		}
		want := []string{"b1 created by api", "b1 answered by calendar"}
		if got := w.changes(); !slices.Equal(got, want) {
			w.Errorf("changes %q", got)
		}
		w.quiet(1) // alice's invitation
		w.pass("alice")
		w.pass("room-a")
		if got := w.changes(); len(got) != len(want) {
			w.Errorf("changes go on: %q", got)
		}
	})
}

// The room gets its copy while the organizer's item is being made: the answer is lost, or the host is killed.
func TestARoomIsReadBeforeTheAnswerToACreateIsRecorded(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1")
		w.server.after = func(call string) error {
			w.server.after = nil
			return errors.New("the connection broke")
		}
		w.pass("alice")
		own := w.only(alice)
		w.server.identify(alice, own.Ref, "u1")
		ev := own.Event
		ev.UID, ev.Organizer = "u1", calendar.Address{Email: alice}
		w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.TentativelyAccepted, Event: ev})
		w.pass("room-a")
		b := w.theOne()
		if a := w.answerOf(b, roomA); b.ID != "b1" || a.State != booking.AnswerTentative {
			w.Errorf("booking %s, answer %+v", b.ID, a)
		}
		w.later(time.Hour)
		w.pass("alice")
		w.only(alice)
		w.theOne()
	})
}

func TestAMeetingOfAPersonBecomesABookingTiedToTheirOwnItem(t *testing.T) {
	for _, first := range []string{"alice", "room-a"} {
		t.Run(first+" is read first", func(t *testing.T) {
			rooms(t, func(w *world) {
				ev := meetingAt(9, "m1", alice, roomA)
				ev.Class, ev.Body, ev.Location = calendar.Private, "secret", "Room A"
				refs := w.invite(ev, roomA)
				w.server.edit(roomA, refs[1], func(ev *calendar.Event) { ev.Subject, ev.Class, ev.Body = "Organizer", calendar.Public, "" })
				w.pass(first)
				w.pass("room-a")
				w.pass("alice")
				b := w.theOne()
				if b.Organizer != "alice" || b.Title != "Quarter" || b.Class != booking.Private || b.Notes != "" || b.SyncOff || b.Location != "" {
					w.Errorf("booking %+v", b)
				}
				if !slices.Equal(b.Resources, []string{"room-a"}) || len(b.Attendees) != 1 {
					w.Errorf("resources %v, attendees %v", b.Resources, b.Attendees)
				}
				w.quiet(0)
				writes := w.server.writes
				// The organizer's change follows as any other.
				w.server.edit(alice, refs[0], func(ev *calendar.Event) { ev.Start, ev.End = ev.Start.Add(time.Hour), ev.End.Add(time.Hour) })
				w.server.edit(roomA, refs[1], func(ev *calendar.Event) { ev.Start, ev.End = ev.Start.Add(time.Hour), ev.End.Add(time.Hour) })
				w.pass("room-a")
				w.pass("alice")
				if b := w.theOne(); b.Start.Hour() != 10 || b.Title != "Quarter" {
					w.Errorf("booking %v %q", b.Start, b.Title)
				}
				// So does one of the booking system, and a move of the item in the calendar.
				ref := w.server.move(alice, refs[0])
				w.pass("alice")
				b = w.theOne().Clone()
				b.Start, b.End = b.Start.Add(time.Hour), b.End.Add(time.Hour)
				if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
				if it := w.only(alice); it.Ref != ref || it.Event.Start.Hour() != 11 || w.server.writes != writes+1 {
					w.Errorf("item %s at %v, %d writes", it.Ref, it.Event.Start, w.server.writes-writes)
				}
				w.quiet(1)
				// Its deletion cancels it.
				w.server.remove(alice, ref)
				w.pass("alice")
				if n := len(w.bookings()); n != 0 {
					w.Errorf("%d bookings stand", n)
				}
				w.server.remove(roomA, refs[1])
				w.pass("room-a")
				w.quiet(1)
			})
		})
	}
}

func TestAMeetingOfSomebodyElseBecomesABookingAndIsFollowed(t *testing.T) {
	rooms(t, func(w *world) {
		ev := meetingAt(9, "m1", outside, roomA)
		ev.Subject = "Organizer Offers"
		refs := w.invite(ev, roomA)
		w.pass("room-a")
		b := w.theOne()
		if b.External == nil || b.External.Email != outside || b.Organizer != "" || b.Title != "Offers" || !b.SyncOff {
			w.Fatalf("booking %+v", b)
		}
		if a := w.answerOf(b, roomA); a.State != booking.AnswerAccepted {
			w.Errorf("answer %+v", a)
		}
		for _, step := range []struct {
			name  string
			edit  func(*calendar.Event)
			title string
			hour  int
		}{
			{"DeleteSubject", func(ev *calendar.Event) { ev.Subject = "Organizer" }, "Offers", 9},
			{"another time", func(ev *calendar.Event) { ev.Start, ev.End = ev.Start.Add(time.Hour), ev.End.Add(time.Hour) }, "Offers", 10},
			{"another title", func(ev *calendar.Event) { ev.Subject = "Organizer Orders" }, "Orders", 10},
			{"class and text are not told by a room", func(ev *calendar.Event) { ev.Class, ev.Body = calendar.Private, "x" }, "Orders", 10},
		} {
			w.server.edit(roomA, refs[0], step.edit)
			w.pass("room-a")
			if b := w.theOne(); b.Title != step.title || b.Start.Hour() != step.hour || b.Class != booking.Public || b.Notes != "" {
				w.Errorf("%s: %q at %v, %s", step.name, b.Title, b.Start, b.Class)
			}
		}
		w.server.remove(roomA, refs[0])
		w.pass("room-a")
		w.theOne() // another room may take its place
		w.later(roomSwapWait)
		w.pass("room-a")
		if n := len(w.bookings()); n != 0 {
			w.Errorf("%d bookings stand", n)
		}
		w.quiet(0)
	})
}

func TestAnAppointmentInTheRoomsOwnCalendar(t *testing.T) {
	rooms(t, func(w *world) {
		ev := meetingAt(9, "m1", roomA)
		ref := w.server.add(roomA, calendar.Item{Event: ev})
		w.pass("room-a")
		b := w.theOne()
		if b.External == nil || b.External.Email != roomA || b.External.Name != "Room A" || b.Title != "Quarter" {
			w.Errorf("booking %+v", b)
		}
		w.server.edit(roomA, ref, func(ev *calendar.Event) { ev.Organizer = calendar.Address{} })
		w.pass("room-a")
		w.theOne()
		w.server.remove(roomA, ref)
		w.pass("room-a")
		if n := len(w.bookings()); n != 0 {
			w.Errorf("%d bookings stand", n)
		}
	})
}

func TestSeveralRoomsOnOneMeetingAreOneBooking(t *testing.T) {
	for _, organizer := range []string{alice, outside} {
		t.Run(organizer, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.invite(meetingAt(9, "m1", organizer, roomA, roomB), roomA, roomB)
				w.pass("room-b")
				w.pass("room-a")
				w.pass("alice")
				b := w.theOne()
				if !slices.Equal(b.Resources, []string{"room-a", "room-b"}) {
					w.Errorf("resources %v", b.Resources)
				}
				for _, r := range []string{roomA, roomB} {
					if a := w.answerOf(b, r); a.State != booking.AnswerAccepted {
						w.Errorf("%s: %+v", r, a)
					}
				}
				w.quiet(0)
			})
		})
	}
}

func TestAnotherRoomMovesTheBooking(t *testing.T) {
	for _, organizer := range []string{alice, outside} {
		for _, order := range [][]string{{"alice", "room-a", "room-b"}, {"room-a", "room-b", "alice"}, {"room-b", "alice", "room-a"}} {
			t.Run(organizer+" "+strings.Join(order, " "), func(t *testing.T) {
				rooms(t, func(w *world) {
					refs := w.invite(meetingAt(9, "m1", organizer, roomA), roomA)
					w.pass("room-a")
					id := w.theOne().ID
					ev := meetingAt(9, "m1", organizer, roomB)
					if organizer == alice {
						w.server.edit(alice, refs[0], func(e *calendar.Event) { e.Attendees = ev.Attendees })
					}
					w.server.remove(roomA, refs[len(refs)-1])
					w.server.add(roomB, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
					for _, who := range order {
						w.pass(who)
					}
					w.later(2 * roomSwapWait)
					w.pass("alice")
					w.pass("room-b")
					w.pass("room-a")
					b := w.theOne()
					if b.ID != id || !slices.Equal(b.Resources, []string{"room-b"}) || b.SyncProblem != "" {
						w.Errorf("booking %s with %v, %q", b.ID, b.Resources, b.SyncProblem)
					}
					for _, c := range w.changes() {
						if strings.Contains(c, "cancelled") {
							w.Errorf("changes %q", w.changes())
						}
					}
					w.quiet(0)
				})
			})
		}
	}
}
