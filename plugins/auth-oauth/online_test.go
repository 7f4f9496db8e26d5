package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

// online starts an Exchange Online with the sample tenants, of which the first is changed.
func online(t *testing.T, change func(*exchangesim.Tenant)) (at *exchangesim.Listener, caFile string) {
	t.Helper()
	tenant := exchangesim.SampleTenant()
	if change != nil {
		change(&tenant)
	}
	sim, err := exchangesim.New(exchangesim.Options{Tenants: []exchangesim.Tenant{tenant, exchangesim.SampleSubsidiary()}})
	if err != nil {
		t.Fatal(err)
	}
	if at, err = sim.StartOnlineTLS("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = at.Close(), sim.Close() })
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, caFile, at.CertificatePEM)
	return at, caFile
}

// TestExchangeOnlineTakesTheTokens asks EWS with a token of each sample tenant.
func TestExchangeOnlineTakesTheTokens(t *testing.T) {
	t.Parallel()
	cert := newCertificate(t, testKey(), time.Now().Add(24*time.Hour))
	at, ca := online(t, func(tenant *exchangesim.Tenant) {
		tenant.Apps[0].Certificates = []*x509.Certificate{cert}
	})
	certFile := filepath.Join(t.TempDir(), "app.pem")
	writeFile(t, certFile, pemOf(t, cert, testKey()))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(at.CertificatePEM)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	for name, s := range map[string]Settings{
		"secret":       {TenantID: testTenant, AppID: testApp, ClientSecret: "app-secret"},
		"by domain":    {TenantID: "example.com", AppID: testApp, ClientSecret: "app-secret"},
		"certificate":  {TenantID: testTenant, AppID: testApp, CertificateFile: certFile},
		"other tenant": {TenantID: "66666666-7777-8888-9999-000000000000", AppID: otherApp, ClientSecret: "subsidiary-secret"},
		"rollover":     {TenantID: testTenant, AppID: testApp, ClientSecret: "long-gone", ClientSecret2: "app-secret"},
	} {
		s.Cloud, s.Authority, s.CAFile = customCloud, at.URL, ca
		a, _ := opened(t, s)
		status := func(target auth.Target) int {
			h, err := header(t, a, target)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at.URL+"/EWS/Exchange.asmx", bytes.NewReader(nil))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", h.Value)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			return resp.StatusCode
		}
		if got := status(auth.Target{Origin: at.URL}); got == http.StatusUnauthorized || got == http.StatusForbidden {
			t.Errorf("%s: EWS answers %d", name, got)
		}
		_, err := header(t, a, auth.Target{Origin: "https://elsewhere.example.com:443"})
		if e, _ := err.(*fault.Error); e == nil || e.Code != "AADSTS500011" || !strings.Contains(e.Message, "does not know the service") {
			t.Errorf("%s: a token for a stranger's server: %v", name, err)
		}
	}
}

// A token from before the consent is good for nothing, and would be for an hour.
func TestATokenWithoutAPermissionIsSoonReplaced(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		roles []string
		least time.Duration
		most  time.Duration
	}{
		"nobody has consented yet": {nil, bareFor - time.Minute, bareFor + time.Minute},
		"consented":                {[]string{"Calendars.ReadWrite"}, 30 * time.Minute, time.Hour},
	} {
		at, ca := online(t, func(tenant *exchangesim.Tenant) { tenant.Apps[0].Roles = tc.roles })
		a, _ := opened(t, Settings{TenantID: testTenant, AppID: testApp, ClientSecret: "app-secret", Cloud: customCloud, Authority: at.URL, CAFile: ca})
		h, err := header(t, a, auth.Target{Origin: at.URL})
		if left := time.Until(h.Expires); err != nil || left < tc.least || left > tc.most {
			t.Errorf("%s: it serves for %s, %v; want %s to %s", name, left, err, tc.least, tc.most)
		}
	}
}

func TestWhatTheLoginServerRefusesIsExplained(t *testing.T) {
	t.Parallel()
	good := Settings{TenantID: testTenant, AppID: testApp, ClientSecret: "app-secret"}
	for name, tc := range map[string]struct {
		tenant   func(*exchangesim.Tenant)
		settings func(*Settings)
		code     string
		text     string
	}{
		"another app": {nil, func(s *Settings) { s.AppID = "00000000-bbbb-cccc-dddd-eeeeeeeeeeee" }, "AADSTS700016", "there is no app"},
		"no tenant":   {nil, func(s *Settings) { s.TenantID = "00000000-2222-3333-4444-555555555555" }, "AADSTS90002", "there is no tenant"},
		"no secret":   {nil, func(s *Settings) { s.ClientSecret = "wrong-secret" }, "AADSTS7000215", "copy its Value"},
		"old secret": {func(x *exchangesim.Tenant) { x.Apps[0].Secrets[0].Ends = time.Now().Add(-time.Hour) }, nil,
			"AADSTS7000222", "has expired"},
		"disabled": {func(x *exchangesim.Tenant) { x.Apps[0].Disabled = true }, nil, "AADSTS7000112", "is disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, ca := online(t, tc.tenant)
			s := good
			if tc.settings != nil {
				tc.settings(&s)
			}
			s.Cloud, s.Authority, s.CAFile = customCloud, at.URL, ca
			a, _ := opened(t, s)
			_, err := header(t, a, auth.Target{Origin: at.URL})
			e, _ := err.(*fault.Error)
			if e == nil || e.Kind != fault.Unauthorized || e.Scope != fault.ScopeServer || e.Code != tc.code || e.ID == "" || !strings.Contains(e.Message, tc.text) {
				t.Errorf("error %#v", err)
			}
			if strings.Contains(fmt.Sprint(err), s.ClientSecret) {
				t.Errorf("it shows the secret: %v", err)
			}
		})
	}
}
