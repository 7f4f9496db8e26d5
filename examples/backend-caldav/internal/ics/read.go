package ics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-ical"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	dateFormat  = "20060102"
	localFormat = "20060102T150405"
	utcFormat   = "20060102T150405Z"

	busyStatus = "X-MICROSOFT-CDO-BUSYSTATUS"
	// meantIn is a parameter of ours for the zone of a moment that can only be told in UTC.
	meantIn = "X-ROOMWIRE-TZID"
)

// maxBody bounds what is told of an event's text, in bytes: a page holds many events and travels as one message.
const maxBody = 40 << 10

// Read returns the event of an object, and the markers that it bears. It is ReadOnly if somebody else than owner, an address,
// is its organizer.
func (m Mapper) Read(text, owner string) (calendar.Item, error) {
	o, err := m.parse(text)
	if err != nil {
		return calendar.Item{}, err
	}
	return m.read(o, owner)
}

func (m Mapper) read(o object, owner string) (calendar.Item, error) {
	main := o.main()
	o.zones.year = yearOf(main)
	e, err := o.event(main)
	if err != nil {
		return calendar.Item{}, err
	}
	marks := m.marks(o)
	item := calendar.Item{
		Key: marks.Key, ForeignKey: marks.Foreign, Event: e,
		ReadOnly: e.Organizer.Email != "" && !strings.EqualFold(e.Organizer.Email, owner),
	}
	switch {
	case main.Props.Get(ical.PropRecurrenceID) != nil: // of a series that is not here
		item.Kind = calendar.Exception
	case repeats(main):
		item.Kind = calendar.Master
		if whole, err := o.expressible(); err != nil || !whole {
			item.Omits = calendar.FieldRecurrence // there is a rule, and no RRULE alone says it
			break
		}
		item.Event.Recurrence, item.Event.Exceptions, err = o.series(e)
	}
	return item, err
}

func repeats(c *ical.Component) bool {
	return c.Props.Get(ical.PropRecurrenceRule) != nil || c.Props.Get(ical.PropRecurrenceDates) != nil
}

// yearOf returns the year in which an event begins, or a likely one.
func yearOf(c *ical.Component) int {
	v := textOf(c, ical.PropDateTimeStart)
	if t, err := time.Parse(dateFormat, v[:min(len(v), 8)]); err == nil && t.Year() >= firstOnset.Year() && t.Year() < 2090 {
		return t.Year()
	}
	return 2025
}

// event returns what a component says.
func (o object) event(c *ical.Component) (calendar.Event, error) {
	start, end, err := o.times(c)
	if err != nil {
		return calendar.Event{}, err
	}
	e := calendar.Event{
		UID:      textOf(c, ical.PropUID),
		Subject:  textOf(c, ical.PropSummary),
		Body:     clipped(textOf(c, ical.PropDescription)),
		Location: textOf(c, ical.PropLocation),
		Start:    start.at, End: end, AllDay: start.date, Zone: start.clock.name,
		Busy:      busyOf(c),
		Class:     classOf(c),
		Reminder:  reminderOf(c),
		Cancelled: strings.EqualFold(textOf(c, ical.PropStatus), "CANCELLED"),
	}
	if p := c.Props.Get(ical.PropOrganizer); p != nil {
		e.Organizer = addressOf(p)
	}
	e.Attendees = attendees(c, e.Organizer.Email)
	return e, nil
}

// A stamp is a time of an object: a moment, or a date as midnight UTC.
type stamp struct {
	at    time.Time
	date  bool
	clock clock  // of a moment
	tzid  string // as it is written
}

// stamps reads the values of a property.
func (z zones) stamps(p *ical.Prop) ([]stamp, error) {
	var out []stamp
	for v := range strings.SplitSeq(p.Value, ",") {
		v = strings.TrimSpace(v)
		s := stamp{tzid: p.Params.Get(ical.PropTimezoneID), clock: utc}
		var err error
		switch {
		case len(v) == len(dateFormat):
			s.date = true
			s.at, err = time.Parse(dateFormat, v)
		case strings.HasSuffix(v, "Z"):
			s.tzid = ""
			s.at, err = time.Parse(utcFormat, v)
			if l, ok := location(p.Params.Get(meantIn)); ok {
				s.clock = named(l)
			}
		default:
			var wall time.Time
			if wall, err = time.Parse(localFormat, v); err == nil {
				s.clock, err = z.clock(s.tzid)
			}
			if err == nil {
				s.at = s.clock.moment(wall)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w: %w", p.Name, err, fault.Unavailable)
		}
		if y := s.at.Year(); y < 1 || y > 9999 {
			return nil, fmt.Errorf("%s is in the year %d: %w", p.Name, y, fault.Unavailable)
		}
		out = append(out, s)
	}
	return out, nil
}

// stamp reads the first value of a property; found is false if there is none.
func (z zones) stamp(c *ical.Component, name string) (s stamp, found bool, err error) {
	p := c.Props.Get(name)
	if p == nil {
		return s, false, nil
	}
	all, err := z.stamps(p)
	if err != nil {
		return s, true, err
	}
	return all[0], true, nil
}

// times returns start and end of a component. Where nothing says how long it lasts it is a day, or no time at all.
func (o object) times(c *ical.Component) (start stamp, end time.Time, err error) {
	start, found, err := o.zones.stamp(c, ical.PropDateTimeStart)
	if err != nil || !found {
		return start, end, cmp.Or(err, fmt.Errorf("the event has no DTSTART: %w", fault.Unavailable))
	}
	till, found, err := o.zones.stamp(c, ical.PropDateTimeEnd)
	if err != nil {
		return start, end, err
	}
	switch {
	case found:
		end = till.at
	case c.Props.Get(ical.PropDuration) != nil:
		d, err := duration(textOf(c, ical.PropDuration))
		if err != nil {
			return start, end, fmt.Errorf("DURATION cannot be read: %w: %w", err, fault.Unavailable)
		}
		end = o.after(start, d)
	case start.date:
		end = start.at.AddDate(0, 0, 1)
	default:
		end = start.at
	}
	if start.date && !end.After(start.at) { // some write the last day instead of the one after it
		end = start.at.AddDate(0, 0, 1)
	}
	if end.Before(start.at) {
		end = start.at
	}
	return start, end, nil
}

// after returns when a time is over: days are those of the calendar, hours those of the clock (RFC 5545 3.3.6).
func (o object) after(start stamp, d span) time.Time {
	if d.days == 0 || start.date || start.clock.location == nil {
		return start.at.AddDate(0, 0, d.days).Add(d.exact)
	}
	wall := asUTC(start.at.In(start.clock.location)).AddDate(0, 0, d.days)
	return start.clock.moment(wall).Add(d.exact)
}

// series returns the rule and the exceptions of a series.
func (o object) series(main calendar.Event) (string, []calendar.OccurrenceException, error) {
	c := o.main()
	start, _, err := o.zones.stamp(c, ical.PropDateTimeStart)
	if err != nil {
		return "", nil, err
	}
	rule := readRule(c.Props.Get(ical.PropRecurrenceRule).Value, start)
	by := map[time.Time]*calendar.Event{}
	for _, p := range c.Props.Values(ical.PropExceptionDates) {
		all, err := o.zones.stamps(&p)
		if err != nil {
			return "", nil, err
		}
		for _, s := range all {
			by[occurrence(s, start)] = nil
		}
	}
	for _, v := range o.overrides() {
		s, _, err := o.zones.stamp(v, ical.PropRecurrenceID)
		if err != nil {
			return "", nil, err
		}
		e, err := o.event(v)
		if err != nil {
			return "", nil, err
		}
		by[occurrence(s, start)] = &e
	}
	var out []calendar.OccurrenceException
	for at, e := range by {
		out = append(out, calendar.OccurrenceException{Occurrence: at, Event: e})
	}
	slices.SortFunc(out, func(a, b calendar.OccurrenceException) int { return a.Occurrence.Compare(b.Occurrence) })
	return rule, out, nil
}

// occurrence returns which occurrence is meant. Some write dates for a series that is none of whole days, or the reverse.
func occurrence(s, start stamp) time.Time {
	switch {
	case s.date == start.date:
		return s.at
	case start.date:
		l := s.clock.location
		if l == nil {
			l = time.UTC
		}
		return asUTC(s.at.In(l)).Truncate(24 * time.Hour)
	case start.clock.location == nil:
		return s.at
	}
	first, _ := start.clock.wall(start.at)
	return start.clock.moment(s.at.Add(first.Sub(first.Truncate(24 * time.Hour))))
}

// expressible reports whether the contract has words for all of the series: one rule in a zone with a name, and exceptions of
// single occurrences.
func (o object) expressible() (bool, error) {
	c := o.main()
	if len(c.Props.Values(ical.PropRecurrenceRule)) != 1 || c.Props.Get(ical.PropRecurrenceDates) != nil || c.Props.Get("EXRULE") != nil {
		return false, nil
	}
	for _, v := range o.overrides() {
		if v.Props.Get(ical.PropRecurrenceID).Params.Get("RANGE") != "" {
			return false, nil
		}
	}
	start, _, err := o.zones.stamp(c, ical.PropDateTimeStart)
	return err == nil && (start.date || !start.clock.nameless()), err
}

// busyOf reads TRANSP and Microsoft's refinement of it. Programs that know only TRANSP leave the other as it was: where the two
// contradict each other, TRANSP is newer.
func busyOf(c *ical.Component) calendar.Busy {
	free := strings.EqualFold(textOf(c, ical.PropTransparency), "TRANSPARENT")
	switch word := strings.ToUpper(textOf(c, busyStatus)); {
	case word == "WORKINGELSEWHERE":
		return calendar.WorkingElsewhere
	case free:
		return calendar.Free
	case word == "OOF":
		return calendar.OutOfOffice
	case word == "TENTATIVE", word == "" && strings.EqualFold(textOf(c, ical.PropStatus), "TENTATIVE"):
		return calendar.Tentative
	}
	return calendar.Occupied
}

// classOf reads CLASS. A word that nobody knows is to be taken for PRIVATE (RFC 5545 3.8.1.3).
func classOf(c *ical.Component) calendar.Class {
	word := strings.ToUpper(textOf(c, ical.PropClass))
	if word == "" || word == "PUBLIC" {
		return calendar.Public
	}
	for class, w := range classWords {
		if w == word {
			return class
		}
	}
	return calendar.Private
}

// classWords: iCalendar has no word for Personal, but room for words of one's own, which everybody else takes for PRIVATE.
var classWords = map[calendar.Class]string{
	calendar.Public: "PUBLIC", calendar.Personal: "X-PERSONAL", calendar.Private: "PRIVATE", calendar.Confidential: "CONFIDENTIAL",
}

func clipped(text string) string {
	if len(text) <= maxBody {
		return text
	}
	end := maxBody
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
