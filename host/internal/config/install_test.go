package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestInstall(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(to, name))
		return string(data)
	}
	write(from, HCLFile, "new")
	write(to, HCLFile, "old")
	write(to, RoomsFile, "stays")
	got, undo, err := Install(from, to)
	if err != nil || !slices.Equal(got, []string{HCLFile}) {
		t.Fatal(got, err)
	}
	if read(HCLFile) != "new" || read(HCLFile+previous) != "old" || read(RoomsFile) != "stays" {
		t.Errorf("after: %q, before %q, %q", read(HCLFile), read(HCLFile+previous), read(RoomsFile))
	}
	if info, _ := os.Stat(filepath.Join(to, HCLFile)); info.Mode().Perm() != 0o640 {
		t.Errorf("the file's rights became %v", info.Mode())
	}
	if got, _, err := Install(from, to); err != nil || got != nil {
		t.Errorf("the same again installs %q (%v)", got, err)
	}
	if err := undo(); err != nil || read(HCLFile) != "old" {
		t.Errorf("undone: %q (%v)", read(HCLFile), err)
	}

	// A file that cannot be written leaves the other as it was.
	write(from, RoomsFile, "new")
	if err := os.Remove(filepath.Join(to, RoomsFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(to, RoomsFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Install(from, to); err == nil || read(HCLFile) != "old" {
		t.Errorf("half installed: %q, error %v", read(HCLFile), err)
	}
	left, _ := filepath.Glob(filepath.Join(to, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Where the configuration lies elsewhere and is linked, the link stays, and what it leads to changes.
func TestInstallFollowsLinks(t *testing.T) {
	t.Parallel()
	from, to, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "there.hcl")
	for name, text := range map[string]string{filepath.Join(from, HCLFile): "new", target: "old"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(target, filepath.Join(to, HCLFile)); err != nil {
		t.Skip("SKIPPED: this user may not make links:", err)
	}
	_, undo, err := Install(from, to)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(target); string(data) != "new" {
		t.Errorf("what the link leads to is %q", data)
	}
	if info, err := os.Lstat(filepath.Join(to, HCLFile)); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v (%v)", info, err)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	if data, _ := os.ReadFile(target); string(data) != "old" {
		t.Errorf("undone, what the link leads to is %q", data)
	}
}
