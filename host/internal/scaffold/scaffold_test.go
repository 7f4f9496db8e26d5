package scaffold

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/launch"
)

// checkout is this repository.
const checkout = "../../.."

// run runs the Go tool in a written module.
func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestWhatIsWrittenBuildsAndKeepsTheContract(t *testing.T) {
	t.Parallel()
	files := []string{".gitignore", "Makefile", "README.md", "conformance_test.go", "go.mod", "main.go"}
	for kind, tc := range map[string]struct {
		lines    int // of the plugin's own code at most
		settings []string
	}{
		"auth":    {40, []string{"token"}},
		"backend": {122, []string{"page_size"}},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "new")
			m, err := Write(Options{Kind: kind, Name: "my-own", Dir: dir, Module: "example.com/mine", SDK: checkout})
			if err != nil {
				t.Fatal(err)
			}
			if m.Binary != "roomwire-"+kind+"-my-own" || m.Path != "example.com/mine" || !slices.Equal(m.Files, files) {
				t.Errorf("written %+v", m)
			}
			if n := linesOfCode(t, dir); n > tc.lines {
				t.Errorf("the plugin's own code is %d lines, want %d at most", n, tc.lines)
			}
			if out, err := exec.CommandContext(t.Context(), "gofmt", "-l", dir).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("gofmt: %v %s", err, out)
			}
			if err := m.Tidy(t.Context()); err != nil {
				t.Fatal(err)
			}
			run(t, dir, "vet", "./...")
			run(t, dir, "test", "./...")
			binary := filepath.Join(t.TempDir(), m.Binary+".exe")
			run(t, dir, "build", "-o", binary, ".")
			startsAs(t, binary, kind, tc.settings)
		})
	}
}

// linesOfCode counts the lines of a module's files in Go but for its tests, without blank ones and those of comments, and
// checks that none was saved by making others long.
func linesOfCode(t *testing.T, dir string) (n int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("files in Go: %v, %v", names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\n")
			if len([]rune(line)) > 130 {
				t.Errorf("%s has a line that is too long: %s", filepath.Base(name), line)
			}
			code := strings.TrimSpace(line)
			if !strings.HasSuffix(name, "_test.go") && code != "" && !strings.HasPrefix(code, "//") {
				n++
			}
		}
	}
	return n
}

// startsAs checks that a binary runs as the host runs it.
func startsAs(t *testing.T, binary, kind string, settings []string) {
	t.Helper()
	sum, err := launch.Sum(binary)
	if err != nil {
		t.Fatal(err)
	}
	p, err := launch.Start(t.Context(), launch.Options{Path: binary, SHA256: sum, Log: hclog.NewNullLogger(), RunDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	about := p.Description()
	var names []string
	for _, s := range about.Settings {
		names = append(names, s.Name)
	}
	if string(about.Kind) != kind || about.Name != "my-own" || !slices.Equal(names, settings) {
		t.Errorf("it describes itself as %+v", about)
	}
	if err := p.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "main.go"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"a folder with something in it": {func(o *Options) { o.Dir = full }, "--dir"},
		"a file in the folder's place":  {func(o *Options) { o.Dir = filepath.Join(full, "main.go") }, "look whether"},
		"another kind":                  {func(o *Options) { o.Kind = "frontend" }, "auth or backend"},
		"capitals":                      {func(o *Options) { o.Name = "Mine" }, "lower-case"},
		"no name":                       {func(o *Options) { o.Name = "" }, "lower-case"},
		"a path for a name":             {func(o *Options) { o.Name = "../mine" }, "lower-case"},
		"a hyphen at the end":           {func(o *Options) { o.Name = "mine-" }, "lower-case"},
		"a line end in the module":      {func(o *Options) { o.Module = "a\nb" }, "example.com/roomwire-auth-mine"},
		"no checkout":                   {func(o *Options) { o.SDK = full }, "no checkout"},
		"a version of one's own":        {func(o *Options) { o.SDK, o.Version = "", "v1.2.0-5-g0123abc" }, "--sdk"},
		"no version":                    {func(o *Options) { o.SDK, o.Version = "", "dev" }, "--sdk"},
	} {
		o := Options{Kind: "auth", Name: "mine", Dir: filepath.Join(t.TempDir(), "new"), SDK: checkout}
		tc.change(&o)
		if _, err := Write(o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tc.want)
		}
		if _, err := os.Stat(filepath.Join(o.Dir, "go.mod")); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}

func TestAReleaseNeedsNoCheckout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // an empty folder is as good as none
	if _, err := Write(Options{Kind: "backend", Name: "mine", Dir: dir, Version: "v1.2.0"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.Contains(string(text), "require github.com/roomwire/roomwire v1.2.0\n") || strings.Contains(string(text), "replace") ||
		!strings.HasPrefix(string(text), "module roomwire-backend-mine\n") {
		t.Errorf("go.mod, %v:\n%s", err, text)
	}
	for version, want := range map[string]bool{
		"v1.2.3": true, "v1.2.3-rc.1": true, "dev": false, "1.2.3": false, "v1.2.3-dirty": false, "v1.2.3-4-gabcdef0-dirty": false, "abcdef0": false,
	} {
		if Released(version) != want {
			t.Errorf("Released(%q) = %v", version, !want)
		}
	}
}

func TestACheckoutIsFoundUpwards(t *testing.T) {
	t.Parallel()
	want, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{".": want, checkout: want, "templates/common": want, t.TempDir(): ""} {
		if got := Checkout(dir); got != want {
			t.Errorf("the checkout of %s is %q, want %q", dir, got, want)
		}
	}
	if got := quoted("/a b/c"); got != `"/a b/c"` {
		t.Errorf("quoted = %s", got)
	}
}

func TestTroubleOfTheGoToolIsTold(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := (Module{Dir: t.TempDir()}).Tidy(t.Context()); !errors.Is(err, ErrNoGo) {
		t.Errorf("without Go: %v", err)
	}
}

func TestTroubleOfTidyIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := Module{Dir: dir}.Tidy(t.Context())
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "go.mod") {
		t.Errorf("without a go.mod: %v", err)
	}
}
