package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	msalerrors "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/fault"
)

// An entra gets tokens of one app from one login server, with whichever of its credentials is accepted.
type entra struct {
	tenant, app string
	cloud       cloud
	credentials []credential
	clients     []confidential.Client // as credentials
	secret      []string              // texts that no error may repeat
	http        *http.Client
	log         hclog.Logger

	mu      sync.Mutex
	current int // the credential that was accepted last
}

// newEntra asks nobody: it is called at every start, when the login server may be away.
func newEntra(s Settings, log hclog.Logger) (*entra, error) {
	c, err := cloudOf(s)
	if err != nil {
		return nil, err
	}
	if err := checkIDs(s); err != nil {
		return nil, err
	}
	e := &entra{tenant: s.TenantID, app: s.AppID, cloud: c, log: log}
	if e.credentials, err = credentialsOf(s); err != nil {
		return nil, err
	}
	if e.http, err = httpClient(s); err != nil {
		return nil, err
	}
	for _, secret := range []string{s.ClientSecret, s.ClientSecret2, s.CertificatePassword} {
		if len(secret) > 3 {
			e.secret = append(e.secret, secret, url.QueryEscape(secret))
		}
	}
	for _, cred := range e.credentials {
		client, err := confidential.New(c.authority+"/"+s.TenantID, s.AppID, cred.proof,
			confidential.WithHTTPClient(e.http), confidential.WithInstanceDiscovery(false), confidential.WithCache(emptyCache{}))
		if err != nil {
			return nil, fmt.Errorf("the login server %s cannot be used: %w", c.authority, fault.Invalid)
		}
		e.clients = append(e.clients, client)
	}
	return e, nil
}

// An emptyCache keeps MSAL from keeping tokens: it would hide a failed renewal behind the token before, ask anew with every call
// then, and could not be told that a token was refused. What is kept is kept by tokens.
type emptyCache struct{}

// Replace implements cache.ExportReplace.
func (emptyCache) Replace(_ context.Context, c cache.Unmarshaler, _ cache.ReplaceHints) error {
	return c.Unmarshal([]byte("{}"))
}

// Export implements cache.ExportReplace.
func (emptyCache) Export(context.Context, cache.Marshaler, cache.ExportHints) error { return nil }

func checkIDs(s Settings) error {
	const where = "it is on the app's overview page (" + portal + ")"
	if !isGUID(s.AppID) {
		return fmt.Errorf("app_id is no id such as 01234567-89ab-cdef-0123-456789abcdef: %s, Application (client) ID: %w", where, fault.Invalid)
	}
	if slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(s.TenantID)) {
		return fmt.Errorf("tenant_id must name one tenant, not %q: %s, Directory (tenant) ID: %w", s.TenantID, where, fault.Invalid)
	}
	domain := strings.Contains(s.TenantID, ".") && !strings.ContainsFunc(s.TenantID, func(r rune) bool {
		return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) && !strings.Contains(s.TenantID, "..")
	if !isGUID(s.TenantID) && !domain {
		return fmt.Errorf("tenant_id is neither an id such as 01234567-89ab-cdef-0123-456789abcdef nor a domain: %s, Directory (tenant) ID: %w", where, fault.Invalid)
	}
	return nil
}

// acquire asks the login server for a token. It tries another credential only when one was refused as such.
func (e *entra) acquire(ctx context.Context, scope, claims string) (token, error) {
	e.mu.Lock()
	begin := e.current
	e.mu.Unlock()
	var refused []*fault.Error
	for n := range e.credentials {
		i := (begin + n) % len(e.credentials)
		asked := time.Now()
		var options []confidential.AcquireByCredentialOption
		if claims != "" {
			options = append(options, confidential.WithClaims(claims))
		}
		got, err := e.clients[i].AcquireTokenByCredential(ctx, []string{scope}, options...)
		if err == nil {
			e.prefer(begin, i, refused)
			t := token{value: got.AccessToken, issued: asked, ends: got.ExpiresOn, renew: got.Metadata.RefreshOn}
			if roles, ok := rolesOf(t.value); ok && len(roles) == 0 {
				t.renew, t.bare = asked.Add(bareFor), true
			}
			return t, nil
		}
		f, next := e.explain(err, e.credentials[i], scope)
		refused = append(refused, f)
		if !next {
			return token{}, f
		}
	}
	if len(refused) == 1 {
		return token{}, refused[0]
	}
	all := *refused[0]
	for _, f := range refused[1:] {
		all.Message += "; and " + f.Message
	}
	return token{}, &all
}

// prefer remembers that another credential than the one tried first works, and says so once.
func (e *entra) prefer(tried, works int, refused []*fault.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if tried == works || e.current != tried {
		return
	}
	e.current = works
	e.log.Warn("a credential of the app was refused, and another one works: delete the refused one from the configuration, or replace it",
		"app", e.app, "refused", e.credentials[tried].setting, "works", e.credentials[works].setting, "reason", refused[0])
}

// explain turns an error of MSAL into a sentence; next says that another credential may be accepted.
func (e *entra) explain(err error, c credential, scope string) (f *fault.Error, next bool) {
	away := func(format string, args ...any) *fault.Error {
		return &fault.Error{Kind: fault.Unavailable, Scope: fault.ScopeServer, Message: "no token from " + e.cloud.authority + ": " + fmt.Sprintf(format, args...)}
	}
	if refused, ok := errors.AsType[msalerrors.CallErr](err); ok {
		body, _ := io.ReadAll(io.LimitReader(refused.Resp.Body, maxAnswer)) // it was read into memory already
		return e.refused(refused.Resp, body, c, scope)
	}
	if f := e.unreachable(err); f != nil {
		return f, false
	}
	if strings.Contains(err.Error(), "does not match authority") {
		return &fault.Error{Kind: fault.Unauthorized, Scope: fault.ScopeServer, Message: fmt.Sprintf(
			"%s says that tokens of tenant %s are issued by another server: authority must be the login server's own address", e.cloud.authority, e.tenant)}, false
	}
	// MSAL's own words repeat the answer, which may hold a token.
	return away("it answers what is no token: authority may not be a login server's, or a proxy answers in its place"), false
}

// refused explains an answer that is an error.
func (e *entra) refused(resp *http.Response, body []byte, c credential, scope string) (*fault.Error, bool) {
	r := refusalOf([]byte(e.clean(string(body)))) // before its texts are cut
	f := &fault.Error{Scope: fault.ScopeServer, Code: r.name(), ID: r.id, After: retryAfter(resp.Header)}
	known, ok := advices()[r.code]
	switch {
	case ok:
		f.Kind, f.Message = known.kind, e.filled(known.text, c, scope)
	case resp.StatusCode == http.StatusTooManyRequests:
		f.Kind, f.Message = fault.Throttled, e.filled("the login server {login} asks for a pause", c, scope)
	case resp.StatusCode >= 500:
		f.Kind, f.Message = fault.Unavailable, e.filled("the login server {login} does not work now: it answers HTTP "+resp.Status, c, scope)
	case resp.StatusCode == http.StatusProxyAuthRequired:
		f.Kind, f.Message = fault.Unavailable, "the proxy wants a login: write it into its URL"
	case r.code != 0 || r.reason != "":
		f.Kind = fault.Unauthorized
		f.Message = e.filled("the login server {login} gives the app {app} of tenant {tenant} no token", c, scope)
		if r.description != "" {
			f.Message += ". It says: " + e.clean(r.description)
		}
	default:
		f.Kind = fault.Unavailable
		f.Message = e.filled("{login} is asked for a token and answers HTTP "+resp.Status+", which is nothing a login server says: "+
			"a proxy may answer in its place, or authority is not a login server's", c, scope)
	}
	return f, known.next
}

// filled puts what is known into an advice.
func (e *entra) filled(text string, c credential, scope string) string {
	hint, ended := "", ""
	if c.looksLikeID {
		hint = ", and has the form of a secret's id"
	}
	if !c.ends.IsZero() {
		ended = " (it ends on " + c.ends.UTC().Format(time.DateOnly) + ")"
	}
	return strings.NewReplacer(
		"{tenant}", e.tenant, "{app}", e.app, "{login}", e.cloud.authority, "{cloud}", e.cloud.name, "{scope}", scope,
		"{credential}", c.setting, "{ended}", ended, "{thumbprint}", c.thumbprint, "{hint}", hint,
	).Replace(text)
}

// clean takes secrets out of a server's words, should it repeat them.
func (e *entra) clean(text string) string {
	for _, s := range e.secret {
		text = strings.ReplaceAll(text, s, "(secret)")
	}
	return text
}

// unreachable explains an error of the connection; nil if it is none.
func (e *entra) unreachable(err error) *fault.Error {
	f := &fault.Error{Kind: fault.Unavailable, Scope: fault.ScopeServer}
	say := func(format string, args ...any) *fault.Error {
		f.Message = "the login server " + e.cloud.authority + " " + fmt.Sprintf(format, args...)
		return f
	}
	const trust = `put the certificate of the issuing CA into a file and name it in the sync mode: http { ca_file = "…" }`
	if errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err) {
		return say("did not answer within %s: check the way there (firewall, http { proxy })", requestTimeout)
	}
	if errors.Is(err, context.Canceled) {
		return say("was not waited for: the plugin is being stopped")
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return say("shows a certificate of an authority that is not trusted here (a proxy that looks into TLS?): %s", trust)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return say("shows a certificate that cannot be verified: check its name, its dates and this machine's clock")
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return say("cannot be reached: %s; check the way there (name server, firewall, http { proxy })", shortened(hidePassword(u.Err.Error()), maxDescription))
	}
	return nil
}

// hidePassword keeps the proxy's password out of a text.
func hidePassword(s string) string {
	if before, rest, ok := strings.Cut(s, "://"); ok {
		if _, after, ok := strings.Cut(rest, "@"); ok {
			return before + "://" + after
		}
	}
	return s
}

// retryAfter returns how long an answer asks to wait; zero if it does not.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s > 0 && s < 1<<20 {
		return time.Duration(s) * time.Second
	}
	at, err1 := http.ParseTime(v)
	now, err2 := http.ParseTime(h.Get("Date"))
	if err1 == nil && err2 == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// httpClient reaches the login server. It follows no redirect: the request holds the secret.
func httpClient(s Settings) (*http.Client, error) {
	t := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 15 * time.Second,
		ResponseHeaderTimeout: requestTimeout, IdleConnTimeout: 50 * time.Second, ForceAttemptHTTP2: true,
	}
	if s.CAFile != "" {
		raw, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file cannot be read: %w: %w", err, fault.Invalid)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("ca_file %s holds no certificate in PEM form: %w", s.CAFile, fault.Invalid)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if s.Proxy != "" {
		proxy, err := url.Parse(s.Proxy)
		if err != nil || proxy.Host == "" {
			// Without its text: it may hold a password.
			return nil, fmt.Errorf("proxy must be a URL such as http://proxy.example.com:3128: %w", fault.Invalid)
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	return &http.Client{
		Transport: bounded{t}, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// bounded cuts answers off, for MSAL reads them whole.
type bounded struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
