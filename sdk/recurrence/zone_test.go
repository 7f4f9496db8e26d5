package recurrence

import (
	"testing"
	"time"
)

func TestZoneIsReadOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "UTC", "", "No/Where"} {
		want, wantErr := time.LoadLocation(name)
		first, err := Zone(name)
		again, errAgain := Zone(name)
		if (err == nil) != (wantErr == nil) || (errAgain == nil) != (wantErr == nil) || first != again {
			t.Fatalf("Zone(%q) = %v, %v and then %v, %v; time.LoadLocation says %v, %v", name, first, err, again, errAgain, want, wantErr)
		}
		if err == nil && first.String() != want.String() {
			t.Errorf("Zone(%q) = %v, want %v", name, first, want)
		}
	}
}
