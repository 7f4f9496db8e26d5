package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestDifferencesAreFoundAndDecided has somebody copy an item in Outlook, scans everything, and has the copy removed.
func TestDifferencesAreFoundAndDecided(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	for i, p := range []string{"alice", "carol"} {
		s.put(deskMeeting("of-"+p, p, day(i, 9), desk(i)))
	}
	s.settle()
	o := s.sim.Outlook(address("alice"))
	if _, err := o.Copy(s.only("alice", hush+" of-alice").ID); err != nil {
		t.Fatal(err)
	}
	var number string
	s.eventually("the copy is listed", func() error {
		row := regexp.MustCompile(`(?m)^(\d+) .*copy left alone.*$`).FindStringSubmatch(s.must("diff"))
		if row == nil {
			return fmt.Errorf("it is not: %s", s.must("diff"))
		}
		number = row[1]
		return nil
	})
	if out := s.must("diff", "scan", "--all", "--wait"); !strings.Contains(out, "done") || !strings.Contains(out, "0 failed") || !strings.Contains(out, " 0 differ") {
		t.Errorf("the scan says %s", out)
	}
	if out, _, err := s.roomwire("diff", "preview", number, "--use", "recommended"); err == nil || !strings.Contains(out, "neither side is recommended") {
		t.Errorf("what nobody can know is decided by recommendation: %v, %s", err, out)
	}
	if out := s.must("diff", "preview", number, "--use", "booking"); !strings.Contains(out, "removed") || !strings.Contains(out, "nobody") {
		t.Errorf("the preview says %s", out)
	}
	if n := len(s.items("alice", hush+" of-alice")); n != 2 {
		t.Fatalf("after the preview there are %d items", n)
	}
	// Ignored by mistake, it is open again.
	if out, _, err := s.roomwire("diff", "reopen", number); err == nil {
		t.Errorf("one that is open was reopened: %s", out)
	}
	s.must("diff", "resolve", number, "--use", "ignore")
	if out := s.must("diff", "list", "--status", "ignored"); !strings.Contains(out, "copy left alone") {
		t.Errorf("ignored are %s", out)
	}
	if out := s.must("diff", "reopen", number); out != number+" is open again\n" {
		t.Errorf("diff reopen says %s", out)
	}
	mails := fmt.Sprint(s.mails(hush + " of-alice"))
	s.must("diff", "resolve", number, "--use", "booking")
	s.eventually("the copy is removed", func() error {
		n := len(s.items("alice", hush+" of-alice"))
		return yes(n == 1, "there are %d items", n)
	})
	s.settle()
	if out := s.must("diff", "show", number); !strings.Contains(out, "solved") {
		t.Errorf("diff show says %s", out)
	}
	if now := fmt.Sprint(s.mails(hush + " of-alice")); now != mails {
		t.Errorf("mails: %s, before %s", now, mails)
	}
	s.wantHistory("of-alice", "1 created by api")
}

// TestMassChangesWaitInQuarantine has a tool shift a whole calendar, by mistake.
func TestMassChangesWaitInQuarantine(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{sync: map[string]string{"mass_change_limit": "3", "coalesce": `"300ms"`}})
	const n = 6
	for i := range n {
		s.put(deskMeeting(fmt.Sprintf("d%d", i), "alice", day(i, 9), desk(i)))
	}
	s.settle()
	s.sim.Faults().HoldNotifications()
	for i := range n {
		s.outlook("alice", s.only("alice", fmt.Sprintf("%s d%d", hush, i)).ID, func(a *exchangesim.Appointment) {
			a.Start, a.End = day(i, 15), day(i, 16)
		})
	}
	s.sim.Faults().Release()
	s.eventually("the changes wait", func() error {
		st := s.state("alice")
		return yes(st.Status == "attention" && st.Kind == "quarantine", "%+v", st)
	})
	if out := s.must("sync", "quarantine", "list"); !strings.Contains(out, "calendar changes") || !strings.Contains(out, " 6 ") {
		t.Errorf("quarantine list says %s", out)
	}
	number := regexp.MustCompile(`quarantine show (\d+)`).FindStringSubmatch(s.show("alice"))
	if number == nil {
		t.Fatalf("person show does not say what to do: %s", s.show("alice"))
	}
	if out := s.must("sync", "quarantine", "show", number[1]); strings.Count(out, "takes from the calendar: time") != n {
		t.Errorf("quarantine show says %s", out)
	}
	s.must("sync", "quarantine", "discard", number[1])
	s.eventually("the items are reset", func() error {
		for i := range n {
			if it := s.only("alice", fmt.Sprintf("%s d%d", hush, i)); !it.Start.Equal(day(i, 9)) {
				return fmt.Errorf("d%d begins at %s", i, it.Start)
			}
		}
		return nil
	})
	s.settle()
	for i := range n {
		s.wantHistory(fmt.Sprintf("d%d", i), "1 created by api")
	}
	if st := s.state("alice"); st.Status != "ok" {
		t.Errorf("alice is %+v", st)
	}
}
