// Package httpauth is the http.RoundTripper that authorizes a backend's requests without knowing a secret: it learns
// what a server offers, has an auth.Authenticator answer, and keeps identities apart on connections.
//
// A server that refuses an identity is an error of kind fault.Unauthorized, never a 401 answer: whoever gets a response
// may rely on its being for the identity. No other identity is tried after one was refused.
package httpauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// An Identity is one that requests may be made as.
type Identity struct {
	Name          string
	Schemes       []string
	PerConnection bool
	PerMailbox    bool
	Attempts      int
	Auth          auth.Authenticator
}

// Options make a Transport.
type Options struct {
	// Identities in the order of preference; with none, requests go out as they are.
	Identities []Identity
	RootCAs    *x509.CertPool // nil: the system's
	Proxy      *url.URL       // nil: none
	Timeout    time.Duration  // of a request and the reading of its answer, but not of a stream; zero for none
	Lanes      int            // connections per identity and origin with per-connection schemes; zero means 8
	Log        hclog.Logger   // nil: none
}

const defaultLanes = 8

// A Transport authorizes requests. It is safe for concurrent use.
type Transport struct {
	identities []Identity
	options    Options
	plain      *http.Transport // for requests without a connection of their own
	streams    *http.Transport // the same, for answers that are read for minutes
	log        hclog.Logger

	mu      sync.Mutex
	origins map[string]*origin
	headers headerCache
	pools   poolSet
	trials  trialSet
}

// New makes a Transport.
func New(o Options) *Transport {
	if o.Lanes <= 0 {
		o.Lanes = defaultLanes
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	t := &Transport{identities: o.Identities, options: o, log: o.Log, origins: map[string]*origin{}}
	t.plain = t.newTransport()
	t.plain.ForceAttemptHTTP2 = true
	t.plain.MaxIdleConnsPerHost = 16
	t.streams = t.newTransport()
	asStream(t.streams)
	return t
}

// newTransport returns a transport with the options' trust and proxy, and time limits for what should never take long.
func (t *Transport) newTransport() *http.Transport {
	ht := &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: t.options.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   15 * time.Second,
		IdleConnTimeout:       idleTimeout,
		ResponseHeaderTimeout: 2 * time.Minute,
	}
	if t.options.Proxy != nil {
		ht.Proxy = http.ProxyURL(t.options.Proxy)
	}
	return ht
}

// Client returns a client over t that follows redirects within an origin only.
func (t *Transport) Client() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if originOf(r.URL) != originOf(via[0].URL) {
			return http.ErrUseLastResponse
		}
		if len(via) >= 10 {
			return errors.New("stopped after 10 redirects")
		}
		return nil
	}}
}

// Close ends idle connections; requests under way go on to their end.
func (t *Transport) Close() {
	t.plain.CloseIdleConnections()
	t.streams.CloseIdleConnections()
	t.pools.close()
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.options.Timeout > 0 && !backend.IsStream(r.Context()) {
		return t.inTime(r)
	}
	return t.roundTrip(r)
}

func (t *Transport) roundTrip(r *http.Request) (*http.Response, error) {
	body, err := newBody(r)
	if err != nil {
		return nil, err
	}
	if len(t.identities) == 0 || redirectedAway(r) {
		resp, err := t.shared(r).RoundTrip(body.request(r, ""))
		return resp, explain(r.Context(), r.URL, err)
	}
	return t.authorized(r, body)
}

// authorized sends the request as the identity that is right for its origin.
func (t *Transport) authorized(r *http.Request, body *body) (*http.Response, error) {
	o := t.origin(r.URL)
	offer, err := t.offer(r.Context(), o, r)
	if err != nil {
		return nil, err
	}
	if !offer.demanded {
		// Nothing was asked for here; the request itself may still be.
		resp, err := t.shared(r).RoundTrip(body.request(r, ""))
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			return resp, explain(r.Context(), r.URL, err)
		}
		offer = o.learn(offerOf(resp))
		drain(resp)
	}
	i, scheme, err := t.choose(o, offer)
	if err != nil {
		return nil, err
	}
	if r.URL.Scheme != "https" && strings.EqualFold(scheme, "Basic") {
		return nil, plainBasic(o.name)
	}
	c := &caller{t: t, identity: &t.identities[i], index: i, origin: o, offer: offer, scheme: scheme}
	if c.identity.PerMailbox {
		c.mailbox = backend.MailboxOf(r.Context())
	}
	resp, err := t.trials.trial(c.key()).send(r.Context(), func() (*http.Response, error) {
		if c.identity.PerConnection {
			return c.onLane(r, body)
		}
		return c.withHeader(r, body)
	})
	o.heard(i, err)
	return resp, err
}

// A caller is one request's view: who, where to, on which offer.
type caller struct {
	t        *Transport
	identity *Identity
	index    int
	origin   *origin
	offer    offer
	scheme   string
	mailbox  string
}

// poolKey tells headers and lanes apart; nothing is shared between two of them.
type poolKey struct {
	identity int
	origin   string
	mailbox  string
}

func (c *caller) key() poolKey { return poolKey{c.index, c.origin.name, c.mailbox} }

// target returns whom the authenticator logs in to, for the retry-th time.
func (c *caller) target(binding []byte, retry int) auth.Target {
	return auth.Target{Origin: c.origin.name, Mailbox: c.mailbox, ChannelBinding: binding, Retry: retry}
}

// refused is the server's last word on an identity.
func (c *caller) refused(challenges []string) error {
	scope := fault.ScopeServer
	if c.identity.PerMailbox {
		scope = fault.ScopeMailbox
	}
	return &fault.Error{Kind: fault.Unauthorized, Scope: scope, Message: fmt.Sprintf(
		"%s refused the login of %q by %s (it offers %s): check the user and the password, and whether the account may log in",
		c.origin.name, c.identity.Name, c.scheme, schemeList(challenges))}
}

func plainBasic(origin string) error {
	return fmt.Errorf("%s wants Basic over plain HTTP, which would show the password to the network: use https: %w",
		origin, fault.Invalid)
}

// redirectedAway reports whether a redirect led r away from the origin that it was first sent to.
func redirectedAway(r *http.Request) bool {
	here := originOf(r.URL)
	for resp := r.Response; resp != nil && resp.Request != nil; resp = resp.Request.Response {
		if originOf(resp.Request.URL) != here {
			return true
		}
	}
	return false
}

// originOf returns scheme://host:port with the port always written.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return u.Scheme + "://" + host + ":" + port
}

// ended reports whether err is the end of ctx and nothing else.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}
