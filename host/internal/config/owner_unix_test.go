//go:build unix

package config

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWhatRootInstallsCanBeReadByTheHost(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can give files away")
	}
	from, to := t.TempDir(), t.TempDir()
	const user, group = 4711, 4712
	if err := os.Chown(to, user, group); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(from, HCLFile), filepath.Join(from, RoomsFile), filepath.Join(to, HCLFile)} {
		if err := os.WriteFile(name, []byte(name), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(to, HCLFile), 0, group); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Install(from, to); err != nil {
		t.Fatal(err)
	}
	for name, uid := range map[string]uint32{HCLFile: 0, HCLFile + previous: 0, RoomsFile: user} {
		info, err := os.Stat(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		if is := info.Sys().(*syscall.Stat_t); is.Uid != uid || is.Gid != group || info.Mode().Perm() != 0o640 { //nolint:forcetypeassert // on unix
			t.Errorf("%s belongs to %d:%d with rights %v", name, is.Uid, is.Gid, info.Mode().Perm())
		}
	}
}
