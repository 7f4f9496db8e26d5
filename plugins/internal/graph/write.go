package graph

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
		all, err := invited(overlay(now, e, chosen&(calendar.FieldAttendees|calendar.FieldResources)).Attendees)
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

// fields are all of an event's.
var fields = []calendar.Fields{
	calendar.FieldSubject, calendar.FieldBody, calendar.FieldLocation, calendar.FieldTime, calendar.FieldBusy, calendar.FieldClass,
	calendar.FieldReminder, calendar.FieldAttendees, calendar.FieldResources, calendar.FieldRecurrence,
}

// changing returns those of the chosen fields in which want differs from now. What is the same already needs no write, which
// for a meeting would be a mail.
func changing(now, want calendar.Event, chosen calendar.Fields) calendar.Fields {
	var out calendar.Fields
	for _, f := range fields {
		if chosen.Has(f) && !same(now, want, f) {
			out |= f
		}
	}
	return out
}

// same reports whether two events agree in one field.
func same(a, b calendar.Event, f calendar.Fields) bool {
	switch f {
	case calendar.FieldSubject:
		return a.Subject == b.Subject
	case calendar.FieldBody:
		return strings.TrimRight(a.Body, " \n") == strings.TrimRight(plainText(b.Body), " \n")
	case calendar.FieldLocation:
		return a.Location == b.Location
	case calendar.FieldTime:
		return a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.AllDay == b.AllDay && (a.AllDay || sameZone(a.Zone, b.Zone))
	case calendar.FieldBusy:
		return a.Busy == b.Busy || b.Busy == calendar.BusyUnspecified
	case calendar.FieldClass:
		return a.Class == b.Class
	case calendar.FieldReminder:
		return (a.Reminder == nil) == (b.Reminder == nil) && (a.Reminder == nil || *a.Reminder == *b.Reminder)
	case calendar.FieldAttendees:
		return slices.Equal(roll(a, false), roll(b, false))
	case calendar.FieldResources:
		return slices.Equal(roll(a, true), roll(b, true))
	}
	return sameSeries(a, b)
}

// roll lists who is invited, or which resources, in a form that compares.
func roll(e calendar.Event, resources bool) []string {
	var out []string
	for _, a := range e.Attendees {
		if (a.Role == calendar.Resource) == resources {
			out = append(out, fmt.Sprintf("%s %d", strings.ToLower(a.Email), a.Role))
		}
	}
	slices.Sort(out)
	return out
}

// overlay returns old with the chosen fields of e written over it.
func overlay(old, e calendar.Event, chosen calendar.Fields) calendar.Event {
	for field, write := range map[calendar.Fields]func(){
		calendar.FieldSubject:  func() { old.Subject = e.Subject },
		calendar.FieldBody:     func() { old.Body = e.Body },
		calendar.FieldLocation: func() { old.Location = e.Location },
		calendar.FieldTime:     func() { old.Start, old.End, old.AllDay, old.Zone = e.Start, e.End, e.AllDay, e.Zone },
		calendar.FieldBusy: func() {
			if e.Busy != calendar.BusyUnspecified {
				old.Busy = e.Busy
			}
		},
		calendar.FieldClass:      func() { old.Class = e.Class },
		calendar.FieldReminder:   func() { old.Reminder = e.Reminder },
		calendar.FieldRecurrence: func() { old.Recurrence, old.Exceptions = e.Recurrence, e.Exceptions },
	} {
		if chosen.Has(field) {
			write()
		}
	}
	var all []calendar.Attendee
	for from, list := range [][]calendar.Attendee{old.Attendees, e.Attendees} {
		for _, a := range list {
			chosenHere := chosen.Has(calendar.FieldAttendees)
			if a.Role == calendar.Resource {
				chosenHere = chosen.Has(calendar.FieldResources)
			}
			if chosenHere == (from == 1) {
				all = append(all, a)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b calendar.Attendee) int { return int(a.Role - b.Role) })
	old.Attendees = all
	return old
}
