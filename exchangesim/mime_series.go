package exchangesim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// ruleParts splits an RRULE.
func ruleParts(rule string) map[string]string {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(rule)), ";") {
		if name, value, ok := strings.Cut(part, "="); ok {
			parts[name] = value
		}
	}
	return parts
}

// takeRule turns an RRULE into a pattern of Exchange. What Exchange cannot keep is refused.
func (e *edit) takeRule(event *component) error {
	e.recurrence, e.changes, e.cancels, e.given = nil, map[int]*content{}, map[int]bool{}, true
	l, ok := event.get("RRULE")
	if !ok {
		return nil
	}
	refused := fail("ErrorMimeContentInvalid", "The recurrence rule is not one that a calendar can hold.")
	parts := ruleParts(l.value)
	loc := mustZone(e.startZone)
	begin := e.start.In(loc)
	r := &Recurrence{Interval: 1, Start: begin.Format(time.DateOnly)}
	number := func(name string, least, most, missing int) (int, bool) {
		text, ok := parts[name]
		if !ok {
			return missing, true
		}
		n, err := strconv.Atoi(text)
		return n, err == nil && n >= least && n <= most
	}
	var good [4]bool
	r.Interval, good[0] = number("INTERVAL", 1, 999, 1)
	r.Count, good[1] = number("COUNT", 1, 999, 0)
	var position, month int
	position, good[2] = number("BYSETPOS", -1, 4, 0)
	month, good[3] = number("BYMONTH", 1, 12, int(begin.Month()))
	if slices.Contains(good[:], false) {
		return refused
	}
	if until := parts["UNTIL"]; until != "" {
		last, _, date, err := e.icalTime(contentLine{}, until, nil)
		if err != nil {
			return err
		}
		if !date {
			last = last.In(loc)
		} else {
			last, _ = time.Parse(icalDate, until)
		}
		r.End = last.Format(time.DateOnly)
	}
	days, nth, ok := byDay(parts["BYDAY"])
	if !ok || nth != 0 && position != 0 {
		return refused
	}
	position += nth
	if position < -1 || position > 4 {
		return refused
	}
	frequency := parts["FREQ"]
	switch {
	case frequency == "DAILY" && len(days) == 0:
		r.Pattern = "Daily"
	case frequency == "WEEKLY" || frequency == "DAILY" && r.Interval == 1:
		r.Pattern, r.Days, r.FirstDay = "Weekly", days, "Monday"
		if first, _, ok := byDay(parts["WKST"]); ok && len(first) == 1 {
			r.FirstDay = first[0]
		}
		if len(days) == 0 {
			r.Days = []string{begin.Weekday().String()}
		}
	case frequency == "MONTHLY" && len(days) > 0 && position != 0:
		r.Pattern, r.Days, r.Index = "RelativeMonthly", kindOfDays(days), ordinal(position)
	case frequency == "MONTHLY" && len(days) == 0:
		r.Pattern, r.Day = "AbsoluteMonthly", dayOfMonth(parts["BYMONTHDAY"], begin)
	case frequency == "YEARLY" && r.Interval == 1 && len(days) > 0 && position != 0:
		r.Pattern, r.Days, r.Index, r.Month = "RelativeYearly", kindOfDays(days), ordinal(position), months[month-1]
	case frequency == "YEARLY" && r.Interval == 1 && len(days) == 0:
		r.Pattern, r.Day, r.Month = "AbsoluteYearly", dayOfMonth(parts["BYMONTHDAY"], begin), months[month-1]
	default:
		return refused
	}
	if strings.Contains(r.Pattern, "Absolute") && (r.Day < 1 || r.Day > 31) {
		return refused
	}
	e.recurrence = r
	return nil
}

// byDay reads days of the week, of which the only one may be numbered.
func byDay(s string) (days []string, nth int, ok bool) {
	if s == "" {
		return nil, 0, true
	}
	for part := range strings.SplitSeq(s, ",") {
		if len(part) < 2 {
			return nil, 0, false
		}
		digits, short := part[:len(part)-2], part[len(part)-2:]
		i := slices.IndexFunc(weekdays, func(d string) bool { return strings.ToUpper(d[:2]) == short })
		if i < 0 {
			return nil, 0, false
		}
		if digits != "" {
			n, err := strconv.Atoi(digits)
			if err != nil || n == 0 || n < -1 || n > 5 || strings.Contains(s, ",") {
				return nil, 0, false
			}
			if nth = n; n == 5 { // the fifth, where there is one, is the last
				nth = -1
			}
		}
		days = append(days, weekdays[i])
	}
	return days, nth, true
}

// kindOfDays names all days, the working days and the weekend as Exchange does.
func kindOfDays(days []string) []string {
	weekend := slices.Contains(days, "Saturday") && slices.Contains(days, "Sunday")
	switch {
	case len(days) == 7:
		return []string{"Day"}
	case len(days) == 2 && weekend:
		return []string{"WeekendDay"}
	case len(days) == 5 && !slices.Contains(days, "Saturday") && !slices.Contains(days, "Sunday"):
		return []string{"Weekday"}
	}
	return days
}

func ordinal(n int) string {
	return map[int]string{-1: "Last", 1: "First", 2: "Second", 3: "Third", 4: "Fourth"}[n]
}

// dayOfMonth reads BYMONTHDAY; of several, as in 28,29,30 with BYSETPOS=-1, the last is the one that is meant.
func dayOfMonth(s string, begin time.Time) int {
	if s == "" {
		return begin.Day()
	}
	n, err := strconv.Atoi(s[strings.LastIndexByte(s, ',')+1:])
	if err != nil {
		return 0
	}
	if n == -1 { // the last day
		return 31
	}
	return n
}

// takeExceptions applies EXDATE and the events with a RECURRENCE-ID to a series.
func (e *edit) takeExceptions(master *component, exceptions []*component, zones map[string]string) error {
	indexes := map[time.Time]int{}
	(&item{content: *e.content}).patternTimes(func(s slot) bool {
		indexes[s.start] = s.index
		return true
	})
	find := func(l contentLine, value string) (int, error) {
		at, _, date, err := e.icalTime(l, value, zones)
		if err != nil {
			return 0, err
		}
		if index, ok := indexes[at]; ok || !date {
			return index, nil
		}
		day := at.In(mustZone(e.startZone)).Format(time.DateOnly) // a date alone means the occurrence of that day
		for start, index := range indexes {
			if start.In(mustZone(e.startZone)).Format(time.DateOnly) == day {
				return index, nil
			}
		}
		return 0, nil
	}
	for _, l := range master.lines {
		if l.name != "EXDATE" {
			continue
		}
		for value := range strings.SplitSeq(l.value, ",") {
			index, err := find(l, value)
			if err != nil {
				return err
			}
			if index > 0 {
				e.cancels[index] = true
			}
		}
	}
	for _, event := range exceptions {
		l, _ := event.get("RECURRENCE-ID")
		index, err := find(l, l.value)
		if err != nil {
			return err
		}
		if index == 0 {
			return fail("ErrorMimeContentInvalid", "A changed occurrence is not one of its series.")
		}
		changed := e.content.clone()
		changed.changes, changed.cancels = map[int]*content{}, map[int]bool{}
		if err := (&edit{content: &changed, call: e.call}).takeEvent(event, zones); err != nil {
			return err
		}
		changed.recurrence = nil
		if err := changed.settle(); err != nil {
			return err
		}
		e.changes[index] = &changed
	}
	return nil
}
