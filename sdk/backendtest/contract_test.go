package backendtest

import (
	"os"
	"strings"
	"testing"
)

// TestWhatChecksNameIsInTheContract: an author who is sent to a section of docs/plugins/contract.md finds it there.
func TestWhatChecksNameIsInTheContract(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/plugins/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	headings, terms := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if heading, is := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); is && strings.HasPrefix(line, "##") {
			name, _, _ := strings.Cut(heading, " (")
			headings[name] = true
		}
		if term, is := strings.CutPrefix(line, "- **"); is {
			term, _, _ = strings.Cut(term, ".**")
			terms[term] = true
		}
		if cell, is := strings.CutPrefix(line, "| "); is {
			cell, _, _ = strings.Cut(cell, " |")
			terms[cell] = true
		}
	}
	for _, g := range grouped(nil) {
		for _, one := range g.checks {
			for section := range strings.SplitSeq(one.section, "; ") {
				heading, of, _ := strings.Cut(section, ": ")
				heading, _, _ = strings.Cut(heading, ", ") // a number of the list there
				if !headings[heading] {
					t.Errorf("%s/%s names %q, and the contract has no such heading", g.name, one.name, heading)
				}
				for term := range strings.SplitSeq(of, ", ") {
					if of != "" && !terms[term] {
						t.Errorf("%s/%s names %q, and the contract tells nothing of %q", g.name, one.name, section, term)
					}
				}
			}
		}
	}
}
