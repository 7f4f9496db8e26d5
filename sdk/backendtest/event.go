package backendtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the checks must not depend on what the machine has

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/recurrence"
)

// subject is what the subject of every item that the suite makes begins with.
const subject = "Roomwire conformance"

// year is the one in which the suite's events are: the next, so that servers that hide the past show them.
func (s *suite) year() int { return time.Now().UTC().Year() + 1 }

// in returns a moment of the suite's year, by the clock of a zone.
func (s *suite) in(zone string, month time.Month, day, hour, minute int) time.Time {
	return time.Date(s.year(), month, day, hour, minute, 0, 0, location(zone)).UTC()
}

// date returns a day of the suite's year, as an all-day event has it.
func (s *suite) date(month time.Month, day int) time.Time {
	return time.Date(s.year(), month, day, 0, 0, 0, 0, time.UTC)
}

// location returns a zone that is known to exist.
func location(zone string) *time.Location {
	at, err := time.LoadLocation(zone)
	if err != nil {
		panic(err) // the zones are our own, and come with the program
	}
	return at
}

// event is one with something in every field, but for people.
func (s *suite) event() calendar.Event {
	return calendar.Event{
		Subject: subject, Body: "It is removed again.\nNobody needs to do anything.", Location: "Building 4, 4.12",
		Start: s.in("Europe/Berlin", time.May, 4, 9, 0), End: s.in("Europe/Berlin", time.May, 4, 10, 30), Zone: "Europe/Berlin",
		Busy: calendar.Occupied, Class: calendar.Private, Reminder: &calendar.Reminder{Before: 15 * time.Minute},
	}
}

// otherEvent differs from event in every field.
func (s *suite) otherEvent() calendar.Event {
	return calendar.Event{
		Subject: subject + ", changed", Body: "Another text.", Location: "Building 5",
		Start: s.in("America/New_York", time.June, 8, 13, 15), End: s.in("America/New_York", time.June, 8, 14, 0),
		Zone: "America/New_York", Busy: calendar.Tentative, Class: calendar.Public,
	}
}

// A part is a field of an event, and how two events differ in it.
type part struct {
	field calendar.Fields
	name  string
	show  func(e calendar.Event) string
	same  func(a, b calendar.Event) bool // nil: what is shown is the same
}

// parts are the fields that are compared. UID, Organizer and Cancelled are the server's.
var parts = []part{
	{field: calendar.FieldSubject, name: "Subject", show: func(e calendar.Event) string { return fmt.Sprintf("%q", e.Subject) }},
	{field: calendar.FieldBody, name: "Body", show: func(e calendar.Event) string { return fmt.Sprintf("%q", strings.TrimSpace(e.Body)) }},
	{field: calendar.FieldLocation, name: "Location", show: func(e calendar.Event) string { return fmt.Sprintf("%q", e.Location) }},
	{field: calendar.FieldTime, name: "Start", show: func(e calendar.Event) string { return e.Start.UTC().Format(time.RFC3339) }},
	{field: calendar.FieldTime, name: "End", show: func(e calendar.Event) string { return e.End.UTC().Format(time.RFC3339) }},
	{field: calendar.FieldTime, name: "AllDay", show: func(e calendar.Event) string { return fmt.Sprint(e.AllDay) }},
	{
		field: calendar.FieldTime, name: "Zone", show: func(e calendar.Event) string { return fmt.Sprintf("%q", e.Zone) },
		same: func(a, b calendar.Event) bool { return a.AllDay || sameClock(a.Zone, b.Zone, a.Start.Year()) },
	},
	{field: calendar.FieldBusy, name: "Busy", show: func(e calendar.Event) string { return fmt.Sprint(int(e.Busy)) }},
	{field: calendar.FieldClass, name: "Class", show: func(e calendar.Event) string { return fmt.Sprint(int(e.Class)) }},
	{field: calendar.FieldReminder, name: "Reminder", show: func(e calendar.Event) string {
		if e.Reminder == nil {
			return "none"
		}
		return e.Reminder.Before.String()
	}},
	{field: calendar.FieldAttendees, name: "Attendees", show: func(e calendar.Event) string { return invited(e, false) }},
	{field: calendar.FieldResources, name: "Resources", show: func(e calendar.Event) string { return invited(e, true) }},
	{
		field: calendar.FieldRecurrence, name: "Recurrence", show: func(e calendar.Event) string { return rule(e.Recurrence) },
		same: func(a, b calendar.Event) bool { return a.Recurrence != "" && canonical(a) == canonical(b) },
	},
	{field: calendar.FieldRecurrence, name: "Exceptions", show: exceptions},
}

// differences tells in which fields two events differ, those aside that the calendar does not keep.
func (s *suite) differences(want, got calendar.Event, fields calendar.Fields) []string {
	var out []string
	for _, p := range parts {
		if !fields.Has(p.field) || s.can.Omits.Has(p.field) {
			continue
		}
		a, b := p.show(want), p.show(got)
		if a == b || p.same != nil && p.same(want, got) {
			continue
		}
		out = append(out, fmt.Sprintf("%s is %s instead of %s", p.name, shortened(b), shortened(a)))
	}
	return out
}

// shortened keeps long texts out of reports.
func shortened(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%s…%s (%d bytes)", strings.ToValidUTF8(s[:most/2], ""), strings.ToValidUTF8(s[len(s)-most/4:], ""), len(s))
}

// sameClock reports whether two zones show the same time all through a year: servers may have another name for one.
func sameClock(a, b string, year int) bool {
	la, errA := time.LoadLocation(a)
	lb, errB := time.LoadLocation(b)
	if errA != nil || errB != nil {
		return false
	}
	for t := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); t.Year() == year; t = t.Add(6 * time.Hour) {
		_, oa := t.In(la).Zone()
		_, ob := t.In(lb).Zone()
		if oa != ob {
			return false
		}
	}
	return true
}

func invited(e calendar.Event, resources bool) string {
	var out []string
	for _, a := range e.Attendees {
		if (a.Role == calendar.Resource) == resources {
			out = append(out, fmt.Sprintf("%s role %d", strings.ToLower(a.Email), a.Role))
		}
	}
	slices.Sort(out)
	return fmt.Sprintf("%q", out)
}

// canonical is an event's rule in the words in which rules compare; empty if it is none that a calendar of Exchange keeps.
func canonical(e calendar.Event) string {
	at, err := time.LoadLocation(e.Zone)
	if err != nil {
		return ""
	}
	r, err := recurrence.Canonical(e.Recurrence, recurrence.Start{At: e.Start, AllDay: e.AllDay, Zone: at})
	if err != nil {
		return "none of Exchange's: " + rule(e.Recurrence)
	}
	return r
}

// rule shows a recurrence rule without what goes without saying.
func rule(r string) string {
	var out []string
	for part := range strings.SplitSeq(strings.ToUpper(r), ";") {
		if part != "" && part != "INTERVAL=1" && !strings.HasPrefix(part, "WKST=") {
			out = append(out, part)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ";")
}

func exceptions(e calendar.Event) string {
	var out []string
	for _, x := range e.Exceptions {
		what := "left out"
		if x.Event != nil {
			what = fmt.Sprintf("%q from %s to %s", x.Event.Subject, x.Event.Start.UTC().Format(time.RFC3339), x.Event.End.UTC().Format(time.RFC3339))
		}
		out = append(out, x.Occurrence.UTC().Format(time.RFC3339)+" "+what)
	}
	return fmt.Sprint(out)
}

// malformed tells what is wrong with an item whatever it is about.
func malformed(i calendar.Item) []string {
	var out []string
	amiss := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	e := i.Event
	if i.Ref == "" {
		amiss("it has no Ref")
	}
	if e.End.Before(e.Start) {
		amiss("it ends at %s, before it starts at %s", e.End, e.Start)
	}
	for name, t := range map[string]time.Time{"Start": e.Start, "End": e.End} {
		if _, offset := t.Zone(); offset != 0 {
			amiss("%s is %s, not UTC", name, t)
		}
		if e.AllDay && !t.Equal(t.UTC().Truncate(24*time.Hour)) {
			amiss("it lasts whole days, but %s is %s, no midnight UTC", name, t.UTC())
		}
	}
	if e.AllDay && !e.End.After(e.Start) {
		amiss("it lasts whole days, but not a single one: End is %s, Start %s", e.End, e.Start)
	}
	if _, err := time.LoadLocation(e.Zone); err != nil || e.Zone == "Local" {
		amiss("Zone %q is no IANA name", e.Zone)
	}
	if e.Reminder != nil && (e.Reminder.Before < 0 || e.Reminder.Before%time.Minute != 0) {
		amiss("its reminder is %s before it, no whole minutes", e.Reminder.Before)
	}
	if i.Kind != calendar.Master && (e.Recurrence != "" || len(e.Exceptions) > 0) {
		amiss("it has a rule or exceptions and is no Master")
	}
	if !slices.IsSortedFunc(e.Exceptions, func(a, b calendar.OccurrenceException) int { return a.Occurrence.Compare(b.Occurrence) }) {
		amiss("its exceptions are not in the order of their occurrences")
	}
	return out
}
