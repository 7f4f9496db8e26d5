package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
)

// Parse is the reverse of Render, for bookings of the change feed. Other than from a caller it takes over through which group
// somebody is invited; what the booking's rooms and people have answered it leaves out.
func Parse(tenant string, data []byte) (*booking.Booking, error) {
	var in rest.Booking
	var sync struct{ Sync *bool } // not in what older releases wrote: every booking was synced
	err := json.Unmarshal(data, &in)
	if err == nil {
		err = json.Unmarshal(data, &sync)
	}
	if err != nil {
		return nil, fmt.Errorf("booking from JSON: %w", err)
	}
	b := &booking.Booking{
		Tenant: tenant, ID: in.ID, Version: in.Version, Title: in.Title, Notes: in.Notes, AllDay: in.AllDay, Zone: in.Zone,
		Organizer: in.Organizer, Resources: in.Resources, Location: in.Location, Busy: booking.Busy(in.Busy),
		Class: booking.Class(in.Class), ReminderMinutes: in.ReminderMinutes, Status: booking.Status(in.Status),
		SyncOff: sync.Sync != nil && !*sync.Sync, SyncDisabled: in.SyncDisabled, SyncProblem: or(in.SyncProblem, ""),
		ItemExpected: in.Item != nil, Created: in.Created, Updated: in.Updated,
		Recurrence: or(in.Recurrence, ""), LeadMinutes: or(in.LeadMinutes, 0), FollowMinutes: or(in.FollowMinutes, 0),
		Attendees: attendeesKept(in.Attendees),
	}
	if in.ExternalOrganizer != nil {
		b.External = &booking.Address{Name: or(in.ExternalOrganizer.Name, ""), Email: in.ExternalOrganizer.Email}
	}
	exceptions, v := exceptionsIn(or(in.Exceptions, nil))
	if len(v) > 0 {
		return nil, fmt.Errorf("booking %q from JSON: %s %s", in.ID, v[0].Field, v[0].Reason)
	}
	b.Exceptions = exceptions
	for i, x := range or(in.Exceptions, nil) {
		if x.Attendees != nil {
			*b.Exceptions[i].Attendees = attendeesKept(*x.Attendees)
		}
	}
	for _, t := range []struct {
		text string
		at   *time.Time
	}{{in.Start, &b.Start}, {in.End, &b.End}} {
		at, _, why := timeIn(t.text)
		if why != "" {
			return nil, fmt.Errorf("booking %q from JSON: %q %s", in.ID, t.text, why)
		}
		*t.at = at
	}
	b.Normalize()
	return b, nil
}

// attendeesKept reads attendees as the host wrote them.
func attendeesKept(list []rest.Attendee) []booking.Attendee {
	all := attendeesIn(list)
	for i, a := range list {
		all[i].Group = or(a.Group, "")
	}
	return all
}
