package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestDelegateAccess has no impersonation: the people have opened their calendars to the service user, who cannot
// subscribe, so the calendars are read by the clock.
func TestDelegateAccess(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{delegate: true})
	if n := s.sim.Count("Subscribe"); n != 0 || len(s.sim.Subscriptions()) != 0 {
		t.Errorf("%d requests to subscribe were made; a delegate cannot", n)
	}
	if st := s.state("alice"); st.Way != "poll" {
		t.Errorf("alice: %+v", st)
	}
	b := meeting("delegated", "alice", day(1, 9))
	s.put(b)
	s.settle()
	it := s.only("alice", b.Title)
	s.wantMails(b.Title, map[string]int{"request": 1})
	if it.Organizer.Address != address("alice") {
		t.Errorf("the organizer is %+v", it.Organizer)
	}

	b.Resources = []string{"room-b"}
	s.put(b)
	s.settle()
	if now := s.only("alice", b.Title); now.Location != "Room B" {
		t.Errorf("the item is %+v", now)
	}

	pulled := s.state("alice").LastPull
	s.outlook("alice", it.ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	s.awaitChange("delegated", "updated", "calendar")
	s.eventually("the pass ends", func() error {
		st := s.state("alice")
		return yes(st.LastPull.After(pulled), "%+v", st)
	})
	if err := s.sim.Outlook(address("alice")).Delete(s.only("alice", b.Title).ID); err != nil {
		t.Fatal(err)
	}
	s.awaitChange("delegated", "cancelled", "calendar")
	s.settle()
	s.none("alice", b.Title)
	s.wantHistory("delegated", "1 created by api", "2 updated by api", "3 updated by calendar", "4 cancelled by calendar")
	if shown := s.show("alice"); !strings.Contains(shown, "poll") || strings.Contains(shown, "what to do") {
		t.Errorf("person show says: %s", shown)
	}
}

// TestDelegateWithoutPermission is about one who has not opened the calendar.
func TestDelegateWithoutPermission(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{delegate: true})
	s.sim.SetDelegates(address("carol"))
	s.put(deskMeeting("closed", "carol", day(1, 9), desk(1)))
	s.eventually("carol needs attention", func() error {
		st := s.state("carol")
		return yes(st.Status == "attention" && !st.Until.Before(time.Now()), "%+v", st)
	})
	if shown := s.show("carol"); !strings.Contains(shown, "what to do") {
		t.Errorf("person show says: %s", shown)
	}
	s.put(deskMeeting("open", "alice", day(1, 9), desk(2)))
	s.settleOnly("alice")
	s.only("alice", hush+" open")

	s.sim.SetDelegates(address("carol"), `EXAMPLE\svc-rooms`)
	s.must("sync", "now", "carol")
	s.settle()
	s.only("carol", hush+" closed")
}
