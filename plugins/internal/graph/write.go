package graph

import (
	"fmt"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A patch is what is written of an event, by the names of its properties.
type patch map[string]any

// toGraph returns what to write for the chosen fields of an event. now is the event as it is, empty for a new one: attendees
// are written as a whole, so those that are not to be written are taken from there.
func (b *Backend) toGraph(e calendar.Event, chosen calendar.Fields, now calendar.Event) (patch, error) {
	p := patch{}
	if chosen.Has(calendar.FieldSubject) {
		p["subject"] = e.Subject
	}
	if chosen.Has(calendar.FieldBody) {
		p["body"] = body{Type: "text", Content: e.Body}
	}
	if chosen.Has(calendar.FieldLocation) {
		p["location"] = location{DisplayName: e.Location}
	}
	if chosen.Has(calendar.FieldTime) {
		w, err := timesOf(e)
		if err != nil {
			return nil, err
		}
		p["start"], p["end"], p["isAllDay"] = w.start, w.end, e.AllDay
		if w.mark != "" {
			p.mark(b.zone, w.mark)
		}
	}
	if chosen.Has(calendar.FieldBusy) && e.Busy != calendar.BusyUnspecified {
		name, err := nameOf(nameToBusy, e.Busy)
		if err != nil {
			return nil, err
		}
		p["showAs"] = name
	}
	if chosen.Has(calendar.FieldClass) {
		name, err := nameOf(nameToClass, e.Class)
		if err != nil {
			return nil, err
		}
		p["sensitivity"] = name
	}
	if chosen.Has(calendar.FieldReminder) {
		p["isReminderOn"] = e.Reminder != nil
		if e.Reminder != nil {
			p["reminderMinutesBeforeStart"] = int(max(e.Reminder.Before, 0) / time.Minute)
		}
	}
	if chosen.Any(calendar.FieldAttendees | calendar.FieldResources) {
		all, err := invited(series.Overlay(now, e, chosen&(calendar.FieldAttendees|calendar.FieldResources)).Attendees)
		if err != nil {
			return nil, err
		}
		p["attendees"] = all
	}
	return p, nil
}

// mark adds a named property.
func (p patch) mark(as property, value string) {
	all, _ := p["singleValueExtendedProperties"].([]extended)
	p["singleValueExtendedProperties"] = append(all, extended{ID: as.id(), Value: value})
}

func invited(people []calendar.Attendee) ([]attendee, error) {
	all := []attendee{}
	for _, a := range people {
		role, err := nameOf(nameToRole, a.Role)
		if err != nil {
			return nil, err
		}
		if a.Email == "" {
			return nil, fmt.Errorf("an attendee has no mail address: %w", fault.Invalid)
		}
		all = append(all, attendee{Address: emailAddress{Name: a.Name, Address: a.Email}, Type: role})
	}
	return all, nil
}
