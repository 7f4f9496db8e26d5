package ics

import (
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	l, ok := location(name)
	if !ok {
		t.Fatalf("there is no zone %s", name)
	}
	return l
}

func TestWallClocksAreReadAsTheStandardSays(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ zone, wall, want string }{
		{"Europe/Berlin", "2026-07-01 12:00", "2026-07-01 10:00"},
		{"Europe/Berlin", "2026-10-25 01:59", "2026-10-24 23:59"},
		{"Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"}, // comes twice: the first
		{"Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00"},
		{"Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"}, // never comes: as before the leap
		{"Europe/Berlin", "2026-03-29 03:00", "2026-03-29 01:00"},
		{"America/New_York", "2026-11-01 01:30", "2026-11-01 05:30"},
		{"America/New_York", "2026-03-08 02:30", "2026-03-08 07:30"},
		{"Australia/Lord_Howe", "2027-04-04 01:45", "2027-04-03 14:45"},
		{"Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:45"},
		{"Asia/Kolkata", "2028-12-31 23:30", "2028-12-31 18:00"},
		{"Europe/Berlin", "2028-12-31 23:30", "2028-12-31 22:30"}, // the last day of a leap year
	} {
		if got := named(zone(t, tc.zone)).moment(at(t, tc.wall)); !got.Equal(at(t, tc.want)) {
			t.Errorf("%s in %s is %s, want %s", tc.wall, tc.zone, got, tc.want)
		}
	}
}

// Whoever reads a VTIMEZONE of ours finds the zone's clock in it, for years.
func TestAZoneIsExplainedAsItIs(t *testing.T) {
	t.Parallel()
	for _, name := range append([]string{"Africa/Casablanca", "Europe/Dublin", "America/Nuuk", "Asia/Gaza"}, likely...) {
		l := zone(t, name)
		for _, year := range []int{2007, 2026} {
			if name == "Pacific/Apia" && year < 2012 {
				continue // it moved across the date line in 2011: one day had no hours at all
			}
			start := time.Date(year, 2, 10, 9, 0, 0, 0, time.UTC)
			rules, err := onsets(timezone(l, start))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			theirs, ours := clock{rules: rules}, named(l)
			for h := 0; h < 11*365*24; h += 7 {
				wall := start.Add(time.Duration(h) * time.Hour)
				if a, b := theirs.moment(wall), ours.moment(wall); !a.Equal(b) {
					t.Errorf("%s from %d: %s is explained as %s, and is %s", name, year, wall, a, b)
					break
				}
			}
		}
	}
}

func TestARegularZoneIsExplainedByTwoRules(t *testing.T) {
	t.Parallel()
	tz := timezone(zone(t, "Europe/Berlin"), at(t, "2027-01-01"))
	if len(tz.Children) != 2 || textOf(tz.Children[1], "RRULE") != "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU" {
		t.Errorf("the explanation has %d parts, of which one says %q", len(tz.Children), textOf(tz.Children[len(tz.Children)-1], "RRULE"))
	}
	if n := len(timezone(zone(t, "Africa/Casablanca"), at(t, "2027-01-01")).Children); n < 20 {
		t.Errorf("a zone that follows the moon is explained by %d parts, want each of its changes", n)
	}
}

func TestZonesAreKnownByTheNamesThatProgramsUse(t *testing.T) {
	t.Parallel()
	explained := func(id, inside string) string {
		return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:" + id + "\r\n" + inside + "END:VTIMEZONE\r\n" +
			"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=\"" + id + "\":20270712T100000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	}
	const (
		fixed5 = "BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0500\r\nTZOFFSETTO:+0500\r\nEND:STANDARD\r\n"
		// No place on earth is thirteen minutes ahead.
		odd     = "BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0013\r\nTZOFFSETTO:+0013\r\nEND:STANDARD\r\n"
		eastern = "BEGIN:STANDARD\r\nDTSTART:16011104T020000\r\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11\r\nTZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\nEND:STANDARD\r\n" +
			"BEGIN:DAYLIGHT\r\nDTSTART:16010311T020000\r\nRRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\nEND:DAYLIGHT\r\n"
	)
	for _, tc := range []struct{ id, inside, zone, start string }{
		{"/mozilla.org/20071231_1/Europe/Berlin", fixed5, "Europe/Berlin", "2027-07-12 08:00"},
		{"/freeassociation.sourceforge.net/America/Argentina/Ushuaia", fixed5, "America/Argentina/Ushuaia", "2027-07-12 13:00"},
		{"Berlin 1", "X-LIC-LOCATION:Europe/Berlin\r\n" + fixed5, "Europe/Berlin", "2027-07-12 08:00"},
		{"Eastern Standard Time", eastern, "America/New_York", "2027-07-12 14:00"},
		{"(UTC+05:00) Somewhere", fixed5, "Asia/Karachi", "2027-07-12 05:00"},
		{"Odd", odd, "", "2027-07-12 09:47"},
		{"Local", fixed5, "Asia/Karachi", "2027-07-12 05:00"}, // never the machine's own
		{"UTC", fixed5, "", "2027-07-12 10:00"},
	} {
		item, err := mapper(t).Read(explained(tc.id, tc.inside), "")
		if err != nil || item.Event.Zone != tc.zone || !item.Event.Start.Equal(at(t, tc.start)) {
			t.Errorf("%s: zone %q, start %s, %v; want %q, %s", tc.id, item.Event.Zone, item.Event.Start, err, tc.zone, tc.start)
		}
	}
	if _, err := mapper(t).Read(explained("Nowhere", "")[:0]+"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=Nowhere:20270712T100000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", ""); err == nil {
		t.Error("a zone that nobody knows was read as one")
	}
}
