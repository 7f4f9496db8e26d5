package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/store"
)

const (
	bookings = "/Default/api/v1/bookings"
	simple   = `{"title":"Planning","start":"2026-12-01T10:00:00+01:00","end":"2026-12-01T11:00:00+01:00","zone":"Europe/Berlin",` +
		`"organizer":"alice","resources":["r2","r1"],"attendees":[{"email":"x@example.com","name":"X"}],"reminder_minutes":15}`
)

func TestPutIsCreateOrReplaceAndIdempotent(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	first := g.call(t, h, "PUT", bookings+"/b1", simple)
	if first.StatusCode != 201 || first.Header.Get("ETag") != `"1"` || first.Header.Get("Location") != bookings+"/b1" {
		t.Fatalf("first: %d %v %s", first.StatusCode, first.Header, first.text)
	}
	b := first.booking(t)
	if b.Start != "2026-12-01T10:00:00+01:00" || b.End != "2026-12-01T11:00:00+01:00" || b.AllDay || !slices.Equal(b.Resources, []string{"r1", "r2"}) ||
		len(b.Attendees) != 1 || *b.Attendees[0].Role != rest.RoleRequired || b.Busy != rest.BusyBusy || b.Class != rest.ClassPublic ||
		*b.ReminderMinutes != 15 || b.Status != rest.BookingStatusConfirmed || b.Version != 1 || b.Item != nil {
		t.Errorf("created: %s", first.text)
	}
	again := g.call(t, h, "PUT", bookings+"/b1", simple)
	if again.StatusCode != 200 || again.Header.Get("ETag") != `"1"` || again.text != first.text {
		t.Errorf("the same again: %d %v %s", again.StatusCode, again.Header, again.text)
	}
	changed := g.call(t, h, "PUT", bookings+"/b1", strings.Replace(simple, "Planning", "Review", 1))
	if changed.StatusCode != 200 || changed.Header.Get("ETag") != `"2"` || changed.booking(t).Title != "Review" {
		t.Errorf("changed: %d %v %s", changed.StatusCode, changed.Header, changed.text)
	}
	got := g.call(t, h, "GET", "/default/api/v1/bookings/b1", "")
	if got.StatusCode != 200 || got.text != changed.text || got.Header.Get("ETag") != `"2"` {
		t.Errorf("GET: %d %s, want %s", got.StatusCode, got.text, changed.text)
	}
}

func TestCancelKeepsTheBookingReadable(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	g.call(t, h, "PUT", bookings+"/b1", simple)
	for range 2 {
		r := g.call(t, h, "DELETE", bookings+"/b1", "")
		if r.StatusCode != 200 || r.Header.Get("ETag") != `"2"` || r.booking(t).Status != rest.BookingStatusCancelled {
			t.Errorf("DELETE: %d %v %s", r.StatusCode, r.Header, r.text)
		}
	}
	if r := g.call(t, h, "GET", bookings+"/b1", ""); r.booking(t).Status != rest.BookingStatusCancelled {
		t.Errorf("GET: %s", r.text)
	}
	if r := g.call(t, h, "DELETE", bookings+"/nope", ""); r.StatusCode != 404 || r.problem.Type != urn+"not-found" {
		t.Errorf("unknown: %d %s", r.StatusCode, r.text)
	}
}

func TestPreconditions(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	other := strings.Replace(simple, "Planning", "Other", 1)
	for i, c := range []struct {
		method, path, body string
		headers            []string
		status             int
	}{
		{"PUT", "/b1", simple, []string{"If-Match", `"1"`}, 412},
		{"PUT", "/b1", simple, []string{"If-Match", `*`}, 412},
		{"PUT", "/b1", simple, []string{"If-None-Match", `*`}, 201},
		{"PUT", "/b1", simple, []string{"If-None-Match", `*`}, 412},
		{"PUT", "/b1", other, []string{"If-Match", `"7"`}, 412},
		{"PUT", "/b1", other, []string{"If-Match", `W/"1"`}, 412},
		{"PUT", "/b1", other, []string{"If-Match", `nonsense`}, 412},
		{"PUT", "/b1", other, []string{"If-None-Match", `"1"`}, 400},
		{"PUT", "/b1", other, []string{"If-None-Match", `*`, "If-Match", `"1"`}, 400},
		{"PUT", "/b1", other, []string{"If-Match", `"1"`}, 200},
		{"PUT", "/b1", simple, []string{"If-Match", `"9", "2"`}, 200},
		{"PUT", "/b1", other, []string{"If-Match", `*`}, 200},
		{"GET", "/b1", "", []string{"If-None-Match", `"4"`}, 304},
		{"GET", "/b1", "", []string{"If-None-Match", `"8", W/"4"`}, 304},
		{"GET", "/b1", "", []string{"If-None-Match", `"3"`}, 200},
		{"HEAD", "/b1", "", nil, 200},
		{"DELETE", "/b1", "", []string{"If-Match", `"3"`}, 412},
		{"DELETE", "/b1", "", []string{"If-Match", `"4"`}, 200},
		{"DELETE", "/b2", "", []string{"If-Match", `*`}, 412},
	} {
		r := g.call(t, h, c.method, bookings+c.path, c.body, c.headers...)
		if r.StatusCode != c.status {
			t.Fatalf("%d: %s with %v = %d %s, want %d", i, c.method, c.headers, r.StatusCode, r.text, c.status)
		}
		if r.StatusCode == 412 && (r.problem.CurrentVersion == nil || r.problem.Type != urn+"version") {
			t.Errorf("%d: without the current version: %s", i, r.text)
		}
	}
}

func TestOverlapNamesTheOther(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	g.call(t, h, "PUT", bookings+"/b1", simple)
	r := g.call(t, h, "PUT", bookings+"/b2", strings.Replace(simple, "10:00:00", "10:30:00", 1))
	if r.StatusCode != 409 || r.problem.Type != urn+"overlap" || r.problem.Others == nil || !slices.Equal(*r.problem.Others, []string{"b1"}) {
		t.Errorf("overlap: %d %s", r.StatusCode, r.text)
	}
	if r := g.call(t, h, "GET", bookings+"/b2", ""); r.StatusCode != 404 {
		t.Errorf("the refused booking: %d", r.StatusCode)
	}
}

func TestAllDayBookingsTakeDates(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	r := g.call(t, h, "PUT", bookings+"/b1", `{"start":"2026-12-01","end":"2026-12-03","organizer":"alice","zone":"America/New_York"}`)
	b := r.booking(t)
	if r.StatusCode != 201 || !b.AllDay || b.Start != "2026-12-01" || b.End != "2026-12-03" {
		t.Errorf("all day: %d %s", r.StatusCode, r.text)
	}
}

func TestExpectedItemIsRemembered(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	r := g.call(t, h, "PUT", bookings+"/b1", strings.Replace(simple, `{"title"`, `{"item":"expected","title"`, 1))
	if b := r.booking(t); r.StatusCode != 201 || b.Item == nil || *b.Item != rest.BookingItemExpected {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
	b, _, err := g.store.Booking(t.Context(), "Default", "b1")
	if err != nil || !b.ItemExpected {
		t.Errorf("stored: %+v, %v", b, err)
	}
}

func TestEveryFaultOfABookingIsNamed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	for _, c := range []struct {
		path, body, fields string
		status             int
	}{
		{"/b", `{"titel":"x","start":"2026-12-01","end":"2026-12-02","organizer":"alice"}`, "titel", 422},
		{"/b", `{"start":"2026-12-01","end":"2026-12-02","organizer":"alice","attendees":[{"email":"a@example.com","mail":"b"}]}`, "attendees[0].mail", 422},
		{"/b", `{"start":1,"end":"2026-12-02","busy":"busyy","organizer":"alice"}`, "busy start", 422},
		{"/b", `{}`, "end start", 422},
		{"/b", `[]`, "body", 422},
		{"/b", `null`, "body", 422},
		{"/b", ``, "body", 422},
		{"/b", `{"start":"2026-12-01T10:00:00","end":"tomorrow","organizer":"alice","zone":"Nowhere/City","attendees":[{"email":"no address"}]}`, "start end zone attendees[0].email", 422},
		{"/b", `{"start":"2026-12-01","end":"2026-12-01T10:00:00Z","organizer":"alice"}`, "end", 422},
		{"/b", `{"start":"2026-12-01","end":"2026-12-02","all_day":false,"organizer":"alice"}`, "all_day", 422},
		{"/b", `{"start":"0001-01-01T00:00:00Z","end":"2026-12-02T00:00:00Z","organizer":"alice"}`, "start", 422},
		{"/b", `{"id":"c","start":"2026-12-01","end":"2026-12-02","organizer":"alice"}`, "id", 422},
		{"/b%20c", `{"start":"2026-12-01","end":"2026-12-02","organizer":"alice"}`, "id", 422},
		{"/b", `{"start":"2026-12-02","end":"2026-12-01","organizer":"","reminder_minutes":-1}`, "end organizer reminder_minutes", 422},
		{"/b", `{"start":"2026-12-01","end":"2026-12-02","organizer":"alice","reminder_minutes":1.5}`, "reminder_minutes", 422},
		{"/b", `{"start":"2026-12-01","end":"2026-12-02","organizer":"mallory"}`, "who[0]", 422},
		{"/b", `{"start":"2026-12-01","end":"2026-12-02","organizer":"alice","resources":["nope"]}`, "who[1]", 422},
		{"/b", `{"start":"2026-12-01","end":"2026-12-02","organizer":"eve"}`, "who[0]", 422},
		{"/b", `{"start":"2026-12-01",`, "", 400},
		{"/b", `{"start":"2026-12-01","end":"2026-12-02","organizer":"alice"} {}`, "", 400},
	} {
		r := g.call(t, h, "PUT", bookings+c.path, c.body, "Content-Type", "application/json")
		names := strings.Fields(r.fields())
		want := strings.Fields(c.fields)
		slices.Sort(names)
		slices.Sort(want)
		if r.StatusCode != c.status || !slices.Equal(names, want) {
			t.Errorf("%s %s = %d %q, want %d %q: %s", c.path, c.body, r.StatusCode, r.fields(), c.status, c.fields, r.text)
		}
	}
	if list, err := g.store.Bookings(t.Context(), "Default", store.BookingFilter{}); err != nil || len(list) != 0 {
		t.Errorf("stored: %v, %v", list, err)
	}
}

func TestBookingsArePaged(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	for id, day := range map[string]string{"a": "01", "b": "02", "c": "03", "d": "04", "e": "05"} {
		body := `{"start":"2026-12-` + day + `T10:00:00Z","end":"2026-12-` + day + `T11:00:00Z","organizer":"alice"}`
		if id == "d" {
			body = strings.Replace(body, "alice", "bob", 1)
		}
		if r := g.call(t, h, "PUT", bookings+"/"+id, body); r.StatusCode != 201 {
			t.Fatal(r.text)
		}
	}
	g.call(t, h, "DELETE", bookings+"/b", "")
	for query, want := range map[string]string{
		"":                        "a c d e",
		"?include_cancelled=true": "a b c d e",
		"?person=bob":             "d",
		"?problem=true":           "",
		"?from=2026-12-03T00:00:00Z&to=2026-12-05T00:00:00Z": "c d",
		"?from=2026-12-05T00:00:00%2B01:00":                  "e",
		"?limit=2":                                           "a c +c",
		"?limit=2&after=c":                                   "d e",
	} {
		r := g.call(t, h, "GET", bookings+query, "")
		var page rest.BookingPage
		if err := json.Unmarshal([]byte(r.text), &page); err != nil {
			t.Fatalf("%s: %v: %s", query, err, r.text)
		}
		var got []string
		for _, b := range page.Items {
			got = append(got, b.ID)
		}
		if page.Next != nil {
			got = append(got, "+"+*page.Next)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s = %v, want %s", query, got, want)
		}
	}
	for query, field := range map[string]string{
		"?limit=0": "limit", "?limit=501": "limit", "?limit=x": "limit", "?from=yesterday": "from", "?problem=maybe": "problem", "?from=2026-12-05T00:00:00+01:00": "from",
	} {
		if r := g.call(t, h, "GET", bookings+query, ""); r.StatusCode != 400 || r.fields() != field {
			t.Errorf("%s = %d %s", query, r.StatusCode, r.text)
		}
	}
}
