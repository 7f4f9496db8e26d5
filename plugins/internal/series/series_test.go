package series

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func utc(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

// daily is a series at nine in Berlin, from the first of March 2027 on.
func daily(rule string) calendar.Event {
	return calendar.Event{Start: utc("2027-03-01 08:00"), End: utc("2027-03-01 09:00"), Zone: "Europe/Berlin", Recurrence: rule}
}

func exception(t *testing.T, e calendar.Event, date, start string) calendar.OccurrenceException {
	t.Helper()
	s, err := Of(e)
	if err != nil {
		t.Fatal(err)
	}
	x := calendar.OccurrenceException{Occurrence: s.On(utc(date + " 00:00"))}
	if start != "" {
		own := s.Plain(utc(date + " 00:00"))
		own.Start = utc(start)
		own.End = own.Start.Add(time.Hour)
		x.Event = &own
	}
	return x
}

func TestWhichExceptionsExchangeKeeps(t *testing.T) {
	t.Parallel()
	type moved struct{ date, start string }
	for name, tc := range map[string]struct {
		rule string
		list []moved
		says string // empty: they are kept
	}{
		"none":                            {"FREQ=DAILY", nil, ""},
		"moved within its day":            {"FREQ=DAILY", []moved{{"2027-03-03", "2027-03-03 15:00"}}, ""},
		"moved across midnight":           {"FREQ=DAILY", []moved{{"2027-03-03", "2027-03-04 01:00"}}, ""},
		"onto the next":                   {"FREQ=DAILY", []moved{{"2027-03-03", "2027-03-04 08:00"}}, "2027-03-04"},
		"beyond the next":                 {"FREQ=DAILY", []moved{{"2027-03-03", "2027-03-04 12:00"}}, "2027-03-04"},
		"beyond the one before":           {"FREQ=DAILY", []moved{{"2027-03-03", "2027-03-02 07:00"}}, "2027-03-03"},
		"beyond one that is left out":     {"FREQ=DAILY", []moved{{"2027-03-03", "2027-03-04 12:00"}, {"2027-03-04", ""}}, ""},
		"beyond one that moves as well":   {"FREQ=DAILY", []moved{{"2027-03-03", "2027-03-04 12:00"}, {"2027-03-04", "2027-03-05 02:00"}}, ""},
		"the last beyond the end":         {"FREQ=DAILY;COUNT=3", []moved{{"2027-03-03", "2027-04-01 12:00"}}, ""},
		"the first before the beginning":  {"FREQ=DAILY;COUNT=3", []moved{{"2027-03-01", "2027-01-01 12:00"}}, ""},
		"one occurrence twice":            {"FREQ=DAILY", []moved{{"2027-03-03", ""}, {"2027-03-03", ""}}, "two exceptions"},
		"on a day that the rule has not":  {"FREQ=WEEKLY;BYDAY=MO", []moved{{"2027-03-03", ""}}, "none of its days"},
		"on a day after the series' last": {"FREQ=DAILY;COUNT=3", []moved{{"2027-03-09", ""}}, "none of its days"},
	} {
		e := daily(tc.rule)
		for _, m := range tc.list {
			e.Exceptions = append(e.Exceptions, exception(t, e, m.date, m.start))
		}
		_, _, err := OfWritten(e)
		switch {
		case tc.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.says != "" && (fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), tc.says)):
			t.Errorf("%s: %v, want it to say %q", name, err, tc.says)
		}
	}
}

// An occurrence whose time the clock leaves out at the end of its day starts on the next, and is that of its own day all the same.
func TestAnOccurrenceIsThatOfItsDay(t *testing.T) {
	t.Parallel()
	e := calendar.Event{Start: utc("2027-03-25 01:30"), End: utc("2027-03-25 02:00"), Zone: "America/Nuuk", Recurrence: "FREQ=DAILY;COUNT=7"}
	s, err := Of(e)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[time.Time]bool{}
	for n, day := range s.Days() {
		if want := utc("2027-03-24 00:00").AddDate(0, 0, n-1); !day.Equal(want) || seen[day] {
			t.Errorf("occurrence %d is on %s, want %s", n, day, want)
		}
		seen[day] = true
		if got := s.Day(s.On(day)); !got.Equal(day) {
			t.Errorf("the occurrence of %s is on %s", day, got)
		}
	}
}

func TestPatternsAndRulesSayTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := daily("")
		e.Start = e.Start.AddDate(0, 0, rapid.IntRange(0, 900).Draw(t, "day"))
		e.End = e.Start.Add(time.Hour)
		e.AllDay = rapid.Bool().Draw(t, "all day")
		if e.AllDay {
			e.Start = e.Start.Truncate(24 * time.Hour)
			e.End = e.Start.AddDate(0, 0, 1)
		}
		p := Pattern{
			Kind: Kind(rapid.IntRange(1, 6).Draw(t, "kind")), Interval: rapid.IntRange(0, 30).Draw(t, "interval"),
			FirstDay: time.Weekday(rapid.IntRange(0, 6).Draw(t, "first day")), Day: rapid.IntRange(0, 32).Draw(t, "day of the month"),
			Ordinal: rapid.IntRange(-1, 4).Draw(t, "ordinal"), Month: time.Month(rapid.IntRange(0, 13).Draw(t, "month")),
			Count: rapid.SampledFrom([]int{0, 0, 1, 7, 999}).Draw(t, "count"),
		}
		if p.Count == 0 && rapid.Bool().Draw(t, "by date") {
			p.Until = e.Start.Truncate(24*time.Hour).AddDate(0, 0, rapid.IntRange(0, 500).Draw(t, "until"))
		}
		for range rapid.IntRange(0, 7).Draw(t, "days") {
			p.Days = append(p.Days, time.Weekday(rapid.IntRange(0, 6).Draw(t, "weekday")))
		}
		rule, ok := RuleOf(p, e)
		if !ok {
			return // no rule says it, or it does not begin with e
		}
		e.Recurrence = rule
		s, err := Of(e)
		if err != nil {
			t.Fatalf("%+v became %q: %v", p, rule, err)
		}
		if again, ok := RuleOf(s.Pattern(), e); !ok || again != rule {
			t.Fatalf("%+v became %q and then %q", p, rule, again)
		}
		if s.Pattern().Interval < 1 || (s.Pattern().Kind == AbsoluteYearly || s.Pattern().Kind == RelativeYearly) && s.Pattern().Interval != 1 {
			t.Fatalf("%q has an interval of %d", rule, s.Pattern().Interval)
		}
	})
}

func TestExceptionsFollowTheirSeries(t *testing.T) {
	t.Parallel()
	now := daily("FREQ=DAILY")
	now.Subject, now.Location = "Old", "4.12"
	now.Exceptions = []calendar.OccurrenceException{exception(t, now, "2027-03-02", "2027-03-02 12:00"), exception(t, now, "2027-03-03", "")}
	now.Exceptions[0].Event.Location = "elsewhere"
	want := now
	want.Subject, want.Location = "New", "5.01"
	got := Follow(now, want, calendar.FieldSubject|calendar.FieldLocation)
	if e := got[0].Event; e.Subject != "New" || e.Location != "elsewhere" || !e.Start.Equal(utc("2027-03-02 12:00")) || got[1].Event != nil {
		t.Errorf("followed as %+v", got)
	}
	if now.Exceptions[0].Event.Subject != "Old" {
		t.Error("what was before has changed")
	}
}
