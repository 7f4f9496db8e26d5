// Package series is what the backends of Exchange have in common about series: a rule and the pattern in which EWS and Graph keep
// it, the days that it makes, and what an occurrence looks like that is as the rule makes it.
//
// Occurrences are told apart by their day in the rule, a date written as midnight UTC: whatever servers do to times of day, a rule
// has no more than one occurrence on a day. Everything here is pure.
package series

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/recurrence"
)

// A Series is an event with a rule that a calendar of Exchange can keep.
type Series struct {
	calendar.Event
	Rule recurrence.Rule
	at   recurrence.Start
}

// Of reads the rule of an event. fault.Unsupported with the reason if Exchange cannot keep it.
func Of(e calendar.Event) (Series, error) {
	at, err := start(e)
	if err != nil {
		return Series{}, err
	}
	rule, err := recurrence.Parse(e.Recurrence, at)
	if err != nil {
		return Series{}, fmt.Errorf("%w: %w", err, fault.Unsupported)
	}
	return Series{Event: e, Rule: rule, at: at}, nil
}

// start is the first occurrence of an event, were it a series.
func start(e calendar.Event) (recurrence.Start, error) {
	at := recurrence.Start{At: e.Start, AllDay: e.AllDay, Zone: time.UTC}
	if e.Zone != "" {
		zone, err := zones.Location(e.Zone)
		if err != nil {
			return at, fmt.Errorf("time zone %q: %w: %w", e.Zone, err, fault.Invalid)
		}
		at.Zone = zone
	}
	return at, nil
}

// Canonical is the rule in the words in which rules compare.
func (s Series) Canonical() string { return s.Rule.String(s.at) }

// Day is the day of the rule on which an occurrence starts at t: that of t in the zone of the series, or, where the clock left out the
// last hour of a day, and with it the time at which the occurrence of that day would have started, the day before. Of a date it is
// the date itself.
func (s Series) Day(t time.Time) time.Time {
	day := s.at.Day(t)
	if s.AllDay || s.On(day).Equal(t) {
		return day
	}
	if before := day.AddDate(0, 0, -1); s.On(before).Equal(t) {
		return before
	}
	return day
}

// DayIn is the day of a moment in the zone of the series, also where that lasts whole days.
func (s Series) DayIn(t time.Time) time.Time {
	return recurrence.Start{Zone: s.at.Zone}.Day(t)
}

// On is when the occurrence of a day starts by the rule: a moment, or of an all-day series the day itself.
func (s Series) On(day time.Time) time.Time { return s.at.On(day) }

// Days yields the days of the rule in their order, with their number, from 1 on.
func (s Series) Days() iter.Seq2[int, time.Time] {
	return func(yield func(int, time.Time) bool) {
		n := 0
		for t := range s.Rule.Occurrences(s.at) {
			if n++; !yield(n, s.Day(t)) {
				return
			}
		}
	}
}

// Outlasts reports whether a series has an occurrence later than a day.
func (s Series) Outlasts(day time.Time) bool {
	for range s.Rule.OccurrencesFrom(s.at, s.On(day.AddDate(0, 0, 1))) {
		return true
	}
	return false
}

// Plain is the occurrence of a day as the rule makes it.
func (s Series) Plain(day time.Time) calendar.Event {
	e := s.Event
	e.Recurrence, e.Exceptions = "", nil
	e.Start = s.On(day)
	e.End = e.Start.Add(s.End.Sub(s.Start))
	return e
}

// ByDay returns the exceptions by their day.
func (s Series) ByDay() map[time.Time]*calendar.OccurrenceException {
	out := make(map[time.Time]*calendar.OccurrenceException, len(s.Exceptions))
	for i := range s.Exceptions {
		out[s.Day(s.Exceptions[i].Occurrence)] = &s.Exceptions[i]
	}
	return out
}

// Check reports exceptions that no calendar of Exchange keeps: of a day that is none of the rule's, or moved beyond the occurrence
// before or after.
func (s Series) Check() error {
	wanted := s.ByDay()
	left := len(wanted)
	if left < len(s.Exceptions) {
		return fmt.Errorf("one occurrence of a series has two exceptions: %w", fault.Invalid)
	}
	var before time.Time
	for _, day := range s.Days() {
		x, ok := wanted[day]
		if !ok && left == 0 && !s.moment(s.Plain(day)).After(before) {
			return s.crossing(day)
		}
		if !ok && left == 0 {
			return nil
		}
		if ok {
			left--
		}
		if ok && x.Event == nil {
			continue
		}
		e := s.Plain(day)
		if ok {
			e = *x.Event
		}
		if at := s.moment(e); at.After(before) {
			before = at
		} else {
			return s.crossing(day)
		}
	}
	if left > 0 {
		return fmt.Errorf("an exception of a series is on none of its days: %w", fault.Invalid)
	}
	return nil
}

func (s Series) crossing(day time.Time) error {
	return fmt.Errorf("the occurrence of %s would come before the one before it, or at the same time, which Exchange does not allow in a "+
		"series: %w", day.Format(time.DateOnly), fault.Invalid)
}

// moment is when an occurrence begins in the zone of the series.
func (s Series) moment(e calendar.Event) time.Time {
	if !e.AllDay {
		return e.Start
	}
	d := e.Start.UTC()
	return time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, s.at.Zone)
}

// OfRead is Of for an event that may be none; false: it is no series.
func OfRead(e calendar.Event) (Series, bool, error) {
	if e.Recurrence == "" {
		return Series{}, false, nil
	}
	s, err := Of(e)
	return s, true, err
}

// OfWritten is OfRead for an event that is to be written: its exceptions are checked.
func OfWritten(e calendar.Event) (Series, bool, error) {
	s, repeats, err := OfRead(e)
	switch {
	case err == nil && repeats:
		err = s.Check()
	case err == nil && len(e.Exceptions) > 0:
		err = fmt.Errorf("an event without a rule has exceptions from one: %w", fault.Invalid)
	}
	return s, repeats, err
}

// errNoRule says that no rule says a pattern.
var errNoRule = errors.New("no rule says it")
