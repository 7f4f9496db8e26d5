package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// A broken person is one whose sync cannot work, and what is said about it.
type broken struct {
	person, mode, url    string
	status, kind         string
	reason, remedy       string // parts of what `person show` says
	repair               func(s *site)
	repairedWithoutAWord bool // the repair is noticed without `sync now`
}

// everyTrouble has each trouble of the list happen to somebody else. alice has none.
func everyTrouble() []broken {
	return []broken{{
		person: "wrongpassword", mode: "WrongPassword", status: "attention", kind: "unauthorized",
		reason: "refused the login", remedy: "check user and password",
		repair: func(s *site) { s.sim.SetPassword("svc-other@example.com", password) },
	}, {
		person: "norights", mode: "NoRights", status: "attention", kind: "forbidden",
		reason: "impersonat", remedy: "ApplicationImpersonation",
		repair: func(s *site) { s.sim.SetImpersonation("svc-plain@example.com", true) },
	}, {
		person: "nomailbox", mode: "Exchange2013", status: "attention", kind: "mailbox not found",
		reason: "mailbox", remedy: "mail address",
		repair: func(s *site) { s.sim.Disconnect(address("nomailbox"), false) },
	}, {
		person: "untrusted", mode: "Untrusted", status: "waiting", kind: "unavailable",
		reason: "certificate", remedy: "",
	}, {
		person: "unreachable", mode: "Exchange2013", url: "https://127.0.0.1:9/EWS/Exchange.asmx", status: "waiting", kind: "unavailable",
		reason: "connection refused", remedy: "",
	}, {
		person: "pluginmissing", mode: "PluginMissing", status: "waiting", kind: "unavailable",
		reason: "backend-missing", remedy: "",
		repair:               func(s *site) { s.installPlugin("backend-missing") },
		repairedWithoutAWord: true,
	}, {
		person: "pluginchanged", mode: "PluginChanged", status: "waiting", kind: "unavailable",
		reason: "pinned", remedy: "",
		repair:               func(s *site) { s.must("plugin", "lock") },
		repairedWithoutAWord: true,
	}, {
		person: "plugincrashing", mode: "PluginCrashing", status: "waiting", kind: "unavailable",
		reason: "backend-crashing", remedy: "",
	}}
}

func TestOnePersonInTroubleOthersGoOn(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: the crashing plugin is a shell script")
	}
	s := newSite(t, setup{stopped: true})
	s.troubles()
	s.serve()
	s.settleOnly("alice")
	for _, b := range everyTrouble() {
		t.Run(b.person, func(t *testing.T) {
			s.eventually(b.person+" is in trouble", func() error {
				st := s.state(b.person)
				return yes(st.Status == b.status && st.Kind == b.kind && !st.Until.IsZero(), "%+v", st)
			})
			shown := s.show(b.person)
			for _, part := range []string{"sync " + b.status, b.reason, b.remedy, "tried again"} {
				if !strings.Contains(shown, part) {
					t.Errorf("person show does not say %q, but: %s", part, shown)
				}
			}
			if b.status == "attention" && !strings.Contains(shown, "what to do") {
				t.Errorf("person show does not say what to do: %s", shown)
			}
			if log := s.host.log.String(); !strings.Contains(log, "person="+b.person) {
				t.Error("the log does not name the person")
			}
			// A booking of theirs is kept, and will be carried out.
			s.put(deskMeeting("of-"+b.person, b.person, day(1, 9), desk(1+len(b.person)%3)).on(b.person))
		})
	}
	// Both directions work for everybody else.
	s.put(meeting("fine", "alice", day(1, 9)))
	s.settleOnly("alice", "bob", "carol", "dave")
	s.outlook("alice", s.only("alice", hush+" fine").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	s.awaitChange("fine", "updated", "calendar")

	for _, b := range everyTrouble() {
		if b.repair == nil {
			continue
		}
		t.Run(b.person+" repaired", func(t *testing.T) {
			b.repair(s)
			if !b.repairedWithoutAWord {
				s.must("sync", "now", b.person)
			}
			s.settleOnly(b.person)
			s.only(b.person, hush+" of-"+b.person)
			if shown := s.show(b.person); !strings.Contains(shown, "sync ok") || strings.Contains(shown, "what to do") {
				t.Errorf("person show says: %s", shown)
			}
		})
	}
}

// on gives each broken person's booking a time of its own.
func (b booking) on(person string) booking {
	for i, t := range everyTrouble() {
		if t.person == person {
			m := meeting("", person, day(1+i, 9))
			b.Start, b.End = m.Start, m.End
		}
	}
	return b
}

// troubles adds the broken people, and what breaks them.
func (s *site) troubles() {
	s.Helper()
	for _, p := range []exchangesim.Person{
		{Address: "svc-other@example.com", User: `EXAMPLE\svc-other`, Password: "something else", Impersonation: true, NoMailbox: true},
	} {
		if err := s.sim.AddPerson(p); err != nil {
			s.Fatal(err)
		}
	}
	mode := func(name, backend, user, http string) string {
		return fmt.Sprintf("sync_mode %q {\n  backend = %q\n  auth = [\"ntlm\"]\n  user = %q\n  password = %q\n  domain = \"EXAMPLE\"\n  %s\n}\n",
			name, backend, user, password, http)
	}
	trusted := s.httpBlock(false)
	hcl, err := os.ReadFile(filepath.Join(s.dir, "roomwire.hcl"))
	if err != nil {
		s.Fatal(err)
	}
	s.write("roomwire.hcl", string(hcl)+
		mode("WrongPassword", "exchange2013", "svc-other", trusted)+
		mode("NoRights", "exchange2013", "svc-plain", trusted)+
		mode("Untrusted", "exchange2013", "svc-rooms", "")+
		mode("PluginMissing", "missing", "svc-rooms", trusted)+
		mode("PluginChanged", "changed", "svc-rooms", trusted)+
		mode("PluginCrashing", "crashing", "svc-rooms", trusted))
	rows := []string{s.rows()[0]}
	for _, b := range everyTrouble() {
		if err := s.sim.AddPerson(exchangesim.Person{Address: address(b.person), Password: password}); err != nil {
			s.Fatal(err)
		}
		url := s.exchange
		if b.url != "" {
			url = b.url
		}
		rows = append(rows, s.row(b.person, b.mode, url))
	}
	s.sim.Disconnect(address("nomailbox"), true)
	s.copyPlugin("backend-changed")
	path := filepath.Join(s.plugins, "roomwire-backend-crashing")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho 'I cannot go on' >&2\nexit 3\n"), 0o755); err != nil {
		s.Fatal(err)
	}
	s.must("plugin", "lock")
	f, err := os.OpenFile(filepath.Join(s.plugins, "roomwire-backend-changed"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := f.WriteString("changed"); err != nil {
		s.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.Fatal(err)
	}
	s.must("person", "import", s.write("broken.csv", strings.Join(rows, "\n")+"\n"))
}

// copyPlugin puts a copy of the Exchange backend into the plugin folder.
func (s *site) copyPlugin(name string) {
	s.Helper()
	data, err := os.ReadFile(filepath.Join(built, "plugins", program("roomwire-backend-exchange2013")))
	if err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.plugins, program("roomwire-"+name)), data, 0o755); err != nil {
		s.Fatal(err)
	}
}

// installPlugin puts a plugin into the folder and pins it.
func (s *site) installPlugin(name string) {
	s.Helper()
	s.copyPlugin(name)
	s.must("plugin", "lock")
}

// TestPasswordChangedWhileRunning takes the whole server's access away and gives it back.
func TestPasswordChangedWhileRunning(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.sim.SetPassword("svc-rooms@example.com", "changed by somebody")
	s.stop()
	s.serve() // connections that are logged in already stay so
	s.put(meeting("kept", "alice", day(1, 9)))
	s.eventually("alice needs attention", func() error {
		st := s.state("alice")
		return yes(st.Status == "attention" && st.Kind == "unauthorized", "%+v", st)
	})
	// Every try counts towards locking the account: nobody else tries, either.
	tries := s.sim.Count("")
	s.must("person", "list")
	s.put(meeting("kept-too", "carol", day(2, 9)))
	if status, p, err := s.call(http.MethodGet, "/persons/alice", nil, nil); err != nil || status != http.StatusOK {
		t.Fatalf("%d %+v %v", status, p, err)
	}
	if n := s.sim.Count("") - tries; n != 0 {
		t.Errorf("Exchange was asked %d times", n)
	}
	s.sim.SetPassword("svc-rooms@example.com", password)
	for _, p := range people {
		s.must("sync", "now", p)
	}
	s.settle()
	s.only("alice", hush+" kept")
	s.only("carol", hush+" kept-too")
}
