package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/authtest"
	"github.com/roomwire/roomwire/sdk/launch"
)

const otherApp = "ffffffff-bbbb-cccc-dddd-eeeeeeeeeeee"

// serverFor lets tokens of one app in that are for this server.
func serverFor(t *testing.T, app string) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var payload struct{ Aud, AppID string }
		if parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), "."); len(parts) == 3 {
			raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
			_ = json.Unmarshal(raw, &payload)
		}
		if payload.AppID != app || payload.Aud != "https://"+r.Host {
			w.Header().Set("WWW-Authenticate", `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestTheExecutableKeepsTheContract(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roomwire-auth-oauth.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f := newFakeEntra(t)
	f.secrets = map[string]string{"S3cr3t~of~one": testApp, "S3cr3t~of~other": otherApp}
	ca := f.caFile(t)
	with := func(app, secret, authority string) map[string]any {
		return map[string]any{"tenant_id": testTenant, "app_id": app, "client_secret": secret, "cloud": "custom", "authority": authority, "ca_file": ca}
	}
	one, other := serverFor(t, testApp), serverFor(t, otherApp)
	p, err := authtest.Executable{
		Path: path, Settings: with(testApp, "S3cr3t~of~one", f.URL), Other: with(otherApp, "S3cr3t~of~other", f.URL),
		Wrong: with(testApp, "S3cr3t~wrong", f.URL),
		Bad:   map[string]map[string]any{"no secret": with(testApp, "", f.URL)},
		URL:   one.URL, OtherURL: other.URL, CAPEM: f.caPEM(),
	}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	sum, err := launch.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := launch.Start(t.Context(), launch.Options{Path: path, SHA256: sum, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Stop(context.Background()) }()
	travels(t, second)
	openWith := func(settings map[string]any) authtest.Open {
		return func(ctx context.Context) (auth.Authenticator, error) {
			a, err := second.OpenAuth(ctx, settings)
			if err != nil {
				return nil, err
			}
			return a, nil
		}
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	ended := make(chan struct{})
	stuck := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}))
	defer stuck.Close()
	defer close(ended)
	fixture := p.Fixture()
	fixture.Challenges = map[string]string{"Bearer": `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@*", token_types="app_asserted_user_v1 service_asserted_app_v1", error="invalid_token"`}
	fixture.Issuer = &authtest.Issuer{
		Asked: f.requests,
		Away:  openWith(with(testApp, "S3cr3t~of~one", "https"+strings.TrimPrefix(gone.URL, "http"))),
		Stuck: openWith(with(testApp, "S3cr3t~of~one", stuck.URL)),
	}
	authtest.Run(t, fixture)
}

// travels checks that the host learns when the credentials end.
func travels(t *testing.T, p *launch.Process) {
	t.Helper()
	a, err := p.OpenAuth(t.Context(), map[string]any{
		"tenant_id": testTenant, "app_id": testApp, "client_secret": "S3cr3t~1", "client_secret_2": "S3cr3t~2", "client_secret_expires": "2027-01-31",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := a.Expires()
	if len(got) != 2 || got[0].What != "client_secret" || got[0].At.Format(time.DateOnly) != "2027-01-31" || got[1].What != "client_secret_2" || !got[1].At.IsZero() {
		t.Errorf("expires %v", got)
	}
}
