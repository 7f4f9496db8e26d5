package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roomwire/roomwire/host/internal/api/client"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/supervise"
)

// A pluginSite is a plugin folder with one plugin, backend-x, and what stands for the host that runs on it: only such a
// one loses its answers when it is told to.
type pluginSite struct {
	*testing.T
	dir     string // configuration
	plugins string
	old     supervise.Pin

	mu     sync.Mutex
	now    client.Plugin // what the host says it runs
	silent bool          // it does not even say that
}

func newPluginSite(t *testing.T) *pluginSite {
	t.Helper()
	dir := t.TempDir()
	s := &pluginSite{T: t, dir: dir, plugins: filepath.Join(dir, "plugins")}
	if err := os.Mkdir(s.plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.old, err = supervise.Stage(s.plugins, s.binary("old"), "backend-x", ""); err != nil {
		t.Fatal(err)
	}
	if err := supervise.Take(s.plugins, s.old); err != nil {
		t.Fatal(err)
	}
	s.runs(client.Plugin{Running: true, Version: "1", Sha256: &s.old.SHA256})
	hcl := fmt.Sprintf("store {\n  url = \"sqlite:%s/roomwire.db\"\n}\nplugins {\n  dir = %q\n}\n", filepath.ToSlash(dir), filepath.ToSlash(s.plugins))
	if err := os.WriteFile(filepath.Join(dir, "roomwire.hcl"), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// binary writes a file that may stand for a plugin's binary as long as nobody starts it.
func (s *pluginSite) binary(content string) string {
	s.Helper()
	path := filepath.Join(s.TempDir(), "roomwire-backend-x")
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		s.Fatal(err)
	}
	return path
}

func (s *pluginSite) runs(p client.Plugin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Name = "backend-x"
	s.now = p
}

// host starts what stands for the host. swap answers when a plugin is to be replaced.
func (s *pluginSite) host(swap func(w http.ResponseWriter, r *http.Request, in client.SwapInput)) {
	s.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/swap") {
			var in client.SwapInput
			body, err := io.ReadAll(r.Body)
			if err = errors.Join(err, json.Unmarshal(body, &in)); err != nil {
				s.Error(err)
			}
			swap(w, r, in)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.silent {
			panic(http.ErrAbortHandler)
		}
		answer(s.T, w, client.Host{Plugins: []client.Plugin{s.now}})
	}))
	s.Cleanup(srv.Close)
	key, _ := apikey.NewAdmin()
	if err := apikey.Write(s.dir, apikey.File{URL: srv.URL, Key: key}); err != nil {
		s.Fatal(err)
	}
}

func answer(t *testing.T, w http.ResponseWriter, v any) {
	t.Helper()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Error(err)
	}
}

func TestAPluginIsPinnedOnlyIfTheHostRunsIt(t *testing.T) {
	t.Parallel()
	ended := "exit status 3"
	refuse := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"status":422,"title":"no","detail":"it is no good"}`)
	}
	for name, tc := range map[string]struct {
		swap         func(s *pluginSite, w http.ResponseWriter, taken client.Plugin)
		interrupt    bool
		says         []string
		pinned, gone bool // the new binary
		fails        bool
	}{
		"taken": {
			swap: func(s *pluginSite, w http.ResponseWriter, taken client.Plugin) {
				s.runs(taken)
				answer(s.T, w, client.Swapped{To: "2"})
			},
			says: []string{"pinned in"}, pinned: true,
		},
		"refused": {
			swap: func(_ *pluginSite, w http.ResponseWriter, _ client.Plugin) { refuse(w) },
			says: []string{"was not taken, and everything is as before", "it is no good"}, gone: true, fails: true,
		},
		"refused, though the host runs it since before": {
			swap: func(s *pluginSite, w http.ResponseWriter, taken client.Plugin) {
				s.runs(taken)
				refuse(w)
			},
			says: []string{"was not taken"}, fails: true,
		},
		"taken, and the answer is lost": {
			swap: func(s *pluginSite, _ http.ResponseWriter, taken client.Plugin) {
				s.runs(taken)
				panic(http.ErrAbortHandler)
			},
			says: []string{"answer did not arrive", "it runs backend-x version 2", "pinned in"}, pinned: true,
		},
		"interrupted while calls of the old process end": {
			swap:      func(s *pluginSite, _ http.ResponseWriter, taken client.Plugin) { s.runs(taken) },
			interrupt: true,
			says:      []string{"answer did not arrive", "it runs backend-x version 2", "pinned in"}, pinned: true,
		},
		"the answer is lost, and the old one runs": {
			swap: func(*pluginSite, http.ResponseWriter, client.Plugin) { panic(http.ErrAbortHandler) },
			says: []string{"it is not known whether the host takes", "now it runs ", "repeat the command"}, fails: true,
		},
		"the host does not answer any more": {
			swap: func(s *pluginSite, _ http.ResponseWriter, taken client.Plugin) {
				s.runs(taken)
				s.mu.Lock()
				s.silent = true
				s.mu.Unlock()
				panic(http.ErrAbortHandler)
			},
			says: []string{"it is not known whether the host takes", "nor does it say now what it runs"}, fails: true,
		},
		"it ended right after it took over": {
			swap: func(s *pluginSite, w http.ResponseWriter, _ client.Plugin) {
				s.runs(client.Plugin{Running: true, Version: "1", Sha256: &s.old.SHA256, LastEnd: &ended})
				answer(s.T, w, client.Swapped{To: "2"})
			},
			says: []string{"took over and ended right after that (exit status 3), so it is not pinned", "version 1", "runs again"}, gone: true, fails: true,
		},
		"no sync mode uses it": {
			swap: func(s *pluginSite, w http.ResponseWriter, _ client.Plugin) {
				s.runs(client.Plugin{})
				answer(s.T, w, client.Swapped{To: "2", Unused: true})
			},
			says: []string{"no sync mode uses it yet", "pinned in"}, pinned: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPluginSite(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var asked atomic.Value // the name of the new binary
			s.host(func(w http.ResponseWriter, r *http.Request, in client.SwapInput) {
				asked.Store(*in.File)
				tc.swap(s, w, client.Plugin{Running: true, Version: "2", Sha256: in.Sha256})
				if tc.interrupt {
					cancel()
					<-r.Context().Done()
				}
			})
			out, err := roomwire(ctx, "plugin", "install", s.binary("new"), "--config", s.dir)
			if (err != nil) != tc.fails {
				t.Errorf("%v\n%s", err, out)
			}
			for _, want := range tc.says {
				if text := fmt.Sprint(out, err); !strings.Contains(text, want) {
					t.Errorf("it says %s; want %q", text, want)
				}
			}
			file, _ := asked.Load().(string)
			pins, err := supervise.ReadLock(s.plugins)
			if err != nil || len(pins) != 1 || (pins[0].File == file) != tc.pinned || !tc.pinned && pins[0] != s.old {
				t.Errorf("pinned %+v, %v", pins, err)
			}
			if _, err := os.Stat(filepath.Join(s.plugins, file)); os.IsNotExist(err) != tc.gone {
				t.Errorf("the new binary: %v", err)
			}
		})
	}
}

func TestARefusedBinaryThatLayThereBeforeStays(t *testing.T) {
	t.Parallel()
	s := newPluginSite(t)
	s.host(func(w http.ResponseWriter, _ *http.Request, _ client.SwapInput) { w.WriteHeader(http.StatusConflict) })
	lay, err := supervise.Stage(s.plugins, s.binary("other"), "backend-x", "")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := roomwire(t.Context(), "plugin", "install", filepath.Join(s.plugins, lay.File), "--config", s.dir); err == nil {
		t.Errorf("it was taken: %s", out)
	}
	if _, err := os.Stat(filepath.Join(s.plugins, lay.File)); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeSweptIsAWarning(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("what cannot be removed there is left for the next time, without a word")
	}
	s := newPluginSite(t)
	s.host(func(w http.ResponseWriter, _ *http.Request, in client.SwapInput) {
		s.runs(client.Plugin{Running: true, Version: "2", Sha256: in.Sha256})
		answer(t, w, client.Swapped{To: "2"})
	})
	if err := os.MkdirAll(filepath.Join(s.plugins, "roomwire-backend-x@0123456789ab", "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := roomwire(t.Context(), "plugin", "install", s.binary("new"), "--config", s.dir)
	if err != nil || !strings.Contains(out, "pinned in") || !strings.Contains(out, "warning: an older binary of plugin backend-x cannot be removed") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestASecondPluginCommandSaysWhoIsInTheWay(t *testing.T) {
	t.Parallel()
	s := newPluginSite(t)
	s.host(func(http.ResponseWriter, *http.Request, client.SwapInput) { t.Error("the host was asked") })
	release, err := supervise.Hold(t.Context(), s.plugins, "roomwire plugin swap")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it need not wait for the whole time
	for _, args := range [][]string{
		{"install", s.binary("new")}, {"swap", "backend-x", s.binary("new")}, {"rollback", "backend-x"}, {"restart", "backend-x"}, {"lock"}, {"remove", "backend-x"},
	} {
		_, err := roomwire(ctx, append(append([]string{"plugin"}, args...), "--config", s.dir)...)
		if !errors.Is(err, supervise.ErrHeld) || !strings.Contains(err.Error(), "roomwire plugin swap, process") {
			t.Errorf("%s: %v", args[0], err)
		}
	}
	release()
	if _, err := roomwire(t.Context(), "plugin", "lock", "--config", s.dir); err != nil {
		t.Errorf("once it is over: %v", err)
	}
}

func TestPluginLockSaysWhichPinsChange(t *testing.T) {
	t.Parallel()
	s := newPluginSite(t)
	lock := func() string {
		t.Helper()
		out, err := roomwire(t.Context(), "plugin", "lock", "--config", s.dir)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := lock(); out != fmt.Sprintf("pinned 1 plugins in %s\n", s.plugins) {
		t.Errorf("nothing changed: %s", out)
	}
	if err := os.WriteFile(filepath.Join(s.plugins, "roomwire-auth-a"), []byte("a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out := lock(); !strings.Contains(out, "auth-a: - → ca978112ca1b\n") {
		t.Errorf("a new one: %s", out)
	}
	if err := os.WriteFile(filepath.Join(s.plugins, "roomwire-auth-a"), []byte("b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out := lock(); !strings.Contains(out, "auth-a: ca978112ca1b → 3e23e8160039\n") || strings.Contains(out, "backend-x") {
		t.Errorf("another: %s", out)
	}
	if err := os.Remove(filepath.Join(s.plugins, s.old.File)); err != nil {
		t.Fatal(err)
	}
	if out := lock(); !strings.Contains(out, "backend-x: "+s.old.SHA256[:12]+" → - (it is no longer there)\n") {
		t.Errorf("gone: %s", out)
	}
}

func TestAMissingListOfPinsIsSeen(t *testing.T) {
	t.Parallel()
	s := newPluginSite(t)
	list := func(args ...string) (string, error) {
		return roomwire(t.Context(), append(append([]string{"plugin"}, args...), "--config", s.dir)...)
	}
	if err := os.Remove(filepath.Join(s.plugins, supervise.LockFile)); err != nil {
		t.Fatal(err)
	}
	for _, running := range []bool{false, true} {
		if running {
			s.host(nil)
		}
		for _, args := range [][]string{{"list"}, {"show", "backend-x"}} {
			out, err := list(args...)
			if codeOf(err) != 1 || !strings.Contains(out, "unknown") || !strings.Contains(out, "Nothing is pinned in") ||
				!strings.Contains(out, "roomwire plugin lock") || strings.Contains(out, "not what is pinned") {
				t.Errorf("%v, host runs %v: %v\n%s", args, running, err, out)
			}
		}
		out, err := list("list", "--json")
		var rows []pluginRow
		if codeOf(err) != 1 || json.Unmarshal([]byte(out), &rows) != nil || len(rows) != 1 || rows[0].State != supervise.StateUnknown || rows[0].Pinned != "" {
			t.Errorf("as JSON: %v\n%s", err, out)
		}
		if (rows[0].Host != nil) != running {
			t.Errorf("host = %+v", rows[0].Host)
		}
	}
}

func TestAnEmptyPluginFolderIsNoFault(t *testing.T) {
	t.Parallel()
	s := newPluginSite(t)
	for _, remove := range []string{filepath.Join(s.plugins, "*"), s.plugins} {
		files, err := filepath.Glob(remove)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.RemoveAll(f); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := roomwire(t.Context(), "plugin", "list", "--config", s.dir); err != nil || !strings.HasPrefix(out, "There is no plugin in ") {
			t.Errorf("without %s: %v\n%s", remove, err, out)
		}
	}
}
