package recurrence_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/recurrence"
)

// TestFromIsTheRest: what begins somewhere within a series is what is left of all of it from there on, and an end by date is that of
// the last occurrence, however it was looked for.
func TestFromIsTheRest(t *testing.T) {
	t.Parallel()
	zones := []*time.Location{time.UTC, zone(t, "Europe/Berlin"), zone(t, "Pacific/Chatham"), zone(t, "Africa/Cairo")}
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
			"FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=-1" + week[day.Weekday()],
			"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", "FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=" + day.Format("1") + ";BYMONTHDAY=-1",
			"FREQ=YEARLY;BYMONTH=" + day.Format("1") + ";BYDAY=1" + week[day.Weekday()],
		}).Draw(t, "rule")
		if n := rapid.SampledFrom([]string{"", "2", "5", "13"}).Draw(t, "interval"); n != "" {
			rule += ";INTERVAL=" + n
		}
		until := day.AddDate(0, 0, rapid.IntRange(0, 9000).Draw(t, "days"))
		end := rapid.SampledFrom([]string{"", ";COUNT=30", ";UNTIL=" + until.Format("20060102")}).Draw(t, "end")
		r, err := recurrence.Parse(rule+end, s)
		if err != nil {
			return
		}
		if !r.Until.IsZero() {
			endless, err := recurrence.Parse(rule, s)
			if err != nil {
				t.Fatal(err)
			}
			last := day
			for o := range endless.Occurrences(s) {
				if s.Day(o).After(until) {
					break
				}
				last = s.Day(o)
			}
			if !r.Until.Equal(last) {
				t.Fatalf("%q of %v ends on %v, want %v", rule+end, s.At, r.Until, last)
			}
		}
		const most = 60
		var all []time.Time
		for o := range r.Occurrences(s) {
			if all = append(all, o); len(all) == most {
				break
			}
		}
		from := s.At.Add(time.Duration(rapid.IntRange(-100, 40000).Draw(t, "hours")) * time.Hour)
		var got []time.Time
		for o := range r.OccurrencesFrom(s, from) {
			if len(all) == most && o.After(all[most-1]) {
				break
			}
			got = append(got, o)
		}
		want := slices.DeleteFunc(all, func(o time.Time) bool { return o.Before(from) })
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("%q of %v from %v: %v, want %v", rule+end, s.At, from, got, want)
		}
	})
}

// TestAnEndFarAwayIsFoundAtOnce: some programs write 9999 for "without end". It is the last day of all all the same.
func TestAnEndFarAwayIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	s := recurrence.Start{At: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)}
	for rule, want := range map[string]string{
		"FREQ=DAILY;INTERVAL=2": "9999-12-31", "FREQ=WEEKLY": "9999-12-27", "FREQ=MONTHLY": "9999-12-04", "FREQ=MONTHLY;BYDAY=1MO": "9999-12-06",
		"FREQ=YEARLY": "9999-01-04", "FREQ=YEARLY;INTERVAL=3": "9998-01-04",
	} {
		r, err := recurrence.Parse(rule+";UNTIL=99991231", s)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Until.Format(time.DateOnly); got != want {
			t.Errorf("%s ends on %s, want %s", rule, got, want)
		}
		n := 0
		for range r.OccurrencesFrom(s, r.Until) {
			n++
		}
		if n != 1 {
			t.Errorf("%s has %d occurrences from its last day on", rule, n)
		}
	}
}
