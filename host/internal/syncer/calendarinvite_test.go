package syncer

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The memory calendar invites as the plugins of Exchange do: to a series with exceptions when these are there, so that there is one
// invitation which has all of it. Our other marker comes with that.

// lately reports whether a write invites to a series to which nobody is invited yet.
func lately(now, want calendar.Event, mail calendar.Mail) bool {
	return mail != calendar.MailNobody && want.Recurrence != "" && len(want.Exceptions) > 0 && len(now.Attendees) == 0 && len(want.Attendees) > 0
}

// inviteLast writes the exceptions of a series, then its guests, then those of occurrences. It may be cut off before each.
func (m *memory) inviteLast(mu calendar.Mutation, it calendar.Item, want calendar.Event) (backend.Result, error) {
	want = cloned(want)
	put := func(what string) error {
		if m.cut > 0 {
			if m.cut--; m.cut == 0 {
				m.writes++
				return fmt.Errorf("cut off before %s: %w", what, cmp.Or(m.cutBy, fault.Unavailable))
			}
		}
		it.Event = cloned(it.Event)
		it = m.put(mu.Mailbox.Address, it)
		return nil
	}
	set := func(x calendar.OccurrenceException) {
		others := slices.DeleteFunc(slices.Clone(it.Event.Exceptions), func(y calendar.OccurrenceException) bool { return y.Occurrence.Equal(x.Occurrence) })
		it.Event.Exceptions = append(others, x)
		slices.SortFunc(it.Event.Exceptions, func(a, b calendar.OccurrenceException) int { return a.Occurrence.Compare(b.Occurrence) })
	}
	before := it.Event.Exceptions
	it.Event.Exceptions = slices.DeleteFunc(slices.Clone(before), func(x calendar.OccurrenceException) bool {
		return !slices.ContainsFunc(want.Exceptions, func(y calendar.OccurrenceException) bool { return y.Occurrence.Equal(x.Occurrence) })
	})
	for i, x := range want.Exceptions {
		if x.Event != nil {
			one := *x.Event
			if one.Attendees = nil; !m.loud && len(x.Event.Attendees) > 0 { // where that mails nobody
				one.Attendees = want.Attendees
			}
			x.Event = &one
		}
		if set(x); !occurs(it.Event, x.Occurrence) {
			return backend.Result{}, fmt.Errorf("the series has no occurrence at %s: %w", x.Occurrence, fault.Invalid)
		}
		if err := put(fmt.Sprintf("exception %d", i+1)); err != nil {
			return backend.Result{}, err
		}
	}
	invited := cloned(it.Event)
	invited.Attendees = want.Attendees
	it.Event = settledEvent(it.Event, invited)
	it.ForeignKey = cmp.Or(it.ForeignKey, mu.ForeignKey)
	if err := put("the invitation"); err != nil {
		return backend.Result{}, err
	}
	m.count(mu)
	for i, x := range want.Exceptions {
		if x.Event == nil || slices.Equal(x.Event.Attendees, want.Attendees) {
			continue
		}
		set(x)
		if err := put(fmt.Sprintf("the guests of exception %d", i+1)); err != nil {
			return backend.Result{}, err
		}
	}
	return backend.Result{Item: it}, nil
}

// Wherever the write of a new series is cut off, the next one completes it: neither the guests that it lacks nor those that occurrences
// lack are anybody's edit, and it is one item.
func TestAnInvitationThatWasCutOffIsMade(t *testing.T) {
	for _, loud := range []bool{false, true} {
		t.Run(fmt.Sprintf("loud %t", loud), func(t *testing.T) {
			each(t, func(w *world) {
				w.server.loud = loud
				for step := 1; !w.cutOffBefore(step); step++ {
					if step > 20 {
						t.Fatal("it does not come to an end")
					}
				}
			})
		})
	}
}

// cutOffBefore has a write of a new series cut off before one of its steps, and looks at what has become of it in the end. It reports
// whether there was no such step.
func (w *world) cutOffBefore(step int) bool {
	w.Helper()
	id := fmt.Sprintf("b%d", step)
	other := []booking.Attendee{{Email: "guest@example.org"}}
	own := booking.Exception{Occurrence: nth(3), Attendees: &other}
	w.server.cut = step
	w.book(id, ruled(fiveDays), with(leftOut(1), retitled(2, "Finale"), own))
	w.pass("alice")
	done := w.server.cut > 0
	w.server.cut = 0
	w.later(time.Hour)
	w.pass("alice")
	item, now := w.only(alice), w.booking(id)
	if len(item.Event.Attendees) != 2 || item.ForeignKey != id || len(item.Event.Exceptions) != 3 {
		w.Errorf("cut off before step %d: the item is %+v", step, item)
	}
	if len(now.Exceptions) != 3 || len(now.Attendees) != 1 || len(now.Resources) != 1 || len(*now.Exception(nth(3)).Attendees) != 1 {
		w.Errorf("cut off before step %d: the booking is %+v", step, now)
	}
	for _, x := range item.Event.Exceptions {
		want := bob
		if x.Occurrence.Equal(nth(3)) {
			want = other[0].Email
		}
		if x.Event != nil && (len(x.Event.Attendees) != 2 || x.Event.Attendees[0].Email != want) {
			w.Errorf("cut off before step %d: the guests of %s are %+v", step, x.Occurrence, x.Event.Attendees)
		}
	}
	if n := w.differences(editLost); n != 0 {
		w.Errorf("cut off before step %d: %d edits were lost", step, n)
	}
	if _, err := w.engine.Cancel(w.Context(), tenant, id, booking.Match{}); err != nil {
		w.Fatal(err)
	}
	w.pass("alice")
	w.none(alice)
	return done
}

// An owner who finds a half-made series without guests and invites somebody takes nobody off by that.
func TestWhoeverInvitesToAHalfMadeSeriesTakesNobodyOff(t *testing.T) {
	each(t, func(w *world) {
		w.server.cut = 2
		w.book("b1", ruled(fiveDays), with(leftOut(1), retitled(2, "Finale")))
		w.pass("alice")
		w.server.cut = 0
		before := w.booking("b1")
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) {
			e.Attendees = []calendar.Attendee{{Address: calendar.Address{Email: "zoe@example.com"}}}
		})
		w.later(time.Hour)
		w.pass("alice")
		w.pass("alice")
		now := w.booking("b1")
		if len(now.Attendees) != len(before.Attendees) || len(now.Resources) != len(before.Resources) {
			w.Errorf("the booking has %v and %v, had %v and %v", now.Attendees, now.Resources, before.Attendees, before.Resources)
		}
		if n := w.differences(editLost); n != 1 {
			w.Errorf("%d lost edits are listed, want the invitation by hand", n)
		}
	})
}
