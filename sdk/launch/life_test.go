package launch

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestAPanicIsInternalAndThePluginLives(t *testing.T) {
	t.Parallel()
	p, j := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "panic"}); fault.Of(err) != fault.Internal ||
		strings.Contains(err.Error(), "a defect") && !strings.Contains(err.Error(), "has a defect") {
		t.Errorf("error = %v, want internal", err)
	}
	j.wait("[ERROR] panic while serving a call", "testplugin/backend/main.go")
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestACallIntoADyingPluginIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, die := range map[string]func(*testing.T, *Process, Backend){
		"exit": func(t *testing.T, _ *Process, b Backend) {
			if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "exit"}); fault.Of(err) != fault.Unavailable {
				t.Errorf("the call that ended it: %v, want unavailable", err)
			}
		},
		"killed": func(t *testing.T, p *Process, _ Backend) { kill(t, p.PID()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, j := startPlugin(t, "backend")
			b := openBackend(t, p, BackendConfig{})
			hanging := make(chan error)
			go func() {
				_, err := b.Probe(t.Context(), backend.Mailbox{Address: "hang"})
				hanging <- err
			}()
			j.wait("hanging")
			die(t, p, b)
			if err := <-hanging; fault.Of(err) != fault.Unavailable || errors.Is(err, context.Canceled) {
				t.Errorf("the call under way: %v, want unavailable", err)
			}
			<-p.Exited()
			if err := p.ExitErr(); err == nil {
				t.Error("the reason of the end is not known")
			}
			if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); fault.Of(err) != fault.Unavailable {
				t.Errorf("a later call: %v, want unavailable", err)
			}
			if _, err := p.OpenBackend(t.Context(), BackendConfig{}); fault.Of(err) != fault.Unavailable {
				t.Errorf("opening: %v, want unavailable", err)
			}
		})
	}
}

func TestADyingAuthPluginIsUnavailableToTheBackend(t *testing.T) {
	t.Parallel()
	s := nonceServer(t, "secret")
	nonce, nj := startPlugin(t, "nonce")
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{Identities: []Identity{identity(t, nonce, map[string]any{"user": "hang", "password": "x"})}})
	nj.wait("opened")
	done := make(chan error)
	go func() {
		_, err := b.Probe(t.Context(), backend.Mailbox{URL: s.URL})
		done <- err
	}()
	kill(t, nonce.PID())
	if err := <-done; fault.Of(err) != fault.Unavailable {
		t.Errorf("error = %v, want unavailable", err)
	}
}

func TestThePluginExitsWhenItsLifelineEnds(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	p.endLife()
	<-p.Exited()
	if err := p.ExitErr(); err != nil {
		t.Errorf("it ended with %v, want in peace", err)
	}
}

func TestNoPluginOutlivesAKilledHost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path, mailbox string
		bySystem      bool // the plugin does not end by itself
	}{
		"that behaves well":      {path: binary("backend"), mailbox: "hold"},
		"that hangs":             {path: binary("bad"), mailbox: "hold+hang"},
		"that answers no more":   {path: binary("bad"), mailbox: "hold+mute"},
		"that is stopped":        {path: binary("bad"), mailbox: "hold+freeze", bySystem: true},
		"that wants to outlive":  {path: misbehaving(t, "outlive").Path, mailbox: "hold", bySystem: true},
		"that ignores all of it": {path: misbehaving(t, "outlive").Path, mailbox: "hold+mute", bySystem: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.bySystem && runtime.GOOS != "linux" && runtime.GOOS != "windows" {
				t.Skip("SKIPPED, this system ends no process with the one that started it")
			}
			l := listen(t)
			host := exec.Command(os.Args[0])
			host.Env = append(os.Environ(), asHost+"="+tc.mailbox, "ROOMWIRE_TEST_URL="+l.Addr().String(), "ROOMWIRE_TEST_PLUGIN="+tc.path)
			host.Stderr = os.Stderr
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			held, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			kill(t, host.Process.Pid)
			_ = host.Wait()
			if _, err := held.Read(make([]byte, 1)); err == nil {
				t.Error("the plugin wrote something")
			} // whatever the error, the connection that the plugin held has ended: and the plugin with it
		})
	}
}

func TestStopWaitsForCallsAndAdmitsNoMore(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	atPage, goOn := make(chan struct{}), make(chan struct{})
	pulled := make(chan error)
	go func() {
		pulled <- b.Pull(t.Context(), backend.PullRequest{Mailbox: backend.Mailbox{Address: "x"}}, func(backend.Page) error {
			close(atPage)
			<-goOn
			return nil
		})
	}()
	<-atPage
	stopped := make(chan error)
	go func() { stopped <- p.Stop(context.Background()) }()
	for { // until Stop has closed the gate
		if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); fault.Of(err) == fault.Unavailable {
			break
		}
	}
	close(goOn)
	if err := <-pulled; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestStopCutsOffWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	p, j := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	hanging := make(chan error)
	go func() {
		_, err := b.Probe(t.Context(), backend.Mailbox{Address: "hang"})
		hanging <- err
	}()
	j.wait("hanging")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop = %v, want that it cut something off", err)
	}
	if err := <-hanging; fault.Of(err) != fault.Unavailable {
		t.Errorf("the call under way: %v, want unavailable", err)
	}
}

func TestSocketsAreRemovedWithTheProcess(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sum, err := Sum(binary("backend"))
	if err != nil {
		t.Fatal(err)
	}
	_, log := newJournal()
	for _, end := range []func(*Process){
		func(p *Process) { _ = p.Stop(t.Context()) },
		func(p *Process) { kill(t, p.PID()) },
	} {
		p, err := Start(t.Context(), Options{Path: binary("backend"), SHA256: sum, Log: log, RunDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		end(p)
		<-p.Exited()
		p.clean()
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	proc, err := os.FindProcess(pid)
	if err == nil {
		err = proc.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}
