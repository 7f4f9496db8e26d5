package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// anotherBuild writes a binary of a plugin of this site that is another than the one installed.
func (s *site) anotherBuild(name, mark string) string {
	s.Helper()
	raw, err := os.ReadFile(filepath.Join(built, "plugins", program("roomwire-"+name)))
	if err != nil {
		s.Fatal(err)
	}
	path := filepath.Join(s.TempDir(), program("roomwire-"+name))
	if err := os.WriteFile(path, append(raw, mark...), 0o755); err != nil { // what follows a program is not read
		s.Fatal(err)
	}
	return path
}

// TestPluginsSwappedUnderLoad replaces both plugins again and again while bookings are made and items are edited as fast
// as the host carries them out: no pass fails, nothing is lost, nothing is doubled, nobody is mailed twice.
func TestPluginsSwappedUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{auth: `"basic"`})
	stop := make(chan struct{})
	var work sync.WaitGroup
	var made [4]atomic.Int64
	var total atomic.Int64
	// keepsUp waits until the host is not far behind with what it was given, or the test is over.
	keepsUp := func() bool {
		tick := time.NewTicker(15 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return false
			case <-tick.C:
			}
			if total.Load()-int64(s.sim.Count("CreateItem")) < 12 {
				return true
			}
		}
	}
	for i, p := range people {
		work.Go(func() { // the booking system
			for n := 0; keepsUp(); n++ {
				b := meeting(fmt.Sprintf("%s-%d", p, n), p, day(n%28, 9))
				b.Resources, b.Attendees = []string{desk(n % desks)}, []attendee{{Email: address("zoe")}}
				b.Start, b.End = hour(n, p)
				if status, problem, err := s.call(http.MethodPut, "/bookings/"+b.ID, b, nil); err != nil || status >= 300 {
					t.Errorf("%s: %d %s %v", b.ID, status, problem.Detail, err)
					return
				}
				made[i].Store(int64(n + 1))
				total.Add(1)
			}
		})
		work.Go(func() { // the person, in Outlook
			edited := map[string]bool{}
			for keepsUp() {
				for _, it := range s.items(p, "") {
					if edited[it.ID] || !strings.HasPrefix(it.Subject, hush+" "+p+"-") {
						continue
					}
					edited[it.ID] = true
					if err := s.sim.Outlook(address(p)).Update(it.ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" }); err != nil {
						t.Errorf("%s edits %s: %v", p, it.Subject, err)
						return
					}
				}
			}
		})
	}
	traffic := func() {
		creates := s.sim.Count("CreateItem")
		s.eventually("there is traffic", func() error {
			n := s.sim.Count("CreateItem")
			return yes(n > creates+4, "%d items were created, before it were %d", n, creates)
		})
	}
	for round := range 2 {
		for _, plugin := range []string{"backend-exchange2013", "auth-basic"} {
			traffic()
			out := s.must("plugin", "swap", plugin, s.anotherBuild(plugin, fmt.Sprint(round)))
			if !strings.Contains(out, "runs now, before it was") || strings.Contains(out, "cut off") {
				t.Errorf("swap says: %s", out)
			}
			traffic()
			s.must("plugin", "restart", plugin)
			traffic()
			s.must("plugin", "rollback", plugin)
		}
	}
	traffic()
	close(stop)
	work.Wait()
	s.settle()

	all, text := s.figures()
	if n := all.sum("roomwire_faults_total"); n != 0 {
		t.Errorf("%v passes failed:\n%s", n, around(text, "roomwire_faults_total"))
	}
	if n := all.sum("roomwire_plugin_restarts_total"); n != 0 {
		t.Errorf("plugins were started %v times though nothing was wrong with them", n)
	}
	// What was edited last is carried over, too, whoever edited it.
	for i, p := range people {
		count := int(made[i].Load())
		if count == 0 {
			t.Errorf("%s made no booking", p)
		}
		for n := range count {
			id := fmt.Sprintf("%s-%d", p, n)
			it := s.only(p, hush+" "+id)
			s.wantMails(it.Subject, map[string]int{"request": 1})
			want := "busy"
			if it.BusyStatus == "OOF" {
				want = "oof"
			}
			if b := s.booking(id); b.Busy != want {
				t.Errorf("%s: the item is %s and the booking %s", id, it.BusyStatus, b.Busy)
			}
		}
	}
	list := s.must("plugin", "list")
	if strings.Contains(list, "not what is pinned") || !strings.Contains(list, "good") {
		t.Errorf("the list says: %s", list)
	}
}

// TestASwapThatIsNoGoodChangesNothing offers the host binaries that it must not take.
func TestASwapThatIsNoGoodChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{auth: `"basic"`})
	lock := s.read("../plugins/plugins.lock")
	was := s.pluginProcesses("")
	no := filepath.Join(s.TempDir(), program("roomwire-backend-exchange2013"))
	if err := os.WriteFile(no, []byte("#!/bin/sh\necho I am no plugin\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"no plugin":      {[]string{"plugin", "swap", "backend-exchange2013", no}, "everything is as before"},
		"another kind":   {[]string{"plugin", "swap", "backend-exchange2013", s.anotherBuild("auth-basic", "x")}, "plugin of kind auth"},
		"another sum":    {[]string{"plugin", "install", s.anotherBuild("auth-basic", "x"), "--sha256", strings.Repeat("0", 64)}, "nothing was done"},
		"nothing before": {[]string{"plugin", "rollback", "auth-basic"}, "no earlier version"},
		"in use":         {[]string{"plugin", "remove", "auth-basic"}, "--force"},
		"not there":      {[]string{"plugin", "remove", "auth-absent"}, "there is no plugin"},
		"not installed":  {[]string{"plugin", "swap", "auth-absent", no}, "plugin install"},
	} {
		out, errs, err := s.roomwire(tc.args...)
		if err == nil || !strings.Contains(errs, tc.says) {
			t.Errorf("%s: %v\n%s%s, want %q", name, err, out, errs, tc.says)
		}
	}
	if now := s.read("../plugins/plugins.lock"); now != lock {
		t.Errorf("the pins are now\n%s, before they were\n%s", now, lock)
	}
	if now := s.pluginProcesses(""); fmt.Sprint(now) != fmt.Sprint(was) {
		t.Errorf("the plugins' processes are %v, before they were %v", now, was)
	}
	if left, err := filepath.Glob(filepath.Join(s.plugins, "*@*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	s.put(meeting("after", "alice", day(1, 9)))
	s.settle()
	s.only("alice", hush+" after")
}
