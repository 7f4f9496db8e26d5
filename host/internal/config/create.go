package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Create writes a file that may hold secrets, and the folders above it that are not there. Only its owner, who is that of
// the folder, may read it; where the folder is closed to all but its group, as for a service with a user of its own, the
// group may, too. A file that is there already is left alone: that is an error, which is fs.ErrExist, unless it holds the
// same.
func Create(path string, data []byte) error {
	folder, err := makeFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if old, readErr := readBounded(path, int64(len(data))); readErr == nil && bytes.Equal(old, data) {
			return nil
		}
		return fmt.Errorf("the file %s is there already%w", path, hideText(fs.ErrExist))
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, giveTo(f, folder), f.Chmod(0o600|groupOf(folder)&0o040), f.Sync(), f.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(path))
	}
	return nil
}

// Replace does as Create, but a file that is there is replaced with one rename, keeps its owner and its rights, and is kept
// beside the new one with ".previous" at the end of its name.
func Replace(path string, data []byte) error {
	err := Create(path, data)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if path, err = behindLinks(path); err != nil {
		return err
	}
	like, err := os.Stat(path)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := replace(path+previous, old, like); err != nil {
		return err
	}
	return replace(path, data, like)
}

// makeFolder makes the folder as far as it is not there, for the owner of the one above it.
func makeFolder(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return nil, fmt.Errorf("%s is no folder", path)
	case !errors.Is(err, fs.ErrNotExist):
		return info, err
	}
	above, err := makeFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = errors.Join(giveTo(f, above), os.Chmod(path, 0o700|groupOf(above)&0o050), f.Close())
	if err != nil {
		return nil, fmt.Errorf("make the folder %s: %w", path, err)
	}
	return os.Stat(path)
}

// groupOf returns the rights of the folder's group if others have none.
func groupOf(folder fs.FileInfo) fs.FileMode {
	if folder.Mode().Perm()&0o007 != 0 {
		return 0
	}
	return folder.Mode().Perm() & 0o070
}
