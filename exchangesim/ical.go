package exchangesim

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A component is one BEGIN…END of iCalendar (RFC 5545), read or to be written.
type component struct {
	name  string
	lines []contentLine
	parts []*component
}

// A contentLine is one property. Parameters are by name in upper case, values unquoted.
type contentLine struct {
	name   string
	params []attr
	value  string // as in the file, with its escapes
}

// param returns a parameter or "".
func (l contentLine) param(name string) string {
	for _, p := range l.params {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// get returns the first property with that name.
func (c *component) get(name string) (contentLine, bool) {
	for _, l := range c.lines {
		if l.name == name {
			return l, true
		}
	}
	return contentLine{}, false
}

// text returns the first property's value as text, or "".
func (c *component) text(name string) string {
	l, _ := c.get(name)
	return unescape(l.value)
}

// all returns the components of one name.
func (c *component) all(name string) []*component {
	var found []*component
	for _, p := range c.parts {
		if p.name == name {
			found = append(found, p)
		}
	}
	return found
}

// add appends a property; value is as it goes into the file.
func (c *component) add(name, value string, params ...attr) {
	c.lines = append(c.lines, contentLine{name, params, value})
}

var errICalendar = errors.New("not iCalendar")

// The bounds of what is read.
const (
	mostLines    = 20000
	mostNesting  = 10
	foldedLength = 75
)

// parseICalendar reads one VCALENDAR.
func parseICalendar(text string) (*component, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: not UTF-8", errICalendar)
	}
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "").Replace(text)
	var open []*component
	var root *component
	n := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if n++; n > mostLines {
			return nil, fmt.Errorf("%w: more than %d lines", errICalendar, mostLines)
		}
		l, err := parseLine(line)
		if err != nil {
			return nil, err
		}
		switch {
		case root != nil && len(open) == 0:
			return nil, fmt.Errorf("%w: text after the end", errICalendar)
		case l.name == "BEGIN" && len(open) == mostNesting:
			return nil, fmt.Errorf("%w: nested too deeply", errICalendar)
		case l.name == "BEGIN":
			c := &component{name: strings.ToUpper(l.value)}
			if root == nil {
				root = c
			} else {
				parent := open[len(open)-1]
				parent.parts = append(parent.parts, c)
			}
			open = append(open, c)
		case len(open) == 0:
			return nil, fmt.Errorf("%w: it does not begin with BEGIN", errICalendar)
		case l.name == "END" && strings.EqualFold(l.value, open[len(open)-1].name):
			open = open[:len(open)-1]
		case l.name == "END":
			return nil, fmt.Errorf("%w: END:%s does not match BEGIN:%s", errICalendar, l.value, open[len(open)-1].name)
		default:
			c := open[len(open)-1]
			c.lines = append(c.lines, l)
		}
	}
	if root == nil || len(open) > 0 || root.name != "VCALENDAR" {
		return nil, fmt.Errorf("%w: no complete VCALENDAR", errICalendar)
	}
	return root, nil
}

// parseLine reads NAME;PARAM="value":VALUE.
func parseLine(line string) (contentLine, error) {
	bad := fmt.Errorf("%w: a line without a name and a value", errICalendar)
	end := strings.IndexAny(line, ";:")
	if end <= 0 {
		return contentLine{}, bad
	}
	l := contentLine{name: strings.ToUpper(line[:end])}
	for line[end] == ';' {
		line = line[end+1:]
		name, rest, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.ContainsAny(name, ";:") {
			return contentLine{}, bad
		}
		var value strings.Builder
		quoted := false
		end = -1
		for i := range len(rest) {
			if rest[i] == '"' {
				quoted = !quoted
				continue
			}
			if !quoted && (rest[i] == ';' || rest[i] == ':') {
				end = i
				break
			}
			value.WriteByte(rest[i])
		}
		if end < 0 {
			return contentLine{}, bad
		}
		l.params = append(l.params, attr{strings.ToUpper(name), value.String()})
		line = rest
	}
	l.value = line[end+1:]
	return l, nil
}

// String writes the component with folded lines that end with \r\n.
func (c *component) String() string {
	var b strings.Builder
	c.write(&b)
	return b.String()
}

func (c *component) write(b *strings.Builder) {
	fold(b, "BEGIN:"+c.name)
	for _, l := range c.lines {
		line := l.name
		for _, p := range l.params {
			value := strings.ReplaceAll(p.value, `"`, "'")
			if strings.ContainsAny(value, ";:,") {
				value = `"` + value + `"`
			}
			line += ";" + p.name + "=" + value
		}
		fold(b, line+":"+l.value)
	}
	for _, p := range c.parts {
		p.write(b)
	}
	fold(b, "END:"+c.name)
}

// fold writes a line in pieces of at most 75 bytes, never within a character.
func fold(b *strings.Builder, line string) {
	line = strings.NewReplacer("\r", "", "\n", " ").Replace(line)
	length := foldedLength
	for len(line) > length {
		cut := length
		for !utf8.RuneStart(line[cut]) {
			cut--
		}
		b.WriteString(line[:cut] + "\r\n ")
		line, length = line[cut:], foldedLength-1
	}
	b.WriteString(line + "\r\n")
}

// escape writes text as the value of a property.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", "").Replace(s)
}

// unescape reads it back.
func unescape(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\;`, ";", `\,`, ",", `\n`, "\n", `\N`, "\n").Replace(s)
}

// splitText splits at commas that are not escaped, and unescapes the pieces.
func splitText(s string) []string {
	var pieces []string
	begin := 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i < len(s) && s[i] == '\\':
			i++
		case i >= len(s) || s[i] == ',':
			if piece := strings.TrimSpace(unescape(s[begin:min(i, len(s))])); piece != "" {
				pieces = append(pieces, piece)
			}
			begin = i + 1
		}
	}
	if begin < len(s) {
		pieces = append(pieces, strings.TrimSpace(unescape(s[begin:])))
	}
	return pieces
}
