package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The README is the first thing that a newcomer tries: what it names must be there.
func TestWhatTheReadmeNamesIsThere(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	read := func(name string) string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	readme, makefile := read("README.md"), read("Makefile")

	links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(readme, -1)
	folders := regexp.MustCompile("(?m)^\\| `([a-z]+/)` \\|").FindAllStringSubmatch(readme, -1)
	if len(links) < 4 || len(folders) < 8 {
		t.Fatalf("found %d links and %d folders: the README is written in another way now", len(links), len(folders))
	}
	for _, m := range append(links, folders...) {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil {
			t.Errorf("the README names %s: %v", m[1], err)
		}
	}
	days := must(newAgenda(time.Now()))
	if steps := fmt.Sprintf("has %d steps", len(story(&scene{agenda: days}))); !strings.Contains(readme, steps) {
		t.Errorf("the README does not say that the demonstration %s", steps)
	}
	for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)").FindAllStringSubmatch(readme, -1) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("the README names make %s, which the Makefile does not know", m[1])
		}
	}
	for _, m := range regexp.MustCompile("roomwire ([a-z]+)").FindAllStringSubmatch(readme, -1) {
		files, err := filepath.Glob(filepath.Join(root, "host", "cmd_*.go"))
		if err != nil {
			t.Fatal(err)
		}
		known := false
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			known = known || regexp.MustCompile(`Use:\s+"`+m[1]+`["\s]`).Match(data)
		}
		if !known {
			t.Errorf("the README names roomwire %s, which is no command", m[1])
		}
	}
}
