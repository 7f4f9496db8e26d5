package exchangesim_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// control calls the control API of the online listener.
func control(t *testing.T, client *http.Client, method, url string, in, out any) int {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			t.Fatalf("%s %s: %v", method, url, err)
		}
	}
	return resp.StatusCode
}

func TestControlOfTenants(t *testing.T) {
	t.Parallel()
	sim, base, client := startOnline(t, exchangesim.Options{})
	post := func(path string, q url.Values, method string, in any) int {
		t.Helper()
		return control(t, client, method, base+"/sim/"+path+"?"+q.Encode(), in, nil)
	}
	ask := func(secret string) int {
		t.Helper()
		resp, err := client.PostForm(base+"/"+sampleTenant+"/oauth2/v2.0/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {sampleApp}, "client_secret": {secret}, "scope": {base + "/.default"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var a struct {
			Codes []int `json:"error_codes"`
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || json.Unmarshal(body, &a) != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if len(a.Codes) == 0 {
			return 0
		}
		return a.Codes[0]
	}
	app := url.Values{"tenant": {sampleTenant}, "app": {sampleApp}}
	with := func(more ...string) url.Values {
		q := url.Values{}
		for k, v := range app {
			q[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return q
	}
	certificate, _ := newAppCertificate(t, time.Now(), time.Now().Add(time.Hour))
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	for _, step := range []struct {
		name, method, path string
		q                  url.Values
		in                 any
		status             int
		secret             string
		code               int
	}{
		{"at first", "GET", "tenants", nil, nil, 200, "app-secret", 0},
		{"rotate: the new one", "POST", "apps/secrets", app, map[string]any{"value": "new"}, 204, "new", 0},
		{"rotate: the old one still", "GET", "tenants", nil, nil, 200, "app-secret", 0},
		{"rotate: without the old one", "DELETE", "apps/secrets", with("value", "app-secret"), nil, 204, "app-secret", 7000215},
		{"expire", "POST", "apps/secrets", app, map[string]any{"value": "new", "ends": "2026-01-01T00:00:00Z"}, 204, "new", 7000222},
		{"all at once", "PATCH", "apps", app, map[string]any{"secrets": []map[string]any{{"value": "x"}}, "certificates": []string{text}, "roles": []string{}, "mailboxes": []string{"alice@example.com"}}, 204, "x", 0},
		{"disable", "PATCH", "apps", app, map[string]any{"disabled": true}, 204, "x", 7000112},
		{"enable", "PATCH", "apps", app, map[string]any{"disabled": false}, 204, "x", 0},
		{"unknown field", "PATCH", "apps", app, map[string]any{"role": "x"}, 400, "x", 0},
		{"no certificate", "PATCH", "apps", app, map[string]any{"certificates": []string{"x"}}, 400, "x", 0},
		{"secret without a value", "POST", "apps/secrets", app, map[string]any{}, 400, "x", 0},
		{"unknown app", "PATCH", "apps", with("app", sampleTenant), map[string]any{}, 404, "x", 0},
		{"unknown tenant", "PATCH", "tenants", with("tenant", "nowhere.example"), map[string]any{}, 404, "x", 0},
		{"remove", "DELETE", "apps", app, nil, 204, "x", 700016},
		{"remove again", "DELETE", "apps", app, nil, 404, "x", 700016},
		{"add", "POST", "apps", app, map[string]any{"id": sampleApp, "secrets": []map[string]any{{"value": "y"}}}, 204, "y", 0},
		{"other domains", "PATCH", "tenants", app, map[string]any{"domains": []string{"example.org"}, "name": "Org"}, 204, "y", 0},
		{"another tenant", "POST", "tenants", nil, map[string]any{"id": "22222222-2222-3333-4444-555555555555", "domains": []string{"example.com"}}, 204, "y", 0},
		{"it again", "POST", "tenants", nil, map[string]any{"id": "22222222-2222-3333-4444-555555555555", "domains": []string{"x.example"}}, 400, "y", 0},
	} {
		if status := post(step.path, step.q, step.method, step.in); status != step.status {
			t.Errorf("%s: status %d, want %d", step.name, status, step.status)
		}
		if code := ask(step.secret); code != step.code {
			t.Errorf("%s: AADSTS%d, want %d", step.name, code, step.code)
		}
	}
	if tenants := sim.Tenants(); len(tenants) != 3 || tenants[0].Name != "Org" {
		t.Errorf("tenants %+v", tenants)
	}
}

func TestControlOfEWSOnline(t *testing.T) {
	t.Parallel()
	sim, base, client := startOnline(t, exchangesim.Options{})
	tenant := base + "/sim/tenants?tenant=example.com"
	for _, step := range []struct {
		body    string
		enabled string // true, false or unset
		allowed int    // how many; -1: no list
	}{
		{`{"ews_enabled": false}`, "false", -1},
		{`{"ews_allowed_apps": []}`, "false", 0},
		{`{"ews_enabled": true, "ews_allowed_apps": ["` + sampleApp + `"]}`, "true", 1},
		{`{"name": "Example"}`, "true", 1},
		{`{"ews_enabled": null, "ews_allowed_apps": null}`, "unset", -1},
	} {
		if status := control(t, client, "PATCH", tenant, json.RawMessage(step.body), nil); status != 204 {
			t.Errorf("%s: status %d", step.body, status)
		}
		got := sim.Tenants()[0]
		enabled, allowed := "unset", -1
		if got.EWSEnabled != nil {
			enabled = map[bool]string{true: "true", false: "false"}[*got.EWSEnabled]
		}
		if got.EWSAllowedApps != nil {
			allowed = len(got.EWSAllowedApps)
		}
		if enabled != step.enabled || allowed != step.allowed {
			t.Errorf("%s: %s, %d", step.body, enabled, allowed)
		}
	}
	if status := control(t, client, "PATCH", tenant, json.RawMessage(`{"ews_enabled": "no"}`), nil); status != 400 {
		t.Errorf("faulty: status %d", status)
	}
	var shown []exchangesim.Tenant
	if status := control(t, client, "GET", base+"/sim/tenants", nil, &shown); status != 200 || len(shown) != 2 || shown[0].Apps[0].Secrets[0].Value != "" {
		t.Errorf("tenants: %d %+v", status, shown)
	}
	var use exchangesim.TokenUse
	if status := control(t, client, "PATCH", base+"/sim/tokens", map[string]int{"lifetime_ms": 60_000, "refresh_in_ms": 30_000}, nil); status != 204 {
		t.Errorf("lifetime: status %d", status)
	}
	if status := control(t, client, "PATCH", base+"/sim/tokens", map[string]int{"lifetime_ms": 1, "refresh_in_ms": 30_000}, nil); status != 400 {
		t.Errorf("faulty lifetime: status %d", status)
	}
	if control(t, client, "GET", base+"/sim/tokens", nil, &use); time.Duration(use.Lifetime) != time.Minute || use.Requests != 0 {
		t.Errorf("use %+v", use)
	}
	for path, want := range map[string]int{"tokens/revoke": 204, "anchor?required=true": 204, "anchor?required=maybe": 400} {
		if status := control(t, client, "POST", base+"/sim/"+path, nil, nil); status != want {
			t.Errorf("%s: status %d", path, status)
		}
	}
	alice := base + "/sim/people?mailbox=alice@example.com"
	if status := control(t, client, "PATCH", alice, map[string]string{"place": "online"}, nil); status != 204 || sim.People()[0].Place != exchangesim.PlaceOnline {
		t.Errorf("place: status %d, %+v", status, sim.People()[0])
	}
	if status := control(t, client, "PATCH", alice, map[string]string{"place": "moon", "password": "x"}, nil); status != 400 || sim.People()[0].Password == "x" {
		t.Errorf("faulty place: status %d, %+v", status, sim.People()[0])
	}
}

func TestListenersShareTheirCertificate(t *testing.T) {
	t.Parallel()
	sim, err := exchangesim.New(exchangesim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	var pems []string
	for _, start := range []func() (*exchangesim.Listener, error){
		func() (*exchangesim.Listener, error) { return sim.StartTLS("127.0.0.1:0", "hub.example") },
		func() (*exchangesim.Listener, error) { return sim.StartOnlineTLS("127.0.0.1:0") },
		func() (*exchangesim.Listener, error) { return sim.StartOnlineTLS("127.0.0.1:0", "hub.example") },
		func() (*exchangesim.Listener, error) { return sim.StartTLS("127.0.0.1:0", "other.example") },
	} {
		l, err := start()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(l.URL, "https://") {
			t.Errorf("URL %s", l.URL)
		}
		pems = append(pems, string(l.CertificatePEM))
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if pems[0] != pems[1] || pems[1] != pems[2] || pems[2] == pems[3] {
		t.Error("certificates are shared where they should not be, or are not where they should")
	}
}
