package graph

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
)

var week = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

var indices = map[string]int{"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}

var patternTypes = map[string]series.Kind{
	"daily": series.Daily, "weekly": series.Weekly, "absoluteMonthly": series.AbsoluteMonthly, "relativeMonthly": series.RelativeMonthly,
	"absoluteYearly": series.AbsoluteYearly, "relativeYearly": series.RelativeYearly,
}

// ruleOf writes a recurrence of the series that begins with e as a rule; false if no rule says it.
func (r *patternedRecurrence) ruleOf(e calendar.Event) (string, bool) {
	p := series.Pattern{
		Kind: patternTypes[r.Pattern.Type], Interval: r.Pattern.Interval, Day: r.Pattern.DayOfMonth, Ordinal: indices[r.Pattern.Index],
		Month: time.Month(r.Pattern.Month), FirstDay: time.Weekday(max(slices.Index(week, strings.ToLower(r.Pattern.FirstDay)), 0)),
	}
	for _, name := range r.Pattern.Days {
		d := slices.Index(week, strings.ToLower(name))
		if d < 0 {
			return "", false
		}
		p.Days = append(p.Days, time.Weekday(d))
	}
	switch r.Range.Type {
	case "noEnd":
	case "numbered":
		if p.Count = r.Range.Count; p.Count < 1 {
			return "", false
		}
	case "endDate":
		var err error
		if p.Until, err = time.Parse(time.DateOnly, r.Range.End); err != nil {
			return "", false
		}
	default:
		return "", false
	}
	return series.RuleOf(p, e)
}

// recurrenceOf returns the rule of a series as Graph has it.
func recurrenceOf(s series.Series) *patternedRecurrence {
	p := s.Pattern()
	zone, _ := zones.Windows(cmp.Or(s.Zone, "UTC"))
	r := &patternedRecurrence{
		Pattern: pattern{Interval: p.Interval, Month: int(p.Month), DayOfMonth: p.Day},
		Range:   recRange{Type: "noEnd", Start: p.Start.Format(time.DateOnly), Zone: zone},
	}
	for name, kind := range patternTypes {
		if kind == p.Kind {
			r.Pattern.Type = name
		}
	}
	for name, n := range indices {
		if n == p.Ordinal {
			r.Pattern.Index = name
		}
	}
	for _, d := range p.Days {
		r.Pattern.Days = append(r.Pattern.Days, week[d])
	}
	if p.Kind == series.Weekly {
		r.Pattern.FirstDay = week[p.FirstDay]
	}
	switch {
	case p.Count > 0:
		r.Range.Type, r.Range.Count = "numbered", p.Count
	case !p.Until.IsZero():
		r.Range.Type, r.Range.End = "endDate", p.Until.Format(time.DateOnly)
	}
	return r
}
