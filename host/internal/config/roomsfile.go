package config

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// maxRoomsFile bounds RoomsAppSettings.config; real ones have a few KiB.
const maxRoomsFile = 4 << 20

// roomsFile is what RoomsAppSettings.config says.
type roomsFile struct {
	src    *source
	known  block
	values map[string]written // by key, known keys only
	diags  Diagnostics
	unread bool // the text is broken: what it says is not known
}

// parseRooms reads a whole file. It always returns a value to ask, even after
// faults. Keys of other ROOMS parts are left alone.
func parseRooms(name string, data []byte) *roomsFile {
	text, encoding := ToUTF8(data)
	f := &roomsFile{
		src: newSource(name, text, xmlSecrets(text)), known: roomsKeys(),
		values: map[string]written{},
	}
	if len(data) > maxRoomsFile {
		f.stop(f.src.at(0, 0), "the file is too large", fmt.Sprintf("It has more than %d MiB; real ones have a few KiB.", maxRoomsFile>>20), "Put the right file into the folder.")
		return f
	}
	if encoding == "Windows-1252" {
		f.add(f.src.at(0, 0), Warning, "the file is not UTF-8; it was read as Windows-1252", "Letters with accents may have been misread.", "Save it as UTF-8.")
	}
	f.read(text)
	return f
}

func (f *roomsFile) add(at place, s Severity, what, why, remedy string) {
	f.diags = f.diags.with(at.say(s, what, why, remedy))
}

// stop makes a finding after which the file's text cannot be trusted.
func (f *roomsFile) stop(at place, what, why, remedy string) {
	f.unread = true
	f.add(at, Error, what, why, remedy)
}

// read walks the tokens of text.
func (f *roomsFile) read(text []byte) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.Strict = true
	dec.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		// The text is UTF-8 already; .NET writes "utf-16" above files that are not.
		switch strings.ToLower(label) {
		case "utf-8", "utf8", "utf-16", "us-ascii", "ascii", "windows-1252", "iso-8859-1", "iso-8859-15":
			return in, nil
		}
		return nil, fmt.Errorf("the encoding %q is not taken", label)
	}
	seen := map[string]place{}
	depth, rooted := 0, false
	for {
		from := int(dec.InputOffset())
		token, err := dec.RawToken()
		to := int(dec.InputOffset())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			f.broken(err, to)
			return
		}
		switch t := token.(type) {
		case xml.Directive:
			f.stop(f.src.at(from, to), "document type declarations and entities are not taken", "They can make a parser read other files or grow without bound, and no ROOMS file has them.", "Delete <!DOCTYPE …>.")
			return
		case xml.StartElement:
			depth++
			if depth == 1 && rooted {
				f.stop(f.src.at(from, to), fmt.Sprintf("there is a second root element <%s>", t.Name.Local), "", "Keep one <RoomsAppSettings> around all keys.")
				return
			}
			if depth == 1 {
				rooted = true
				if !f.root(t, from) {
					return
				}
			}
			if depth == 2 {
				f.element(t, from, to, seen)
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if bytes.TrimSpace(t) != nil && depth == 1 {
				f.strayText(t, from)
			}
		}
		if depth > 64 {
			f.stop(f.src.at(from, to), "elements are nested too deep", "", "Keep <add …/> elements directly in <RoomsAppSettings>.")
			return
		}
	}
	if !rooted {
		f.stop(f.src.at(0, 0), "the file holds no settings", "It is empty or has only comments.", `Write <RoomsAppSettings><add key="…" value="…"/></RoomsAppSettings>, or delete the file.`)
		return
	}
	f.balanced(text)
}

// balanced reads the text once more with the checks RawToken leaves out: that
// every element ends, and by its own name.
func (f *roomsFile) balanced(text []byte) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			f.broken(err, int(dec.InputOffset()))
			return
		}
	}
}

func (f *roomsFile) broken(err error, offset int) {
	remedy := "Every element is written <add key=\"…\" value=\"…\"/>, with straight quotes and its closing slash."
	var syntax *xml.SyntaxError
	what := err.Error()
	if errors.As(err, &syntax) {
		what = syntax.Msg
	}
	switch {
	case strings.Contains(what, "entity"):
		// The message quotes what follows the &, which may be the rest of a password.
		what = "a bare & or an unknown entity"
		remedy = "Write &amp; for &, &lt; for <, &quot; for \" and &apos; for ' in values, also in passwords."
	case strings.Contains(what, "unescaped <"):
		remedy = "Write &lt; for < in values, or close the quote before it."
	case strings.Contains(what, "EOF"):
		what = "the file ends in the middle of an element"
		remedy = "Close what is open; the last line is </RoomsAppSettings>."
	case strings.Contains(what, "encoding"):
		remedy = "Save the file as UTF-8 and write encoding=\"utf-8\" in its first line."
	}
	f.stop(f.src.at(max(0, offset-1), offset), "this is not well-formed XML: "+what, "Nothing after this point could be read.", remedy)
}

func (f *roomsFile) root(t xml.StartElement, from int) bool {
	if t.Name.Local == f.known.name {
		return true
	}
	at := f.src.at(from, from+1+len(t.Name.Local))
	if strings.EqualFold(t.Name.Local, f.known.name) {
		f.add(at, Warning, fmt.Sprintf("the root element is written <%s>", t.Name.Local), "XML tells upper from lower case; other ROOMS parts may refuse it.", "Write <RoomsAppSettings>.")
		return true
	}
	f.stop(at, fmt.Sprintf("the root element is <%s>", t.Name.Local), "This is not a RoomsAppSettings.config, or it was wrapped into something else.",
		didYouMean(t.Name.Local, []string{f.known.name})+"Write <RoomsAppSettings> around the <add …/> elements.")
	return false
}

func (f *roomsFile) strayText(t xml.CharData, from int) {
	text := string(t)
	if strings.TrimSpace(text) == "" {
		return
	}
	at := f.src.at(from+len(text)-len(strings.TrimLeft(text, " \t\r\n")), from+len(text))
	f.add(at, Warning, "there is text between the elements", "It has no effect.", "Settings are written <add key=\"…\" value=\"…\"/>; comments <!-- … -->.")
}

// element reads one child of the root.
func (f *roomsFile) element(t xml.StartElement, from, to int, seen map[string]place) {
	if t.Name.Local != "add" {
		near := ""
		if strings.EqualFold(t.Name.Local, "add") || Nearest(t.Name.Local, []string{"add"}) != "" {
			near = "Did you mean <add>? "
		}
		f.add(f.src.at(from+1, from+1+len(t.Name.Local)), Warning, fmt.Sprintf("the element <%s> is not read", t.Name.Local), "Only <add> elements hold settings.", near+"Settings are written <add key=\"…\" value=\"…\"/>.")
		return
	}
	places := attributeSpans(f.src.text[from:to])
	name, value, hasName, hasValue, twice := "", "", false, false, ""
	for _, a := range t.Attr {
		switch a.Name.Local {
		case "key":
			if hasName {
				twice = "key"
			}
			name, hasName = strings.TrimSpace(a.Value), true
		case "value":
			if hasValue {
				twice = "value"
			}
			value, hasValue = a.Value, true
		}
	}
	whole := f.src.at(from, to)
	keyAt, valueAt := whole, whole
	if s, ok := places["key"]; ok {
		keyAt = f.src.at(from+s.from, from+s.to)
	}
	if s, ok := places["value"]; ok {
		valueAt = f.src.at(from+s.from, from+s.to)
	}
	const shape = "Write <add key=\"…\" value=\"…\"/>, in small letters."
	switch {
	case twice != "":
		f.add(whole, Error, fmt.Sprintf("this element has two %s attributes", twice), "Which of them is meant cannot be known.", shape)
		return
	case !hasName || name == "":
		f.add(whole, Error, "this element has no key", "", shape)
		return
	}
	if first, again := seen[name]; again {
		f.duplicate(name, first, keyAt)
		return
	}
	seen[name] = keyAt
	spec, ok := f.known.attr(name)
	if !ok {
		f.unknownKey(name, keyAt)
		return
	}
	if !hasValue {
		f.add(whole, Error, fmt.Sprintf("%s has no value", name), "", shape+" To leave it unset, write value=\"\".")
		f.values[key(name)] = written{at: whole, faulty: true}
		return
	}
	if spec.kind != kindSecret {
		value = strings.TrimSpace(value)
	}
	if value != "" { // an empty value is how ROOMS files leave a key unset
		f.values[key(name)] = written{text: value, at: valueAt}
	}
}

func (f *roomsFile) duplicate(name string, first, again place) {
	severity, why := Error, "Which of them is meant cannot be known."
	if _, ours := f.known.attr(name); !ours {
		severity, why = Warning, "Roomwire does not use this key, but the part that does may take either."
	}
	f.add(again, severity, fmt.Sprintf("%s is there twice, on lines %d and %d", name, first.line, again.line), why, "Delete one of the two.")
}

// unknownKey is silent about keys of other ROOMS parts and warns of those that
// look like a slip.
func (f *roomsFile) unknownKey(name string, at place) {
	var names []string
	for _, a := range f.known.attrs {
		names = append(names, a.name)
	}
	near := Nearest(name, names)
	if near == "" {
		return
	}
	why := "Unknown keys are left alone, because other ROOMS parts have many; so this one has no effect on the sync."
	f.add(at, Warning, fmt.Sprintf("there is no key %s", name), why, fmt.Sprintf("Did you mean `%s`? If it is a key of another part, all is well.", near))
}

// attributeSpans finds where the values of a start tag's attributes are,
// without their quotes. The decoder has accepted the tag.
func attributeSpans(tag []byte) map[string]span {
	out := map[string]span{}
	for _, m := range tagAttribute.FindAllSubmatchIndex(tag, -1) {
		value := span{m[4] + 1, m[5] - 1}
		name := string(tag[m[2]:m[3]])
		if _, again := out[name]; !again {
			out[name] = value
		}
	}
	return out
}

var tagAttribute = regexp.MustCompile(`([\w:.-]+)\s*=\s*("[^"]*"|'[^']*')`)
