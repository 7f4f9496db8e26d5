package dav

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// A Name is that of a property.
type Name struct{ space, local string }

// The properties that are asked for.
var (
	ETag        = Name{nsDAV, "getetag"}
	Modified    = Name{nsDAV, "getlastmodified"}
	DisplayName = Name{nsDAV, "displayname"}
	SyncToken   = Name{nsDAV, "sync-token"}
	CTag        = Name{nsServer, "getctag"}
	Type        = Name{nsDAV, "resourcetype"}
	Privileges  = Name{nsDAV, "current-user-privilege-set"}
	Reports     = Name{nsDAV, "supported-report-set"}
	Components  = Name{nsCalDAV, "supported-calendar-component-set"}
	Principal   = Name{nsDAV, "current-user-principal"}
	Home        = Name{nsCalDAV, "calendar-home-set"}
	Addresses   = Name{nsCalDAV, "calendar-user-address-set"}
	Inbox       = Name{nsCalDAV, "schedule-inbox-URL"}
	Default     = Name{nsCalDAV, "schedule-default-calendar-URL"}
)

const header = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// element is what may stand in a body: every request declares the three namespaces as D, C and S.
const declared = ` xmlns:D="` + nsDAV + `" xmlns:C="` + nsCalDAV + `" xmlns:S="` + nsServer + `"`

var prefixes = map[string]string{nsDAV: "D", nsCalDAV: "C", nsServer: "S"}

func propfind(props []Name) []byte {
	var b bytes.Buffer
	b.WriteString(header + `<D:propfind` + declared + `><D:prop>`)
	for _, p := range props {
		fmt.Fprintf(&b, "<%s:%s/>", prefixes[p.space], p.local)
	}
	b.WriteString(`</D:prop></D:propfind>`)
	return b.Bytes()
}

// Sync asks for what changed since a token, limit members at most; a limit of zero sets none (RFC 6578 3.2).
func Sync(token string, limit int) []byte {
	var b bytes.Buffer
	b.WriteString(header + `<D:sync-collection` + declared + `><D:sync-token>` + escaped(token) + `</D:sync-token><D:sync-level>1</D:sync-level>`)
	if limit > 0 {
		fmt.Fprintf(&b, "<D:limit><D:nresults>%d</D:nresults></D:limit>", limit)
	}
	b.WriteString(`<D:prop><D:getetag/></D:prop></D:sync-collection>`)
	return b.Bytes()
}

// Multiget asks for calendar objects (RFC 4791 7.9). With only, no more than these properties of their events is wanted;
// servers may send more.
func Multiget(hrefs, only []string) []byte {
	var b bytes.Buffer
	b.WriteString(header + `<C:calendar-multiget` + declared + `>` + wanted(only))
	for _, h := range hrefs {
		b.WriteString("<D:href>" + escaped(h) + "</D:href>")
	}
	b.WriteString(`</C:calendar-multiget>`)
	return b.Bytes()
}

// Having asks for the events with a property whose value contains a text (RFC 4791 7.8); the least capable servers compare
// without regard to case.
func Having(property, text string) []byte {
	return []byte(header + `<C:calendar-query` + declared + `>` + wanted(nil) +
		`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">` +
		`<C:prop-filter name="` + escaped(property) + `"><C:text-match>` + escaped(text) + `</C:text-match></C:prop-filter>` +
		`</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`)
}

func wanted(only []string) string {
	if only == nil {
		return `<D:prop><D:getetag/><D:getlastmodified/><C:calendar-data/></D:prop>`
	}
	var b bytes.Buffer
	b.WriteString(`<D:prop><D:getetag/><C:calendar-data><C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT">`)
	for _, p := range only {
		b.WriteString(`<C:prop name="` + escaped(p) + `"/>`)
	}
	b.WriteString(`</C:comp></C:comp></C:calendar-data></D:prop>`)
	return b.String()
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer cannot fail
	return b.String()
}
