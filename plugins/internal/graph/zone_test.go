package graph

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func TestTheHourThatComesTwice(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		zone, at string
		twice    bool
	}{
		"before it":             {"Europe/Berlin", "2027-10-30 23:59", false},
		"its beginning":         {"Europe/Berlin", "2027-10-31 00:00", true},
		"the first":             {"Europe/Berlin", "2027-10-31 00:40", true},
		"the second":            {"Europe/Berlin", "2027-10-31 01:10", true},
		"after it":              {"Europe/Berlin", "2027-10-31 02:00", false},
		"the hour that is not":  {"Europe/Berlin", "2027-03-28 01:00", false},
		"half an hour":          {"Australia/Lord_Howe", "2027-04-03 14:45", true},
		"not that half hour":    {"Australia/Lord_Howe", "2027-04-03 14:15", false},
		"the second half hour":  {"Australia/Lord_Howe", "2027-04-03 15:15", true},
		"where no clock moves":  {"Asia/Kolkata", "2027-10-31 01:10", false},
		"in UTC":                {"UTC", "2027-10-31 01:10", false},
		"a moment without time": {"America/New_York", "2027-11-07 05:30", true},
	} {
		at, err := zones.Location(tc.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := twice(utc(tc.at), at); got != tc.twice {
			t.Errorf("%s: %t, want %t", name, got, tc.twice)
		}
	}
}

func TestHowTimesAreRead(t *testing.T) {
	t.Parallel()
	b, _ := fakeBackend(t, nil)
	mark := func(zone string) []extended {
		return []extended{{ID: "string {6B2F0C1E-93D4-4F7A-8C55-1D0E7A9B42F3} name roomwirezone", Value: "2027-10-31T00:40:00Z/2027-10-31T01:10:00Z " + zone}}
	}
	at := func(start, end, zone string) event {
		return event{Start: &dateTime{start, zone}, End: &dateTime{end, zone}}
	}
	for name, tc := range map[string]struct {
		e          event
		with       func(*event)
		start, end string
		zone       string
	}{
		"in UTC":               {e: at("2027-05-04T09:00:00.0000000", "2027-05-04T10:00:00.0000000", "UTC"), start: "2027-05-04 09:00", end: "2027-05-04 10:00"},
		"meant in Berlin":      {e: at("2027-05-04T09:00:00", "2027-05-04T10:00:00", "UTC"), with: func(e *event) { e.OriginalStartTimeZone = "W. Europe Standard Time" }, start: "2027-05-04 09:00", end: "2027-05-04 10:00", zone: "Europe/Berlin"},
		"by its IANA name":     {e: at("2027-05-04T09:00:00", "2027-05-04T10:00:00", "UTC"), with: func(e *event) { e.OriginalStartTimeZone = "Europe/Vienna" }, start: "2027-05-04 09:00", end: "2027-05-04 10:00", zone: "Europe/Vienna"},
		"in a zone of its own": {e: at("2027-05-04T09:00:00", "2027-05-04T10:00:00", "UTC"), with: func(e *event) { e.OriginalStartTimeZone = "tzone://Microsoft/Custom" }, start: "2027-05-04 09:00", end: "2027-05-04 10:00"},
		"answered in Berlin":   {e: at("2027-05-04T09:00:00", "2027-05-04T10:00:00", "W. Europe Standard Time"), start: "2027-05-04 07:00", end: "2027-05-04 08:00"},
		"with an offset":       {e: at("2027-05-04T09:00:00Z", "2027-05-04T12:00:00+02:00", "UTC"), start: "2027-05-04 09:00", end: "2027-05-04 10:00"},
		"all day":              {e: at("2027-05-04T00:00:00.0000000", "2027-05-06T00:00:00.0000000", "UTC"), with: func(e *event) { e.AllDay, e.OriginalStartTimeZone = true, "Tokyo Standard Time" }, start: "2027-05-04 00:00", end: "2027-05-06 00:00", zone: "Asia/Tokyo"},
		"all day, as moments":  {e: at("2027-05-03T15:00:00", "2027-05-04T15:00:00", "UTC"), with: func(e *event) { e.AllDay, e.OriginalStartTimeZone = true, "Tokyo Standard Time" }, start: "2027-05-04 00:00", end: "2027-05-05 00:00", zone: "Asia/Tokyo"},
		"all day, no day":      {e: at("2027-05-04T00:00:00", "2027-05-04T00:00:00", "UTC"), with: func(e *event) { e.AllDay = true }, start: "2027-05-04 00:00", end: "2027-05-05 00:00"},
		"the zone beside it":   {e: at("2027-10-31T00:40:00", "2027-10-31T01:10:00", "UTC"), with: func(e *event) { e.Properties = mark("Europe/Berlin") }, start: "2027-10-31 00:40", end: "2027-10-31 01:10", zone: "Europe/Berlin"},
		"moved since":          {e: at("2027-10-31T00:50:00", "2027-10-31T01:10:00", "UTC"), with: func(e *event) { e.Properties = mark("Europe/Berlin") }, start: "2027-10-31 00:50", end: "2027-10-31 01:10"},
		"in another since":     {e: at("2027-10-31T00:40:00", "2027-10-31T01:10:00", "UTC"), with: func(e *event) { e.Properties, e.OriginalStartTimeZone = mark("Europe/Berlin"), "Tokyo Standard Time" }, start: "2027-10-31 00:40", end: "2027-10-31 01:10", zone: "Asia/Tokyo"},
		"an unknown beside it": {e: at("2027-10-31T00:40:00", "2027-10-31T01:10:00", "UTC"), with: func(e *event) { e.Properties = mark("Mars/Olympus") }, start: "2027-10-31 00:40", end: "2027-10-31 01:10"},
	} {
		if tc.with != nil {
			tc.with(&tc.e)
		}
		var got calendar.Event
		if err := b.times(&tc.e, &got); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !got.Start.Equal(utc(tc.start)) || !got.End.Equal(utc(tc.end)) || got.Zone != tc.zone || got.Start.Location() != time.UTC {
			t.Errorf("%s: %s to %s in %q, want %s to %s in %q", name, got.Start, got.End, got.Zone, tc.start, tc.end, tc.zone)
		}
	}
	for _, bad := range []dateTime{{"soon", "UTC"}, {"", "UTC"}, {"2027-05-04T09:00:00", "Mars Standard Time"}} {
		e := event{Start: &bad, End: &bad}
		var got calendar.Event
		if err := b.times(&e, &got); err == nil {
			t.Errorf("%+v was read as %s", bad, got.Start)
		}
	}
}
