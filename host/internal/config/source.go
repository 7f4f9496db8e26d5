package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// source is a file's text, kept to show lines of it.
type source struct {
	name   string // as the administrator would type it
	text   []byte // UTF-8
	starts []int  // where each line begins
	hidden []span // what may not be shown, in order
	free   []span // those of hidden that are hidden only because nobody knows whether they are secret
}

// span is a half-open range of bytes.
type span struct{ from, to int }

const hiddenText = "(secret)"

// revealing returns the same text in which the free spans within shown are shown, and more is hidden.
func (s *source) revealing(shown, more []span) *source {
	hidden := slices.Clone(more)
	free := slices.Clone(s.free)
	for _, h := range s.hidden {
		if i := slices.Index(free, h); i >= 0 {
			free = slices.Delete(free, i, i+1)
			if slices.ContainsFunc(shown, func(o span) bool { return o.from <= h.from && h.to <= o.to }) {
				continue
			}
		}
		hidden = append(hidden, h)
	}
	return newSource(s.name, s.text, hidden)
}

func newSource(name string, text []byte, hidden []span) *source {
	s := &source{name: name, text: text, starts: []int{0}, hidden: hidden}
	slices.SortFunc(s.hidden, func(a, b span) int { return a.from - b.from })
	for i := 0; i < len(text); i++ {
		// \n, \r\n and a lone \r all end a line.
		if text[i] == '\n' || text[i] == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

// at returns the place of the bytes from..to, cut off at the end of the line.
func (s *source) at(from, to int) place {
	from = min(max(from, 0), len(s.text))
	line, found := slices.BinarySearch(s.starts, from)
	if !found {
		line--
	}
	begin, end := s.bounds(line)
	from = min(from, end)
	to = min(max(to, from), end)
	return place{
		src:    s,
		span:   span{from, to},
		line:   line + 1,
		column: utf8.RuneCountInString(s.show(begin, from)) + 1,
		width:  max(1, utf8.RuneCountInString(s.show(from, to))),
	}
}

// bounds returns where the line with this index begins and ends, without its
// line break.
func (s *source) bounds(index int) (begin, end int) {
	begin, end = s.starts[index], len(s.text)
	if index+1 < len(s.starts) {
		end = s.starts[index+1]
	}
	for end > begin && (s.text[end-1] == '\n' || s.text[end-1] == '\r') {
		end--
	}
	return begin, end
}

// show returns the text from..to with every hidden range replaced.
func (s *source) show(from, to int) string {
	var b strings.Builder
	for _, h := range s.hidden {
		if h.from >= to {
			break
		}
		if h.to <= from {
			continue
		}
		if h.from > from {
			b.Write(s.text[from:h.from])
		}
		if h.from >= from { // the rest of a range cut in two is not shown again
			b.WriteString(hiddenText)
		}
		from = max(from, min(h.to, to))
	}
	if from < to {
		b.Write(s.text[from:to])
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f { // no terminal escapes
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(b.String(), "\uFFFD"))
}

// place is where a value or a name was written. The zero value is nowhere: a
// default.
type place struct {
	src    *source
	line   int
	column int // in characters
	width  int
	span   span   // the bytes
	env    string // a variable's name, when it came from the environment
}

// say makes a finding at p.
func (p place) say(s Severity, summary, detail, remedy string) Diagnostic {
	d := Diagnostic{Severity: s, Summary: summary, Detail: detail, Remedy: remedy}
	if p.env != "" {
		d.File = "environment variable " + p.env
		return d
	}
	if p.src == nil {
		return d
	}
	d.File = p.src.name
	if p.line < 1 || p.line > len(p.src.starts) {
		return d
	}
	d.Line, d.Column, d.Width = p.line, p.column, max(p.width, 1)
	d.Source = p.src.show(p.src.bounds(p.line - 1))
	d.clip()
	return d
}

// clip keeps long lines from flooding the screen: Source becomes a window
// around the caret, Column stays what it is in the file.
func (d *Diagnostic) clip() {
	const window = 160
	line := []rune(d.Source)
	if len(line) <= window {
		return
	}
	from := max(0, min(d.Column-1-window/2, len(line)-window))
	shown := line[from : from+window]
	d.Width = min(d.Width, window/2)
	d.skipped = from
	d.Source = string(shown)
}

// written says where p is, for `config show`.
func (p place) written() string {
	switch {
	case p.env != "":
		return "environment " + p.env
	case p.src != nil:
		return fmt.Sprintf("%s:%d", p.src.name, p.line)
	default:
		return "default"
	}
}
