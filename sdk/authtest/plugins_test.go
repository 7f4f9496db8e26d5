package authtest

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backendtest/memcal"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A plug is an auth plugin made of two functions.
type plug struct {
	begin func(ctx context.Context, t auth.Target) error         // nil: all is well
	leg   func(ctx context.Context, l leg) (auth.Header, error)  // every leg
	made  func(ctx context.Context, t auth.Target) auth.Exchange // instead of leg
}

// A leg is what a leg is made of.
type leg struct {
	auth.Target
	number    int // from 1
	challenge []string
}

// Begin implements auth.Authenticator.
func (p plug) Begin(ctx context.Context, t auth.Target) (auth.Exchange, error) {
	if p.begin != nil {
		if err := p.begin(ctx, t); err != nil {
			return nil, err
		}
	}
	if p.made != nil {
		return p.made(ctx, t), nil
	}
	n := 0
	return func(ctx context.Context, challenge []string) (auth.Header, error) {
		n++
		return p.leg(ctx, leg{t, n, challenge})
	}, nil
}

// open returns an Open for a plug that is always the same.
func open(p plug) Open {
	return func(context.Context) (auth.Authenticator, error) { return p, nil }
}

func always(value string) plug {
	return plug{leg: func(context.Context, leg) (auth.Header, error) { return auth.Header{Value: value}, nil }}
}

func refuse(format string, args ...any) Open {
	return func(context.Context) (auth.Authenticator, error) { return nil, fmt.Errorf(format, args...) }
}

// roots trusts test servers, all of which show the same certificate.
func roots(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

func serveTLS(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}

// tokenFixture is a plugin without fault that sends the token of its settings.
func tokenFixture(t *testing.T) Fixture {
	t.Helper()
	urls := map[string]string{}
	var one *httptest.Server
	for _, token := range []string{"t0ken-alice", "t0ken-bob"} {
		calendars := memcal.New("a@example.com")
		calendars.Require(token)
		one = serveTLS(t, calendars)
		urls[token] = one.URL + "/calendars/a@example.com"
	}
	return Fixture{
		Open: open(always("Bearer t0ken-alice")), Other: open(always("Bearer t0ken-bob")), Wrong: open(always("Bearer t0ken-wrong")),
		Traits: Traits{Schemes: []string{"Bearer"}},
		Bad:    map[string]Open{"none": refuse("there is no token: %w", fault.Invalid)},
		Odd:    map[string]Open{"a line end": refuse("it has a line end: %w", fault.Invalid), "none": open(always("Bearer trimmed"))},
		URL:    urls["t0ken-alice"], OtherURL: urls["t0ken-bob"], RootCAs: roots(one),
		Restart: func(context.Context) error { return nil },
		Secrets: []string{"t0ken-alice", "t0ken-bob", "t0ken-wrong"}, Logged: func() string { return "logged in" },
	}
}

// A nonceServer lets in who sends back one of its nonces with the password.
type nonceServer struct {
	*httptest.Server
	last   atomic.Int64
	issued sync.Map
}

func newNonceServer(t *testing.T, password string) *nonceServer {
	s := &nonceServer{}
	s.Server = serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Nonce ")
		nonce, proof, _ := strings.Cut(answer, ":")
		_, known := s.issued.Load(nonce)
		switch {
		case known && proof == "proof-of-"+password:
			return
		case strings.HasPrefix(answer, "hello"):
			nonce := fmt.Sprintf("%s-n%d", answer, s.last.Add(1))
			s.issued.Store(nonce, true)
			w.Header().Set("WWW-Authenticate", "Nonce "+nonce)
		default:
			w.Header().Set("WWW-Authenticate", "Nonce")
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	return s
}

// nonceLeg is a leg of a login of two.
func nonceLeg(password string, l leg) (auth.Header, error) {
	if l.number == 1 {
		return auth.Header{Value: "Nonce hello", More: true}, nil
	}
	for _, c := range l.challenge {
		nonce, ok := strings.CutPrefix(c, "Nonce ")
		if ok && nonce != "" && !strings.ContainsFunc(nonce, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return auth.Header{Value: "Nonce " + nonce + ":proof-of-" + password}, nil
		}
	}
	return auth.Header{}, fmt.Errorf("no nonce from %s: %w", l.Origin, fault.Unauthorized)
}

func nonces(password string) plug {
	return plug{leg: func(_ context.Context, l leg) (auth.Header, error) { return nonceLeg(password, l) }}
}

// nonceFixture is a plugin without fault whose logins have two legs.
func nonceFixture(t *testing.T) Fixture {
	t.Helper()
	alice, bob := newNonceServer(t, "s3cret-alice"), newNonceServer(t, "s3cret-bob")
	return Fixture{
		Open: open(nonces("s3cret-alice")), Other: open(nonces("s3cret-bob")), Wrong: open(nonces("s3cret-wrong")),
		Traits: Traits{Schemes: []string{"Nonce"}, PerConnection: true},
		URL:    alice.URL, OtherURL: bob.URL, RootCAs: roots(alice.Server),
		Secrets: []string{"s3cret-alice", "s3cret-bob", "s3cret-wrong"},
	}
}

// issued asks an issuer for a token for a mailbox.
func issued(url string) plug {
	return plug{leg: func(ctx context.Context, l leg) (auth.Header, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/"+l.Mailbox, nil)
		if err != nil {
			return auth.Header{}, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return auth.Header{}, fmt.Errorf("ask for a token: %w", err)
		}
		defer resp.Body.Close()
		token, err := io.ReadAll(resp.Body)
		return auth.Header{Value: "Bearer " + string(token), Expires: time.Now().Add(time.Hour)}, err
	}}
}

// issuerFixture is a plugin without fault that gets tokens for mailboxes.
func issuerFixture(t *testing.T) Fixture {
	t.Helper()
	var asked atomic.Int64
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "token-%d-for-%s", asked.Add(1), r.URL.Path[1:])
	}))
	stuck := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	away := httptest.NewServer(nil)
	away.Close()
	t.Cleanup(issuer.Close)
	t.Cleanup(stuck.Close)
	return Fixture{
		Open:   open(issued(issuer.URL)),
		Traits: Traits{Schemes: []string{"Bearer"}, PerMailbox: true, Attempts: 2},
		Issuer: &Issuer{
			Away: open(issued(away.URL)), Stuck: open(issued(stuck.URL)), Asked: func() int { return int(asked.Load()) },
		},
	}
}
