package supervise

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/launch"
)

// Stage copies a plugin's binary into a plugin folder under a name that has its sum in it, beside what is there, and pins
// nothing. The file's own name says which plugin it is, unless name does. want is the sum that it must have, in
// hexadecimal; empty if any will do. Staging what is there already is no error.
func Stage(dir, file, name, want string) (Pin, error) {
	if name == "" {
		p, ok := pinOf(filepath.Base(file))
		if !ok {
			return Pin{}, fmt.Errorf("%s is not named as a plugin's binary: roomwire-auth-NAME or roomwire-backend-NAME, with lower-case letters, digits and hyphens", file)
		}
		name = p.Name
	}
	raw, err := launch.Sum(file)
	if err != nil {
		return Pin{}, fmt.Errorf("read the plugin's binary: %w", err)
	}
	sum := hex.EncodeToString(raw)
	if want != "" && !strings.EqualFold(want, sum) {
		return Pin{}, fmt.Errorf("%s has the SHA-256 sum %s, not %s: it is not what you wanted to install, and nothing was done", file, sum, strings.ToLower(want))
	}
	target := "roomwire-" + name + "@" + sum[:12]
	if runtime.GOOS == "windows" {
		target += ".exe"
	}
	p, ok := pinOf(target)
	if !ok {
		return Pin{}, fmt.Errorf("%q is no name of a plugin: auth-NAME or backend-NAME, with lower-case letters, digits and hyphens", name)
	}
	p.SHA256 = sum
	if there, err := launch.Sum(filepath.Join(dir, target)); err == nil && hex.EncodeToString(there) == sum {
		return p, nil
	}
	sweepUnfinished(dir)
	if err := copyBinary(filepath.Join(dir, target), file); err != nil {
		return Pin{}, fmt.Errorf("copy the plugin's binary: %w", err)
	}
	// What was copied is what was summed, unless somebody wrote the file meanwhile.
	if there, err := launch.Sum(filepath.Join(dir, target)); err != nil || hex.EncodeToString(there) != sum {
		return Pin{}, errors.Join(fmt.Errorf("%s changed while it was copied; nothing is pinned", file), err, os.Remove(filepath.Join(dir, target)))
	}
	return p, nil
}

func copyBinary(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), unfinishedName)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }() // once renamed it is not there
	_, err = io.Copy(out, in)
	if err == nil && runtime.GOOS != "windows" {
		err = out.Chmod(0o755)
	}
	if err == nil {
		err = out.Sync()
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return rename(out.Name(), to)
}

// Take pins a binary of the folder in place of what is pinned of the same plugin, which becomes the previous one. A binary
// that is not there, or has another sum, is not pinned. What nobody can go back to any more is left for Sweep.
func Take(dir string, p Pin) error {
	pins, err := readOrNone(dir)
	if err != nil {
		return err
	}
	there, err := launch.Sum(filepath.Join(dir, p.File))
	if err != nil {
		return fmt.Errorf("the binary of plugin %s is no longer there: %w", p.Name, err)
	}
	if got := hex.EncodeToString(there); got != p.SHA256 {
		return fmt.Errorf("%s is no longer what was to be pinned (SHA-256 %s, wanted %s)", filepath.Join(dir, p.File), got, p.SHA256)
	}
	p.Previous = nil
	i := indexOf(pins, p.Name)
	switch {
	case i < 0:
		pins = append(pins, p)
	case pins[i].same(p):
		return nil
	default:
		p.Previous = pins[i].alone()
		pins[i] = p
	}
	if !p.byHand() { // it is meant from now on, not from when it was copied: what WriteLock goes by
		now := time.Now()
		if err := os.Chtimes(filepath.Join(dir, p.File), now, now); err != nil {
			return fmt.Errorf("note when plugin %s was pinned: %w", p.Name, err)
		}
	}
	return writePins(dir, pins)
}

// Before returns what was pinned of a plugin before what is pinned now. It is an error if nothing was, or if it is no longer
// what it was.
func Before(dir, name string) (Pin, error) {
	now, err := pinned(dir, name)
	if err != nil {
		return Pin{}, err
	}
	if now.Previous == nil {
		return Pin{}, fmt.Errorf("plugin %s has no earlier version in %s: install the one you want with `roomwire plugin swap %s FILE`", name, dir, name)
	}
	found, err := launch.Sum(filepath.Join(dir, now.Previous.File))
	if err != nil {
		return Pin{}, fmt.Errorf("the earlier version of plugin %s: %w", name, err)
	}
	if hex.EncodeToString(found) != now.Previous.SHA256 {
		return Pin{}, fmt.Errorf("the earlier version of plugin %s, %s, is not what it was when it was pinned; it is not taken", name, filepath.Join(dir, now.Previous.File))
	}
	return *now.Previous, nil
}

// Unpin has a plugin not started any more. It reports whether it was pinned.
func Unpin(dir, name string) (bool, error) {
	pins, err := readOrNone(dir)
	if err != nil {
		return false, err
	}
	i := indexOf(pins, name)
	if i < 0 {
		return false, nil
	}
	return true, writePins(dir, slices.Delete(pins, i, i+1))
}

// Drop unpins a plugin and removes its binaries. It reports whether there was anything.
func Drop(dir, name string) (bool, error) {
	was, err := Unpin(dir, name) // first: what is left of the files is not started any more
	if err != nil {
		return false, err
	}
	found, err := binaries(dir)
	if err != nil {
		return was, err
	}
	for _, f := range found {
		if f.Name != name {
			continue
		}
		was = true
		if err := os.Remove(filepath.Join(dir, f.File)); err != nil {
			return was, fmt.Errorf("plugin %s is no longer pinned, but its binary is still there: %w", name, err)
		}
	}
	return was, nil
}

// Discard removes a staged binary that is not pinned after all.
func Discard(dir string, p Pin) error {
	pins, err := readOrNone(dir)
	if err != nil {
		return err
	}
	if p.byHand() || keeps(pins, p.File) {
		return nil
	}
	return os.Remove(filepath.Join(dir, p.File))
}

// Sweep removes what Stage put there for a plugin and is neither pinned nor the one before. On Windows a binary that still
// runs cannot be removed; the next Sweep will.
func Sweep(dir, name string) error {
	pins, err := readOrNone(dir)
	if err != nil {
		return err
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read the plugin folder: %w", err)
	}
	var errs []error
	for _, e := range found {
		f, ok := pinOf(e.Name())
		if !ok || f.Name != name || f.byHand() || keeps(pins, f.File) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, f.File)); err != nil && runtime.GOOS != "windows" {
			errs = append(errs, fmt.Errorf("an older binary of plugin %s cannot be removed: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// unfinishedName is what a file is called while copyBinary writes it.
const unfinishedName = ".new-*"

// sweepUnfinished removes what a Stage that crashed left half written. The hour is for one that is still at it.
func sweepUnfinished(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, unfinishedName)) // an error can only be in the pattern
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > time.Hour {
			_ = os.Remove(path) // what stays is in nobody's way but the disk's, and the next Stage tries again
		}
	}
}

func keeps(pins []Pin, file string) bool {
	return slices.ContainsFunc(pins, func(p Pin) bool {
		return p.File == file || p.Previous != nil && p.Previous.File == file
	})
}

// readOrNone returns the pins of a folder; none if it has no list yet.
func readOrNone(dir string) ([]Pin, error) {
	pins, err := ReadLock(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return pins, err
}
