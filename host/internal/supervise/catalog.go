package supervise

import (
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

func indexOf(pins []Pin, name string) int {
	return slices.IndexFunc(pins, func(p Pin) bool { return p.Name == name })
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
	pins, bad, err := readLock(dir)
	if err == nil && len(bad) > 0 {
		return nil, fmt.Errorf("%s:%d: %s", filepath.Join(dir, LockFile), bad[0].n, bad[0].why)
	}
	return pins, err
}

// A badLine is one of the list of pins that cannot stand there.
type badLine struct {
	n         int
	text, why string
	twice     bool // it is a pin, of a plugin that is pinned already
}

// readLock returns the pins of a folder and the lines that are none.
func readLock(dir string) (pins []Pin, bad []badLine, err error) {
	path := filepath.Join(dir, LockFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no %s: no plugin is trusted until its binary is pinned; run `roomwire plugin lock`: %w", path, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the pins of the plugins: %w", err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		before, previous := strings.CutPrefix(line, previousMark)
		if line == "" || strings.HasPrefix(line, "#") && !previous {
			continue
		}
		p, ok := parsePin(before)
		no := badLine{n: n, text: line}
		switch {
		case !ok:
			no.why = "want a SHA-256 sum, two blanks and the name of a plugin binary; run `roomwire plugin lock` to write the file anew"
		case previous && (len(pins) == 0 || pins[len(pins)-1].Name != p.Name):
			no.why = "a previous binary must stand behind the pin of the same plugin; run `roomwire plugin lock` to write the file anew"
		case previous:
			pins[len(pins)-1].Previous = &p
			continue
		case indexOf(pins, p.Name) >= 0:
			no.why, no.twice = fmt.Sprintf("plugin %s is pinned twice; delete the line that is not meant", p.Name), true
		default:
			pins = append(pins, p)
			continue
		}
		bad = append(bad, no)
	}
	return pins, bad, nil
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
	return compared(pins, found), nil
}

// Unpinned lists the binaries of a folder as if none were pinned; none if there is no such folder.
func Unpinned(dir string) ([]Entry, error) {
	found, err := binaries(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return compared(nil, found), err
}

func compared(pins, found []Pin) []Entry {
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
	return entries
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
	p, err := launch.Start(ctx, launch.Options{Path: path, SHA256: sum, Log: o.Log.Named(pin.Name), RunDir: o.RunDir})
	if err != nil {
		return live{}, notStarted(path, pin, err)
	}
	if got := string(p.Description().Kind); got != pin.Kind {
		stop, cancel := context.WithTimeout(ctx, drainTime)
		defer cancel()
		_ = p.Stop(stop)
		return live{}, fmt.Errorf("%s says that it is a plugin of kind %s, but is named as one of kind %s", path, got, pin.Kind)
	}
	return live{process: p, file: pin.File, sum: pin.SHA256}, nil
}

// notStarted says why a binary was not started. Whether it is what was pinned, Start has looked; here is said what to do.
func notStarted(path string, pin Pin, err error) error {
	found, unread := launch.Sum(path)
	if unread != nil {
		return fmt.Errorf("read the binary of plugin %s: %w; put it back, or correct plugins.dir", pin.Name, unread)
	}
	if got := hex.EncodeToString(found); got != pin.SHA256 {
		return fmt.Errorf("%s is not the binary that was pinned (SHA-256 %s, pinned %s): if the change is meant, run `roomwire plugin lock`, else put the old binary back",
			path, got, pin.SHA256)
	}
	return err
}
