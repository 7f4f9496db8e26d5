package exchangesim

import (
	"encoding/json"
	"net/http"
	"testing"
)

func FuzzGraphFilter(f *testing.F) {
	for _, text := range []string{
		"", "iCalUId eq 'x'", "singleValueExtendedProperties/Any(ep: ep/id eq '" + markerID + "' and ep/value ne null)",
		"start/dateTime ge '2026-11-22T14:00:00' and not (subject eq 'it''s')", "contains(subject,'x') or type eq 'occurrence'", "categories/any(c:c eq 'x')",
		"createdDateTime gt 2026-11-22T14:00:00Z", "((((", "'", "a:b",
	} {
		f.Add(text)
	}
	s, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	o := s.Outlook("alice@example.com")
	if _, err := o.Create(Appointment{Subject: "x", Start: noon, End: noon}); err != nil {
		f.Fatal(err)
	}
	b := s.find("alice@example.com")
	c := &call{Server: s}
	f.Fuzz(func(_ *testing.T, text string) {
		if fits, err := readFilter(text); err == nil {
			fits(c.viewOf(b.known("calendar").items[0]))
		}
		_, _ = readExpand(text)
	})
}

func FuzzGraphIDs(f *testing.F) {
	f.Add("AAkANWZmODYwYmYtMTE5MC01OTZjLTcxODgtYWI4NTFkYjY5MWYwAEYAAMA55HYFAxAFAAAAAAAAEDEAAA==", "restid")
	f.Add("", "entryid")
	f.Fuzz(func(t *testing.T, text, format string) {
		e, immutable, err := readGraphID(text)
		if err == nil && graphID(e, immutable) != toREST.Replace(fromREST.Replace(text)) {
			t.Errorf("%q is read as %v", text, e)
		}
		if e, err := readID(text, format); err == nil {
			if again, err := readID(writeID(e, format), format); err != nil || again != e {
				t.Errorf("%q as %s is read as %v and then as %v, %v", text, format, e, again, err)
			}
		}
	})
}

func FuzzGraphBodies(f *testing.F) {
	series, err := json.Marshal(dailyFive())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(series)
	f.Add([]byte(`{"isAllDay":true,"start":{"dateTime":"2026-12-01T00:00:00","timeZone":"Europe/Vienna"},"attendees":[{"emailAddress":null}],"body":null}`))
	f.Add([]byte(`{"requests":[{"id":"1","method":"GET","url":"users/x","dependsOn":["1"]}]}`))
	s, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	g := &graphCall{call: &call{Server: s}}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := newContent(&Person{Name: "x", Address: "x@example.com", TimeZone: "UTC"})
		e := &graphEdit{edit: edit{content: &c, call: g.call}, g: g}
		if err := e.take(body); err == nil {
			_ = e.times()
		} else if asGraph(err).status != http.StatusBadRequest {
			t.Errorf("%s is refused with %v", body, err)
		}
		_, _ = readBatch(graphRequest{method: http.MethodPost, body: body})
	})
}
