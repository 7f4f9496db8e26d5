package exchangesim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// longest bounds how many occurrences of a series without an end are looked at.
const longest = 20000

var weekdays = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

var months = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}

// dates yields the days of the pattern, in order, until yield returns false or the range ends.
func (r *Recurrence) dates(yield func(index int, y int, m time.Month, d int) bool) {
	begin, err := time.Parse(time.DateOnly, r.Start)
	if err != nil {
		return
	}
	end, bounded := time.Time{}, false
	if r.Count == 0 && r.End != "" {
		end, err = time.Parse(time.DateOnly, r.End)
		bounded = err == nil
	}
	n := 0
	for step := 0; step < longest; step++ {
		for _, day := range r.step(begin, step) {
			if day.Before(begin) {
				continue
			}
			if bounded && day.After(end) || r.Count > 0 && n >= r.Count {
				return
			}
			n++
			if !yield(n, day.Year(), day.Month(), day.Day()) {
				return
			}
		}
	}
}

// step returns the days of the step-th day, week, month or year of the pattern; some may lie before its begin.
func (r *Recurrence) step(begin time.Time, step int) []time.Time {
	step *= max(r.Interval, 1)
	switch r.Pattern {
	case "Daily":
		return []time.Time{begin.AddDate(0, 0, step)}
	case "Weekly":
		firstDay := max(slices.Index(weekdays, r.FirstDay), 0)
		week := begin.AddDate(0, 0, -((int(begin.Weekday())-firstDay+7)%7)+7*step)
		var days []time.Time
		for i := range 7 {
			if day := week.AddDate(0, 0, i); matchesDay(r.Days, day.Weekday()) {
				days = append(days, day)
			}
		}
		return days
	case "AbsoluteMonthly", "RelativeMonthly":
		return []time.Time{r.inMonth(begin.Year(), begin.Month()+time.Month(step))}
	default:
		month := slices.Index(months, r.Month) + 1
		return []time.Time{r.inMonth(begin.Year()+step, time.Month(max(month, 1)))}
	}
}

// inMonth is the day of the pattern in one month.
func (r *Recurrence) inMonth(year int, month time.Month) time.Time {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	length := first.AddDate(0, 1, -1).Day()
	if strings.HasPrefix(r.Pattern, "Absolute") {
		return first.AddDate(0, 0, min(max(r.Day, 1), length)-1)
	}
	var fits []time.Time
	for i := range length {
		if day := first.AddDate(0, 0, i); matchesDay(r.Days, day.Weekday()) {
			fits = append(fits, day)
		}
	}
	if len(fits) == 0 {
		return first
	}
	if r.Index == "Last" {
		return fits[len(fits)-1]
	}
	return fits[min(index(r.Index, "First", "Second", "Third", "Fourth"), len(fits)-1)]
}

func matchesDay(days []string, d time.Weekday) bool {
	weekend := d == time.Saturday || d == time.Sunday
	return slices.ContainsFunc(days, func(name string) bool {
		return name == weekdays[d] || name == "Day" || name == "Weekday" && !weekend || name == "WeekendDay" && weekend
	})
}

// A slot is where the pattern of a series has an occurrence.
type slot struct {
	index      int // from 1
	day        int // of the pattern, counted from the first of 1970
	start, end time.Time
}

// occurrences yields views of the occurrences of a series that were not deleted, in the order of the pattern.
func (c *call) occurrences(it *item, yield func(*view) bool) {
	it.patternTimes(func(s slot) bool {
		if it.cancels[s.index] {
			return true
		}
		return yield(c.occurrenceView(it, s))
	})
}

func (c *call) occurrenceView(it *item, s slot) *view {
	v := c.viewOf(it)
	v.index, v.day, v.original, v.start, v.end = s.index, s.day, s.start, s.start, s.end
	if e := it.changes[s.index]; e != nil {
		v.c, v.exception, v.start, v.end = e, true, e.start, e.end
	}
	return v
}

// patternTimes yields every occurrence of the pattern, deleted ones too.
func (it *item) patternTimes(yield func(slot) bool) {
	loc := mustZone(it.startZone)
	local := it.start.In(loc)
	days := 0
	if it.allDay {
		days = int(it.end.Sub(it.start).Round(24*time.Hour) / (24 * time.Hour))
	}
	it.recurrence.dates(func(index int, y int, m time.Month, d int) bool {
		start := time.Date(y, m, d, local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
		if y, m, d := local.Date(); start.Equal(time.Date(y, m, d, local.Hour(), local.Minute(), local.Second(), 0, time.UTC)) {
			start = it.start // also if the clock shows it twice
		} else {
			start = onClock(start, loc)
		}
		end := start.Add(it.end.Sub(it.start))
		if days > 0 { // the first moment of a day is not midnight everywhere
			start = dayBegins(time.Date(y, m, d, 12, 0, 0, 0, loc), loc)
			end = dayBegins(time.Date(y, m, d+days, 12, 0, 0, 0, loc), loc)
		}
		return yield(slot{index, dayNumber(y, m, d), start.UTC(), end.UTC()})
	})
}

// onClock is when the clock in loc shows what wall shows in UTC: the first time, if it does twice, and if it does not, as the clock
// would have it that was not put forward.
func onClock(wall time.Time, loc *time.Location) time.Time {
	shows := func(offset time.Time) (time.Time, bool) {
		_, seconds := offset.In(loc).Zone()
		t := wall.Add(-time.Duration(seconds) * time.Second)
		_, there := t.In(loc).Zone()
		return t, there == seconds
	}
	before, ok := shows(wall.AddDate(0, 0, -1))
	if after, is := shows(wall.AddDate(0, 0, 1)); !ok && is {
		return after
	}
	return before
}

// dayNumber counts the days from the first of 1970.
func dayNumber(y int, m time.Month, d int) int {
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// occurrence finds one by its index.
func (c *call) occurrence(it *item, index int) (*view, error) {
	v, err := c.search(it, func(s slot) bool { return s.index == index }, func(s slot) bool { return s.index > index })
	if err == nil && v == nil {
		err = fail("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange", "Occurrence with this index doesn't exist in the recurrence.")
	}
	return v, err
}

// occurrenceOn finds one by the day that is in its id. Another pattern has other days: then the id leads nowhere.
func (c *call) occurrenceOn(it *item, day int) (*view, error) {
	v, err := c.search(it, func(s slot) bool { return s.day == day }, func(s slot) bool { return s.day > day })
	if err == nil && v == nil {
		err = fail("ErrorItemNotFound", "The specified object was not found in the store.")
	}
	return v, err
}

// search finds an occurrence that is there; nil if the pattern has none.
func (c *call) search(it *item, is, beyond func(slot) bool) (*view, error) {
	if it.recurrence == nil {
		return nil, fail("ErrorCalendarCannotUseIdForOccurrenceId", "Id can't be used for an occurrence.")
	}
	var found *view
	it.patternTimes(func(s slot) bool {
		if is(s) {
			found = c.occurrenceView(it, s)
		}
		return found == nil && !beyond(s)
	})
	if found != nil && it.cancels[found.index] {
		return nil, fail("ErrorCalendarOccurrenceIsDeletedFromRecurrence", "Occurrence with this index was previously deleted from the recurrence.")
	}
	return found, nil
}

// anchor moves the start of a series to its first occurrence.
func (c *content) anchor() error {
	it := &item{content: *c}
	found := false
	it.patternTimes(func(s slot) bool {
		c.start, c.end, found = s.start, s.end, true
		return false
	})
	if !found {
		return fail("ErrorRecurrenceHasNoOccurrence", "The recurrence has no occurrence.")
	}
	return nil
}

func (e *edit) setRecurrence(n *node) error {
	r := &Recurrence{Interval: 1}
	for _, k := range n.kids {
		if pattern, ok := strings.CutSuffix(k.name, "Recurrence"); ok && k.child("StartDate") == nil {
			r.Pattern = pattern
			if i, err := strconv.Atoi(k.child("Interval").value()); err == nil {
				r.Interval = i
			}
			r.Days = strings.Fields(k.child("DaysOfWeek").value())
			r.FirstDay = k.child("FirstDayOfWeek").value()
			r.Day, _ = strconv.Atoi(k.child("DayOfMonth").value())
			r.Month, r.Index = k.child("Month").value(), k.child("DayOfWeekIndex").value()
			continue
		}
		r.Start = dateOnly(k.child("StartDate").value())
		r.End = dateOnly(k.child("EndDate").value())
		r.Count, _ = strconv.Atoi(k.child("NumberOfOccurrences").value())
	}
	if r.Pattern == "" || r.Start == "" || r.Interval < 1 {
		return fail("ErrorCalendarInvalidRecurrence", "The recurrence is invalid.")
	}
	e.recurrence = r
	e.changes, e.cancels = map[int]*content{}, map[int]bool{}
	return nil
}

// dateOnly drops what clients and servers add to an xs:date.
func dateOnly(s string) string { return s[:min(len(s), len(time.DateOnly))] }

func (v *view) recurrenceNode() *node {
	r := v.it.recurrence
	if r == nil || v.index > 0 {
		return nil
	}
	if kind, ok := strings.CutSuffix(r.Pattern, "Yearly"); ok && r.Interval > 1 { // the schema's years have no interval
		monthly := *r
		monthly.Pattern, monthly.Interval = kind+"Monthly", 12*r.Interval
		r = &monthly
	}
	pattern := el("t:" + r.Pattern + "Recurrence")
	add := func(name, value string) { pattern.kids = append(pattern.kids, el("t:"+name, value)) }
	days := strings.Join(r.Days, " ")
	switch r.Pattern {
	case "Daily":
		add("Interval", strconv.Itoa(r.Interval))
	case "Weekly":
		add("Interval", strconv.Itoa(r.Interval))
		add("DaysOfWeek", days)
		if r.FirstDay != "" {
			add("FirstDayOfWeek", r.FirstDay)
		}
	case "AbsoluteMonthly":
		add("Interval", strconv.Itoa(r.Interval))
		add("DayOfMonth", strconv.Itoa(r.Day))
	case "RelativeMonthly":
		add("Interval", strconv.Itoa(r.Interval))
		add("DaysOfWeek", days)
		add("DayOfWeekIndex", r.Index)
	case "AbsoluteYearly":
		add("DayOfMonth", strconv.Itoa(r.Day))
		add("Month", r.Month)
	case "RelativeYearly":
		add("DaysOfWeek", days)
		add("DayOfWeekIndex", r.Index)
		add("Month", r.Month)
	}
	start := el("t:StartDate", r.Start+"Z")
	span := el("t:NoEndRecurrence", start)
	switch {
	case r.Count > 0:
		span = el("t:NumberedRecurrence", start, el("t:NumberOfOccurrences", strconv.Itoa(r.Count)))
	case r.End != "":
		span = el("t:EndDateRecurrence", start, el("t:EndDate", r.End+"Z"))
	}
	return el("t:Recurrence", pattern, span)
}

// first and last choose which occurrence occurrenceInfo answers.
const (
	first = iota
	last
)

func (v *view) occurrenceInfo(name string, which int) *node {
	if v.it.recurrence == nil || v.index > 0 || which == last && v.it.recurrence.Count == 0 && v.it.recurrence.End == "" {
		return nil
	}
	var found *view
	v.call.occurrences(v.it, func(o *view) bool {
		found = o
		return which == last
	})
	if found == nil {
		return nil
	}
	return found.info("t:" + name)
}

func (v *view) info(name string) *node {
	return el(name, v.itemID(), el("t:Start", stamp(v.start)), el("t:End", stamp(v.end)), el("t:OriginalStart", stamp(v.original)))
}

func (v *view) modifiedOccurrences() *node {
	if v.index > 0 || len(v.it.changes) == 0 {
		return nil
	}
	n := el("t:ModifiedOccurrences")
	v.call.occurrences(v.it, func(o *view) bool {
		if o.exception {
			n.kids = append(n.kids, o.info("t:Occurrence"))
		}
		return len(n.kids) < len(v.it.changes)
	})
	return n
}

func (v *view) deletedOccurrences() *node {
	if v.index > 0 || len(v.it.cancels) == 0 || v.it.recurrence == nil {
		return nil
	}
	n := el("t:DeletedOccurrences")
	v.it.patternTimes(func(s slot) bool {
		if v.it.cancels[s.index] {
			n.kids = append(n.kids, el("t:DeletedOccurrence", el("t:Start", stamp(s.start))))
		}
		return len(n.kids) < len(v.it.cancels)
	})
	return n
}
