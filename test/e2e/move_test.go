package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// secondMode is another sync mode for the same Exchange.
const secondMode = `
sync_mode "EWS2" {
  backend  = "exchange2013"
  auth     = ["ntlm"]
  user     = "svc-rooms"
  password = "Zq9&<w\"0rd-of-e2e"
  domain   = "EXAMPLE"
  http {
    ca_file = "exchange.pem"
  }
}
`

// modeOf is the sync mode of a person, as REST tells it.
func (s *site) modeOf(person string) string {
	s.Helper()
	var p struct {
		SyncMode string `json:"sync_mode"`
	}
	s.do(http.MethodGet, "/persons/"+person, nil, &p)
	return p.SyncMode
}

// moveStory moves a person to another sync mode, each time to the other one.
func moveStory() story {
	return story{
		name: "move", hcl: secondMode,
		steps: []string{"move:begun", "move:drained", "move:probed", "move:read", "move:matched", "move:switching", "move:switched"},
		begin: func(s *site, id string) {
			s.put(meeting(id, "alice", slot(id)))
			s.settle()
			s.only("alice", hush+" "+id)
		},
		act: func(s *site, id string) {
			to := map[string]string{"Exchange2013": "EWS2", "EWS2": "Exchange2013"}[s.modeOf("alice")]
			_, _, _ = s.roomwire("person", "move", "--no-wait", "--to", to, "--url", s.exchange, "alice") // the host dies
		},
		check: func(s *site, id string) {
			want := "EWS2"
			if n := int(id[len(id)-1] - '0'); n%2 == 1 {
				want = "Exchange2013"
			}
			if got := s.modeOf("alice"); got != want {
				s.Errorf("alice has sync mode %s, want %s", got, want)
			}
			it := s.only("alice", hush+" "+id)
			s.wantHistory(id, "1 created by api")
			s.wantMails(it.Subject, map[string]int{"request": 1})
			s.outlook("alice", it.ID, func(a *exchangesim.Appointment) { a.ReminderSet, a.ReminderMinutes = true, 45 })
			s.awaitChange(id, "updated", "calendar")
			s.settle()
		},
	}
}

// TestPersonsMoveByCommand moves everybody of a mode, after a dry run, while both sides are changed.
func TestPersonsMoveByCommand(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{hcl: secondMode})
	for i, p := range []string{"alice", "carol"} {
		s.put(meeting("of-"+p, p, day(i, 9)))
	}
	s.settle()
	to := []string{"person", "move", "--to", "ews2", "--url", s.exchange}
	out := s.must(append(to, "--dry-run", "--all-of", "exchange2013")...)
	for _, want := range []string{"alice: would be moved to EWS2: 1 item: 1 verified", "dave: would be moved to EWS2: 0 items", "4 of 4"} {
		if !strings.Contains(out, want) {
			t.Errorf("the dry run does not say %q:\n%s", want, out)
		}
	}
	if s.modeOf("alice") != "Exchange2013" {
		t.Error("a dry run moved alice")
	}
	written := s.sim.Count("CreateItem") + s.sim.Count("UpdateItem") + s.sim.Count("DeleteItem")
	if out := s.must(append(to, "--all-of", "Exchange2013")...); !strings.Contains(out, "carol: moved to EWS2: 1 item: 1 verified") {
		t.Errorf("the move says:\n%s", out)
	}
	s.settle()
	if n := s.sim.Count("CreateItem") + s.sim.Count("UpdateItem") + s.sim.Count("DeleteItem"); n != written {
		t.Errorf("%d writes", n-written)
	}
	for _, p := range people {
		if got := s.modeOf(p); got != "EWS2" {
			t.Errorf("%s has sync mode %s", p, got)
		}
	}
	s.put(func() booking { b := meeting("of-alice", "alice", day(0, 9)); b.Title = hush + " changed"; return b }())
	s.outlook("carol", s.only("carol", hush+" of-carol").ID, func(a *exchangesim.Appointment) { a.ReminderSet, a.ReminderMinutes = true, 45 })
	s.awaitChange("of-carol", "updated", "calendar")
	s.settle()
	s.only("alice", hush+" changed")
	s.wantMails(hush+" of-carol", map[string]int{"request": 1, "update": 1}) // the update is the one that Outlook sent
	if out := s.must("person", "moves"); !strings.Contains(out, "4 done") {
		t.Errorf("person moves says:\n%s", out)
	}
	_, errs, err := s.roomwire("person", "move", "--to", "EWS2", "--url", s.exchange, "alice", "nobody")
	if err == nil || !strings.Contains(errs, "alice: the sync mode is EWS2 already") || !strings.Contains(errs, "nobody: there is no such person") {
		t.Errorf("moving whom cannot be moved: %v\n%s", err, errs)
	}
}
