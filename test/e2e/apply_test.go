package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// untouched does something that must not concern the persons named: Exchange is not asked about them, and what was
// subscribed to stays.
func (s *site) untouched(do func(), persons ...string) {
	s.Helper()
	s.settleOnly(persons...)
	before := map[string]string{}
	for _, sub := range s.subscriptions() {
		before[sub.ID] = sub.Mailbox
	}
	subscribes, reads := s.sim.Count("Subscribe"), s.sim.Count("SyncFolderItems")
	pulled := map[string]personState{}
	for _, p := range persons {
		pulled[p] = s.state(p)
	}
	do()
	s.settleOnly(persons...)
	for _, p := range persons {
		now, then := s.state(p), pulled[p]
		if !now.Subscribed.Equal(then.Subscribed) || !now.LastPull.Equal(then.LastPull) || now.Way != then.Way {
			s.Errorf("%s noticed: %+v, then %+v", p, then, now)
		}
		found := false
		for _, sub := range s.subscriptions() {
			found = found || sub.Mailbox == address(p) && before[sub.ID] == sub.Mailbox
		}
		if !found {
			s.Errorf("%s has another subscription than before", p)
		}
	}
	if len(persons) == len(people) {
		if n, m := s.sim.Count("Subscribe")-subscribes, s.sim.Count("SyncFolderItems")-reads; n+m > 0 {
			s.Errorf("%d subscriptions were made and %d times calendars were read", n, m)
		}
	}
}

// apply has the host take the configuration over, and returns what is said to have changed.
func (s *site) apply(says ...string) {
	s.Helper()
	out := s.must("config", "apply")
	for _, part := range append(says, "The configuration is in force.") {
		if !strings.Contains(out, part) {
			s.Errorf("config apply does not say %q, but:\n%s", part, out)
		}
	}
}

// TestConfigApply changes everything that may change while the host runs, one after the other.
func TestConfigApply(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	other := exchangesim.Person{Address: "svc-other@example.com", User: `EXAMPLE\svc-other`, Password: password, Impersonation: true, NoMailbox: true}
	if err := s.sim.AddPerson(other); err != nil {
		t.Fatal(err)
	}
	s.appendHCL(s.otherMode("Other", "svc-other", "mistyped", ""))
	s.must("person", "set", "carol", "--mode", "Other", "--url", s.exchange)
	s.serve()
	rest := []string{"alice", "bob", "dave"}
	s.settleOnly(rest...)
	s.put(deskMeeting("waits", "carol", day(1, 9), desk(1)))
	s.eventually("carol needs attention", func() error {
		st := s.state("carol")
		return yes(st.Status == "attention" && st.Kind == "unauthorized", "%+v", st)
	})
	if out := s.must("config", "apply"); !strings.Contains(out, "Nothing is different") {
		t.Errorf("apply without a change says:\n%s", out)
	}

	// The password is corrected: carol does not wait for her next try, and nobody else notices.
	s.untouched(func() {
		s.replace("roomwire.hcl", "mistyped", escapedHCL(password))
		s.apply(`sync_mode "Other"`, "changed (secret)")
		s.settleOnly("carol")
		s.arrives("carol", hush+" waits")
	}, rest...)

	// A faulty file is refused by the command and by the host; what was in force stays so.
	s.untouched(func() {
		s.replace("roomwire.hcl", "retry_delay", "retry_dely")
		if errs := fails(s, "config", "apply"); !strings.Contains(errs, "retry_dely") || !strings.Contains(errs, "roomwire.hcl:") {
			t.Errorf("apply of a faulty file says:\n%s", errs)
		}
		s.hangUp("the changed configuration is refused")
		s.replace("roomwire.hcl", "retry_dely", "retry_delay")
	}, people...)

	// Somebody gets a mode that is new. By SIGHUP, too.
	s.untouched(func() {
		s.appendHCL(s.otherMode("Fresh", "svc-rooms", password, ""))
		s.hangUp("another configuration is in force")
	}, people...)
	s.must("person", "set", "bob", "--mode", "Fresh", "--url", s.exchange)
	s.bothWays("bob", "fresh", day(2, 9))

	// The mode is taken away from under him, and given back.
	with := s.read("roomwire.hcl")
	s.write("roomwire.hcl", with[:strings.Index(with, `sync_mode "Fresh"`)])
	s.apply(`sync_mode "Fresh"`, "removed")
	s.eventually("bob's state tells", func() error {
		st := s.state("bob")
		return yes(st.Status == "attention" && st.Kind == "invalid" && strings.Contains(st.Reason, "Fresh"), "%+v", st)
	})
	s.put(deskMeeting("meanwhile", "bob", day(3, 9), desk(3)))
	s.write("roomwire.hcl", with)
	s.apply(`sync_mode "Fresh"`, "new")
	s.settle()
	s.only("bob", hush+" meanwhile")

	// Exchange is given another URL.
	localhost := strings.Replace(s.public, "127.0.0.1", "localhost", 1) + "/WebServices/SyncNotification.svc"
	s.replace("RoomsAppSettings.config", "<RoomsAppSettings>", fmt.Sprintf("<RoomsAppSettings>\n  <add key=\"ExchangeServiceUrl\" value=%q/>", localhost))
	s.apply("localhost")
	s.eventually("all are subscribed with the other URL", func() error {
		subscribed := map[string]bool{}
		for _, sub := range s.subscriptions() {
			subscribed[sub.Mailbox] = subscribed[sub.Mailbox] || strings.HasPrefix(sub.URL, localhost+"?Default&k=")
		}
		for _, p := range people {
			if !subscribed[address(p)] {
				return fmt.Errorf("%s is not", p)
			}
		}
		return nil
	})
	s.settle()
	s.bothWays("dave", "elsewhere", day(4, 9))

	// What waits for a restart is said so, and what watch finds is taken over without a word.
	s.replace("roomwire.hcl", "log {\n", "config {\n  watch = true\n}\nlog {\n  format = \"json\"\n")
	s.apply("After the next start of the host only", "format", "watch")
	s.untouched(func() {
		taken := s.inLog("another configuration is in force")
		s.replace("roomwire.hcl", `retry_delay = "1s"`, `retry_delay = "2s"`)
		s.eventually("the saved file is in force", func() error { return yes(s.inLog("another configuration is in force") > taken, "not yet") })
	}, people...)
	if out := s.must("config", "apply"); !strings.Contains(out, "Nothing is different") {
		t.Errorf("apply after the file was taken over says:\n%s", out)
	}
}

// escapedHCL is text as it stands between quotes in HCL.
func escapedHCL(text string) string { return strings.Trim(fmt.Sprintf("%q", text), `"`) }

// inLog counts the lines of the host's log that hold part.
func (s *site) inLog(part string) int { return strings.Count(s.host.log.String(), part) }

// hangUp sends SIGHUP, and waits until the log tells what came of it.
func (s *site) hangUp(says string) {
	s.Helper()
	before := s.inLog(says)
	if err := s.host.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.Fatal(err)
	}
	s.eventually("the host's log tells of the configuration", func() error {
		return yes(s.inLog(says) > before, "there is no new %q", says)
	})
}

// TestConfigApplyFromAnotherFolder installs files.
func TestConfigApplyFromAnotherFolder(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if errs := fails(s, "config", "apply", dir); !strings.Contains(errs, "there is neither") {
		t.Errorf("an empty folder: %s", errs)
	}
	before := s.read("roomwire.hcl")
	write("roomwire.hcl", strings.Replace(before, "retry_delay", "retry_dely", 1))
	if errs := fails(s, "config", "apply", dir); !strings.Contains(errs, "retry_dely") || !strings.Contains(errs, "Nothing was installed") {
		t.Errorf("a folder with a faulty file: %s", errs)
	}
	if now := s.read("roomwire.hcl"); now != before {
		t.Errorf("a faulty file was installed:\n%s", now)
	}
	after := before + s.otherMode("Fresh", "svc-rooms", password, "")
	write("roomwire.hcl", after)
	s.untouched(func() {
		out := s.must("config", "apply", dir)
		for _, part := range []string{"installed into", "roomwire.hcl", `sync_mode "Fresh"`, "in force"} {
			if !strings.Contains(out, part) {
				t.Errorf("apply does not say %q, but:\n%s", part, out)
			}
		}
	}, people...)
	if s.read("roomwire.hcl") != after || s.read("roomwire.hcl.previous") != before {
		t.Error("the files are not those of the other folder, with the former ones kept")
	}
	s.must("person", "set", "bob", "--mode", "Fresh", "--url", s.exchange)
	s.bothWays("bob", "fresh", day(1, 9))
}

// TestConfigApplyUnderLoad changes the mode that everybody uses ten times while changes travel both ways.
func TestConfigApplyUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{mode: `channel_binding = "auto"`})
	applied := make(chan error, 1)
	before := s.read("roomwire.hcl")
	go func() { applied <- s.applyTenTimes(before) }()
	made := 0
	for over := false; !over; made++ {
		select {
		case err := <-applied:
			if err != nil {
				t.Fatal(err)
			}
			over = true // one more afterwards
		default:
		}
		p := people[made%len(people)]
		id := fmt.Sprintf("load-%d", made)
		b := deskMeeting(id, p, day(made/len(people), 9), desk(made%desks))
		b.Attendees = []attendee{{Email: address("zoe")}}
		s.put(b)
		it := s.arrives(p, b.Title)
		s.outlook(p, it.ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	}
	s.settle()
	for i := range made {
		id := fmt.Sprintf("load-%d", i)
		s.only(people[i%len(people)], hush+" "+id)
		s.wantHistory(id, "1 created by api", "2 updated by calendar")
		s.wantMails(hush+" "+id, map[string]int{"request": 1, "update": 1}) // the update is Outlook's own
	}
	t.Logf("%d bookings went both ways meanwhile", made)
}

// applyTenTimes has the host open the plugins of a mode anew ten times. It may be called beside the test's goroutine.
func (s *site) applyTenTimes(hcl string) error {
	for i := range 10 {
		other := hcl
		if i%2 == 0 {
			other = strings.Replace(hcl, `channel_binding = "auto"`, `channel_binding = "off"`, 1)
		}
		if err := os.WriteFile(filepath.Join(s.dir, "roomwire.hcl"), []byte(other), 0o600); err != nil {
			return err
		}
		if out, errs, err := s.roomwire("config", "apply"); err != nil || !strings.Contains(out, "channel_binding") {
			return fmt.Errorf("apply %d: %w\n%s%s", i, err, out, errs)
		}
	}
	return nil
}
