package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPluginNewWritesAPluginAndSaysWhatToTypeNext(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "my plugin")
	out, err := roomwire(t.Context(), "plugin", "new", "auth", "mine", "--dir", dir, "--module", "example.com/mine")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, next, found := strings.Cut(out, "Next:\n")
	lines := strings.Split(next, "\n")
	if !found || len(lines) < 4 {
		t.Fatalf("it says\n%s", out)
	}
	// What it says to type is right, as far as a machine without make goes.
	enter, _, _ := strings.Cut(lines[0], "#")
	_, build, _ := strings.Cut(lines[2], "# or: ")
	if shell, err := exec.LookPath("sh"); err == nil {
		cmd := exec.CommandContext(t.Context(), shell, "-c", enter+" && "+build)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s && %s: %v\n%s", enter, build, err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "bin")); err != nil {
			t.Error(err)
		}
	}
	if out, err := roomwire(t.Context(), "plugin", "new", "auth", "mine", "--dir", dir); err == nil || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("once more: %v\n%s", err, out)
	}
	for _, args := range [][]string{{"auth"}, {"frontend", "mine"}, {"auth", "Mine"}, {"backend", "mine", "--sdk", dir}} {
		args = append([]string{"plugin", "new"}, args...)
		if out, err := roomwire(t.Context(), args...); err == nil {
			t.Errorf("%v: no error\n%s", args, out)
		}
	}
}
