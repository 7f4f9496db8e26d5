package supervise

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/sdk/launch"
)

// LockFile is the name of the list of pins in a plugin folder. Each of its lines is a SHA-256 sum, two blanks and the
// name of a binary, as sha256sum writes and checks them; lines that begin with # are comments.
const LockFile = "plugins.lock"

// A Pin is a plugin binary that may be started.
type Pin struct {
	Name   string // e.g. auth-ntlm, backend-exchange2013
	Kind   string // auth or backend
	File   string // name of the binary within the folder
	SHA256 string // in hexadecimal
}

// States of an Entry.
const (
	StateGood    = "good"
	StateMissing = "missing: pinned, but not there"
	StateChanged = "changed: not what was pinned, so it is not started"
	StateUnknown = "unknown: not pinned, so it is not started"
)

// An Entry is a plugin of a folder, pinned or not.
type Entry struct {
	Pin
	Found string // the sum of the binary that is there, in hexadecimal; empty if there is none
	State string
}

var binaryName = regexp.MustCompile(`^roomwire-((auth|backend)-[a-z0-9]+(?:-[a-z0-9]+)*)(?:\.exe)?$`)

func pinOf(file string) (Pin, bool) {
	m := binaryName.FindStringSubmatch(file)
	if m == nil {
		return Pin{}, false
	}
	return Pin{Name: m[1], Kind: m[2], File: file}, true
}

// WriteLock pins every plugin binary of a folder as it is now.
func WriteLock(dir string) ([]Pin, error) {
	pins, err := binaries(dir)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("# The plugin binaries that may be started, as `roomwire plugin lock` found them.\n")
	for _, p := range pins {
		fmt.Fprintf(&b, "%s  %s\n", p.SHA256, p.File)
	}
	path := filepath.Join(dir, LockFile)
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(b.String()), 0o644); err != nil {
		return nil, fmt.Errorf("pin the plugins: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return nil, fmt.Errorf("pin the plugins: %w", err)
	}
	return pins, nil
}

// binaries lists the plugin binaries of a folder with their sums.
func binaries(dir string) ([]Pin, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the plugin folder: %w", err)
	}
	var pins []Pin
	for _, e := range entries {
		p, ok := pinOf(e.Name())
		if !ok || e.IsDir() {
			continue
		}
		sum, err := launch.Sum(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read plugin %s: %w", e.Name(), err)
		}
		p.SHA256 = hex.EncodeToString(sum)
		pins = append(pins, p)
	}
	return pins, nil
}

// ReadLock returns the pins of a folder. A line that is none is an error that names it.
func ReadLock(dir string) ([]Pin, error) {
	path := filepath.Join(dir, LockFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: no plugin is trusted until its binary is pinned; run `roomwire plugin lock`", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the pins of the plugins: %w", err)
	}
	defer f.Close()
	var pins []Pin
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		sum, file, _ := strings.Cut(line, " ")
		file = strings.TrimLeft(file, " *")
		p, ok := pinOf(file)
		raw, err := hex.DecodeString(sum)
		if !ok || err != nil || len(raw) != 32 {
			return nil, fmt.Errorf("%s:%d: want a SHA-256 sum, two blanks and the name of a plugin binary; run `roomwire plugin lock` to write the file anew", path, n)
		}
		p.SHA256 = strings.ToLower(sum)
		pins = append(pins, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return pins, nil
}

// List compares the pins of a folder with its binaries.
func List(dir string) ([]Entry, error) {
	pins, err := ReadLock(dir)
	if err != nil {
		return nil, err
	}
	found, err := binaries(dir)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, p := range pins {
		e := Entry{Pin: p, State: StateMissing}
		if i := slices.IndexFunc(found, func(f Pin) bool { return f.File == p.File }); i >= 0 {
			e.State, e.Found = StateGood, found[i].SHA256
			if found[i].SHA256 != p.SHA256 {
				e.State = StateChanged
			}
		}
		entries = append(entries, e)
	}
	for _, f := range found {
		if !slices.ContainsFunc(pins, func(p Pin) bool { return p.File == f.File }) {
			entries = append(entries, Entry{Pin: f, Found: f.SHA256, State: StateUnknown})
		}
	}
	return entries, nil
}

// pinned returns the pin of a plugin.
func pinned(dir, name string) (Pin, error) {
	pins, err := ReadLock(dir)
	if err != nil {
		return Pin{}, err
	}
	for _, p := range pins {
		if p.Name == name {
			return p, nil
		}
	}
	return Pin{}, fmt.Errorf("plugin %q is not in %s: put its binary roomwire-%s into that folder and run `roomwire plugin lock`",
		name, filepath.Join(dir, LockFile), name)
}
