package syncer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The memory calendar keeps series as Exchange does: another time or rule of a series throws its exceptions away, what was left
// out comes back only so, and what is changed of the series reaches the occurrences that did not differ in it.

func kindOf(ev calendar.Event) calendar.Kind {
	if ev.Recurrence != "" {
		return calendar.Master
	}
	return calendar.Single
}

// cloned returns an event that shares nothing that is written to with ev.
func cloned(ev calendar.Event) calendar.Event {
	ev.Attendees = slices.Clone(ev.Attendees)
	ev.Exceptions = slices.Clone(ev.Exceptions)
	for i, x := range ev.Exceptions {
		if x.Event != nil {
			one := cloned(*x.Event)
			ev.Exceptions[i].Event = &one
		}
	}
	return ev
}

// settledEvent returns a series with what a change of it from old does to its occurrences.
func settledEvent(old, ev calendar.Event) calendar.Event {
	if ev.Recurrence == "" {
		ev.Exceptions = nil
		return ev
	}
	if old.Recurrence == "" {
		return ev
	}
	if ev.Recurrence != old.Recurrence || !ev.Start.Equal(old.Start) || !ev.End.Equal(old.End) || ev.AllDay != old.AllDay || ev.Zone != old.Zone {
		ev.Exceptions = nil
		return ev
	}
	for _, x := range ev.Exceptions {
		if x.Event == nil {
			continue
		}
		if x.Event.Subject == old.Subject {
			x.Event.Subject = ev.Subject
		}
		if x.Event.Body == old.Body {
			x.Event.Body = ev.Body
		}
		if x.Event.Location == old.Location {
			x.Event.Location = ev.Location
		}
		if x.Event.Busy == old.Busy {
			x.Event.Busy = ev.Busy
		}
		if x.Event.Class == old.Class {
			x.Event.Class = ev.Class
		}
		if sameAlarm(x.Event.Reminder, old.Reminder) {
			x.Event.Reminder = ev.Reminder
		}
		if slices.Equal(x.Event.Attendees, old.Attendees) {
			x.Event.Attendees = slices.Clone(ev.Attendees)
		}
	}
	return ev
}

func sameAlarm(a, b *calendar.Reminder) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// comesBack reports whether what was left out of a series is wanted again.
func comesBack(now, want calendar.Event) bool {
	for _, x := range now.Exceptions {
		if x.Event == nil && !slices.ContainsFunc(want.Exceptions, func(y calendar.OccurrenceException) bool {
			return y.Event == nil && y.Occurrence.Equal(x.Occurrence)
		}) {
			return true
		}
	}
	return false
}

// except writes the exceptions of a series, one by one, after the series itself. It may be cut off.
func (m *memory) except(mu calendar.Mutation, res backend.Result, fields calendar.Fields) (backend.Result, error) {
	if !fields.Any(calendar.FieldRecurrence) || mu.Event.Recurrence == "" {
		m.count(mu)
		return res, nil
	}
	it := res.Item
	kept := it.Event.Exceptions
	it.Event.Exceptions = nil
	for i, x := range mu.Event.Exceptions {
		if m.cut > 0 {
			if m.cut--; m.cut == 0 {
				for _, y := range kept { // what is not reached stays
					if !slices.ContainsFunc(it.Event.Exceptions, func(z calendar.OccurrenceException) bool { return z.Occurrence.Equal(y.Occurrence) }) {
						it.Event.Exceptions = append(it.Event.Exceptions, y)
					}
				}
				slices.SortFunc(it.Event.Exceptions, func(a, b calendar.OccurrenceException) int { return a.Occurrence.Compare(b.Occurrence) })
				m.put(mu.Mailbox.Address, it)
				m.writes++ // the rest of it mails, if anything does
				return backend.Result{}, fmt.Errorf("cut off before exception %d of %d: %w", i+1, len(mu.Event.Exceptions), cmp.Or(m.cutBy, fault.Unavailable))
			}
		}
		if !occurs(it.Event, x.Occurrence) {
			return backend.Result{}, fmt.Errorf("the series has no occurrence at %s: %w", x.Occurrence, fault.Invalid)
		}
		it.Event.Exceptions = append(it.Event.Exceptions, x)
	}
	it.Event = cloned(it.Event)
	if len(mu.Event.Exceptions) > 0 || len(kept) > 0 {
		it = m.put(mu.Mailbox.Address, it)
	}
	res.Item = it
	m.count(mu)
	return res, nil
}

// occurrencesOf returns when the rule of a series has its first occurrences start.
func occurrencesOf(ev calendar.Event, most int) []time.Time {
	rule, err := parseRule(ev)
	if err != nil {
		return nil
	}
	var all []time.Time
	for at := range rule.Occurrences(startOf(&ev)) {
		if len(all) == most {
			break
		}
		all = append(all, at)
	}
	return all
}

func occurs(ev calendar.Event, at time.Time) bool {
	rule, err := parseRule(ev)
	return err == nil && rule.Has(startOf(&ev), at)
}

func overwrite(old, with calendar.Event, f calendar.Fields) calendar.Event {
	if f.Any(calendar.FieldSubject) {
		old.Subject = with.Subject
	}
	if f.Any(calendar.FieldBody) {
		old.Body = with.Body
	}
	if f.Any(calendar.FieldLocation) {
		old.Location = with.Location
	}
	if f.Any(calendar.FieldTime) {
		old.Start, old.End, old.AllDay, old.Zone = with.Start, with.End, with.AllDay, with.Zone
	}
	if f.Any(calendar.FieldRecurrence) {
		old.Recurrence, old.Exceptions = with.Recurrence, with.Exceptions
	}
	if f.Any(calendar.FieldBusy) {
		old.Busy = with.Busy
	}
	if f.Any(calendar.FieldClass) {
		old.Class = with.Class
	}
	if f.Any(calendar.FieldReminder) {
		old.Reminder = with.Reminder
	}
	switch people, rooms := f.Any(calendar.FieldAttendees), f.Any(calendar.FieldResources); {
	case people && rooms:
		old.Attendees = with.Attendees
	case people:
		old.Attendees = append(attending(with, false), attending(old, true)...)
	case rooms:
		old.Attendees = append(attending(old, false), attending(with, true)...)
	}
	return old
}
