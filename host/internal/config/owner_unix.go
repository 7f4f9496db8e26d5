//go:build unix

package config

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// giveTo has f belong to whom a file or folder belongs, as far as this user may: the host must be able to read what an
// administrator installs as root.
func giveTo(f *os.File, like fs.FileInfo) error {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	err := f.Chown(int(owner.Uid), int(owner.Gid))
	if errors.Is(err, fs.ErrPermission) {
		err = f.Chown(-1, int(owner.Gid))
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
