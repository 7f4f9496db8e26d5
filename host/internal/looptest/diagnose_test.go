package looptest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/endpoint"
	"github.com/roomwire/roomwire/host/internal/looptest"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

const publicHost = "rooms.example.com"

// names resolves the names it holds.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, a := range n[host] {
		all = append(all, netip.MustParseAddr(a))
	}
	if len(all) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return all, nil
}

// pusher answers as the EWS backend does, or as that of Graph.
type pusher struct {
	backend.Pusher
	graph bool
}

func (p pusher) Receive(_ context.Context, in backend.Inbound) (backend.Reply, error) {
	if p.graph {
		if string(in.Body) != `{"value":[]}` {
			return backend.Reply{}, errors.New("what is this?")
		}
		return backend.Reply{Status: 202}, nil
	}
	if !strings.Contains(string(in.Body), "SendNotification") {
		return backend.Reply{}, errors.New("what is this?")
	}
	return backend.Reply{Status: 200, ContentType: "text/xml; charset=utf-8", Body: []byte("<SubscriptionStatus>Unsubscribe</SubscriptionStatus>")}, nil
}

type nobody struct{}

func (nobody) ByToken(context.Context, []byte) (store.Subscription, bool, error) {
	return store.Subscription{}, false, nil
}
func (nobody) Heard(context.Context, []endpoint.Heard) error { return nil }

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string, by *authority) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = sign(t, by, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	})
	return a
}

func sign(t *testing.T, by *authority, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// leaf makes a certificate for a name that ends after a while.
func (a *authority) leaf(t *testing.T, name string, lasts time.Duration, chain ...*authority) tls.Certificate {
	t.Helper()
	cert, key := sign(t, a, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: time.Now().Add(-30 * time.Minute), NotAfter: time.Now().Add(lasts),
	})
	out := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	for _, c := range chain {
		out.Certificate = append(out.Certificate, c.cert.Raw)
	}
	return out
}

// site is a host's public listener, with whatever stands in front of it.
type site struct {
	*testing.T
	o        looptest.Options
	counters endpoint.Counters
	real     http.Handler
	front    func(w http.ResponseWriter, r *http.Request) // nil: the endpoint itself
	cert     tls.Certificate
	dns      names
	dead     []string // addresses that do not answer
	proxy    *url.URL
	during   func() // while the notification is waited for
	mb       func(*store.Mailbox)
	scheme   string
}

func (s *site) arrivals() looptest.Arrivals {
	c := &s.counters
	return looptest.Arrivals{
		Untrusted: c.Untrusted.Load(), Mismatched: c.Mismatched.Load(), Unanswered: c.StoreFailed.Load() + c.PluginFailed.Load() + c.Busy.Load(),
		Unreadable: c.Invalid.Load() + c.TooLarge.Load() + c.Unread.Load(), UnknownPath: c.NotFound.Load(),
	}
}

func TestWhyNothingArrives(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "Known Root", nil)
	middle := newAuthority(t, "Known Middle", root)
	strange := newAuthority(t, "Contoso Root", nil)
	good := middle.leaf(t, publicHost, 500*time.Hour, middle)
	roots := x509.NewCertPool()
	roots.AddCert(root.cert)
	status := func(code int) func(*site) {
		return func(s *site) { s.front = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) } }
	}
	cert := func(c tls.Certificate) func(*site) { return func(s *site) { s.cert = c } }
	for name, c := range map[string]struct {
		spoil         func(s *site)
		cause, remedy string
		check         string // name and state of the check that tells
	}{
		"nothing found": {func(*site) {}, "it is rather the server that does not", "Invoke-WebRequest", "message ok"},
		"no such name":  {func(s *site) { s.dns = nil }, "rooms.example.com does not exist", "DNS", "DNS failed"},
		"refused":       {func(s *site) { s.dead = []string{"192.0.2.1"} }, "no connection to 192.0.2.1:443", "firewall", "TCP failed"},
		"dead IPv6": {func(s *site) {
			s.dns[publicHost] = []string{"2001:db8::1", "192.0.2.1"}
			s.dead = []string{"2001:db8::1"}
		}, "not [2001:db8::1]:443", "IPv6", "TCP doubtful"},
		"expired":         {cert(middle.leaf(t, publicHost, -time.Minute, middle)), "expired on", "renew", "TLS failed"},
		"expires soon":    {cert(middle.leaf(t, publicHost, time.Hour, middle)), "expires on", "renew it now", "TLS doubtful"},
		"another name":    {cert(middle.leaf(t, "www.example.com", time.Hour, middle)), "is for www.example.com, not for rooms.example.com", "names rooms.example.com", "TLS failed"},
		"chain cut short": {cert(middle.leaf(t, publicHost, time.Hour)), "without its intermediate certificates", "whole chain", "TLS failed"},
		"unknown root":    {cert(strange.leaf(t, publicHost, time.Hour, strange)), `"Contoso Root", which this machine does not trust`, "Trusted Root", "TLS doubtful"},
		"login page": {func(s *site) {
			s.front = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/login?return=x&secret=1", http.StatusFound)
			}
		}, "redirects to /login?return=x,", "login page", "page failed"},
		"login asked":      {status(401), "HTTP 401", "anonymous", "page failed"},
		"no rule":          {status(404), "HTTP 404", "publishing.md", "page failed"},
		"host unreachable": {status(502), "does not reach it: HTTP 502", "listen.notifications", "page failed"},
		"something else":   {status(200), "something else than Roomwire", "ROOMS's own endpoint", "page failed"},
		"query lost": {func(s *site) {
			s.front = func(w http.ResponseWriter, r *http.Request) { r.URL.RawQuery = ""; s.real.ServeHTTP(w, r) }
		}, `not told the tenant "Default"`, "appendQueryString", "page failed"},
		"no POST": {func(s *site) {
			s.front = func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					w.WriteHeader(405)
					return
				}
				s.real.ServeHTTP(w, r)
			}
		}, "answered with HTTP 405", "POST", "message failed"},
		"plugin away": {func(s *site) {
			s.real = endpoint.New(endpoint.Options{
				Tenants: func() []string { return []string{tenant} }, Subscriptions: nobody{}, Counters: &s.counters,
				Receiver: func(string) (backend.Pusher, bool) { return nil, false },
			})
		}, "HTTP 503", "plugin list", "message failed"},
		"another host": {func(s *site) {
			var other endpoint.Counters
			s.real = endpoint.New(endpoint.Options{
				Tenants: func() []string { return []string{tenant} }, Subscriptions: nobody{}, Counters: &other,
				Receiver: func(string) (backend.Pusher, bool) { return pusher{}, true },
			})
		}, "another host than this one", "same database", "message doubtful"},
		"wrong tokens":     {func(s *site) { s.during = func() { s.counters.Untrusted.Add(1) } }, "token is not, or no longer, known", "appendQueryString", "token failed"},
		"mixed up":         {func(s *site) { s.during = func() { s.counters.Mismatched.Add(1) } }, "for another subscription", "sync now", "token failed"},
		"could not take":   {func(s *site) { s.during = func() { s.counters.PluginFailed.Add(1) } }, "could not take them", "host's log", "token failed"},
		"cut off":          {func(s *site) { s.during = func() { s.counters.Unread.Add(1) } }, "cut off", "body", "token failed"},
		"wrong path":       {func(s *site) { s.during = func() { s.counters.NotFound.Add(1) } }, "a path that is not", "compare", "token doubtful"},
		"subscription end": {func(s *site) { s.mb = func(mb *store.Mailbox) { mb.SubscriptionID = "" } }, "subscription ended", "test again", "subscription doubtful"},
		"streaming":        {func(s *site) { s.mb = func(mb *store.Mailbox) { mb.Way = "streaming" } }, "was told nothing", "30 minutes", "connection failed"},
		"plain http":       {func(s *site) { s.scheme = "http" }, "it is rather the server that does not", "Invoke-WebRequest", "page ok"},
		"no URL":           {func(s *site) { s.scheme = "" }, "no public URL", "root_url", "URL failed"},
		"this machine": {func(s *site) {
			s.scheme = "http"
			s.o.NotificationURL = func(string, string) string { return "http://127.0.0.1/WebServices/SyncNotification.svc?Default" }
		}, "this very machine", "ExchangeServiceUrl", "URL doubtful"},
		"Graph's path": {func(s *site) {
			s.scheme = "http"
			s.o.NotificationURL = func(tenant, _ string) string { return "http://" + publicHost + "/api/webhooks/graph?" + tenant }
		}, "it is rather the server that does not", "from outside the company's network", "message ok"},
		"only by proxy": {func(s *site) {
			s.scheme, s.dns = "http", nil
			s.proxy = &url.URL{Scheme: "http", Host: "proxy.example.com:3128"}
		}, "goes out through the proxy proxy.example.com:3128", "DNS", "page ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &site{T: t, cert: good, dns: names{publicHost: {"192.0.2.1"}}, scheme: "https"}
			s.real = endpoint.New(endpoint.Options{
				Tenants: func() []string { return []string{tenant} }, Subscriptions: nobody{}, Counters: &s.counters,
				Receiver:    func(mode string) (backend.Pusher, bool) { return pusher{graph: mode == "Microsoft365"}, true },
				Backends:    func() []string { return []string{"graph"} },
				DefaultMode: func(of string) string { return map[string]string{"graph": "Microsoft365"}[of] },
			})
			c.spoil(s)
			s.o.Roots = roots
			got := s.run()
			if got.State != looptest.StateFailed || !strings.Contains(got.Cause, c.cause) || !strings.Contains(got.Remedy, c.remedy) {
				t.Errorf("cause %q\nremedy %q", got.Cause, got.Remedy)
			}
			var found []string
			told := false
			for _, check := range got.Checks {
				found = append(found, check.Name+" "+check.State)
				told = told || check.Name+" "+check.State == c.check
			}
			if !told {
				t.Errorf("checks %v, want %s\n%+v", found, c.check, got.Checks)
			}
			if text := fmt.Sprint(got); strings.Contains(text, "secret") || strings.Contains(text, "k="+looptest.KeyPrefix) {
				t.Errorf("it tells secrets: %s", text)
			}
		})
	}
}

// run has a notification not arrive and returns the step that says why.
func (s *site) run() looptest.Step {
	s.Helper()
	listener := s.listen()
	w := newWorld(s.T, storetest.SQLite(s.T))
	o := w.o
	o.Roots, o.Resolver, o.Arrivals = s.o.Roots, s.dns, s.arrivals
	o.Proxy = func(*http.Request) (*url.URL, error) { return s.proxy, nil }
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		for _, d := range s.dead {
			if d == host {
				return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
			}
		}
		return (&net.Dialer{}).DialContext(ctx, network, listener)
	}
	o.NotificationURL = s.o.NotificationURL
	if o.NotificationURL == nil {
		o.NotificationURL = func(tenant, _ string) string {
			if s.scheme == "" {
				return ""
			}
			return s.scheme + "://" + publicHost + endpoint.NotificationPath + "?" + tenant
		}
	}
	o.Patience = func(string) time.Duration { return time.Millisecond }
	var once sync.Once
	o.Failpoint = func(at string) {
		if at != "notification:waiting" {
			return
		}
		once.Do(func() {
			if s.during != nil {
				s.during()
			}
			if s.mb == nil {
				return
			}
			w.tx(func(ctx context.Context, tx *store.Tx) error {
				mb, _, err := tx.Mailbox(ctx, tenant, "alice")
				if err != nil {
					return err
				}
				s.mb(&mb)
				return tx.SaveMailbox(ctx, mb)
			})
		})
	}
	r := looptest.New(o)
	ctx, stop := context.WithCancel(s.Context())
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = r.Serve(ctx)
	}()
	defer func() { stop(); <-served }()
	var run looptest.Run
	for {
		var err error
		if run, _, err = r.Start(s.Context(), tenant, "alice"); err == nil {
			break
		} else if !errors.Is(err, fault.Unavailable) { // it is not serving yet
			s.Fatal(err)
		}
	}
	changed, cancel := r.Changed(tenant, run.ID)
	defer cancel()
	for {
		now, _, err := r.Run(s.Context(), tenant, run.ID)
		if err != nil {
			s.Fatal(err)
		}
		if now.Outcome != looptest.Running {
			return step(now, looptest.StepNotification)
		}
		<-changed
	}
}

// listen opens the site's listener.
func (s *site) listen() string {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.front != nil {
			s.front(w, r)
			return
		}
		s.real.ServeHTTP(w, r)
	})
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that are only tried
	if s.scheme == "https" {
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{s.cert}}
		srv.StartTLS()
	} else {
		srv.Start()
	}
	s.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}
