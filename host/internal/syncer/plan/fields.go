// Package plan decides what must happen to a booking and its calendar item, given what both sides last agreed on.
//
// It is pure: no clock, no store, no network. Plan is total: every input has a decision.
package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// Fields is what booking and item are compared by, in canonical form; see Canonical. Change keys, timestamps, zones
// of single events and attendees' names and answers are not part of a comparison.
type Fields struct {
	Subject  string    `json:"subject,omitempty"`
	Body     string    `json:"body,omitempty"`
	Location string    `json:"location,omitempty"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	AllDay   bool      `json:"all_day,omitempty"`
	Zone     string    `json:"zone,omitempty"` // carried along, not compared

	Busy     calendar.Busy  `json:"busy,omitempty"`
	Class    calendar.Class `json:"class,omitempty"`
	Reminder *int           `json:"reminder,omitempty"` // minutes before the start; nil: none

	Attendees []Person `json:"attendees,omitempty"` // people, sorted by address
	Resources []string `json:"resources,omitempty"` // addresses of rooms, sorted

	// Recurrence is the RRULE of a series, which counts in Zone from Start on; empty: it is none. Start and End are those of
	// the first occurrence then, and Exceptions the occurrences that are not as the rule makes them, in order.
	Recurrence string      `json:"recurrence,omitempty"`
	Exceptions []Exception `json:"exceptions,omitempty"`

	// Unsaid is of a base: the fields that the item did not say when it was agreed on, so that they are the booking's
	// alone. Heard holds what the item last said of them; nil if it never said anything. Neither is compared.
	Unsaid calendar.Fields `json:"unsaid,omitempty"`
	Heard  *Fields         `json:"heard,omitempty"`
	// Owed is of a base: not all of its exceptions are on the item, because a server throws them away when the time of the
	// series changes, and they are still to be written again. That one is missing there is nobody's edit. It is not compared.
	Owed bool `json:"owed,omitempty"`
	// Once is of what was sent: it was written at once, because nothing of it is a series' rule or its exceptions, which are written step by
	// step.
	Once bool `json:"once,omitempty"`
	// Ruled and Whole are of what was sent. Ruled: the item has these times and this rule already. Whole: it leaves no occurrence out that is
	// to come back. A series' rule is written anew unless it is ruled and whole, which costs it its exceptions; it is taken away in between
	// only where something is to come back.
	Ruled bool `json:"ruled,omitempty"`
	Whole bool `json:"whole,omitempty"`
}

// A Person is an invited attendee.
type Person struct {
	Email    string `json:"email"` // lower case
	Name     string `json:"name,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// Canonical returns f in the form that comparison needs: trimmed texts, UTC to the second, lower-case sorted
// addresses, the rule in one form of several, only such exceptions as are some of an occurrence of the rule. It is idempotent.
func Canonical(f Fields) Fields {
	f = plainly(f)
	if f.Recurrence = strings.TrimSpace(f.Recurrence); f.Recurrence == "" {
		f.Exceptions = nil
	} else {
		f = f.excepted(f.byDay())
	}
	if f.Heard != nil {
		heard := Canonical(*f.Heard)
		f.Heard = &heard
	}
	return f
}

// plainly is Canonical but for what makes a series.
func plainly(f Fields) Fields {
	f.Subject, f.Location = collapse(f.Subject), collapse(f.Location)
	f.Body = strings.TrimSpace(strings.ReplaceAll(f.Body, "\r\n", "\n"))
	f.Start, f.End = f.Start.UTC().Truncate(time.Second), f.End.UTC().Truncate(time.Second)
	if f.Busy == calendar.BusyUnspecified {
		f.Busy = calendar.Occupied
	}
	if f.Reminder != nil {
		m := *f.Reminder
		f.Reminder = &m
	}
	people := make([]Person, 0, len(f.Attendees))
	for _, p := range f.Attendees {
		p.Email = strings.ToLower(strings.TrimSpace(p.Email))
		if p.Email != "" {
			people = append(people, p)
		}
	}
	slices.SortStableFunc(people, func(a, b Person) int { return cmp.Compare(a.Email, b.Email) })
	f.Attendees = slices.CompactFunc(people, func(a, b Person) bool { return a.Email == b.Email })
	rooms := make([]string, 0, len(f.Resources))
	for _, r := range f.Resources {
		if r = strings.ToLower(strings.TrimSpace(r)); r != "" {
			rooms = append(rooms, r)
		}
	}
	slices.Sort(rooms)
	f.Resources = slices.Compact(rooms)
	if len(f.Attendees) == 0 {
		f.Attendees = nil
	}
	if len(f.Resources) == 0 {
		f.Resources = nil
	}
	return f
}

// collapse makes runs of white space one blank: servers and clients differ in how they keep them.
func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }

// Diff returns the fields in which a and b differ. Both must be canonical. The texts of exceptions belong to FieldBody, what
// else makes a series to FieldRecurrence; exceptions are compared by the local dates of their occurrences.
func Diff(a, b Fields) calendar.Fields { return differing(a, b, 0) }

// differing is Diff without the fields omits, also in exceptions.
func differing(a, b Fields, omits calendar.Fields) calendar.Fields {
	d := differPlainly(a, b)
	if !omits.Any(calendar.FieldRecurrence) && (a.Recurrence != "" || b.Recurrence != "") {
		d |= differInSeries(a, b, omits)
	}
	return d &^ omits
}

// differPlainly is Diff but for what makes a series.
func differPlainly(a, b Fields) calendar.Fields {
	var d calendar.Fields
	set := func(differs bool, f calendar.Fields) {
		if differs {
			d |= f
		}
	}
	set(a.Subject != b.Subject, calendar.FieldSubject)
	set(a.Body != b.Body && collapse(a.Body) != collapse(b.Body), calendar.FieldBody)
	set(a.Location != b.Location, calendar.FieldLocation)
	set(!a.Start.Equal(b.Start) || !a.End.Equal(b.End) || a.AllDay != b.AllDay, calendar.FieldTime)
	set(a.Busy != b.Busy, calendar.FieldBusy)
	set(a.Class != b.Class, calendar.FieldClass)
	set(!sameReminder(a.Reminder, b.Reminder), calendar.FieldReminder)
	set(!slices.EqualFunc(a.Attendees, b.Attendees, samePerson), calendar.FieldAttendees)
	set(!slices.Equal(a.Resources, b.Resources), calendar.FieldResources)
	return d
}

func samePerson(a, b Person) bool { return a.Email == b.Email && a.Optional == b.Optional }

func sameReminder(a, b *int) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// place is a room with its name.
const place = calendar.FieldLocation | calendar.FieldResources

// groups are merged as wholes. The time is, too, with the rule of a series: see mergeSeries.
var groups = [...]calendar.Fields{
	place,
	calendar.FieldAttendees,
	calendar.FieldSubject,
	calendar.FieldBusy | calendar.FieldClass | calendar.FieldReminder,
}

// Take returns f with the fields which replaced by those of from. Both must be canonical, and so is the result.
func Take(f, from Fields, which calendar.Fields) Fields { return take(f, from, which) }

// take returns f with the fields in which replaced by those of from. Both must be canonical, and so is the result.
func take(f, from Fields, which calendar.Fields) Fields {
	if f.Recurrence == "" && (from.Recurrence == "" || !which.Any(calendar.FieldRecurrence)) {
		return takePlainly(f, from, which)
	}
	days := f.byDay()
	if which.Any(calendar.FieldRecurrence | calendar.FieldBody) {
		days = takeDays(days, from.byDay(), which)
	}
	f = takePlainly(f, from, which)
	if which.Any(calendar.FieldRecurrence) {
		f.Recurrence, f.Zone = from.Recurrence, from.Zone // the zone in which it counts
	}
	return f.excepted(days)
}

// takePlainly is take but for what makes a series.
func takePlainly(f, from Fields, which calendar.Fields) Fields {
	if which.Any(calendar.FieldSubject) {
		f.Subject = from.Subject
	}
	if which.Any(calendar.FieldBody) {
		f.Body = from.Body
	}
	if which.Any(calendar.FieldLocation) {
		f.Location = from.Location
	}
	if which.Any(calendar.FieldTime) {
		f.Start, f.End, f.AllDay, f.Zone = from.Start, from.End, from.AllDay, from.Zone
	}
	if which.Any(calendar.FieldBusy) {
		f.Busy = from.Busy
	}
	if which.Any(calendar.FieldClass) {
		f.Class = from.Class
	}
	if which.Any(calendar.FieldReminder) {
		f.Reminder = from.Reminder
	}
	if which.Any(calendar.FieldAttendees) {
		f.Attendees = from.Attendees
	}
	if which.Any(calendar.FieldResources) {
		f.Resources = from.Resources
	}
	return f
}

// heard returns base f as the item knows it: what it did not say is what it last said, or nothing.
func (f Fields) heard() Fields {
	if f.Unsaid == 0 {
		return f
	}
	last := Canonical(Fields{})
	if f.Heard != nil {
		last = *f.Heard
	}
	return take(f, last, f.Unsaid)
}

// Agreed returns what both sides of in agree on while pending is still to be written to the item: the booking's fields
// once nothing is, else those that both say the same, and the base's of the rest. It is nil if that is too little for a
// base. What the item omits is the booking's, and noted as unsaid, so that an item that says it one day is not taken
// for edited.
func Agreed(in Input, pending calendar.Fields) *Fields {
	if in.Base == nil && pending != 0 {
		return nil
	}
	omitted := in.Omits & calendar.AllFields
	said := calendar.AllFields &^ omitted
	excepted := false
	if pending != 0 {
		differ := differing(*in.Booking, *in.Item, in.Omits)
		said &^= differ
		if differ.Any(calendar.FieldRecurrence) {
			// The time of a series and its rule are agreed on as one.
			if excepted = sameClock(*in.Booking, *in.Item); !excepted {
				said &^= calendar.FieldTime
			}
		}
	}
	var before Fields
	if in.Base != nil {
		before = *in.Base
	}
	agreed := take(before, *in.Booking, said|omitted)
	if excepted {
		agreed = agreedDays(before, agreed, in)
	}
	agreed.Owed = excepted && (before.Owed || !sameClock(before, *in.Booking))
	agreed.Unsaid, agreed.Heard = before.Unsaid&^said|omitted, nil
	if in.Base != nil && agreed.Unsaid != 0 {
		nothing := Canonical(Fields{})
		if last := take(nothing, before.heard(), agreed.Unsaid); Diff(last, nothing) != 0 {
			agreed.Heard = &last
		}
	}
	return &agreed
}
