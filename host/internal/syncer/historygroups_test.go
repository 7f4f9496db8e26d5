package syncer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

var teamOfTwo = []string{"bob of team@example.com", "carol of team@example.com"}

// Somebody adds a guest in Outlook to a meeting to which a distribution group is invited, and the booking system refuses that.
func TestARefusedGuestBesideAGroupIsTakenBack(t *testing.T) {
	each(t, func(w *world) {
		w.groups(map[string][]string{"team@example.com": {bob, carol}})
		w.book("b1", func(b *booking.Booking) { b.Attendees = nil })
		w.pass("alice")
		w.edited("alice", invite("team@example.com"))
		mails := len(w.server.mails)
		w.reject(w.edited("alice", invite("frank@example.com")), RolledBack)
		w.pass("alice")
		if got := attendees(w.booking("b1")); !slices.Equal(got, teamOfTwo) {
			w.Errorf("the booking has %q, want %q", got, teamOfTwo)
		}
		w.invites(w.only(alice).Event, "team")
		w.quiet(mails)
	})
}

// The same of a title: that the group is there is no reason to write its guests.
func TestARefusedTitleBesideAGroupIsTakenBackAlone(t *testing.T) {
	each(t, func(w *world) {
		w.groups(map[string][]string{"team@example.com": {bob, carol}})
		w.book("b1", func(b *booking.Booking) { b.Attendees = nil })
		w.pass("alice")
		w.edited("alice", invite("team@example.com"))
		seq := w.edited("alice", subject("Party"))
		w.edited("alice", invite("frank@example.com")) // by others, since
		w.reject(seq, RolledBack)
		w.pass("alice")
		if got := attendees(w.booking("b1")); !slices.Equal(got, append(slices.Clone(teamOfTwo), "frank")) || w.booking("b1").Title != "Planning" {
			w.Errorf("the booking %q has %q", w.booking("b1").Title, got)
		}
		w.invites(w.only(alice).Event, "frank", "team")
	})
}

// The invitation of a group itself is refused, while another one stays; then that of the other.
func TestARefusedGroupLeavesTheOther(t *testing.T) {
	each(t, func(w *world) {
		w.groups(map[string][]string{"team@example.com": {bob, carol}, "board@example.com": {"dave@example.com", "erin@example.com"}})
		w.book("b1", func(b *booking.Booking) { b.Attendees = nil })
		w.pass("alice")
		first := w.edited("alice", invite("team@example.com"))
		w.reject(w.edited("alice", invite("board@example.com")), RolledBack)
		w.pass("alice")
		w.invites(w.only(alice).Event, "team")
		w.reject(first, RolledBack)
		w.pass("alice")
		w.invites(w.only(alice).Event)
		if got := attendees(w.booking("b1")); len(got) > 0 {
			w.Errorf("the booking has %q", got)
		}
	})
}

// One occurrence has the series' group and a guest of its own, and another guest is refused.
func TestARefusedGuestOfAnOccurrenceLeavesItsGroup(t *testing.T) {
	each(t, func(w *world) {
		w.groups(map[string][]string{"team@example.com": {bob, carol}})
		w.book("b1", ruled(fiveDays), func(b *booking.Booking) { b.Attendees = nil })
		w.pass("alice")
		w.edited("alice", invite("team@example.com"))
		w.edited("alice", func(ev *calendar.Event) { changeOccurrence(ev, nth(1), invite("dave@example.com")) })
		w.reject(w.edited("alice", func(ev *calendar.Event) { changeOccurrence(ev, nth(1), invite("frank@example.com")) }), RolledBack)
		w.pass("alice")
		if got, want := attendeesOf(w.booking("b1"), 1), append(slices.Clone(teamOfTwo), "dave"); !slices.Equal(got, want) {
			w.Errorf("the occurrence has %q, want %q", got, want)
		}
		ev := w.only(alice).Event
		w.invites(ev, "team")
		w.invites(*ev.Exceptions[0].Event, "dave", "team")
	})
}

// A tool retitles all of a calendar. That is approved, found to be wrong, and undone: nothing of it concerned the guests, nor what they
// answered.
func TestUndoneMassChangesKeepTheGroup(t *testing.T) {
	each(t, func(w *world) {
		w.groups(map[string][]string{"team@example.com": {carol, "dave@example.com"}})
		w.many(12)
		first := w.server.items(alice)[0]
		w.server.edit(alice, first.Ref, invite("team@example.com"))
		w.server.edit(alice, first.Ref, func(ev *calendar.Event) {
			for i := range ev.Attendees {
				if ev.Attendees[i].Email == bob {
					ev.Attendees[i].Response = calendar.Accepted
				}
			}
		})
		w.dirty()
		w.pass("alice")
		guests := func() []string { return attendees(w.booking(first.ForeignKey)) }
		invited := func() string { return fmt.Sprint(w.itemAt(first.Ref).Event.Attendees) }
		before, asked := guests(), invited()
		for _, it := range w.server.items(alice) {
			w.server.edit(alice, it.Ref, subject("shifted by a tool"))
		}
		w.dirty()
		w.pass("alice")
		q := w.decideUnit(w.waiting(CalendarChanges, 12), Approve)
		mails := len(w.server.mails)
		w.decideUnit(q, Undo)
		w.are(12, 12, 12, "Planning")
		w.quiet(mails)
		if got := guests(); !slices.Equal(got, before) {
			w.Errorf("the booking has the guests %q after the undo, %q before all", got, before)
		}
		if got := invited(); got != asked {
			w.Errorf("the item invites %s after the undo, %s before all", got, asked)
		}
		changes, err := w.store.Changes(w.Context(), tenant, 0, 1000)
		if err != nil {
			w.Fatal(err)
		}
		last := ""
		for _, c := range changes {
			if c.Booking == first.ForeignKey {
				last = string(c.Data)
			}
		}
		if !strings.Contains(last, `"answer":"accepted"`) {
			w.Errorf("the feed tells the booking as if nobody had answered: %s", last)
		}
	})
}

// What follows in a series that was cut in two in Outlook has those of the group whom the booking had, whoever belongs to it by now.
func TestTheRestOfASeriesKeepsThoseOfItsGroup(t *testing.T) {
	each(t, func(w *world) {
		g := w.groups(map[string][]string{"team@example.com": {bob, carol}})
		w.book("b1", ruled(fiveDays), func(b *booking.Booking) { b.Attendees = nil })
		w.pass("alice")
		w.edited("alice", invite("team@example.com"))
		g.members["team@example.com"] = []string{"dave@example.com"}
		w.later(2 * groupHolds)
		first, mails := w.only(alice), len(w.server.mails)
		w.shorten(first, 4)
		ref := w.rest(first, cutOff{day: 4})
		for range 2 {
			w.pass("alice")
		}
		b := w.becameOne(ref, "FREQ=DAILY;COUNT=2")
		if got := attendees(b); !slices.Equal(got, teamOfTwo) {
			w.Errorf("the rest has %q, want %q", got, teamOfTwo)
		}
		w.invites(w.itemAt(ref).Event, "team")
		w.quiet(mails)
	})
}
