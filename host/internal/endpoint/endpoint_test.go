package endpoint

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
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

const target = NotificationPath + "?Default&k=tok"

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnswersOnlyItsPathsInAnyCase(t *testing.T) {
	t.Parallel()
	h := New(newRig().Options)
	for _, c := range []struct {
		method, target string
		want           int
	}{
		{"GET", "/WebServices/SyncNotification.svc?Default", 200},
		{"GET", "/Webservices/SyncNotification.svc", 200},
		{"GET", "/webservices/syncnotification.SVC?Default", 200},
		{"HEAD", "/WebServices/SyncNotification.svc?Default", 200},
		{"GET", "/API/Webhooks/Exchange", 200},
		{"POST", "/WEBSERVICES/SYNCNOTIFICATION.SVC?Default&k=tok", 200},
		{"POST", "/api/webhooks/exchange?Default&k=tok", 200},
		{"GET", "/healthz", 200},
		{"HEAD", "/HealthZ", 200},
		{"POST", "/healthz", 405},
		{"PUT", "/WebServices/SyncNotification.svc", 405},
		{"OPTIONS", "/api/webhooks/exchange", 405},
		{"GET", "/", 404},
		{"GET", "/openapi.json", 404},
		{"GET", "/Default/api/v1/bookings", 404},
		{"GET", "/metrics", 404},
		{"POST", "/WebServices/SyncNotification.svc/x", 404},
		{"GET", "/api/webhooks/graph?Default", 200},
		{"GET", "/API/Webhooks/Graph/Lifecycle?Default", 200},
		{"GET", "/api/webhooks/exchange2013", 200},
		{"POST", "/api/webhooks/graph?Default&k=tok", 200},
		{"POST", "/api/WEBHOOKS/graph/lifecycle?Default&k=tok", 200},
		{"DELETE", "/api/webhooks/graph", 405},
		{"GET", "/api/webhooks/", 404},
		{"GET", "/api/webhooks", 404},
		{"GET", "/api/webhooks//graph", 404},
		{"GET", "/api/webhooks/graph/", 404},
		{"GET", "/api/webhooks/graph/lifecycle/x", 404},
		{"GET", "/api/webhooks/caldav", 404},
		{"GET", "/api/webhooks/exchange/lifecycle", 404},
		{"GET", "/WebServices/../healthz", 404},
		{"GET", "//healthz", 404},
	} {
		r := do(t, h, c.method, c.target, "S1 alive")
		if r.StatusCode != c.want {
			t.Errorf("%s %s = %d, want %d", c.method, c.target, r.StatusCode, c.want)
		}
		for _, name := range []string{"X-Content-Type-Options", "Content-Security-Policy", "Cache-Control", "Referrer-Policy"} {
			if r.Header.Get(name) == "" {
				t.Errorf("%s %s lacks %s", c.method, c.target, name)
			}
		}
		if len(r.Cookies()) > 0 {
			t.Errorf("%s %s sets cookies", c.method, c.target)
		}
	}
}

func TestPageTellsAboutTheNamedTenantAndNoOther(t *testing.T) {
	t.Parallel()
	h := New(newRig().Options)
	for _, c := range []struct {
		query string
		want  string
		not   string
	}{
		{"?Default", "Tenant: <strong>Default</strong>", "Other"},
		{"?default&k=tok", "Tenant: <strong>Default</strong>", "tok"},
		{"?Def%61ult", "Tenant: <strong>Default</strong>", "Other"},
		{"", "names no tenant", "Other"},
		{"?Nobody", "not served here", "Nobody"},
		{"?%3Cscript%3E", "not served here", "<script>"},
	} {
		r := do(t, h, "GET", NotificationPath+c.query, "")
		page := text(t, r)
		if !strings.Contains(page, "service is up") || !strings.Contains(page, c.want) || strings.Contains(page, c.not) {
			t.Errorf("page for %q lacks %q or shows %q:\n%s", c.query, c.want, c.not, page)
		}
		if got := r.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("Content-Type = %q", got)
		}
	}
}

func TestNoticeIsAnsweredAsTheProtocolDemands(t *testing.T) {
	t.Parallel()
	down := errors.New("the database is away")
	invalidStatus := func(backend.Inbound) (backend.Reply, error) { return backend.Reply{Status: 7}, nil }
	for name, c := range map[string]struct {
		target string
		body   string
		change func(*rig)
		status int
		text   string
		heard  []backend.HintKind
		count  func(*Counters) int64
	}{
		"dirty":               {body: "S1 dirty", text: "OK", heard: []backend.HintKind{backend.Dirty}, count: func(c *Counters) int64 { return c.Dirty.Load() }},
		"lost":                {body: "S1 lost", text: "OK", heard: []backend.HintKind{backend.Lost}, count: func(c *Counters) int64 { return c.Lost.Load() }},
		"alive":               {body: "S1 alive", text: "OK", heard: []backend.HintKind{backend.Alive}, count: func(c *Counters) int64 { return c.Alive.Load() }},
		"order of the query":  {target: NotificationPath + "?k=tok&Default", body: "S1 dirty", text: "OK", heard: []backend.HintKind{backend.Dirty}},
		"escaped query":       {target: NotificationPath + "?%44efault&k=%74ok", body: "S1 dirty", text: "OK", heard: []backend.HintKind{backend.Dirty}},
		"no tenant":           {target: NotificationPath + "?k=tok", body: "S1 dirty", text: "OK", heard: []backend.HintKind{backend.Dirty}},
		"no id in the hint":   {body: " lost", text: "OK", heard: []backend.HintKind{backend.Lost}},
		"id not stored yet":   {body: "S9 alive", change: func(g *rig) { g.sub.ID = "" }, text: "OK", heard: []backend.HintKind{backend.Alive}},
		"wrong token":         {target: NotificationPath + "?Default&k=guess", body: "S1 dirty", text: "Unsubscribe", count: func(c *Counters) int64 { return c.Untrusted.Load() }},
		"no token":            {target: NotificationPath + "?Default", body: "S1 dirty", text: "Unsubscribe", count: func(c *Counters) int64 { return c.Untrusted.Load() }},
		"two tokens":          {target: NotificationPath + "?Default&k=tok&k=guess", body: "S1 dirty", text: "Unsubscribe"},
		"another's tenant":    {target: NotificationPath + "?Other&k=tok", body: "S1 dirty", text: "Unsubscribe"},
		"an unknown tenant":   {target: NotificationPath + "?Nobody&k=tok", body: "S1 dirty", text: "Unsubscribe"},
		"tenant taken out":    {change: func(g *rig) { g.Tenants = func() []string { return []string{"Other"} } }, body: "S1 dirty", text: "Unsubscribe"},
		"another's id":        {body: "S2 dirty", text: "Unsubscribe", count: func(c *Counters) int64 { return c.Mismatched.Load() }},
		"not a message":       {body: "<!DOCTYPE", status: 400, text: "not a notification\n", count: func(c *Counters) int64 { return c.Invalid.Load() }},
		"too large":           {body: strings.Repeat("x", MaxBody+1), status: 413, text: "too large\n", count: func(c *Counters) int64 { return c.TooLarge.Load() }},
		"too large, no token": {target: NotificationPath, body: strings.Repeat("x", MaxBody+1), status: 413, text: "too large\n"},
		"store unreadable": {
			change: func(g *rig) {
				g.byToken = func([]byte) (store.Subscription, bool, error) { return store.Subscription{}, false, down }
			},
			body: "S1 dirty", status: 503, text: "unavailable\n", count: func(c *Counters) int64 { return c.StoreFailed.Load() },
		},
		"store unwritable": {
			change: func(g *rig) { g.commit = func(context.Context, []Heard) error { return down } },
			body:   "S1 dirty", status: 503, text: "unavailable\n", count: func(c *Counters) int64 { return c.StoreFailed.Load() },
		},
		"store panics": {
			change: func(g *rig) { g.commit = func(context.Context, []Heard) error { panic("oh") } },
			body:   "S1 dirty", status: 503, text: "unavailable\n",
		},
		"no plugin": {
			change: func(g *rig) { g.sub.Mode = "EWS1" },
			body:   "S1 dirty", status: 503, text: "unavailable\n", count: func(c *Counters) int64 { return c.PluginFailed.Load() },
		},
		"plugin panics": {
			change: func(g *rig) { g.receive = func(backend.Inbound) (backend.Reply, error) { panic("oh") } },
			body:   "S1 dirty", status: 503, text: "unavailable\n", count: func(c *Counters) int64 { return c.Panics.Load() },
		},
		"plugin dies": {change: func(g *rig) {
			g.receive = func(backend.Inbound) (backend.Reply, error) { return backend.Reply{}, down }
		}, body: "S1 dirty", status: 503, text: "unavailable\n"},
		"plugin without sense": {change: func(g *rig) { g.receive = invalidStatus }, body: "S1 dirty", status: 503, text: "unavailable\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newRig()
			if c.change != nil {
				c.change(g)
			}
			if c.target == "" {
				c.target = target
			}
			if c.status == 0 {
				c.status = 200
			}
			r := do(t, New(g.Options), "POST", c.target, c.body)
			if got := text(t, r); r.StatusCode != c.status || got != c.text {
				t.Errorf("answer = %d %q, want %d %q", r.StatusCode, got, c.status, c.text)
			}
			if got := g.kinds(); !slices.Equal(got, c.heard) {
				t.Errorf("heard %v, want %v", got, c.heard)
			}
			if c.count != nil && c.count(&g.counters) != 1 {
				t.Error("it was not counted")
			}
			if r.StatusCode == 503 && r.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		})
	}
}

func TestDuplicateNoticesAreHarmless(t *testing.T) {
	t.Parallel()
	g := newRig()
	h := New(g.Options)
	for range 3 {
		if got := text(t, do(t, h, "POST", target, "S1 dirty")); got != "OK" {
			t.Fatalf("answer = %q", got)
		}
	}
	if got := g.kinds(); !slices.Equal(got, []backend.HintKind{backend.Dirty, backend.Dirty, backend.Dirty}) {
		t.Errorf("heard %v, want three marks of the same mailbox", got)
	}
}

func TestSignsOfLifeCloseTogetherAreOne(t *testing.T) {
	t.Parallel()
	g := newRig()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	g.Now = func() time.Time { return now }
	h := New(g.Options)
	for _, c := range []struct {
		since time.Duration
		body  string
		want  int
	}{{29 * time.Second, "S1 alive", 0}, {30 * time.Second, "S1 alive", 1}, {time.Second, "S1 dirty", 2}} {
		g.sub.LastHeard = now.Add(-c.since)
		if got := text(t, do(t, h, "POST", target, c.body)); got != "OK" {
			t.Fatalf("answer = %q", got)
		}
		if got := len(g.kinds()); got != c.want {
			t.Errorf("%s, %v after the last: %d writes, want %d", c.body, c.since, got, c.want)
		}
	}
}

func TestCredentialsOfStrangersAreNotPassedOn(t *testing.T) {
	t.Parallel()
	g := newRig()
	var seen http.Header
	g.receive = func(in backend.Inbound) (backend.Reply, error) {
		seen = in.Header
		return toy(in)
	}
	req := httptest.NewRequestWithContext(t.Context(), "POST", target, strings.NewReader("S1 dirty"))
	req.Header.Set("Authorization", "Basic x")
	req.Header.Set("Cookie", "a=b")
	req.Header.Set("SOAPAction", "SendNotification")
	New(g.Options).ServeHTTP(httptest.NewRecorder(), req)
	if seen.Get("Authorization") != "" || seen.Get("Cookie") != "" || seen.Get("SOAPAction") != "SendNotification" {
		t.Errorf("the plugin saw %v", seen)
	}
}

func TestLogHoldsNeitherTokensNorBodies(t *testing.T) {
	t.Parallel()
	for _, at := range []string{target, NotificationPath + "?Default&k=guess", NotificationPath + "?Other&k=tok"} {
		for _, body := range []string{"S1 dirty", "S1 lost", "S2 dirty", "canary", strings.Repeat("canary", MaxBody)} {
			g := newRig()
			var log bytes.Buffer
			g.Log = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})
			do(t, New(g.Options), "POST", at, body)
			logged := strings.ReplaceAll(log.String(), "token", "")
			for _, secret := range []string{"tok", "guess", "canary", "S2"} {
				if strings.Contains(logged, secret) {
					t.Errorf("%s with %.10q logged a secret: %s", at, body, logged)
				}
			}
		}
	}
}

func TestHealthSaysWhenTheStoreIsAway(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.Health = func(context.Context) error { return errors.New("secret host name") }
	r := do(t, New(g.Options), "GET", HealthPath, "")
	if got := text(t, r); r.StatusCode != 503 || strings.Contains(got, "secret") {
		t.Errorf("answer = %d %q, want 503 without particulars", r.StatusCode, got)
	}
}
