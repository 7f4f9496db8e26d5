package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/service"
)

const smallest = `
listen {
  notifications = "127.0.0.1:0"
  api           = "127.0.0.1:0"
}
plugins {
  dir = "."
}
`

// folder makes a configuration folder.
func folder(t *testing.T, hcl string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "roomwire.hcl"), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// roomwire runs a command and returns all it prints.
func roomwire(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

func TestServiceInstall(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only systemd can be prepared in another file tree")
	}
	t.Parallel()
	tree := t.TempDir()
	unit := filepath.Join(tree, "etc/systemd/system/rw.service")
	install := []string{"service", "install", "--root", tree, "--name", "rw", "--config"}

	out, err := roomwire(t.Context(), append(install, folder(t, "listen {\n"))...)
	if _, there := os.Stat(unit); err == nil || there == nil || !strings.Contains(out, "unclosed") {
		t.Errorf("faulty configuration: %v, unit %v\n%s", err, there, out)
	}
	dir := folder(t, strings.Replace(smallest, "1:0", "1:443", 1))
	out, err = roomwire(t.Context(), append(install, dir)...)
	if err != nil || !strings.Contains(out, "is good") || !strings.Contains(out, "wrote "+unit) {
		t.Errorf("install: %v\n%s", err, out)
	}
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{" serve --config " + dir + "\n", "User=rw\n", "ReadWritePaths=" + dir + "/data\n", "Capabilities=CAP_NET_BIND_SERVICE\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in the unit:\n%s", want, text)
		}
	}
	if out, err := roomwire(t.Context(), "service", "uninstall", "--root", tree, "--name", "rw"); err != nil {
		t.Errorf("uninstall: %v\n%s", err, out)
	}
	if _, err := roomwire(t.Context(), "service", "uninstall", "--root", tree, "--name", "rw"); !errors.Is(err, service.ErrNotInstalled) {
		t.Errorf("a second uninstall: %v", err)
	}
	if _, err := roomwire(t.Context(), "service", "status", "--name", "../etc"); err == nil {
		t.Error("a name that is a path was taken")
	}
}

func TestServiceStatusForMonitoring(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	st := service.Status{Name: "roomwire", State: service.Running, PID: 7, Since: since, Unit: "/u", Logs: "journalctl"}
	var out bytes.Buffer
	if err := printStatus(&out, st, true); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"name": "roomwire", "state": "running", "pid": 7.0, "since": "2026-11-23T00:00:00Z", "unit": "/u", "logs": "journalctl"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for err, code := range map[error]int{errShown: 1, exitCode(3): 3, fmt.Errorf("x: %w", exitCode(4)): 4, errors.New("x"): 1} {
		if codeOf(err) != code {
			t.Errorf("exit code of %v is %d, want %d", err, codeOf(err), code)
		}
	}
	if !errors.Is(exitCode(3), errShown) {
		t.Error("an exit code is printed as an error")
	}
}

func TestVariablesTheServiceDoesNotGet(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	warnOfVariables(&out, []string{"PATH=/", "ROOMWIRE_CONFIG=x", "ROOMWIRE_STORE_URL=secret"})
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "ROOMWIRE_STORE_URL") || strings.Contains(got, "secret") {
		t.Errorf("got %q", got)
	}
}

func TestLowPorts(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{":443": true, "[::1]:80": true, ":8080": false, ":0": false, ":1024": false} {
		cfg := &config.Config{Listen: config.Listen{API: config.Listener{Addr: addr}}}
		if got := lowPorts(cfg); got != want {
			t.Errorf("lowPorts(%s) = %v", addr, got)
		}
	}
}
