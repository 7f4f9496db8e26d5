package ics

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // not every machine has zone files

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"

	"github.com/roomwire/roomwire/sdk/fault"
)

// A clock tells what a zone's wall clocks show: those of an IANA zone, or of one with rules of its own.
type clock struct {
	name     string         // IANA; empty for UTC, and for rules that are those of no zone we know
	location *time.Location // nil where only the rules are known
	rules    []onset
}

var utc = clock{location: time.UTC}

// nameless reports whether the clock is that of a zone which cannot be named.
func (c clock) nameless() bool { return c.location == nil }

// moment returns when the wall clock shows a time, which is given as if it were UTC. Of two such moments it is the first, and a
// time that the clock leaps over counts from before the leap (RFC 5545 3.3.5).
func (c clock) moment(wall time.Time) time.Time {
	if c.location == nil {
		return wall.Add(-offsetAt(c.rules, wall))
	}
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, c.location)
	begin, end := at.ZoneBounds()
	shown := asUTC(at).Equal(wall)
	_, now := at.Zone()
	if !begin.IsZero() {
		_, before := begin.Add(-time.Second).Zone()
		earlier := wall.Add(-time.Duration(before) * time.Second)
		if earlier.Before(begin) || !shown && before < now { // shown twice, or leapt over at begin
			return earlier
		}
	}
	if !shown && !end.IsZero() { // leapt over at end
		return wall.Add(-time.Duration(now) * time.Second)
	}
	return at.UTC()
}

// wall returns what the clock shows at a moment, as if it were UTC; unique is false if it shows that twice, and this is not the
// first time.
func (c clock) wall(t time.Time) (wall time.Time, unique bool) {
	wall = asUTC(t.In(c.location))
	return wall, c.moment(wall).Equal(t)
}

func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// location returns an IANA zone by its name. "Local", the machine's own zone, is none.
func location(name string) (*time.Location, bool) {
	if name == "" || strings.EqualFold(name, "local") {
		return nil, false
	}
	l, err := time.LoadLocation(name)
	return l, err == nil
}

// named returns the clock of a zone that is known; UTC has no name.
func named(l *time.Location) clock {
	switch l.String() {
	case "UTC", "Etc/UTC", "Etc/UCT", "UCT", "Etc/Universal", "Universal", "Etc/Zulu", "Zulu":
		return utc
	}
	return clock{name: l.String(), location: l}
}

// zones resolves the zones that an object names.
type zones struct {
	floating *time.Location
	object   *ical.Component // whose VTIMEZONEs explain them
	year     int             // from which zones are compared
	clocks   map[string]clock
}

// clock returns the clock that a TZID means; an empty one means floating time.
func (z zones) clock(tzid string) (clock, error) {
	if c, known := z.clocks[tzid]; known {
		return c, nil
	}
	c, err := z.resolve(tzid)
	if err == nil {
		z.clocks[tzid] = c
	}
	return c, err
}

func (z zones) resolve(tzid string) (clock, error) {
	if tzid == "" {
		return named(z.floating), nil
	}
	if l, ok := location(tzid); ok {
		return named(l), nil
	}
	// /mozilla.org/20071231_1/Europe/Berlin and the like
	for parts := strings.Split(tzid, "/"); len(parts) > 2; parts = parts[1:] {
		if l, ok := location(strings.Join(parts[1:], "/")); ok {
			return named(l), nil
		}
	}
	d := z.definition(tzid)
	if d == nil {
		return clock{}, fmt.Errorf("time zone %q is neither known nor explained: %w", tzid, fault.Unavailable)
	}
	if l, ok := location(textOf(d, "X-LIC-LOCATION")); ok {
		return named(l), nil
	}
	rules, err := onsets(d)
	if err != nil {
		return clock{}, fmt.Errorf("time zone %q: %w: %w", tzid, err, fault.Unavailable)
	}
	return likeness(rules, z.year), nil
}

func (z zones) definition(tzid string) *ical.Component {
	for _, d := range z.object.Children {
		if p := d.Props.Get(ical.PropTimezoneID); d.Name == ical.CompTimezone && p != nil && p.Value == tzid {
			return d
		}
	}
	return nil
}

// likely are zones that keep every clock in wide use; Outlook names zones as Windows does and explains them.
var likely = strings.Fields(`
	Europe/Berlin Europe/London Europe/Athens Europe/Lisbon Europe/Moscow Europe/Istanbul Europe/Chisinau Atlantic/Azores
	Atlantic/Reykjavik Africa/Lagos Africa/Johannesburg Africa/Cairo Africa/Nairobi
	America/New_York America/Chicago America/Denver America/Los_Angeles America/Anchorage America/Phoenix America/Halifax
	America/St_Johns America/Sao_Paulo America/Bogota America/Mexico_City America/Havana America/Santiago Pacific/Honolulu
	Asia/Jerusalem Asia/Beirut Asia/Dubai Asia/Tehran Asia/Kabul Asia/Karachi Asia/Kolkata Asia/Kathmandu Asia/Dhaka Asia/Yangon
	Asia/Bangkok Asia/Shanghai Asia/Tokyo Australia/Sydney Australia/Brisbane Australia/Adelaide Australia/Darwin Australia/Perth
	Australia/Lord_Howe Pacific/Guadalcanal Pacific/Auckland Pacific/Chatham Pacific/Tongatapu Pacific/Apia`)

// likeness returns the clock of the first likely zone that shows the same for five years, else one without a name.
func likeness(rules []onset, year int) clock {
	own := clock{rules: rules}
	from := time.Date(year, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, name := range likely {
		l, ok := location(name)
		if !ok {
			continue
		}
		c, same := named(l), true
		for day := 0; same && day < 5*365; day += 3 {
			at := from.AddDate(0, 0, day)
			same = c.moment(at).Equal(own.moment(at))
		}
		if same {
			return c
		}
	}
	if l, ok := fixed(rules); ok {
		return named(l)
	}
	return own
}

// fixed returns the zone of a clock that never changes and is whole hours from UTC.
func fixed(rules []onset) (*time.Location, bool) {
	for _, r := range rules {
		if r.to != rules[0].to || r.to%time.Hour != 0 {
			return nil, false
		}
	}
	if rules[0].to == 0 {
		return time.UTC, true
	}
	return location(fmt.Sprintf("Etc/GMT%+d", -int(rules[0].to/time.Hour))) // POSIX counts westward
}

// An onset is a change of a zone's clock: when it shows wall, by what it showed before, its distance from UTC becomes to.
type onset struct {
	wall     time.Time
	from, to time.Duration
}

// The years for which the changes of a zone that is only explained are worked out.
var (
	firstOnset = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	lastOnset  = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

const earlyOnset = 1968 // a leap year before them

// onsets returns the changes that a VTIMEZONE tells of, in order; the first holds for everything before, too.
func onsets(d *ical.Component) ([]onset, error) {
	var out []onset
	for _, c := range d.Children {
		if c.Name != ical.CompTimezoneStandard && c.Name != ical.CompTimezoneDaylight {
			continue
		}
		some, err := observance(c)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("its definition says nothing")
	}
	slices.SortStableFunc(out, func(a, b onset) int { return a.wall.Compare(b.wall) })
	return out, nil
}

func observance(c *ical.Component) ([]onset, error) {
	from, err1 := offset(textOf(c, ical.PropTimezoneOffsetFrom))
	to, err2 := offset(textOf(c, ical.PropTimezoneOffsetTo))
	begin, err3 := time.Parse(localFormat, strings.TrimSuffix(textOf(c, ical.PropDateTimeStart), "Z"))
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return nil, err
		}
	}
	walls := []time.Time{begin}
	for _, p := range c.Props.Values(ical.PropRecurrenceDates) {
		for v := range strings.SplitSeq(p.Value, ",") {
			if t, err := time.Parse(localFormat, v); err == nil {
				walls = append(walls, t)
			}
		}
	}
	for _, p := range c.Props.Values(ical.PropRecurrenceRule) {
		some, err := yearly(p.Value, begin)
		if err != nil {
			return nil, err
		}
		walls = append(walls, some...)
	}
	out := make([]onset, len(walls))
	for i, w := range walls {
		out[i] = onset{w, from, to}
	}
	return out, nil
}

// yearly works a zone's rule out. Only what zones need is taken: other rules may have no end.
func yearly(rule string, begin time.Time) ([]time.Time, error) {
	for part := range strings.SplitSeq(strings.ToUpper(rule), ";") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "FREQ":
			if value != "YEARLY" {
				return nil, fmt.Errorf("its rule %q is not yearly", rule)
			}
		case "BYMONTH", "BYDAY", "BYMONTHDAY", "UNTIL", "WKST":
		default:
			return nil, fmt.Errorf("its rule has %q", name)
		}
	}
	o, err := rrule.StrToROption(strings.ToUpper(rule))
	if err != nil || o.Freq != rrule.YEARLY {
		return nil, fmt.Errorf("its rule %q is none", rule)
	}
	if begin.Year() < earlyOnset { // Windows' zones begin in 1601, and the library stops 292 years after the beginning
		begin = begin.AddDate(earlyOnset-begin.Year(), 0, 0)
	}
	o.Dtstart = begin
	r, err := rrule.NewRRule(*o)
	if err != nil {
		return nil, fmt.Errorf("its rule %q is none", rule)
	}
	out := r.Between(firstOnset, lastOnset, true)
	if before := r.Before(firstOnset, false); !before.IsZero() {
		out = append(out, before)
	}
	return out, nil
}

// offset reads a distance from UTC such as +0100 or -103000.
func offset(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	n, err := strconv.ParseUint(strings.TrimLeft(s, "+-"), 10, 32)
	if err != nil || len(s) != 5 && len(s) != 7 {
		return 0, fmt.Errorf("%q is no distance from UTC", s)
	}
	if len(s) == 5 {
		n *= 100
	}
	d := time.Duration(n/10000)*time.Hour + time.Duration(n/100%100)*time.Minute + time.Duration(n%100)*time.Second
	if s[0] == '-' {
		d = -d
	}
	return d, nil
}

// offsetAt returns the distance from UTC when the clock shows wall.
func offsetAt(rules []onset, wall time.Time) time.Duration {
	now := rules[0].from
	for _, r := range rules {
		if r.wall.After(wall) {
			break
		}
		now = r.to
		if leap := r.to - r.from; leap > 0 && wall.Before(r.wall.Add(leap)) {
			now = r.from
		}
	}
	return now
}
