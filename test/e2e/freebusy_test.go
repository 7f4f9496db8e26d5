package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestFreeBusyOfPeopleAndRooms asks the real host, over both ways into a calendar.
func TestFreeBusyOfPeopleAndRooms(t *testing.T) {
	t.Parallel()
	for name, over := range map[string]setup{"EWS": {}, "Graph": {cloud: overGraph}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, over)
			start := day(1, 9)
			if _, err := s.sim.Outlook("bob@example.com").Create(exchangesim.Appointment{
				Subject: "Secret", Sensitivity: "Private", Start: start, End: start.Add(time.Hour), BusyStatus: "OOF",
			}); err != nil {
				t.Fatal(err)
			}
			s.put(meeting("taken", "alice", start.Add(2*time.Hour)))
			s.settle()
			query := url.Values{
				"persons": {"alice,bob"}, "resources": {"room-a"}, "addresses": {"nobody@example.com"},
				"from": {start.Add(-time.Hour).Format(time.RFC3339)}, "to": {start.Add(8 * time.Hour).Format(time.RFC3339)},
			}
			a := s.request(http.MethodGet, "/freebusy?"+query.Encode(), s.newKey("read"), "")
			var got struct {
				Items []struct {
					Busy []struct {
						Start   time.Time `json:"start"`
						Busy    string    `json:"busy"`
						Subject string    `json:"subject"`
						Private bool      `json:"private"`
						Booking string    `json:"booking"`
					} `json:"busy"`
					Error *struct {
						Kind string `json:"kind"`
					} `json:"error"`
				} `json:"items"`
			}
			s.decode(a, &got)
			if len(got.Items) != 4 {
				t.Fatalf("%+v", got)
			}
			shown, _ := json.Marshal(got)
			alice, bob, room, nobody := got.Items[0], got.Items[1], got.Items[2], got.Items[3]
			if len(alice.Busy) != 1 || !alice.Busy[0].Start.Equal(start.Add(2*time.Hour)) || alice.Error != nil {
				t.Errorf("alice: %s", shown)
			}
			if len(bob.Busy) != 1 || bob.Busy[0].Busy != "oof" || bob.Busy[0].Subject != "" {
				t.Errorf("bob: %s", shown)
			}
			if len(room.Busy) == 0 || room.Busy[0].Booking != "taken" {
				t.Errorf("room-a: %s", shown)
			}
			if nobody.Error == nil || nobody.Error.Kind != "mailbox not found" || len(nobody.Busy) > 0 {
				t.Errorf("nobody: %s", shown)
			}
			out := s.must("person", "freebusy", "bob", "nobody@example.com", "--from", start.Format("2006-01-02"), "--to", start.Format("2006-01-02"))
			if !strings.Contains(out, "oof") || !strings.Contains(out, "not known") || strings.Contains(out, "Secret") {
				t.Errorf("the command shows\n%s", out)
			}
		})
	}
}
