package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// goOnline gives the people of a site mailboxes in Exchange Online, reached by an app with a secret over EWS. The host must not
// run yet. It returns the tenant's id.
func (s *site) goOnline() string {
	s.Helper()
	tenant := s.addOnline()
	for _, p := range people {
		s.must("person", "set", p, "--mode", "O365")
	}
	return tenant
}

// addOnline adds the sync modes O365 and O365Pull (EWS) and Microsoft365 (Graph) to a site, by which the same mailboxes are reached as on
// premises. It returns the tenant's id. The two services are told apart by the name of the host, as in the real world.
func (s *site) addOnline() string {
	s.Helper()
	at, err := s.sim.StartOnlineTLS("127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = at.Close() })
	origin := strings.Replace(at.URL, "127.0.0.1", "localhost", 1)
	ca := s.write("online.pem", string(at.CertificatePEM))
	tenant := exchangesim.SampleTenant()
	ews := origin + "/EWS/Exchange.asmx"
	for mode, url := range map[string]string{"O365": ews, "O365Pull": ews, "Microsoft365": at.URL + "/v1.0"} {
		s.appendHCL(fmt.Sprintf(`
sync_mode %q {
  url           = %q
  cloud         = "custom"
  authority     = %q
  tenant_id     = %q
  app_id        = %q
  client_secret = %q
  http {
    ca_file = %q
  }
}
`, mode, url, origin, tenant.ID, tenant.Apps[0].ID, tenant.Apps[0].Secrets[0].Value, ca))
	}
	return tenant.ID
}

// A tenant's EWS is switched off under everybody, which is told from a wrong password and from a mailbox without it, and on
// again.
func TestExchangeOnlineOverEWSWhileItLasts(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	tenant := s.goOnline()
	s.serve()
	s.settle()
	s.put(meeting("first", "alice", day(1, 9)))
	s.settle()
	s.outlook("alice", s.only("alice", hush+" first").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	s.awaitChange("first", "updated", "calendar")
	if shown := s.show("alice"); !strings.Contains(shown, "sync ok") || !strings.Contains(shown, "Microsoft ends EWS in Exchange Online") ||
		!strings.Contains(shown, "roomwire person move --to Microsoft365 alice") {
		t.Errorf("person show says: %s", shown)
	}

	enabled := false
	if err := s.sim.ChangeTenant(tenant, func(o *exchangesim.Tenant) { o.EWSEnabled = &enabled }); err != nil {
		t.Fatal(err)
	}
	for i, p := range people {
		s.put(deskMeeting("of-"+p, p, day(2+i, 9), desk(i)))
	}
	s.eventually("everybody is in trouble", func() error {
		for _, p := range people {
			if st := s.state(p); st.Status != "attention" || st.Kind != "forbidden" {
				return fmt.Errorf("%s: %+v", p, st)
			}
		}
		return nil
	})
	known := 0
	for _, p := range people {
		shown := s.show(p)
		if strings.Contains(shown, "password") || strings.Contains(shown, "service account") {
			t.Errorf("person show says: %s", shown)
		}
		if strings.Contains(shown, "EwsAllowedAppIDs") && strings.Contains(shown, "2027-04-01") && strings.Contains(shown, "person move --to Microsoft365") {
			known++
		}
	}
	if known < 2 {
		t.Errorf("%d of %d know that EWS is off for all, want those from the third on", known, len(people))
	}
	out, _, _ := s.roomwire("doctor")
	if !strings.Contains(out, "left alone") || !strings.Contains(out, "Set-OrganizationConfig") || !strings.Contains(out, "Microsoft ends EWS") {
		t.Errorf("doctor says:\n%s", out)
	}

	if err := s.sim.ChangeTenant(tenant, func(o *exchangesim.Tenant) { o.EWSEnabled = nil }); err != nil {
		t.Fatal(err)
	}
	s.must("sync", "now", "carol") // one word for all of them
	s.settle()
	for _, p := range people {
		s.only(p, hush+" of-"+p)
	}
}
