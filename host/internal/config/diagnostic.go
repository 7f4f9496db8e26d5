package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Severity says how bad a finding is.
type Severity int

// Note, Warning and Error: only an Error keeps a configuration from being used.
const (
	Note Severity = iota
	Warning
	Error
)

// String is the word that starts a printed diagnostic.
func (s Severity) String() string {
	switch s {
	case Error:
		return "Error"
	case Warning:
		return "Warning"
	default:
		return "Note"
	}
}

// Diagnostic is one finding: what it is, why it matters, what to do, and where.
// It never holds a secret: values of secret settings are masked in Source.
type Diagnostic struct {
	Severity Severity
	Summary  string // what is wrong, one line
	Detail   string // why
	Remedy   string // what to do

	File   string // "environment" for a variable; empty when the finding has no place
	Line   int    // 1 is the first; 0 when unknown
	Column int    // in characters, 1 is the first
	Source string // the line itself, a window of it when it is very long
	Width  int    // characters to underline, at least 1 when Line is set

	skipped int // characters of the line that Source leaves out at its start
}

// String prints the finding as a compiler would, ending in a newline.
func (d Diagnostic) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", d.Severity, d.Summary)
	switch {
	case d.Line > 0:
		fmt.Fprintf(&b, "  at %s:%d:%d\n", d.File, d.Line, d.Column)
		number := strconv.Itoa(d.Line)
		margin := strings.Repeat(" ", len(number))
		fmt.Fprintf(&b, "  %s | %s\n", number, d.Source)
		fmt.Fprintf(&b, "  %s | %s%s\n", margin, caretIndent(d.Source, d.Column-d.skipped), strings.Repeat("^", max(d.Width, 1)))
	case d.File != "":
		fmt.Fprintf(&b, "  at %s\n", d.File)
	}
	for _, text := range []string{d.Detail, d.Remedy} {
		if text != "" {
			fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  "))
		}
	}
	return b.String()
}

// caretIndent keeps tabs, so that the caret stands where the reader's terminal
// puts the character.
func caretIndent(line string, column int) string {
	var b strings.Builder
	for _, r := range line {
		if column--; column < 1 {
			break
		}
		if r == '\t' {
			b.WriteRune(r)
		} else {
			b.WriteByte(' ')
		}
	}
	if column > 1 {
		b.WriteString(strings.Repeat(" ", column-1))
	}
	return b.String()
}

// Diagnostics are all findings of one Load, file by file, from top to bottom.
type Diagnostics []Diagnostic

// HasErrors reports whether the configuration must not be used.
func (ds Diagnostics) HasErrors() bool { return ds.Count(Error) > 0 }

// Count returns how many findings have severity s.
func (ds Diagnostics) Count(s Severity) int {
	n := 0
	for _, d := range ds {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// String prints all findings with an empty line between them.
func (ds Diagnostics) String() string {
	texts := make([]string, len(ds))
	for i, d := range ds {
		texts[i] = d.String()
	}
	return strings.Join(texts, "\n")
}

// Err returns the errors among the findings as one error, or nil.
func (ds Diagnostics) Err() error {
	var errs Diagnostics
	for _, d := range ds {
		if d.Severity == Error {
			errs = append(errs, d)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("the configuration has %d fault(s):\n%s", len(errs), errs)
}

// maxFindings bounds what one file can fill a screen or a log with.
const maxFindings = 200

// with appends d, up to maxFindings. An error always finds its place, so that
// a file full of warnings cannot hide one.
func (ds Diagnostics) with(d Diagnostic) Diagnostics {
	if len(ds) < maxFindings {
		return append(ds, d)
	}
	if d.Severity == Error && ds[maxFindings-1].Severity != Error {
		ds[maxFindings-1] = d
	}
	return ds
}
