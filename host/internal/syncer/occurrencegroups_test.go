package syncer

import (
	"slices"
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
)

// ungrouped are the guests of a booking as a caller may say them, who need not say through which group they come.
func ungrouped(list []booking.Attendee) *[]booking.Attendee {
	list = slices.Clone(list)
	for i := range list {
		list[i].Group, list[i].Role = "", ""
	}
	return &list
}

// teamSeries makes a series to which a group is invited in Outlook.
func (w *world) teamSeries() *booking.Booking {
	w.Helper()
	w.groups(map[string][]string{"team@example.com": {bob, carol}})
	w.book("b1", ruled(fiveDays), func(b *booking.Booking) { b.Attendees = nil })
	w.pass("alice")
	w.edited("alice", invite("team@example.com"))
	b := w.booking("b1")
	if got := attendees(b); !slices.Equal(got, teamOfTwo) {
		w.Fatalf("%q", got)
	}
	return b
}

// The booking system gives one occurrence another title, and says all else as it was told: the guests without their group. That is
// the same whether it puts the occurrence or the whole booking.
func TestAnOccurrencePutBackKeepsTheGroup(t *testing.T) {
	for _, by := range []string{"booking", "occurrence"} {
		t.Run(by, func(t *testing.T) {
			each(t, func(w *world) {
				b := w.teamSeries()
				mails := len(w.server.mails)
				title := "Retrospective"
				x := booking.Exception{Occurrence: nth(1), Title: &title, Attendees: ungrouped(b.Attendees)}
				var err error
				if by == "occurrence" {
					_, err = w.putOccurrence("b1", x)
				} else {
					next := b.Clone()
					next.Attendees, next.Exceptions = *ungrouped(b.Attendees), []booking.Exception{x}
					_, err = w.put(next, booking.Refuse)
				}
				if err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
				if x := w.booking("b1").Exception(nth(1)); x == nil || x.Attendees != nil || *x.Title != title {
					w.Errorf("the occurrence is %+v", x)
				}
				ev := w.only(alice).Event
				w.invites(ev, "team")
				w.invites(*ev.Exceptions[0].Event, "team")
				w.quiet(mails)
			})
		})
	}
}

// An occurrence with a guest of its own is put back with that guest, with another one, and without one of the group.
func TestAnOccurrenceWithGuestsOfItsOwnKeepsTheGroup(t *testing.T) {
	each(t, func(w *world) {
		b := w.teamSeries()
		frank, dave := booking.Attendee{Email: "frank@example.com"}, booking.Attendee{Email: "dave@example.com"}
		put := func(list *[]booking.Attendee) {
			w.Helper()
			if _, err := w.putOccurrence("b1", booking.Exception{Occurrence: nth(1), Attendees: list}); err != nil {
				w.Fatal(err)
			}
			w.pass("alice")
		}
		guests := func(want ...string) {
			w.Helper()
			if got := attendeesOf(w.booking("b1"), 1); !slices.Equal(got, want) {
				w.Errorf("the occurrence has %q, want %q", got, want)
			}
		}
		withFrank := append(*ungrouped(b.Attendees), frank)
		put(&withFrank)
		guests(append(slices.Clone(teamOfTwo), "frank")...)
		w.invites(*w.only(alice).Event.Exceptions[0].Event, "frank", "team")

		version, mails, writes := w.booking("b1").Version, len(w.server.mails), w.server.writes
		put(ungrouped(withFrank))
		if v := w.booking("b1").Version; v != version || w.server.writes != writes {
			w.Errorf("put as it is, it has version %d after %d, and %d writes", v, version, w.server.writes-writes)
		}
		w.quiet(mails)

		withDave := append(*ungrouped(b.Attendees), dave)
		put(&withDave)
		w.invites(*w.only(alice).Event.Exceptions[0].Event, "dave", "team")
		put(&[]booking.Attendee{{Email: carol}, dave})
		guests("carol", "dave")
		w.invites(*w.only(alice).Event.Exceptions[0].Event, "carol", "dave")
		w.invites(w.only(alice).Event, "team")
	})
}

// The series gets the guests that one occurrence had already: that has none of its own any more, and the next put is no change.
func TestAnOccurrenceHasNoGuestsOfItsOwnWhoAreTheSeries(t *testing.T) {
	each(t, func(w *world) {
		b := w.teamSeries()
		all := append(*ungrouped(b.Attendees), booking.Attendee{Email: "frank@example.com"})
		if _, err := w.putOccurrence("b1", booking.Exception{Occurrence: nth(1), Attendees: &all}); err != nil {
			w.Fatal(err)
		}
		for range 2 {
			next := w.booking("b1")
			next.Attendees, next.Exceptions, next.ExceptionsUnsaid = *ungrouped(all), nil, true
			if _, err := w.put(next, booking.Refuse); err != nil {
				w.Fatal(err)
			}
			w.pass("alice")
		}
		if b := w.booking("b1"); len(b.Exceptions) != 0 || b.Version != 4 {
			w.Errorf("version %d with the exceptions %+v", b.Version, b.Exceptions)
		}
		w.invites(w.only(alice).Event, "frank", "team")
	})
}
