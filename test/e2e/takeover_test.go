package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestTakeOver has another sync's items in alice's calendar: with the booking's id, with nothing, and one too few.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	for _, cloud := range []string{"", "Microsoft365"} {
		t.Run("cloud="+cloud, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup{cloud: cloud})
			s.must("person", "set", "alice", "--shadow")
			marked, bare, missing := meeting("marked", "alice", day(0, 9)), meeting("bare", "alice", day(1, 9)), deskMeeting("missing", "alice", day(2, 9), desk(1))
			for _, b := range []*booking{&marked, &bare, &missing} {
				b.Location = "Room A"
				s.put(*b)
			}
			s.outlookMakes(marked)
			if _, err := s.sim.Outlook(address("alice")).Create(exchangesim.Appointment{
				Subject: bare.Title, Body: bare.Notes, Location: bare.Location, Start: bare.start(s), End: bare.start(s).Add(time.Hour),
				Required: []exchangesim.Attendee{{Name: "Bob", Address: address("bob")}}, Resources: []exchangesim.Attendee{{Name: "Room A", Address: "room-a@example.com"}},
			}); err != nil {
				t.Fatal(err)
			}
			mails := len(s.sim.Mails())
			writes := s.writes()
			s.eventually("the report tells of all three", func() error {
				out, _, err := s.roomwire("person", "shadow", "alice", "--all")
				ok := err == nil && strings.Contains(out, "adopt 2") && strings.Contains(out, "create item 1") && strings.Contains(out, "booking id") && strings.Contains(out, "content")
				return yes(ok, "%v: %s", err, out)
			})
			if shown := s.show("alice"); !strings.Contains(shown, "shadow mode") {
				t.Errorf("person show says nothing of it: %s", shown)
			}
			if s.writes() != writes {
				t.Error("something was written in shadow mode")
			}
			s.must("person", "set", "alice", "--shadow=false")
			s.eventually("the one that was missing is there", func() error {
				return yes(len(s.items("alice", missing.Title)) == 1, "it is not there")
			})
			s.settle()
			for _, b := range []booking{marked, bare, missing} {
				s.only("alice", b.Title)
			}
			if n := s.creates(); n != 1 {
				t.Errorf("%d items were made", n)
			}
			if all := s.sim.Mails(); cloud == "" && len(all) != mails {
				t.Errorf("somebody was mailed: %+v", all[mails:])
			}
			// From now on both are ordinary pairs.
			for i, b := range []booking{marked, bare} {
				s.outlook("alice", s.only("alice", b.Title).ID, func(a *exchangesim.Appointment) { a.Start, a.End = day(i, 15), day(i, 16) })
				s.awaitChange(b.ID, "updated", "calendar")
			}
		})
	}
}
