package series

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Guests are the fields of those who are invited.
const Guests = calendar.FieldAttendees | calendar.FieldResources

// Uninvited reports whether nobody is invited yet to a series with exceptions that is to have guests. Its exceptions are written first
// then: invited to all of it, a room that is taken at one of its times would decline the whole, and people would be told one by one of
// what is not to take place.
func Uninvited(now, want calendar.Event) bool {
	return want.Recurrence != "" && len(want.Exceptions) > 0 && len(now.Attendees) == 0 && len(want.Attendees) > 0
}

// Early returns want as it is written before anybody is invited to it. Its exceptions have no guests but those they have now, or, as
// may be written of them where nobody is told, those of the series: one of which nobody knew would pass for called off.
func Early(now, want calendar.Event, guests bool) calendar.Event {
	out := slices.Clone(want.Exceptions)
	for i, x := range out {
		if x.Event == nil {
			continue
		}
		e := *x.Event
		has := guestsOf(now, x)
		switch {
		case len(has) > 0:
			e.Attendees = has
		case guests && len(e.Attendees) > 0:
			e.Attendees = want.Attendees
		default:
			e.Attendees = nil
		}
		out[i].Event = &e
	}
	want.Exceptions = out
	if !guests {
		want.Attendees = nil
	}
	return want
}

// guestsOf returns who is invited to an occurrence of a series that is an exception already.
func guestsOf(now calendar.Event, x calendar.OccurrenceException) []calendar.Attendee {
	for _, y := range now.Exceptions {
		if y.Event != nil && y.Occurrence.Equal(x.Occurrence) {
			return y.Event.Attendees
		}
	}
	return nil
}

// Unsent reports whether an item is a series as a create leaves it that was cut off before anybody was invited: as want is, but for
// guests and for exceptions that it still lacks.
func Unsent(there calendar.Item, want calendar.Event) bool {
	if there.Kind != calendar.Master || there.ReadOnly || !Uninvited(there.Event, want) {
		return false
	}
	for _, x := range there.Event.Exceptions {
		written := func(y calendar.OccurrenceException) bool {
			return y.Occurrence.Equal(x.Occurrence) && (y.Event == nil) == (x.Event == nil) &&
				(x.Event == nil || Changing(*x.Event, *y.Event, OfOccurrence&^Guests) == 0)
		}
		if !slices.ContainsFunc(want.Exceptions, written) {
			return false
		}
	}
	return Changing(there.Event, want, calendar.FieldTime) == 0 && SameRule(there.Event, want)
}

// Others reports whether an occurrence has guests whom its series is not going to have: somebody has invited them to it alone.
func Others(x *calendar.Event, want calendar.Event) bool {
	return slices.ContainsFunc(x.Attendees, func(a calendar.Attendee) bool {
		return !slices.ContainsFunc(want.Attendees, func(b calendar.Attendee) bool { return strings.EqualFold(a.Email, b.Email) })
	})
}

// InvitedMeanwhile is why a series is not invited to: somebody has done so by hand since it was looked at. The host is to look again.
func InvitedMeanwhile(m calendar.Mailbox) error {
	return fmt.Errorf("somebody was invited to the series in the calendar of %s meanwhile: %w", m.Address, fault.Conflict)
}
