package graph

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A series that began years ago and does not end is read and written all the same: Graph looks at no more than 1,825 days at
// a time.
func TestASeriesThatBeganLongAgo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, years := range map[string]int{"a year": 1, "four years": 4, "fifteen years": 15} {
		long := desk()
		long.Zone = ""
		long.Start = long.Start.AddDate(-years, 0, 0)
		long.End = long.Start.Add(time.Hour)
		long.Recurrence = "FREQ=DAILY"
		for _, at := range []time.Time{long.Start.AddDate(0, 0, 1), soon(0, "08:00"), soon(370, "08:00")} {
			s, err := series.Of(long)
			if err != nil {
				t.Fatal(err)
			}
			moved := s.Plain(at.Truncate(day))
			moved.Start, moved.End = moved.Start.Add(time.Hour), moved.End.Add(time.Hour)
			long.Exceptions = append(long.Exceptions, calendar.OccurrenceException{Occurrence: at, Event: &moved})
		}
		item := w.create(t, name, long)
		if series.Changing(item.Event, long, calendar.AllFields) != 0 || item.Omits.Has(calendar.FieldRecurrence) {
			t.Errorf("%s: made %q with %d exceptions", name, item.Event.Recurrence, len(item.Event.Exceptions))
		}
	}
	changes, pages := w.pull(t, "")
	if len(latestOf(changes)) != 3 || !pages[len(pages)-1].Last {
		t.Errorf("%d items in %d pages", len(latestOf(changes)), len(pages))
	}
}
