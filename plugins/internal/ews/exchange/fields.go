package exchange

import (
	"fmt"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// toEWS returns the properties to write for the chosen fields of an event, in the order in which an update has to apply
// them: a zone before the times that are meant in it.
func toEWS(e calendar.Event, chosen calendar.Fields) ([]ews.Field, error) {
	var out []ews.Field
	add := func(fields ...ews.Field) { out = append(out, fields...) }
	if chosen.Has(calendar.FieldSubject) {
		add(ews.Subject(e.Subject))
	}
	if chosen.Has(calendar.FieldBody) {
		add(ews.Body(e.Body))
	}
	if chosen.Has(calendar.FieldLocation) {
		add(ews.Location(e.Location))
	}
	if chosen.Has(calendar.FieldTime) {
		fields, err := timeFields(e)
		if err != nil {
			return nil, err
		}
		add(fields...)
	}
	if chosen.Has(calendar.FieldBusy) && e.Busy != calendar.BusyUnspecified {
		name, err := nameOf(nameToBusy, e.Busy)
		if err != nil {
			return nil, err
		}
		add(ews.LegacyFreeBusyStatus(name))
	}
	if chosen.Has(calendar.FieldClass) {
		name, err := nameOf(nameToClass, e.Class)
		if err != nil {
			return nil, err
		}
		add(ews.Sensitivity(name))
	}
	if chosen.Has(calendar.FieldReminder) {
		if e.Reminder != nil {
			add(ews.ReminderMinutes(int(max(e.Reminder.Before, 0) / time.Minute)))
		}
		add(ews.ReminderIsSet(e.Reminder != nil))
	}
	return withPeople(out, e, chosen)
}

// timeFields writes the four properties that make up the time together: one alone may put the end before the start.
func timeFields(e calendar.Event) ([]ews.Field, error) {
	if e.Start.IsZero() || e.End.IsZero() {
		return nil, fmt.Errorf("the event has no start or no end: %w", fault.Invalid)
	}
	zone := e.Zone
	if zone == "" {
		zone = "UTC"
	}
	id, ok := zones.Windows(zone)
	if !ok {
		return nil, fmt.Errorf("time zone %q has no Windows name, which Exchange needs: %w", zone, fault.Invalid)
	}
	start, end := e.Start, e.End
	if e.AllDay {
		at, err := zones.Location(zone)
		if err != nil {
			return nil, fmt.Errorf("time zone %q: %w: %w", zone, err, fault.Invalid)
		}
		start, end = midnight(e.Start, at), midnight(e.End, at)
		if !end.After(start) {
			return nil, fmt.Errorf("the event lasts no day: %w", fault.Invalid)
		}
	}
	if end.Before(start) {
		return nil, fmt.Errorf("the event ends before it starts: %w", fault.Invalid)
	}
	return []ews.Field{
		ews.StartTimeZone(id), ews.EndTimeZone(id), ews.IsAllDayEvent(e.AllDay), ews.Start(start), ews.End(end),
	}, nil
}

// midnight returns when the date begins in a place; where the clock is put forward at midnight, that is one o'clock.
func midnight(date time.Time, at *time.Location) time.Time {
	d := date.UTC()
	t := time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, at)
	if t.Day() != d.Day() { // no such midnight, and this is the evening before
		_, t = t.ZoneBounds()
	}
	return t
}

// withPeople adds the attendees: people and resources each apart, so that one can be written without the other.
func withPeople(out []ews.Field, e calendar.Event, chosen calendar.Fields) ([]ews.Field, error) {
	if !chosen.Any(calendar.FieldAttendees | calendar.FieldResources) {
		return out, nil
	}
	var by [3][]ews.Address
	for _, a := range e.Attendees {
		if a.Role < calendar.Required || a.Role > calendar.Resource {
			return nil, fmt.Errorf("role %d of an attendee is not known: %w", a.Role, fault.Invalid)
		}
		if a.Email == "" {
			return nil, fmt.Errorf("an attendee has no mail address: %w", fault.Invalid)
		}
		by[a.Role] = append(by[a.Role], ews.Address{Name: a.Name, Email: a.Email})
	}
	if chosen.Has(calendar.FieldAttendees) {
		out = append(out, ews.RequiredAttendees(by[calendar.Required]), ews.OptionalAttendees(by[calendar.Optional]))
	}
	if chosen.Has(calendar.FieldResources) {
		out = append(out, ews.Resources(by[calendar.Resource]))
	}
	return out, nil
}
