package exchangesim

import (
	"net/http"
	"strings"
	"time"
)

// graphStamp is how Graph writes a dateTime, which has its time zone beside it; graphInstant how it writes a DateTimeOffset.
const (
	graphStamp   = "2006-01-02T15:04:05.0000000"
	graphInstant = "2006-01-02T15:04:05.0000000Z"
)

// anyZone finds a time zone by its Windows or its IANA name, and returns the Windows name as well: Exchange keeps no other.
func anyZone(name string) (windows string, loc *time.Location, ok bool) {
	if loc, ok := zoneOf(name); ok {
		return name, loc, true
	}
	for _, id := range zoneIDs() {
		if strings.EqualFold(id, name) {
			return id, mustZone(id), true
		}
	}
	switch strings.ToLower(name) {
	case "", "local":
		return "", nil, false
	case "etc/utc", "etc/gmt", "gmt", "z", "tzone://microsoft/utc":
		return "UTC", time.UTC, true
	}
	for _, id := range zoneIDs() {
		if strings.EqualFold(windowsZones[id], name) {
			return id, mustZone(id), true
		}
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return "", nil, false
	}
	for _, id := range zoneIDs() {
		if sameClock(loc, mustZone(id)) {
			return id, loc, true
		}
	}
	return "", nil, false
}

// sameClock reports whether two zones agree, on one day in every half month of some years.
func sameClock(a, b *time.Location) bool {
	for day := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() < 2030; day = day.AddDate(0, 0, 15) {
		_, left := day.In(a).Zone()
		_, right := day.In(b).Zone()
		if left != right {
			return false
		}
	}
	return true
}

// dateTime writes a time in the zone that the request prefers. What lasts all day is at midnight in every zone, as Graph has it:
// the day counts, not the instant.
func (g *graphCall) dateTime(t time.Time, own string, allDay bool) map[string]any {
	if allDay {
		return map[string]any{"dateTime": t.In(mustZone(own)).Format(time.DateOnly) + "T00:00:00.0000000", "timeZone": g.zoneName}
	}
	return map[string]any{"dateTime": t.In(g.zone).Format(graphStamp), "timeZone": g.zoneName}
}

// A graphTime is a dateTimeTimeZone as it is sent.
type graphTime struct {
	DateTime string `json:"dateTime"`
	TimeZone string `json:"timeZone"`
}

// read returns the instant, the Windows name of the zone and the time of day that its clock shows.
func (t graphTime) read() (at time.Time, zone string, clock time.Duration, err error) {
	zone, loc, ok := anyZone(t.TimeZone)
	if !ok {
		return at, "", 0, unknownZone(t.TimeZone)
	}
	at, err = graphClock(t.DateTime, loc)
	if err != nil {
		return at, "", 0, err
	}
	local := at.In(loc)
	h, m, s := local.Clock()
	return at.UTC(), zone, time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second, nil
}

// graphClock reads a time, which is meant in loc unless it has an offset. Fractions of a second are dropped.
func graphClock(text string, loc *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	if at, err := time.Parse("2006-01-02T15:04:05Z07:00", text); err == nil {
		return at.Truncate(time.Second), nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		wall, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		wall = wall.Truncate(time.Second)
		if wall.Equal(wall.Truncate(24 * time.Hour)) { // a day begins, if need be later than at midnight
			return dayBegins(time.Date(wall.Year(), wall.Month(), wall.Day(), 12, 0, 0, 0, loc), loc), nil
		}
		return onClock(wall, loc), nil
	}
	return time.Time{}, graphFail(http.StatusBadRequest, "ErrorInvalidParameter", "'%s' is not a valid date and time.", text)
}

// queryTime reads startDateTime or endDateTime, which are meant in UTC unless they have an offset, whatever the preferences.
func (g *graphCall) queryTime(name string) (time.Time, error) {
	text := ""
	for key, values := range g.query {
		if strings.EqualFold(key, name) && len(values) > 0 {
			text = values[0]
		}
	}
	if text == "" {
		return time.Time{}, graphFail(http.StatusBadRequest, "ErrorInvalidParameter",
			"This request requires a time window specified by the query string parameters StartDateTime and EndDateTime.")
	}
	at, err := graphClock(strings.ReplaceAll(text, " ", "+"), time.UTC) // a + that was not escaped
	return at.UTC(), err
}

// longestView is the longest calendar view.
const longestView = 1825 * 24 * time.Hour

// queryWindow reads the window of a calendar view.
func (g *graphCall) queryWindow() (w window, err error) {
	if w.start, err = g.queryTime("startDateTime"); err != nil {
		return w, err
	}
	if w.end, err = g.queryTime("endDateTime"); err != nil {
		return w, err
	}
	switch {
	case w.end.Before(w.start):
		return w, graphFail(http.StatusBadRequest, "ErrorInvalidParameter", "EndDateTime must be later than StartDateTime.")
	case w.end.Sub(w.start) > longestView:
		return w, graphFail(http.StatusBadRequest, "ErrorCalendarViewRangeTooBig", "The requested time duration specified for FindItem is longer than 1825 days.")
	}
	return w, nil
}
