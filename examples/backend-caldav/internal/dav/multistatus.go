package dav

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/roomwire/roomwire/sdk/fault"
)

// The namespaces.
const (
	nsDAV    = "DAV:"
	nsCalDAV = "urn:ietf:params:xml:ns:caldav"
	nsServer = "http://calendarserver.org/ns/"
)

// A Multistatus is the answer to a question about several resources (RFC 4918 13).
type Multistatus struct {
	XMLName   xml.Name   `xml:"DAV: multistatus"`
	Responses []Response `xml:"DAV: response"`
	SyncToken string     `xml:"DAV: sync-token"` // of a sync-collection report

	URL    *url.URL    `xml:"-"` // of what was asked; hrefs are relative to it
	Header http.Header `xml:"-"`
}

// A Response is what is said of one resource, or, of several, that they have a status.
type Response struct {
	Hrefs     []string   `xml:"DAV: href"`
	Status    string     `xml:"DAV: status"`
	Propstats []Propstat `xml:"DAV: propstat"`
}

// A Propstat is the properties with one status.
type Propstat struct {
	Prop   Prop   `xml:"DAV: prop"`
	Status string `xml:"DAV: status"`
}

// A Prop holds the properties that were asked for and are there.
type Prop struct {
	ETag        string  `xml:"DAV: getetag"`
	Modified    string  `xml:"DAV: getlastmodified"`
	DisplayName string  `xml:"DAV: displayname"`
	SyncToken   string  `xml:"DAV: sync-token"`
	CTag        string  `xml:"http://calendarserver.org/ns/ getctag"`
	Data        *string `xml:"urn:ietf:params:xml:ns:caldav calendar-data"`

	Type       names `xml:"DAV: resourcetype"`
	Privileges *struct {
		List []names `xml:"DAV: privilege"`
	} `xml:"DAV: current-user-privilege-set"`
	Reports *struct {
		List []struct {
			Report names `xml:"DAV: report"`
		} `xml:"DAV: supported-report"`
	} `xml:"DAV: supported-report-set"`
	Components *struct {
		List []struct {
			Name string `xml:"name,attr"`
		} `xml:"urn:ietf:params:xml:ns:caldav comp"`
	} `xml:"urn:ietf:params:xml:ns:caldav supported-calendar-component-set"`

	Principal hrefs `xml:"DAV: current-user-principal"`
	Home      hrefs `xml:"urn:ietf:params:xml:ns:caldav calendar-home-set"`
	Addresses hrefs `xml:"urn:ietf:params:xml:ns:caldav calendar-user-address-set"`
	Inbox     hrefs `xml:"urn:ietf:params:xml:ns:caldav schedule-inbox-URL"`
	Default   hrefs `xml:"urn:ietf:params:xml:ns:caldav schedule-default-calendar-URL"`
}

type hrefs struct {
	List []string `xml:"DAV: href"`
}

// First returns the first of the hrefs, or nothing.
func (h hrefs) First() string {
	if len(h.List) == 0 {
		return ""
	}
	return strings.TrimSpace(h.List[0])
}

type names struct {
	List []struct {
		XMLName xml.Name
	} `xml:",any"`
}

func (n names) has(space, local string) bool {
	for _, e := range n.List {
		if e.XMLName.Space == space && e.XMLName.Local == local {
			return true
		}
	}
	return false
}

// Parse reads a multistatus. What is none, and what is damaged, is fault.Unavailable.
func Parse(body []byte) (Multistatus, error) {
	var ms Multistatus
	// encoding/xml knows no entities but XML's own and fetches nothing.
	if err := xml.NewDecoder(bytes.NewReader(body)).Decode(&ms); err != nil {
		return ms, fmt.Errorf("the answer is no DAV multistatus: %w: %w", err, fault.Unavailable)
	}
	return ms, nil
}

// Code returns the status of the resource as a whole; zero where there is none but that of its properties.
func (r Response) Code() int { return code(r.Status) }

// Found returns the properties that are there.
func (r Response) Found() (Prop, bool) {
	for _, p := range r.Propstats {
		if c := code(p.Status); c >= 200 && c < 300 {
			return p.Prop, true
		}
	}
	return Prop{}, false
}

// code reads a status such as "HTTP/1.1 404 Not Found".
func code(status string) int {
	f := strings.Fields(status)
	if len(f) < 2 {
		return 0
	}
	n, err := strconv.Atoi(f[1])
	if err != nil {
		return 0
	}
	return n
}

// Resolve returns where an href of the answer leads.
func (m Multistatus) Resolve(href string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(href))
	if err != nil {
		return nil, fmt.Errorf("the answer has an href that is no URL: %w: %w", err, fault.Unavailable)
	}
	if m.URL == nil {
		return u, nil
	}
	u = m.URL.ResolveReference(u)
	u.Scheme, u.Host = m.URL.Scheme, m.URL.Host // servers behind a proxy know themselves by other names
	return u, nil
}

// Self returns the properties of the resource that was asked about.
func (m Multistatus) Self() Prop {
	if len(m.Responses) == 0 {
		return Prop{}
	}
	p, _ := m.Responses[0].Found()
	return p
}

// IsCalendar reports whether the resource is a calendar.
func (p Prop) IsCalendar() bool { return p.Type.has(nsCalDAV, "calendar") }

// IsCollection reports whether the resource holds others.
func (p Prop) IsCollection() bool { return p.Type.has(nsDAV, "collection") }

// HoldsEvents reports whether a calendar may hold events; one that does not say what it holds does.
func (p Prop) HoldsEvents() bool {
	if p.Components == nil || len(p.Components.List) == 0 {
		return true
	}
	for _, c := range p.Components.List {
		if strings.EqualFold(c.Name, "VEVENT") {
			return true
		}
	}
	return false
}

// Writable reports whether the account may write; where the server does not tell, it may.
func (p Prop) Writable() bool {
	if p.Privileges == nil || len(p.Privileges.List) == 0 {
		return true
	}
	for _, one := range p.Privileges.List {
		for _, name := range []string{"write", "write-content", "bind", "all"} {
			if one.has(nsDAV, name) {
				return true
			}
		}
	}
	return false
}

// Syncs reports whether the calendar answers sync-collection reports (RFC 6578); told is false where it does not say.
func (p Prop) Syncs() (can, told bool) {
	if p.Reports == nil || len(p.Reports.List) == 0 {
		return false, false
	}
	for _, r := range p.Reports.List {
		if r.Report.has(nsDAV, "sync-collection") {
			return true, true
		}
	}
	return false, true
}
