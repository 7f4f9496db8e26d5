package exchangesim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// A graphClient speaks Graph as the app of a tenant. It checks what it sends and gets against the OpenAPI, where that is there.
type graphClient struct {
	t      *testing.T
	sim    *Server
	url    string // with /v1.0
	http   *http.Client
	token  string
	prefer []string
	match  string // If-Match
	lax    bool   // what is sent is wrong on purpose
	answer http.Header
	router routers.Router
}

// serveGraphFor starts a stand-in and returns a client with immutable ids, and one of EWS on-premises, both for alice.
func serveGraphFor(t *testing.T, o Options) (*Server, *graphClient, *testClient) {
	t.Helper()
	s, ews := serve(t, o)
	s.newSigning = graphSigning
	ts := httptest.NewTLSServer(s.Online())
	t.Cleanup(ts.Close)
	c := &graphClient{t: t, sim: s, url: ts.URL + graphRoot, http: ts.Client(), prefer: []string{`IdType="ImmutableId"`}}
	c.token = c.tokenOf(SampleTenant())
	c.router = graphRouter(t, c.url)
	return s, c, ews
}

// graphSigning is one key for all tests: making one takes a while.
var graphSigning = sync.OnceValues(newSigning)

// tokenOf is a token of a tenant's first app for Graph.
func (c *graphClient) tokenOf(t Tenant) string {
	c.t.Helper()
	token, _, err := c.sim.issue(&t, &t.Apps[0], "https://graph.microsoft.com", "1")
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}

var graphDocument = sync.OnceValues(func() (*openapi3.T, error) {
	return openapi3.NewLoader().LoadFromFile(filepath.Join("..", "..", "shared", "graph", "graph-calendar-openapi.yaml"))
})

func graphRouter(t *testing.T, base string) routers.Router {
	t.Helper()
	doc, err := graphDocument()
	if os.IsNotExist(err) || err != nil && strings.Contains(err.Error(), "no such file") {
		t.Log("NOT CHECKED against the OpenAPI of Graph: ../shared/graph is not there")
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	made := *doc
	made.Servers = openapi3.Servers{{URL: base}}
	router, err := gorillamux.NewRouter(&made)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// with is the client with other headers.
func (c *graphClient) with(change func(*graphClient)) *graphClient {
	made := *c
	made.prefer = append([]string(nil), c.prefer...)
	change(&made)
	return &made
}

// preferring is the client with one more Prefer header.
func (c *graphClient) preferring(text string) *graphClient {
	return c.with(func(c *graphClient) { c.prefer = append(c.prefer, text) })
}

// mutable is the client without immutable ids.
func (c *graphClient) mutable() *graphClient { return c.with(func(c *graphClient) { c.prefer = nil }) }

// matching is the client with If-Match.
func (c *graphClient) matching(etag string) *graphClient {
	return c.with(func(c *graphClient) { c.match = etag })
}

// do sends a request; path lies under /v1.0 or is a whole link.
func (c *graphClient) do(method, path string, body any) (int, map[string]any) {
	c.t.Helper()
	status, answer, err := c.try(method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return status, answer
}

// try is do that may lose the connection.
func (c *graphClient) try(method, path string, body any) (int, map[string]any, error) {
	c.t.Helper()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			c.t.Fatal(err)
		}
	}
	if !strings.HasPrefix(path, "https://") {
		path = c.url + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, path, bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	for _, p := range c.prefer {
		req.Header.Add("Prefer", p)
	}
	if c.match != "" {
		req.Header.Set("If-Match", c.match)
	}
	if raw != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	in := c.checkRequest(req, raw)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	c.answer = resp.Header
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, nil, err
	}
	c.checkResponse(in, resp, text)
	var answer map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			c.t.Fatalf("%s %s answers %s", method, path, text)
		}
	}
	return resp.StatusCode, answer, nil
}

func (c *graphClient) checkRequest(req *http.Request, raw []byte) *openapi3filter.RequestValidationInput {
	c.t.Helper()
	if c.router == nil {
		return nil
	}
	copied := req.Clone(c.t.Context())
	copied.Body = io.NopCloser(bytes.NewReader(raw))
	route, params, err := c.router.FindRoute(copied)
	if err != nil {
		return nil // not one of the fifteen
	}
	in := &openapi3filter.RequestValidationInput{Request: copied, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}}
	if err := openapi3filter.ValidateRequest(c.t.Context(), in); err != nil && !c.lax {
		c.t.Errorf("%s %s sends what the OpenAPI does not allow: %v", req.Method, req.URL.Path, err)
	}
	return in
}

func (c *graphClient) checkResponse(in *openapi3filter.RequestValidationInput, resp *http.Response, text []byte) {
	c.t.Helper()
	if in == nil || len(text) == 0 && resp.StatusCode >= 400 {
		return
	}
	if known := in.Route.Operation.Responses; resp.StatusCode >= 400 && known.Default() == nil && known.Status(resp.StatusCode) == nil {
		return // says nothing of errors
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: &openapi3filter.Options{
		IncludeResponseStatus: true, MultiError: true,
	}}
	out.SetBodyBytes(text)
	if err := openapi3filter.ValidateResponse(c.t.Context(), out); err != nil {
		c.t.Errorf("%s %s answers %d, which the OpenAPI does not allow: %v\n%s", in.Request.Method, in.Request.URL.Path, resp.StatusCode, err, text)
	}
}

// want is do for an answer with that status.
func (c *graphClient) want(status int, method, path string, body any) map[string]any {
	c.t.Helper()
	got, answer := c.do(method, path, body)
	if got != status {
		c.t.Fatalf("%s %s is answered %d, want %d: %v", method, path, got, status, answer)
	}
	return answer
}

// refused is do for an answer with that status and code.
func (c *graphClient) refused(status int, code, method, path string, body any) {
	c.t.Helper()
	got, answer := c.with(func(c *graphClient) { c.lax = true }).do(method, path, body)
	if got != status || member(answer, "error", "code") != code {
		c.t.Errorf("%s %s is answered %d %v, want %d %s", method, path, got, answer, status, code)
	}
}

// member is one deep in JSON.
func member(v any, path ...string) any {
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func text(v any, path ...string) string {
	s, _ := member(v, path...).(string)
	return s
}

func list(v any, path ...string) []any {
	l, _ := member(v, path...).([]any)
	return l
}

type object = map[string]any

const (
	aliceEvents = "/users/alice@example.com/events"
	markerID    = "String {8f1b4b0e-3c1b-4d52-9a51-6d7c1f3a2b10} Name RoomwireBookingId"
)

// zoned is a dateTimeTimeZone.
func zoned(t time.Time, zone string) object {
	loc := mustZone(zone)
	return object{"dateTime": t.In(loc).Format("2006-01-02T15:04:05"), "timeZone": zone}
}

// desk is an event of an hour, a number of hours after noon.
func desk(subject string, hours int) object {
	start := noon.Add(time.Duration(hours) * time.Hour)
	return object{
		"subject": subject, "start": zoned(start, "UTC"), "end": zoned(start.Add(time.Hour), "UTC"),
		"singleValueExtendedProperties": []object{{"id": markerID, "value": "bk-" + subject}},
	}
}

// create makes an event of alice's and returns it.
func (c *graphClient) create(event object) object {
	c.t.Helper()
	return c.want(http.StatusCreated, http.MethodPost, aliceEvents, event)
}

// event reads an event of alice's.
func (c *graphClient) event(id string) object {
	c.t.Helper()
	return c.want(http.StatusOK, http.MethodGet, aliceEvents+"/"+id, nil)
}

// query makes a query of names and values in turn.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}

// pages follows links from a path on, and returns everything and the last page's deltaLink.
func (c *graphClient) pages(path string) (values []any, deltaLink string) {
	c.t.Helper()
	for range 1000 {
		page := c.want(http.StatusOK, http.MethodGet, path, nil)
		values = append(values, list(page, "value")...)
		if path = text(page, "@odata.nextLink"); path == "" {
			return values, text(page, "@odata.deltaLink")
		}
	}
	c.t.Fatal("1000 pages and no end")
	return nil, ""
}

// window is the query of a calendar view from days before noon to days after it.
func days(before, after int) string {
	return query("startDateTime", noon.AddDate(0, 0, -before).Format(time.RFC3339), "endDateTime", noon.AddDate(0, 0, after).Format(time.RFC3339))
}

func itoa(n int) string { return fmt.Sprint(n) }
