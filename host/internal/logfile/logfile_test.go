package logfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFullFileIsPutAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "logs")
	path := filepath.Join(dir, "roomwire.log")
	for run := range 2 { // the second takes up what the first left
		w, err := Open(Options{Path: path, SizeMB: 1, Keep: 3})
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Repeat("x", 400<<10) + "\n"
		for range 2 {
			if _, err := w.Write([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		logs, err := filepath.Glob(filepath.Join(dir, "roomwire*.log"))
		if err != nil || len(logs) != run+1 {
			t.Errorf("after run %d: %q, %v; want %d files", run+1, logs, err, run+1)
		}
	}
	for _, file := range []string{path, filepath.Join(dir, "roomwire.crash")} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v; want it for its user alone", file, info, err)
		}
	}
}

func TestOpenRefusesWhatCannotBeALog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"no name":       {SizeMB: 1},
		"no size":       {Path: file},
		"negative keep": {Path: file, SizeMB: 1, Keep: -1},
		"negative days": {Path: file, SizeMB: 1, Days: -1},
		"a folder":      {Path: dir, SizeMB: 1},
		"below a file":  {Path: filepath.Join(file, "x.log"), SizeMB: 1},
	} {
		if w, err := Open(o); err == nil {
			_ = w.Close()
			t.Errorf("%s: opened", name)
		}
	}
}
