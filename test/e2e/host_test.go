package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A host is one running `roomwire serve`.
type host struct {
	cmd  *exec.Cmd
	log  *transcript
	done chan struct{} // closed when the process has ended
	err  error         // valid then
}

// A transcript is what a process wrote, whole lines, for tests to look into while it runs.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *transcript) copy(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		t.mu.Lock()
		t.text.WriteString(line)
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// launch starts `roomwire serve` with further environment variables, and does not wait for anything.
func (s *site) launch(env ...string) *host {
	s.Helper()
	h := &host{log: &transcript{}, done: make(chan struct{})}
	h.cmd = exec.Command(filepath.Join(built, program("roomwire")), "serve", "--config", s.dir)
	h.cmd.Env = append(cleanEnviron(), env...)
	h.cmd.SysProcAttr = dieWithTest()
	out, w, err := os.Pipe()
	if err != nil {
		s.Fatal(err)
	}
	h.cmd.Stdout, h.cmd.Stderr = w, w
	if err := h.cmd.Start(); err != nil {
		s.Fatalf("start the host: %v", err)
	}
	_ = w.Close()
	go func() {
		// Plugins do not hold this pipe, so it ends with the host.
		h.log.copy(out)
		_ = out.Close()
		h.err = h.cmd.Wait()
		close(h.done)
	}()
	s.mu.Lock()
	s.hosts = append(s.hosts, h)
	s.mu.Unlock()
	return h
}

// serve starts the host and waits until it can be reached.
func (s *site) serve(env ...string) {
	s.Helper()
	s.host = s.launch(env...)
	s.eventually("the host answers", func() error {
		select {
		case <-s.host.done:
			s.Fatalf("the host ended: %v\n%s", s.host.err, s.host.log)
		default:
		}
		resp, err := s.http.Get(s.public + "/healthz")
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
}

// kill ends the host as kill -9 does, and checks that no plugin outlives it.
func (s *site) kill() {
	s.Helper()
	if err := s.host.cmd.Process.Kill(); err != nil {
		s.Fatalf("kill the host: %v", err)
	}
	s.ended(s.host)
	s.noPluginsLeft()
}

// stop ends the host as a service manager does.
func (s *site) stop() {
	s.Helper()
	if err := s.host.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.Fatalf("stop the host: %v", err)
	}
	s.ended(s.host)
	if s.host.err != nil {
		s.Errorf("the host ended with %v", s.host.err)
	}
	s.noPluginsLeft()
}

// ended waits until a host has ended.
func (s *site) ended(h *host) {
	s.Helper()
	select {
	case <-h.done:
	case <-time.After(patience):
		s.Fatal("the host does not end")
	}
}

// roomwire runs a command against the site and returns what it said.
func (s *site) roomwire(args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command(filepath.Join(built, program("roomwire")), append(args, "--config", s.dir)...)
	cmd.Env = cleanEnviron()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	s.mu.Lock()
	s.said = append(s.said, out.String(), errs.String())
	s.mu.Unlock()
	return out.String(), errs.String(), err
}

// must runs a command that has to succeed.
func (s *site) must(args ...string) string {
	s.Helper()
	out, errs, err := s.roomwire(args...)
	if err != nil {
		s.Fatalf("roomwire %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

// show is what `roomwire person show` says, with single spaces.
func (s *site) show(person string) string {
	s.Helper()
	return strings.Join(strings.Fields(s.must("person", "show", person)), " ")
}

// eventually waits until check returns nil.
func (s *site) eventually(what string, check func() error) {
	s.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("waited for: %s; still: %v", what, err)
		}
		<-tick.C
	}
}

// yes turns a condition into what eventually takes.
func yes(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
