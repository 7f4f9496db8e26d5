package httpauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

type authFunc func(ctx context.Context, target auth.Target) (auth.Exchange, error)

func (f authFunc) Begin(ctx context.Context, target auth.Target) (auth.Exchange, error) {
	return f(ctx, target)
}

func fixed(value string) auth.Authenticator {
	return authFunc(func(context.Context, auth.Target) (auth.Exchange, error) {
		return auth.Fixed(auth.Header{Value: value}), nil
	})
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newPlainTLS(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}

// tokens hands out numbered bearer tokens, and is told which one the server takes.
type tokens struct {
	issued atomic.Int64
	good   atomic.Value
	expire func() time.Time
}

func (k *tokens) identity() Identity {
	return Identity{Name: "oauth", Schemes: []string{"Bearer"}, Auth: authFunc(
		func(_ context.Context, target auth.Target) (auth.Exchange, error) {
			v := fmt.Sprintf("Bearer %s%d", target.Mailbox, k.issued.Add(1))
			var until time.Time
			if k.expire != nil {
				until = k.expire()
			}
			return auth.Fixed(auth.Header{Value: v, Expires: until}), nil
		})}
}

func (k *tokens) server(t *testing.T) *httptest.Server {
	return newPlainTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a == "" || a != k.good.Load() {
			w.Header().Set("WWW-Authenticate", `Bearer realm="", error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("X-User", r.Header.Get("Authorization"))
	})
}

func TestAHeaderIsCachedAndRefreshedOnceForManyRefusedRequests(t *testing.T) {
	t.Parallel()
	k := &tokens{}
	k.good.Store("Bearer 1")
	s := k.server(t)
	c := client(t, s, k.identity())
	all := func() {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if _, _, err := post(t.Context(), c, s.URL, "x"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	all()
	if got := k.issued.Load(); got != 1 {
		t.Fatalf("%d tokens for 16 requests, want 1", got)
	}
	k.good.Store("Bearer 2")
	all()
	if got := k.issued.Load(); got != 2 {
		t.Errorf("%d tokens after the first was revoked, want 2", got)
	}
}

func TestThePluginIsToldWhichHeaderWasRefused(t *testing.T) {
	t.Parallel()
	k := &tokens{}
	k.good.Store("Bearer 1")
	s := k.server(t)
	var told [][]byte
	inner := k.identity()
	id := inner
	id.Auth = authFunc(func(ctx context.Context, target auth.Target) (auth.Exchange, error) {
		told = append(told, target.Refused)
		return inner.Auth.Begin(ctx, target)
	})
	c := client(t, s, id)
	for _, good := range []string{"Bearer 1", "Bearer 2"} {
		k.good.Store(good)
		if _, _, err := post(t.Context(), c, s.URL, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 2 || len(told[0]) != 0 || !bytes.Equal(told[1], auth.RefusedSum("Bearer 1")) {
		t.Errorf("told %x, want nothing and then the sum of the first", told)
	}
}

func TestAHeaderNearItsEndIsReplacedBeforeItIsRefused(t *testing.T) {
	t.Parallel()
	k := &tokens{expire: func() time.Time { return time.Now().Add(expiryMargin - time.Second) }}
	k.good.Store("Bearer 1")
	s := k.server(t)
	c := client(t, s, k.identity())
	if _, _, err := post(t.Context(), c, s.URL, "x"); err != nil {
		t.Fatal(err)
	}
	k.good.Store("Bearer 2")
	if _, _, err := post(t.Context(), c, s.URL, "x"); err != nil {
		t.Fatal(err)
	}
	if got := k.issued.Load(); got != 2 {
		t.Errorf("%d tokens, want 2", got)
	}
}

func TestAFixedHeaderThatIsRefusedIsNotSentTwice(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	s := newPlainTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			sent.Add(1)
		}
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	})
	c := client(t, s, Identity{Name: "basic", Schemes: []string{"Basic"}, Auth: fixed("Basic eDp5")})
	_, _, err := post(t.Context(), c, s.URL, "x")
	if fault.Of(err) != fault.Unauthorized || sent.Load() != 1 {
		t.Errorf("error %v after %d tries, want unauthorized after 1: accounts get locked", err, sent.Load())
	}
}

func TestPerMailboxHeadersAreKeptApart(t *testing.T) {
	t.Parallel()
	k := &tokens{}
	s := newPlainTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("X-User", r.Header.Get("Authorization"))
	})
	id := k.identity()
	id.PerMailbox = true
	c := client(t, s, id)
	for range 2 {
		for _, m := range []string{"a", "b"} {
			user, _, err := post(backend.WithMailbox(t.Context(), m), c, s.URL, "x")
			if err != nil || !strings.HasPrefix(user, "Bearer "+m) {
				t.Errorf("for %s: as %q, %v", m, user, err)
			}
		}
	}
	if got := k.issued.Load(); got != 2 {
		t.Errorf("%d tokens, want 2", got)
	}
}

func TestBasicOverPlainHTTPIsRefusedWithoutSendingIt(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the password was sent")
		}
		w.Header().Set("WWW-Authenticate", "basic")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(s.Close)
	c := client(t, s, Identity{Name: "basic", Schemes: []string{"Basic"}, Auth: fixed("Basic eDp5")})
	if _, _, err := post(t.Context(), c, s.URL, "x"); fault.Of(err) != fault.Invalid {
		t.Errorf("error = %v, want kind invalid", err)
	}
}

func TestNoIdentityForTheOfferIsExplained(t *testing.T) {
	t.Parallel()
	s := newConnServer(t, nil)
	c := client(t, s.Server, Identity{Name: "basic", Schemes: []string{"Basic"}, Auth: fixed("Basic eDp5")})
	_, _, err := post(t.Context(), c, s.URL, "x")
	if fault.Of(err) != fault.Unauthorized || !strings.Contains(err.Error(), "Negotiate, NTLM") {
		t.Errorf("error = %v, want unauthorized naming what is offered", err)
	}
}

func TestARedirectCarriesNoCredentialsToAnotherOrigin(t *testing.T) {
	t.Parallel()
	var leaked atomic.Bool
	other := newPlainTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Store(true)
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
	})
	first := newPlainTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	pool := x509.NewCertPool()
	pool.AddCert(first.Certificate())
	pool.AddCert(other.Certificate())
	k := &tokens{}
	tr := New(Options{Identities: []Identity{k.identity()}, RootCAs: pool})
	t.Cleanup(tr.Close)

	resp, err := tr.Client().Post(first.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("status %d, want the redirect itself", resp.StatusCode)
	}
	// A client that follows redirects regardless gets there as nobody.
	resp, err = (&http.Client{Transport: tr}).Post(first.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || leaked.Load() {
		t.Errorf("status %d, leaked %v; want 401 without credentials", resp.StatusCode, leaked.Load())
	}
}

func TestTheCertificatesFaultIsExplained(t *testing.T) {
	t.Parallel()
	s := newPlainTLS(t, func(http.ResponseWriter, *http.Request) {})
	k := &tokens{}
	tr := New(Options{Identities: []Identity{k.identity()}, RootCAs: x509.NewCertPool()})
	t.Cleanup(tr.Close)
	_, _, err := post(t.Context(), tr.Client(), s.URL, "x")
	if fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "ca_file") {
		t.Errorf("error = %v, want unavailable that says what to do", err)
	}

	other := client(t, s, k.identity())
	u := mustURL(t, s.URL)
	_, _, err = post(t.Context(), other, "https://localhost:"+u.Port(), "x")
	if fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "not for this name") {
		t.Errorf("error = %v, want unavailable that names the certificate's names", err)
	}

	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(plain.Close)
	_, _, err = post(t.Context(), other, strings.Replace(plain.URL, "http:", "https:", 1), "x")
	if fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("error = %v, want unavailable that doubts the port", err)
	}
}

func TestTheBindingFollowsTheCertificatesSignature(t *testing.T) {
	t.Parallel()
	leaf := &x509.Certificate{Raw: []byte("the certificate")}
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
	for alg, size := range map[x509.SignatureAlgorithm]int{
		x509.SHA1WithRSA: 32, x509.SHA256WithRSA: 32, x509.ECDSAWithSHA384: 48, x509.SHA512WithRSAPSS: 64, x509.PureEd25519: 0,
	} {
		leaf.SignatureAlgorithm = alg
		if got := len(bindingOf(state)); got != size {
			t.Errorf("%v: %d bytes, want %d", alg, got, size)
		}
	}
}

func TestCancellingARequestEndsItWithItsOwnError(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	s := newPlainTLS(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, _, err := post(ctx, client(t, s, (&tokens{}).identity()), s.URL, "x")
	if fmt.Sprint(context.Cause(ctx)) != context.Canceled.Error() || !strings.Contains(fmt.Sprint(err), context.Canceled.Error()) {
		t.Errorf("error = %v, want the context's", err)
	}
}

func TestSchemesAreReadFromListsAndRepeatedHeaders(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   []string
		want string
	}{
		{[]string{"Negotiate", "NTLM", `Basic realm="a, b"`}, "Negotiate NTLM Basic"},
		{[]string{`Basic realm="x \", y", Negotiate, NTLM`}, "Basic Negotiate NTLM"},
		{[]string{`Bearer client_id="0", trusted_issuers="0@*", token_types="app_asserted_user_v1", authorization_uri="https://x/authorize"`, "NTLM"}, "Bearer NTLM"},
		{[]string{"NTLM TlRMTVNTUAACAAAA=="}, "NTLM"},
		{[]string{"", ",,", `"`}, ""},
	} {
		if got := strings.Join(schemesOf(tc.in), " "); got != tc.want {
			t.Errorf("schemesOf(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func FuzzSchemes(f *testing.F) {
	f.Add(`Basic realm="a, b", Negotiate`)
	f.Add(`"\`)
	f.Fuzz(func(t *testing.T, v string) {
		for _, s := range schemesOf([]string{v}) {
			if strings.ContainsAny(s, `="`) || s == "" {
				t.Errorf("%q is no scheme", s)
			}
		}
		if !slices.Equal(schemesOf([]string{v, v}), schemesOf([]string{v})) {
			t.Error("saying it twice changed it")
		}
	})
}
