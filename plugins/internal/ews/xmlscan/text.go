package xmlscan

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// decode returns character data or an attribute's value as it is meant: references replaced, line ends normalised,
// illegal characters replaced by U+FFFD. A reference that does not exist is an error.
func (s *Scanner) decode(raw []byte) string {
	if plain(raw) {
		return string(raw)
	}
	if bytes.IndexByte(raw, '&') < 0 {
		return clean(raw)
	}
	var out strings.Builder
	out.Grow(len(raw))
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			i = len(raw)
		}
		out.WriteString(clean(raw[:i]))
		if raw = raw[i:]; len(raw) == 0 {
			break
		}
		end := bytes.IndexByte(raw, ';')
		r, ok := rune(0), false
		if end > 0 {
			r, ok = reference(raw[1:end])
		}
		if !ok {
			s.fail("unknown reference %.12q", raw)
			return ""
		}
		out.WriteRune(r)
		raw = raw[end+1:]
	}
	return out.String()
}

// plain reports whether b is ASCII that means itself.
func plain(b []byte) bool {
	for len(b) >= 8 && plainWord(binary.LittleEndian.Uint64(b)) {
		b = b[8:]
	}
	for _, c := range b {
		if special[c] {
			return false
		}
	}
	return true
}

// plainWord reports whether eight bytes are ASCII that means itself. It may err on the careful side.
func plainWord(w uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	control := (w - 0x20*ones) & ^w
	ampersand := w ^ '&'*ones
	ampersand = (ampersand - ones) & ^ampersand
	return (w|control|ampersand)&high == 0
}

var special = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x80 || c == '&' || c == '\r' || c < 0x20 && c != '\t' && c != '\n'
	}
	return t
}()

// reference returns what stands for &name;.
func reference(name []byte) (rune, bool) {
	switch string(name) {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], rune(10)
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n := rune(0)
	for _, c := range digits {
		d := rune(16)
		switch {
		case '0' <= c && c <= '9':
			d = rune(c - '0')
		case 'a' <= c && c <= 'f':
			d = rune(c-'a') + 10
		case 'A' <= c && c <= 'F':
			d = rune(c-'A') + 10
		}
		if d >= base {
			return 0, false
		}
		// Beyond the last character the value no longer matters, only that it does not wrap around.
		n = min(n*base+d, utf8.MaxRune+1)
	}
	if len(digits) == 0 {
		return 0, false
	}
	return legal(n), true
}

// legal returns r, or U+FFFD where XML 1.0 forbids it.
func legal(r rune) rune {
	switch {
	case r == '\t', r == '\n', r == '\r',
		r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= utf8.MaxRune:
		return r
	}
	return utf8.RuneError
}

// clean normalises line ends and replaces what is not UTF-8 or not legal.
func clean(raw []byte) string {
	if plain(raw) {
		return string(raw)
	}
	i := 0
	for i < len(raw) { // most text beyond ASCII needs no change either
		r, n := utf8.DecodeRune(raw[i:])
		if r == '\r' || (r == utf8.RuneError && n == 1) || legal(r) != r {
			break
		}
		i += n
	}
	if i == len(raw) {
		return string(raw)
	}
	var out strings.Builder
	out.Grow(len(raw) + 8)
	out.Write(raw[:i])
	for i < len(raw) {
		r, n := utf8.DecodeRune(raw[i:])
		i += n
		if r == '\r' {
			if i < len(raw) && raw[i] == '\n' {
				i++
			}
			r = '\n'
		}
		out.WriteRune(legal(r))
	}
	return out.String()
}
