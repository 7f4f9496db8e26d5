package scaffold

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheTutorialsChangesKeepTheContract makes every change that docs/plugins/tutorial.md tells the reader to make, in the
// module that it tells the reader to begin with.
func TestTheTutorialsChangesKeepTheContract(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	m, err := Write(Options{Kind: "backend", Name: "mycal", Dir: dir, SDK: checkout})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.FromSlash(checkout + "/docs/plugins/tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	changes := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "```diff\n--- ")[1:]
	if len(changes) < 4 {
		t.Fatalf("the tutorial has %d changes", len(changes))
	}
	for _, c := range changes {
		block, _, _ := strings.Cut(c, "```")
		name, lines, _ := strings.Cut(block, "\n")
		var before, after strings.Builder
		for line := range strings.Lines(lines) {
			if old, gone := strings.CutPrefix(line, "-"); gone {
				before.WriteString(old)
			} else {
				after.WriteString(strings.TrimPrefix(line, "+"))
			}
		}
		path := filepath.Join(dir, name)
		program, err := os.ReadFile(path)
		if n := strings.Count(string(program), before.String()); err != nil || n != 1 {
			t.Fatalf("%s has this %d times, want once (%v):\n%s", name, n, err, before.String())
		}
		program = []byte(strings.Replace(string(program), before.String(), after.String(), 1))
		if err := os.WriteFile(path, program, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "vet", "./...")
	run(t, dir, "test", "-run", "TestInProcess", "./...")
}
