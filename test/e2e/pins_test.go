package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// lock is the site's list of pins, but for its comments.
func (s *site) lock() string {
	s.Helper()
	var b strings.Builder
	for line := range strings.Lines(s.read("../plugins/plugins.lock")) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestInstallsAtOnceLoseNoPin runs several commands on one plugin folder at the same time. One that is told that another
// is in the way is repeated, as its message says.
func TestInstallsAtOnceLoseNoPin(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	var all sync.WaitGroup
	for _, name := range plugins {
		build := s.anotherBuild(name, "at once")
		all.Go(func() {
			for {
				out, errs, err := s.roomwire("plugin", "install", build)
				if err == nil {
					return
				}
				if !strings.Contains(errs, "another command is changing the plugins") {
					t.Errorf("install %s: %v\n%s%s", build, err, out, errs)
					return
				}
			}
		})
	}
	all.Wait()
	if pins := s.lock(); strings.Count(pins, "@") != len(plugins) {
		t.Errorf("pinned:\n%s", pins)
	}
	if out := s.must("plugin", "verify"); strings.Count(out, "good") != len(plugins) {
		t.Errorf("verify says: %s", out)
	}
	for _, name := range plugins {
		s.must("plugin", "rollback", name)
	}
	if pins := s.lock(); strings.Contains(pins, "@") {
		t.Errorf("after a rollback of each:\n%s", pins)
	}
}

// TestPinningAgainGuessesNothing loses the list of pins, spoils it, and puts binaries into the folder by hand.
func TestPinningAgainGuessesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	const name = "auth-basic"
	s.must("plugin", "install", s.anotherBuild(name, "two"))
	s.must("plugin", "install", s.anotherBuild(name, "three"))
	pins, file := s.lock(), filepath.Join(s.plugins, "plugins.lock")
	s.must("plugin", "lock") // the first lies there by hand, and is older
	if now := s.lock(); now != pins {
		t.Errorf("pinning again wrote\n%s, before it was\n%s", now, pins)
	}
	if err := os.WriteFile(file, []byte(s.read("../plugins/plugins.lock")+"=======\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := s.must("plugin", "lock"); !strings.Contains(out, "=======") || s.lock() != pins {
		t.Errorf("a bad line: %s, and now it says\n%s", out, s.lock())
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if out, _, err := s.roomwire("plugin", "list"); err == nil || !strings.Contains(out, "Nothing is pinned") {
		t.Errorf("without the list: %v\n%s", err, out)
	}
	if _, errs, err := s.roomwire("plugin", "lock"); err == nil || !strings.Contains(errs, "nothing says which of its versions is meant") {
		t.Errorf("lock without the list: %v\n%s", err, errs)
	}
	_, rest, _ := strings.Cut(pins, "\n")
	if now := s.lock(); now != rest {
		t.Errorf("pinned:\n%s, want the others:\n%s", now, rest)
	}
	three, _, _ := strings.Cut(pins, "\n")
	_, three, _ = strings.Cut(three, "  ")
	s.must("plugin", "install", filepath.Join(s.plugins, three))
	if now := s.lock(); now != pins {
		t.Errorf("in the end:\n%s, want\n%s", now, pins)
	}
}

// TestAnInterruptedSwapIsPinnedIfTheHostMadeIt ends the command while a call of the old process goes on.
func TestAnInterruptedSwapIsPinnedIfTheHostMadeIt(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: on Windows a test cannot press Ctrl-C for another process")
	}
	s := newSite(t, setup{auth: `"basic"`})
	const name = "backend-exchange2013"
	arrived, release := s.sim.Faults().PauseBefore("CreateItem")
	defer release()
	s.put(meeting("held", "alice", day(1, 9)))
	select {
	case <-arrived:
	case <-s.Context().Done():
	}
	cmd := exec.Command(filepath.Join(built, program("roomwire")), "plugin", "swap", name, s.anotherBuild(name, "x"), "--drain", "2m", "--config", s.dir)
	cmd.Env = cleanEnviron()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.eventually("the host runs what is not pinned yet", func() error {
		list, _, _ := s.roomwire("plugin", "list")
		return yes(strings.Contains(list, "which is not what is pinned"), "%s", list)
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil || !strings.Contains(out.String(), "but it runs "+name) {
			t.Errorf("the swap ended with %v:\n%s", err, out.String())
		}
	case <-time.After(patience):
		t.Fatal("the swap does not end")
	}
	if pins := s.lock(); !strings.Contains(pins, "roomwire-"+name+"@") {
		t.Errorf("pinned:\n%s", pins)
	}
	release()
	s.settle()
	s.only("alice", hush+" held")
	if list := s.must("plugin", "list"); strings.Contains(list, "not what is pinned") {
		t.Errorf("the list says: %s", list)
	}
}
