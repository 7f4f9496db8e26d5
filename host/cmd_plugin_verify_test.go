package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/verify"
)

func TestPluginVerifyComparesPins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plugins := filepath.ToSlash(filepath.Join(dir, "plugins"))
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "roomwire.hcl"), `plugins { dir = "`+plugins+`" }`)
	write(filepath.Join(plugins, "roomwire-auth-a"), "a")
	if out, err := roomwire(t.Context(), "plugin", "lock", "--config", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := roomwire(t.Context(), "plugin", "verify", "--config", dir); err != nil || !strings.Contains(out, "auth-a") || !strings.Contains(out, "good") {
		t.Errorf("as pinned: %v\n%s", err, out)
	}
	write(filepath.Join(plugins, "roomwire-auth-a"), "b")
	out, err := roomwire(t.Context(), "plugin", "verify", "auth-a", "--json", "--config", dir)
	var pins []verify.Pin
	if codeOf(err) != 1 || json.Unmarshal([]byte(out), &pins) != nil || len(pins) != 1 || pins[0].Good {
		t.Errorf("changed: %v\n%s", err, out)
	}
}

func TestPluginVerifyNeedsToKnowWhereItMayWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "roomwire-backend-feed")
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, "../examples/backend-feed").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	at := []string{"plugin", "verify", "--conformance", file}
	if out, err := roomwire(t.Context(), at...); codeOf(err) != 1 || !strings.Contains(err.Error(), "--mailbox") {
		t.Errorf("without a mailbox: %v\n%s", err, out)
	}
	if _, err := roomwire(t.Context(), append(at, "backend-feed")...); codeOf(err) != 2 {
		t.Errorf("with a name beside the file: %v, want exit code 2", err)
	}
	// Nobody listens there, so the rules cannot be kept, and the lines say which.
	out, err := roomwire(t.Context(), append(at, "--mailbox", "a@example.com", "--url", "http://127.0.0.1:1/", "--check", "Probe")...)
	if codeOf(err) != 1 || !strings.Contains(out, "FAIL  Probe/ReachesTheMailbox") || !strings.Contains(out, "skip  Probe/ChangesNothing") ||
		!strings.Contains(out, "1 not kept") || !strings.Contains(out, "docs/plugins/contract.md, under Probe") {
		t.Errorf("%v\n%s", err, out)
	}
}
