package exchangesim

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setMime takes an item given as iCalendar in base64.
func (e *edit) setMime(n *node) error {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.text), ""))
	if err != nil {
		return fail("ErrorMimeContentInvalidBase64String", "The MIME content is not valid base64.")
	}
	cal, err := parseICalendar(string(raw))
	if err != nil {
		return fail("ErrorMimeContentInvalid", "The MIME content is invalid: %v.", err)
	}
	var master *component
	var exceptions []*component
	for _, event := range cal.all("VEVENT") {
		if _, ok := event.get("RECURRENCE-ID"); ok {
			exceptions = append(exceptions, event)
		} else if master == nil {
			master = event
		}
	}
	if master == nil {
		return fail("ErrorMimeContentInvalid", "The MIME content holds no event.")
	}
	zones := zonesOf(cal)
	if err := e.takeEvent(master, zones); err != nil {
		return err
	}
	if e.recurrence == nil {
		return nil
	}
	if err := e.anchor(); err != nil {
		return err
	}
	return e.takeExceptions(master, exceptions, zones)
}

// takeEvent copies a VEVENT into the content.
func (e *edit) takeEvent(event *component, zones map[string]string) error {
	if err := e.takeTimes(event, zones); err != nil {
		return err
	}
	e.subject, e.location = event.text("SUMMARY"), event.text("LOCATION")
	e.body = body{"Text", exchangeLines(event.text("DESCRIPTION"))}
	if uid := event.text("UID"); uid != "" {
		e.uid = uid
	}
	e.sensitivity = "Normal"
	if known, ok := map[string]string{"PRIVATE": "Private", "CONFIDENTIAL": "Confidential", "X-PERSONAL": "Personal"}[strings.ToUpper(event.text("CLASS"))]; ok {
		e.sensitivity = known
	}
	e.importance = "Normal"
	if p, err := strconv.Atoi(event.text("PRIORITY")); err == nil && p > 5 {
		e.importance = "Low"
	} else if err == nil && p > 0 && p < 5 {
		e.importance = "High"
	}
	e.busy = busyOf(event)
	e.categories = nil
	for _, l := range event.lines {
		if l.name == "CATEGORIES" {
			e.categories = append(e.categories, splitText(l.value)...)
		}
	}
	e.reminderSet = false
	for _, alarm := range event.all("VALARM") {
		if minutes, ok := minutesBefore(alarm.text("TRIGGER")); ok {
			e.reminderSet, e.reminder = true, minutes
		}
	}
	e.cancelled = strings.EqualFold(event.text("STATUS"), "CANCELLED")
	if n, err := strconv.Atoi(event.text("SEQUENCE")); err == nil && n >= 0 {
		e.sequence = n
	}
	e.takePeople(event)
	return e.takeRule(event)
}

// busyOf prefers what Outlook says over TRANSP, which knows free and busy alone.
func busyOf(event *component) string {
	for _, known := range []string{"Free", "Tentative", "Busy", "OOF", "WorkingElsewhere"} {
		if strings.EqualFold(known, event.text("X-MICROSOFT-CDO-BUSYSTATUS")) {
			return known
		}
	}
	switch {
	case strings.EqualFold(event.text("TRANSP"), "TRANSPARENT"):
		return "Free"
	case strings.EqualFold(event.text("STATUS"), "TENTATIVE"):
		return "Tentative"
	}
	return "Busy"
}

// takePeople copies organizer and attendees. Somebody else's meeting becomes a copy that an attendee got.
func (e *edit) takePeople(event *component) {
	e.required, e.optional, e.resources = nil, nil, nil
	for _, l := range event.lines {
		address := mailAddress(l.value)
		switch {
		case address == "" || l.name != "ORGANIZER" && l.name != "ATTENDEE":
		case l.name == "ORGANIZER":
			if !strings.EqualFold(address, e.organizer.Address) {
				e.organizer = Attendee{Name: l.param("CN"), Address: address}
				e.received, e.response = true, "Unknown"
			}
		default:
			a := Attendee{Name: l.param("CN"), Address: address, Response: responseOf(l.param("PARTSTAT"))}
			if b := e.call.find(address); b != nil && a.Name == "" {
				a.Name = b.owner.Name
			}
			role, kind := strings.ToUpper(l.param("ROLE")), strings.ToUpper(l.param("CUTYPE"))
			switch {
			case strings.EqualFold(address, e.organizer.Address): // many clients list the organizer too
			case kind == "RESOURCE" || kind == "ROOM" || role == "NON-PARTICIPANT":
				e.resources = append(e.resources, a)
			case role == "OPT-PARTICIPANT":
				e.optional = append(e.optional, a)
			default:
				e.required = append(e.required, a)
			}
		}
	}
}

func mailAddress(value string) string {
	if len(value) > 7 && strings.EqualFold(value[:7], "mailto:") {
		return strings.TrimSpace(value[7:])
	}
	return ""
}

func responseOf(participation string) string {
	switch strings.ToUpper(participation) {
	case "ACCEPTED":
		return "Accept"
	case "DECLINED":
		return "Decline"
	case "TENTATIVE":
		return "Tentative"
	}
	return "Unknown"
}

// takeTimes copies start and end with their zones.
func (e *edit) takeTimes(event *component, zones map[string]string) error {
	begin, ok := event.get("DTSTART")
	if !ok {
		return fail("ErrorMimeContentInvalid", "The event has no DTSTART.")
	}
	start, zone, date, err := e.icalTime(begin, begin.value, zones)
	if err != nil {
		return err
	}
	e.start, e.startZone, e.allDay = start, zone, date
	e.end, e.endZone = start, zone
	loc := mustZone(zone)
	if l, ok := event.get("DTEND"); ok {
		if e.end, e.endZone, _, err = e.icalTime(l, l.value, zones); err != nil {
			return err
		}
	} else if l, ok := event.get("DURATION"); ok {
		length, ok := icalDuration(l.value)
		if !ok {
			return fail("ErrorMimeContentInvalid", "%q is not a duration.", l.value)
		}
		e.end = start.In(loc).AddDate(0, 0, int(length/(24*time.Hour))).Add(length % (24 * time.Hour)).UTC()
	} else if date {
		e.end = start.In(loc).AddDate(0, 0, 1).UTC()
	}
	if strings.EqualFold(event.text("X-MICROSOFT-CDO-ALLDAYEVENT"), "TRUE") {
		e.allDay = true
	}
	return nil
}

// icalTime reads a time of a property: in UTC, in the zone that TZID names, or floating, which is in the item's or the
// request's.
func (e *edit) icalTime(l contentLine, value string, zones map[string]string) (t time.Time, zone string, date bool, err error) {
	zone = e.startZone
	if zone == "" {
		zone = e.call.zoneID
	}
	if id := l.param("TZID"); id != "" {
		known, ok := zones[id]
		if !ok {
			if known, ok = windowsZone(id); !ok {
				return t, "", false, fail("ErrorMimeContentInvalid", "The time zone %q is not defined.", id)
			}
		}
		zone = known
	}
	value = strings.TrimSpace(value)
	switch {
	case len(value) == len(icalDate):
		t, err = time.ParseInLocation(icalDate, value, mustZone(zone))
		date = true
	case strings.HasSuffix(value, "Z"):
		t, err = time.Parse(icalUTC, value)
		zone = "UTC"
	default:
		t, err = time.ParseInLocation(icalLocal, value, mustZone(zone))
	}
	if err != nil {
		return t, "", false, fail("ErrorMimeContentInvalid", "%q is not a date or time.", value)
	}
	return t.UTC(), zone, date, nil
}

// windowsZone finds the Windows id for a TZID that is one, or an IANA zone.
func windowsZone(tzid string) (string, bool) {
	if _, ok := zoneOf(tzid); ok {
		return tzid, true
	}
	for _, id := range zoneIDs() {
		if windowsZones[id] == tzid {
			return id, true
		}
	}
	loc, err := time.LoadLocation(tzid)
	if err != nil || tzid == "" || tzid == "Local" {
		return "", false
	}
	// Any zone whose clock changes alike shows the same times.
	year := 2026
	mine := ruleOf(loc, year, 0)
	for _, id := range zoneIDs() {
		theirs := ruleOf(mustZone(id), year, 0)
		if mine.bias == theirs.bias && slices.EqualFunc(mine.changes, theirs.changes, func(a, b clockChange) bool { return a.bias == b.bias && a.wall.Equal(b.wall) }) {
			return id, true
		}
	}
	return "", false
}

// zonesOf maps the VTIMEZONEs of a calendar to Windows ids, by name or else by what they say.
func zonesOf(cal *component) map[string]string {
	zones := map[string]string{}
	for _, tz := range cal.all("VTIMEZONE") {
		name := tz.text("TZID")
		if id, ok := windowsZone(name); ok {
			zones[name] = id
			continue
		}
		bias := map[string]time.Duration{}
		var summer time.Month
		for _, part := range tz.parts {
			if b, ok := parseUTCOffset(part.text("TZOFFSETTO")); ok {
				bias[part.name] = b
			}
			if part.name == "DAYLIGHT" {
				rule := ruleParts(part.text("RRULE"))
				month, _ := strconv.Atoi(rule["BYMONTH"])
				summer = time.Month(month)
			}
		}
		january, ok := bias["STANDARD"]
		if !ok {
			continue
		}
		july, ok := bias["DAYLIGHT"]
		if !ok {
			july = january
		}
		if summer > time.July { // in the south
			january, july = july, january
		}
		if id, ok := zoneByClock(2026, january, july, summer); ok {
			zones[name] = id
		}
	}
	return zones
}

// parseUTCOffset reads +0100 as a bias, which has the other sign.
func parseUTCOffset(s string) (time.Duration, bool) {
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.Atoi(s[1:5])
	if err != nil {
		return 0, false
	}
	bias := -time.Duration(n/100*60+n%100) * time.Minute
	if s[0] == '-' {
		bias = -bias
	}
	return bias, true
}

var icalLength = regexp.MustCompile(`^([+-]?)P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?$`)

// icalDuration reads a DURATION.
func icalDuration(s string) (time.Duration, bool) {
	m := icalLength.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	var total time.Duration
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi(m[i+2]) // "" is 0
		total += time.Duration(n) * unit
	}
	if m[1] == "-" {
		total = -total
	}
	return total, true
}

// minutesBefore reads a TRIGGER relative to the start.
func minutesBefore(trigger string) (int, bool) {
	d, ok := icalDuration(trigger)
	if !ok || d > 0 {
		return 0, false
	}
	return int(-d / time.Minute), true
}
