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
)

func noOneElse(b *booking.Booking) { b.Attendees = nil }

// withMails lets people be mailed of trouble.
func (w *world) withMails() {
	w.engine.Mails = func() bool { return true }
	w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", MailOnError: true})
	w.person(directory.Person{ID: "bob", Email: bob, DisplayName: "Bob", MailOnError: true})
	w.person(directory.Person{ID: "carol", Email: carol, DisplayName: "Carol", MailOnError: true, ConflictBehaviour: directory.Cancel})
}

func (w *world) news() (kinds []string) {
	w.Helper()
	due, err := w.store.DueMails(w.Context(), w.now(), 100)
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range due {
		kinds = append(kinds, m.Person+": "+m.Kind)
	}
	return kinds
}

func TestARoomThatIsNoMasterKeepsWhatCollides(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.book("b1", noOneElse)
		w.pass("alice")
		refs := w.invite(meetingAt(9, "m1", bob, roomA), roomA)
		w.pass("room-a")
		w.pass("bob")
		if err := w.engine.Sync(w.Context(), tenant, "room-a", true); err != nil {
			w.Fatal(err)
		}
		w.pass("room-a")
		w.theOne()
		w.only(roomA)
		w.quiet(1)
		if n := w.differences(roomConflict); n != 1 {
			w.Errorf("%d differences", n)
		}
		if got := w.news(); !slices.Equal(got, []string{"bob: room conflict"}) {
			w.Errorf("mails %q", got)
		}
		due, err := w.store.DueMails(w.Context(), w.now(), 100)
		if err != nil || len(due) != 1 || !strings.HasSuffix(due[0].Detail, " is taken by another booking at the time of your meeting, 2026-12-01 10:00 (Europe/Berlin)") {
			w.Errorf("mails %+v, %v", due, err)
		}
		w.tellsOfTheMeeting(bob)
		// The room is freed: the meeting is booked, and the difference closed.
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("room-a")
		w.pass("bob")
		if b := w.theOne(); b.Organizer != "bob" {
			w.Errorf("booking %+v", b)
		}
		if n := w.differences(roomConflict); n != 0 {
			w.Errorf("%d differences are open", n)
		}
		if w.only(bob).Ref != refs[0] {
			w.Error("another item was made")
		}
	})
}

// tellsOfTheMeeting checks that whoever reads of a room conflict learns whose meeting it is, when, and what is to be done, and that
// it is not offered to them to choose a side.
func (w *world) tellsOfTheMeeting(organizer string) {
	w.Helper()
	all, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{Kind: roomConflict})
	if err != nil || len(all) != 1 {
		w.Fatalf("differences %v, %v", all, err)
	}
	d := all[0]
	if want := "the meeting of " + organizer + ", on " + meetingAt(9, "", "").Start.UTC().Format("2006-01-02 15:04 UTC"); !strings.HasPrefix(d.Detail, want) {
		w.Errorf("detail %q, want %q at its beginning", d.Detail, want)
	}
	if d.Recommend != store.SideNeither || d.Why == "" {
		w.Errorf("recommended %q because of %q", d.Recommend, d.Why)
	}
	for _, use := range []string{UseBooking, UseCalendar} {
		done, err := w.engine.ResolveAll(w.Context(), tenant, []int64{d.ID, d.ID + 1000}, Resolution{Use: use}, true)
		if err != nil {
			w.Fatal(err)
		}
		if !strings.Contains(done[0].Refused, "can only be ignored") || done[1].Refused != fmt.Sprintf("there is no difference %d", d.ID+1000) {
			w.Errorf("use %s: refused %q and %q", use, done[0].Refused, done[1].Refused)
		}
	}
}

// Of two rooms of one meeting one is taken: the meeting is booked with the other, in whatever order the calendars are read.
func TestOneOfTwoRoomsIsTaken(t *testing.T) {
	for _, master := range []bool{true, false} {
		for _, order := range [][]string{{"room-a", "bob", "room-b"}, {"room-b", "bob", "room-a"}, {"bob", "room-a", "room-b"}} {
			t.Run(fmt.Sprint(master, order), func(t *testing.T) {
				rooms(t, func(w *world) {
					w.room("b", master)
					w.book("b1", noOneElse, func(b *booking.Booking) { b.Resources = []string{"room-b"} })
					w.pass("alice")
					w.invite(meetingAt(9, "m1", bob, roomA, roomB), roomA, roomB)
					for range 2 {
						for _, who := range order {
							w.pass(who)
						}
					}
					all := w.bookings()
					if len(all) != 2 {
						w.Fatalf("%d bookings: %q", len(all), w.changes())
					}
					for _, b := range all {
						if b.ID != "b1" && (!slices.Equal(b.Resources, []string{"room-a"}) || b.Location != "") {
							w.Errorf("resources %v, location %q", b.Resources, b.Location)
						}
					}
					if it := w.only(bob); len(it.Event.Attendees) != 3 {
						w.Errorf("the organizer's item has %v", it.Event.Attendees)
					}
					declined, listed := 0, 1
					if master {
						declined, listed = 1, 0
					}
					w.quiet(1 + declined)
					if n := w.differences(roomConflict); n != listed {
						w.Errorf("%d differences", n)
					}
					// A change of the booking leaves the other room invited.
					for _, b := range w.bookings() {
						if b.ID != "b1" {
							b.Attendees = []booking.Attendee{{Email: carol}}
							if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
								w.Fatal(err)
							}
						}
					}
					w.pass("bob")
					if it := w.only(bob); len(it.Event.Attendees) != 3 || it.Event.Attendees[0].Email != carol {
						w.Errorf("the organizer's item has %v", it.Event.Attendees)
					}
				})
			})
		}
	}
}

func TestAMeetingOfSomebodyElseIsMovedToATakenTime(t *testing.T) {
	for _, master := range []bool{true, false} {
		t.Run(fmt.Sprint("master ", master), func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", master)
				w.book("b1", noOneElse, at(11))
				w.pass("alice")
				refs := w.invite(meetingAt(9, "m1", outside, roomA), roomA)
				w.pass("room-a")
				w.server.edit(roomA, refs[0], func(ev *calendar.Event) { *ev = meetingAt(11, "m1", outside, roomA) })
				w.pass("room-a")
				w.pass("room-a")
				if master {
					w.theOne()
					w.quiet(2)
					w.none(roomA)
					return
				}
				w.quiet(1)
				all := w.bookings()
				if len(all) != 2 || all[1].Start.Hour() != 9 || !strings.Contains(all[1].SyncProblem, "room-a is taken by another booking") || w.differences(roomConflict) != 1 {
					w.Fatalf("bookings %v, %d differences", all, w.differences(roomConflict))
				}
				if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
					w.Fatal(err)
				}
				w.pass("room-a")
				if b := w.theOne(); b.Start.Hour() != 11 || b.SyncProblem != "" || w.differences(roomConflict) != 0 {
					w.Errorf("booking at %v, %q", b.Start, b.SyncProblem)
				}
			})
		})
	}
}

// A meeting in two rooms is moved to a time at which one of them is taken: the booking follows with the other, which is declined by
// nobody, in whatever order the calendars are read.
func TestAMeetingInTwoRoomsIsMovedToATimeAtWhichOneIsTaken(t *testing.T) {
	for _, master := range []bool{true, false} {
		for _, order := range [][]string{{"room-a", "room-b"}, {"room-b", "room-a"}} {
			t.Run(fmt.Sprint(master, order), func(t *testing.T) {
				rooms(t, func(w *world) {
					w.room("a", master)
					w.room("b", master)
					w.book("b1", noOneElse, at(11), func(b *booking.Booking) { b.Resources = []string{"room-b"} })
					w.pass("alice")
					refs := w.invite(meetingAt(9, "m1", outside, roomA, roomB), roomA, roomB)
					w.pass("room-a")
					w.pass("room-b")
					for i, room := range []string{roomA, roomB} {
						w.server.edit(room, refs[i], func(ev *calendar.Event) { *ev = meetingAt(11, "m1", outside, roomA, roomB) })
					}
					for range 3 {
						for _, who := range order {
							w.pass(who)
						}
					}
					all := w.bookings()
					if len(all) != 2 || all[1].Start.Hour() != 11 || !slices.Equal(all[1].Resources, []string{"room-a"}) || all[1].SyncProblem != "" {
						w.Fatalf("bookings %+v", all)
					}
					w.only(roomA)
					declined, listed := 0, 1
					if master {
						declined, listed = 1, 0
					}
					w.quiet(1 + declined)
					if declined > 0 && !strings.HasPrefix(w.server.mails[1], roomB) {
						w.Errorf("mails %q", w.server.mails)
					}
					if n := w.differences(roomConflict); n != listed {
						w.Errorf("%d differences", n)
					}
					if master {
						return
					}
					if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
						w.Fatal(err)
					}
					w.pass("room-b")
					if b := w.theOne(); !slices.Equal(b.Resources, []string{"room-a", "room-b"}) || w.differences(roomConflict) != 0 {
						w.Errorf("resources %v, %d differences", b.Resources, w.differences(roomConflict))
					}
				})
			})
		}
	}
}

func TestWhatTheBookingSystemSaysOfSomebodyElsesMeeting(t *testing.T) {
	for _, master := range []bool{true, false} {
		t.Run(fmt.Sprint("master ", master), func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", master)
				w.invite(meetingAt(9, "m1", outside, roomA), roomA)
				w.pass("room-a")
				b := w.theOne().Clone()
				b.Start, b.End = b.Start.Add(time.Hour), b.End.Add(time.Hour)
				if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
					w.Fatal(err)
				}
				w.pass("room-a")
				if w.differences(roomDiffers) != 1 || w.theOne().Start.Hour() != 10 {
					w.Errorf("%d differences", w.differences(roomDiffers))
				}
				b.Start, b.End = b.Start.Add(-time.Hour), b.End.Add(-time.Hour)
				if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
					w.Fatal(err)
				}
				w.pass("room-a")
				if w.differences(roomDiffers) != 0 {
					w.Error("the difference stays open")
				}
				w.quiet(0)
				if _, err := w.engine.Cancel(w.Context(), tenant, b.ID, booking.Match{}); err != nil {
					w.Fatal(err)
				}
				w.pass("room-a")
				if err := w.engine.Sync(w.Context(), tenant, "room-a", true); err != nil {
					w.Fatal(err)
				}
				w.pass("room-a")
				if n := len(w.bookings()); n != 0 {
					w.Errorf("%d bookings stand", n)
				}
				if master {
					w.quiet(1)
					w.none(roomA)
					return
				}
				w.quiet(0)
				w.only(roomA)
				if w.differences(roomUnbooked) != 1 {
					w.Errorf("%d differences", w.differences(roomUnbooked))
				}
			})
		})
	}
}

func TestAMeetingThatIsMovedBackFromATakenTimeIsNoProblem(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.invite(meetingAt(9, "m1", outside, roomA), roomA)
		w.pass("room-a")
		id := w.theOne().ID
		w.book("b1", at(14))
		move := func(h int) {
			w.server.edit(roomA, refs[0], func(ev *calendar.Event) {
				ev.Start, ev.End = ev.Start.Add(time.Duration(h)*time.Hour), ev.End.Add(time.Duration(h)*time.Hour)
			})
			w.pass("room-a")
		}
		move(5)
		if w.booking(id).SyncProblem == "" {
			w.Fatal("no problem")
		}
		move(-5)
		if p := w.booking(id).SyncProblem; p != "" || w.differences(roomConflict) != 0 {
			w.Errorf("moved back, and the problem is %q, conflicts %d", p, w.differences(roomConflict))
		}
	})
}
