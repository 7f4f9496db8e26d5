package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

const ews = "https://outlook.example.com:443"

// opened opens an app and returns what it logs.
func opened(t *testing.T, s Settings) (*app, *bytes.Buffer) {
	t.Helper()
	var mu sync.Mutex
	logged := &bytes.Buffer{}
	a, err := open(t.Context(), s, auth.Env{Log: hclog.New(&hclog.LoggerOptions{Output: logged, Mutex: &mu, Level: hclog.Trace})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.(*app).Close() })
	return a.(*app), logged
}

func header(t *testing.T, a *app, target auth.Target, challenge ...string) (auth.Header, error) {
	t.Helper()
	leg, err := a.Begin(t.Context(), target)
	if err != nil {
		return auth.Header{}, err
	}
	return leg(t.Context(), challenge)
}

func TestASecretGetsATokenForTheServerThatWantsOne(t *testing.T) {
	t.Parallel()
	f := newFakeEntra(t)
	f.secrets["S3cr3t~1"] = testApp
	s := f.settings(t)
	s.ClientSecret = "S3cr3t~1"
	a, _ := opened(t, s)
	h, err := header(t, a, auth.Target{Origin: ews})
	if err != nil || !strings.HasPrefix(h.Value, "Bearer eyJ") || time.Until(h.Expires) < 39*time.Minute || time.Until(h.Expires) > 41*time.Minute {
		t.Fatalf("expires %v, %v", h.Expires, err)
	}
	if got := f.forms[0].Get("scope"); !strings.HasPrefix(got, "https://outlook.example.com/.default") || f.forms[0].Get("grant_type") != "client_credentials" {
		t.Errorf("asked for %v", f.forms[0])
	}
	if roles, ok := rolesOf(strings.TrimPrefix(h.Value, "Bearer ")); !ok || len(roles) != 1 {
		t.Errorf("roles %v, %v", roles, ok)
	}
	_, err = header(t, a, auth.Target{Origin: ews, Refused: auth.RefusedSum(h.Value), Retry: 1}, `Bearer error="invalid_token"`)
	if fault.Of(err) != fault.Unauthorized || !strings.Contains(fmt.Sprint(err), "this token bears: full_access_as_app") || f.requests() != 1 {
		t.Errorf("a young token refused: %v after %d requests", err, f.requests())
	}
}

func TestACertificateGetsAToken(t *testing.T) {
	t.Parallel()
	ends := time.Now().Add(20 * 24 * time.Hour).Truncate(time.Second)
	cert := newCertificate(t, testKey(), ends)
	modern, err := pkcs12.Modern.Encode(testKey(), cert, nil, "pä$$")
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := pkcs12.Legacy.Encode(testKey(), cert, nil, "pass")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file     []byte
		password string
	}{
		"PEM":        {pemOf(t, cert, testKey()), ""},
		"PFX":        {modern, "pä$$"},
		"PFX of old": {legacy, "pass"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeEntra(t)
			f.cert = cert
			s := f.settings(t)
			s.CertificateFile, s.CertificatePassword = t.TempDir()+"/app", tc.password
			writeFile(t, s.CertificateFile, tc.file)
			a, _ := opened(t, s)
			if _, err := header(t, a, auth.Target{Origin: ews}); err != nil {
				t.Error(err)
			}
			if got := a.Expires(); len(got) != 1 || got[0].What != "certificate_file" || !got[0].At.Equal(ends) {
				t.Errorf("expires %v, want %v", got, ends)
			}
			f.set(func(f *fakeEntra) { f.cert = nil })
			_, err := a.entra.acquire(t.Context(), "https://x/.default", "")
			if e := fmt.Sprint(err); fault.Of(err) != fault.Unauthorized || !strings.Contains(e, a.entra.credentials[0].thumbprint) || !strings.Contains(e, "is not registered") {
				t.Errorf("a certificate that was taken away: %v", err)
			}
		})
	}
}

func TestTheSecondSecretServesWhenTheFirstIsRefused(t *testing.T) {
	t.Parallel()
	f := newFakeEntra(t)
	f.secrets["S3cr3t~1"] = testApp
	s := f.settings(t)
	s.ClientSecret, s.ClientSecret2, s.ClientSecretExpires = "S3cr3t~1", "S3cr3t~2", "2026-11-01"
	a, logged := opened(t, s)
	ask := func() error {
		_, err := a.entra.acquire(t.Context(), "https://x/.default", "")
		return err
	}
	// Many ask while the secret is rotated at the login server: at every moment one of the two is good.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if err := ask(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	f.set(func(f *fakeEntra) { f.secrets["S3cr3t~2"] = testApp })
	f.set(func(f *fakeEntra) { delete(f.secrets, "S3cr3t~1") })
	wg.Wait()
	before := f.requests()
	if err := ask(); err != nil || ask() != nil {
		t.Error(err)
	}
	if n := f.requests() - before; n > 3 {
		t.Errorf("%d requests for two tokens: the refused secret is tried again and again", n)
	}
	if text := logged.String(); strings.Count(text, "[WARN]") != 1 || !strings.Contains(text, "refused=client_secret works=client_secret_2") || strings.Contains(text, "S3cr3t") {
		t.Errorf("log: %s", text)
	}
	f.set(func(f *fakeEntra) { delete(f.secrets, "S3cr3t~2") })
	err := ask()
	if e := fmt.Sprint(err); fault.Of(err) != fault.Unauthorized || !strings.Contains(e, "client_secret is not") || !strings.Contains(e, "client_secret_2 is not") {
		t.Errorf("both refused: %v", err)
	}
	want := []auth.Expiry{{What: "client_secret", At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}, {What: "client_secret_2"}}
	if got := a.Expires(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("expires %v, want %v", got, want)
	}
}

func TestTroubleWithTheLoginServer(t *testing.T) {
	t.Parallel()
	const secret = "S3cr3t~1"
	for name, tc := range map[string]struct {
		refuse func(w http.ResponseWriter, form url.Values) bool
		change func(s *Settings, f *fakeEntra)
		kind   fault.Kind
		after  time.Duration
		text   string
		code   string
	}{
		"busy": {func(w http.ResponseWriter, _ url.Values) bool {
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, nil, fault.Throttled, 77 * time.Second, "asks for a pause", ""},
		"a page, 503": {func(w http.ResponseWriter, _ url.Values) bool {
			w.Header().Set("Retry-After", time.Now().Add(2*time.Minute).UTC().Format(http.TimeFormat))
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("<html>later</html>"))
			return true
		}, nil, fault.Unavailable, 2 * time.Minute, "does not work now", ""},
		"a page, 200": {func(w http.ResponseWriter, _ url.Values) bool {
			_, _ = w.Write([]byte("<html>log in to the hotel's network</html>"))
			return true
		}, nil, fault.Unavailable, 0, "what is no token", ""},
		"a token that is none": {func(w http.ResponseWriter, _ url.Values) bool {
			_, _ = w.Write([]byte(`{"access_token":"","expires_in":"x"}`))
			return true
		}, nil, fault.Unavailable, 0, "what is no token", ""},
		"a redirect": {func(w http.ResponseWriter, _ url.Values) bool {
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}, nil, fault.Unavailable, 0, "nothing a login server says", ""},
		"an answer that repeats the secret": {func(w http.ResponseWriter, form url.Values) bool {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"odd","error_description":"I got %s"}`, form.Get("client_secret"))
			return true
		}, nil, fault.Unauthorized, 0, "I got (secret)", "odd"},
		"a wrong tenant": {nil, func(s *Settings, _ *fakeEntra) { s.TenantID = "nobody.example" }, fault.Unauthorized, 0, "there is no tenant nobody.example", "AADSTS90002"},
		"a wrong secret": {nil, func(s *Settings, _ *fakeEntra) { s.ClientSecret = "S3cr3t~wrong" }, fault.Unauthorized, 0, "copy its Value", "AADSTS7000215"},
		"a secret's id": {nil, func(s *Settings, _ *fakeEntra) { s.ClientSecret = "12345678-1234-1234-1234-123456789abc" }, fault.Unauthorized, 0,
			"has the form of a secret's id", "AADSTS7000215"},
		"another issuer": {nil, func(_ *Settings, f *fakeEntra) { f.issuer = "https://elsewhere.example" }, fault.Unauthorized, 0, "issued by another server", ""},
		"no trust":       {nil, func(s *Settings, _ *fakeEntra) { s.CAFile = "" }, fault.Unavailable, 0, "not trusted here", ""},
		"nobody there":   {nil, func(_ *Settings, f *fakeEntra) { f.Close() }, fault.Unavailable, 0, "cannot be reached", ""},
		"no such proxy":  {nil, func(s *Settings, f *fakeEntra) { s.Proxy = "http://me:S3cr3t~1@127.0.0.1:1" }, fault.Unavailable, 0, "cannot be reached", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeEntra(t)
			f.secrets[secret], f.refuse = testApp, tc.refuse
			s := f.settings(t)
			s.ClientSecret = secret
			if tc.change != nil {
				tc.change(&s, f)
			}
			a, logged := opened(t, s)
			_, err := header(t, a, auth.Target{Origin: ews})
			e, _ := err.(*fault.Error)
			if e == nil || e.Kind != tc.kind || e.Scope != fault.ScopeServer || !strings.Contains(e.Message, tc.text) || e.Code != tc.code {
				t.Fatalf("error %+v", err)
			}
			if d := e.After - tc.after; d < -2*time.Second || d > 2*time.Second {
				t.Errorf("after %s, want %s", e.After, tc.after)
			}
			if strings.HasPrefix(tc.code, "AADSTS") && e.ID == "" {
				t.Error("no trace id")
			}
			if strings.Contains(e.Error()+logged.String(), "S3cr3t") {
				t.Errorf("it shows a secret: %s\n%s", e, logged)
			}
		})
	}
}

func TestClaimsThatAServerInsistsOnAreAskedFor(t *testing.T) {
	t.Parallel()
	const claims = `{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}`
	f := newFakeEntra(t)
	f.secrets["S3cr3t~1"] = testApp
	s := f.settings(t)
	s.ClientSecret = "S3cr3t~1"
	a, _ := opened(t, s)
	if _, err := a.entra.acquire(t.Context(), "https://x/.default", claims); err != nil || f.forms[0].Get("claims") != claims {
		t.Errorf("claims %q, %v", f.forms[0].Get("claims"), err)
	}
	const b64 = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ=="
	for challenge, want := range map[string]string{
		`Bearer realm="", error="insufficient_claims", claims="` + b64 + `"`:               claims,
		`Bearer error="insufficient_claims", claims="` + strings.TrimRight(b64, "=") + `"`: claims,
		`Bearer error="invalid_token"`:                                                     "",
		`Bearer claims="!!!"`:                                                              "",
		`Bearer claims="Z2FyYmFnZQ"`:                                                       "",
		`Bearer claims="` + strings.Repeat("A", 64<<10) + `"`:                              "",
	} {
		if got := claimsOf([]string{"Basic", challenge}); got != want {
			t.Errorf("claims of %.60q = %q, want %q", challenge, got, want)
		}
	}
}
