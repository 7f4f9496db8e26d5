package e2e

import (
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A manager is a service manager that listens to what the host tells it, as systemd does.
type manager struct {
	socket string
	mu     sync.Mutex
	told   []string
}

func newManager(s *site) *manager {
	s.Helper()
	if runtime.GOOS == "windows" {
		s.Skip("SKIPPED: there is no NOTIFY_SOCKET on Windows")
	}
	m := &manager{socket: filepath.Join(s.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m.mu.Lock()
			for line := range strings.Lines(string(buf[:n])) {
				if line = strings.TrimSpace(line); strings.HasSuffix(line, "=1") {
					m.told = append(m.told, line)
				}
			}
			m.mu.Unlock()
		}
	}()
	return m
}

func (m *manager) heard() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.told, " ")
}

// wants waits until the host has told exactly this.
func (m *manager) wants(s *site, told ...string) {
	s.Helper()
	want := strings.Join(told, " ")
	s.eventually("the service manager is told "+want, func() error { return yes(m.heard() == want, "it was told %q", m.heard()) })
}

// TestStopUnderLoad has a service manager stop the host while it writes to calendars: what is under way is finished, and
// the rest is done by the next one.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	m := newManager(s)
	s.serve("NOTIFY_SOCKET=" + m.socket)
	m.wants(s, "READY=1")
	s.settle()
	s.replace("roomwire.hcl", `retry_delay = "1s"`, `retry_delay = "2s"`)
	if err := s.host.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.wants(s, "READY=1", "RELOADING=1", "READY=1")

	arrived, release := s.sim.Faults().PauseAfter("CreateItem")
	const each = 5
	for n := range each {
		for i, p := range people {
			s.put(deskMeeting(fmt.Sprintf("%s-%d", p, n), p, day(n, 9), desk(i)))
		}
	}
	<-arrived // applied, and the answer is on its way
	if err := s.host.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.wants(s, "READY=1", "RELOADING=1", "READY=1", "STOPPING=1")
	release()
	s.ended(s.host)
	if s.host.err != nil {
		t.Errorf("the host ended with %v", s.host.err)
	}
	if !strings.Contains(s.host.log.String(), "roomwire: stopped") {
		t.Error("the log does not tell that it stopped")
	}
	s.noPluginsLeft()
	s.serve()
	s.settle()
	for n := range each {
		for _, p := range people {
			id := fmt.Sprintf("%s-%d", p, n)
			s.only(p, hush+" "+id)
			s.wantHistory(id, "1 created by api")
		}
	}
	if n := s.sim.Count("CreateItem"); n != each*len(people) {
		t.Errorf("%d items were made, want %d", n, each*len(people))
	}
}

// TestStopWhileExchangeHangs has a request under way that does not end: the host gives it up after a while, and at once
// when it is told again.
func TestStopWhileExchangeHangs(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"told once": false, "told twice": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup{stopped: true})
			m := newManager(s)
			s.serve("NOTIFY_SOCKET=" + m.socket)
			s.settle()
			arrived, release := s.sim.Faults().PauseBefore("CreateItem")
			s.put(meeting("hangs", "alice", day(1, 9)))
			<-arrived
			if err := s.host.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			m.wants(s, "READY=1", "STOPPING=1")
			if again {
				select {
				case <-s.host.done:
					t.Fatal("the host ended though a request is under way")
				default:
				}
				if err := s.host.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			s.ended(s.host) // with the request still hanging
			if killed := s.host.err != nil; killed != again {
				t.Errorf("the host ended with %v", s.host.err)
			}
			s.noPluginsLeft()
			release()
			s.serve()
			s.settle()
			s.only("alice", hush+" hangs")
			s.wantMails(hush+" hangs", map[string]int{"request": 1})
			s.wantHistory("hangs", "1 created by api")
		})
	}
}
