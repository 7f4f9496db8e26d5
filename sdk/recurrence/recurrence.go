// Package recurrence is the part of RRULE (RFC 5545, 3.3.10) that a calendar of Exchange can keep, as a value.
//
// An RRULE and a pattern of Exchange each say things that the other cannot. The days 29 to 31 of a month differ most: Exchange
// takes the last day of a month that has none of the number, an RRULE leaves the month out. Parse refuses what Exchange would
// do otherwise, and String writes what Exchange does so that every other program understands it.
//
// A rule means something only together with the first occurrence, a Start: its days are taken from there, and its times of day
// are those of the start's zone, whatever the clocks there do. Everything here is pure and safe for concurrent use.
package recurrence

import (
	"iter"
	"slices"
	"time"

	"github.com/teambition/rrule-go"
)

// Frequency is the unit that Rule.Interval counts.
type Frequency int

// The frequencies.
const (
	Daily Frequency = iota + 1
	Weekly
	Monthly
	Yearly
)

// A Rule says when the occurrences of a series are.
type Rule struct {
	Freq     Frequency
	Interval int // of Daily up to 999, of Weekly and Monthly up to 99, of Yearly 1
	// Days are the days of the week: of Weekly those on which it takes place, of Monthly and Yearly with an Ordinal those that
	// are counted: one, or Monday to Friday, or Saturday and Sunday, or all seven. They are in order, from Monday on.
	Days []time.Weekday
	// Ordinal is which of the Days of a month it is: 1 to 4, or -1 for the last; 0 where MonthDay says it.
	Ordinal int
	// MonthDay is the day of the month, 1 to 31. A month that is shorter takes its last day.
	MonthDay int
	Month    time.Month // of Yearly
	// WeekStart matters to Weekly with several Days and an Interval of more than one; else it is Monday.
	WeekStart time.Weekday
	Count     int // 1 to 999; 0: it does not end by number
	// Until is the date of the last occurrence, as midnight UTC; zero: it does not end by date. A rule with neither has no end.
	Until time.Time
}

// A Start is the first occurrence of a series.
type Start struct {
	At     time.Time // a moment; where AllDay is set a date, written as midnight UTC
	AllDay bool
	Zone   *time.Location // in which the rule counts; nil is UTC
}

func (s Start) zone() *time.Location {
	if s.Zone == nil || s.AllDay {
		return time.UTC
	}
	return s.Zone
}

// Day returns the date of a moment in the series' zone, as midnight UTC.
func (s Start) Day(t time.Time) time.Time {
	t = t.In(s.zone())
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// On returns when an occurrence on a date (midnight UTC) starts: at the start's time of day. Of a time that the clock shows twice
// it is the first; one that it leaves out is counted from before the change, so 2:30 is what the clock then calls 3:30.
func (s Start) On(day time.Time) time.Time {
	if day.Equal(s.Day(s.At)) {
		return s.At.UTC() // also if it is the second time that the clock shows it
	}
	at := s.zone()
	if at == time.UTC {
		clock := s.At.UTC()
		return day.UTC().Add(clock.Sub(s.Day(clock)))
	}
	clock := s.At.In(at)
	wall := time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), time.UTC)
	t := time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), at)
	change, next := t.ZoneBounds()
	if wallOf(t).Equal(wall) {
		if change.IsZero() {
			return t.UTC()
		}
		if first := wall.Add(-offset(change.Add(-time.Second))); first.Before(change) {
			return first.UTC() // the clock shows it a first time before it is put back
		}
		return t.UTC()
	}
	if change.IsZero() || !next.IsZero() && next.Sub(t) < t.Sub(change) {
		change = next
	}
	return wall.Add(-offset(change.Add(-time.Second))).UTC()
}

// EndOf returns when the occurrence that starts at at ends, if the first one ends at end: as late by the clock on the wall, and where
// that shows no time between start and end, because it is put back, as long after its start.
func (s Start) EndOf(at, end time.Time) time.Time {
	length := end.Sub(s.At)
	if s.AllDay || at.Equal(s.At) {
		return at.Add(length)
	}
	zone, shown := s.zone(), length
	if wall := wallOf(end.In(zone)).Sub(wallOf(s.At.In(zone))); wall > 0 || length == 0 {
		shown = wall
	}
	w := wallOf(at.In(zone)).Add(shown)
	made := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, zone).UTC()
	if made.Before(at) || made.Equal(at) && length > 0 {
		return at.Add(length)
	}
	return made
}

func wallOf(t time.Time) time.Time { return t.UTC().Add(offset(t)) }

func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// Dates yields the dates of the occurrences from a date on, as midnight UTC, in order; from a zero one all. A rule without an end
// yields on until the year 9999. What lies before from costs nothing, unless the rule ends by number.
func (r Rule) Dates(s Start, from time.Time) iter.Seq[time.Time] {
	o := rrule.ROption{Dtstart: r.near(s.Day(s.At), from), Interval: r.Interval, Wkst: toDay[r.WeekStart], Count: r.Count, Until: r.Until}
	switch r.Freq {
	case Daily:
		o.Freq = rrule.DAILY
	case Weekly:
		o.Freq = rrule.WEEKLY
		o.Byweekday = weekdays(r.Days)
	case Monthly:
		o.Freq = rrule.MONTHLY
	default:
		o.Freq, o.Bymonth = rrule.YEARLY, []int{int(r.Month)}
	}
	if r.Freq == Monthly || r.Freq == Yearly {
		if r.Ordinal != 0 {
			o.Byweekday, o.Bysetpos = weekdays(r.Days), []int{r.Ordinal}
		} else {
			// The last that there is of the days up to the one meant.
			for d := min(r.MonthDay, 28); d <= r.MonthDay; d++ {
				o.Bymonthday = append(o.Bymonthday, d)
			}
			o.Bysetpos = []int{-1}
		}
	}
	return func(yield func(time.Time) bool) {
		rule, err := rrule.NewRRule(o)
		if err != nil {
			return // of a Rule that Parse did not make
		}
		for next := rule.Iterator(); ; {
			day, ok := next()
			if !ok || !day.Before(from) && !yield(day) {
				return
			}
		}
	}
}

// near returns a date from which the rule has the same occurrences on as from its first, and which lies not after from by much.
func (r Rule) near(first, from time.Time) time.Time {
	if r.Count > 0 || r.Interval < 1 || !from.After(first) {
		return first
	}
	if !r.Until.IsZero() && from.After(r.Until) {
		from = r.Until
	}
	days, months := 0, r.Interval
	switch r.Freq {
	case Daily:
		days = r.Interval
	case Weekly:
		days = 7 * r.Interval // weeks are counted from that of the first one
	case Yearly:
		months = 12
	}
	if days > 0 {
		between := int((from.Unix() - first.Unix()) / (24 * 60 * 60)) // a Duration ends after 292 years
		return first.AddDate(0, 0, max(0, between/days-1)*days)
	}
	between := 12*(from.Year()-first.Year()) + int(from.Month()-first.Month())
	if n := between/months - 1; n > 0 {
		return time.Date(first.Year(), first.Month()+time.Month(n*months), 1, 0, 0, 0, 0, time.UTC)
	}
	return first
}

// Occurrences yields when the occurrences start, in order: moments in UTC, or of an all-day series dates as midnight UTC. A rule
// without an end yields on until the year 9999.
func (r Rule) Occurrences(s Start) iter.Seq[time.Time] { return r.OccurrencesFrom(s, time.Time{}) }

// OccurrencesFrom is Occurrences without those before a moment. What lies between the start and from costs nothing, unless the rule
// ends by number.
func (r Rule) OccurrencesFrom(s Start, from time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		first := from
		if !from.IsZero() {
			first = s.Day(from).AddDate(0, 0, -1) // a time that the clock leaves out may lie on the next day
		}
		for day := range r.Dates(s, first) {
			if at := s.On(day); !at.Before(from) && !yield(at) {
				return
			}
		}
	}
}

// Has reports whether the rule has an occurrence that starts at t.
func (r Rule) Has(s Start, t time.Time) bool {
	for o := range r.OccurrencesFrom(s, t) {
		return o.Equal(t)
	}
	return false
}

// Endless reports whether the rule has no end.
func (r Rule) Endless() bool { return r.Count == 0 && r.Until.IsZero() }

// Equal reports whether both say the same. Rules that Parse has made do if and only if they have the same text.
func (r Rule) Equal(o Rule) bool {
	return r.Freq == o.Freq && r.Interval == o.Interval && slices.Equal(r.Days, o.Days) && r.Ordinal == o.Ordinal &&
		r.MonthDay == o.MonthDay && r.Month == o.Month && r.WeekStart == o.WeekStart && r.Count == o.Count && r.Until.Equal(o.Until)
}

var toDay = map[time.Weekday]rrule.Weekday{
	time.Monday: rrule.MO, time.Tuesday: rrule.TU, time.Wednesday: rrule.WE, time.Thursday: rrule.TH,
	time.Friday: rrule.FR, time.Saturday: rrule.SA, time.Sunday: rrule.SU,
}

func weekdays(days []time.Weekday) []rrule.Weekday {
	out := make([]rrule.Weekday, len(days))
	for i, d := range days {
		out[i] = toDay[d]
	}
	return out
}
