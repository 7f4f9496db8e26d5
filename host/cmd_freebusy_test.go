package main

import (
	"testing"
	"time"
)

func TestFreeBusySpanIsReadAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 9, 30, 20, 0, time.Local)
	local := func(day, hour int) time.Time { return time.Date(2026, 12, day, hour, 0, 0, 0, time.Local) }
	for name, tc := range map[string]struct {
		from, to         string
		wantFrom, wantTo time.Time
	}{
		"nothing said": {"", "", now.Truncate(time.Minute), now.Truncate(time.Minute).AddDate(0, 0, 1)},
		"dates":        {"2026-12-01", "2026-12-03", local(1, 0), local(4, 0)},
		"one date":     {"2026-12-05", "", local(5, 0), local(6, 0)},
		"times":        {"2026-12-01 08:00", "2026-12-01 18:00", local(1, 8), local(1, 18)},
		"with offset":  {"2026-12-01T08:00:00Z", "2026-12-01T18:00:00Z", time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 18, 0, 0, 0, time.UTC)},
	} {
		p, err := freeBusySpan(tc.from, tc.to, now)
		if err != nil || !p.From.Equal(tc.wantFrom) || !p.To.Equal(tc.wantTo) {
			t.Errorf("%s: %+v, %v; want %s to %s", name, p, err, tc.wantFrom, tc.wantTo)
		}
	}
	if _, err := freeBusySpan("tomorrow", "", now); err == nil {
		t.Error("tomorrow is a moment")
	}
}
