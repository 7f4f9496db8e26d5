package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A Locked says what WriteLock did.
type Locked struct {
	Pins    []Pin
	Changes []Change // of pins; empty if the list says what it said before
	// Passed are binaries that were put there by hand and are no newer than what is pinned of the same plugin, which stays.
	Passed []Pin
	// Unread are the lines of the list before, with their numbers, that were no pins. They are gone.
	Unread []string
}

// A Change is a plugin of which another binary is pinned than before. From or To is empty if none is.
type Change struct{ Name, From, To string }

// WriteLock pins the plugin binaries of a folder as they are now. Of a plugin with several, what is pinned stays so,
// unless a newer binary was put there by hand: then that is meant.
//
// What is installed is not pinned again from nothing, since nothing says which version is meant: an error names the
// plugins of which this is so. The others are pinned nevertheless, and the Locked is valid.
func WriteLock(dir string) (Locked, error) {
	found, err := binaries(dir)
	if err != nil {
		return Locked{}, err
	}
	before, bad, err := readLock(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Locked{}, err
	}
	var out Locked
	for _, b := range bad {
		if b.twice { // either may be the one that is meant
			return Locked{}, fmt.Errorf("%s:%d: %s", filepath.Join(dir, LockFile), b.n, b.why)
		}
		out.Unread = append(out.Unread, fmt.Sprintf("%d: %.120q", b.n, b.text))
	}
	var open []error
	for _, name := range names(before, found) {
		c := choice{dir: dir, name: name, found: slices.DeleteFunc(slices.Clone(found), func(f Pin) bool { return f.Name != name })}
		if i := indexOf(before, name); i >= 0 {
			c.was = &before[i]
		}
		pin, err := c.make()
		if err != nil {
			open = append(open, err)
		}
		change := Change{Name: name}
		if c.was != nil {
			change.From = c.was.SHA256
		}
		if pin != nil {
			change.To = pin.SHA256
			out.Pins = append(out.Pins, *pin)
		}
		if change.From != change.To {
			out.Changes = append(out.Changes, change)
		}
		out.Passed = append(out.Passed, c.passed...)
	}
	return out, errors.Join(append(open, writePins(dir, out.Pins))...)
}

// names lists the plugins of pins, sorted.
func names(pins ...[]Pin) []string {
	var all []string
	for _, p := range slices.Concat(pins...) {
		all = append(all, p.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A choice is to be made among the binaries of one plugin.
type choice struct {
	dir, name string
	found     []Pin
	was       *Pin  // what is pinned; nil if that is not known
	passed    []Pin // what make did not take though somebody put it there by hand
}

// make returns what is to be pinned; nil for nothing. With an error, it is what was.
func (c *choice) make() (*Pin, error) {
	if c.was != nil && slices.ContainsFunc(c.found, c.was.same) {
		return c.newer()
	}
	// Nothing is known, or what was pinned is not there any more.
	changed := c.was != nil && c.was.byHand()
	var installed []string
	var hand *Pin
	for _, f := range c.found {
		switch {
		case !f.byHand():
			installed = append(installed, f.File)
		case hand == nil:
			hand = &f
		}
	}
	if hand != nil && !changed {
		for _, file := range installed {
			later, err := c.later(hand.File, file)
			if err != nil {
				return c.was, err
			}
			if !later {
				return c.was, c.unsettled(append(installed, hand.File))
			}
		}
	}
	switch {
	case hand != nil:
		if p := c.was; p != nil && p.Previous != nil && !hand.same(*p.Previous) && slices.ContainsFunc(c.found, p.Previous.same) {
			hand.Previous = p.Previous
		}
		return hand, nil
	case len(installed) > 0:
		return c.was, c.unsettled(installed)
	}
	return nil, nil
}

// newer returns what is pinned, which is there, or what was put there by hand after it.
func (c *choice) newer() (*Pin, error) {
	for _, f := range c.found {
		if !f.byHand() || f.SHA256 == c.was.SHA256 || c.was.Previous != nil && f.same(*c.was.Previous) {
			continue
		}
		later, err := c.later(f.File, c.was.File)
		if err != nil {
			return c.was, err
		}
		if later {
			f.Previous = c.was.alone()
			return &f, nil
		}
		c.passed = append(c.passed, f)
	}
	return c.was, nil
}

// later reports whether a file was written after another.
func (c *choice) later(file, than string) (bool, error) {
	a, err := os.Stat(filepath.Join(c.dir, file))
	if err != nil {
		return false, fmt.Errorf("when was plugin %s written: %w", c.name, err)
	}
	b, err := os.Stat(filepath.Join(c.dir, than))
	if err != nil {
		return false, fmt.Errorf("when was plugin %s written: %w", c.name, err)
	}
	return a.ModTime().After(b.ModTime()), nil
}

func (c *choice) unsettled(files []string) error {
	for i, f := range files {
		files[i] = filepath.Join(c.dir, f)
	}
	one := "run `roomwire plugin install FILE` with the one that is meant of " + strings.Join(files, ", ")
	if c.was == nil {
		return fmt.Errorf("plugin %s is not pinned, since nothing says which of its versions is meant: %s", c.name, one)
	}
	return fmt.Errorf("plugin %s stays pinned to %s, which is not there as it was: %s", c.name, filepath.Join(c.dir, c.was.File), one)
}

// same reports whether two pins are of the same file with the same sum.
func (p Pin) same(o Pin) bool { return p.File == o.File && p.SHA256 == o.SHA256 }

// alone is a pin without what was before it.
func (p Pin) alone() *Pin {
	p.Previous = nil
	return &p
}

// writePins replaces the list of pins. A crash leaves the one before.
func writePins(dir string, pins []Pin) error {
	slices.SortFunc(pins, func(a, b Pin) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString("# The plugin binaries that may be started. Written by `roomwire plugin`; sha256sum -c checks it.\n")
	for _, p := range pins {
		fmt.Fprintf(&b, "%s  %s\n", p.SHA256, p.File)
		if p.Previous != nil {
			fmt.Fprintf(&b, "%s%s  %s\n", previousMark, p.Previous.SHA256, p.Previous.File)
		}
	}
	if err := replaceFile(filepath.Join(dir, LockFile), []byte(b.String())); err != nil {
		return fmt.Errorf("pin the plugins: %w", err)
	}
	return nil
}

// replaceFile writes a file that is there whole or not at all, also after a power cut.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // once renamed it is not there
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return rename(f.Name(), path)
}

// rename replaces a file by another. Windows refuses that while anybody has it open, as the host has while it reads the
// pins, so there it is tried again for most of a second.
func rename(from, to string) error {
	var pauses []time.Duration
	if runtime.GOOS == "windows" {
		for p := 20 * time.Millisecond; p < 500*time.Millisecond; p *= 2 {
			pauses = append(pauses, p)
		}
	}
	return again(pauses, func() error { return os.Rename(from, to) })
}

// again makes a try, and another after each of the pauses as long as it fails.
func again(pauses []time.Duration, try func() error) error {
	err := try()
	for _, p := range pauses {
		if err == nil {
			break
		}
		time.Sleep(p)
		err = try()
	}
	return err
}
