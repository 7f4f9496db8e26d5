package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// previous is what the file that an installed one replaced is called.
const previous = ".previous"

// Install puts the configuration files of one folder into another, each with one rename, so that whoever reads there finds
// the old or the new one, never half of it. What was there is kept beside them, with ".previous" at the end of its name.
// undo puts it back. Files that are the same are left alone; what the first folder does not have stays in the second.
// Whether the files are good is for the caller to know before: see Load.
func Install(from, to string) (installed []string, undo func() error, err error) {
	var backs []func() error
	undo = func() error {
		var errs []error
		for _, back := range backs {
			errs = append(errs, back())
		}
		return errors.Join(errs...)
	}
	for _, name := range []string{HCLFile, RoomsFile} {
		changed, back, err := install(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("install %s: %w; nothing was changed", name, err), undo())
		}
		if changed {
			installed, backs = append(installed, name), append(backs, back)
		}
	}
	return installed, undo, nil
}

func install(from, to string) (changed bool, back func() error, err error) {
	next, err := readBounded(from, maxHCLFile+maxRoomsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	if to, err = behindLinks(to); err != nil {
		return false, nil, err
	}
	like, err := os.Stat(filepath.Dir(to))
	if err != nil {
		return false, nil, err
	}
	old, err := os.ReadFile(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		back = func() error { return os.Remove(to) }
	case err != nil:
		return false, nil, err
	case bytes.Equal(old, next):
		return false, nil, nil
	default:
		if like, err = os.Stat(to); err != nil {
			return false, nil, err
		}
		if err := replace(to+previous, old, like); err != nil {
			return false, nil, err
		}
		back = func() error { return replace(to, old, like) }
	}
	return true, back, replace(to, next, like)
}

// behindLinks returns the file that a symbolic link leads to, so that the link stays. What does not exist is no link.
func behindLinks(path string) (string, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return filepath.EvalSymlinks(path)
}

// replace writes a file beside path, with the owner and the rights of another or of its folder, and renames it.
func replace(path string, data []byte, like fs.FileInfo) error {
	mode := like.Mode().Perm()
	if like.IsDir() {
		mode &= 0o640 // it may hold passwords
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails after the rename, as it should
	_, err = f.Write(data)
	err = errors.Join(err, giveTo(f, like), f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
