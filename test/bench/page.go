package main

import (
	"fmt"
	"os"
	"strings"
)

// A result is what a figure found out: tables in Markdown, with notes beneath.
type result struct{ text strings.Builder }

// table adds a table. A row has as many cells as there are columns.
func (r *result) table(columns []string, rows [][]string) {
	line := func(cells []string) { fmt.Fprintf(&r.text, "| %s |\n", strings.Join(cells, " | ")) }
	line(columns)
	rule := make([]string, len(columns))
	for i := range rule {
		rule[i] = "---:"
	}
	rule[0] = "---"
	line(rule)
	for _, row := range rows {
		line(row)
	}
	r.text.WriteString("\n")
}

// note adds a sentence.
func (r *result) note(format string, args ...any) { fmt.Fprintf(&r.text, format+"\n\n", args...) }

// String returns the whole in Markdown.
func (r *result) String() string { return r.text.String() }

// verdict says whether a goal is met.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

// writePage puts the pieces between their markers, and leaves the rest of the page as it is.
func writePage(path string, pieces map[string]string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page := string(data)
	for name, text := range pieces {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		head, rest, found := strings.Cut(page, begin)
		_, tail, ended := strings.Cut(rest, end)
		if !found || !ended {
			return fmt.Errorf("%s has no place for %q: it needs the lines %q and %q", path, name, strings.TrimSpace(begin), end)
		}
		page = head + begin + "\n" + text + end + tail
	}
	return os.WriteFile(path, []byte(page), 0o644)
}
