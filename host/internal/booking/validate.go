package booking

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/roomwire/roomwire/sdk/recurrence"
)

// Limits of a series.
const (
	MaxRule       = 500 // bytes
	MaxExceptions = 1000
	// MaxFar is how many occurrences may lie between the start of a series and its last exception.
	MaxFar = 20000
)

// validateSeries looks at what makes b a series; sound says that nothing else is wrong with it.
func validateSeries(b *Booking, sound bool, add adder) {
	switch {
	case !b.Series() && len(b.Exceptions) > 0:
		add("exceptions", "need a recurrence: a single booking has none")
		return
	case !b.Series():
		return
	case len(b.Recurrence) > MaxRule:
		add("recurrence", "has %d bytes; at most %d are allowed", len(b.Recurrence), MaxRule)
		return
	case len(b.Exceptions) > MaxExceptions:
		add("exceptions", "has %d entries; at most %d are allowed", len(b.Exceptions), MaxExceptions)
		return
	case b.Start.IsZero() || b.End.Before(b.Start):
		return // said already, and the rest would follow from it
	}
	s, err := seriesOf(b)
	if err != nil {
		reason := err.Error()
		if r, ok := errors.AsType[*recurrence.Refusal](err); ok {
			reason = "cannot be kept in a calendar of Exchange: " + r.Reason
		}
		add("recurrence", "%s", reason)
		return
	}
	if s.crowded() {
		add("end", "lies so far after the start that an occurrence would go on when the next one begins, which Exchange refuses")
		return
	}
	formed := true
	for i := range b.Exceptions {
		formed = validateException(b, i, add) && formed
	}
	if sound && formed {
		s.validateOrder(add)
	}
}

// crowded reports whether occurrences are longer than the time from one to the next.
func (s *series) crowded() bool {
	const looked = 60 // more than any pattern takes to repeat its shortest step
	var end time.Time
	n := 0
	for at := range s.moments(time.Time{}) {
		if n > 0 && at.Before(end) {
			return true
		}
		if end, n = s.end(at), n+1; n == looked {
			break
		}
	}
	return false
}

// validateException looks at one exception by itself. It reports whether its times can be compared.
func validateException(b *Booking, i int, add adder) (formed bool) {
	x, formed := &b.Exceptions[i], true
	at := func(field string) string { return fmt.Sprintf("exceptions[%d].%s", i, field) }
	if i > 0 && b.Exceptions[i-1].Occurrence.Equal(x.Occurrence) {
		add(at("occurrence"), "is that of another exception, too: say all that is different about it in one")
		formed = false
	}
	if x.Skipped {
		return formed
	}
	switch {
	case (x.Start == nil) != (x.End == nil):
		add(at("end"), "and start come together: give both or none")
		formed = false
	case x.Start == nil && x.AllDay != nil:
		add(at("start"), "is missing: whether an occurrence is all-day cannot change without its times")
		formed = false
	case x.Start != nil:
		allDay := b.AllDay
		replace(&allDay, x.AllDay)
		switch {
		case allDay && (!midnight(*x.Start) || !midnight(*x.End)):
			add(at("start"), "of an all-day occurrence must be a date, and so must its end")
			formed = false
		case x.End.Before(*x.Start), allDay && !x.End.After(*x.Start):
			add(at("end"), "is not after the start; the end is exclusive")
			formed = false
		case x.End.Sub(*x.Start) > MaxDuration:
			add(at("end"), "is more than five years after the start, which Exchange refuses")
			formed = false
		}
	}
	validateTexts(x, at, add)
	own := &Booking{Busy: Free, Class: Public, Status: Confirmed}
	replace(&own.Busy, x.Busy)
	replace(&own.Class, x.Class)
	replace(&own.Resources, x.Resources)
	replace(&own.Attendees, x.Attendees)
	if x.Reminder != nil {
		own.ReminderMinutes = x.Reminder.Minutes
	}
	within := func(field, format string, args ...any) { add(at(field), format, args...) }
	validatePeople(own, within)
	validateFlags(own, within)
	return formed
}

func validateTexts(x *Exception, at func(string) string, add adder) {
	if x.Title != nil && utf8.RuneCountInString(*x.Title) > MaxTitle {
		add(at("title"), "has %d characters; Exchange keeps at most %d", utf8.RuneCountInString(*x.Title), MaxTitle)
	}
	if x.Location != nil && utf8.RuneCountInString(*x.Location) > MaxLocation {
		add(at("location"), "has %d characters; Exchange keeps at most %d", utf8.RuneCountInString(*x.Location), MaxLocation)
	}
	if x.Notes != nil && len(*x.Notes) > MaxNotes {
		add(at("notes"), "has %d bytes; at most %d are kept", len(*x.Notes), MaxNotes)
	}
}

// validateOrder sees that each exception is one of an occurrence, that no occurrence is moved onto the day of its neighbour or
// across it, which Exchange refuses, and that one is left.
func (s *series) validateOrder(add adder) {
	for _, d := range s.disorder() {
		switch field := fmt.Sprintf("exceptions[%d].", d.exception); d.what {
		case strange:
			add(field+"occurrence", "names no occurrence of the series: give the moment at which the rule has one start")
		case beforeIts:
			add(field+"start", "would put the occurrence onto the day of the one before it, or across it, which Exchange refuses")
		case behindIts:
			add(field+"end", "would put the occurrence onto the day of the next one, or across it, which Exchange refuses")
		case far:
			add("exceptions", "lie more than %d occurrences after the start: let a new series begin nearer to them", MaxFar)
		case none:
			add("exceptions", "leave out every occurrence: cancel the booking instead")
		}
	}
}

// A disorder is what is wrong with the exceptions as a whole.
type disorder struct {
	exception int // its place; meaningless of far and none
	what      disorderKind
}

type disorderKind int

const (
	strange   disorderKind = iota // it is of no occurrence
	beforeIts                     // it lies not after its neighbour before
	behindIts                     // it lies not before its next neighbour
	far                           // they are too far away to be looked at
	none                          // no occurrence is left
)

func (s *series) disorder() []disorder {
	var all []disorder
	list, next := s.b.Exceptions, 0 // those before next are dealt with
	var before *Occurrence          // the last one that takes place
	moved, seen := -1, 0            // moved is the exception that gave that one its time, if one did
	for at := range s.moments(time.Time{}) {
		for ; next < len(list) && list[next].Occurrence.Before(at); next++ {
			all = append(all, disorder{next, strange})
		}
		if next == len(list) && before != nil && moved < 0 {
			return all
		}
		if seen++; seen > MaxFar {
			return append(all, disorder{next, far})
		}
		own := -1
		if next < len(list) && list[next].Occurrence.Equal(at) {
			if list[next].timed() {
				own = next
			}
			next++
		}
		o, stands := s.occurrence(at)
		if !stands {
			continue
		}
		if before != nil && (own >= 0 || moved >= 0) && !s.apart(before, &o) {
			if own >= 0 {
				all = append(all, disorder{own, beforeIts})
			} else {
				all = append(all, disorder{moved, behindIts})
			}
		}
		before, moved = &o, own
	}
	for ; next < len(list); next++ {
		all = append(all, disorder{next, strange})
	}
	if before == nil {
		all = append(all, disorder{0, none})
	}
	return all
}

// apart reports whether b lies after a, and on a later day.
func (s *series) apart(a, b *Occurrence) bool {
	day := func(o *Occurrence) time.Time {
		if o.AllDay {
			return o.Start
		}
		return wallOf(o.Start, s.at).Truncate(24 * time.Hour)
	}
	end, start := a.End, b.Start
	if a.AllDay {
		end = midnightIn(end, s.at)
	}
	if b.AllDay {
		start = midnightIn(start, s.at)
	}
	return day(a).Before(day(b)) && !start.Before(end)
}
