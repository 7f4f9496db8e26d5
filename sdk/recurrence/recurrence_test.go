package recurrence_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/recurrence"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	at, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// starting is an event that starts at nine in Berlin.
func starting(t testing.TB, date string) recurrence.Start {
	t.Helper()
	at := zone(t, "Europe/Berlin")
	start, err := time.ParseInLocation("2006-01-02 15:04", date+" 09:00", at)
	if err != nil {
		t.Fatal(err)
	}
	return recurrence.Start{At: start.UTC(), Zone: at}
}

func TestRulesAndTheirDays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		date, rule, canonical string // canonical empty: as it was
		days                  string // the first of them; with "." at the end all of them
	}{
		"daily":                  {date: "2027-01-04", rule: "FREQ=DAILY", days: "2027-01-04 2027-01-05 2027-01-06"},
		"every third day":        {date: "2027-01-04", rule: "FREQ=DAILY;INTERVAL=3;COUNT=2", days: "2027-01-04 2027-01-07 ."},
		"weekly on its day":      {date: "2027-01-05", rule: "FREQ=WEEKLY;COUNT=2", canonical: "FREQ=WEEKLY;BYDAY=TU;COUNT=2", days: "2027-01-05 2027-01-12 ."},
		"on workdays":            {date: "2027-01-08", rule: "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", canonical: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", days: "2027-01-08 2027-01-11"},
		"days in another order":  {date: "2027-01-05", rule: "FREQ=WEEKLY;BYDAY=SU,TU", canonical: "FREQ=WEEKLY;BYDAY=TU,SU", days: "2027-01-05 2027-01-10 2027-01-12"},
		"a week start for all":   {date: "2027-01-05", rule: "FREQ=WEEKLY;BYDAY=TU;WKST=SU", canonical: "FREQ=WEEKLY;BYDAY=TU", days: "2027-01-05 2027-01-12"},
		"every other week":       {date: "2027-01-05", rule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", days: "2027-01-05 2027-01-17 2027-01-19"},
		"every other from MO":    {date: "2027-01-05", rule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU", days: "2027-01-05 2027-01-10 2027-01-19"},
		"a day of the month":     {date: "2027-01-15", rule: "FREQ=MONTHLY;COUNT=3", canonical: "FREQ=MONTHLY;BYMONTHDAY=15;COUNT=3", days: "2027-01-15 2027-02-15 2027-03-15 ."},
		"the last day":           {date: "2027-01-31", rule: "FREQ=MONTHLY;BYMONTHDAY=-1", days: "2027-01-31 2027-02-28 2027-03-31 2027-04-30"},
		"the 30th or the last":   {date: "2027-01-30", rule: "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", days: "2027-01-30 2027-02-28 2027-03-30"},
		"the 29th or the last":   {date: "2027-01-29", rule: "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1", days: "2027-01-29 2027-02-28 2027-03-29"},
		"the 31st or the last":   {date: "2027-01-31", rule: "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", canonical: "FREQ=MONTHLY;BYMONTHDAY=-1", days: "2027-01-31 2027-02-28"},
		"the second Monday":      {date: "2027-01-11", rule: "FREQ=MONTHLY;BYDAY=2MO;COUNT=3", days: "2027-01-11 2027-02-08 2027-03-08 ."},
		"the same otherwise":     {date: "2027-01-11", rule: "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2;COUNT=3", canonical: "FREQ=MONTHLY;BYDAY=2MO;COUNT=3", days: "2027-01-11 2027-02-08"},
		"the last workday":       {date: "2027-01-29", rule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", days: "2027-01-29 2027-02-26 2027-03-31"},
		"yearly":                 {date: "2027-06-15", rule: "FREQ=YEARLY", canonical: "FREQ=YEARLY;BYMONTH=6;BYMONTHDAY=15", days: "2027-06-15 2028-06-15"},
		"every other year":       {date: "2027-06-15", rule: "FREQ=YEARLY;INTERVAL=2", canonical: "FREQ=MONTHLY;INTERVAL=24;BYMONTHDAY=15", days: "2027-06-15 2029-06-15"},
		"the last of February":   {date: "2027-02-28", rule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", days: "2027-02-28 2028-02-29 2029-02-28"},
		"the last of April":      {date: "2027-04-30", rule: "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=-1", canonical: "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=30", days: "2027-04-30 2028-04-30"},
		"the 31st of December":   {date: "2027-12-31", rule: "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31", days: "2027-12-31 2028-12-31"},
		"a Thursday in the year": {date: "2027-11-25", rule: "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", days: "2027-11-25 2028-11-23"},
		"until a day":            {date: "2027-03-27", rule: "FREQ=DAILY;UNTIL=20270328", canonical: "FREQ=DAILY;UNTIL=20270328T070000Z", days: "2027-03-27 2027-03-28 ."},
		"until a moment":         {date: "2027-03-27", rule: "FREQ=DAILY;UNTIL=20270328T070000Z", days: "2027-03-27 2027-03-28 ."},
		"until just before":      {date: "2027-03-27", rule: "FREQ=DAILY;UNTIL=20270328T065959Z", canonical: "FREQ=DAILY;UNTIL=20270327T080000Z", days: "2027-03-27 ."},
		"until between":          {date: "2027-01-05", rule: "FREQ=WEEKLY;BYDAY=TU;UNTIL=20270118", canonical: "FREQ=WEEKLY;BYDAY=TU;UNTIL=20270112T080000Z", days: "2027-01-05 2027-01-12 ."},
		"in small letters":       {date: "2027-01-04", rule: "RRULE:freq=daily;count=1", canonical: "FREQ=DAILY;COUNT=1", days: "2027-01-04 ."},
	} {
		s := starting(t, tc.date)
		r, err := recurrence.Parse(tc.rule, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tc.canonical == "" {
			tc.canonical = tc.rule
		}
		if got := r.String(s); got != tc.canonical {
			t.Errorf("%s: %q is %q, want %q", name, tc.rule, got, tc.canonical)
		}
		if again, err := recurrence.Parse(tc.canonical, s); err != nil || !again.Equal(r) {
			t.Errorf("%s: %q became %+v of %+v, %v", name, tc.canonical, again, r, err)
		}
		var got []string
		most := len(strings.Fields(tc.days))
		for o := range r.Occurrences(s) {
			if local := o.In(s.Zone); local.Hour() != 9 {
				t.Errorf("%s: an occurrence at %v", name, local)
			}
			if got = append(got, s.Day(o).Format(time.DateOnly)); len(got) == most {
				break
			}
		}
		if len(got) < most {
			got = append(got, ".")
		}
		if all := strings.Join(got, " "); all != tc.days {
			t.Errorf("%s: days %s, want %s", name, all, tc.days)
		}
	}
}

// What Exchange would do otherwise is refused, with the reason.
func TestRulesThatExchangeCannotKeep(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string][2]string{
		"months without a 31st are left out": {"2027-01-31", "FREQ=MONTHLY;BYMONTHDAY=31"},
		"the 30th by its start":              {"2027-01-30", "FREQ=MONTHLY"},
		"the 29th of February":               {"2028-02-29", "FREQ=YEARLY"},
		"the 31st of April":                  {"2027-04-30", "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31"},
		"two days of the month":              {"2027-01-01", "FREQ=MONTHLY;BYMONTHDAY=1,15"},
		"the second to last":                 {"2027-01-30", "FREQ=MONTHLY;BYMONTHDAY=-2"},
		"the fifth Friday":                   {"2027-01-29", "FREQ=MONTHLY;BYDAY=5FR"},
		"two ordinals":                       {"2027-01-04", "FREQ=MONTHLY;BYDAY=1MO,1TU"},
		"the first of two days":              {"2027-01-04", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1"},
		"hourly":                             {"2027-01-04", "FREQ=HOURLY"},
		"twice a day":                        {"2027-01-04", "FREQ=DAILY;BYHOUR=9,10"},
		"every other workday":                {"2027-01-04", "FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU"},
		"in some months":                     {"2027-01-04", "FREQ=MONTHLY;BYMONTH=1,2"},
		"every Monday of a year":             {"2027-01-04", "FREQ=YEARLY;BYDAY=MO"},
		"every ninth year":                   {"2027-01-04", "FREQ=YEARLY;INTERVAL=9"},
		"two ends":                           {"2027-01-04", "FREQ=DAILY;COUNT=2;UNTIL=20270105"},
		"too many":                           {"2027-01-04", "FREQ=DAILY;COUNT=1000"},
		"a start off its days":               {"2027-01-05", "FREQ=WEEKLY;BYDAY=MO"},
		"no rule":                            {"2027-01-04", "every day"},
		"no frequency":                       {"2027-01-04", "COUNT=3"},
		"said twice":                         {"2027-01-04", "FREQ=DAILY;FREQ=WEEKLY"},
		"an end before it begins":            {"2027-01-04", "FREQ=DAILY;UNTIL=20260101"},
	} {
		r, err := recurrence.Parse(tc[1], starting(t, tc[0]))
		if refusal, ok := errors.AsType[*recurrence.Refusal](err); !ok || refusal.Reason == "" {
			t.Errorf("%s: %+v, %v; want a refusal", name, r, err)
		}
	}
}

// Where the clock is changed, a time that it shows twice is the first, and one that it leaves out is counted from before.
func TestOccurrencesAtTheEdgesOfSummerTime(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ zone, start, day, want string }{
		{"Europe/Berlin", "2027-03-27T02:30:00+01:00", "2027-03-28", "2027-03-28T03:30:00+02:00"},
		{"Europe/Berlin", "2027-03-27T03:30:00+01:00", "2027-03-28", "2027-03-28T03:30:00+02:00"},
		{"Europe/Berlin", "2027-10-30T02:30:00+02:00", "2027-10-31", "2027-10-31T02:30:00+02:00"},
		{"Europe/Berlin", "2027-10-30T03:30:00+02:00", "2027-10-31", "2027-10-31T03:30:00+01:00"},
		{"Europe/Berlin", "2027-10-30T01:59:59+02:00", "2027-10-31", "2027-10-31T01:59:59+02:00"},
		{"America/New_York", "2027-03-13T02:15:00-05:00", "2027-03-14", "2027-03-14T03:15:00-04:00"},
		{"America/New_York", "2027-11-06T01:30:00-04:00", "2027-11-07", "2027-11-07T01:30:00-04:00"},
		{"Australia/Lord_Howe", "2027-04-03T01:45:00+11:00", "2027-04-04", "2027-04-04T01:45:00+11:00"},
		{"Australia/Lord_Howe", "2027-10-02T02:15:00+10:30", "2027-10-03", "2027-10-03T02:45:00+11:00"},
		{"Africa/Cairo", "2027-04-29T00:30:00+02:00", "2027-04-30", "2027-04-30T01:30:00+03:00"},
		{"UTC", "2027-03-27T02:30:00Z", "2027-03-28", "2027-03-28T02:30:00Z"},
	} {
		at := zone(t, tc.zone)
		start, err := time.Parse(time.RFC3339, tc.start)
		if err != nil {
			t.Fatal(err)
		}
		day, err := time.Parse(time.DateOnly, tc.day)
		if err != nil {
			t.Fatal(err)
		}
		s := recurrence.Start{At: start, Zone: at}
		if got := s.On(day); got.In(at).Format(time.RFC3339) != tc.want {
			t.Errorf("%s: %s on %s is %s, want %s", tc.zone, tc.start, tc.day, got.In(at).Format(time.RFC3339), tc.want)
		}
		if got := s.Day(s.On(day)); !got.Equal(day) {
			t.Errorf("%s: %s on %s came out on %s", tc.zone, tc.start, tc.day, got)
		}
	}
}

func TestOfWholeDays(t *testing.T) {
	t.Parallel()
	s := recurrence.Start{At: time.Date(2027, 3, 27, 0, 0, 0, 0, time.UTC), AllDay: true, Zone: zone(t, "Africa/Cairo")}
	r, err := recurrence.Parse("FREQ=DAILY;UNTIL=20270329", s)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for o := range r.Occurrences(s) {
		got = append(got, o.Format(time.RFC3339))
	}
	if all := strings.Join(got, " "); all != "2027-03-27T00:00:00Z 2027-03-28T00:00:00Z 2027-03-29T00:00:00Z" {
		t.Errorf("occurrences %s", all)
	}
	if text := r.String(s); text != "FREQ=DAILY;UNTIL=20270329" {
		t.Errorf("canonical %q", text)
	}
	if !r.Has(s, s.At.AddDate(0, 0, 2)) || r.Has(s, s.At.AddDate(0, 0, 3)) || r.Has(s, s.At.Add(time.Hour)) {
		t.Error("Has knows other occurrences than Occurrences")
	}
}

// TestCanonicalIsStable: what Parse takes has its start for the first occurrence, comes in order, and is the same after String.
func TestCanonicalIsStable(t *testing.T) {
	t.Parallel()
	zones := []*time.Location{time.UTC, zone(t, "Europe/Berlin"), zone(t, "America/New_York"), zone(t, "Asia/Kolkata"), zone(t, "Pacific/Chatham")}
	rapid.Check(t, func(t *rapid.T) {
		s := recurrence.Start{
			At:     time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 3*365*48).Draw(t, "half hours")) * 30 * time.Minute),
			Zone:   rapid.SampledFrom(zones).Draw(t, "zone"),
			AllDay: rapid.Bool().Draw(t, "all day"),
		}
		if s.AllDay {
			s.At = s.At.Truncate(24 * time.Hour)
		}
		day := s.Day(s.At)
		week := []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}
		rule := rapid.SampledFrom([]string{
			"FREQ=DAILY", "FREQ=WEEKLY", "FREQ=WEEKLY;WKST=SU;BYDAY=" + week[day.Weekday()] + "," + week[(day.Weekday()+3)%7],
			"FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=-1" + week[day.Weekday()],
			"FREQ=MONTHLY;BYDAY=2" + week[day.Weekday()], "FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=" + day.Format("1") + ";BYMONTHDAY=-1",
		}).Draw(t, "rule")
		rule += rapid.SampledFrom([]string{"", ";INTERVAL=2", ";INTERVAL=5"}).Draw(t, "interval")
		rule += rapid.SampledFrom([]string{"", ";COUNT=7", ";UNTIL=" + day.AddDate(1, 0, 3).Format("20060102"), ";UNTIL=" + day.AddDate(0, 2, 0).Format("20060102T150405Z")}).Draw(t, "end")
		r, err := recurrence.Parse(rule, s)
		if err != nil {
			return
		}
		text := r.String(s)
		again, err := recurrence.Parse(text, s)
		if err != nil || !again.Equal(r) || again.String(s) != text {
			t.Fatalf("%q is %q, which is %+v of %+v, %v", rule, text, again, r, err)
		}
		n, last := 0, time.Time{}
		for o := range r.Occurrences(s) {
			if n == 0 && !s.Day(o).Equal(day) {
				t.Fatalf("%q of %v begins at %v", rule, s.At, o)
			}
			if n > 0 && !o.After(last) {
				t.Fatalf("%q of %v: %v comes after %v", rule, s.At, o, last)
			}
			if n++; n == 40 {
				break
			}
			if last = o; !r.Has(s, o) {
				t.Fatalf("%q of %v has no %v", rule, s.At, o)
			}
		}
		if n == 0 || r.Count > 0 && n != min(r.Count, 40) {
			t.Fatalf("%q of %v has %d occurrences", rule, s.At, n)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, rule := range []string{"FREQ=WEEKLY;BYDAY=MO,TH;COUNT=8", "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20271231T000000Z", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", ";=;"} {
		f.Add(rule, int64(1798966800), false)
	}
	f.Fuzz(func(t *testing.T, rule string, unix int64, allDay bool) {
		s := recurrence.Start{At: time.Unix(unix%(1<<33), 0).UTC(), AllDay: allDay, Zone: zone(t, "Europe/Berlin")}
		if allDay {
			s.At = s.At.Truncate(24 * time.Hour)
		}
		r, err := recurrence.Parse(rule, s)
		if err != nil {
			return
		}
		text := r.String(s)
		if again, err := recurrence.Parse(text, s); err != nil || !again.Equal(r) {
			t.Fatalf("%q became %q, which is %+v of %+v: %v", rule, text, again, r, err)
		}
	})
}
