package recurrence

import (
	"testing"
	"time"
)

// A series that has gone on for long is looked at where one looks, and not from its start.
func TestLongSeriesAreNotWalkedThrough(t *testing.T) {
	t.Parallel()
	s := Start{At: time.Date(1700, 1, 1, 9, 0, 0, 0, time.UTC)}
	first := s.Day(s.At)
	for rule, most := range map[string]int{
		"FREQ=DAILY": 2, "FREQ=DAILY;INTERVAL=7": 14, "FREQ=WEEKLY;INTERVAL=3;BYDAY=FR,SU;WKST=SU": 42, "FREQ=DAILY;UNTIL=39991231": 2,
		"FREQ=MONTHLY": 62, "FREQ=YEARLY": 731, "FREQ=YEARLY;UNTIL=99991231": 731,
	} {
		r, err := Parse(rule, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []time.Time{time.Date(1990, 5, 5, 0, 0, 0, 0, time.UTC), time.Date(3999, 5, 5, 0, 0, 0, 0, time.UTC)} {
			if near := r.near(first, from); near.After(from) || near.AddDate(0, 0, most).Before(from) {
				t.Errorf("%s: looked for from %v on, want shortly before %v", rule, near, from)
			}
		}
	}
}
