package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFaultyConfigurationIsRefused has `config check` and `serve` say what is wrong, where, and start nothing.
func TestFaultyConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	good, err := os.ReadFile(filepath.Join(s.dir, "roomwire.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := os.ReadFile(filepath.Join(s.dir, "RoomsAppSettings.config"))
	if err != nil {
		t.Fatal(err)
	}
	if out, errs, err := s.roomwire("config", "check"); err != nil || !strings.Contains(out, "is good") {
		t.Fatalf("config check of a good configuration: %v\n%s%s", err, out, errs)
	}
	replace := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("the configuration has no %q", old)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	for _, c := range []struct {
		name, file, content string
		says                []string // of which the first is at a place
	}{
		{"unknown setting", "roomwire.hcl", replace("retry_delay", "retry_dely"), []string{"retry_dely", "retry_delay", "roomwire.hcl:"}},
		{"no unit", "roomwire.hcl", replace(`poll_interval = "5s"`, `poll_interval = "5"`), []string{"unit", "roomwire.hcl:"}},
		{"no HCL", "roomwire.hcl", string(good) + "\n}\n", []string{"roomwire.hcl:"}},
		{"a listener that is none", "roomwire.hcl", replace(`notifications = "127.0.0.1:`, `notifications = "everywhere; `), []string{"everywhere", "roomwire.hcl:"}},
		{"oauth on-premises", "roomwire.hcl", replace(`auth = ["ntlm"]`, `auth = ["oauth"]`), []string{"oauth", "roomwire.hcl:"}},
		{"no backend", "roomwire.hcl", string(good) + "\nsync_mode \"Exchagne2013\" {\n}\n", []string{"Exchagne2013", "backend", "roomwire.hcl:"}},
		{"a certificate file that is not there", "roomwire.hcl", replace(s.certFile, "nowhere.pem"), []string{"nowhere.pem", "roomwire.hcl:"}},
		{"bare ampersand in a password", "RoomsAppSettings.config", strings.Replace(string(rooms), "&amp;", "&", 1), []string{"well-formed", "RoomsAppSettings.config:4"}},
		{"no password", "RoomsAppSettings.config", strings.Replace(string(rooms), "Exchange2013ServicePassword", "SmtpPassword", 1), []string{"password", "Exchange2013ServicePassword", "roomwire.hcl:"}},
		{"a DTD", "RoomsAppSettings.config", strings.Replace(string(rooms), "<RoomsAppSettings>", "<!DOCTYPE x []><RoomsAppSettings>", 1), []string{"document type", "RoomsAppSettings.config:2"}},
	} {
		s.write("roomwire.hcl", string(good))
		s.write("RoomsAppSettings.config", string(rooms))
		s.write(c.file, c.content)
		for _, command := range [][]string{{"config", "check"}, {"serve"}, {"person", "list"}} {
			_, errs, err := s.roomwire(command...)
			if err == nil {
				t.Errorf("%s: roomwire %v succeeds", c.name, command)
			}
			for _, part := range c.says {
				if !strings.Contains(errs, part) {
					t.Errorf("%s: roomwire %v does not say %q, but:\n%s", c.name, command, part, errs)
				}
			}
		}
	}
}

// TestBadLinesOfAnImport takes the good lines and names the bad ones.
func TestBadLinesOfAnImport(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	file := s.write("bad.csv", strings.Join([]string{
		s.rows()[0],
		s.row("erin", "Exchange2013", s.exchange),
		"frank,not an address,Frank,person,Exchange2013," + s.exchange + ",false,rollback",
		"grace,grace@example.com,Grace,person,Exchange3013," + s.exchange + ",false,rollback",
		"heidi,heidi@example.com,Heidi,person,Exchange2013,http:/nowhere,false,rollback",
		"ivan,ivan@example.com,Ivan,person,Exchange2013," + s.exchange + ",perhaps,rollback",
		"judy,alice@example.com,Judy,person,Exchange2013," + s.exchange + ",false,rollback",
		",nobody@example.com,Nobody,person,Exchange2013," + s.exchange + ",false,rollback",
		s.row("mallory", "Exchange2013", s.exchange),
	}, "\n")+"\n")
	out, errs, err := s.roomwire("person", "import", file)
	if err == nil || !strings.Contains(out, "2 created") || !strings.Contains(out, "6 refused") {
		t.Errorf("import: %v\n%s", err, out)
	}
	for line, part := range map[int]string{3: "address", 4: "Exchange2013", 5: "http:/nowhere", 6: "perhaps", 7: "alice", 8: "id"} {
		place := fmt.Sprintf("bad.csv:%d: ", line)
		i := strings.Index(errs, place)
		if i < 0 {
			t.Errorf("line %d is not named:\n%s", line, errs)
			continue
		}
		if said, _, _ := strings.Cut(errs[i:], "\n"); !strings.Contains(said, part) {
			t.Errorf("line %d: %q does not speak of %q", line, said, part)
		}
	}
	list := s.must("person", "list")
	for _, id := range []string{"alice", "erin", "mallory"} {
		if !strings.Contains(list, "\n"+id+" ") {
			t.Errorf("%s is not there:\n%s", id, list)
		}
	}
	for _, id := range []string{"frank", "grace", "heidi", "ivan", "judy"} {
		if strings.Contains(list, "\n"+id+" ") {
			t.Errorf("%s was taken:\n%s", id, list)
		}
	}
	if errs := fails(s, "person", "import", s.write("other.csv", "name;mail\nx;y\n")); !strings.Contains(errs, "id") {
		t.Errorf("a file without our columns: %s", errs)
	}
	if errs := fails(s, "person", "import", filepath.Join(s.dir, "none.csv")); !strings.Contains(errs, "none.csv") {
		t.Errorf("a file that is not there: %s", errs)
	}
	if errs := fails(s, "person", "show", "nobody"); !strings.Contains(errs, "nobody") {
		t.Errorf("a person who is not there: %s", errs)
	}
	if errs := fails(s, "person", "set", "alice", "--mode", "Exchange3013"); !strings.Contains(errs, "Exchange3013") || !strings.Contains(errs, "Exchange2013") {
		t.Errorf("an unknown sync mode: %s", errs)
	}
}

// fails runs a command that must not succeed and returns what it says.
func fails(s *site, args ...string) string {
	s.Helper()
	out, errs, err := s.roomwire(args...)
	if err == nil {
		s.Errorf("roomwire %v succeeds:\n%s", args, out)
	}
	return errs
}

// TestSyncModeTakenAway restarts the host without a mode that persons have.
func TestSyncModeTakenAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{hcl: "sync_mode \"EWS1\" {\n  user = \"EXAMPLE\\\\svc-rooms\"\n  password = \"x\"\n  url = \"https://127.0.0.1:9/EWS/Exchange.asmx\"\n}\n"})
	s.must("person", "set", "carol", "--mode", "EWS1", "--url", s.exchange)
	s.stop()
	hcl, err := os.ReadFile(filepath.Join(s.dir, "roomwire.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("roomwire.hcl", string(hcl[:strings.Index(string(hcl), `sync_mode "EWS1"`)]))
	s.serve()
	s.must("sync", "now", "carol")
	s.eventually("carol's state tells", func() error {
		st := s.state("carol")
		return yes(st.Status == "attention" && st.Kind == "invalid" && strings.Contains(st.Reason, "EWS1"), "%+v", st)
	})
	if shown := s.show("carol"); !strings.Contains(shown, "EWS1") || !strings.Contains(shown, "what to do") {
		t.Errorf("person show says: %s", shown)
	}
	s.put(meeting("fine", "alice", day(1, 9)))
	s.settleOnly("alice")
	s.only("alice", hush+" fine")
}

// TestSecondHostIsRefused starts a second host on the same SQLite file, and on the same address.
func TestSecondHostIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	hcl, err := os.ReadFile(filepath.Join(s.dir, "roomwire.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	other := strings.NewReplacer(
		strings.TrimPrefix(s.public, "http://"), freePort(t), strings.TrimPrefix(s.api, "http://"), freePort(t),
	).Replace(string(hcl))
	good := string(hcl)
	s.write("roomwire.hcl", other)
	if errs := fails(s, "serve"); !strings.Contains(errs, "roomwire.db") || !strings.Contains(errs, "in use by process") {
		t.Errorf("a second host on the same file says: %s", errs)
	}
	s.write("roomwire.hcl", strings.Replace(good, "sqlite:data/", "sqlite:other/", 1))
	if errs := fails(s, "serve"); !strings.Contains(errs, strings.TrimPrefix(s.public, "http://")) {
		t.Errorf("a second host on the same address says: %s", errs)
	}
	s.write("roomwire.hcl", good)
	// The first one did not notice.
	s.put(meeting("fine", "alice", day(1, 9)))
	s.settle()
	s.only("alice", hush+" fine")
}

func TestBookingRulesOverREST(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.put(meeting("first", "alice", day(1, 9)))
	status, p, err := s.call("PUT", "/bookings/second", meeting("second", "carol", day(1, 9)), nil)
	if err != nil || status != 409 || len(p.Others) != 1 || p.Others[0] != "first" {
		t.Errorf("an overlap: %d %+v %v", status, p, err)
	}
	if status, p, err = s.call("PUT", "/bookings/third", meeting("third", "nobody", day(2, 9)), nil); err != nil || status < 400 || p.Detail == "" {
		t.Errorf("an unknown organizer: %d %+v %v", status, p, err)
	}
	key := s.key
	s.key = "rw_wrong"
	if status, p, err = s.call("GET", "/persons", nil, nil); err != nil || status != 401 || p.Detail == "" {
		t.Errorf("a wrong key: %d %+v %v", status, p, err)
	}
	s.key = key
	s.settle()
	s.only("alice", hush+" first")
	s.none("carol", hush+" second")
}
