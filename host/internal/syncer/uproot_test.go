package syncer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

const married = "alice.married@example.com"

// renamed has alice's mailbox get another address; its items are the same, under the same references.
func (w *world) renamed() {
	w.server.mu.Lock()
	w.server.boxes[married] = w.server.boxes[alice]
	w.server.mu.Unlock()
}

// reached has alice's mailbox reached by an address, URL and sync mode from now on.
func (w *world) reached(change func(*directory.Person)) {
	w.Helper()
	p := directory.Person{Tenant: tenant, ID: "alice", Email: alice, DisplayName: "Alice", SyncMode: "Memory", Kind: directory.KindPerson}
	change(&p)
	if _, err := w.engine.PutPerson(w.Context(), p); err != nil {
		w.Fatal(err)
	}
}

func byAnotherAddress(p *directory.Person) { p.Email = married }

// places are the ways in which a mailbox comes to be reached at another place. In each of them the calendar is the same.
var places = map[string]func(*directory.Person){
	"address": byAnotherAddress,
	"URL":     func(p *directory.Person) { p.SyncURL = "https://new.example.com/" },
	"mode":    func(p *directory.Person) { p.SyncMode = "Other" },
}

// wholeModes are two modes by which calendars are read in full.
type wholeModes struct{ *twoModes }

func (t wholeModes) Mode(ctx context.Context, name, email string) (Mode, error) {
	m, err := t.twoModes.Mode(ctx, name, email)
	m.Everything = true
	return m, err
}

// elsewhere plays f once for each way in which alice's mailbox comes to be reached at another place by move.
func elsewhere(t *testing.T, f func(w *world, move func())) {
	for way, change := range places {
		t.Run(way, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.engine.Modes = wholeModes{m}
				f(w, func() {
					w.renamed()
					w.reached(change)
				})
			})
		})
	}
}

// A mailbox gets another address in Exchange, and Roomwire hears of it two days later. What its owner deleted in between waits for a word: her
// guests were told that it is off.
func TestWhatWasDeletedBeforeAnotherPlaceWasKnownWaitsForAWord(t *testing.T) {
	for decision, made := range map[string]int{Approve: 0, Discard: 1} {
		t.Run(decision, func(t *testing.T) {
			elsewhere(t, func(w *world, move func()) {
				w.booked(3)
				w.server.remove(alice, w.itemOf("b1.1").Ref)
				w.silently(func() {
					move()
					for range 3 {
						w.pass("alice")
						w.later(26 * time.Hour)
					}
				})
				if b := w.booking("b1"); b.Status != booking.Confirmed || len(w.server.items(alice)) != 2 {
					w.Fatalf("%s, %d items", b.Status, len(w.server.items(alice)))
				}
				mails := len(w.server.mails)
				w.decideUnit(w.waiting(CalendarDeletions, 1), decision)
				stands := w.booking("b1").Status == booking.Confirmed
				if len(w.server.items(alice)) != 2+made || stands != (made == 1) || len(w.server.mails) != mails {
					w.Errorf("%d items, stands %v, mails %v", len(w.server.items(alice)), stands, w.server.mails[mails:])
				}
			})
		})
	}
}

// Deletions that wait in quarantine are not made again by another place: they wait on.
func TestDeletionsInQuarantineWaitOnAtAnotherPlace(t *testing.T) {
	const n = 12
	elsewhere(t, func(w *world, move func()) {
		w.many(n)
		w.wipe(0, 6)
		w.dirty()
		w.pass("alice")
		w.waiting(CalendarDeletions, 6)
		w.silently(func() {
			move()
			w.pass("alice")
		})
		w.decideUnit(w.waiting(CalendarDeletions, 6), Approve)
		if got := w.standing(0, n); got != n-6 || len(w.server.items(alice)) != n-6 {
			w.Errorf("%d bookings and %d items, want %d", got, len(w.server.items(alice)), n-6)
		}
	})
}

// What waits for a word waits on when the person is moved to another sync mode after that.
func TestWhatWaitsSinceAnotherPlaceWaitsOnAcrossAMove(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		w.server.remove(alice, w.itemOf("b1.1").Ref)
		w.reached(places["URL"])
		w.pass("alice")
		w.waiting(CalendarDeletions, 1)
		w.silently(func() {
			w.ask("Other")
			w.pass("alice")
			w.mode("Other")
			w.full()
		})
		w.waiting(CalendarDeletions, 1)
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Errorf("booking = %+v", b)
		}
	})
}

// By a slip of the hand alice's address leads to somebody else's calendar. Nothing is made there, and once it is corrected everything is as before.
func TestASlipInAnAddressMakesNothingInAStrangersCalendar(t *testing.T) {
	each(t, func(w *world) {
		const stranger = "alicia@example.com"
		w.booked(3)
		w.server.add(stranger, calendar.Item{Event: calendar.Event{Subject: "Dentist", Start: w.now().Add(time.Hour), End: w.now().Add(2 * time.Hour)}})
		w.silently(func() {
			w.reached(func(p *directory.Person) { p.Email = stranger })
			w.pass("alice")
			w.only(stranger)
			w.waiting(CalendarDeletions, 3)
			if s := w.state("alice"); !strings.HasPrefix(s.Remedy, "see that the mailbox's address") {
				w.Errorf("remedy: %s", s.Remedy)
			}
			w.reached(func(*directory.Person) {})
			w.pass("alice")
		})
		if s := w.state("alice"); s.Status != store.StatusOK {
			w.Errorf("state = %+v", s)
		}
		for id, l := range w.links() {
			if l.State != store.LinkLive || l.Ref == "" || !l.GoneAt.IsZero() {
				w.Errorf("%s: %+v", id, l)
			}
		}
	})
}

// A booking is changed whose item was deleted before the new place was known: as ever, the item is made, and the deletion is listed.
func TestAChangeOfWhatWasDeletedBeforeAnotherPlaceIsListed(t *testing.T) {
	elsewhere(t, func(w *world, move func()) {
		w.booked(3)
		w.server.remove(alice, w.itemOf("b1.1").Ref)
		move()
		w.rebook("b1", at(15))
		w.pass("alice")
		w.pass("alice")
		w.one(editLost)
		if it := w.itemOf("b1.1"); it.Event.Start.Hour() != 15 || len(w.server.items(alice)) != 3 {
			w.Errorf("%d items, it is at %s", len(w.server.items(alice)), it.Event.Start)
		}
		if s := w.state("alice"); s.Status != store.StatusOK {
			w.Errorf("state = %+v", s)
		}
	})
}

// What is over by the time when another place is reached and is not there any more puts nothing at stake.
func TestNothingIsAskedAboutWhatIsOverAtAnotherPlace(t *testing.T) {
	elsewhere(t, func(w *world, move func()) {
		w.booked(2)
		w.book("later", func(b *booking.Booking) { b.Start, b.End = b.Start.AddDate(1, 0, 0), b.End.AddDate(1, 0, 0) })
		w.pass("alice")
		for _, key := range []string{"b0.1", "b1.1"} {
			w.server.remove(alice, w.itemOf(key).Ref)
		}
		w.later(60 * 24 * time.Hour)
		w.silently(func() {
			move()
			w.pass("alice")
		})
		if s := w.state("alice"); s.Status != store.StatusOK || len(w.allOpen()) > 0 {
			w.Errorf("state = %+v, open %+v", s, w.allOpen())
		}
		w.only(alice)
	})
}

// An empty calendar is filled, whoever of its items is known by what.
func TestAnEmptyCalendarIsFilled(t *testing.T) {
	each(t, func(w *world) {
		w.takenOver()
		w.book("made", at(12))
		w.pass("alice")
		mails := len(w.server.mails)
		w.reached(byAnotherAddress)
		w.pass("alice")
		w.pass("alice")
		if got := len(w.server.items(married)); got != 2 || len(w.server.mails) != mails {
			w.Errorf("%d items, mails %v", got, w.server.mails[mails:])
		}
		if got := w.timeline("alice"); strings.Count(got, "calendar empty") != 1 {
			w.Errorf("timeline: %s", got)
		}
		if s := w.state("alice"); s.Status != store.StatusOK || len(w.allOpen()) > 0 {
			w.Errorf("state = %+v, open %+v", s, w.allOpen())
		}
	})
}

// A calendar that its owner empties later is none that is to be filled.
func TestWhatWaitsForAWordIsNotMadeWhenTheCalendarIsEmptied(t *testing.T) {
	each(t, func(w *world) {
		w.booked(3)
		w.server.remove(alice, w.itemOf("b1.1").Ref)
		w.reached(places["URL"])
		w.pass("alice")
		w.waiting(CalendarDeletions, 1)
		w.silently(func() {
			for _, it := range w.server.items(alice) {
				w.server.remove(alice, it.Ref)
			}
			w.full()
		})
		w.none(alice)
		w.waiting(CalendarDeletions, 1)
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Errorf("booking = %+v", b)
		}
	})
}

// Cancellations that wait for somebody's word wait on in their unit, and who was invited hears of them.
func TestCancellationsInQuarantineAreToldAtAnotherPlace(t *testing.T) {
	const n = 12
	for _, decision := range []string{Approve, Discard, Undo} {
		t.Run(decision, func(t *testing.T) {
			elsewhere(t, func(w *world, move func()) {
				w.many(n)
				for i := range n {
					w.cancel(fmt.Sprintf("b%02d", i))
				}
				w.pass("alice")
				q, mails := w.waiting(BookingCancellations, n), len(w.server.mails)
				move()
				w.pass("alice")
				if now := w.waiting(BookingCancellations, n); now.ID != q.ID {
					w.Errorf("unit %d, before %d", now.ID, q.ID)
				}
				if decision == Discard {
					w.decideUnit(q, Discard)
					w.are(n, n, n, "Planning")
					if len(w.server.mails) != mails {
						w.Errorf("mails %v", w.server.mails[mails:])
					}
					return
				}
				q = w.decideUnit(q, Approve)
				w.none(alice)
				if got := len(w.server.mails) - mails; got != n {
					w.Errorf("%d cancellations were told, want %d", got, n)
				}
				if decision == Undo {
					w.decideUnit(q, Undo)
					w.are(n, n, n, "Planning")
				}
			})
		})
	}
}

// So do those that were approved, or need no word, and that could not be carried out before the mailbox was reached at another place. Nobody is
// asked again.
func TestCancellationsThatAreDueAreToldAtAnotherPlace(t *testing.T) {
	const n = 12
	for name, some := range map[string]int{"few": 2, "approved": n} {
		t.Run(name, func(t *testing.T) {
			elsewhere(t, func(w *world, move func()) {
				w.many(n)
				for i := range some {
					w.cancel(fmt.Sprintf("b%02d", i))
				}
				if some == n {
					w.pass("alice")
					if _, err := w.engine.DecideQuarantine(w.Context(), tenant, w.waiting(BookingCancellations, n).ID, Approve); err != nil {
						w.Fatal(err)
					}
				}
				mails := len(w.server.mails)
				move()
				w.pass("alice")
				if got := len(w.server.mails) - mails; got != some || len(w.server.items(alice)) != n-some {
					w.Errorf("%d cancellations were told, want %d; %d items are left", got, some, len(w.server.items(alice)))
				}
				if s := w.state("alice"); s.Status != store.StatusOK {
					w.Errorf("state = %+v", s)
				}
			})
		})
	}
}

// A change that could not be written before the mailbox was reached at another place is written and told there, and so is a new booking.
func TestChangesThatAreDueAreToldAtAnotherPlace(t *testing.T) {
	elsewhere(t, func(w *world, move func()) {
		w.booked(2)
		w.rebook("b1", at(15))
		w.book("new", at(17))
		mails := len(w.server.mails)
		move()
		w.pass("alice")
		w.pass("alice")
		if got := len(w.server.mails) - mails; got != 2 || len(w.server.items(alice)) != 3 || w.itemOf("b1.1").Event.Start.Hour() != 15 {
			w.Errorf("%d mails, %d items, %s", got, len(w.server.items(alice)), w.itemOf("b1.1").Event.Start)
		}
		if len(w.allOpen()) > 0 {
			w.Errorf("open: %+v", w.allOpen())
		}
	})
}

// The organizer deleted a meeting before her mailbox was reached at another place, and its room's copy went with it. That the room declined is no
// more true than that she did not delete it: the booking stands as it is until somebody decides.
func TestAMeetingThatWasDeletedBeforeAnotherPlaceIsDeclinedByNoRoom(t *testing.T) {
	for _, first := range []string{"alice", "room-a"} {
		t.Run(first, func(t *testing.T) {
			rooms(t, func(w *world) {
				refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
				w.server.add(alice, calendar.Item{Event: calendar.Event{Subject: "Dentist", Start: w.now().Add(time.Hour), End: w.now().Add(2 * time.Hour)}})
				w.around(3, "room-a", "alice")
				b, mails := w.theOne(), len(w.server.mails)
				w.server.remove(alice, refs[0])
				w.server.remove(roomA, refs[1])
				w.reached(places["URL"])
				w.pass(first)
				w.around(2, "alice", "room-a")
				now := w.booking(b.ID)
				if a, _ := now.Answer("room-a"); now.Status != booking.Confirmed || len(now.Resources) != 1 || a.State == booking.AnswerDeclined {
					w.Fatalf("booking = %+v", now)
				}
				w.decideUnit(w.waiting(CalendarDeletions, 1), Approve)
				if now := w.booking(b.ID); now.Status != booking.Cancelled || len(w.server.mails) != mails {
					w.Errorf("booking = %+v, mails %v", now, w.server.mails[mails:])
				}
			})
		})
	}
}

// By a slip alice's address led to somebody else's calendar, and the bookings whose items were missing there were cancelled. When that is undone,
// or the bookings are put again, they have their items again, whenever the address is corrected. Nobody is invited once more.
func TestWhatWasCancelledForASlipInAnAddressIsNotDoubled(t *testing.T) {
	for name, c := range map[string]struct{ undone, early bool }{
		"undone": {undone: true}, "undone before it is corrected": {undone: true, early: true}, "put again": {},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				const n, stranger = 3, "alicia@example.com"
				w.booked(n)
				mails := len(w.server.mails)
				w.server.add(stranger, calendar.Item{Event: calendar.Event{Subject: "Dentist", Start: w.now().Add(time.Hour), End: w.now().Add(2 * time.Hour)}})
				w.reached(func(p *directory.Person) { p.Email = stranger })
				w.pass("alice")
				q := w.decideUnit(w.waiting(CalendarDeletions, n), Approve)
				if !c.early {
					w.reached(func(*directory.Person) {})
					w.pass("alice")
					if got := w.differences(unlinkedLeftAlone); got != n {
						w.Errorf("%d items of cancelled bookings are listed, want %d: %+v", got, n, w.allOpen())
					}
				}
				if c.undone {
					w.decideUnit(q, Undo)
				} else {
					for i := range n {
						w.rebook(fmt.Sprintf("b%d", i))
					}
				}
				w.reached(func(*directory.Person) {})
				w.daysOf("alice")
				if got := len(w.server.items(alice)); got != n || len(w.server.mails) != mails || w.booking("b1").Status != booking.Confirmed {
					w.Errorf("%d items, mails %v", got, w.mailedSince(mails))
				}
			})
		})
	}
}
