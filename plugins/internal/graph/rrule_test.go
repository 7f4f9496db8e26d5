package graph

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// starting is an event that starts at nine in Berlin.
func starting(date, rule string) calendar.Event {
	at, _ := zones.Location("Europe/Berlin")
	start, err := time.ParseInLocation("2006-01-02 15:04", date+" 09:00", at)
	if err != nil {
		panic(err)
	}
	return calendar.Event{Start: start.UTC(), End: start.Add(time.Hour).UTC(), Zone: "Europe/Berlin", Recurrence: rule}
}

func TestRulesGoToGraphAndBack(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		date, rule, back string // back empty: as it was
		days             string // the first of them
	}{
		"daily":                  {date: "2027-01-04", rule: "FREQ=DAILY", days: "2027-01-04 2027-01-05 2027-01-06"},
		"every third day":        {date: "2027-01-04", rule: "FREQ=DAILY;INTERVAL=3;COUNT=2", days: "2027-01-04 2027-01-07"},
		"weekly on its day":      {date: "2027-01-05", rule: "FREQ=WEEKLY;COUNT=2", back: "FREQ=WEEKLY;BYDAY=TU;COUNT=2", days: "2027-01-05 2027-01-12"},
		"on workdays":            {date: "2027-01-08", rule: "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", back: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", days: "2027-01-08 2027-01-11"},
		"every other week":       {date: "2027-01-05", rule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", days: "2027-01-05 2027-01-17 2027-01-19"},
		"every other from MO":    {date: "2027-01-05", rule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU", days: "2027-01-05 2027-01-10 2027-01-19"},
		"a day of the month":     {date: "2027-01-15", rule: "FREQ=MONTHLY;BYMONTHDAY=15;COUNT=3", days: "2027-01-15 2027-02-15 2027-03-15"},
		"the last day":           {date: "2027-01-31", rule: "FREQ=MONTHLY;BYMONTHDAY=-1", days: "2027-01-31 2027-02-28 2027-03-31 2027-04-30"},
		"the 30th or the last":   {date: "2027-01-30", rule: "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", days: "2027-01-30 2027-02-28 2027-03-30"},
		"the 29th or the last":   {date: "2027-01-29", rule: "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1", days: "2027-01-29 2027-02-28 2027-03-29"},
		"the second Monday":      {date: "2027-01-11", rule: "FREQ=MONTHLY;BYDAY=2MO;COUNT=3", days: "2027-01-11 2027-02-08 2027-03-08"},
		"the same otherwise":     {date: "2027-01-11", rule: "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2;COUNT=3", back: "FREQ=MONTHLY;BYDAY=2MO;COUNT=3", days: "2027-01-11 2027-02-08"},
		"the last workday":       {date: "2027-01-29", rule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", days: "2027-01-29 2027-02-26 2027-03-31"},
		"yearly":                 {date: "2027-06-15", rule: "FREQ=YEARLY", back: "FREQ=YEARLY;BYMONTH=6;BYMONTHDAY=15", days: "2027-06-15 2028-06-15"},
		"the last of February":   {date: "2027-02-28", rule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", days: "2027-02-28 2028-02-29 2029-02-28"},
		"the 31st of December":   {date: "2027-12-31", rule: "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31", days: "2027-12-31 2028-12-31"},
		"a Thursday in the year": {date: "2027-11-25", rule: "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", days: "2027-11-25 2028-11-23"},
		"until a day":            {date: "2027-03-27", rule: "FREQ=DAILY;UNTIL=20270328", back: "FREQ=DAILY;UNTIL=20270328T070000Z", days: "2027-03-27 2027-03-28"},
		"until a moment":         {date: "2027-03-27", rule: "FREQ=DAILY;UNTIL=20270328T120000Z", back: "FREQ=DAILY;UNTIL=20270328T070000Z", days: "2027-03-27 2027-03-28"},
		"in small letters":       {date: "2027-01-04", rule: "RRULE:freq=daily;count=1", back: "FREQ=DAILY;COUNT=1", days: "2027-01-04"},
	} {
		e := starting(tc.date, tc.rule)
		s, err := series.Of(e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back, ok := recurrenceOf(s).ruleOf(e)
		if tc.back == "" {
			tc.back = tc.rule
		}
		if !ok || norm(back) != norm(tc.back) {
			t.Errorf("%s: %q came back as %q", name, tc.rule, back)
		}
		want := strings.Fields(tc.days)
		var got []string
		for _, d := range s.Days() {
			if got = append(got, d.Format(time.DateOnly)); len(got) == len(want) {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: days %q, want %q", name, got, want)
		}
		e.Recurrence = back
		if series.Changing(e, starting(tc.date, tc.rule), calendar.FieldRecurrence) != 0 {
			t.Errorf("%s: %q is another series", name, back)
		}
	}
}

func norm(rule string) string {
	parts := strings.Split(rule, ";")
	slices.Sort(parts)
	return strings.Join(parts, ";")
}

// What Exchange would do otherwise is refused, with the reason.
func TestRulesThatExchangeCannotKeep(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string][2]string{
		"months without a 31st are left out": {"2027-01-31", "FREQ=MONTHLY;BYMONTHDAY=31"},
		"the 30th by its start":              {"2027-01-30", "FREQ=MONTHLY"},
		"the 29th of February":               {"2028-02-29", "FREQ=YEARLY"},
		"two days of the month":              {"2027-01-01", "FREQ=MONTHLY;BYMONTHDAY=1,15"},
		"the second to last":                 {"2027-01-30", "FREQ=MONTHLY;BYMONTHDAY=-2"},
		"the fifth Friday":                   {"2027-01-29", "FREQ=MONTHLY;BYDAY=5FR"},
		"two ordinals":                       {"2027-01-04", "FREQ=MONTHLY;BYDAY=1MO,1TU"},
		"hourly":                             {"2027-01-04", "FREQ=HOURLY"},
		"twice a day":                        {"2027-01-04", "FREQ=DAILY;BYHOUR=9,10"},
		"every other workday":                {"2027-01-04", "FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU"},
		"in some months":                     {"2027-01-04", "FREQ=MONTHLY;BYMONTH=1,2"},
		"every Monday of a year":             {"2027-01-04", "FREQ=YEARLY;BYDAY=MO"},
		"two ends":                           {"2027-01-04", "FREQ=DAILY;COUNT=2;UNTIL=20270105"},
		"too many":                           {"2027-01-04", "FREQ=DAILY;COUNT=1000"},
		"a start off its days":               {"2027-01-05", "FREQ=WEEKLY;BYDAY=MO"},
		"no rule":                            {"2027-01-04", "every day"},
		"no frequency":                       {"2027-01-04", "COUNT=3"},
		"said twice":                         {"2027-01-04", "FREQ=DAILY;FREQ=WEEKLY"},
		"an end before it begins":            {"2027-01-04", "FREQ=DAILY;UNTIL=20260101"},
	} {
		if r, err := series.Of(starting(tc[0], tc[1])); fault.Of(err) != fault.Unsupported {
			t.Errorf("%s: %+v, %v; want Unsupported", name, r, err)
		}
	}
}

// A rule that was made elsewhere, and that no RRULE says, leaves the item without one.
func TestPatternsThatNoRuleSays(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]patternedRecurrence{
		"of no type":     {Pattern: pattern{Type: "lunar", Interval: 1}, Range: recRange{Type: "noEnd"}},
		"without days":   {Pattern: pattern{Type: "weekly", Interval: 1}, Range: recRange{Type: "noEnd"}},
		"no such day":    {Pattern: pattern{Type: "weekly", Interval: 1, Days: []string{"someday"}}, Range: recRange{Type: "noEnd"}},
		"no such month":  {Pattern: pattern{Type: "absoluteYearly", Interval: 1, Month: 13, DayOfMonth: 1}, Range: recRange{Type: "noEnd"}},
		"no such index":  {Pattern: pattern{Type: "relativeMonthly", Interval: 1, Days: []string{"monday"}, Index: "fifth"}, Range: recRange{Type: "noEnd"}},
		"no such range":  {Pattern: pattern{Type: "daily", Interval: 1}, Range: recRange{Type: "someday"}},
		"an unreadable":  {Pattern: pattern{Type: "daily", Interval: 1}, Range: recRange{Type: "endDate", End: "soon"}},
		"none at all":    {Pattern: pattern{Type: "daily", Interval: 1}, Range: recRange{Type: "numbered"}},
		"day of nowhere": {Pattern: pattern{Type: "absoluteMonthly", Interval: 1, DayOfMonth: 32}, Range: recRange{Type: "noEnd"}},
	} {
		if rule, ok := r.ruleOf(starting("2027-01-04", "")); ok {
			t.Errorf("%s: %q", name, rule)
		}
	}
}

func FuzzRecurrenceOf(f *testing.F) {
	for _, rule := range []string{"FREQ=WEEKLY;BYDAY=MO,TH;COUNT=8", "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20271231T000000Z", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", ";=;"} {
		f.Add(rule)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		e := starting("2027-01-04", rule)
		s, err := series.Of(e)
		if err != nil {
			return
		}
		back, ok := recurrenceOf(s).ruleOf(e)
		if !ok {
			t.Fatalf("%q became %+v, which no rule says", rule, recurrenceOf(s))
		}
		e.Recurrence = back
		again, err := series.Of(e)
		if err != nil {
			t.Fatalf("%q became %q, which is none: %v", rule, back, err)
		}
		n := 0
		for _, d := range again.Days() {
			if n++; n > 50 {
				break
			}
			_ = d
		}
	})
}
