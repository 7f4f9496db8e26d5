package config

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the findings into testdata/faults instead of comparing them")

// sections cuts a test file at its "-- NAME --" lines.
func sections(t *testing.T, path string) (names []string, text map[string]string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = map[string]string{}
	marker := regexp.MustCompile(`(?m)^-- (\S+) --\n`)
	at := marker.FindAllStringSubmatchIndex(string(data), -1)
	for i, m := range at {
		end := len(data)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name := string(data[m[2]:m[3]])
		names = append(names, name)
		text[name] = string(data[m[1]:end])
	}
	return names, text
}

// loadFiles loads a folder of files; the section "environ" is the environment.
func loadFiles(t *testing.T, files map[string]string) (*Config, Diagnostics, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if name == "environ" || name == "want" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := strings.Split(strings.TrimSpace(files["environ"]), "\n")
	c, diags := Load(Source{Dir: dir, Environ: environ, Executable: filepath.Join(dir, "bin", "roomwire")})
	return c, diags, dir
}

// TestEveryFaultIsExplained compares the printed findings with testdata/faults,
// and holds each to the promise: place, caret, remedy, and no secret.
func TestEveryFaultIsExplained(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/faults/*.txt")
	if err != nil || len(paths) < 50 {
		t.Fatalf("found %d test files, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			names, files := sections(t, path)
			c, diags, dir := loadFiles(t, files)
			got := strings.ReplaceAll(filepath.ToSlash(diags.String()), filepath.ToSlash(dir), "configs")
			if *update {
				rewrite(t, path, names, files, got)
			} else if got != files["want"] {
				t.Errorf("findings:\n%s\nwant:\n%s", got, files["want"])
			}
			if len(diags) == 0 {
				t.Error("no finding at all")
			}
			if diags.HasErrors() != (c == nil) || diags.HasErrors() != (diags.Err() != nil) {
				t.Errorf("Load = %v with HasErrors %v, Err %v", c, diags.HasErrors(), diags.Err())
			}
			if strings.Contains(got, "hunt") || strings.Contains(got, "er2") {
				t.Errorf("a finding shows a password:\n%s", got)
			}
			for _, d := range diags {
				held(t, d)
			}
		})
	}
}

func held(t *testing.T, d Diagnostic) {
	t.Helper()
	if d.Remedy == "" {
		t.Errorf("%q says nothing of what to do", d.Summary)
	}
	if d.Severity == Error && d.File == "" {
		t.Errorf("%q has no place", d.Summary)
	}
	if !strings.HasPrefix(d.File, "environment") && d.File != "" {
		if d.Line < 1 || d.Column < 1 || !strings.Contains(d.String(), "^") {
			t.Errorf("%q has no line with a caret: %+v", d.Summary, d)
		}
	}
}

func rewrite(t *testing.T, path string, names []string, files map[string]string, got string) {
	t.Helper()
	var b strings.Builder
	for _, name := range names {
		if name != "want" {
			b.WriteString("-- " + name + " --\n" + files[name])
		}
	}
	b.WriteString("-- want --\n" + got)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTablesAreSound keeps the reference tables usable by documentation.
func TestTablesAreSound(t *testing.T) {
	t.Parallel()
	var walk func(b block)
	walk = func(b block) {
		seen := map[string]bool{}
		for _, a := range b.attrs {
			if a.doc == "" || seen[a.name] {
				t.Errorf("%s.%s: doc %q, repeated %v", b.name, a.name, a.doc, seen[a.name])
			}
			seen[a.name] = true
			if a.def != "" {
				if _, f := a.check(a.def); f.what != "" {
					t.Errorf("%s.%s: the default is refused: %s", b.name, a.name, f.what)
				}
			}
		}
		for _, c := range b.blocks {
			walk(c)
		}
	}
	walk(schema())
	walk(roomsKeys())
	for _, plugin := range slices.Sorted(maps.Keys(authSettings())) {
		for _, name := range authSettings()[plugin] {
			if _, ok := syncModeBlock().attr(name); !ok {
				t.Errorf("%s: no setting %s", plugin, name)
			}
		}
	}
}
