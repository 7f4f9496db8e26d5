package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

func TestAKeyOpensItsTenantOnly(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	stranger, _ := apikey.New("Default", "never stored", nil, noon)
	for _, c := range []struct {
		name, path, authorization string
		status                    int
	}{
		{"own", "/Default/api/v1/persons/alice", "Bearer " + g.key, 200},
		{"scheme in small letters", "/Default/api/v1/persons/alice", "bearer " + g.key, 200},
		{"tenant in small letters", "/default/api/v1/persons/alice", "Bearer " + g.key, 200},
		{"none", "/Default/api/v1/persons/alice", "", 401},
		{"unknown", "/Default/api/v1/persons/alice", "Bearer " + stranger, 401},
		{"malformed", "/Default/api/v1/persons/alice", "Bearer x", 401},
		{"Basic", "/Default/api/v1/persons/alice", "Basic " + g.key, 401},
		{"no scheme", "/Default/api/v1/persons/alice", g.key, 401},
		{"none, unknown tenant", "/Nobody/api/v1/persons", "", 401},
		{"another's tenant", "/Other/api/v1/persons/eve", "Bearer " + g.key, 404},
		{"unknown tenant", "/Nobody/api/v1/persons/eve", "Bearer " + g.key, 404},
		{"another's person", "/Default/api/v1/persons/eve", "Bearer " + g.key, 404},
		{"host's own", "/Default/api/v1/persons/alice", "Bearer " + g.admin, 200},
		{"host's own, elsewhere", "/Other/api/v1/persons/eve", "Bearer " + g.admin, 200},
		{"host's own, unknown tenant", "/Nobody/api/v1/persons", "Bearer " + g.admin, 404},
		{"no path", "/Default/api/v2/persons", "", 404},
	} {
		r := g.call(t, h, "GET", c.path, "", "Authorization", c.authorization)
		if r.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, r.StatusCode, r.text, c.status)
		}
		if r.StatusCode == 401 && r.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: 401 without WWW-Authenticate", c.name)
		}
	}
	g.AdminKeyHash = nil
	if r := g.call(t, New(g.Options), "GET", "/Default/api/v1/persons", "", "Authorization", "Bearer "+g.admin); r.StatusCode != 401 {
		t.Errorf("a host's own key of an earlier start: %d", r.StatusCode)
	}
}

func TestAnotherTenantsNamesAreNotTold(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	known := g.call(t, h, "GET", "/Other/api/v1/persons", "")
	unknown := g.call(t, h, "GET", "/Nobody/api/v1/persons", "")
	if known.StatusCode != unknown.StatusCode || strings.ReplaceAll(known.problem.Detail, "Other", "Nobody") != unknown.problem.Detail {
		t.Errorf("%s differs from %s", known.text, unknown.text)
	}
}

func TestRevokedKeyOpensNothing(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	admin := []string{"Authorization", "Bearer " + g.admin}
	made := g.call(t, h, "POST", "/Default/api/v1/apikeys", `{"name":"booking system"}`, admin...)
	if made.StatusCode != 201 {
		t.Fatal(made.text)
	}
	id, key := field(t, made.text, "id"), field(t, made.text, "key")
	use := func() int {
		return g.call(t, h, "GET", "/Default/api/v1/persons", "", "Authorization", "Bearer "+key).StatusCode
	}
	if got := use(); got != 200 {
		t.Errorf("a new key: %d", got)
	}
	list := g.call(t, h, "GET", "/Default/api/v1/apikeys", "", admin...)
	if list.StatusCode != 200 || !strings.Contains(list.text, "booking system") || strings.Contains(list.text, key) || !strings.Contains(list.text, "last_used") {
		t.Errorf("list: %d %s", list.StatusCode, list.text)
	}
	for _, want := range []int{204, 404} {
		if got := g.call(t, h, "DELETE", "/Default/api/v1/apikeys/"+id, "", admin...).StatusCode; got != want {
			t.Errorf("revoke: %d, want %d", got, want)
		}
	}
	if got := use(); got != 401 {
		t.Errorf("a revoked key: %d", got)
	}
	if got := g.call(t, h, "DELETE", "/Other/api/v1/apikeys/"+id, "", admin...).StatusCode; got != 404 {
		t.Errorf("revoked in another tenant: %d", got)
	}
	for _, c := range [][2]string{{"GET", ""}, {"POST", `{"name":"x"}`}} {
		if r := g.call(t, h, c[0], "/Default/api/v1/apikeys", c[1]); r.StatusCode != 403 {
			t.Errorf("%s with a tenant's key: %d", c[0], r.StatusCode)
		}
	}
}

func TestRequestsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	for _, c := range []struct {
		method, path, body, contentType string
		status                          int
	}{
		{"GET", "/", "", "", 404},
		{"GET", "/Default/api/v1", "", "", 404},
		{"GET", "/Default/api/v1/persons/", "", "", 404},
		{"GET", "/Default/api/v1/persons//alice", "", "", 404},
		{"GET", "/Default/api/v1/persons/../bookings", "", "", 404},
		{"GET", "/Default/api/v1/persons/a%00b", "", "", 404},
		{"GET", "/Default/api/v1/persons/a%FFb", "", "", 404},
		{"GET", bookings + "?person=%00", "", "", 400},
		{"GET", bookings + "?person=%FF", "", "", 400},
		{"GET", bookings + "?person=%zz", "", "", 400},
		{"GET", bookings + "?limit=1&limit=2", "", "", 400},
		{"GET", bookings, "{}", "application/json", 400},
		{"GET", "/Default/api/v1/changes?wait=61s", "", "", 400},
		{"GET", "/Default/api/v1/changes?wait=1h", "", "", 400},
		{"GET", "/Default/api/v1/changes?after=-1", "", "", 400},
		{"GET", "/Default/api/v1/persons?status=fine", "", "", 400},
		{"PATCH", bookings + "/b", "{}", "application/json", 405},
		{"POST", bookings, "{}", "application/json", 405},
		{"DELETE", bookings, "", "", 405},
		{"POST", "/openapi.json", "", "", 405},
		{"PUT", bookings + "/b", simple, "text/plain", 415},
		{"PUT", bookings + "/b", simple, "", 415},
		{"PUT", bookings + "/b", simple, "application/json; charset=iso-8859-1", 415},
		{"PUT", bookings + "/b", simple, "application/json; charset=UTF-8", 201},
		{"PUT", bookings + "/b", `{"title":"a\u0000b"}`, "application/json", 400},
		{"PUT", bookings + "/b", "{\"title\":\"\xff\"}", "application/json", 400},
		{"PUT", bookings + "/b", strings.Repeat(" ", MaxJSON+1), "application/json", 413},
		{"POST", "/Default/api/v1/persons/import", "id,email\n", "application/json", 415},
		{"POST", "/Default/api/v1/persons/import", strings.Repeat("x", MaxCSV+1), "text/csv", 413},
		{"POST", "/Default/api/v1/persons/alice/sync", `{"ful":true}`, "application/json", 422},
	} {
		r := g.call(t, h, c.method, c.path, c.body, "Content-Type", c.contentType)
		if r.StatusCode != c.status {
			t.Errorf("%s %s %.30q = %d %s, want %d", c.method, c.path, c.body, r.StatusCode, r.text, c.status)
		}
		if r.StatusCode == 405 && r.Header.Get("Allow") == "" {
			t.Errorf("%s %s: 405 without Allow", c.method, c.path)
		}
	}
	if r := g.call(t, h, "POST", bookings+"/b", ""); r.Header.Get("Allow") != "GET, HEAD, PUT, DELETE" {
		t.Errorf("Allow = %q", r.Header.Get("Allow"))
	}
}

type fakeBookings struct {
	Bookings
	put    func(b *booking.Booking) (booking.Saved, error)
	cancel func(id string) (*booking.Booking, error)
}

func (f fakeBookings) Put(_ context.Context, b *booking.Booking, _ booking.Match, _ booking.OnConflict) (booking.Saved, error) {
	return f.put(b)
}

func (f fakeBookings) Cancel(_ context.Context, _, id string, _ booking.Match) (*booking.Booking, error) {
	return f.cancel(id)
}

func TestFailuresTellTheCallerNoParticulars(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var log bytes.Buffer
	g.Log = hclog.New(&hclog.LoggerOptions{Output: &log})
	g.Bookings = fakeBookings{
		put:    func(*booking.Booking) (booking.Saved, error) { panic("disk secret-1") },
		cancel: func(string) (*booking.Booking, error) { return nil, errors.New("database secret-2") },
	}
	h := New(g.Options)
	for _, c := range [][2]string{{"PUT", simple}, {"DELETE", ""}} {
		r := g.call(t, h, c[0], bookings+"/b", c[1])
		if r.StatusCode != 500 || r.problem.Type != urn+"internal" || strings.Contains(r.text, "secret") {
			t.Errorf("%s: %d %s", c[0], r.StatusCode, r.text)
		}
		if !strings.Contains(log.String(), *r.problem.RequestID) {
			t.Errorf("%s: request_id %s is not in the log", c[0], *r.problem.RequestID)
		}
	}
	if !strings.Contains(log.String(), "secret-1") || !strings.Contains(log.String(), "secret-2") {
		t.Errorf("the log does not say why: %s", log.String())
	}
}

func TestLogHoldsNeitherKeysNorBodies(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var log bytes.Buffer
	g.Log = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})
	h := New(g.Options)
	g.call(t, h, "PUT", bookings+"/b", strings.Replace(simple, "Planning", "canary", 1))
	g.call(t, h, "PUT", bookings+"/c", strings.Replace(simple, "Planning", "canary", 1)) // refused
	g.call(t, h, "PUT", bookings+"/c", `{"canary":"canary"`)
	g.call(t, h, "GET", bookings+"?person=canary", "")
	g.call(t, h, "GET", bookings, "", "Authorization", "Bearer canary")
	if strings.Contains(log.String(), "canary") || strings.Contains(log.String(), g.key[12:]) {
		t.Errorf("the log holds a secret: %s", log.String())
	}
	if got := strings.Count(log.String(), "request_id="); got != 5 {
		t.Errorf("%d log lines for 5 requests: %s", got, log.String())
	}
	if !strings.Contains(log.String(), "route=/{tenant}/api/v1/bookings/{id}") {
		t.Errorf("the log does not name the route: %s", log.String())
	}
}

func TestWhileTheStoreIsAwayNoKeyIsRefused(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.Keys = brokenKeys{g.Keys}
	if r := g.call(t, New(g.Options), "GET", bookings, ""); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s, want 503", r.StatusCode, r.text)
	}
}

type brokenKeys struct{ Keys }

func (brokenKeys) APIKeyByHash(context.Context, []byte) (store.APIKey, bool, error) {
	return store.APIKey{}, false, errors.New("database is away")
}

func TestDescriptionIsServedWithoutAKey(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	server := httptest.NewUnstartedServer(nil)
	server.Config = Server(New(g.Options))
	server.Start()
	defer server.Close()
	get := func(method, tag string) (int, string, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/openapi.json", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("If-None-Match", tag)
		r, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, r.Header.Get("ETag"), string(body)
	}
	status, tag, body := get("GET", "")
	doc, err := openapi3.NewLoader().LoadFromData([]byte(body))
	if status != 200 || err != nil {
		t.Fatalf("%d, %v", status, err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("the description is not valid: %v", err)
	}
	if status, _, _ := get("GET", tag); status != 304 {
		t.Errorf("with its own tag: %d", status)
	}
	if status, _, body := get("HEAD", ""); status != 200 || body != "" {
		t.Errorf("HEAD: %d %q", status, body)
	}
}

func TestEveryProblemHasATitle(t *testing.T) {
	t.Parallel()
	for _, p := range []problem{
		problemOf(&booking.OverlapError{}), problemOf(&booking.VersionError{}), problemOf(booking.ErrNotFound),
		problemOf(&booking.InvalidError{Violations: []booking.Violation{{}}}), problemOf(&store.TakenError{}),
		problemOf(context.Canceled), problemOf(errors.New("x")), feedPosition(1, "x"), malformed("x"),
	} {
		if titles[p.kind] == "" || p.detail == "" || !slices.Contains([]int{400, 404, 409, 410, 412, 422, 500, 503}, p.status) {
			t.Errorf("incomplete: %+v", p)
		}
	}
}
