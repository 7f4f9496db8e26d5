package supervise

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// plugins is a folder of real plugins, pinned; it is set before any test runs.
var plugins string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "plugins")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	plugins = dir
	for name, pkg := range map[string]string{
		"roomwire-backend-test": "sdk/launch/testplugin/backend", "roomwire-auth-nonce": "sdk/launch/testplugin/auth",
		"roomwire-auth-basic": "plugins/auth-basic", "roomwire-auth-wrong": "sdk/launch/testplugin/backend", "roomwire-backend-bad": "sdk/launch/testplugin/bad",
	} {
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), "../../../"+pkg)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n", pkg, err)
			return 1
		}
	}
	if _, err := WriteLock(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// A journal is a log whose lines can be counted and waited for.
type journal struct {
	mu    sync.Mutex
	grown *sync.Cond
	text  strings.Builder
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.grown.Broadcast()
	return j.text.Write(p)
}

// wait returns when the log has part n times.
func (j *journal) wait(n int, part string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for strings.Count(j.text.String(), part) < n {
		j.grown.Wait()
	}
}

// running returns a Supervisor that runs until the test ends.
func running(t *testing.T) (*Supervisor, *journal) {
	t.Helper()
	return runningIn(t, plugins)
}

// runningIn is running for a plugin folder of one's own.
func runningIn(t *testing.T, folder string) (*Supervisor, *journal) {
	t.Helper()
	return runningWith(t, Options{Dir: folder})
}

// runningWith is running with options of one's own.
func runningWith(t *testing.T, o Options) (*Supervisor, *journal) {
	t.Helper()
	j := &journal{}
	j.grown = sync.NewCond(&j.mu)
	dir, err := os.MkdirTemp("", "run") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	o.RunDir, o.Log = filepath.Join(dir, "run"), hclog.New(&hclog.LoggerOptions{Output: j, Level: hclog.Info})
	s := New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run = %v", err)
		}
		if left, _ := os.ReadDir(filepath.Join(dir, "run")); len(left) > 0 {
			t.Errorf("sockets are left behind: %v", left)
		}
		_ = os.RemoveAll(dir)
	})
	return s, j
}

func pid(t *testing.T, s *Supervisor, plugin string) int {
	t.Helper()
	s.mu.Lock()
	k := s.keeper(plugin)
	s.mu.Unlock()
	p, err := k.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p.(*launch.Process).PID()
}

func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// nonceServer serves the name of the user that testplugin/auth logged in.
func nonceServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, proof, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Nonce "), ":")
		if proof == "n:secret" {
			w.Header().Set("X-Auth-User", user)
			return
		}
		w.Header().Set("WWW-Authenticate", "Nonce n")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestAHandleOutlivesThePluginsProcesses(t *testing.T) {
	t.Parallel()
	server := nonceServer(t)
	s, j := running(t)
	instance := Instance{
		Name: "Test", Plugin: "backend-test", Settings: map[string]any{"abilities": "finder"}, ActAs: true,
		Identities: []Identity{{Plugin: "auth-nonce", Settings: map[string]any{"user": "alice", "password": "secret"}}},
	}
	probe := func(b *Backend) error {
		st, err := b.Probe(t.Context(), backend.Mailbox{URL: server.URL})
		if err == nil && st.Server != "alice" {
			err = fmt.Errorf("logged in as %q", st.Server)
		}
		return err
	}
	b := s.Backend(instance)
	if err := probe(b); err != nil {
		t.Fatal(err)
	}
	can, err := b.Abilities(t.Context())
	if err != nil || can.Pusher || !can.Finder {
		t.Errorf("abilities = %+v, %v; want a finder alone", can, err)
	}
	if _, err := b.Subscribe(t.Context(), backend.SubscribeRequest{}); fault.Of(err) != fault.Unsupported {
		t.Errorf("subscribe = %v, want unsupported", err)
	}

	kill(t, pid(t, s, "backend-test"))
	for fault.Of(probe(b)) != fault.Unavailable { // a dying process may still answer
	}
	j.wait(2, "a plugin runs: plugin=backend-test")
	if err := probe(b); err != nil {
		t.Errorf("after the backend's restart: %v", err)
	}

	kill(t, pid(t, s, "auth-nonce"))
	j.wait(2, "a plugin runs: plugin=auth-nonce")
	other := s.Backend(instance) // b's own header is still good: it would notice nothing
	if err := probe(other); err != nil {
		t.Errorf("after the auth plugin's restart: %v", err)
	}
	for _, st := range s.Status() {
		if !st.Running || st.Version == "" || st.Problem != "" || st.Restarts != 1 {
			t.Errorf("status = %+v, want running for the second time", st)
		}
	}
}

func TestWhatFailsIsContained(t *testing.T) {
	t.Parallel()
	s, _ := running(t)
	good := s.Backend(Instance{Name: "Good", Plugin: "backend-test"})
	for name, tc := range map[string]struct {
		in   Instance
		kind fault.Kind
		says string
	}{
		"unknown plugin": {Instance{Name: "A", Plugin: "backend-absent"}, fault.Unavailable, "roomwire-backend-absent"},
		"unknown auth": {
			Instance{Name: "B", Plugin: "backend-test", Identities: []Identity{{Plugin: "auth-absent"}}}, fault.Unavailable, "auth-absent",
		},
		"wrong kind":      {Instance{Name: "C", Plugin: "auth-wrong"}, fault.Unavailable, "says that it is"},
		"no backend":      {Instance{Name: "D", Plugin: "auth-nonce"}, fault.Invalid, "not a backend"},
		"unknown setting": {Instance{Name: "Mode E", Plugin: "backend-test", Settings: map[string]any{"colour": "red"}}, fault.Invalid, `"colour"`},
	} {
		_, err := s.Backend(tc.in).Probe(t.Context(), backend.Mailbox{Address: "emitted"})
		if fault.Of(err) != tc.kind || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %s with %q", name, err, tc.kind, tc.says)
		}
	}
	if _, err := good.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestTheHostForbidsOriginsAndBasicInTheClear(t *testing.T) {
	t.Parallel()
	s, _ := running(t)
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("credentials were sent")
		}
		w.Header().Set("WWW-Authenticate", "Basic, Nonce")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(asked.Close)

	basic := Identity{Plugin: "auth-basic", Settings: map[string]any{"user": "alice", "password": "secret"}}
	b := s.Backend(Instance{Name: "Basic", Plugin: "backend-test", Identities: []Identity{basic}})
	if _, err := b.Probe(t.Context(), backend.Mailbox{URL: asked.URL}); fault.Of(err) != fault.Invalid {
		t.Errorf("Basic over HTTP: %v, want invalid", err)
	}
	id, err := b.identity(t.Context(), basic)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Allow("http://mail.example.com:80"); fault.Of(err) != fault.Invalid {
		t.Errorf("the host's own check: %v, want invalid", err)
	}

	nonce := Identity{Plugin: "auth-nonce", Settings: map[string]any{"user": "alice", "password": "secret"}}
	b = s.Backend(Instance{
		Name: "Elsewhere", Plugin: "backend-test", Identities: []Identity{nonce},
		Allow: func(origin string) error { return fmt.Errorf("not at %s: %w", origin, fault.Forbidden) },
	})
	if _, err := b.Probe(t.Context(), backend.Mailbox{URL: asked.URL}); fault.Of(err) != fault.Forbidden {
		t.Errorf("another origin: %v, want forbidden", err)
	}
}

func TestACallCanGiveUpWaitingForAnother(t *testing.T) {
	t.Parallel()
	o := newOpened[*launch.Authenticator]()
	o.lock <- struct{}{} // somebody is opening
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := o.get(ctx, newFake(0), nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("get = %v, want the caller's own", err)
	}
}

func TestAFrozenPluginIsEndedAndStartedAgain(t *testing.T) {
	t.Parallel()
	s, j := runningWith(t, Options{Dir: plugins, pace: pace{look: 50 * time.Millisecond, ping: time.Second}})
	b := s.Backend(Instance{Name: "Test", Plugin: "backend-bad"})
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "well@example.com"}); err != nil {
		t.Fatal(err)
	}
	before := pid(t, s, "backend-bad")
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "freeze@example.com"}); fault.Of(err) != fault.Unavailable {
		t.Errorf("the call that it froze in = %v, want unavailable", err)
	}
	j.wait(2, "a plugin runs: plugin=backend-bad")
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "well@example.com"}); err != nil {
		t.Errorf("in the next process: %v", err)
	}
	st := s.Status()[0]
	if st.PID == before || st.Restarts != 1 || !strings.Contains(st.LastEnd, "it hung") {
		t.Errorf("status = %+v, want another process and why", st)
	}
}
