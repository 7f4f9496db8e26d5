// Package scaffold writes the module of a new plugin: one that compiles, passes the conformance suite, and is to be
// changed from there.
package scaffold

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// sdkModule is the module that a plugin needs.
const sdkModule = "github.com/roomwire/roomwire"

// Options say what to write.
type Options struct {
	Kind   string // "auth" or "backend"
	Name   string // of the plugin, e.g. caldav
	Dir    string // of the module; it must be empty or not there
	Module string // its path; empty: the binary's name
	// SDK is a checkout of Roomwire that the module is built with. Without one, Version is.
	SDK     string
	Version string // a released version of Roomwire, e.g. v1.2.0
}

// A Module is what was written.
type Module struct {
	Dir    string
	Path   string   // the module's
	Binary string   // the name that the host knows the plugin by, without .exe
	Files  []string // within Dir, in order
}

var (
	goodName    = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`)
	goodModule  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(?:/[A-Za-z0-9._~-]+)*$`)
	goodVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?$`)
	described   = regexp.MustCompile(`-[0-9]+-g[0-9a-f]{7,}(?:-dirty)?$|-dirty$`) // git describe, past a release
)

// Released reports whether a version of the program is one that the Go tool can find.
func Released(version string) bool {
	return goodVersion.MatchString(version) && !described.MatchString(version)
}

// filled is what the templates are filled with.
type filled struct {
	Options
	Binary, Title, Replace, Go string
}

// Write writes the module. It never writes over anything.
func Write(o Options) (Module, error) {
	f, err := o.fill()
	if err != nil {
		return Module{}, err
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Module{}, fmt.Errorf("look whether the folder of the new plugin is empty: %w", err)
	}
	if len(entries) > 0 {
		return Module{}, fmt.Errorf("%s is not empty, and nothing is written over: name another folder with --dir", o.Dir)
	}
	m := Module{Dir: o.Dir, Path: f.Module, Binary: f.Binary}
	for _, from := range []string{"common", o.Kind} {
		if err := m.write(path.Join("templates", from), f); err != nil {
			return Module{}, fmt.Errorf("write the new plugin to %s: %w", o.Dir, err)
		}
	}
	slices.Sort(m.Files)
	return m, nil
}

func (o Options) fill() (filled, error) {
	f := filled{Options: o, Binary: "roomwire-" + o.Kind + "-" + o.Name, Go: goVersion()}
	switch {
	case o.Kind != "auth" && o.Kind != "backend":
		return f, fmt.Errorf("a plugin is of the kind auth or backend, not %q", o.Kind)
	case !goodName.MatchString(o.Name):
		return f, fmt.Errorf("%q cannot be a plugin's name: lower-case letters and digits, with single hyphens between, as in my-calendar", o.Name)
	}
	if f.Module == "" {
		f.Module = f.Binary
	}
	if !goodModule.MatchString(f.Module) {
		return f, fmt.Errorf("%q cannot be the path of a Go module: name one such as example.com/%s", f.Module, f.Binary)
	}
	f.Title = strings.ToUpper(o.Name[:1]) + o.Name[1:]
	if o.SDK == "" {
		if !Released(o.Version) {
			return f, fmt.Errorf("this roomwire is version %q, which is no release that the Go tool can find: name a checkout of Roomwire with --sdk PATH", o.Version)
		}
		return f, nil
	}
	if !isCheckout(o.SDK) {
		return f, fmt.Errorf("%s is no checkout of Roomwire: its go.mod should say \"module %s\"", o.SDK, sdkModule)
	}
	abs, err := filepath.Abs(o.SDK)
	if err != nil {
		return f, fmt.Errorf("find the checkout of Roomwire: %w", err)
	}
	f.Version, f.Replace = "v0.0.0", quoted(filepath.ToSlash(abs))
	return f, nil
}

// quoted is a path as go.mod wants it.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t\"'`(),") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

// goVersion is the language version of this program's own module, without a patch release.
func goVersion() string {
	parts := strings.SplitN(strings.TrimPrefix(runtime.Version(), "go"), ".", 3)
	if len(parts) < 2 || strings.ContainsFunc(parts[0]+parts[1], func(r rune) bool { return r < '0' || r > '9' }) {
		return "1.26.0" // a Go that was built from its sources
	}
	return parts[0] + "." + parts[1] + ".0"
}

// write fills the templates of a folder.
func (m *Module) write(from string, f filled) error {
	entries, err := templates.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.Dir, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		text, err := templates.ReadFile(path.Join(from, e.Name()))
		if err != nil {
			return err
		}
		t, err := template.New(e.Name()).Delims("[[", "]]").Parse(string(text))
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, f); err != nil {
			return err
		}
		name := strings.TrimSuffix(e.Name(), ".tmpl")
		if name == "gitignore" {
			name = ".gitignore"
		}
		if err := os.WriteFile(filepath.Join(m.Dir, name), b.Bytes(), 0o644); err != nil {
			return err
		}
		m.Files = append(m.Files, name)
	}
	return nil
}

// Checkout returns the checkout of Roomwire that a folder is in, or nothing.
func Checkout(dir string) string {
	dir, err := filepath.Abs(dir)
	for err == nil && !isCheckout(dir) {
		if filepath.Dir(dir) == dir {
			return ""
		}
		dir = filepath.Dir(dir)
	}
	if err != nil {
		return ""
	}
	return dir
}

func isCheckout(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "module" {
			return fields[1] == sdkModule
		}
	}
	return false
}

// ErrNoGo means that there is no Go on this machine, or not where programs are looked for.
var ErrNoGo = errors.New("there is no Go on this machine: install it, then run `go mod tidy` in the folder")

// Tidy has the Go tool complete go.mod and write go.sum, which it needs before it builds anything.
func (m Module) Tidy(ctx context.Context) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return ErrNoGo
	}
	cmd := exec.CommandContext(ctx, tool, "mod", "tidy")
	cmd.Dir = m.Dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("`go mod tidy` in %s: %w\n%s", m.Dir, err, bytes.TrimSpace(out))
	}
	return nil
}
