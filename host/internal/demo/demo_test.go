package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	_ "time/tzdata"

	"github.com/roomwire/roomwire/host/internal/supervise"
)

// plugins builds the real plugins once and pins them.
var plugins = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "roomwire-demo-plugins-")
	if err != nil {
		return "", err
	}
	exe := ""
	if runtime.GOOS == "windows" {
		exe = ".exe"
	}
	for _, name := range pluginsUsed() {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, "roomwire-"+name+exe), "github.com/roomwire/roomwire/plugins/"+name)
		if out, err := build.CombinedOutput(); err != nil {
			return dir, errors.New("go build " + name + ": " + err.Error() + "\n" + string(out))
		}
	}
	_, err = supervise.WriteLock(dir)
	return dir, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := plugins(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func pluginsOf(t *testing.T) string {
	t.Helper()
	dir, err := plugins()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// processesFrom lists the running processes whose program lies in dir, where the system tells.
func processesFrom(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, l := range links {
		if exe, err := os.Readlink(l); err == nil && strings.HasPrefix(exe, dir) {
			found = append(found, exe)
		}
	}
	return found
}

func TestEveryStepGoesAsItShould(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	data := filepath.Join(t.TempDir(), "data")
	err := Run(t.Context(), Options{Out: &out, Once: true, KeepData: data, PluginDir: pluginsOf(t)})
	text := out.String()
	if err != nil {
		t.Fatalf("Run = %v\n%s", err, text)
	}
	for _, want := range []string{
		"A   Subscribe", "B1  ", "B2  ", "C1  ", "C2  ", "D1  ", "D2  ", "D3  ", "E1  ", "E2  ", "F1  ", "F2  ", "F3  ", "F4  ", "F5  ", "G1  ", "G2  ", "G3  ", "G4  ", "H1  ", "H2  ", "H3  ", "H4  ",
		"All 23 steps went as they should",
		"mailed    invitation to Bob and Room A", "mailed    update to Bob and Room A\n", "mailed    cancellation to Alice and Room B",
		"mailed    update to Bob and Room A, by Outlook itself; by Roomwire nobody",
		"version 5, cancelled",
		`"Stand-up with cake"`, "Room C accepted", "  the item is removed from the calendar; mails nobody\n", "found: booking id 1; would do: adopt 1\n",
		"dora: would be moved to Microsoft365: 2 items: 2 verified\n", "dora: moved to Microsoft365: 2 items: 2 verified\n",
		"heard     by Graph's change notification, at http://127.0.0.1:", "mailed    update to Alice and Room B, by Outlook itself; by Roomwire nobody",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("the output has colours that nobody asked for")
	}
	if t.Failed() {
		t.Log(text)
	}
	for _, kept := range []string{"configs/roomwire.hcl", "configs/RoomsAppSettings.config", "data/roomwire.db", "log/roomwire.log"} {
		if _, err := os.Stat(filepath.Join(data, filepath.FromSlash(kept))); err != nil {
			t.Errorf("not kept: %v", err)
		}
	}
	again := Run(t.Context(), Options{Out: io.Discard, Once: true, KeepData: data, PluginDir: pluginsOf(t)})
	if again == nil || !strings.Contains(again.Error(), "not empty") {
		t.Errorf("a second run in the same folder = %v", again)
	}
}

// stopper ends a context when a certain text is written.
type stopper struct {
	bytes.Buffer
	at   string
	stop context.CancelFunc
}

func (s *stopper) Write(b []byte) (int, error) {
	n, err := s.Buffer.Write(b)
	if strings.Contains(s.String(), s.at) {
		s.stop()
	}
	return n, err
}

func TestStoppedAtAnyTimeItLeavesNothingBehind(t *testing.T) {
	// Not parallel: temporary folders and processes are looked for.
	for name, c := range map[string]struct {
		at   string
		once bool
		want error
	}{
		"before it begins":        {"Roomwire demonstration", true, ErrInterrupted},
		"while it subscribes":     {"A   Subscribe", true, ErrInterrupted},
		"in the middle of a step": {"C1  A new meeting", false, ErrInterrupted},
		"while it stays up":       {"Everything stays up", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := pluginsOf(t)
			copied := filepath.Join(t.TempDir(), "plugins") // so that its processes can be told from others'
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			for _, e := range must(os.ReadDir(copied)) {
				if err := os.Chmod(filepath.Join(copied, e.Name()), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			temp := must(os.MkdirTemp("", "rw")) // short: the plugins' sockets lie in it
			t.Cleanup(func() { _ = os.RemoveAll(temp) })
			t.Setenv("TMPDIR", temp)
			t.Setenv("TMP", temp)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			out := &stopper{at: c.at, stop: stop}
			if err := Run(ctx, Options{Out: out, Once: c.once, PluginDir: copied}); !errors.Is(err, c.want) {
				t.Errorf("Run = %v, want %v\n%s", err, c.want, out.String())
			}
			// A plugin that was just being started is killed a moment later.
			soon, cancel := context.WithTimeout(t.Context(), stepLimit)
			defer cancel()
			if err := until(soon, func() error { return same("plugins", "[]", fmt.Sprint(processesFrom(t, copied))) }); err != nil {
				t.Errorf("still running: %v", err)
			}
			if left := must(os.ReadDir(temp)); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWithoutPluginsItSaysHowToBuildThem(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), Options{Out: io.Discard, Once: true, PluginDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("Run = %v", err)
	}
	changed := filepath.Join(t.TempDir(), "plugins")
	if err := os.CopyFS(changed, os.DirFS(pluginsOf(t))); err != nil {
		t.Fatal(err)
	}
	for _, e := range must(os.ReadDir(changed)) {
		if strings.HasPrefix(e.Name(), "roomwire-auth-ntlm") {
			if err := os.WriteFile(filepath.Join(changed, e.Name()), []byte("another program"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = Run(t.Context(), Options{Out: io.Discard, Once: true, PluginDir: changed})
	if err == nil || !strings.Contains(err.Error(), "auth-ntlm") || !strings.Contains(err.Error(), "make build") {
		t.Errorf("with a changed plugin: Run = %v", err)
	}
}
