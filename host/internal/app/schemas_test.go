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
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), "../../../sdk/launch/testplugin/"+pkg)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	if _, err := supervise.WriteLock(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A plugin of others gets the mode's own attributes that it declares, its block, and variables in the types it declares;
// what it would refuse is found before it is opened.
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
    strict = true
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
    strcit = true
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
	if found.Count(config.Error) != 2 || len(found) != 2 {
		t.Errorf("found:\n%s", found)
	}
	for _, part := range []string{"the plugin auth-nonce has no setting `strcit`", "needs the setting `password`", config.HCLFile + ":29:5"} {
		if !strings.Contains(found.String(), part) {
			t.Errorf("the findings lack %q:\n%s", part, found)
		}
	}

	run, err := os.MkdirTemp("", "run") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	s := supervise.New(supervise.Options{Dir: plugins, RunDir: run})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run = %v", err)
		}
	})
	modes := newModes(cfg, s)
	for name, want := range map[string]string{"Alice": "alice", "Bob": "bob"} { // who has the same settings but for the user is somebody else
		mode, err := modes.Mode(t.Context(), name)
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
	mode, err := modes.Mode(t.Context(), "Mallory")
	if err != nil {
		t.Fatal(err)
	}
	mode.Admit(server.URL)
	if _, err := mode.Backend.Probe(t.Context(), backend.Mailbox{URL: server.URL}); fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), "strcit") {
		t.Errorf("Mallory: %v, want what the plugin says", err)
	}
}
