package e2e

import (
	"fmt"
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

// TestPersonsMoveToExchangeOnlineAndBack moves people between servers that reach the same mailboxes in different ways: there
// while both work, and back while EWS in Exchange Online is switched off.
func TestPersonsMoveToExchangeOnlineAndBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	tenant := s.addOnline()
	s.serve()
	s.settle()
	for i := range 3 {
		s.put(meeting(fmt.Sprintf("m%d", i), "alice", day(i, 9)))
	}
	s.put(deskDay("all-day", "alice", 5))
	s.settle()
	writes := func() int { return s.sim.Count("CreateItem") + s.sim.Count("UpdateItem") + s.sim.Count("DeleteItem") }
	written, mails := writes(), len(s.sim.Mails())
	if out := s.must("person", "move", "--to", "O365", "--all-of", "Exchange2013"); !strings.Contains(out, "alice: moved to O365: 4 items: 4 verified") {
		t.Errorf("the move says:\n%s", out)
	}
	s.settle()
	if writes() != written || len(s.sim.Mails()) != mails {
		t.Errorf("%d writes and %d mails", writes()-written, len(s.sim.Mails())-mails)
	}
	s.outlook("alice", s.only("alice", hush+" m0").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	s.awaitChange("m0", "updated", "calendar")
	s.settle()

	enabled := false
	if err := s.sim.ChangeTenant(tenant, func(o *exchangesim.Tenant) { o.EWSEnabled = &enabled }); err != nil {
		t.Fatal(err)
	}
	changed := meeting("m1", "alice", day(1, 9))
	changed.Title = hush + " changed"
	s.put(changed)
	s.outlook("alice", s.only("alice", hush+" m2").ID, func(a *exchangesim.Appointment) { a.ReminderSet, a.ReminderMinutes = true, 45 })
	s.eventually("alice is in trouble", func() error {
		st := s.state("alice")
		return yes(st.Status == "attention", "%+v", st)
	})
	if out := s.must("person", "move", "--to", "Exchange2013", "--url", s.exchange, "--all-of", "O365"); !strings.Contains(out, "sync mode O365 could not be used any more") ||
		!strings.Contains(out, "alice: moved to Exchange2013: 4 items: 3 verified, 1 changed meanwhile") {
		t.Errorf("the move back says:\n%s", out)
	}
	s.settle()
	s.only("alice", hush+" changed")
	if b := s.booking("m2"); b.ReminderMinutes == nil || *b.ReminderMinutes != 45 {
		t.Errorf("m2 = %+v", b)
	}
	for i, subject := range []string{"m0", "changed", "m2", "all-day"} {
		if n := len(s.items("alice", hush+" "+subject)); n != 1 {
			t.Errorf("%d items %d, want 1", n, i)
		}
	}
	for _, subject := range []string{"m0", "m1", "m2", "changed"} {
		if m := s.mails(hush + " " + subject); m["cancellation"] != 0 || m["request"] > 1 {
			t.Errorf("mails about %s: %v", subject, m)
		}
	}
}
