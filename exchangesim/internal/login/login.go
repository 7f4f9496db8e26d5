// Package login authenticates the callers of the Exchange stand-in the way IIS does: Basic for each
// request, and NTLMv2 (by its own name or raw inside Negotiate) for each TCP connection.
//
// NTLM authenticates connections, not requests, and this package is faithful to that: once a
// connection is authenticated, every request on it that brings no credentials of its own runs as that
// user, whoever sent it. A client that shares connections between identities is given the wrong one.
//
//	server := login.NewServer(login.Handler(login.Options{Accounts: login.List(alice)}, next))
package login

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// The schemes that Options.Schemes may name, in the order in which they are offered.
const (
	Negotiate = "Negotiate"
	NTLM      = "NTLM"
	Basic     = "Basic"
)

// order is the order of the WWW-Authenticate lines, which is that of IIS.
var order = []string{Negotiate, NTLM, Basic}

// drained bounds how much of a refused request's body is read so that its connection can stay alive.
const drained = 64 << 20

// An Account is one user who may log in.
type Account struct {
	Domain   string // NetBIOS name, such as EXAMPLE
	User     string // name without domain
	UPN      string // user@domain; empty if the account has none
	Password string
	Tag      any // the caller's own; this package does not look at it
}

// Options say who may log in and how.
type Options struct {
	// Accounts finds an account. Names come as the client sent them: user and domain for DOMAIN\user, with
	// DefaultDomain where the client named none, and a UPN as user with an empty domain.
	Accounts func(user, domain string) (Account, bool)
	// Schemes are those offered and accepted, of Negotiate, NTLM and Basic; none means all three.
	Schemes []string
	// Protection is the mode of Extended Protection for NTLM over TLS.
	Protection Protection
	// Certificate returns the certificate that the server shows; needed where Protection is not None.
	Certificate func() *x509.Certificate
	// DefaultDomain is the NetBIOS domain of the server and of users who name none.
	DefaultDomain string
	// Realm is shown with Basic; empty means the host that was asked.
	Realm string
}

// List looks accounts up in a fixed list, by domain and name or by UPN, in any letter case.
func List(accounts ...Account) func(user, domain string) (Account, bool) {
	return func(user, domain string) (Account, bool) {
		for _, a := range accounts {
			byUPN := a.UPN != "" && domain == "" && strings.EqualFold(user, a.UPN)
			if byUPN || strings.EqualFold(user, a.User) && strings.EqualFold(domain, a.Domain) {
				return a, true
			}
		}
		return Account{}, false
	}
}

type accountKey struct{}

// From returns the account that the request's caller was authenticated as.
func From(ctx context.Context) (Account, bool) {
	a, ok := ctx.Value(accountKey{}).(Account)
	return a, ok
}

type connKey struct{}

// ConnContext keeps the state of NTLM for one connection. It must be the ConnContext of the http.Server
// that serves a Handler.
func ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &conn{})
}

// NewServer returns a server for h with all that NTLM needs: the state per connection, and no HTTP/2.
func NewServer(h http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{Handler: h, ConnContext: ConnContext, Protocols: &protocols}
}

// Handler lets authenticated requests through to next, which learns the account by From, and answers
// every other one with 401 on a connection that stays open.
func Handler(o Options, next http.Handler) http.Handler {
	return &handler{Options: o, next: next}
}

type handler struct {
	Options
	next http.Handler
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(connKey{}).(*conn)
	if !ok {
		http.Error(w, "login.ConnContext is not installed in this server", http.StatusInternalServerError)
		return
	}
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	credentials = strings.TrimSpace(credentials)
	switch {
	case strings.EqualFold(scheme, Basic) && h.offers(Basic):
		if a, ok := h.basic(credentials); ok {
			h.serve(w, r, a)
			return
		}
		h.refuse(w, r)
	case strings.EqualFold(scheme, NTLM) && h.offers(NTLM):
		h.ntlm(w, r, c, NTLM, credentials)
	case strings.EqualFold(scheme, Negotiate) && h.offers(Negotiate):
		h.ntlm(w, r, c, Negotiate, credentials)
	case scheme == "":
		if a, ok := c.user(); ok {
			h.serve(w, r, a)
			return
		}
		h.refuse(w, r)
	default:
		h.refuse(w, r)
	}
}

// ntlm takes one token of the handshake: a Type 1 always begins anew, a Type 3 ends it.
func (h *handler) ntlm(w http.ResponseWriter, r *http.Request, c *conn, scheme, credentials string) {
	token, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		c.forget()
		h.refuse(w, r)
		return
	}
	if n, err := parseNegotiate(token); err == nil {
		challenge := c.begin(n, h.DefaultDomain)
		h.challenge(w, r, scheme+" "+base64.StdEncoding.EncodeToString(challenge))
		return
	}
	a, err := h.finish(c, token, bindingFor(h.Options, r.TLS != nil))
	if err != nil {
		c.forget()
		h.refuse(w, r)
		return
	}
	w.Header().Set("Persistent-Auth", "true")
	h.serve(w, r, a)
}

// errUnknownUser never reaches the client: an unknown user and a wrong password look alike.
var errUnknownUser = errors.New("no such account")

// finish verifies a Type 3 message against the challenge that is open on the connection.
func (h *handler) finish(c *conn, token []byte, b binding) (Account, error) {
	m, err := parseAuthenticate(token)
	if err != nil {
		return Account{}, err
	}
	a, ok := h.find(m.User, m.Domain)
	if !ok {
		return Account{}, errUnknownUser
	}
	return a, c.finish(m, a, b)
}

// find looks an account up by what a client sent as user and domain.
func (h *handler) find(user, domain string) (Account, bool) {
	if user == "" || h.Accounts == nil {
		return Account{}, false
	}
	if domain == "" && !strings.Contains(user, "@") {
		domain = h.DefaultDomain
	}
	return h.Accounts(user, domain)
}

// basic checks user:password in base64.
func (h *handler) basic(credentials string) (Account, bool) {
	raw, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return Account{}, false
	}
	pair := string(raw)
	if !utf8.ValidString(pair) {
		pair = latin1(raw) // what clients sent before RFC 7617
	}
	name, password, ok := strings.Cut(pair, ":")
	if !ok {
		return Account{}, false
	}
	domain, user, ok := strings.Cut(name, `\`)
	if !ok {
		domain, user = "", name
	}
	a, ok := h.find(user, domain)
	return a, ok && a.Password == password
}

// latin1 decodes ISO 8859-1.
func latin1(raw []byte) string {
	runes := make([]rune, len(raw))
	for i, b := range raw {
		runes[i] = rune(b)
	}
	return string(runes)
}

func (h *handler) offers(scheme string) bool {
	return len(h.Schemes) == 0 || slices.Contains(h.Schemes, scheme)
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request, a Account) {
	h.next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), accountKey{}, a)))
}

// refuse offers every scheme.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request) {
	var lines []string
	for _, scheme := range order {
		if !h.offers(scheme) {
			continue
		}
		if scheme == Basic {
			realm := h.Realm
			if realm == "" {
				realm = r.Host
			}
			scheme += ` realm="` + strings.ReplaceAll(realm, `"`, "") + `"`
		}
		lines = append(lines, scheme)
	}
	h.challenge(w, r, lines...)
}

// challenge answers 401 and leaves the connection usable.
func (h *handler) challenge(w http.ResponseWriter, r *http.Request, lines ...string) {
	// A body left unread would make net/http close the connection, and with it the handshake.
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, drained))
	w.Header()["Www-Authenticate"] = lines
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, page)
}
