package series

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// OfOccurrence are the fields that a single occurrence has, too.
const OfOccurrence = calendar.AllFields &^ calendar.FieldRecurrence

// Each are the fields of an event, one by one.
var each = []calendar.Fields{
	calendar.FieldSubject, calendar.FieldBody, calendar.FieldLocation, calendar.FieldTime, calendar.FieldBusy, calendar.FieldClass,
	calendar.FieldReminder, calendar.FieldAttendees, calendar.FieldResources, calendar.FieldRecurrence,
}

// Changing returns those of the chosen fields in which want differs from now. What is the same already needs no write, which
// for a meeting would be a mail.
func Changing(now, want calendar.Event, chosen calendar.Fields) calendar.Fields {
	var out calendar.Fields
	for _, f := range each {
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
		return text(a.Body) == text(b.Body)
	case calendar.FieldLocation:
		return a.Location == b.Location
	case calendar.FieldTime:
		return a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.AllDay == b.AllDay && (a.AllDay || SameZone(a.Zone, b.Zone))
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
	return sameRecurrence(a, b)
}

// text is a body without what servers do to its end and its line ends.
func text(s string) string { return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), " \r\n") }

// SameZone reports whether two zones are the same to Exchange; no name is UTC.
func SameZone(a, b string) bool {
	idA, okA := zones.Windows(cmp.Or(a, "UTC"))
	idB, okB := zones.Windows(cmp.Or(b, "UTC"))
	return okA && okB && idA == idB
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

// SameRule reports whether two events repeat alike; what is no series does not repeat.
func SameRule(a, b calendar.Event) bool {
	return (a.Recurrence == "") == (b.Recurrence == "") && canonical(a) == canonical(b)
}

// canonical is an event's rule in the words in which rules compare; as it is where Exchange cannot keep it.
func canonical(e calendar.Event) string {
	s, err := Of(e)
	if err != nil {
		return e.Recurrence
	}
	return s.Canonical()
}

// sameRecurrence reports whether two events have the same rule and exceptions.
func sameRecurrence(a, b calendar.Event) bool {
	if a.Recurrence == "" || b.Recurrence == "" {
		return a.Recurrence == b.Recurrence
	}
	if len(a.Exceptions) != len(b.Exceptions) || !SameRule(a, b) {
		return false
	}
	byTime := func(x, y calendar.OccurrenceException) int { return x.Occurrence.Compare(y.Occurrence) }
	as, bs := slices.SortedFunc(slices.Values(a.Exceptions), byTime), slices.SortedFunc(slices.Values(b.Exceptions), byTime)
	for i := range as {
		x, y := as[i], bs[i]
		if !x.Occurrence.Equal(y.Occurrence) || (x.Event == nil) != (y.Event == nil) {
			return false
		}
		if x.Event != nil && Changing(*x.Event, *y.Event, OfOccurrence) != 0 {
			return false
		}
	}
	return true
}

// ComesBack reports whether an occurrence that is left out now is wanted.
func ComesBack(now, want calendar.Event) bool {
	for _, x := range now.Exceptions {
		out := func(y calendar.OccurrenceException) bool { return y.Event == nil && y.Occurrence.Equal(x.Occurrence) }
		if x.Event == nil && !slices.ContainsFunc(want.Exceptions, out) {
			return true
		}
	}
	return false
}

// HalfDone reports whether a series is as a create leaves it that was cut off before all exceptions were written.
func HalfDone(there calendar.Item, want calendar.Event) bool {
	return there.Kind == calendar.Master && !there.ReadOnly && len(there.Event.Exceptions) < len(want.Exceptions) &&
		Changing(there.Event, want, calendar.FieldTime) == 0 && SameRule(there.Event, want) && subset(there.Event, want)
}

// subset reports whether want has all exceptions that now has, and they are the same.
func subset(now, want calendar.Event) bool {
	for _, x := range now.Exceptions {
		there := func(y calendar.OccurrenceException) bool {
			return y.Occurrence.Equal(x.Occurrence) && (y.Event == nil) == (x.Event == nil) &&
				(x.Event == nil || Changing(*x.Event, *y.Event, OfOccurrence) == 0)
		}
		if !slices.ContainsFunc(want.Exceptions, there) {
			return false
		}
	}
	return true
}

// Follow returns the exceptions of now as they are meant to be once the chosen fields of the series are those of want: what an
// exception had in common with its series changes along.
func Follow(now, want calendar.Event, chosen calendar.Fields) []calendar.OccurrenceException {
	out := slices.Clone(now.Exceptions)
	for i, x := range out {
		if x.Event == nil {
			continue
		}
		common := chosen & OfOccurrence &^ calendar.FieldTime &^ Changing(*x.Event, now, OfOccurrence)
		e := Overlay(*x.Event, want, common)
		out[i].Event = &e
	}
	return out
}

// Overlay returns old with the chosen fields of e written over it.
func Overlay(old, e calendar.Event, chosen calendar.Fields) calendar.Event {
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
			written := chosen.Has(calendar.FieldAttendees)
			if a.Role == calendar.Resource {
				written = chosen.Has(calendar.FieldResources)
			}
			if written == (from == 1) {
				all = append(all, a)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b calendar.Attendee) int { return int(a.Role - b.Role) })
	old.Attendees = all
	return old
}
