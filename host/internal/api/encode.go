package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
)

const dateForm = "2006-01-02"

// Render returns b as the REST API shows it. The change feed stores bookings in this form.
func Render(b *booking.Booking) ([]byte, error) {
	data, err := json.Marshal(bookingOut(b))
	if err != nil {
		return nil, fmt.Errorf("booking %q as JSON: %w", b.ID, err)
	}
	return data, nil
}

func bookingOut(b *booking.Booking) rest.Booking {
	out := rest.Booking{
		ID: b.ID, Version: b.Version, Status: rest.BookingStatus(b.Status), Title: b.Title, Notes: b.Notes,
		AllDay: b.AllDay, Zone: b.Zone, Organizer: b.Organizer, Location: b.Location,
		Busy: rest.Busy(b.Busy), Class: rest.Class(b.Class), ReminderMinutes: b.ReminderMinutes,
		Sync: !b.SyncOff, SyncDisabled: b.SyncDisabled, SyncProblem: given(b.SyncProblem),
		Created: b.Created.UTC(), Updated: b.Updated.UTC(),
		Resources: append([]string{}, b.Resources...), Attendees: attendeesOut(b, b.Attendees),
		Recurrence: given(b.Recurrence), LeadMinutes: given(b.LeadMinutes), FollowMinutes: given(b.FollowMinutes),
	}
	out.Start, out.End = timesOut(b.Start, b.End, b.AllDay, zoneOf(b))
	if len(b.Exceptions) > 0 {
		list := exceptionsOut(b, b.Exceptions)
		out.Exceptions = &list
	}
	if b.External != nil {
		out.ExternalOrganizer = &rest.ExternalOrganizer{Name: given(b.External.Name), Email: b.External.Email}
	}
	out.ResourceStates = resourceStates(b)
	if b.ItemExpected {
		expected := rest.BookingItemExpected
		out.Item = &expected
	}
	return out
}

// resourceStates returns what the rooms have answered; nil if nothing is known.
func resourceStates(b *booking.Booking) *[]rest.ResourceState {
	var states []rest.ResourceState
	for _, a := range b.Answers {
		if a.Resource != "" && slices.Contains(b.Resources, a.Resource) {
			state := rest.ResourceState{
				Resource: a.Resource, State: rest.ResourceStateState(a.State), Reason: given(a.Reason), At: a.At.UTC(),
			}
			if len(a.Occurrences) > 0 {
				names := make([]string, len(a.Occurrences))
				for i, at := range a.Occurrences {
					names[i] = b.OccurrenceName(at)
				}
				state.DeclinedOccurrences = &names
			}
			states = append(states, state)
		}
	}
	if states == nil {
		return nil
	}
	return &states
}

func attendeesOut(b *booking.Booking, list []booking.Attendee) []rest.Attendee {
	out := make([]rest.Attendee, len(list))
	for i, a := range list {
		role := rest.Role(a.Role)
		out[i] = rest.Attendee{Email: a.Email, Name: given(a.Name), Role: &role, Group: given(a.Group)}
		if said, known := b.Answer(strings.ToLower(a.Email)); known && said.Resource == "" {
			answer := rest.AttendeeAnswer(said.State)
			out[i].Answer = &answer
		}
	}
	return out
}

// attendeesIn reads attendees as a caller says them, whose groups are not heeded: see syncer.Engine.Put.
func attendeesIn(list []rest.Attendee) []booking.Attendee {
	var all []booking.Attendee
	for _, a := range list {
		all = append(all, booking.Attendee{Email: a.Email, Name: or(a.Name, ""), Role: booking.Role(or(a.Role, ""))})
	}
	return all
}

// zoneOf is the booking's own zone: a person who reads moments written in it sees the time of the wall clock.
func zoneOf(b *booking.Booking) *time.Location {
	at, err := time.LoadLocation(b.Zone) // empty is UTC
	if err != nil {
		return time.UTC
	}
	return at
}

func timesOut(start, end time.Time, allDay bool, at *time.Location) (string, string) {
	if allDay {
		return start.UTC().Format(dateForm), end.UTC().Format(dateForm)
	}
	return start.In(at).Format(time.RFC3339), end.In(at).Format(time.RFC3339)
}

// bookingIn reads what a caller wants a booking to be. The violations are those of the form; the rules come after.
func bookingIn(tenant, id string, in *rest.BookingInput) (*booking.Booking, []booking.Violation) {
	var v []booking.Violation
	if in.ID != nil && *in.ID != id {
		v = append(v, booking.Violation{Field: "id", Reason: "is not the one in the path: leave it out"})
	}
	b := &booking.Booking{
		Tenant: tenant, ID: id, Title: or(in.Title, ""), Notes: or(in.Notes, ""), Zone: or(in.Zone, ""),
		Organizer: in.Organizer, Resources: or(in.Resources, nil), Location: or(in.Location, ""),
		Busy: booking.Busy(or(in.Busy, "")), Class: booking.Class(or(in.Class, "")), ReminderMinutes: in.ReminderMinutes,
		Status: booking.Confirmed, ItemExpected: in.Item != nil,
		SyncOff: !or(in.Sync, true), SyncUnsaid: in.Sync == nil,
		Recurrence: or(in.Recurrence, ""), LeadMinutes: or(in.LeadMinutes, 0), FollowMinutes: or(in.FollowMinutes, 0),
		Attendees: attendeesIn(or(in.Attendees, nil)), ExceptionsUnsaid: in.Exceptions == nil,
	}
	if in.ExternalOrganizer != nil {
		b.External = &booking.Address{Name: or(in.ExternalOrganizer.Name, ""), Email: in.ExternalOrganizer.Email}
	}
	for field, text := range map[string]string{"title": b.Title, "notes": b.Notes, "location": b.Location} {
		if unkeepable(text) {
			v = append(v, booking.Violation{Field: field, Reason: noControl})
		}
	}
	slices.SortFunc(v, func(x, y booking.Violation) int { return strings.Compare(x.Field, y.Field) })
	startDate, endDate := false, false
	formed := len(v)
	var why string
	if b.Start, startDate, why = timeIn(in.Start); why != "" {
		v = append(v, booking.Violation{Field: "start", Reason: why})
	}
	if b.End, endDate, why = timeIn(in.End); why != "" {
		v = append(v, booking.Violation{Field: "end", Reason: why})
	}
	b.AllDay = startDate
	switch {
	case len(v) > formed:
	case startDate != endDate:
		v = append(v, booking.Violation{Field: "end", Reason: sameForm})
	case in.AllDay != nil && *in.AllDay != startDate:
		v = append(v, booking.Violation{Field: "all_day", Reason: "contradicts start and end: all-day bookings have dates, others moments with offset; leave it out"})
	}
	var faults []booking.Violation
	b.Exceptions, faults = exceptionsIn(or(in.Exceptions, nil))
	return b, append(v, faults...)
}

const (
	noControl = "holds a control character, which no calendar keeps"
	sameForm  = "must be a date if the start is one, and a moment if that is one"
)

// unkeepable reports whether a text has characters that XML 1.0, and so Exchange, has no way to hold.
func unkeepable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

func timeIn(s string) (at time.Time, date bool, why string) {
	if at, err := time.Parse(dateForm, s); err == nil {
		return at, true, ""
	}
	at, err := time.Parse(time.RFC3339, s)
	switch {
	case err != nil:
		return time.Time{}, false, "is neither a moment with offset, such as 2026-12-01T10:00:00+01:00, nor a date, such as 2026-12-01"
	case at.UTC().Year() < 1601 || at.UTC().Year() > 4500: // what Exchange and every database can hold
		return time.Time{}, false, "lies too far away"
	}
	return at, false, ""
}
