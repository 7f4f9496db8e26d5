package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Graph's patterns and RRULE (RFC 5545, 3.3.10) each say things that the other cannot. The days 29 to 31 differ most: Exchange
// takes a month's last day where there is none of the number, an RRULE leaves the month out.

var dayCodes = map[string]string{
	"monday": "MO", "tuesday": "TU", "wednesday": "WE", "thursday": "TH", "friday": "FR", "saturday": "SA", "sunday": "SU",
}

var week = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

var indices = map[string]int{"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}

// toRRULE writes a recurrence as a rule; false if no rule says it. at is the zone in which it counts, allDay whether it is of
// whole days.
func (r *patternedRecurrence) toRRULE(at *time.Location, allDay bool) (string, bool) {
	p := r.Pattern
	var parts []string
	add := func(s string) { parts = append(parts, s) }
	freq := map[string]string{
		"daily": "DAILY", "weekly": "WEEKLY", "absoluteMonthly": "MONTHLY", "relativeMonthly": "MONTHLY", "absoluteYearly": "YEARLY", "relativeYearly": "YEARLY",
	}[p.Type]
	if freq == "" || p.Interval < 0 {
		return "", false
	}
	add("FREQ=" + freq)
	if p.Interval > 1 {
		add("INTERVAL=" + strconv.Itoa(p.Interval))
	}
	if freq == "YEARLY" {
		if p.Month < 1 || p.Month > 12 {
			return "", false
		}
		add("BYMONTH=" + strconv.Itoa(p.Month))
	}
	days, ok := dayList(p.Days)
	switch {
	case !ok:
		return "", false
	case p.Type == "weekly":
		if len(days) == 0 {
			return "", false
		}
		add("BYDAY=" + strings.Join(days, ","))
		if first := dayCodes[strings.ToLower(p.FirstDay)]; first != "" && first != "MO" {
			add("WKST=" + first)
		}
	case strings.HasPrefix(p.Type, "absolute"):
		most := 31
		if freq == "YEARLY" {
			most = longest(p.Month)
		}
		switch d := p.DayOfMonth; {
		case d < 1 || d > 31:
			return "", false
		case d <= 28 || freq == "YEARLY" && d <= most && p.Month != 2:
			add("BYMONTHDAY=" + strconv.Itoa(d))
		case d >= most:
			add("BYMONTHDAY=-1")
		case d == 29:
			add("BYMONTHDAY=28,29;BYSETPOS=-1")
		default:
			add("BYMONTHDAY=28,29,30;BYSETPOS=-1")
		}
	case strings.HasPrefix(p.Type, "relative"):
		n, known := indices[p.Index]
		switch {
		case !known || len(days) == 0:
			return "", false
		case len(days) == 1:
			add("BYDAY=" + strconv.Itoa(n) + days[0])
		default:
			add("BYDAY=" + strings.Join(days, ",") + ";BYSETPOS=" + strconv.Itoa(n))
		}
	}
	switch r.Range.Type {
	case "noEnd":
	case "numbered":
		if r.Range.Count < 1 {
			return "", false
		}
		add("COUNT=" + strconv.Itoa(r.Range.Count))
	case "endDate":
		d, err := time.Parse(time.DateOnly, r.Range.End)
		if err != nil {
			return "", false
		}
		if allDay {
			add("UNTIL=" + d.Format("20060102"))
		} else {
			add("UNTIL=" + time.Date(d.Year(), d.Month(), d.Day(), 23, 59, 59, 0, at).UTC().Format("20060102T150405Z"))
		}
	default:
		return "", false
	}
	return strings.Join(parts, ";"), true
}

// longest is the number of a month's last day, in a leap year.
func longest(month int) int {
	return time.Date(2024, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// dayList returns the codes of days in the order of the week, from Monday on.
func dayList(names []string) ([]string, bool) {
	var out []string
	for _, code := range []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"} {
		for _, name := range names {
			if dayCodes[strings.ToLower(name)] == code && !slices.Contains(out, code) {
				out = append(out, code)
			}
		}
	}
	for _, name := range names {
		if dayCodes[strings.ToLower(name)] == "" {
			return nil, false
		}
	}
	return out, true
}

// recurrenceOf returns an event's rule as Graph has it; Unsupported with the reason if it cannot.
func recurrenceOf(e calendar.Event) (*patternedRecurrence, error) {
	at, start, err := firstDay(e)
	if err != nil {
		return nil, err
	}
	refuse := func(why string) (*patternedRecurrence, error) {
		return nil, fmt.Errorf("the rule %q of a series cannot be kept in Exchange Online: %s: %w", clippedTo(e.Recurrence, 120), why, fault.Unsupported)
	}
	by := map[string]string{}
	for pair := range strings.SplitSeq(strings.ToUpper(strings.TrimPrefix(e.Recurrence, "RRULE:")), ";") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || by[name] != "" {
			return refuse("it cannot be read")
		}
		by[name] = value
	}
	take := func(name string) string {
		v := by[name]
		delete(by, name)
		return v
	}
	r := &patternedRecurrence{Pattern: pattern{Interval: 1}, Range: recRange{Type: "noEnd", Start: start.Format(time.DateOnly)}}
	if v := take("INTERVAL"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 999 {
			return refuse("its interval")
		}
		r.Pattern.Interval = n
	}
	if why := r.until(take("COUNT"), take("UNTIL"), at); why != "" {
		return refuse(why)
	}
	if why := r.pattern(take, start); why != "" {
		return refuse(why)
	}
	for name := range by {
		return refuse("it has " + name)
	}
	if r.Range.Zone = "UTC"; at != time.UTC {
		r.Range.Zone, _ = zones.Windows(at.String())
	}
	// The first occurrence is that of the start; Exchange would move it to where the pattern begins.
	for d := range r.dates() {
		if !d.Equal(start) {
			return refuse("its start is not one of its days")
		}
		return r, nil
	}
	return refuse("it has no day")
}

// firstDay returns the zone in which a series counts, and its first day.
func firstDay(e calendar.Event) (*time.Location, time.Time, error) {
	at := time.UTC
	if e.Zone != "" {
		var err error
		if at, err = zones.Location(e.Zone); err != nil {
			return nil, time.Time{}, fmt.Errorf("time zone %q: %w: %w", e.Zone, err, fault.Invalid)
		}
	}
	return at, dayOf(e.Start, at, e.AllDay), nil
}

// dayOf returns the date of a moment in a zone, as midnight UTC; of an all-day event it is the date itself.
func dayOf(t time.Time, at *time.Location, allDay bool) time.Time {
	if !allDay {
		t = t.In(at)
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// until sets the range; it returns what is wrong.
func (r *patternedRecurrence) until(count, until string, at *time.Location) string {
	switch {
	case count != "" && until != "":
		return "it has two ends"
	case count != "":
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || n > 999 {
			return "it must have between 1 and 999 occurrences"
		}
		r.Range.Type, r.Range.Count = "numbered", n
	case until != "":
		d, err := time.Parse("20060102", until)
		if err != nil {
			if d, err = time.Parse("20060102T150405Z", until); err == nil {
				d = d.In(at)
			} else if d, err = time.Parse("20060102T150405", until); err != nil {
				return "its end"
			}
		}
		r.Range.Type, r.Range.End = "endDate", d.Format(time.DateOnly)
	}
	return ""
}

// pattern sets the pattern; it returns what is wrong.
func (r *patternedRecurrence) pattern(take func(string) string, start time.Time) string {
	freq, byDay, byMonthDay, byMonth, pos := take("FREQ"), take("BYDAY"), take("BYMONTHDAY"), take("BYMONTH"), take("BYSETPOS")
	first := take("WKST")
	p := &r.Pattern
	ordinal, days, ok := splitDays(byDay)
	if !ok {
		return "its days"
	}
	if pos != "" && freq != "DAILY" && freq != "WEEKLY" && byMonthDay == "" && ordinal == 0 {
		n, err := strconv.Atoi(pos)
		if err != nil {
			return "BYSETPOS"
		}
		ordinal, pos = n, ""
	}
	switch freq {
	case "DAILY":
		if p.Type = "daily"; byDay != "" && p.Interval == 1 && ordinal == 0 {
			p.Type, p.Days = "weekly", days
		} else if byDay != "" {
			return "its days"
		}
		return unless(byMonthDay+byMonth+pos, "it has more than days")
	case "WEEKLY":
		if p.Type, p.Days = "weekly", days; len(days) == 0 {
			p.Days = []string{week[start.Weekday()]}
		}
		p.FirstDay = "monday"
		for name, code := range dayCodes {
			if code == first {
				p.FirstDay = name
			}
		}
		if ordinal != 0 {
			return "its days"
		}
		return unless(byMonthDay+byMonth+pos, "it has more than days of the week")
	case "MONTHLY":
		p.Type = "Monthly"
		if byMonth != "" {
			return "BYMONTH"
		}
	case "YEARLY":
		p.Type, p.Month = "Yearly", int(start.Month())
		if byMonth != "" {
			n, err := strconv.Atoi(byMonth)
			if err != nil || n < 1 || n > 12 {
				return "BYMONTH"
			}
			p.Month = n
		} else if byDay != "" || byMonthDay != "" {
			return "it has days of every month of a year"
		}
	default:
		return "its frequency"
	}
	if byDay != "" {
		for name, n := range indices {
			if n == ordinal {
				p.Index = name
			}
		}
		if p.Type, p.Days = "relative"+p.Type, days; p.Index == "" || byMonthDay != "" || pos != "" {
			return "its days"
		}
		return ""
	}
	p.Type = "absolute" + p.Type
	return p.monthDay(byMonthDay, pos, start)
}

func unless(s, why string) string {
	if s == "" {
		return ""
	}
	return why
}

// monthDay sets the day of a month. Where a rule leaves out months that are too short, Exchange would take their last day.
func (p *pattern) monthDay(days, pos string, start time.Time) string {
	switch {
	case days == "" && pos == "":
		p.DayOfMonth = start.Day()
	case days == "-1" && pos == "":
		if p.DayOfMonth = 31; p.Month != 0 {
			p.DayOfMonth = longest(p.Month)
		}
		return ""
	case days == "28,29" && pos == "-1":
		p.DayOfMonth = 29
		return ""
	case days == "28,29,30" && pos == "-1":
		p.DayOfMonth = 30
		return ""
	default:
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 31 || pos != "" {
			return "its days of the month"
		}
		p.DayOfMonth = n
	}
	shortest := 28
	if p.Month != 0 && p.Month != 2 {
		shortest = time.Date(2023, time.Month(p.Month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	}
	if p.DayOfMonth > shortest {
		return fmt.Sprintf("Exchange takes the last day of months that have no day %d", p.DayOfMonth)
	}
	return ""
}

// splitDays reads BYDAY: days, all with the same ordinal or without.
func splitDays(list string) (ordinal int, names []string, ok bool) {
	if list == "" {
		return 0, nil, true
	}
	for i, one := range strings.Split(list, ",") {
		if len(one) < 2 {
			return 0, nil, false
		}
		code, n := one[len(one)-2:], 0
		if number := one[:len(one)-2]; number != "" {
			var err error
			if n, err = strconv.Atoi(number); err != nil || n == 0 {
				return 0, nil, false
			}
		}
		if i > 0 && (n != 0 || ordinal != 0) { // "1MO,1TU" is two days of a month, not one
			return 0, nil, false
		}
		ordinal = n
		name := ""
		for known, c := range dayCodes {
			if c == code {
				name = known
			}
		}
		if name == "" {
			return 0, nil, false
		}
		names = append(names, name)
	}
	return ordinal, names, true
}
