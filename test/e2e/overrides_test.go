package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// A subsidiary's mailboxes lie in a tenant of its own: with domain_override they are reached by that one's app, as soon as it is
// configured, and nobody else notices.
func TestMailboxesOfASubsidiaryLieInAnotherTenant(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	s.goOnline()
	const dora = "dora@subsidiary.example"
	if err := s.sim.AddPerson(exchangesim.Person{Address: dora, Name: "Dora", Password: password}); err != nil {
		t.Fatal(err)
	}
	s.serve()
	s.must("person", "set", "dora", "--email", dora, "--mode", "O365")
	s.put(deskMeeting("hers", "dora", day(1, 9), desk(0)))
	s.put(deskMeeting("his", "alice", day(1, 9), desk(1)))
	s.settle()
	s.only("alice", hush+" his")
	s.eventually("the app of one tenant is no good in another", func() error {
		if st := s.state("dora"); st.Status != "attention" {
			return fmt.Errorf("dora: %+v", st)
		}
		return nil
	})

	path := filepath.Join(s.dir, "roomwire.hcl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := exchangesim.SampleSubsidiary()
	block := fmt.Sprintf("sync_mode \"O365\" {\n  domain_override \"subsidiary.example\" {\n    tenant_id     = %q\n    app_id        = %q\n    client_secret = %q\n  }\n",
		other.ID, other.Apps[0].ID, other.Apps[0].Secrets[0].Value)
	s.write("roomwire.hcl", strings.Replace(string(text), "sync_mode \"O365\" {\n", block, 1))
	if out := s.must("config", "apply"); strings.Contains(out, other.Apps[0].Secrets[0].Value) || !strings.Contains(out, "subsidiary.example") {
		t.Errorf("config apply says:\n%s", out)
	}
	s.eventually("the subsidiary's app serves her", func() error {
		if st := s.state("dora"); st.Status != "ok" {
			return fmt.Errorf("dora: %+v", st)
		}
		return nil
	})
	s.settleOnly("dora")
	if items := s.sim.Outlook(dora).Items(); len(items) != 1 || items[0].Subject != hush+" hers" {
		t.Errorf("her calendar: %+v", items)
	}
	out, _, _ := s.roomwire("doctor")
	if !strings.Contains(out, "O365/subsidiary.example") {
		t.Errorf("doctor says:\n%s", out)
	}
	if shown := s.must("config", "show"); !strings.Contains(shown, "domain_override") || strings.Contains(shown, other.Apps[0].Secrets[0].Value) {
		t.Errorf("config show says:\n%s", shown)
	}
}
