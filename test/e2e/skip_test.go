package e2e

import (
	"net/http"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestASeriesSkipsWhatIsTaken books a series in a room that is taken on its second day and has the policy that Exchange gives rooms: one
// conflict declines all. It is asked for the rest alone and takes it, and nobody is told of a day that was never meant.
func TestASeriesSkipsWhatIsTaken(t *testing.T) {
	t.Parallel()
	for name, cloud := range map[string]string{"on premises": "", "Microsoft Graph": overGraph} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup{cloud: cloud, hcl: "rooms {\n  sync = true\n}", sim: exchangesim.Options{CopyToAttendees: true}})
			s.syncRooms()
			s.put(meeting("taken", "bob", day(2, 9)))
			s.awaitBooking("room-a", day(2, 9), answered("room-a", "accepted"))
			s.settleOnly("alice", "bob", "room-a")

			series := struct {
				booking
				Recurrence string `json:"recurrence"`
			}{meeting("series", "alice", day(1, 9)), "FREQ=DAILY;COUNT=5"}
			var saved struct {
				Skipped []struct{} `json:"skipped_conflicts"`
			}
			s.do(http.MethodPut, "/bookings/series?conflicts=skip", series, &saved)
			if len(saved.Skipped) != 1 {
				t.Errorf("%d occurrences were skipped", len(saved.Skipped))
			}
			s.awaitBooking("room-a", day(1, 9), answered("room-a", "accepted"))
			s.settleOnly("alice", "bob", "room-a")
			s.wantMails(series.Title, map[string]int{"request": 1})
			if b := s.booking("series"); b.SyncProblem != "" || b.Status != "confirmed" {
				t.Errorf("booking %+v", b)
			}
		})
	}
}
