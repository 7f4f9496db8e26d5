package graph

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// maxSteps bounds how many days, weeks, months or years of a series are looked at.
const maxSteps = 20000

// dates yields the days of a recurrence in their order, as midnight UTC.
func (r *patternedRecurrence) dates() iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		begin, err := time.Parse(time.DateOnly, r.Range.Start)
		if err != nil {
			return
		}
		end := time.Time{}
		if r.Range.Type == "endDate" {
			if end, err = time.Parse(time.DateOnly, r.Range.End); err != nil {
				return
			}
		}
		n := 0
		for step := range maxSteps {
			for _, d := range r.Pattern.step(begin, step*max(r.Pattern.Interval, 1)) {
				if d.Before(begin) {
					continue
				}
				if !end.IsZero() && d.After(end) || r.Range.Type == "numbered" && n >= r.Range.Count {
					return
				}
				n++
				if !yield(d) {
					return
				}
			}
		}
	}
}

// step returns the days of the pattern, in order, that are that many days, weeks, months or years after begin.
func (p pattern) step(begin time.Time, n int) []time.Time {
	switch p.Type {
	case "daily":
		return []time.Time{begin.AddDate(0, 0, n)}
	case "weekly":
		first := max(slices.Index(week, strings.ToLower(p.FirstDay)), 0)
		from := begin.AddDate(0, 0, 7*n-(int(begin.Weekday())-first+7)%7)
		var out []time.Time
		for i := range 7 {
			if d := from.AddDate(0, 0, i); p.has(d.Weekday()) {
				out = append(out, d)
			}
		}
		return out
	case "absoluteMonthly", "relativeMonthly":
		return p.month(begin.Year(), begin.Month()+time.Month(n))
	case "absoluteYearly", "relativeYearly":
		return p.month(begin.Year()+n, time.Month(p.Month))
	}
	return nil
}

// month returns the pattern's day of a month.
func (p pattern) month(year int, month time.Month) []time.Time {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1)
	if strings.HasPrefix(p.Type, "absolute") {
		return []time.Time{first.AddDate(0, 0, min(max(p.DayOfMonth, 1), last.Day())-1)}
	}
	var fit []time.Time
	for d := first; !d.After(last); d = d.AddDate(0, 0, 1) {
		if p.has(d.Weekday()) {
			fit = append(fit, d)
		}
	}
	switch n := indices[p.Index]; {
	case len(fit) == 0 || n == 0:
		return nil
	case n < 0:
		return fit[len(fit)-1:]
	default:
		return fit[n-1 : n]
	}
}

func (p pattern) has(d time.Weekday) bool {
	return slices.ContainsFunc(p.Days, func(name string) bool { return strings.EqualFold(name, week[d]) })
}
