package exchangesim_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	msalerr "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
	"github.com/roomwire/roomwire/exchangesim"
)

const sampleTenant, sampleApp = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

// startOnline starts Exchange Online over TLS; base begins with https://localhost.
func startOnline(t *testing.T, o exchangesim.Options) (sim *exchangesim.Server, base string, client *http.Client) {
	t.Helper()
	sim, err := exchangesim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := sim.StartOnlineTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(l.CertificatePEM)
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := errors.Join(l.Close(), sim.Close()); err != nil {
			t.Error(err)
		}
	})
	return sim, strings.Replace(l.URL, "127.0.0.1", "localhost", 1), client
}

// newAppCertificate makes a certificate for an app with its key.
func newAppCertificate(t *testing.T, from, to time.Time) (*x509.Certificate, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "app"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// callEWS reads alice's calendar with a token.
func callEWS(t *testing.T, client *http.Client, base, token string) (status int, body string) {
	t.Helper()
	const envelope = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>alice@example.com</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body><m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder></s:Body></s:Envelope>`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/EWS/Exchange.asmx", strings.NewReader(envelope))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-AnchorMailbox", "alice@example.com")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ProtoMajor != 2 {
		t.Errorf("spoken over %s", resp.Proto)
	}
	return resp.StatusCode, string(data)
}

// MSAL is a client that others wrote: it accepts what the login server says of itself, its tokens and its errors.
func TestMSALGetsTokens(t *testing.T) {
	t.Parallel()
	sim, base, client := startOnline(t, exchangesim.Options{})
	certificate, key := newAppCertificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	other, otherKey := newAppCertificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err := sim.ChangeApp(sampleTenant, sampleApp, func(a *exchangesim.App) { a.Certificates = append(a.Certificates, certificate) }); err != nil {
		t.Fatal(err)
	}
	secret := func(text string) func() (confidential.Credential, error) {
		return func() (confidential.Credential, error) { return confidential.NewCredFromSecret(text) }
	}
	cert := func(c *x509.Certificate, k crypto.PrivateKey) func() (confidential.Credential, error) {
		return func() (confidential.Credential, error) {
			return confidential.NewCredFromCert([]*x509.Certificate{c}, k)
		}
	}
	for name, tc := range map[string]struct {
		tenant, app string
		credential  func() (confidential.Credential, error)
		want        string // in the error; empty: a token that EWS accepts
	}{
		"secret":                   {sampleTenant, sampleApp, secret("app-secret"), ""},
		"tenant by its domain":     {"example.com", sampleApp, secret("app-secret"), ""},
		"certificate":              {sampleTenant, sampleApp, cert(certificate, key), ""},
		"wrong secret":             {sampleTenant, sampleApp, secret("guess"), "[7000215]"},
		"unknown app":              {sampleTenant, sampleTenant, secret("app-secret"), "[700016]"},
		"unknown tenant":           {sampleApp, sampleApp, secret("app-secret"), "[90002]"},
		"unregistered":             {sampleTenant, sampleApp, cert(other, otherKey), "[700027]"},
		"app of another tenant":    {"subsidiary.example", sampleApp, secret("app-secret"), "[700016]"},
		"secret of another tenant": {sampleTenant, sampleApp, secret("subsidiary-secret"), "[7000215]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			credential, err := tc.credential()
			if err != nil {
				t.Fatal(err)
			}
			app, err := confidential.New(base+"/"+tc.tenant, tc.app, credential, confidential.WithHTTPClient(client), confidential.WithInstanceDiscovery(false))
			if err != nil {
				t.Fatal(err)
			}
			got, err := app.AcquireTokenByCredential(t.Context(), []string{base + "/.default"})
			if tc.want != "" {
				var ce msalerr.CallErr
				if !errors.As(err, &ce) {
					t.Fatalf("error %v", err)
				}
				if !strings.Contains(err.Error(), `"error_codes":`+tc.want) {
					t.Errorf("error %v, want %s", err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(got.ExpiresOn); left < 59*time.Minute || left > time.Hour {
				t.Errorf("the token lasts %v", left)
			}
			if status, body := callEWS(t, client, base, got.AccessToken); status != http.StatusOK || !strings.Contains(body, "NoError") {
				t.Errorf("EWS: %d %s", status, body)
			}
		})
	}
}

func TestMSALIsToldWhenToRefresh(t *testing.T) {
	t.Parallel()
	sim, base, client := startOnline(t, exchangesim.Options{})
	if err := sim.SetTokenLifetime(24*time.Hour, 12*time.Hour); err != nil {
		t.Fatal(err)
	}
	credential, err := confidential.NewCredFromSecret("app-secret")
	if err != nil {
		t.Fatal(err)
	}
	app, err := confidential.New(base+"/"+sampleTenant, sampleApp, credential, confidential.WithHTTPClient(client), confidential.WithInstanceDiscovery(false))
	if err != nil {
		t.Fatal(err)
	}
	got, err := app.AcquireTokenByCredential(t.Context(), []string{base + "/.default"})
	if err != nil {
		t.Fatal(err)
	}
	if in := time.Until(got.Metadata.RefreshOn); in < 11*time.Hour || in > 12*time.Hour {
		t.Errorf("refresh in %v", in)
	}
}
