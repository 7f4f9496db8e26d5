package e2e

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestASeriesMovesWithWhatIsYearsAhead moves a series that has exceptions years ahead, in what no delta of Graph tells of, from EWS to
// Graph and back: none is taken back, and nobody is mailed.
func TestASeriesMovesWithWhatIsYearsAhead(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{cloud: "O365"})
	b := deskMeeting("b1", "alice", day(2, 9), desk(1))
	b.Attendees = []attendee{{Email: "zoe@partner.example", Role: "required"}}
	s.put(b)
	s.settle()
	id := s.only("alice", hush+" b1").ID
	s.outlook("alice", id, func(a *exchangesim.Appointment) {
		a.Recurrence = &exchangesim.Recurrence{Pattern: "Daily", Interval: 1}
	})
	o := s.sim.Outlook(address("alice"))
	if err := o.UpdateOccurrence(id, day(2, 9).AddDate(3, 0, 0), func(a *exchangesim.Appointment) { a.Subject = hush + " renamed" }); err != nil {
		t.Fatal(err)
	}
	if err := o.DeleteOccurrence(id, day(2, 9).AddDate(4, 0, 0)); err != nil {
		t.Fatal(err)
	}
	type told struct {
		Version    int64             `json:"version"`
		Exceptions []json.RawMessage `json:"exceptions"`
	}
	booking := func() (out told) {
		t.Helper()
		s.do(http.MethodGet, "/bookings/b1", nil, &out)
		return out
	}
	s.settle()
	before := booking()
	if len(before.Exceptions) != 2 {
		t.Fatalf("the booking has the exceptions %s", before.Exceptions)
	}
	inOutlook := func() []exchangesim.Occurrence {
		t.Helper()
		list, err := o.Occurrences(id, day(2, 0).AddDate(3, 0, 0), day(3, 0).AddDate(4, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	was := inOutlook()
	s.silently(func() {
		for _, to := range []string{"Microsoft365", "O365", "Microsoft365"} {
			if out := s.must("person", "move", "--to", to, "alice"); !strings.Contains(out, "1 verified") {
				t.Errorf("the move to %s says: %s\n%s", to, out, s.must("person", "moves", "alice"))
			}
			s.settle()
			s.must("sync", "now", "--full", "alice")
			s.settle()
		}
	})
	if now := booking(); !reflect.DeepEqual(now, before) {
		t.Errorf("the booking was %+v\nand is %+v", before, now)
	}
	if now := inOutlook(); !reflect.DeepEqual(now, was) {
		t.Errorf("the calendar has %d occurrences, it had %d", len(now), len(was))
	}
}
