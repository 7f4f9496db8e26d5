package exchangesim

import (
	"testing"
	"time"
)

func TestDaysWithoutMidnight(t *testing.T) {
	t.Parallel()
	havana, err := time.LoadLocation("America/Havana")
	if err != nil {
		t.Fatal(err)
	}
	// The clock goes from 00:00 to 01:00 at 05:00 UTC.
	begins := time.Date(2026, 3, 8, 5, 0, 0, 0, time.UTC)
	for _, up := range []bool{false, true} {
		if got := midnight(begins, havana, up); !got.Equal(begins) {
			t.Errorf("the beginning of the day becomes %s (up: %v)", got, up)
		}
	}
	if got := midnight(begins.Add(-time.Hour), havana, true); !got.Equal(begins) {
		t.Errorf("the evening before ends at %s", got)
	}
	if got := midnight(begins.Add(3*time.Hour), havana, false); !got.Equal(begins) {
		t.Errorf("the morning began at %s", got)
	}
}
