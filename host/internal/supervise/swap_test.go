package supervise

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// ownFolder is a plugin folder for one test, with a binary of its own for each name.
func ownFolder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		p, err := pinned(plugins, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := copyBinary(filepath.Join(dir, p.File), filepath.Join(plugins, p.File)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := WriteLock(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// another stages a binary of plugin that is another build of from.
func another(t *testing.T, dir, plugin, from string) Replacement {
	t.Helper()
	p, err := pinned(plugins, from)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(plugins, p.File))
	if err != nil {
		t.Fatal(err)
	}
	build := filepath.Join(t.TempDir(), "build")
	if err := os.WriteFile(build, append(raw, t.Name()...), 0o755); err != nil { // what follows a program is not read
		t.Fatal(err)
	}
	staged, err := Stage(dir, build, plugin, "")
	if err != nil {
		t.Fatal(err)
	}
	return Replacement{File: staged.File, SHA256: staged.SHA256, Drain: time.Minute}
}

func TestASwapLetsCallsUnderWayEndAndLosesNone(t *testing.T) {
	t.Parallel()
	dir := ownFolder(t, "backend-test")
	s, j := runningIn(t, dir)
	b := s.Backend(Instance{Name: "Test", Plugin: "backend-test"})
	slow, finish := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := b.Probe(slow, backend.Mailbox{Address: "hang"})
		ended <- err
	}()
	j.wait(1, "hanging")
	before := pid(t, s, "backend-test")

	var calls, failed atomic.Int64
	var busy sync.WaitGroup
	done := make(chan struct{})
	for range 8 {
		busy.Go(func() {
			for {
				if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
					failed.Add(1)
					t.Errorf("a call during the swap: %v", err)
					return
				}
				calls.Add(1)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	type result struct {
		Swapped
		error
	}
	swapped := make(chan result, 1)
	go func() {
		out, err := s.Swap(t.Context(), "backend-test", another(t, dir, "backend-test", "backend-test"))
		swapped <- result{out, err}
	}()
	for pid(t, s, "backend-test") == before {
		if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("the call under way ended with the switch: %v", err)
	case r := <-swapped:
		t.Fatalf("the swap did not wait for the call under way: %+v", r)
	default:
	}
	at := calls.Load()
	for calls.Load() < at+50 { // in the new process, while the old is being drained
		if failed.Load() > 0 {
			t.FailNow()
		}
		if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
			t.Fatal(err)
		}
	}
	finish()
	if err := <-ended; err == nil || fault.Of(err) == fault.Internal {
		t.Errorf("the call that its caller gave up: %v", err)
	}
	r := <-swapped
	if r.error != nil || r.CutOff != nil || r.Instances != 1 || r.From != "0.1.0" || r.To != "0.1.0" || r.Unused {
		t.Errorf("swap = %+v, %v", r.Swapped, r.error)
	}
	close(done)
	busy.Wait()
	st := s.Status()[0]
	if st.Restarts != 0 || st.Calls.Failed != 1 || st.Calls.Calls < 50 || st.Calls.P99 == 0 || !strings.Contains(st.File, "@") {
		t.Errorf("status = %+v", st)
	}
}

func TestManySwapsUnderLoadFailNoCall(t *testing.T) {
	t.Parallel()
	server := nonceServer(t)
	dir := ownFolder(t, "backend-test", "auth-nonce")
	s, _ := runningIn(t, dir)
	instance := Instance{
		Name: "Test", Plugin: "backend-test", ActAs: true,
		Identities: []Identity{{Plugin: "auth-nonce", Settings: map[string]any{"user": "alice", "password": "secret"}}},
	}
	kept := s.Backend(instance) // or the last handle's end would stop the plugins
	if _, err := kept.Probe(t.Context(), backend.Mailbox{URL: server.URL}); err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		busy.Go(func() {
			for {
				b := s.Backend(instance) // a login of its own
				st, err := b.Probe(t.Context(), backend.Mailbox{URL: server.URL})
				if err == nil && st.Server != "alice" {
					err = fmt.Errorf("logged in as %q", st.Server)
				}
				if err != nil {
					t.Errorf("a login during the swaps: %v", err)
					return
				}
				if err := b.Close(); err != nil && fault.Of(err) != fault.Unavailable {
					t.Errorf("close: %v", err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range 3 {
		for _, name := range []string{"auth-nonce", "backend-test"} {
			if out, err := s.Swap(t.Context(), name, Replacement{}); err != nil || out.CutOff != nil {
				t.Errorf("swap of %s = %+v, %v", name, out, err)
			}
		}
	}
	close(done)
	busy.Wait()
}

func TestASwapThatFailsLeavesTheOldProcessServing(t *testing.T) {
	t.Parallel()
	dir := ownFolder(t, "backend-test", "auth-nonce")
	s, _ := runningIn(t, dir)
	b := s.Backend(Instance{
		Name: "Test", Plugin: "backend-test",
		Identities: []Identity{{Plugin: "auth-nonce", Settings: map[string]any{"user": "alice", "password": "secret", "count": 1}}},
	})
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
		t.Fatal(err)
	}
	absent := another(t, dir, "backend-test", "backend-test")
	if err := os.Remove(filepath.Join(dir, absent.File)); err != nil {
		t.Fatal(err)
	}
	changed := another(t, dir, "auth-nonce", "auth-nonce")
	changed.SHA256 = strings.Repeat("0", 64)
	for name, tc := range map[string]struct {
		plugin string
		to     Replacement
		says   string
	}{
		"another kind":         {"backend-test", another(t, dir, "backend-test", "auth-nonce"), "says that it is a plugin of kind auth"},
		"no such file":         {"backend-test", absent, "no such file"},
		"another sum":          {"auth-nonce", changed, "not the binary that was pinned"},
		"another plugin's":     {"auth-nonce", Replacement{File: absent.File, SHA256: absent.SHA256}, "no binary of plugin auth-nonce"},
		"a path":               {"auth-nonce", Replacement{File: "../roomwire-auth-nonce", SHA256: absent.SHA256}, "no binary of plugin auth-nonce"},
		"settings it lacks":    {"auth-nonce", another(t, dir, "auth-nonce", "auth-basic"), `gives it "count", which it does not know`},
		"a plugin not in use":  {"auth-absent", Replacement{}, "auth-absent"},
		"not there and unused": {"auth-other", Replacement{File: "roomwire-auth-other", SHA256: absent.SHA256}, "roomwire-auth-other"},
	} {
		before := map[string]int{"backend-test": pid(t, s, "backend-test"), "auth-nonce": pid(t, s, "auth-nonce")}
		if _, err := s.Swap(t.Context(), tc.plugin, tc.to); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
		for plugin, was := range before {
			if now := pid(t, s, plugin); now != was {
				t.Errorf("%s: process %d of %s was replaced", name, was, plugin)
			}
		}
	}
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
		t.Errorf("after all: %v", err)
	}
}

func TestAWatchGoesOnInTheNewProcess(t *testing.T) {
	t.Parallel()
	s, j := runningIn(t, ownFolder(t, "backend-test"))
	b := s.Backend(Instance{Name: "Test", Plugin: "backend-test", Settings: map[string]any{"abilities": "watcher"}})
	ended := make(chan error, 1)
	go func() {
		ended <- b.Watch(t.Context(), backend.WatchRequest{Watched: []backend.Watched{{}}, For: time.Minute}, func([]backend.Hint) error { return nil })
	}()
	j.wait(1, "watching")
	if out, err := s.Swap(t.Context(), "backend-test", Replacement{Drain: time.Minute}); err != nil || out.CutOff != nil {
		t.Errorf("swap = %+v, %v", out, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the watch ended with %v, want no error: it is called again", err)
	}
}

func TestAPluginInACrashLoopIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	dir := ownFolder(t, "backend-test")
	p, err := pinned(dir, "backend-test")
	if err != nil {
		t.Fatal(err)
	}
	good := another(t, dir, "backend-test", "backend-test")
	if err := os.Remove(filepath.Join(dir, p.File)); err != nil {
		t.Fatal(err)
	}
	s, j := runningIn(t, dir)
	b := s.Backend(Instance{Name: "Test", Plugin: "backend-test"})
	j.wait(1, "a plugin is down")
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); fault.Of(err) != fault.Unavailable {
		t.Errorf("while it is down: %v", err)
	}
	if out, err := s.Swap(t.Context(), "backend-test", good); err != nil || out.From != "" {
		t.Errorf("swap = %+v, %v", out, err)
	}
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
		t.Errorf("in the new process: %v", err)
	}
}

func TestAHaltedPluginStaysDownWhileItIsNotPinned(t *testing.T) {
	t.Parallel()
	dir := ownFolder(t, "backend-test")
	s, j := runningIn(t, dir)
	b := s.Backend(Instance{Name: "Test", Plugin: "backend-test"})
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Drop(dir, "backend-test"); err != nil {
		t.Fatal(err)
	}
	if err := s.Halt(t.Context(), "backend-test"); err != nil {
		t.Fatal(err)
	}
	j.wait(1, "is not in")
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err == nil || !strings.Contains(err.Error(), "roomwire plugin install") {
		t.Errorf("without a pin: %v, want what to do", err)
	}
}

func TestAVersionThatTakesOverAndDiesIsNoSuccess(t *testing.T) {
	t.Parallel()
	dir := ownFolder(t, "backend-test")
	s, j := runningIn(t, dir)
	b := s.Backend(Instance{Name: "Test", Plugin: "backend-test"})
	slow, finish := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = b.Probe(slow, backend.Mailbox{Address: "hang"})
	}()
	j.wait(1, "hanging")
	before := pid(t, s, "backend-test")
	swapped := make(chan error, 1)
	go func() {
		_, err := s.Swap(t.Context(), "backend-test", another(t, dir, "backend-test", "backend-test"))
		swapped <- err
	}()
	for pid(t, s, "backend-test") == before {
	}
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "exit"}); fault.Of(err) != fault.Unavailable {
		t.Errorf("a call that ends the process = %v", err)
	}
	j.wait(3, "a plugin runs: plugin=backend-test") // the pinned one again
	finish()
	<-ended
	if err := <-swapped; err == nil || !strings.Contains(err.Error(), "did not stay up") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("swap = %v, want that the new version ended and why", err)
	}
	if st := s.Status()[0]; !st.Running || strings.Contains(st.File, "@") {
		t.Errorf("status = %+v, want the pinned binary", st)
	}
}

func TestAModeThatNeverWorkedKeepsNobodyFromRestarting(t *testing.T) {
	t.Parallel()
	s, _ := runningIn(t, ownFolder(t, "backend-test"))
	good := s.Backend(Instance{Name: "Good", Plugin: "backend-test"})
	bad := s.Backend(Instance{Name: "Bad", Plugin: "backend-test", Settings: map[string]any{"colour": "red"}})
	if _, err := good.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); fault.Of(err) != fault.Invalid {
		t.Errorf("the bad one: %v", err)
	}
	if out, err := s.Swap(t.Context(), "backend-test", Replacement{}); err != nil || out.Instances != 1 {
		t.Errorf("swap = %+v, %v", out, err)
	}
	if _, err := good.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); err != nil {
		t.Errorf("the good one after it: %v", err)
	}
}

func TestCallsDoNotWaitForASwapThatWaitsForAnOpening(t *testing.T) {
	t.Parallel()
	free, busy := newOpened[*launch.Authenticator](), newOpened[*launch.Authenticator]()
	busy.lock <- struct{}{} // somebody is opening
	moveOf := func(o *opened[*launch.Authenticator]) move { return move{lock: o.acquire, unlock: o.unlock} }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := lockAll(ctx, []move{moveOf(free), moveOf(busy)})
		done <- err
	}()
	if err := free.acquire(t.Context()); err != nil { // it is given up again and again
		t.Fatal(err)
	}
	free.unlock()
	cancel()
	if err := <-done; err == nil {
		t.Error("locked what somebody holds")
	}
	if err := free.acquire(t.Context()); err != nil {
		t.Error("a lock was kept")
	}
}
