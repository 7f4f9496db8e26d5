package graph

import (
	"context"
	"encoding/json"
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

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A world is a running server, and a backend that talks to it.
type world struct {
	*Backend
	sim   *exchangesim.Server
	url   string
	alice backend.Mailbox
	line  *line
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, exchangesim.Options{}, Settings{})
}

func newWorldOf(t *testing.T, o exchangesim.Options, s Settings) *world {
	t.Helper()
	if o.Tenants == nil {
		o.Tenants = []exchangesim.Tenant{exchangesim.SampleTenant()}
	}
	sim, err := exchangesim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	at := httptest.NewServer(sim.Online())
	t.Cleanup(func() {
		at.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{sim: sim, url: at.URL + "/v1.0"}
	w.alice = w.mailbox("alice@example.com")
	w.line = &line{t: t, token: login(t, at.URL), router: openAPI(t, w.url), next: http.DefaultTransport}
	w.Backend = w.open(t, s)
	return w
}

func (w *world) open(t *testing.T, s Settings) *Backend {
	t.Helper()
	b, err := New(s, backend.Env{HTTP: &http.Client{Transport: w.line}, ActAs: true, Markers: backend.DefaultMarkers()}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) mailbox(address string) backend.Mailbox {
	return backend.Mailbox{Address: address, URL: w.url}
}

// login gets a token for the sample tenant's application.
func login(t *testing.T, at string) string {
	t.Helper()
	tenant := exchangesim.SampleTenant()
	resp, err := http.PostForm(at+"/"+tenant.ID+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {tenant.Apps[0].ID}, "client_secret": {tenant.Apps[0].Secrets[0].Value},
		"scope": {"https://graph.microsoft.com/.default"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.Token == "" {
		t.Fatalf("no token: %v, HTTP %s", err, resp.Status)
	}
	return got.Token
}

// A line authorizes requests as the host's client does, checks them against the OpenAPI, counts them, and may change what
// comes back.
type line struct {
	t      *testing.T
	token  string
	router routers.Router
	next   http.RoundTripper

	mu       sync.Mutex
	requests []*http.Request
	twist    func(*http.Request) (*http.Response, error) // nil, nil: the request goes on
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.requests = append(l.requests, r)
	twist := l.twist
	l.mu.Unlock()
	if !strings.Contains(r.Header.Get("Prefer"), preferIDs) {
		l.t.Errorf("%s %s does not ask for immutable ids", r.Method, r.URL.Path)
	}
	if twist != nil {
		if resp, err := twist(r); resp != nil || err != nil {
			return resp, err
		}
	}
	l.check(r)
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+l.token)
	return l.next.RoundTrip(r)
}

// check validates a request.
func (l *line) check(r *http.Request) {
	if l.router == nil {
		return
	}
	as := r
	if at := strings.TrimSuffix(strings.TrimSuffix(r.URL.Path, "/accept"), "/tentativelyAccept"); at != r.URL.Path {
		as = r.Clone(r.Context()) // our copy of the document has decline alone, which takes the same
		as.URL.Path = at + "/decline"
	}
	route, params, err := l.router.FindRoute(as)
	if err != nil {
		if !strings.Contains(r.URL.Path, "suite") && !strings.Contains(r.URL.Path, "/groups") && !strings.Contains(r.URL.Path, "/mailFolders/") { // the document is of the calendar
			l.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		return
	}
	body := r.Body
	if r.GetBody != nil {
		body, _ = r.GetBody()
	}
	copied := r.Clone(r.Context())
	copied.Body = body
	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{Request: copied, PathParams: params, Route: route})
	if err != nil {
		l.t.Errorf("%s %s is not valid by the OpenAPI: %v", r.Method, r.URL.Path, err)
	}
}

// count returns how many requests were made whose method and path contain the given texts.
func (l *line) count(method, path string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, r := range l.requests {
		if strings.Contains(r.Method, method) && strings.Contains(r.URL.Path, path) {
			n++
		}
	}
	return n
}

// twisted has requests answered otherwise.
func (l *line) twisted(f func(*http.Request) (*http.Response, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.twist = f
}

var document = sync.OnceValues(func() (*openapi3.T, error) {
	file := filepath.Join("..", "..", "..", "..", "shared", "graph", "graph-calendar-openapi.yaml")
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromFile(file)
})

// openAPI returns what finds an operation; nil, and a note, where the document is not there.
func openAPI(t *testing.T, root string) routers.Router {
	t.Helper()
	doc, err := document()
	if os.IsNotExist(err) {
		t.Log("NOT CHECKED against Graph's OpenAPI: ../shared/graph is not beside this folder")
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	own := *doc
	own.Servers = openapi3.Servers{{URL: root}}
	router, err := gorillamux.NewRouter(&own)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func utc(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

// soon is a moment some days from now, so that it lies in the window.
func soon(days int, clock string) time.Time {
	return utc(time.Now().UTC().AddDate(0, 0, days).Format("2006-01-02 ") + clock)
}

// desk is an event with something in every field but people.
func desk() calendar.Event {
	return calendar.Event{
		Subject: "Desk 4.12 & <window>", Body: "first line\nsecond line", Location: "Building 4",
		Start: soon(10, "08:00"), End: soon(10, "16:00"), Zone: "Europe/Berlin",
		Busy: calendar.Tentative, Class: calendar.Private, Reminder: &calendar.Reminder{Before: 30 * time.Minute},
	}
}

// meeting is one with people.
func meeting() calendar.Event {
	e := desk()
	e.Attendees = []calendar.Attendee{
		{Address: calendar.Address{Name: "Bob Brown", Email: "bob@example.com"}},
		{Address: calendar.Address{Name: "Carol Clark", Email: "carol@example.com"}, Role: calendar.Optional},
		{Address: calendar.Address{Name: "Room A", Email: "room-a@example.com"}, Role: calendar.Resource},
	}
	return e
}

func (w *world) create(t *testing.T, key string, e calendar.Event) backend.Item {
	t.Helper()
	m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: key, ForeignKey: "oid-" + key, Event: e}
	if len(e.Attendees) > 0 {
		m.Mail = calendar.MailAll
	}
	r, err := w.Apply(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return r.Item
}

// pull reads all pages from a cursor.
func (w *world) pull(t *testing.T, since backend.Cursor) ([]backend.Change, []backend.Page) {
	t.Helper()
	changes, pages, err := pullOf(t.Context(), w.Backend, w.alice, since)
	if err != nil {
		t.Fatal(err)
	}
	return changes, pages
}

func pullOf(ctx context.Context, b *Backend, m backend.Mailbox, since backend.Cursor) (changes []backend.Change, pages []backend.Page, err error) {
	err = b.Pull(ctx, backend.PullRequest{Mailbox: m, Since: since}, func(p backend.Page) error {
		changes, pages = append(changes, p.Changes...), append(pages, p)
		return nil
	})
	return changes, pages, err
}

func next(pages []backend.Page) backend.Cursor { return pages[len(pages)-1].Next }

// fetch reads one item.
func (w *world) fetch(t *testing.T, ref backend.Ref) (backend.Item, error) {
	t.Helper()
	got, err := w.Fetch(t.Context(), w.alice, []backend.Ref{ref})
	if err != nil {
		t.Fatal(err)
	}
	return got[0].Item, got[0].Err
}
