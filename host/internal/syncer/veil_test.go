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
)

// busy has private bookings and items of the world be busy blocks on the other side, or no longer.
func (w *world) busy(on bool) {
	w.engine.PrivateBusy = func(string) bool { return on }
}

func dentist(b *booking.Booking) {
	b.Title, b.Notes, b.Location, b.Class, b.Attendees = "Dentist", "bring the x-rays", "Mill Lane 3", booking.Private, nil
}

// shows checks what alice's only item says.
func (w *world) shows(title, notes, location string) calendar.Event {
	w.Helper()
	ev := w.only(alice).Event
	if ev.Subject != title || ev.Body != notes || ev.Location != location {
		w.Errorf("the item says %q, %q at %q, want %q, %q at %q", ev.Subject, ev.Body, ev.Location, title, notes, location)
	}
	return ev
}

// holds checks that a booking has the words of dentist.
func (w *world) holds(id, title string) *booking.Booking {
	w.Helper()
	b := w.booking(id)
	if b.Title != title || b.Notes != "bring the x-rays" || b.Location != "Mill Lane 3" || b.Class != booking.Private {
		w.Errorf("the booking says %q, %q at %q, %s", b.Title, b.Notes, b.Location, b.Class)
	}
	return b
}

// untold checks that a word of somebody's calendar came nowhere into the booking system.
func (w *world) untold(words ...string) {
	w.Helper()
	var said strings.Builder
	changes, err := w.store.Changes(w.Context(), tenant, 0, 1000)
	if err != nil {
		w.Fatal(err)
	}
	for _, c := range changes {
		said.Write(c.Data)
	}
	for _, b := range w.bookings() {
		links, err := w.store.LinksOfBooking(w.Context(), tenant, b.ID)
		if err != nil {
			w.Fatal(err)
		}
		for _, l := range links {
			said.Write(l.Base)
			said.Write(l.Sent)
		}
		fmt.Fprintf(&said, "%+v", b)
	}
	differences, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{IncludeClosed: true})
	if err != nil {
		w.Fatal(err)
	}
	activities, err := w.store.Activities(w.Context(), tenant, "", "", 0)
	if err != nil {
		w.Fatal(err)
	}
	fmt.Fprintf(&said, "%+v%+v", differences, activities)
	for _, word := range words {
		if strings.Contains(said.String(), word) {
			w.Errorf("%q is in what is stored or told", word)
		}
	}
}

func TestAPrivateBookingIsABusyBlock(t *testing.T) {
	each(t, func(w *world) {
		w.busy(true)
		w.book("b1", dentist)
		w.pass("alice")
		ev := w.shows("Private", "", "Room A")
		if ev.Class != calendar.Private || len(ev.Attendees) != 1 || ev.Attendees[0].Email != "room-a@example.com" {
			w.Errorf("item %+v", ev)
		}
		// Whatever the booking system calls it, and whatever its owner does: neither is told the other's words.
		writes := w.server.writes
		w.rebook("b1", func(b *booking.Booking) { b.Title = "Surgeon" })
		w.pass("alice")
		if w.server.writes != writes {
			w.Errorf("%d writes for words that are not shown", w.server.writes-writes)
		}
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) {
			e.Subject, e.Body, e.Location = "root canal", "no breakfast", "by bus"
			e.Start, e.End = e.Start.Add(2*time.Hour), e.End.Add(2*time.Hour)
		})
		w.pass("alice")
		w.full()
		b := w.holds("b1", "Surgeon")
		if b.Start.Hour() != 11 {
			w.Errorf("the booking begins at %s", b.Start)
		}
		w.shows("root canal", "no breakfast", "by bus")
		w.rebook("b1", func(b *booking.Booking) {
			b.Start, b.End, b.Resources = b.Start.Add(time.Hour), b.End.Add(time.Hour), []string{"room-b"}
		})
		w.pass("alice")
		if ev := w.shows("root canal", "no breakfast", "by bus"); ev.Start.Hour() != 12 || ev.Attendees[0].Email != "room-b@example.com" {
			w.Errorf("item %+v", ev)
		}
		w.untold("root canal", "no breakfast", "by bus")
		if n := w.differences(editLost); n != 0 {
			w.Errorf("%d edits lost", n)
		}
		// Deleting it cancels the booking, which was retitled since.
		w.rebook("b1", func(b *booking.Booking) { b.Title = "Dentist" })
		w.server.remove(alice, w.only(alice).Ref)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("the booking is %s", b.Status)
		}
		w.none(alice)
	})
}

func TestPeopleInvitedToSomethingPrivateAreToldToWhat(t *testing.T) {
	each(t, func(w *world) {
		w.busy(true)
		w.book("b1", dentist, func(b *booking.Booking) { b.Attendees = []booking.Attendee{{Email: bob}} })
		w.pass("alice")
		w.shows("Dentist", "", "Mill Lane 3")
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { e.Subject, e.Body = "Dentist at ten", "no breakfast" })
		w.pass("alice")
		w.holds("b1", "Dentist at ten")
		w.untold("no breakfast")
		// Without them it is nobody else's business again, but its owner's words stay.
		w.rebook("b1", func(b *booking.Booking) { b.Attendees, b.Title = nil, "Dentist" })
		w.pass("alice")
		w.full()
		w.shows("Private", "no breakfast", "Room A")
		// Somebody is invited in the calendar: the title is told again.
		w.server.edit(alice, w.only(alice).Ref, invite(bob))
		w.pass("alice")
		w.full()
		w.shows("Dentist", "no breakfast", "Mill Lane 3")
		if b := w.holds("b1", "Dentist"); len(b.Attendees) != 1 {
			w.Errorf("booking %+v", b)
		}
	})
}

func TestThePolicyOfPrivateItemsMayChange(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", dentist)
		w.book("b2", dentist, at(12))
		w.pass("alice")
		b2 := w.itemOf("b2.1").Ref
		w.server.edit(alice, b2, func(e *calendar.Event) { e.Body = "my own words" })
		w.pass("alice")
		w.server.mails = nil
		w.busy(true)
		w.full()
		for _, key := range []string{"b1.1", "b2.1"} {
			if ev := w.itemOf(key).Event; ev.Subject != "Private" || ev.Location != "Room A" || strings.Contains(ev.Body, "x-rays") {
				w.Errorf("%s is still told: %+v", key, ev)
			}
		}
		if ev := w.itemOf("b2.1").Event; ev.Body != "my own words" {
			w.Errorf("the owner's words are %q", ev.Body)
		}
		w.busy(false)
		w.full()
		w.full()
		for _, id := range []string{"b1", "b2"} {
			w.holds(id, "Dentist")
			if ev := w.itemOf(id + ".1").Event; ev.Subject != "Dentist" || ev.Location != "Mill Lane 3" {
				w.Errorf("%s is not told again: %+v", id, ev)
			}
		}
		if ev := w.itemOf("b1.1").Event; ev.Body != "bring the x-rays" {
			w.Errorf("notes %q", ev.Body)
		}
		if ev := w.itemOf("b2.1").Event; ev.Body != "my own words" {
			w.Errorf("the owner's words are %q", ev.Body)
		}
		w.quiet(0)
		if n := w.differences(editLost); n != 1 { // the notes of b2 have no place beside the owner's words
			w.Errorf("%d edits lost", n)
		}
	})
}

func TestABookingMadePrivateInOutlookIsABusyBlock(t *testing.T) {
	each(t, func(w *world) {
		w.busy(true)
		w.book("b1", dentist, func(b *booking.Booking) { b.Class = booking.Public })
		w.pass("alice")
		w.shows("Dentist", "bring the x-rays", "Mill Lane 3")
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { e.Class, e.Subject = calendar.Private, "root canal" })
		w.pass("alice")
		w.holds("b1", "Dentist")
		w.shows("root canal", "", "Room A")
		w.untold("root canal")
		w.rebook("b1", func(b *booking.Booking) { b.Class = booking.Public })
		w.pass("alice")
		w.full()
		w.shows("Dentist", "bring the x-rays", "Mill Lane 3")
		if n := w.differences(editLost); n != 1 { // the owner's title gave way
			w.Errorf("%d edits lost", n)
		}
	})
}

func TestAPrivateSeriesIsBusyBlocks(t *testing.T) {
	each(t, func(w *world) {
		w.busy(true)
		w.book("b1", dentist, ruled(fiveDays), with(retitled(1, "Check-up"), rehoused(3, 14)))
		w.pass("alice")
		told := func() (titles []string) {
			ev := w.only(alice).Event
			titles = append(titles, ev.Subject)
			for _, x := range ev.Exceptions {
				if x.Event == nil {
					titles = append(titles, "out")
				} else {
					titles = append(titles, x.Event.Subject)
				}
			}
			return titles
		}
		if got := told(); !slices.Equal(got, []string{"Private", "Private"}) {
			w.Fatalf("told %q", got)
		}
		w.inOutlook(2, func(e *calendar.Event) { e.Subject = "root canal" })
		w.inOutlook(4, func(e *calendar.Event) { e.Start, e.End = e.Start.Add(time.Hour), e.End.Add(time.Hour) })
		w.pass("alice")
		w.full()
		b := w.holds("b1", "Dentist")
		if x := b.Exception(nth(1)); x == nil || x.Title == nil || *x.Title != "Check-up" {
			w.Errorf("the second occurrence lost its title: %+v", b.Exceptions)
		}
		if x := b.Exception(nth(4)); x == nil || x.Start == nil || x.Title != nil {
			w.Errorf("the fifth occurrence was not moved: %+v", b.Exceptions)
		}
		w.rebook("b1", func(b *booking.Booking) { b.SetException(leftOut(0)) })
		w.pass("alice")
		if got := told(); !slices.Equal(got, []string{"Private", "out", "root canal", "Private", "Private"}) {
			w.Errorf("told %q", got)
		}
		w.untold("root canal")
		w.busy(false)
		w.full()
		w.full()
		if got := told(); !slices.Contains(got, "Check-up") || got[0] != "Dentist" {
			w.Errorf("told %q", got)
		}
		w.holds("b1", "Dentist")
	})
}

func TestAPrivateMeetingBooksItsRoomWithoutWords(t *testing.T) {
	rooms(t, func(w *world) {
		w.busy(true)
		ev := meetingAt(9, "m1", outside, roomA)
		ev.Subject, ev.Location, ev.Class, ev.Attendees = "root canal", "by bus", calendar.Private, ev.Attendees[1:]
		w.invite(ev, roomA)
		w.pass("room-a")
		list := w.bookings()
		if len(list) != 1 || list[0].Title != "Private" || list[0].Location != "" || list[0].Class != booking.Private {
			w.Fatalf("bookings %+v", list)
		}
		w.server.edit(roomA, w.only(roomA).Ref, func(e *calendar.Event) {
			e.Subject, e.Start, e.End = "no breakfast", e.Start.Add(time.Hour), e.End.Add(time.Hour)
		})
		w.pass("room-a")
		if list = w.bookings(); list[0].Title != "Private" || list[0].Start.Hour() != 10 {
			w.Errorf("booking %+v", list[0])
		}
		w.untold("root canal", "no breakfast", "by bus")
	})
}

func TestAnOccurrenceOfAPrivateMeetingIsMovedInARoomWithoutWords(t *testing.T) {
	rooms(t, func(w *world) {
		w.busy(true)
		ev := weekly(9, 4, "m1", outside, roomA)
		ev.Subject, ev.Class, ev.Attendees = "root canal", calendar.Private, ev.Attendees[1:]
		refs := w.invite(ev, roomA)
		w.pass("room-a")
		w.server.edit(roomA, refs[0], func(ev *calendar.Event) {
			is := one(ev, week(1, 9))
			is.Start, is.End, is.Subject = week(1, 14), week(1, 15), "second tooth"
			exceptAt(ev, week(1, 9), is)
		})
		w.pass("room-a")
		wantTimes(w, w.theOne(), "room-a", "12-01T09", "12-08T14", "12-15T09", "12-22T09")
		w.untold("root canal", "second tooth")
	})
}
