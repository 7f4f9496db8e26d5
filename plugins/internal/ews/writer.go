package ews

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// A writer builds a request. Text is escaped, and stripped of what XML forbids.
type writer struct {
	b []byte
}

// open writes a start tag; attrs are names and values in turn.
func (w *writer) open(name string, attrs ...string) {
	w.tag(name, attrs)
	w.b = append(w.b, '>')
}

// close writes an end tag.
func (w *writer) close(name string) {
	w.b = append(w.b, "</"...)
	w.b = append(w.b, name...)
	w.b = append(w.b, '>')
}

// empty writes an element without content.
func (w *writer) empty(name string, attrs ...string) {
	w.tag(name, attrs)
	w.b = append(w.b, "/>"...)
}

// text writes an element with text.
func (w *writer) text(name, value string, attrs ...string) {
	w.open(name, attrs...)
	w.escape(value)
	w.close(name)
}

// inside writes an element whose content is what f writes.
func (w *writer) inside(name string, f func(), attrs ...string) {
	w.open(name, attrs...)
	f()
	w.close(name)
}

func (w *writer) tag(name string, attrs []string) {
	w.b = append(w.b, '<')
	w.b = append(w.b, name...)
	for i := 0; i+1 < len(attrs); i += 2 {
		w.b = append(w.b, ' ')
		w.b = append(w.b, attrs[i]...)
		w.b = append(w.b, `="`...)
		w.escape(attrs[i+1])
		w.b = append(w.b, '"')
	}
}

func (w *writer) escape(s string) {
	for i, r := range s {
		switch {
		case r == '&':
			w.b = append(w.b, "&amp;"...)
		case r == '<':
			w.b = append(w.b, "&lt;"...)
		case r == '>':
			w.b = append(w.b, "&gt;"...)
		case r == '"':
			w.b = append(w.b, "&quot;"...)
		case r == '\r':
			w.b = append(w.b, "&#xD;"...) // a raw one would be read as a line feed
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			// not UTF-8
		case r >= 0x20 && r != 0xFFFE && r != 0xFFFF, r == '\t', r == '\n':
			w.b = utf8.AppendRune(w.b, r)
		}
	}
}

// envelope writes a whole request.
func (c *Client) envelope(m calendar.Mailbox, r request) []byte {
	w := &writer{b: make([]byte, 0, 4<<10)}
	w.b = append(w.b, `<?xml version="1.0" encoding="utf-8"?>`...)
	w.inside("s:Envelope", func() {
		w.inside("s:Header", func() {
			w.empty("t:RequestServerVersion", "Version", Version)
			if c.ActAs {
				w.inside("t:ExchangeImpersonation", func() {
					w.inside("t:ConnectingSID", func() { w.text("t:PrimarySmtpAddress", m.Address) })
				})
			}
			// Times without an offset are UTC, and so are those of answers.
			w.inside("t:TimeZoneContext", func() { w.empty("t:TimeZoneDefinition", "Id", "UTC") })
		})
		w.inside("s:Body", func() { r.body(w) })
	}, "xmlns:s", nsSOAP, "xmlns:t", nsTypes, "xmlns:m", nsMessages)
	return w.b
}

// calendarFolder names the mailbox's calendar.
func (c *Client) calendarFolder(w *writer, m calendar.Mailbox) { c.folder(w, m, "calendar") }

// folder names one of the folders that every mailbox has.
func (c *Client) folder(w *writer, m calendar.Mailbox, name string) {
	if c.ActAs {
		w.empty("t:DistinguishedFolderId", "Id", name)
		return
	}
	w.inside("t:DistinguishedFolderId", func() {
		w.inside("t:Mailbox", func() { w.text("t:EmailAddress", m.Address) })
	}, "Id", name)
}

// moment writes t as an absolute xs:dateTime.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
