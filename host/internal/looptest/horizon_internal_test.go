package looptest

import (
	"testing"
	"time"
)

func TestTheItemLiesWithinTheHorizon(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 23, 30, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		horizon time.Time
		want    string
	}{
		"none":          {time.Time{}, "2036-11-30"},
		"two years":     {now.AddDate(2, 0, 0), "2028-10-29"},
		"twenty years":  {now.AddDate(20, 0, 0), "2036-11-30"},
		"next week":     {now.AddDate(0, 0, 7), "2026-11-30"},
		"in the past":   {now.AddDate(-1, 0, 0), "2026-11-30"},
		"another clock": {now.AddDate(2, 0, 0).In(time.FixedZone("", 9*3600)), "2028-10-29"},
	} {
		if got := itemEvent(now, tc.horizon).Start; got.Format(time.DateOnly) != tc.want || got.Hour() != itemHour {
			t.Errorf("%s: the item lies on %s, want %s", name, got, tc.want)
		}
	}
}
