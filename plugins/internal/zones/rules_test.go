package zones

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// summer is a zone of two periods whose clock changes on the given days.
func summer(bias time.Duration, toSummer, toWinter When) Rules {
	return Rules{
		Name:    "Custom",
		Periods: []Period{{"std", "Standard", bias}, {"dst", "Daylight", bias - time.Hour}},
		Groups:  []Group{{"0", []Transition{{To: "dst", When: toSummer}, {To: "std", When: toWinter}}}},
		Eras:    []Transition{{To: "0", ToGroup: true}},
	}
}

func yearly(month time.Month, weekday time.Weekday, nth, hour int) When {
	return When{Kind: YearlyDay, Month: month, Weekday: weekday, Nth: nth, Offset: time.Duration(hour) * time.Hour}
}

func berlin() Rules {
	return summer(-time.Hour, yearly(time.March, time.Sunday, -1, 2), yearly(time.October, time.Sunday, -1, 3))
}

func sydney() Rules { // the summer spans the new year
	return summer(-10*time.Hour, yearly(time.October, time.Sunday, 1, 2), yearly(time.April, time.Sunday, 1, 3))
}

// newYork changed its rules in 2007.
func newYork() Rules {
	r := summer(5*time.Hour, yearly(time.April, time.Sunday, 1, 2), yearly(time.October, time.Sunday, -1, 2))
	now := Group{"1", []Transition{{To: "dst", When: yearly(time.March, time.Sunday, 2, 2)}, {To: "std", When: yearly(time.November, time.Sunday, 1, 2)}}}
	r.Groups = append(r.Groups, now)
	r.Eras = append(r.Eras, Transition{To: "1", ToGroup: true, When: When{Kind: Absolute, At: time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC)}})
	return r
}

func kolkata() Rules {
	return Rules{Periods: []Period{{"std", "Standard", -330 * time.Minute}}, Eras: []Transition{{To: "std"}}}
}

// TestRulesAgreeWithTheZoneDatabase compares every kind of rules with the IANA zone they describe.
func TestRulesAgreeWithTheZoneDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone  string
		rules Rules
		since int
	}{{"Europe/Berlin", berlin(), 1996}, {"Australia/Sydney", sydney(), 2009}, {"America/New_York", newYork(), 1988}, {"Asia/Kolkata", kolkata(), 1990}} {
		location, err := Location(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := time.Date(c.since, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2037, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
		rapid.Check(t, func(t *rapid.T) {
			utc := time.Unix(rapid.Int64Range(begin, end-1).Draw(t, "utc"), 0).UTC()
			local, err := c.rules.Local(utc)
			if err != nil {
				t.Fatal(err)
			}
			want := utc.In(location)
			if got := local.Format(time.RFC3339); got != want.Format(time.RFC3339) {
				t.Fatalf("%s: %s, want %s", c.zone, got, want.Format(time.RFC3339))
			}
			back, err := c.rules.UTC(local)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := c.rules.Local(back); err != nil || again.Format(time.DateTime) != local.Format(time.DateTime) || back.After(utc) {
				t.Fatalf("%s: %v came back as %v, %v", c.zone, utc, back, err)
			}
		})
		// Every half hour of the years around a change of rules: a random draw rarely falls on an edge.
		for year := 2006; year < 2009; year++ {
			for at := time.Date(max(year, c.since), 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == year; at = at.Add(30 * time.Minute) {
				local, err := c.rules.Local(at)
				if want := at.In(location).Format(time.RFC3339); err != nil || local.Format(time.RFC3339) != want {
					t.Fatalf("%s: %v, %v, want %s", c.zone, local, err, want)
				}
			}
		}
	}
}

func TestWallClockAtTheEdges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		rules       Rules
		local, want string
	}{
		{"last second of winter", berlin(), "2026-03-29 01:59:59", "2026-03-29T00:59:59Z"},
		{"skipped time is read as winter's", berlin(), "2026-03-29 02:30:00", "2026-03-29T01:30:00Z"},
		{"first second of summer", berlin(), "2026-03-29 03:00:00", "2026-03-29T01:00:00Z"},
		{"shown twice: the first", berlin(), "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"},
		{"after the repeated hour", berlin(), "2026-10-25 03:00:00", "2026-10-25T02:00:00Z"},
		{"New York, shown twice", newYork(), "2026-11-01 01:30:00", "2026-11-01T05:30:00Z"},
		{"New York, skipped", newYork(), "2026-03-08 02:30:00", "2026-03-08T07:30:00Z"},
		{"New York by the old rules", newYork(), "2006-03-20 12:00:00", "2006-03-20T17:00:00Z"},
		{"New York by the new rules", newYork(), "2007-03-20 12:00:00", "2007-03-20T16:00:00Z"},
		{"Sydney's summer at new year", sydney(), "2027-01-01 00:00:00", "2026-12-31T13:00:00Z"},
	} {
		local, err := time.Parse(time.DateTime, c.local)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.rules.UTC(local); err != nil || got.Format(time.RFC3339) != c.want {
			t.Errorf("%s: %v, %v, want %s", c.name, got, err, c.want)
		}
	}
}

func TestYearlyDatesAndSingleChanges(t *testing.T) {
	t.Parallel()
	date := func(month time.Month, day int) When {
		return When{Kind: YearlyDate, Month: month, Day: day, Offset: time.Hour}
	}
	r := summer(0, date(time.February, 31), date(time.September, 22)) // February has no 31st: its last day
	once := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
	r.Periods = append(r.Periods, Period{"new", "New", -3 * time.Hour})
	r.Eras = append(r.Eras, Transition{To: "new", When: When{Kind: Absolute, At: once, UTC: true}})
	for _, c := range []struct{ utc, want string }{
		{"2027-02-28T00:59:59Z", "2027-02-28T00:59:59Z"},
		{"2027-02-28T01:00:00Z", "2027-02-28T02:00:00+01:00"},
		{"2028-02-28T12:00:00Z", "2028-02-28T12:00:00Z"},
		{"2028-02-29T01:00:00Z", "2028-02-29T02:00:00+01:00"},
		{"2028-09-22T00:00:00Z", "2028-09-22T00:00:00Z"},
		{"2030-06-01T11:59:59Z", "2030-06-01T12:59:59+01:00"},
		{"2030-06-01T12:00:00Z", "2030-06-01T15:00:00+03:00"},
		{"2031-12-01T00:00:00Z", "2031-12-01T03:00:00+03:00"},
	} {
		utc, err := time.Parse(time.RFC3339, c.utc)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Local(utc); err != nil || got.Format(time.RFC3339) != c.want {
			t.Errorf("%s: %v, %v, want %s", c.utc, got, err, c.want)
		}
	}
}

func TestBrokenRulesAreAnError(t *testing.T) {
	t.Parallel()
	change := func(f func(*Rules)) Rules {
		r := newYork()
		f(&r)
		return r
	}
	for name, r := range map[string]Rules{
		"nothing":             {},
		"no eras":             change(func(r *Rules) { r.Eras = nil }),
		"no such group":       change(func(r *Rules) { r.Eras[0].To = "9" }),
		"no such period":      change(func(r *Rules) { r.Groups[1].Transitions[0].To = "9" }),
		"no such last period": change(func(r *Rules) { r.Eras = []Transition{{To: "9"}} }),
		"empty group":         change(func(r *Rules) { r.Groups[1].Transitions = nil }),
		"era without date":    change(func(r *Rules) { r.Eras[1].When = When{} }),
		"month 13":            change(func(r *Rules) { r.Groups[1].Transitions[0].When.Month = 13 }),
		"weekday 7":           change(func(r *Rules) { r.Groups[1].Transitions[0].When.Weekday = 7 }),
		"occurrence 0":        change(func(r *Rules) { r.Groups[1].Transitions[0].When.Nth = 0 }),
		"day 0":               change(func(r *Rules) { r.Groups[1].Transitions[0].When.Kind = YearlyDate }),
	} {
		at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		if got, err := r.Local(at); !errors.Is(err, ErrRules) {
			t.Errorf("%s: Local = %v, %v, want ErrRules", name, got, err)
		}
		if got, err := r.UTC(at); !errors.Is(err, ErrRules) {
			t.Errorf("%s: UTC = %v, %v, want ErrRules", name, got, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"-PT60M": -time.Hour, "PT0S": 0, "PT2H0M0S": 2 * time.Hour, "PT300M": 5 * time.Hour, "-PT5H30M": -330 * time.Minute,
		"P0DT2H0M0.0S": 2 * time.Hour, "P0Y0M0DT3H": 3 * time.Hour, "P1D": 24 * time.Hour, "PT23H59M59.999S": 24*time.Hour - time.Second,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "P", "PT", "-P", "60", "PT60", "PT1M1H", "P1Y", "P1M", "PT1H ago", "P1DT", "PT.5S"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("%q: %v, want an error", s, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	f.Add("-PT60M")
	f.Add("P0DT2H0M0.0S")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err == nil && (d%time.Second != 0 || d.Abs() > 10*366*24*time.Hour*4) {
			t.Errorf("%q: %v", s, d)
		}
	})
}
