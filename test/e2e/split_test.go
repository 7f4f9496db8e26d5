package e2e

import (
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestThisAndFollowing changes what follows in a series, as Outlook does: that becomes a booking of its own, and its item that
// booking's. Both are changed over REST then.
func TestThisAndFollowing(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]setup{"EWS": {}, "Graph": {cloud: overGraph}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, with)
			s.put(deskMeeting("b1", "alice", day(2, 9), desk(1)))
			s.settle()
			first := s.only("alice", hush+" b1").ID
			s.outlook("alice", first, func(a *exchangesim.Appointment) {
				a.Recurrence = &exchangesim.Recurrence{Pattern: "Daily", Interval: 1, Count: 5}
			})
			s.settle()
			mails := len(s.sim.Mails())
			made, err := s.sim.Outlook(address("alice")).ChangeFollowing(first, day(4, 9), func(a *exchangesim.Appointment) { a.Subject = hush + " later" })
			if err != nil {
				t.Fatal(err)
			}
			s.eventually("the rest is a booking's", func() error {
				it := s.only("alice", hush+" later")
				return yes(it.ID == made && strings.HasPrefix(it.Properties[oid], "b1-"), "it bears %v", it.Properties)
			})
			s.settle()
			id := s.only("alice", hush+" later").Properties[oid]
			if b := s.booking(id); b.Title != hush+" later" || b.Status != "confirmed" {
				t.Errorf("the booking is %+v", b)
			}
			s.wantHistory(id, "1 created by calendar")
			if diff := s.must("diff", "--person", "alice"); strings.Contains(diff, "copy left alone") {
				t.Errorf("diff says:\n%s", diff)
			}
			if now := s.sim.Mails()[mails:]; len(now) > 0 {
				t.Errorf("mails: %+v", now)
			}
		})
	}
}
