package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/store"
)

// keyWith makes a key of tenant Default.
func (g *rig) keyWith(t *testing.T, scopes ...apikey.Scope) string {
	t.Helper()
	key, row := apikey.New("Default", "test", scopes, noon)
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.AddAPIKey(ctx, row) })
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + key
}

func TestAKeyMayDoWhatItsScopeSays(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	read, book, admin := g.keyWith(t, apikey.ScopeRead), g.keyWith(t, apikey.ScopeBookings), g.keyWith(t, apikey.ScopeRead, apikey.ScopeAdmin)
	none := g.keyWith(t)
	const person = "/Default/api/v1/persons/alice"
	for _, c := range []struct{ method, path, body, needs string }{
		{"GET", person, "", "read"},
		{"HEAD", person, "", "read"},
		{"GET", changes, "", "read"},
		{"PUT", bookings + "/b", simple, "bookings"},
		{"DELETE", bookings + "/b", "", "bookings"},
		{"POST", person + "/sync", "", "bookings"},
		{"POST", changes + "/1/reject", `{"reason":"x"}`, "bookings"},
		{"PUT", person, `{"email":"alice@example.com"}`, "admin"},
		{"POST", person + "/tests", "", "admin"},
		{"GET", "/Default/api/v1/webhooks", "", "admin"},
		{"GET", "/Default/api/v1/doctor", "", "admin"},
		{"GET", bookings + "/b/explain", "", "admin"},
		{"POST", "/Default/api/v1/host/reload", "", "host"},
		{"GET", "/Default/api/v1/apikeys", "", "host"},
	} {
		order := []string{"", "read", "bookings", "admin", "host"}
		for i, key := range []string{none, read, book, admin, "Bearer " + g.admin} {
			r := g.call(t, h, c.method, c.path, c.body, "Authorization", key)
			refused, want := r.StatusCode == 403, i < slices.Index(order, c.needs)
			if refused != want {
				t.Errorf("%s %s with scope %q: %d %s", c.method, c.path, order[i], r.StatusCode, r.text)
			}
			if !refused || c.method == "HEAD" {
				continue
			}
			if r.problem.Scope == nil || *r.problem.Scope != c.needs {
				t.Errorf("%s %s: the problem does not name the scope: %s", c.method, c.path, r.text)
			}
			if c.needs != "host" && !strings.Contains(r.problem.Detail, "roomwire apikey create --scope "+c.needs) {
				t.Errorf("%s %s: the problem does not say what to do: %s", c.method, c.path, r.problem.Detail)
			}
		}
	}
}

func TestEveryOperationHasAScope(t *testing.T) {
	t.Parallel()
	spec, err := rest.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			scope, _ := op.Extensions["x-scope"].(string)
			if !slices.Contains([]string{"read", "bookings", "admin", "host"}, scope) {
				t.Errorf("%s %s: scope %q", method, path, scope)
			}
			if scope == "read" && method != "GET" {
				t.Errorf("%s %s may be done with a key that only reads", method, path)
			}
			if takes := strings.Contains(parameters(op.Parameters), "IdempotencyKey"); takes != (method == "POST") {
				t.Errorf("%s %s: takes an Idempotency-Key: %v", method, path, takes)
			}
		}
	}
}

func parameters(list any) string {
	data, _ := json.Marshal(list)
	return string(data)
}

func TestAKeyIsMadeWithItsScopes(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	admin := []string{"Authorization", "Bearer " + g.admin}
	for body, want := range map[string]string{
		`{"name":"x"}`:                              "[bookings]",
		`{"name":"x","scopes":["read"]}`:            "[read]",
		`{"name":"x","scopes":["admin","read"]}`:    "[admin read]",
		`{"name":"x","scopes":[]}`:                  "",
		`{"name":"x","scopes":["host"]}`:            "",
		`{"name":"x","scopes":["read","","write"]}`: "",
	} {
		r := g.call(t, h, "POST", "/Default/api/v1/apikeys", body, admin...)
		if want == "" {
			if r.StatusCode != 422 {
				t.Errorf("%s: %d %s", body, r.StatusCode, r.text)
			}
			continue
		}
		var names []string
		for _, s := range decode[rest.NewAPIKey](t, r.text).Scopes {
			names = append(names, string(s))
		}
		if got := "[" + strings.Join(names, " ") + "]"; got != want {
			t.Errorf("%s: scopes %s, want %s", body, got, want)
		}
	}
}

func TestTenantsMayComeLater(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	names := []string{"Default"}
	g.Tenants = func() []string { return names }
	h := New(g.Options)
	ask := func() int {
		return g.call(t, h, "GET", "/Other/api/v1/persons", "", "Authorization", "Bearer "+g.other).StatusCode
	}
	if got := ask(); got != 404 {
		t.Errorf("before: %d", got)
	}
	names = append(names, "Other")
	if got := ask(); got != 200 {
		t.Errorf("after: %d", got)
	}
}

func TestAKeyIsSlowedDownAndOthersAreNot(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	now := noon
	g.Now = func() time.Time { return now }
	g.KeyRate = Rate{PerSecond: 2, Burst: 3}
	h := New(g.Options)
	second := g.keyWith(t, apikey.ScopeRead)
	for i, want := range []int{200, 200, 200, 429, 429} {
		r := g.call(t, h, "GET", bookings, "")
		if r.StatusCode != want {
			t.Fatalf("request %d: %d %s", i, r.StatusCode, r.text)
		}
		if i == 0 && (r.Header.Get("RateLimit") != `"key";r=2;t=1` || r.Header.Get("RateLimit-Policy") != `"key";q=3;w=2`) {
			t.Errorf("headers: %q, %q", r.Header.Get("RateLimit"), r.Header.Get("RateLimit-Policy"))
		}
		if want == 429 && (r.Header.Get("Retry-After") != "1" || r.problem.Type != urn+"rate-limit" || r.Header.Get("RateLimit") != `"key";r=0;t=1`) {
			t.Errorf("refused with %v %s", r.Header, r.text)
		}
	}
	if r := g.call(t, h, "GET", bookings, "", "Authorization", second); r.StatusCode != 200 {
		t.Errorf("another key: %d", r.StatusCode)
	}
	if r := g.call(t, h, "GET", bookings, "", "Authorization", "Bearer "+g.admin); r.StatusCode != 200 {
		t.Errorf("the host's own key: %d", r.StatusCode)
	}
	now = now.Add(500 * time.Millisecond)
	if r := g.call(t, h, "GET", bookings, ""); r.StatusCode != 200 {
		t.Errorf("half a second later: %d", r.StatusCode)
	}
}

func TestWhoGuessesKeysIsSlowedDown(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	now := noon
	g.Now = func() time.Time { return now }
	g.StrangerRate = Rate{PerSecond: 1, Burst: 2}
	h := New(g.Options)
	if r := g.call(t, h, "GET", bookings, ""); r.StatusCode != 200 {
		t.Fatal(r.text)
	}
	guess := func() answer {
		key, _ := apikey.New("Default", "never stored", nil, noon)
		return g.call(t, h, "GET", bookings, "", "Authorization", "Bearer "+key)
	}
	for i, want := range []int{401, 401, 429, 429} {
		if r := guess(); r.StatusCode != want {
			t.Errorf("guess %d: %d %s", i, r.StatusCode, r.text)
		}
	}
	if r := g.call(t, h, "GET", bookings, "", "Authorization", ""); r.StatusCode != 429 {
		t.Errorf("without a key: %d", r.StatusCode)
	}
	if r := g.call(t, h, "GET", bookings, ""); r.StatusCode != 200 {
		t.Errorf("a key that was used before the guessing began: %d", r.StatusCode)
	}
	if r := g.call(t, h, "GET", bookings, "", "Authorization", "Bearer "+g.admin); r.StatusCode != 200 {
		t.Errorf("the host's own key: %d", r.StatusCode)
	}
	now = now.Add(time.Second)
	if r := guess(); r.StatusCode != 401 {
		t.Errorf("a second later: %d", r.StatusCode)
	}
}

func TestCallersToldApartAreBounded(t *testing.T) {
	t.Parallel()
	b := newBuckets(Rate{}, Rate{PerSecond: 1, Burst: 1})
	for i := range 3 * maxBuckets {
		b.take(time.Duration(i).String(), noon.Add(time.Duration(i)*time.Millisecond))
	}
	if len(b.of) > maxBuckets {
		t.Errorf("%d are remembered", len(b.of))
	}
}
