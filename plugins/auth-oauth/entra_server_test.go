package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testTenant = "11111111-2222-3333-4444-555555555555"
	testApp    = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)

// A fakeEntra is a login server over TLS for tests of this plugin alone.
type fakeEntra struct {
	*httptest.Server

	mu      sync.Mutex
	secrets map[string]string                                 // secret → app
	cert    *x509.Certificate                                 // registered for testApp
	refuse  func(w http.ResponseWriter, form url.Values) bool // takes the answer over if it returns true
	asked   int
	forms   []url.Values
	life    int // seconds
	issuer  string
}

func newFakeEntra(t *testing.T) *fakeEntra {
	t.Helper()
	f := &fakeEntra{secrets: map[string]string{}, life: 3600}
	f.Server = httptest.NewTLSServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeEntra) serve(w http.ResponseWriter, r *http.Request) {
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case rest == "v2.0/.well-known/openid-configuration" && tenant == testTenant:
		f.mu.Lock()
		issuer := f.issuer
		f.mu.Unlock()
		if issuer == "" {
			issuer = f.URL
		}
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer": issuer + "/" + tenant + "/v2.0", "token_endpoint": f.URL + "/" + tenant + "/oauth2/v2.0/token",
			"authorization_endpoint": f.URL + "/" + tenant + "/oauth2/v2.0/authorize",
		})
	case rest == "v2.0/.well-known/openid-configuration":
		aadError(w, http.StatusBadRequest, 90002, "invalid_tenant")
	case rest == "oauth2/v2.0/token" && r.Method == http.MethodPost:
		_ = r.ParseForm()
		f.token(w, r.PostForm)
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeEntra) token(w http.ResponseWriter, form url.Values) {
	f.mu.Lock()
	f.asked++
	n, refuse, life, secretOf, cert := f.asked, f.refuse, f.life, f.secrets[form.Get("client_secret")], f.cert
	f.forms = append(f.forms, form)
	f.mu.Unlock()
	app := form.Get("client_id")
	switch {
	case refuse != nil && refuse(w, form):
	case form.Get("client_assertion") != "" && !signedBy(form.Get("client_assertion"), cert):
		aadError(w, http.StatusUnauthorized, 700027, "invalid_client")
	case form.Get("client_assertion") == "" && secretOf != app:
		aadError(w, http.StatusUnauthorized, 7000215, "invalid_client")
	default:
		audience, _, _ := strings.Cut(form.Get("scope"), "/.default") // MSAL adds scopes of its own
		payload, _ := json.Marshal(map[string]any{"aud": audience, "appid": app, "n": n, "roles": []string{"full_access_as_app"}})
		_ = json.NewEncoder(w).Encode(map[string]any{
			"token_type": "Bearer", "expires_in": life, "ext_expires_in": life,
			"access_token": "eyJ0eXAiOiJKV1QifQ." + base64.RawURLEncoding.EncodeToString(payload) + ".c2lnbmVk",
		})
	}
}

// aadError answers as Entra refuses.
func aadError(w http.ResponseWriter, status, code int, reason string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": reason, "error_codes": []int{code}, "trace_id": "0a0b0c0d-1111-2222-3333-444455556666", "correlation_id": "99999999-1111-2222-3333-444455556666",
		"error_description": fmt.Sprintf("AADSTS%d: Something is wrong. Trace ID: 0a0b0c0d-1111-2222-3333-444455556666 Correlation ID: 99999999-1111-2222-3333-444455556666 Timestamp: 2026-11-29 10:00:00Z", code),
	})
}

func (f *fakeEntra) set(change func(*fakeEntra)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeEntra) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// settings are those of testApp at this server, with a file that holds the server's certificate.
func (f *fakeEntra) settings(t *testing.T) Settings {
	t.Helper()
	return Settings{TenantID: testTenant, AppID: testApp, Cloud: customCloud, Authority: f.URL, CAFile: f.caFile(t)}
}

func (f *fakeEntra) caFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, path, f.caPEM())
	return path
}

func (f *fakeEntra) caPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// signedBy checks a client assertion as Entra documents it: PS256, x5t#S256, for the app by the app.
func signedBy(assertion string, cert *x509.Certificate) bool {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 || cert == nil {
		return false
	}
	var header struct {
		Alg string `json:"alg"`
		X5T string `json:"x5t#S256"`
	}
	var claims struct {
		Iss, Sub, Aud, Jti string
		Exp, Nbf           int64
	}
	for i, into := range []any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return false
		}
	}
	sum := sha256.Sum256(cert.Raw)
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	public, ok := cert.PublicKey.(*rsa.PublicKey)
	now := time.Now().Unix()
	return err == nil && ok && header.Alg == "PS256" && strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(header.X5T), "=") == base64.RawStdEncoding.EncodeToString(sum[:]) &&
		claims.Iss == testApp && claims.Sub == testApp && claims.Jti != "" && strings.HasSuffix(claims.Aud, "/"+testTenant+"/oauth2/v2.0/token") &&
		claims.Nbf <= now && now < claims.Exp && rsa.VerifyPSS(public, crypto.SHA256, digest[:], signature, nil) == nil
}

// newCertificate makes one that ends on the day given.
func newCertificate(t *testing.T, key crypto.Signer, ends time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "roomwire"}, NotBefore: ends.Add(-365 * 24 * time.Hour), NotAfter: ends,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// testKey is one for all tests: making them is slow.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pemOf(t *testing.T, cert *x509.Certificate, key any) []byte {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
}
