package exchangesim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// An edition is the kind of Exchange that a request came to. All see the same mailboxes, each those that lie there.
type edition int

const (
	onPremises edition = iota
	online
	everywhere // of requests that no server answers: Outlook's
)

// The places where a mailbox may lie; Person.Place is one of them.
const (
	PlaceBoth       = ""       // it is seen on-premises and online alike, as no real mailbox is
	PlaceOnPremises = "onprem" // only there
	PlaceOnline     = "online"
	PlaceMoving     = "moving" // on its way: nobody may open it
)

func checkPlace(place string) error {
	switch place {
	case PlaceBoth, PlaceOnPremises, PlaceOnline, PlaceMoving:
		return nil
	}
	return fmt.Errorf("place %q is not known: it is %q, %q, %q or empty for both", place, PlaceOnPremises, PlaceOnline, PlaceMoving)
}

// at reports whether a person's mailbox is to be found in an edition; s.mu is held.
func (p *Person) at(e edition) bool {
	if p.NoMailbox {
		return false
	}
	switch p.Place {
	case PlaceOnPremises:
		return e != online
	case PlaceOnline:
		return e != onPremises
	case PlaceMoving:
		return e == everywhere
	}
	return true
}

// SetPlace says where a person's mailbox lies. Subscriptions where it no longer is end in silence. It reports whether there is
// such a person.
func (s *Server) SetPlace(address, place string) (bool, error) {
	if err := checkPlace(place); err != nil {
		return false, err
	}
	return s.changePerson(address, func(p *Person) { s.settle(p, place) }), nil
}

// settle is SetPlace with s.mu held.
func (s *Server) settle(p *Person, place string) {
	p.Place = place
	b := s.find(p.Address)
	if b == nil {
		return
	}
	for _, sub := range slices.Clone(b.subs) {
		if !p.at(sub.edition) {
			if sub.stream != nil {
				sub.stream.close(sub.stream.cut)
			}
			sub.end()
		}
	}
	if b.graph != nil && !p.at(online) {
		for _, sub := range slices.Clone(b.graph.subs) {
			sub.end()
		}
	}
}

// startTenants adds those that the options name.
func (s *Server) startTenants() error {
	for _, t := range s.opts.Tenants {
		if err := s.AddTenant(t); err != nil {
			return err
		}
	}
	return nil
}

// signing returns the key of the tokens, which is made when it is first needed.
func (s *Server) signing() (*signing, error) { return s.newSigning() }

// Online serves Exchange Online: the login server, EWS for bearers of its tokens, Graph under /v1.0/, and the control API under
// /sim/.
func (s *Server) Online() http.Handler { return http.HandlerFunc(s.serveOnline) }

func (s *Server) serveOnline(w http.ResponseWriter, r *http.Request) {
	path := strings.ToLower(r.URL.Path)
	switch {
	case path == "/sim" || strings.HasPrefix(path, "/sim/"):
		s.serveControl(w, r)
	case path == "/ews/exchange.asmx" || strings.HasPrefix(path, "/ews/") && describes(path):
		markAnswer(w, r)
		s.serveOnlineEWS(w, r)
	case strings.HasPrefix(path, "/v1.0/"):
		if s.graph == nil {
			http.NotFound(w, r)
			return
		}
		s.graph.ServeHTTP(w, r)
	case s.serveEntra(w, r):
	default:
		http.NotFound(w, r)
	}
}

// challenge is what Exchange Online offers those without a token.
const challenge = `Bearer client_id="` + exchangeResource + `", trusted_issuers="00000001-0000-0000-c000-000000000000@*", ` +
	`token_types="app_asserted_user_v1 service_asserted_app_v1", error="invalid_token"`

// diagnostics are what x-ms-diagnostics says of a token that is not accepted, by the reason.
var diagnostics = map[string]struct{ number, category string }{
	"malformed": {"2000001", "invalid_token"},
	"signature": {"2000001", "invalid_token"},
	"expired":   {"2000001", "invalid_lifetime"},
	"early":     {"2000001", "invalid_lifetime"},
	"audience":  {"2000003", "invalid_resource"},
	"unknown":   {"2000004", "invalid_issuer"},
	"roles":     {"2000008", "invalid_grant"},
}

// serveOnlineEWS lets those with a token through to EWS.
func (s *Server) serveOnlineEWS(w http.ResponseWriter, r *http.Request) {
	p, refused := s.bearer(r, serviceEWS)
	if refused == nil && len(p.roles) == 0 {
		refused = &tokenError{"roles", "The token contains no permissions, or permissions can not be understood."}
	}
	if refused != nil {
		w.Header().Set("WWW-Authenticate", challenge)
		if d, ok := diagnostics[refused.reason]; ok {
			w.Header().Set("x-ms-diagnostics", fmt.Sprintf(`%s;reason=%q;error_category=%q`, d.number, refused.text, d.category))
		}
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.mu.Lock()
	unanchored := s.needsAnchor && r.Header.Get(anchorHeader) == ""
	caller := s.appCaller(p)
	s.mu.Unlock()
	switch {
	case !p.tenant.lets(p.app): // whatever the mailbox
		w.Header().Set("X-EWS-Policy-Reason", p.tenant.reason())
		w.WriteHeader(http.StatusForbidden)
		return
	case !slices.Contains(p.roles, roleEWS):
		w.WriteHeader(http.StatusForbidden) // without a word
		return
	case unanchored && r.Method == http.MethodPost:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	s.exchange(w, r, client{person: caller, edition: online, app: &p})
}

// appCaller is the stand-in for an app among the accounts: what it makes is its own. s.mu is held.
func (s *Server) appCaller(p principal) *Person {
	key := strings.ToLower(p.app.ID + "@" + p.tenant.ID)
	if s.appCallers[key] == nil {
		s.appCallers[key] = &Person{Name: p.app.Name, Address: key, User: key, NoMailbox: true}
	}
	return s.appCallers[key]
}

// RequireAnchor says whether EWS online answers 503 to requests without X-AnchorMailbox, as the real one may.
func (s *Server) RequireAnchor(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.needsAnchor = on
}

// onlineSubscriptions is how many subscriptions an app may have for one mailbox online.
const onlineSubscriptions = 20

// mostSubscriptions counts the subscriptions of a mailbox that a limit is for, and says what the limit is.
func (c *call) mostSubscriptions(b *mailbox) (has, limit int) {
	if c.edition != online {
		return len(b.subs), c.opts.MaxSubscriptions
	}
	for _, sub := range b.subs {
		if sub.creator == c.caller {
			has++
		}
	}
	return has, min(onlineSubscriptions, c.opts.MaxSubscriptions)
}

// here returns an error if a mailbox is not to be found where the request came to; text says so of one that is not there at all.
func (c *call) here(b *mailbox, text string) error {
	switch {
	case b == nil || b.owner.NoMailbox:
	case c.edition == online && (c.app == nil || !c.app.tenant.owns(b.owner.Address)):
	case b.owner.at(c.edition):
		return nil
	case b.owner.Place == PlaceMoving:
		return fail("ErrorMailboxMoveInProgress", "Mailbox move in progress. Try again later., Cannot open mailbox %s.", b.guid)
	}
	return fail("ErrorNonExistentMailbox", "%s", text)
}

// identifyApp finds whom an app acts as, and whether that is allowed.
func (c *call) identifyApp() error {
	if c.impersonation == nil {
		return fail("ErrorInvalidExchangeImpersonationHeaderData", "ExchangeImpersonation SOAP header must be present for this type of OAuth token.")
	}
	target, err := c.impersonated()
	if err != nil {
		return err
	}
	if !c.app.may(roleEWS, c.find(target.Address)) {
		return fail("ErrorImpersonateUserDenied", "The account does not have permission to impersonate the requested user.")
	}
	c.actor = target
	return nil
}

// StartOnlineTLS serves Exchange Online over HTTPS on addr, with the certificate of StartTLS.
func (s *Server) StartOnlineTLS(addr string, hosts ...string) (*Listener, error) {
	certificate, err := s.certificateFor(hosts)
	if err != nil {
		return nil, err
	}
	return listen(addr, &http.Server{Handler: s.Online(), ReadHeaderTimeout: headerTimeout}, certificate)
}

// onlineState is what a server keeps for its online role; guarded by its lock but for the functions.
type onlineState struct {
	tenants     []*Tenant // which never change: others take their places
	appCallers  map[string]*Person
	needsAnchor bool
	tokens      tokens
	newSigning  func() (*signing, error)
	graph       http.Handler // serves /v1.0/ online; nil: nobody
}

func newOnlineState(o Options) onlineState {
	return onlineState{
		appCallers: map[string]*Person{},
		newSigning: sync.OnceValues(newSigning),
		tokens: tokens{
			settings: tokenSettings{Lifetime: Milliseconds(o.TokenLifetime)},
			refused:  map[string]int{}, borne: map[string]int{},
		},
	}
}

// notThere reports whether an error means that a tenant or an app is not known.
func notThere(err error) bool { return errors.Is(err, ErrNoTenant) || errors.Is(err, ErrNoApp) }
