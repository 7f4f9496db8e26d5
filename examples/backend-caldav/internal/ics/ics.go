// Package ics maps iCalendar objects, as CalDAV servers keep them, to the contract's events and back.
//
// An update touches the properties of the fields that it is to write, and of these only those that say something else than
// is wanted; whatever else is in the object stays, whoever put it there.
package ics

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-ical"

	"github.com/roomwire/roomwire/sdk/fault"
)

// maxDepth bounds how deep components may lie in each other; iCalendar needs three.
const maxDepth = 8

// A Mapper maps the objects of one installation.
type Mapper struct {
	Key, Foreign string         // names of the properties that the markers are kept in
	Floating     *time.Location // where times count that name no zone
	Product      string         // PRODID of what is made
}

// An object is one iCalendar object: an event, or a series with the occurrences that differ.
type object struct {
	*ical.Calendar
	zones zones
}

// parse reads an object. What cannot be read is fault.Unavailable: it says nothing about the event.
func (m Mapper) parse(text string) (o object, err error) {
	defer func() {
		// The decoder panics on some lines that end too soon.
		if p := recover(); p != nil {
			err = fmt.Errorf("the object is no iCalendar: %v: %w", p, fault.Unavailable)
		}
	}()
	if depth(text) > maxDepth {
		return o, fmt.Errorf("the object is nested too deeply: %w", fault.Unavailable)
	}
	cal, err := ical.NewDecoder(strings.NewReader(strings.Map(printable, text))).Decode()
	if err != nil {
		return o, fmt.Errorf("the object is no iCalendar: %w: %w", err, fault.Unavailable)
	}
	o = m.object(cal)
	if len(o.events()) == 0 {
		return o, fmt.Errorf("the object holds no event: %w", fault.Invalid)
	}
	return o, nil
}

// printable drops the control characters that an object must not have (RFC 5545 3.1) and some have.
func printable(r rune) rune {
	if r < ' ' && r != '\t' && r != '\n' || r == 0x7f {
		return -1
	}
	return r
}

func (m Mapper) object(cal *ical.Calendar) object {
	return object{Calendar: cal, zones: zones{floating: m.Floating, object: cal.Component, clocks: map[string]clock{}}}
}

// depth returns how deep components lie in each other, at most.
func depth(text string) int {
	now, most := 0, 0
	for line := range strings.Lines(text) {
		switch upper := strings.ToUpper(line[:min(len(line), 6)]); {
		case strings.HasPrefix(upper, "BEGIN:"):
			now++
			most = max(most, now)
		case strings.HasPrefix(upper, "END:"):
			now--
		}
	}
	return most
}

func (o object) events() []*ical.Component {
	var out []*ical.Component
	for _, c := range o.Children {
		if c.Name == ical.CompEvent {
			out = append(out, c)
		}
	}
	return out
}

// main returns the event that stands for the object: the series itself, or, where only single occurrences of somebody else's
// series are here, the first of them.
func (o object) main() *ical.Component {
	events := o.events()
	for _, e := range events {
		if e.Props.Get(ical.PropRecurrenceID) == nil {
			return e
		}
	}
	return events[0]
}

// overrides returns the occurrences that differ from the series.
func (o object) overrides() []*ical.Component {
	var out []*ical.Component
	for _, e := range o.events() {
		if e != o.main() && e.Props.Get(ical.PropRecurrenceID) != nil {
			out = append(out, e)
		}
	}
	return out
}

// text writes the object, with lines of 75 bytes at most (RFC 5545 3.1). Unlike the library's encoder it refuses nothing that
// a server took from somebody else.
func (o object) text() []byte {
	var b bytes.Buffer
	writeComponent(&b, o.Component)
	return b.Bytes()
}

func writeComponent(b *bytes.Buffer, c *ical.Component) {
	writeLine(b, "BEGIN:"+c.Name)
	for _, name := range sortedKeys(c.Props) {
		for _, p := range c.Props[name] {
			var line strings.Builder
			line.WriteString(p.Name)
			for _, param := range sortedKeys(p.Params) {
				line.WriteString(";" + param + "=")
				for i, v := range p.Params[param] {
					if i > 0 {
						line.WriteByte(',')
					}
					line.WriteString(quoted(v))
				}
			}
			line.WriteString(":" + oneLine.Replace(p.Value))
			writeLine(b, line.String())
		}
	}
	for _, child := range c.Children {
		writeComponent(b, child)
	}
	writeLine(b, "END:"+c.Name)
}

var oneLine = strings.NewReplacer("\r", "", "\n", "")

func quoted(v string) string {
	v = strings.ReplaceAll(oneLine.Replace(v), `"`, "'") // there is no way to write one in a parameter
	if strings.ContainsAny(v, ";:,") {
		return `"` + v + `"`
	}
	return v
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

const lineLength = 75

// writeLine folds a line, between characters.
func writeLine(b *bytes.Buffer, line string) {
	room := lineLength
	for len(line) > room {
		n := room
		for n > 1 && !utf8.RuneStart(line[n]) {
			n--
		}
		b.WriteString(line[:n] + "\r\n ")
		line, room = line[n:], lineLength-1
	}
	b.WriteString(line + "\r\n")
}

// unfold undoes folding, for those who look at lines without reading the object.
var unfold = strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "")

// unescape returns the text that a TEXT value stands for. What is escaped needlessly, and commas and semicolons that ought to
// be escaped and are not, are taken as meant.
func unescape(v string) string {
	if !strings.Contains(v, `\`) {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' || i+1 == len(v) {
			b.WriteByte(v[i])
			continue
		}
		i++
		if v[i] == 'n' || v[i] == 'N' {
			b.WriteByte('\n')
		} else {
			b.WriteByte(v[i])
		}
	}
	return b.String()
}

// escape writes a text as a TEXT value. Control characters have no place in one.
func escape(s string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, "\r\n", "\n") {
		switch {
		case r == '\n' || r == '\r':
			b.WriteString(`\n`)
		case r == '\\' || r == ';' || r == ',':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' && r != '\t' || r == 0x7f:
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// textOf returns a TEXT property of a component, or nothing.
func textOf(c *ical.Component, name string) string {
	if p := c.Props.Get(name); p != nil {
		return unescape(p.Value)
	}
	return ""
}

// setText writes a TEXT property; an empty one is removed. Its language and the like stay.
func setText(c *ical.Component, name, text string) {
	value := escape(text)
	if value == "" {
		c.Props.Del(name)
		return
	}
	p := ical.NewProp(name)
	if old := c.Props.Get(name); old != nil {
		p.Params = old.Params
		p.Params.Del("ALTREP") // says the old text in another form
	}
	p.Value = value
	c.Props.Set(p)
}
