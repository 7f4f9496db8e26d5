package main

import (
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/syncer"
)

func TestASeriesIsPrintedWithItsNextOccurrences(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	var out strings.Builder
	printSeries(&out, &syncer.ExplainedSeries{
		Recurrence: "FREQ=WEEKLY;BYDAY=TU",
		Next:       []syncer.ExplainedOccurrence{{Start: day, End: day.AddDate(0, 0, 1), AllDay: true, Exception: true, Resources: []string{"room-a"}}},
	})
	const want = `series: FREQ=WEEKLY;BYDAY=TU, by the clock of UTC
  next:
    2026-12-01 to 2026-12-02  room-a  (an exception)
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}
