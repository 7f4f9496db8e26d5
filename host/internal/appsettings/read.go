package appsettings

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/roomwire/roomwire/host/internal/config"
)

// maxDepth is how deep objects and lists may lie in each other, as in .NET.
const maxDepth = 64

// A Setting is one value of a file, by its path. Lists are numbered from 0.
type Setting struct {
	Path []string // a colon in a name parts it, as .NET has it
	Text string   // a text as it is meant, a number as it is written, true or false
	Null bool     // null, {} or []: the path is there and has no value
	File string
	Line int // 1 is the first
}

// Key is the path as .NET writes it.
func (s Setting) Key() string { return strings.Join(s.Path, ":") }

// String names the setting and its place, never its value.
func (s Setting) String() string { return fmt.Sprintf("%s (%s)", s.Key(), s.place()) }

// GoString is String.
func (s Setting) GoString() string { return s.String() }

func (s Setting) place() string { return fmt.Sprintf("%s:%d", s.File, s.Line) }

// folded is the key in the form in which upper and lower case are the same.
func (s Setting) folded() string { return strings.ToUpper(s.Key()) }

// A SyntaxError says where a file is not what .NET's configuration takes. It holds nothing of the file but a character.
type SyntaxError struct {
	File         string
	Line, Column int // 1 is the first; columns are characters
	What         string
}

// Error has the form FILE:LINE:COLUMN: WHAT.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.What)
}

// Read returns the settings of a JSON file in its order, as .NET's configuration reads it: comments and a comma after the
// last element are allowed, names make no difference between capital and small letters, and a name twice is an error.
// The error is a *SyntaxError. guessed is true if the file is neither UTF-8 nor UTF-16 and was read as Windows-1252.
func Read(name string, data []byte) (settings []Setting, guessed bool, err error) {
	text, encoding := config.ToUTF8(data)
	r := &reader{file: name, text: string(text), line: 1, seen: map[string]int{}}
	if err := r.document(); err != nil {
		return nil, false, err
	}
	return r.out, encoding == "Windows-1252", nil
}

// Merge returns the settings of several files, of which a later one goes before an earlier one, as .NET has it with
// appsettings.json and appsettings.Production.json.
func Merge(files ...[]Setting) []Setting {
	var out []Setting
	at := map[string]int{}
	for _, file := range files {
		for _, s := range file {
			if i, again := at[s.folded()]; again {
				out[i] = s
				continue
			}
			at[s.folded()] = len(out)
			out = append(out, s)
		}
	}
	return out
}

type reader struct {
	file  string
	text  string
	at    int // byte
	line  int
	begin int // byte where the line begins
	depth int
	path  []string
	seen  map[string]int // line, by folded key
	out   []Setting
}

func (r *reader) fail(format string, args ...any) error {
	column := utf8.RuneCountInString(r.text[r.begin:min(r.at, len(r.text))]) + 1
	return &SyntaxError{File: r.file, Line: r.line, Column: column, What: fmt.Sprintf(format, args...)}
}

// found names what stands at the place.
func (r *reader) found() string {
	if r.at >= len(r.text) {
		return "the end of the file"
	}
	c, _ := utf8.DecodeRuneInString(r.text[r.at:])
	return fmt.Sprintf("%q", c)
}

func (r *reader) document() error {
	if err := r.space(); err != nil {
		return err
	}
	if r.peek() != '{' {
		return r.fail("a settings file begins with {, not with %s: name the appsettings.json of the installation", r.found())
	}
	if err := r.value(); err != nil {
		return err
	}
	if err := r.space(); err != nil {
		return err
	}
	if r.at < len(r.text) {
		return r.fail("nothing may follow the last }, but %s does", r.found())
	}
	return nil
}

// peek returns the byte at the place, 0 at the end.
func (r *reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// next goes one byte on.
func (r *reader) next() {
	if r.text[r.at] == '\n' || r.text[r.at] == '\r' && !strings.HasPrefix(r.text[r.at:], "\r\n") {
		r.line++
		r.begin = r.at + 1
	}
	r.at++
}

// space skips white space and comments.
func (r *reader) space() error {
	for r.at < len(r.text) {
		rest := r.text[r.at:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			r.next()
		case strings.HasPrefix(rest, "//"):
			for r.at < len(r.text) && r.peek() != '\n' && r.peek() != '\r' {
				r.next()
			}
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return r.fail("the comment that begins here has no */")
			}
			for range end + 4 {
				r.next()
			}
		default:
			return nil
		}
	}
	return nil
}

// value reads the value of r.path.
func (r *reader) value() error {
	line := r.line
	switch c := r.peek(); {
	case c == '{':
		return r.nest(r.object)
	case c == '[':
		return r.nest(r.list)
	case c == '"':
		text, err := r.quoted()
		if err != nil {
			return err
		}
		return r.add(Setting{Text: text, Line: line})
	default:
		return r.word()
	}
}

// word reads a number, true, false or null.
func (r *reader) word() error {
	end := r.at
	for end < len(r.text) && strings.IndexByte(" \t\r\n,:{}[]\"/", r.text[end]) < 0 {
		end++
	}
	word := r.text[r.at:end]
	switch {
	case word == "null":
		r.at = end
		return r.add(Setting{Null: true, Line: r.line})
	case word != "" && json.Valid([]byte(word)): // what is left of JSON's values
		r.at = end
		return r.add(Setting{Text: word, Line: r.line})
	case word == "":
		return r.fail("a value is missing before %s", r.found())
	default:
		return r.fail("what begins with %s here is no value: texts stand in straight quotes", r.found())
	}
}

func (r *reader) nest(read func() error) error {
	if r.depth++; r.depth > maxDepth {
		return r.fail("this lies deeper than %d levels", maxDepth)
	}
	defer func() { r.depth-- }()
	return read()
}

func (r *reader) object() error {
	line, before := r.line, len(r.out)
	r.next()
	for {
		if err := r.space(); err != nil {
			return err
		}
		switch r.peek() {
		case '}':
			r.next()
			return r.empty(before, line)
		case '"':
		default:
			return r.fail("a name in straight quotes or } was expected, not %s", r.found())
		}
		name, err := r.quoted()
		if err != nil {
			return err
		}
		if err := r.space(); err != nil {
			return err
		}
		if r.peek() != ':' {
			return r.fail("a colon was expected after the name, not %s", r.found())
		}
		r.next()
		if err := r.element(strings.Split(name, ":")...); err != nil {
			return err
		}
		if err := r.comma('}'); err != nil {
			return err
		}
	}
}

func (r *reader) list() error {
	line, before := r.line, len(r.out)
	r.next()
	for i := 0; ; i++ {
		if err := r.space(); err != nil {
			return err
		}
		if r.peek() == ']' {
			r.next()
			return r.empty(before, line)
		}
		if err := r.element(fmt.Sprint(i)); err != nil {
			return err
		}
		if err := r.comma(']'); err != nil {
			return err
		}
	}
}

// element reads a value that stands below r.path.
func (r *reader) element(names ...string) error {
	if err := r.space(); err != nil {
		return err
	}
	length := len(r.path)
	r.path = append(r.path, names...)
	defer func() { r.path = r.path[:length] }()
	return r.value()
}

// comma skips the comma after an element; before the end there may be none.
func (r *reader) comma(end byte) error {
	if err := r.space(); err != nil {
		return err
	}
	switch r.peek() {
	case ',':
		r.next()
		return nil
	case end:
		return nil
	default:
		return r.fail("a comma or %c was expected, not %s", end, r.found())
	}
}

// empty notes an object or a list that has nothing in it.
func (r *reader) empty(before, line int) error {
	if len(r.out) > before || len(r.path) == 0 {
		return nil
	}
	return r.add(Setting{Null: true, Line: line})
}

func (r *reader) add(s Setting) error {
	s.File = r.file
	s.Path = append([]string(nil), r.path...)
	if first, again := r.seen[s.folded()]; again {
		return r.fail("%s is there twice, on lines %d and %d (upper and lower case are the same): delete the one that is not meant", s.Key(), first, s.Line)
	}
	r.seen[s.folded()] = s.Line
	r.out = append(r.out, s)
	return nil
}

// quoted reads a text in quotes.
func (r *reader) quoted() (string, error) {
	r.next()
	var b strings.Builder
	for {
		switch c := r.peek(); {
		case r.at >= len(r.text), c == '\n', c == '\r':
			return "", r.fail("the quote is not closed on its line")
		case c < ' ':
			return "", r.fail("the character %s must be written as \\u%04x", r.found(), c)
		case c == '"':
			r.next()
			return b.String(), nil
		case c == '\\':
			char, err := r.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(char)
		default:
			b.WriteByte(c)
			r.at++
		}
	}
}

func (r *reader) escape() (rune, error) {
	rest := r.text[r.at:]
	if len(rest) < 2 {
		return 0, r.fail("the quote is not closed on its line")
	}
	if i := strings.IndexByte(`"\/bfnrt`, rest[1]); i >= 0 {
		r.at += 2
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	first, ok := hex(rest)
	if !ok {
		return 0, r.fail("a single backslash begins something special here: write two for a backslash that is meant, as in \"EXAMPLE\\\\user\"")
	}
	if !utf16.IsSurrogate(first) {
		r.at += 6
		return first, nil
	}
	second, ok := hex(rest[6:])
	char := utf16.DecodeRune(first, second)
	if !ok || char == utf8.RuneError {
		return 0, r.fail("\\u%04x is half of a character, and its other half does not follow", first)
	}
	r.at += 12
	return char, nil
}

// hex reads the form \u00e4.
func hex(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var char rune
	for _, c := range []byte(text[2:6]) {
		switch {
		case c >= '0' && c <= '9':
			char = char<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			char = char<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			char = char<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return char, true
}
