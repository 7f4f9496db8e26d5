// Package seriestest draws series that a calendar of Exchange can keep, for tests of the backends' logic.
package seriestest

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Event draws a series, now and then a single event, without attendees, in the months around a change of the clock. Its occurrences
// are far enough apart that none is in another's way.
func Event(t *rapid.T) calendar.Event {
	zone := rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", ""}).Draw(t, "zone")
	at := time.UTC
	if zone != "" {
		at, _ = zones.Location(zone)
	}
	local := time.Date(2027, 10, rapid.IntRange(1, 28).Draw(t, "day"), rapid.IntRange(0, 23).Draw(t, "hour"), 15, 0, 0, at)
	e := calendar.Event{
		Subject: rapid.SampledFrom([]string{"Desk", "Room"}).Draw(t, "subject"), Location: rapid.SampledFrom([]string{"", "4.12"}).Draw(t, "location"),
		Start: local.UTC(), Zone: zone, Busy: calendar.Occupied,
	}
	e.End = e.Start.Add(time.Duration(rapid.IntRange(1, 6).Draw(t, "half hours")) * 30 * time.Minute)
	if rapid.IntRange(0, 3).Draw(t, "all day") == 0 {
		day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
		e.AllDay, e.Start, e.End = true, day, day.AddDate(0, 0, 1)
	}
	if rapid.IntRange(0, 6).Draw(t, "single") == 0 {
		return e
	}
	e.Recurrence = rule(t, local)
	s, err := series.Of(e)
	if err != nil {
		t.Fatalf("%s of %s: %v", e.Recurrence, local, err)
	}
	for n, day := range s.Days() {
		if n > 8 || day.Sub(s.Day(e.Start)) > 400*24*time.Hour { // Graph does not look at all years of a series
			break
		}
		if x := exception(t, s, day); x != nil {
			e.Exceptions = append(e.Exceptions, *x)
		}
	}
	return e
}

// rule draws a rule that has the day of a time among its days.
func rule(t *rapid.T, local time.Time) string {
	code := strings.ToUpper(local.Weekday().String()[:2])
	other := strings.ToUpper(local.AddDate(0, 0, 2).Weekday().String()[:2])
	r := rapid.SampledFrom([]string{
		"FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=" + code, "FREQ=WEEKLY;INTERVAL=2;BYDAY=" + code + "," + other,
		fmt.Sprintf("FREQ=MONTHLY;BYMONTHDAY=%d", local.Day()), fmt.Sprintf("FREQ=MONTHLY;BYDAY=%d%s", (local.Day()+6)/7, code),
		fmt.Sprintf("FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=%d", local.Day()),
	}).Draw(t, "rule")
	switch rapid.IntRange(0, 2).Draw(t, "end") {
	case 0:
		return r
	case 1:
		return r + fmt.Sprintf(";COUNT=%d", rapid.IntRange(1, 12).Draw(t, "count"))
	}
	return r + ";UNTIL=" + local.AddDate(0, rapid.IntRange(1, 4).Draw(t, "months"), 0).UTC().Format("20060102")
}

// exception draws what has become of an occurrence; mostly nothing.
func exception(t *rapid.T, s series.Series, day time.Time) *calendar.OccurrenceException {
	x := s.Plain(day)
	switch rapid.IntRange(0, 12).Draw(t, "exception") {
	case 0:
		return &calendar.OccurrenceException{Occurrence: s.On(day)}
	case 1:
		x.Subject += ", alone"
	case 2:
		x.Location, x.Reminder = "elsewhere", &calendar.Reminder{Before: 5 * time.Minute}
	case 3:
		if x.AllDay { // it has a time of day instead
			at := time.UTC
			if x.Zone != "" {
				at, _ = zones.Location(x.Zone)
			}
			x.AllDay, x.Start = false, time.Date(day.Year(), day.Month(), day.Day(), 10, 0, 0, 0, at).UTC()
			x.End = x.Start.Add(time.Hour)
			break
		}
		by := time.Duration(rapid.IntRange(-8, 8).Filter(func(n int) bool { return n != 0 }).Draw(t, "by")) * time.Hour
		x.Start, x.End = x.Start.Add(by), x.End.Add(by)
	default:
		return nil
	}
	return &calendar.OccurrenceException{Occurrence: s.On(day), Event: &x}
}
