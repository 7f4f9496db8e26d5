package exchangesim

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Forms of iCalendar's dates and times.
const (
	icalDate  = "20060102"
	icalLocal = "20060102T150405"
	icalUTC   = "20060102T150405Z"
)

// mimeContent answers the item as iCalendar in base64.
func (v *view) mimeContent() *node {
	if v.it.kind != "CalendarItem" {
		return nil
	}
	return el("t:MimeContent", attr{"CharacterSet", "UTF-8"}, base64.StdEncoding.EncodeToString([]byte(v.iCalendar().String())))
}

// iCalendar writes a single item or a series with its exceptions, or one occurrence.
func (v *view) iCalendar() *component {
	method := "PUBLISH"
	if v.c.meeting() {
		method = "REQUEST"
	}
	cal := &component{name: "VCALENDAR"}
	cal.add("METHOD", method)
	cal.add("PRODID", "Microsoft Exchange Server 2010")
	cal.add("VERSION", "2.0")
	zones := []string{v.zone()}
	if end := v.c.endZone; end != "" && end != zones[0] {
		zones = append(zones, end)
	}
	for _, id := range zones {
		cal.parts = append(cal.parts, timeZoneComponent(id, v.start))
	}
	cal.parts = append(cal.parts, v.event())
	if v.it.recurrence != nil && v.index == 0 {
		v.call.occurrences(v.it, func(o *view) bool {
			if o.exception {
				cal.parts = append(cal.parts, o.event())
			}
			return len(v.it.changes) > 0
		})
	}
	return cal
}

// zone is the Windows id of the zone that the item's times are written in.
func (v *view) zone() string {
	if v.c.startZone == "" {
		return "UTC"
	}
	return v.c.startZone
}

// event writes one VEVENT.
func (v *view) event() *component {
	e := &component{name: "VEVENT"}
	if v.c.meeting() {
		e.add("ORGANIZER", "MAILTO:"+v.c.organizer.Address, attr{"CN", v.c.organizer.Name})
		for _, group := range []struct {
			role, kind string
			people     []Attendee
		}{{"REQ-PARTICIPANT", "", v.c.required}, {"OPT-PARTICIPANT", "", v.c.optional}, {"NON-PARTICIPANT", "RESOURCE", v.c.resources}} {
			for _, a := range group.people {
				params := []attr{{"ROLE", group.role}, {"PARTSTAT", participation(a.Response)}, {"RSVP", "TRUE"}}
				if group.kind != "" {
					params = append(params, attr{"CUTYPE", group.kind})
				}
				e.add("ATTENDEE", "MAILTO:"+a.Address, append(params, attr{"CN", a.Name})...)
			}
		}
	}
	language := attr{"LANGUAGE", v.c.culture}
	e.add("DESCRIPTION", escape(v.c.body.plain()), language)
	if v.it.recurrence != nil && v.index == 0 {
		e.add("RRULE", v.it.recurrence.rule(v.start, v.zone(), v.c.allDay))
		v.it.patternTimes(func(s slot) bool {
			if v.it.cancels[s.index] {
				e.time("EXDATE", s.start, v.zone(), v.c.allDay)
			}
			return len(v.it.cancels) > 0
		})
	}
	e.add("UID", escape(v.c.uid))
	if v.index > 0 {
		e.time("RECURRENCE-ID", v.original, v.zone(), v.c.allDay)
	}
	e.add("SUMMARY", escape(v.c.subject), language)
	end := v.c.endZone
	if end == "" {
		end = v.zone()
	}
	e.time("DTSTART", v.start, v.zone(), v.c.allDay)
	e.time("DTEND", v.end, end, v.c.allDay)
	e.add("CLASS", map[string]string{"Personal": "X-PERSONAL", "Private": "PRIVATE", "Confidential": "CONFIDENTIAL"}[v.c.sensitivity])
	if last := &e.lines[len(e.lines)-1]; last.value == "" {
		last.value = "PUBLIC"
	}
	e.add("PRIORITY", map[string]string{"Low": "9", "Normal": "5", "High": "1"}[v.c.importance])
	e.add("DTSTAMP", v.it.modified.UTC().Format(icalUTC))
	if v.c.busy == "Free" {
		e.add("TRANSP", "TRANSPARENT")
	} else {
		e.add("TRANSP", "OPAQUE")
	}
	status := "CONFIRMED"
	if v.c.cancelled {
		status = "CANCELLED"
	}
	e.add("STATUS", status)
	e.add("SEQUENCE", strconv.Itoa(v.c.sequence))
	e.add("LOCATION", escape(v.c.location), language)
	if len(v.c.categories) > 0 {
		var escaped []string
		for _, c := range v.c.categories {
			escaped = append(escaped, escape(c))
		}
		e.add("CATEGORIES", strings.Join(escaped, ","))
	}
	e.add("X-MICROSOFT-CDO-APPT-SEQUENCE", strconv.Itoa(v.c.sequence))
	e.add("X-MICROSOFT-CDO-BUSYSTATUS", strings.ToUpper(v.c.busy))
	e.add("X-MICROSOFT-CDO-INTENDEDSTATUS", strings.ToUpper(v.c.busy))
	e.add("X-MICROSOFT-CDO-ALLDAYEVENT", strings.ToUpper(boolean(v.c.allDay)))
	e.add("X-MICROSOFT-CDO-IMPORTANCE", strconv.Itoa(index(v.c.importance, "Low", "Normal", "High")))
	if v.c.reminderSet {
		alarm := &component{name: "VALARM"}
		alarm.add("DESCRIPTION", "REMINDER")
		alarm.add("TRIGGER", "-PT"+strconv.Itoa(v.c.reminder)+"M", attr{"RELATED", "START"})
		alarm.add("ACTION", "DISPLAY")
		e.parts = append(e.parts, alarm)
	}
	return e
}

// time adds a property that is a time in a zone, or a date.
func (c *component) time(name string, t time.Time, zone string, date bool) {
	local := t.In(mustZone(zone))
	switch {
	case date:
		c.add(name, local.Format(icalDate), attr{"VALUE", "DATE"})
	case zone == "UTC":
		c.add(name, t.UTC().Format(icalUTC))
	default:
		c.add(name, local.Format(icalLocal), attr{"TZID", zone})
	}
}

// participation is the PARTSTAT of a response.
func participation(response string) string {
	switch response {
	case "Accept", "Organizer":
		return "ACCEPTED"
	case "Decline":
		return "DECLINED"
	case "Tentative":
		return "TENTATIVE"
	}
	return "NEEDS-ACTION"
}

// timeZoneComponent writes the rules that a zone has in the year of t.
func timeZoneComponent(id string, t time.Time) *component {
	loc := mustZone(id)
	tz := &component{name: "VTIMEZONE"}
	tz.add("TZID", id)
	r := ruleOf(loc, t.In(loc).Year(), 0)
	part := func(name string, from, to time.Duration) *component {
		c := &component{name: name}
		c.add("DTSTART", "16010101T000000")
		c.add("TZOFFSETFROM", utcOffset(from))
		c.add("TZOFFSETTO", utcOffset(to))
		tz.parts = append(tz.parts, c)
		return c
	}
	if !r.seasonal() {
		_, offset := t.In(loc).Zone() // this moment's: a zone that is about to change has no yearly rule
		bias := -time.Duration(offset) * time.Second
		part("STANDARD", bias, bias)
		return tz
	}
	before := r.bias
	for i, change := range r.changes {
		c := part(strings.ToUpper(r.name(change.bias)), before, change.bias)
		c.lines[0].value = "16010101T" + change.wall.Format("150405")
		c.add("RRULE", fmt.Sprintf("FREQ=YEARLY;INTERVAL=1;BYDAY=%d%s;BYMONTH=%d", r.nth[i][0], shortDay(change.wall.Weekday()), change.wall.Month()))
		before = change.bias
	}
	return tz
}

// utcOffset writes a bias the way iCalendar does, which is with the other sign.
func utcOffset(bias time.Duration) string {
	sign := "+"
	if bias > 0 {
		sign = "-"
	}
	m := int(bias.Abs() / time.Minute)
	return fmt.Sprintf("%s%02d%02d", sign, m/60, m%60)
}

func shortDay(d time.Weekday) string { return strings.ToUpper(d.String()[:2]) }

// rule writes an RRULE.
func (r *Recurrence) rule(start time.Time, zone string, allDay bool) string {
	var days []string
	for d := time.Sunday; d <= time.Saturday; d++ {
		if matchesDay(r.Days, d) {
			days = append(days, shortDay(d))
		}
	}
	byDay := ";BYDAY=" + strings.Join(days, ",")
	position := index(r.Index, "", "First", "Second", "Third", "Fourth")
	if r.Index == "Last" {
		position = -1
	}
	if strings.HasPrefix(r.Pattern, "Relative") {
		byDay += ";BYSETPOS=" + strconv.Itoa(position)
	}
	month := ";BYMONTH=" + strconv.Itoa(slices.Index(months, r.Month)+1)
	interval := ";INTERVAL=" + strconv.Itoa(max(r.Interval, 1))
	monthDay := ";BYMONTHDAY=" + strconv.Itoa(r.Day)
	if r.Day > 28 { // in a shorter month the last day stands in for it
		var all []string
		for d := 28; d <= r.Day; d++ {
			all = append(all, strconv.Itoa(d))
		}
		monthDay = ";BYMONTHDAY=" + strings.Join(all, ",") + ";BYSETPOS=-1"
	}
	var s string
	switch r.Pattern {
	case "Daily":
		s = "FREQ=DAILY" + interval
	case "Weekly":
		first := r.FirstDay
		if first == "" {
			first = "Sunday"
		}
		s = "FREQ=WEEKLY" + interval + byDay + ";WKST=" + strings.ToUpper(first[:2])
	case "AbsoluteMonthly":
		s = "FREQ=MONTHLY" + interval + monthDay
	case "RelativeMonthly":
		s = "FREQ=MONTHLY" + interval + byDay
	case "AbsoluteYearly":
		s = "FREQ=YEARLY" + monthDay + month
	default:
		s = "FREQ=YEARLY" + byDay + month
	}
	if r.Count > 0 {
		return s + ";COUNT=" + strconv.Itoa(r.Count)
	}
	end, err := time.Parse(time.DateOnly, r.End)
	switch {
	case err != nil:
		return s
	case allDay:
		return s + ";UNTIL=" + end.Format(icalDate)
	}
	local := start.In(mustZone(zone))
	last := time.Date(end.Year(), end.Month(), end.Day(), local.Hour(), local.Minute(), local.Second(), 0, local.Location())
	return s + ";UNTIL=" + last.UTC().Format(icalUTC)
}
