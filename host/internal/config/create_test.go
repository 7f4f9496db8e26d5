package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestCreateLeavesAloneWhatIsThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b", "secret")
	for _, step := range []struct {
		write func(string, []byte) error
		text  string
		err   error
		want  string
	}{
		{Create, "one", nil, "one"},
		{Create, "one", nil, "one"},
		{Create, "two", fs.ErrExist, "one"},
		{Replace, "two", nil, "two"},
		{Replace, "two", nil, "two"},
	} {
		err := step.write(path, []byte(step.text))
		got, readErr := os.ReadFile(path)
		if !errors.Is(err, step.err) || readErr != nil || string(got) != step.want {
			t.Errorf("%q: %v; the file holds %q, %v", step.text, err, got, readErr)
		}
	}
	if old, err := os.ReadFile(path + previous); err != nil || string(old) != "one" {
		t.Errorf("the old one is %q, %v", old, err)
	}
	if err := Create(filepath.Join(path, "below"), nil); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func TestCreateClosesToOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: Windows has no such rights")
	}
	t.Parallel()
	for name, tc := range map[string]struct{ above, folder, file fs.FileMode }{
		"open to all":             {0o755, 0o700, 0o600},
		"closed":                  {0o700, 0o700, 0o600},
		"open to the group alone": {0o750, 0o750, 0o640},
	} {
		dir := t.TempDir()
		if err := os.Chmod(dir, tc.above); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{filepath.Join(dir, "file"), filepath.Join(dir, "secrets", "file")} {
			if err := Create(path, []byte("x")); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != tc.file {
				t.Errorf("%s: %s has %v, %v; want %v", name, path, info.Mode(), err, tc.file)
			}
		}
		info, err := os.Stat(filepath.Join(dir, "secrets"))
		if err != nil || info.Mode().Perm() != tc.folder {
			t.Errorf("%s: the folder has %v, %v; want %v", name, info.Mode(), err, tc.folder)
		}
	}
}
