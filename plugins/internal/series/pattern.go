package series

import (
	"slices"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/recurrence"
)

// Kind is how a pattern repeats.
type Kind int

// The kinds of patterns.
const (
	Daily Kind = iota + 1
	Weekly
	AbsoluteMonthly
	RelativeMonthly
	AbsoluteYearly
	RelativeYearly
)

// A Pattern is a rule as Exchange keeps it, whichever way it is spoken to. What a kind does not have is zero.
type Pattern struct {
	Kind     Kind
	Interval int            // of days, weeks, months or, with Graph alone, years
	Days     []time.Weekday // of Weekly and the relative kinds
	FirstDay time.Weekday   // of the week, of Weekly
	Day      int            // of the month, of the absolute kinds; in shorter months their last
	Ordinal  int            // of the relative kinds: 1 to 4, or -1 for the last
	Month    time.Month     // of the yearly kinds
	Start    time.Time      // the first day, as midnight UTC
	Until    time.Time      // the last day; zero: it does not end by date
	Count    int            // of occurrences; 0: it does not end by number
}

// Pattern returns the rule of a series as Exchange keeps it. Its interval of years is 1.
func (s Series) Pattern() Pattern {
	r := s.Rule
	p := Pattern{
		Interval: r.Interval, Days: slices.Clone(r.Days), Day: r.MonthDay, Ordinal: r.Ordinal, Month: r.Month,
		Start: s.Day(s.Start), Until: r.Until, Count: r.Count,
	}
	switch relative := r.Ordinal != 0; {
	case r.Freq == recurrence.Daily:
		p.Kind = Daily
	case r.Freq == recurrence.Weekly:
		p.Kind, p.FirstDay = Weekly, r.WeekStart
	case r.Freq == recurrence.Monthly && relative:
		p.Kind = RelativeMonthly
	case r.Freq == recurrence.Monthly:
		p.Kind = AbsoluteMonthly
	case relative:
		p.Kind = RelativeYearly
	default:
		p.Kind = AbsoluteYearly
	}
	return p
}

// RuleOf returns the canonical rule that says what p does to an event, the first occurrence of its series; false if no rule does.
func RuleOf(p Pattern, e calendar.Event) (string, bool) {
	at, err := start(e)
	if err != nil {
		return "", false
	}
	r, err := p.rule()
	if err != nil {
		return "", false
	}
	rule, err := recurrence.Canonical(r.String(at), at)
	return rule, err == nil
}

// rule returns the rule that a pattern is, not yet in its canonical form.
func (p Pattern) rule() (recurrence.Rule, error) {
	r := recurrence.Rule{
		Interval: max(p.Interval, 1), WeekStart: time.Monday, Count: p.Count, Until: p.Until,
	}
	switch p.Kind {
	case Daily:
		r.Freq = recurrence.Daily
		return r, nil
	case Weekly:
		r.Freq, r.Days, r.WeekStart = recurrence.Weekly, inWeek(p.Days), p.FirstDay
		if len(r.Days) == 0 {
			return r, errNoRule
		}
		return r, nil
	case AbsoluteMonthly, RelativeMonthly:
		r.Freq = recurrence.Monthly
	case AbsoluteYearly, RelativeYearly:
		r.Freq, r.Month = recurrence.Yearly, p.Month
		if p.Month < time.January || p.Month > time.December {
			return r, errNoRule
		}
	default:
		return r, errNoRule
	}
	if p.Kind == AbsoluteMonthly || p.Kind == AbsoluteYearly {
		if r.MonthDay = p.Day; p.Day < 1 || p.Day > 31 {
			return r, errNoRule
		}
		return r, nil
	}
	r.Days, r.Ordinal = inWeek(p.Days), p.Ordinal
	if len(r.Days) == 0 || r.Ordinal == 0 {
		return r, errNoRule
	}
	return r, nil
}

// inWeek returns days in order, from Monday on, each once.
func inWeek(days []time.Weekday) []time.Weekday {
	out := slices.Clone(days)
	slices.SortFunc(out, func(a, b time.Weekday) int { return (int(a)+6)%7 - (int(b)+6)%7 })
	return slices.Compact(out)
}
