package series

import (
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// Unseated returns want as it is written before rooms are told: none is added and none taken off, but in occurrences that say of a room
// what the series is going to. What the room is told of the series is of them, too.
func Unseated(now, want calendar.Event, rooms []string) calendar.Event {
	out := want
	out.Attendees = seat(want.Attendees, now.Attendees, rooms)
	out.Exceptions = slices.Clone(want.Exceptions)
	for i, x := range out.Exceptions {
		if x.Event == nil {
			continue
		}
		e := *x.Event
		told := slices.DeleteFunc(slices.Clone(rooms), func(r string) bool {
			of := has(want.Attendees, r)
			return of != has(now.Attendees, r) && of == has(e.Attendees, r)
		})
		e.Attendees = seat(e.Attendees, at(now, x.Occurrence).Attendees, told)
		out.Exceptions[i].Event = &e
	}
	return out
}

// Seated returns now with the rooms that want has, of rooms.
func Seated(now, want calendar.Event, rooms []string) calendar.Event {
	out := now
	out.Attendees = seat(now.Attendees, want.Attendees, rooms)
	out.Exceptions = slices.Clone(now.Exceptions)
	for i, x := range out.Exceptions {
		if x.Event != nil {
			e := *x.Event
			e.Attendees = seat(e.Attendees, at(want, x.Occurrence).Attendees, rooms)
			out.Exceptions[i].Event = &e
		}
	}
	for _, x := range want.Exceptions {
		known := slices.ContainsFunc(now.Exceptions, func(y calendar.OccurrenceException) bool { return y.Occurrence.Equal(x.Occurrence) })
		if x.Event != nil && !known {
			e := *x.Event
			e.Attendees = seat(now.Attendees, e.Attendees, rooms)
			out.Exceptions = append(out.Exceptions, calendar.OccurrenceException{Occurrence: x.Occurrence, Event: &e})
		}
	}
	slices.SortFunc(out.Exceptions, func(a, b calendar.OccurrenceException) int { return a.Occurrence.Compare(b.Occurrence) })
	return out
}

// SameSeats reports whether a and b have the same of rooms, in all of their occurrences.
func SameSeats(a, b calendar.Event, rooms []string) bool {
	same := func(x, y []calendar.Attendee) bool {
		return !slices.ContainsFunc(rooms, func(r string) bool { return has(x, r) != has(y, r) })
	}
	for _, e := range []calendar.Event{a, b} {
		for _, x := range e.Exceptions {
			if x.Event != nil && !same(at(a, x.Occurrence).Attendees, at(b, x.Occurrence).Attendees) {
				return false
			}
		}
	}
	return same(a.Attendees, b.Attendees)
}

// seat returns attendees with those of rooms that are among others, and with no other of them. One that is in both stays as it is.
func seat(attendees, others []calendar.Attendee, rooms []string) []calendar.Attendee {
	out := slices.DeleteFunc(slices.Clone(attendees), func(a calendar.Attendee) bool { return named(rooms, a) && !has(others, a.Email) })
	return append(out, slices.DeleteFunc(slices.Clone(others), func(a calendar.Attendee) bool {
		return !named(rooms, a) || has(attendees, a.Email)
	})...)
}

// at is an occurrence of a series, as far as who is invited to it.
func at(e calendar.Event, occurrence time.Time) calendar.Event {
	for _, x := range e.Exceptions {
		if x.Event != nil && x.Occurrence.Equal(occurrence) {
			return *x.Event
		}
	}
	return e
}

func named(list []string, a calendar.Attendee) bool {
	return slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, a.Email) })
}

func has(list []calendar.Attendee, email string) bool {
	return slices.ContainsFunc(list, func(a calendar.Attendee) bool { return strings.EqualFold(a.Email, email) })
}
