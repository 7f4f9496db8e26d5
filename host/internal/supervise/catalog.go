package supervise

import (
	"bufio"
	"context"
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
// name of a binary, as sha256sum writes and checks them; lines that begin with # are comments. A comment of the form
// "# previous: SUM  NAME" behind a pin names what was pinned before it. There is nothing else in the file, so it is the
// same wherever the same binaries are pinned, and may be kept in version control.
const LockFile = "plugins.lock"

const previousMark = "# previous: "

// A Pin is a plugin binary that may be started.
type Pin struct {
	Name     string // e.g. auth-ntlm, backend-exchange2013
	Kind     string // auth or backend
	File     string // name of the binary within the folder
	SHA256   string // in hexadecimal
	Previous *Pin   // what was pinned before; nil if that is not known
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

// binaryName is NAME as somebody puts it there by hand, or NAME@SUM as Stage does: so a new version never takes the file
// of the one that runs.
var binaryName = regexp.MustCompile(`^roomwire-((auth|backend)-[a-z0-9]+(?:-[a-z0-9]+)*)(@[0-9a-f]{12})?(?:\.exe)?$`)

func pinOf(file string) (Pin, bool) {
	m := binaryName.FindStringSubmatch(file)
	if m == nil {
		return Pin{}, false
	}
	return Pin{Name: m[1], Kind: m[2], File: file}, true
}

// byHand reports whether the binary was not put there by Stage.
func (p Pin) byHand() bool { return !strings.Contains(p.File, "@") }

// NameOf returns the name of the plugin whose binary has this file name.
func NameOf(file string) (name string, ok bool) {
	p, ok := pinOf(filepath.Base(file))
	return p.Name, ok
}

// namedPin is the pin of a binary that the plugin folder holds.
func namedPin(name, file, sum string) (Pin, error) {
	p, ok := pinOf(file)
	if raw, err := hex.DecodeString(sum); !ok || p.Name != name || err != nil || len(raw) != 32 {
		return Pin{}, fmt.Errorf("%q with the sum %q is no binary of plugin %s in the plugin folder", file, sum, name)
	}
	p.SHA256 = strings.ToLower(sum)
	return p, nil
}

// WriteLock pins the plugin binaries of a folder as they are now. Of a plugin with several, what is pinned stays so,
// unless a binary that is neither that one nor the one before was put there by hand: then that is meant.
func WriteLock(dir string) ([]Pin, error) {
	found, err := binaries(dir)
	if err != nil {
		return nil, err
	}
	before, _ := ReadLock(dir) // one that cannot be read is written anew
	var pins []Pin
	for _, f := range found {
		if slices.ContainsFunc(pins, func(p Pin) bool { return p.Name == f.Name }) {
			continue
		}
		pin, ok := f, f.byHand()
		if i := indexOf(before, f.Name); i >= 0 {
			pin, ok = choose(found, before[i])
		}
		if ok {
			pins = append(pins, pin)
		}
	}
	return pins, writePins(dir, pins)
}

// choose says what of the binaries found is pinned where this was.
func choose(found []Pin, was Pin) (Pin, bool) {
	is := func(f Pin, p *Pin) bool { return p != nil && f.File == p.File && f.SHA256 == p.SHA256 }
	kept := slices.ContainsFunc(found, func(f Pin) bool { return is(f, &was) })
	for _, f := range found {
		if f.Name != was.Name || !f.byHand() || is(f, &was) || kept && is(f, was.Previous) {
			continue
		}
		if kept && f.File != was.File {
			f.Previous = &Pin{Name: was.Name, Kind: was.Kind, File: was.File, SHA256: was.SHA256}
		}
		return f, true
	}
	return was, kept
}

func indexOf(pins []Pin, name string) int {
	return slices.IndexFunc(pins, func(p Pin) bool { return p.Name == name })
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
	return os.Rename(f.Name(), path)
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
		return nil, fmt.Errorf("there is no %s: no plugin is trusted until its binary is pinned; run `roomwire plugin lock`: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the pins of the plugins: %w", err)
	}
	defer f.Close()
	var pins []Pin
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		before, previous := strings.CutPrefix(line, previousMark)
		if line == "" || strings.HasPrefix(line, "#") && !previous {
			continue
		}
		p, ok := parsePin(before)
		switch {
		case !ok:
			return nil, fmt.Errorf("%s:%d: want a SHA-256 sum, two blanks and the name of a plugin binary; run `roomwire plugin lock` to write the file anew", path, n)
		case previous && (len(pins) == 0 || pins[len(pins)-1].Name != p.Name):
			return nil, fmt.Errorf("%s:%d: a previous binary must stand behind the pin of the same plugin; run `roomwire plugin lock` to write the file anew", path, n)
		case previous:
			pins[len(pins)-1].Previous = &p
		case indexOf(pins, p.Name) >= 0:
			return nil, fmt.Errorf("%s:%d: plugin %s is pinned twice; delete the line that is not meant", path, n, p.Name)
		default:
			pins = append(pins, p)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return pins, nil
}

func parsePin(line string) (Pin, bool) {
	sum, file, _ := strings.Cut(line, " ")
	p, ok := pinOf(strings.TrimLeft(file, " *"))
	raw, err := hex.DecodeString(sum)
	if !ok || err != nil || len(raw) != 32 {
		return Pin{}, false
	}
	p.SHA256 = strings.ToLower(sum)
	return p, true
}

// List compares the pins of a folder with its binaries. A binary that was pinned before another is no entry of its own.
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
	known := map[string]bool{}
	for _, p := range pins {
		e := Entry{Pin: p, State: StateMissing}
		if i := slices.IndexFunc(found, func(f Pin) bool { return f.File == p.File }); i >= 0 {
			e.State, e.Found = StateGood, found[i].SHA256
			if found[i].SHA256 != p.SHA256 {
				e.State = StateChanged
			}
		}
		known[p.File] = true
		if p.Previous != nil {
			known[p.Previous.File] = true
		}
		entries = append(entries, e)
	}
	for _, f := range found {
		if !known[f.File] {
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
	if i := indexOf(pins, name); i >= 0 {
		return pins[i], nil
	}
	return Pin{}, &notInstalledError{fmt.Sprintf("plugin %q is not in %s: add it with `roomwire plugin install FILE`, or put its binary roomwire-%s there and run `roomwire plugin lock`",
		name, filepath.Join(dir, LockFile), name)}
}

// launcher returns a function that starts a plugin as it is pinned at that moment.
func launcher(o Options, name string) func(context.Context) (live, error) {
	return func(ctx context.Context) (live, error) {
		pin, err := pinned(o.Dir, name)
		if err != nil {
			return live{}, err
		}
		return o.launch(ctx, pin)
	}
}

// launch starts a binary of the plugin folder, if it has the sum that the pin says.
func (o Options) launch(ctx context.Context, pin Pin) (live, error) {
	sum, err := hex.DecodeString(pin.SHA256)
	if err != nil {
		return live{}, err
	}
	path := filepath.Join(o.Dir, pin.File)
	found, err := launch.Sum(path)
	if err != nil {
		return live{}, fmt.Errorf("read the binary of plugin %s: %w; put it back, or correct plugins.dir", pin.Name, err)
	}
	if got := hex.EncodeToString(found); got != pin.SHA256 {
		return live{}, fmt.Errorf("%s is not the binary that was pinned (SHA-256 %s, pinned %s): if the change is meant, run `roomwire plugin lock`, else put the old binary back",
			path, got, pin.SHA256)
	}
	p, err := launch.Start(ctx, launch.Options{Path: path, SHA256: sum, Log: o.Log.Named(pin.Name), RunDir: o.RunDir})
	if err != nil {
		return live{}, err
	}
	if got := string(p.Description().Kind); got != pin.Kind {
		stop, cancel := context.WithTimeout(ctx, drainTime)
		defer cancel()
		_ = p.Stop(stop)
		return live{}, fmt.Errorf("%s says that it is a plugin of kind %s, but is named as one of kind %s", path, got, pin.Kind)
	}
	return live{process: p, file: pin.File, sum: pin.SHA256}, nil
}
