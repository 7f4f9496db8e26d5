package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// withGroups is a mode whose server knows distribution groups.
type withGroups struct {
	oneMode
	members map[string][]string
	trouble error
	asked   []string
}

func (g *withGroups) Mode(ctx context.Context, name, address string) (Mode, error) {
	m, err := g.oneMode.Mode(ctx, name, address)
	m.Groups = g
	return m, err
}

func (g *withGroups) Members(_ context.Context, _ backend.Mailbox, group string) ([]calendar.Address, error) {
	g.asked = append(g.asked, group)
	if g.trouble != nil {
		return nil, g.trouble
	}
	var out []calendar.Address
	for _, m := range g.members[group] {
		out = append(out, calendar.Address{Email: m})
	}
	if out == nil {
		return nil, fmt.Errorf("%s is no group: %w", group, fault.NotFound)
	}
	return out, nil
}

func (w *world) groups(members map[string][]string) *withGroups {
	g := &withGroups{oneMode: oneMode{m: w.server}, members: members}
	w.engine.Modes = g
	limits := DefaultLimits()
	limits.ResolveGroups = true
	w.engine.SetLimits(limits)
	return g
}

// attendees are a booking's, each with the group that stands for it.
func attendees(b *booking.Booking) []string {
	var out []string
	for _, a := range b.Attendees {
		name, _, _ := strings.Cut(a.Email, "@")
		if a.Group != "" {
			name += " of " + a.Group
		}
		out = append(out, name)
	}
	return out
}

func (w *world) invites(e calendar.Event, want ...string) {
	w.Helper()
	var got []string
	for _, a := range e.Attendees {
		if a.Role != calendar.Resource {
			name, _, _ := strings.Cut(strings.ToLower(a.Email), "@")
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.Errorf("the item invites %q, want %q", got, want)
	}
}

func invite(email string) func(*calendar.Event) {
	return func(e *calendar.Event) {
		e.Attendees = append(e.Attendees, calendar.Attendee{Address: calendar.Address{Email: email}})
	}
}

func TestAGroupIsItsMembersInTheBookingAndStaysAGroupInTheItem(t *testing.T) {
	each(t, func(w *world) {
		g := w.groups(map[string][]string{"team@example.com": {bob, carol, alice, "dave@example.com"}})
		w.book("b1", func(b *booking.Booking) { b.Attendees = nil })
		w.pass("alice")
		ref := w.only(alice).Ref
		w.server.edit(alice, ref, invite("Team@example.com"))
		for range 2 {
			w.pass("alice")
		}
		b := w.booking("b1")
		want := []string{"bob of team@example.com", "carol of team@example.com", "dave of team@example.com"} // the organizer is no guest
		if got := attendees(b); !slices.Equal(got, want) || b.Version != 2 {
			w.Fatalf("%q in version %d, want %q", got, b.Version, want)
		}
		w.invites(w.only(alice).Event, "team")

		// Who belongs to it later is nobody's edit.
		g.members["team@example.com"] = []string{"erin@example.com"}
		w.later(2 * groupHolds)
		w.server.edit(alice, ref, func(e *calendar.Event) { e.Subject = "Another" })
		w.pass("alice")
		if b := w.booking("b1"); !slices.Equal(attendees(b), want) || b.Title != "Another" || b.Version != 3 {
			w.Errorf("%q in version %d", attendees(b), b.Version)
		}

		// The booking system puts what it was told: nothing changes.
		put := func(change func(*booking.Booking)) {
			w.Helper()
			b := w.booking("b1")
			for i := range b.Attendees {
				b.Attendees[i].Group = ""
			}
			change(b)
			if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
				w.Fatal(err)
			}
			w.pass("alice")
		}
		writes := w.server.writes
		put(func(*booking.Booking) {})
		if b := w.booking("b1"); !slices.Equal(attendees(b), want) || b.Version != 3 || w.server.writes != writes {
			w.Errorf("%q in version %d after %d writes", attendees(b), b.Version, w.server.writes-writes)
		}
		put(func(b *booking.Booking) {
			b.Attendees = append(b.Attendees, booking.Attendee{Email: "frank@example.com"})
		})
		w.invites(w.only(alice).Event, "frank", "team")

		// Without one of them the others are invited by themselves.
		put(func(b *booking.Booking) {
			b.Attendees = slices.DeleteFunc(b.Attendees, func(a booking.Attendee) bool { return a.Email == bob })
		})
		w.invites(w.only(alice).Event, "carol", "dave", "frank")
		if got := attendees(w.booking("b1")); !slices.Equal(got, []string{"carol", "dave", "frank"}) {
			w.Errorf("%q", got)
		}
	})
}

func TestAGroupThatCannotBeLookedIntoIsOneAttendee(t *testing.T) {
	each(t, func(w *world) {
		g := w.groups(nil)
		g.trouble = fmt.Errorf("not permitted: %w", fault.Forbidden)
		w.book("b1", func(b *booking.Booking) { b.Attendees = nil })
		w.pass("alice")
		ref := w.only(alice).Ref
		w.server.edit(alice, ref, invite("team@example.com"))
		w.server.edit(alice, ref, invite(bob)) // whom the directory knows
		for range 3 {
			w.pass("alice")
		}
		if got := attendees(w.booking("b1")); !slices.Equal(got, []string{"bob", "team"}) {
			w.Errorf("%q", got)
		}
		if !slices.Equal(g.asked, []string{"team@example.com"}) {
			w.Errorf("asked about %q, want once about what may be a group", g.asked)
		}
		w.invites(w.only(alice).Event, "bob", "team")
		if s := w.state("alice"); s.Status != "ok" {
			w.Errorf("state = %+v", s)
		}
	})
}

func TestGroupsAreLeftAloneUnlessWished(t *testing.T) {
	each(t, func(w *world) {
		g := w.groups(map[string][]string{"team@example.com": {bob}})
		w.engine.SetLimits(DefaultLimits())
		w.book("b1", func(b *booking.Booking) { b.Attendees = nil })
		w.pass("alice")
		w.server.edit(alice, w.only(alice).Ref, invite("team@example.com"))
		w.pass("alice")
		if got := attendees(w.booking("b1")); !slices.Equal(got, []string{"team"}) || len(g.asked) > 0 {
			w.Errorf("%q, asked about %q", got, g.asked)
		}
	})
}

// attendeesOf are those of one occurrence of a booking alone; nil: it has the series'.
func attendeesOf(b *booking.Booking, n int) []string {
	if x := b.Exception(nth(n)); x != nil && x.Attendees != nil {
		return attendees(&booking.Booking{Attendees: *x.Attendees})
	}
	return nil
}

func TestAGroupIsItsMembersInEachOccurrenceOfASeries(t *testing.T) {
	each(t, func(w *world) {
		g := w.groups(map[string][]string{"team@example.com": {bob, "dave@example.com"}, "board@example.com": {"erin@example.com"}})
		w.book("b1", ruled(fiveDays), func(b *booking.Booking) { b.Attendees = nil })
		w.pass("alice")
		w.server.edit(alice, w.only(alice).Ref, invite("team@example.com"))
		w.pass("alice")
		w.inOutlook(1, invite("frank@example.com")) // beside the group of the series
		w.inOutlook(2, invite("Board@example.com")) // another group
		w.inOutlook(3, func(ev *calendar.Event) { ev.Subject = "Alone" })
		for range 2 {
			w.pass("alice")
		}
		team := []string{"bob of team@example.com", "dave of team@example.com"}
		wants := func(when string) {
			w.Helper()
			b := w.booking("b1")
			if got := attendees(b); !slices.Equal(got, team) {
				w.Errorf("%s: the series has %q", when, got)
			}
			if got := attendeesOf(b, 1); !slices.Equal(got, append(slices.Clone(team), "frank")) {
				w.Errorf("%s: the second occurrence has %q", when, got)
			}
			if got := attendeesOf(b, 2); !slices.Equal(got, append(slices.Clone(team), "erin of board@example.com")) {
				w.Errorf("%s: the third occurrence has %q", when, got)
			}
			if got := attendeesOf(b, 3); got != nil {
				w.Errorf("%s: the fourth occurrence has %q of its own", when, got)
			}
		}
		wants("invited")
		mails, writes := len(w.server.mails), w.server.writes

		// Who belongs to them later is nobody's edit, and the booking system puts what it was told.
		g.members["team@example.com"], g.members["board@example.com"] = []string{carol}, []string{carol}
		w.later(2 * groupHolds)
		w.inOutlook(1, func(ev *calendar.Event) { ev.Location = "elsewhere" })
		w.pass("alice")
		wants("later")
		b := w.booking("b1")
		for i := range b.Attendees {
			b.Attendees[i].Group = ""
		}
		for _, x := range b.Exceptions {
			for i := range orNone(x.Attendees) {
				(*x.Attendees)[i].Group = ""
			}
		}
		if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		wants("put back")
		if len(w.server.mails) != mails || w.server.writes != writes {
			w.Errorf("%d writes, mails %q", w.server.writes-writes, w.server.mails[mails:])
		}
		ev := w.only(alice).Event
		w.invites(ev, "team")
		w.invites(*ev.Exceptions[0].Event, "frank", "team")
		w.invites(*ev.Exceptions[1].Event, "board", "team")
	})
}

// A room's copy of a meeting is nobody's to look into: the group stays one attendee until its guests are changed by the organizer.
func TestAMeetingThatItsRoomBookedKeepsTheGroup(t *testing.T) {
	rooms(t, func(w *world) {
		w.groups(map[string][]string{"team@example.com": {bob, "dave@example.com"}})
		ev := meetingAt(9, "m1", alice, roomA)
		ev.Attendees = []calendar.Attendee{{Address: calendar.Address{Email: "team@example.com"}}, ev.Attendees[1]}
		refs := w.invite(ev, roomA)
		for range 2 {
			w.pass("room-a")
			w.pass("alice")
		}
		if b := w.theOne(); !slices.Equal(attendees(b), []string{"team"}) {
			w.Errorf("%q in version %d", attendees(b), b.Version)
		}
		w.server.edit(alice, refs[0], invite(carol))
		w.pass("alice")
		if b := w.theOne(); !slices.Equal(attendees(b), []string{"bob of team@example.com", "carol", "dave of team@example.com"}) {
			w.Errorf("%q", attendees(b))
		}
		w.invites(w.only(alice).Event, "carol", "team")
		w.quiet(0)
	})
}

func orNone(list *[]booking.Attendee) []booking.Attendee {
	if list == nil {
		return nil
	}
	return *list
}

func TestAnswersAreToldAndChangeNothingElse(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		it := w.only(alice)
		mails, writes := len(w.server.mails), w.server.writes
		answer := func(r calendar.Response) {
			w.server.edit(alice, it.Ref, func(e *calendar.Event) {
				for i := range e.Attendees {
					if e.Attendees[i].Email == bob {
						e.Attendees[i].Response = r
					}
				}
			})
			for range 2 {
				w.pass("alice")
			}
		}
		answer(calendar.TentativelyAccepted)
		answer(calendar.Accepted)
		b := w.booking("b1")
		said, known := b.Answer(bob)
		if !known || said.State != booking.AnswerAccepted || said.Resource != "" || b.Version != 3 || b.SyncProblem != "" {
			w.Errorf("%+v, %t in version %d (%s)", said, known, b.Version, b.SyncProblem)
		}
		if len(w.server.mails) != mails || w.server.writes != writes {
			w.Errorf("an answer was written back: %d writes, mails %v", w.server.writes-writes, w.server.mails)
		}
		changes, err := w.store.Changes(w.Context(), tenant, 0, 100)
		if err != nil {
			w.Fatal(err)
		}
		var kinds []string
		for _, c := range changes {
			kinds = append(kinds, c.Kind)
		}
		if !slices.Equal(kinds, []string{"created", "answered", "answered"}) {
			w.Errorf("the feed tells %q", kinds)
		}
		answer(calendar.Declined) // of a person, which is no room's refusal
		if b := w.booking("b1"); b.Status != booking.Confirmed || b.SyncProblem != "" {
			w.Errorf("%+v", b)
		}
		w.book("b1", func(b *booking.Booking) { b.Attendees = []booking.Attendee{{Email: carol}} })
		if b := w.booking("b1"); slices.ContainsFunc(b.Answers, func(a booking.Answer) bool { return a.Email == bob }) {
			w.Errorf("who is not invited any more has answered: %+v", b.Answers)
		}
	})
}

// TestAnAnswerIsInNobodysWay has a booking system change what it last saw before somebody accepted.
func TestAnAnswerIsInNobodysWay(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		seen := w.booking("b1")
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) {
			for i := range e.Attendees {
				e.Attendees[i].Response = calendar.Accepted
			}
		})
		w.pass("alice")
		put := func(version int64, title string) error {
			next := seen.Clone()
			next.Title = title
			_, err := w.engine.Put(w.Context(), next, booking.Match{Set: true, Version: version}, booking.Refuse)
			return err
		}
		if now := w.booking("b1"); now.Version <= seen.Version {
			w.Fatalf("nobody has answered: %+v", now)
		}
		if err := put(seen.Version, "Other"); err != nil {
			w.Errorf("after an answer: %v", err)
		}
		if said, known := w.booking("b1").Answer(bob); !known || said.State != booking.AnswerAccepted {
			w.Errorf("the answer is %+v, %t", said, known)
		}
		if err := put(seen.Version, "Again"); err == nil {
			w.Error("a change was overwritten that the caller had not seen")
		}
		if err := put(seen.Version-1, "Again"); err == nil {
			w.Error("a version that never was is taken for one")
		}
	})
}

func TestAnotherOrganizerIsOneCancellationAndOneInvitation(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		mails := len(w.server.mails)
		w.book("b1", by("carol"))
		for range 2 {
			w.pass("alice")
			w.pass("carol")
		}
		if got, want := w.server.mails[mails:], []string{"3 b1.1", "1 b1.2"}; !slices.Equal(got, want) {
			t.Errorf("mails about %q, want %q", got, want)
		}
		w.none(alice)
		if it := w.only(carol); it.ForeignKey != "b1" || len(it.Event.Attendees) != 2 {
			w.Errorf("%+v", it)
		}
	})
}

// Somebody is invited by himself, or by another group, and by a group. The organizer takes the other invitation back: he still comes by the group.
func TestAGuestWhoAlsoComesByAGroupStays(t *testing.T) {
	for name, c := range map[string]struct{ first, gone string }{
		"himself":       {bob, bob},
		"another group": {"all@example.com", "all@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.groups(map[string][]string{"team@example.com": {bob, carol}, "all@example.com": {bob, "dave@example.com"}})
				w.book("b1", func(b *booking.Booking) { b.Attendees = nil })
				w.pass("alice")
				ref := w.only(alice).Ref
				w.server.edit(alice, ref, invite(c.first))
				w.server.edit(alice, ref, invite("team@example.com"))
				w.pass("alice")
				before := attendees(w.booking("b1"))
				w.server.edit(alice, ref, func(e *calendar.Event) {
					var rest []calendar.Attendee
					for _, a := range e.Attendees {
						if a.Email != c.gone {
							rest = append(rest, a)
						}
					}
					e.Attendees = rest
				})
				w.pass("alice")
				found := false
				for _, a := range w.booking("b1").Attendees {
					found = found || a.Email == bob
				}
				if !found {
					w.Errorf("bob is lost: %q, before %q", attendees(w.booking("b1")), before)
				}
			})
		})
	}
}
