package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// strangers makes a folder of plugins that Roomwire does not come with, pinned: auth-nonce and backend-echo.
func strangers(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, pkg := range map[string]string{"roomwire-auth-nonce": "auth", "roomwire-backend-echo": "backend"} {
		build(t, filepath.Join(dir, name), "sdk/launch/testplugin/"+pkg)
	}
	if _, err := supervise.WriteLock(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// build builds a program of the module.
func build(t *testing.T, path, pkg string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", path, "../../../"+pkg).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", path, err, out)
	}
}

// supervised runs the plugins of a folder until the test ends.
func supervised(t *testing.T, plugins string) *supervise.Supervisor {
	t.Helper()
	run, err := os.MkdirTemp("", "run") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	s := supervise.New(supervise.Options{Dir: plugins, RunDir: run, Log: hclog.NewNullLogger()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run = %v", err)
		}
	})
	return s
}

// A plugin of others gets the mode's own attributes that it declares, its block, and variables in the types it declares;
// what it would refuse is found before it is opened, and what it does not know is kept from it.
func TestSettingsReachThePluginAsItDeclaresThem(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, proof, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Nonce "), ":"); proof == "n:secret" {
			w.Header().Set("X-Auth-User", user)
			return
		}
		w.Header().Set("WWW-Authenticate", "Nonce n")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	plugins, dir := strangers(t), t.TempDir()
	text := `
plugins {
  dir = "` + filepath.ToSlash(plugins) + `"
}
sync_mode "Alice" {
  backend  = "echo"
  auth     = ["nonce"]
  user     = "alice"
  password = "secret"
  auth_settings "nonce" {
    strcit = true
    wait   = "1s"
  }
}
sync_mode "Bob" {
  backend  = "echo"
  auth     = ["nonce"]
  user     = "bob"
  password = "secret"
  backend_settings {
    abilities = "watcher"
  }
}
sync_mode "Mallory" {
  backend = "echo"
  auth    = ["nonce"]
  user    = "mallory"
  auth_settings "nonce" {
    pasword = "hunter2"
  }
}
sync_mode "Dora" {
  backend  = "echo"
  auth     = ["nonce"]
  user     = "dora"
  password = "secret"
  domain_override "subsidiary.example" {
    user     = "emil"
    password = "secret"
  }
}
`
	if err := os.WriteFile(filepath.Join(dir, config.HCLFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const variables = "ROOMWIRE_SYNC_MODE_ALICE_AUTH_SETTINGS_NONCE_"
	cfg, diags := config.Load(config.Source{Dir: dir, Environ: []string{variables + "COUNT=5", variables + "LIST=a,b"}})
	if cfg == nil {
		t.Fatal(diags)
	}
	found := cfg.CheckPlugins(Schemas(t.Context(), cfg))
	if found.Count(config.Error) != 1 || found.Count(config.Warning) != 2 || strings.Contains(found.String(), "hunter2") {
		t.Errorf("found:\n%s", found)
	}
	for _, part := range []string{"the plugin auth-nonce has no setting `pasword`", "has no setting `strcit`", "needs the setting `password`", config.HCLFile + ":29:5"} {
		if !strings.Contains(found.String(), part) {
			t.Errorf("the findings lack %q:\n%s", part, found)
		}
	}

	modes := newModes(cfg, supervised(t, plugins))
	for name, want := range map[string]string{"Alice": "alice", "Bob": "bob"} { // who has the same settings but for the user is somebody else
		mode, err := modes.Mode(t.Context(), name, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		mode.Admit(server.URL)
		st, err := mode.Backend.Probe(t.Context(), backend.Mailbox{URL: server.URL})
		if err != nil || st.Server != want {
			t.Errorf("%s logs in as %q, %v; want %q", name, st.Server, err, want)
		}
		if (mode.Watcher != nil) != (name == "Bob") {
			t.Errorf("%s: the backend got the settings of another mode", name)
		}
	}
	for address, want := range map[string]string{"x@example.com": "dora Dora", "x@Subsidiary.example": "emil Dora/subsidiary.example"} {
		mode, err := modes.Mode(t.Context(), "dora", address)
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		mode.Admit(server.URL)
		st, err := mode.Backend.Probe(t.Context(), backend.Mailbox{Address: address, URL: server.URL})
		if got := st.Server + " " + mode.Name; err != nil || got != want || modes.instance("Dora", address) != mode.Name {
			t.Errorf("%s: logged in as %q, %v; want %q", address, got, err, want)
		}
		if again, err := modes.Mode(t.Context(), mode.Name, "whoever@example.com"); err != nil || again.Name != mode.Name && mode.Domain != "" {
			t.Errorf("%s is found as %q, %v", mode.Name, again.Name, err)
		}
	}
	mode, err := modes.Mode(t.Context(), "Mallory", "")
	if err != nil {
		t.Fatal(err)
	}
	mode.Admit(server.URL)
	if _, err := mode.Backend.Probe(t.Context(), backend.Mailbox{URL: server.URL}); fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), `"password" is required`) {
		t.Errorf("Mallory: %v, want what the plugin says", err)
	}
}

// The version of a plugin that needs another setting is brought in while the host runs: first the setting, then the version,
// and then what only the version before needed is deleted.
func TestAVersionWithAnotherRequiredSettingIsBroughtInWhileTheHostRuns(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for header, who := range map[string]string{"Nonce alice:n:secret": "version one", "Bearer t0ken": "version two"} {
			if r.Header.Get("Authorization") == header {
				w.Header().Set("X-Auth-User", who)
				return
			}
		}
		w.Header().Add("WWW-Authenticate", "Nonce n")
		w.Header().Add("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	plugins, dir, binary := strangers(t), t.TempDir(), filepath.Join(t.TempDir(), "next")
	build(t, binary, "examples/auth-header") // needs a token, and knows neither user nor password
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	staged, err := supervise.Stage(plugins, binary, "auth-nonce", "")
	if err != nil {
		t.Fatal(err)
	}
	load := func(settings string) *config.Config {
		t.Helper()
		text := "plugins {\n  dir = \"" + filepath.ToSlash(plugins) + "\"\n}\nsync_mode \"Feed\" {\n  backend = \"echo\"\n  auth = [\"nonce\"]\n" +
			"  auth_settings \"nonce\" {\n" + settings + "  }\n}\n"
		if err := os.WriteFile(filepath.Join(dir, config.HCLFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, diags := config.Load(config.Source{Dir: dir})
		if cfg == nil {
			t.Fatal(diags)
		}
		return cfg
	}
	const before, after = "    user = \"alice\"\n    password = \"secret\"\n", "    token = \"t0ken\"\n"
	cfg := load(before)
	s := supervised(t, plugins)
	modes := newModes(cfg, s)
	a := &App{supervisor: s}
	apply := func(settings string) {
		t.Helper()
		next := load(settings)
		if diags := next.CheckPlugins(a.schemas(t.Context(), next)); diags.HasErrors() {
			t.Errorf("it is refused:\n%s", diags)
		}
		for _, over := range modes.replace(next, config.Diff(cfg, next)) {
			if err := over.Close(); err != nil {
				t.Error(err)
			}
		}
		cfg = next
	}
	worksAs := func(want string) {
		t.Helper()
		mode, err := modes.Mode(t.Context(), "Feed", "")
		if err != nil {
			t.Fatal(err)
		}
		mode.Admit(server.URL)
		if st, err := mode.Backend.Probe(t.Context(), backend.Mailbox{URL: server.URL}); err != nil || st.Server != want {
			t.Errorf("it logs in as %q, %v; want %q", st.Server, err, want)
		}
	}
	swap := supervise.Replacement{File: staged.File, SHA256: staged.SHA256}

	worksAs("version one")
	if _, err := s.Swap(t.Context(), "auth-nonce", swap); err == nil || !strings.Contains(err.Error(), `"token"`) {
		t.Errorf("a version that lacks a setting is taken, or the error does not name it: %v", err)
	}
	apply(before + after)
	worksAs("version one")
	if _, err := s.Swap(t.Context(), "auth-nonce", swap); err != nil {
		t.Fatal(err)
	}
	worksAs("version two")
	apply(after)
	worksAs("version two")
}
