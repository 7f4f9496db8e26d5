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

func TestARoomsAnswerIsPrintedWithWhatItWrote(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	var out strings.Builder
	err := printSides(&out, &syncer.Explanation{Booking: "b1", Version: 2, Status: "confirmed", Organizer: "alice", Rooms: []syncer.ExplainedRoom{
		{Resource: "room-a", State: "accepted", At: noon},
		{Resource: "room-b", State: "declined", At: noon, Reason: "painters"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := "room room-a: accepted since " + local(noon) + "\nroom room-b: declined since " + local(noon) + ", it wrote: painters\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("printed\n%s\nwant in it\n%s", out.String(), want)
	}
}

func TestHowABookingRepeats(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{"": "", "FREQ=WEEKLY;BYDAY=TU": "weekly", "INTERVAL=2;FREQ=DAILY": "daily"} {
		if got := repeats(rule); got != want {
			t.Errorf("repeats(%q) = %q, want %q", rule, got, want)
		}
	}
}
