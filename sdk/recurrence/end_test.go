package recurrence_test

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/recurrence"
)

func TestOccurrencesEndByTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	berlin := zone(t, "Europe/Berlin")
	at := func(text string, in *time.Location) time.Time {
		moment, err := time.ParseInLocation("2006-01-02 15:04", text, in)
		if err != nil {
			t.Fatal(err)
		}
		return moment.UTC()
	}
	for name, c := range map[string]struct {
		start, end, occurrence, want string
		allDay                       bool
	}{
		"an hour":                       {start: "2027-03-01 09:00", end: "2027-03-01 10:00", occurrence: "2027-06-01 09:00", want: "2027-06-01 10:00"},
		"the first":                     {start: "2027-03-01 09:00", end: "2027-03-01 10:00", occurrence: "2027-03-01 09:00", want: "2027-03-01 10:00"},
		"a night in which an hour goes": {start: "2027-03-01 22:00", end: "2027-03-02 06:00", occurrence: "2027-03-27 22:00", want: "2027-03-28 06:00"},
		"one with an hour more":         {start: "2027-03-01 22:00", end: "2027-03-02 06:00", occurrence: "2027-10-30 22:00", want: "2027-10-31 06:00"},
		"no time at all":                {start: "2027-03-01 09:00", end: "2027-03-01 09:00", occurrence: "2027-06-01 09:00", want: "2027-06-01 09:00"},
		"whole days":                    {start: "2027-03-01 00:00", end: "2027-03-03 00:00", occurrence: "2027-03-27 00:00", want: "2027-03-29 00:00", allDay: true},
	} {
		in := berlin
		if c.allDay {
			in = time.UTC
		}
		s := recurrence.Start{At: at(c.start, in), AllDay: c.allDay, Zone: berlin}
		if got := s.EndOf(at(c.occurrence, in), at(c.end, in)); !got.Equal(at(c.want, in)) {
			t.Errorf("%s: %s, want %s", name, got.In(in), c.want)
		}
	}
	// Half an hour around the hour that comes twice lasts half an hour, though the clock goes back in it.
	first := time.Date(2027, 10, 31, 0, 45, 0, 0, time.UTC)
	s := recurrence.Start{At: first, Zone: berlin}
	next := first.AddDate(0, 0, 7)
	if got := s.EndOf(next, first.Add(30*time.Minute)); !got.Equal(next.Add(30 * time.Minute)) {
		t.Errorf("around the change: %s", got)
	}
}
