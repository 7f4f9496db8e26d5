package ics

import (
	"strings"
	"unicode"

	"github.com/emersion/go-ical"
)

// uidEnd is what the UIDs of events end with that were made here. What is before it is the key: some programs drop
// properties that they do not know, but none drops a UID.
const uidEnd = "@roomwire"

// UID returns the UID of the event that is made with a key.
func UID(key string) string { return key + uidEnd }

// MarkerProperty returns the iCalendar property for a marker of the given name: RoomwireBookingId is kept in
// X-ROOMWIRE-BOOKING-ID, AppointmentOid in X-APPOINTMENT-OID. It is empty if nothing of the name can be in one.
func MarkerProperty(name string) string {
	var b strings.Builder
	var last rune
	for _, r := range name {
		switch {
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			r = '-'
		case unicode.IsUpper(r) && (unicode.IsLower(last) || unicode.IsDigit(last)):
			b.WriteByte('-')
		}
		if r != '-' || last != '-' {
			b.WriteRune(unicode.ToUpper(r))
		}
		last = r
	}
	word := strings.TrimPrefix(strings.Trim(b.String(), "-"), "X-")
	if word == "" {
		return ""
	}
	return "X-" + word
}

// Marks are the markers that an object bears.
type Marks struct{ Key, Foreign string }

// Any reports whether it bears one.
func (k Marks) Any() bool { return k.Key != "" || k.Foreign != "" }

// Properties returns what Marks needs to see of an event.
func (m Mapper) Properties() []string { return []string{ical.PropUID, m.Key, m.Foreign} }

// Marks looks for the markers in an object without reading it: a person's own event is nobody's business, and need not even be
// well-formed.
func (m Mapper) Marks(text string) Marks {
	var k Marks
	uid, inEvent := "", false
	for line := range strings.Lines(unfold.Replace(text)) {
		line = strings.TrimRight(line, "\r\n")
		name, value, found := cutLine(line)
		if !found {
			continue
		}
		switch {
		case name == "BEGIN" && strings.EqualFold(value, ical.CompEvent):
			inEvent = true
		case name == "END" && strings.EqualFold(value, ical.CompEvent):
			inEvent = false
		case !inEvent:
		case name == m.Key && k.Key == "":
			k.Key = unescape(value)
		case name == m.Foreign && k.Foreign == "":
			k.Foreign = unescape(value)
		case name == ical.PropUID:
			uid = unescape(value)
		}
	}
	if k.Key == "" {
		k.Key = keyOf(uid)
	}
	return k
}

// cutLine returns the name and the value of a line whose parameters do not matter.
func cutLine(line string) (name, value string, found bool) {
	end := strings.IndexAny(line, ";:")
	if end < 0 {
		return "", "", false
	}
	name, rest := strings.ToUpper(line[:end]), line[end:]
	quote := false
	for i := range len(rest) {
		switch rest[i] {
		case '"':
			quote = !quote
		case ':':
			if !quote {
				return name, rest[i+1:], true
			}
		}
	}
	return "", "", false
}

func keyOf(uid string) string {
	key, ours := strings.CutSuffix(uid, uidEnd)
	if !ours {
		return ""
	}
	return key
}

// marks are those of an object that was read.
func (m Mapper) marks(o object) Marks {
	var k Marks
	for _, c := range o.events() {
		if k.Key == "" {
			k.Key = textOf(c, m.Key)
		}
		if k.Foreign == "" {
			k.Foreign = textOf(c, m.Foreign)
		}
	}
	if k.Key == "" {
		k.Key = keyOf(textOf(o.main(), ical.PropUID))
	}
	return k
}

// Created returns when an object was made, as it says itself, in a form that sorts by time; nothing if it does not say.
func Created(text string) string {
	for line := range strings.Lines(unfold.Replace(text)) {
		if name, value, ok := cutLine(strings.TrimRight(line, "\r\n")); ok && name == ical.PropCreated {
			return value
		}
	}
	return ""
}

// Informs reports whether a server that schedules tells somebody when the object goes; of what cannot be read it may.
func (m Mapper) Informs(text string) bool {
	o, err := m.parse(text)
	return err != nil || o.informs()
}
