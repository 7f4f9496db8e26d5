package mail

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/config"
)

func TestTimesAreThoseOfTheWallClock(t *testing.T) {
	t.Parallel()
	day := func(d int) time.Time { return time.Date(2026, 12, d, 0, 0, 0, 0, time.UTC) }
	for want, b := range map[string]*booking.Booking{
		"Tuesday, 1 December 2026, 10:00 to 11:30 (Europe/Berlin)":                          {Start: day(1).Add(9 * time.Hour), End: day(1).Add(10*time.Hour + 30*time.Minute), Zone: "Europe/Berlin"},
		"Tuesday, 1 December 2026, 22:00 to Wednesday, 2 December 2026, 02:00 (UTC)":        {Start: day(1).Add(22 * time.Hour), End: day(2).Add(2 * time.Hour)},
		"Tuesday, 1 December 2026, all day":                                                 {Start: day(1), End: day(2), AllDay: true, Zone: "America/New_York"},
		"Tuesday, 1 December 2026 to Thursday, 3 December 2026":                             {Start: day(1), End: day(4), AllDay: true},
		"Monday, 30 November 2026, 20:00 to Tuesday, 1 December 2026, 08:00 (Europe/Paris)": {Start: day(0).Add(19 * time.Hour), End: day(1).Add(7 * time.Hour), Zone: "Europe/Paris"},
	} {
		if got := calendars[config.English].when(b); got != want {
			t.Errorf("when = %q, want %q", got, want)
		}
	}
}
