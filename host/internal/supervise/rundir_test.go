package supervise

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlySocketsOfAKilledHostAreClearedAway(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	left, foreign := filepath.Join(dir, "plugin-dir4711"), filepath.Join(dir, "postgresql")
	for _, d := range []string{left, foreign} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := New(Options{RunDir: dir}).clearRunDir(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the sockets of a killed host are still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(foreign, "file")); err != nil {
		t.Errorf("somebody else's file in the folder was removed: %v", err)
	}
}
