package ics

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// regularYears is for how long a zone must change its clock by the same rule for us to say that it always does; irregularYears
// is how far ahead the changes of another zone are listed.
const (
	regularYears   = 12
	irregularYears = 30
)

// A change is one of a zone's clock.
type change struct {
	wall     time.Time // what the clock shows just then, by the old distance
	from, to int       // seconds east of UTC
	name     string
	daylight bool
}

// timezone explains an IANA zone from the year before start on, as every reader of the object needs it (RFC 5545 3.6.5).
func timezone(l *time.Location, start time.Time) *ical.Component {
	tz := ical.NewComponent(ical.CompTimezone)
	put(tz, ical.PropTimezoneID, l.String())
	year := start.Year() - 1
	all := changes(l, year, year+irregularYears)
	begin := time.Date(year, 1, 1, 0, 0, 0, 0, l)
	if len(all) == 0 {
		name, offset := begin.Zone()
		tz.Children = append(tz.Children, part(change{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), offset, offset, name, false}))
		return tz
	}
	if rules := pattern(all, year, year+regularYears); rules != nil {
		for i, rule := range rules {
			c := part(all[i])
			put(c, ical.PropRecurrenceRule, rule)
			tz.Children = append(tz.Children, c)
		}
		return tz
	}
	// What holds before the first change that is told of.
	name, offset := begin.Zone()
	tz.Children = append(tz.Children, part(change{time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), offset, offset, name, begin.IsDST()}))
	for _, ch := range all {
		tz.Children = append(tz.Children, part(ch))
	}
	return tz
}

// changes returns those of a zone's clock in some years, the last year left out.
func changes(l *time.Location, from, to int) []change {
	var out []change
	end := time.Date(to, 1, 1, 0, 0, 0, 0, l)
	for t := time.Date(from, 1, 1, 0, 0, 0, 0, l); t.Before(end); {
		_, next := t.ZoneBounds()
		if next.IsZero() || !next.Before(end) {
			break
		}
		if !next.After(t) { // so it is on the last day of leap years
			next = t.AddDate(0, 0, 1)
		}
		_, before := next.Add(-time.Second).Zone()
		name, after := next.Zone()
		if before != after { // bounds are those of years, too
			wall := asUTC(next.UTC().Add(time.Duration(before) * time.Second))
			out = append(out, change{wall, before, after, name, next.IsDST()})
		}
		t = next
	}
	return out
}

// pattern returns the rules of the first changes, if all of the years have the same ones; else nothing.
func pattern(all []change, from, to int) []string {
	by := map[int][]change{}
	for _, c := range all {
		by[c.wall.Year()] = append(by[c.wall.Year()], c)
	}
	first := by[from]
	var rules []string
	for i, c := range first {
		var common []string
		for y := from; y < to; y++ {
			if len(by[y]) != len(first) || !c.alike(by[y][i]) {
				return nil
			}
			if days := weekdays(by[y][i].wall); y == from {
				common = days
			} else {
				common = slices.DeleteFunc(common, func(d string) bool { return !slices.Contains(days, d) })
			}
		}
		if len(common) == 0 {
			return nil
		}
		rules = append(rules, fmt.Sprintf("FREQ=YEARLY;BYMONTH=%d;BYDAY=%s", c.wall.Month(), common[0]))
	}
	return rules
}

func (c change) alike(o change) bool {
	return c.wall.Month() == o.wall.Month() && c.wall.Hour() == o.wall.Hour() && c.wall.Minute() == o.wall.Minute() &&
		c.from == o.from && c.to == o.to
}

// weekdays returns how a day may be called as the nth weekday of its month, the last one first.
func weekdays(t time.Time) []string {
	day := strings.ToUpper(t.Weekday().String()[:2])
	var out []string
	if t.AddDate(0, 0, 7).Month() != t.Month() {
		out = append(out, "-1"+day)
	}
	return append(out, fmt.Sprintf("%d%s", (t.Day()+6)/7, day))
}

// part is one observance of a VTIMEZONE.
func part(c change) *ical.Component {
	kind := ical.CompTimezoneStandard
	if c.daylight {
		kind = ical.CompTimezoneDaylight
	}
	p := ical.NewComponent(kind)
	put(p, ical.PropDateTimeStart, c.wall.Format(localFormat))
	put(p, ical.PropTimezoneOffsetFrom, distance(c.from))
	put(p, ical.PropTimezoneOffsetTo, distance(c.to))
	put(p, ical.PropTimezoneName, c.name)
	return p
}

func distance(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	s := fmt.Sprintf("%c%02d%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		s += fmt.Sprintf("%02d", seconds%60)
	}
	return s
}

// put sets a property to a value that needs no escaping.
func put(c *ical.Component, name, value string) {
	p := ical.NewProp(name)
	p.Value = value
	c.Props.Set(p)
}
