package exchangesim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The services that tokens are for, as bearer knows them.
const (
	serviceEWS   = "ews"
	serviceGraph = "graph"
)

// resources are the audiences that a service accepts besides its own host.
var resources = map[string][]string{
	serviceEWS:   {"https://outlook.office365.com", "https://outlook.office.com", exchangeResource},
	serviceGraph: {"https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"},
}

// exchangeResource is the app id of Office 365 Exchange Online.
const exchangeResource = "00000002-0000-0ff1-ce00-000000000000"

// leeway is how far clocks may differ.
const leeway = 5 * time.Minute

// signing holds the key of the tokens: making one takes a while, and most servers issue none.
type signing struct {
	key *rsa.PrivateKey
	kid string
}

func newSigning() (*signing, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the key of the tokens: %w", err)
	}
	thumb := sha1.Sum(key.N.Bytes())
	return &signing{key: key, kid: base64.RawURLEncoding.EncodeToString(thumb[:])}, nil
}

// accessClaims are those of an access token for an app, in the form 1.0 that Exchange and Graph are given.
type accessClaims struct {
	Audience   string      `json:"aud"`
	Issuer     string      `json:"iss"`
	Issued     numericDate `json:"iat"`
	NotBefore  numericDate `json:"nbf"`
	Expires    numericDate `json:"exp"`
	AppName    string      `json:"app_displayname,omitempty"`
	App        string      `json:"appid"`
	Credential string      `json:"appidacr"` // 1: a secret, 2: a certificate
	Provider   string      `json:"idp"`
	IDType     string      `json:"idtyp"`
	Object     string      `json:"oid"`
	Roles      []string    `json:"roles,omitempty"`
	Subject    string      `json:"sub"`
	Tenant     string      `json:"tid"`
	ID         string      `json:"uti"`
	Version    string      `json:"ver"`
	Series     int         `json:"xms_sim"` // goes up when tokens are revoked
}

// issue makes an access token for an app; s.mu must not be held.
func (s *Server) issue(t *Tenant, a *App, audience, credential string) (token string, settings tokenSettings, err error) {
	key, err := s.signing()
	if err != nil {
		return "", settings, err
	}
	s.mu.Lock()
	settings = s.tokens.settings
	series := s.tokens.series
	s.mu.Unlock()
	roles := a.Roles
	if a.assigned() {
		roles = nil
	}
	now := s.now()
	object := guidOf(t.ID + "/" + a.ID)
	token, err = signJWT(key.key, jwtHeader{Key: key.kid, SHA1: key.kid}, accessClaims{
		Audience: audience, Issuer: issuerOf(t.ID), Provider: issuerOf(t.ID),
		Issued: dateOf(now), NotBefore: dateOf(now), Expires: dateOf(now.Add(time.Duration(settings.Lifetime))),
		AppName: a.Name, App: a.ID, Credential: credential, IDType: "app", Object: object, Subject: object,
		Roles: roles, Tenant: t.ID, ID: rand.Text(), Version: "1.0", Series: series,
	})
	return token, settings, err
}

func issuerOf(tenant string) string {
	return "https://sts.windows.net/" + strings.ToLower(tenant) + "/"
}

// tokens is what a server knows of the tokens it gave out; guarded by its lock.
type tokens struct {
	settings  tokenSettings
	series    int
	requests  int
	issued    int
	discovery int
	refused   map[string]int // by AADSTS code
	borne     map[string]int // requests with a token by what became of it: accepted, or the reason of a tokenError
}

// tokenSettings say how long tokens last.
type tokenSettings struct {
	Lifetime  Milliseconds `json:"lifetime_ms"`
	RefreshIn Milliseconds `json:"refresh_in_ms"` // 0: none is told
}

// TokenUse says what was asked of the login server, and what became of the tokens.
type TokenUse struct {
	Requests  int            `json:"requests"`  // for tokens
	Discovery int            `json:"discovery"` // requests for metadata
	Issued    int            `json:"issued"`
	Refused   map[string]int `json:"refused"` // by AADSTS code, such as 7000215; programmed HTTP statuses by themselves
	Bearer    map[string]int `json:"bearer"`  // requests to EWS and Graph: accepted, missing, malformed, signature, expired, early, audience, unknown
	Lifetime  Milliseconds   `json:"lifetime_ms"`
	RefreshIn Milliseconds   `json:"refresh_in_ms"`
}

// TokenUse counts since the start.
func (s *Server) TokenUse() TokenUse {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &s.tokens
	use := TokenUse{
		Requests: k.requests, Discovery: k.discovery, Issued: k.issued, Refused: map[string]int{}, Bearer: map[string]int{},
		Lifetime: k.settings.Lifetime, RefreshIn: k.settings.RefreshIn,
	}
	for code, n := range k.refused {
		use.Refused[code] = n
	}
	for what, n := range k.borne {
		use.Bearer[what] = n
	}
	return use
}

// SetTokenLifetime says how long tokens from now on last, and after how long they are to be renewed; 0: that is not told.
func (s *Server) SetTokenLifetime(lifetime, refreshIn time.Duration) error {
	if lifetime < time.Second || refreshIn < 0 || refreshIn > lifetime {
		return fmt.Errorf("tokens cannot last %v and be renewed after %v", lifetime, refreshIn)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.settings = tokenSettings{Lifetime: Milliseconds(lifetime), RefreshIn: Milliseconds(refreshIn)}
	return nil
}

// RevokeTokens lets every token given out so far be refused as expired.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.series++
}

// A principal is an app that asks with a token. Tenant and app are as they are now and never change; roles are those in the
// token, or those assigned in Exchange.
type principal struct {
	tenant *Tenant
	app    *App
	roles  []string
}

// may reports whether the app has a role for a mailbox: the tenant owns it, the token has the role, and the app's scope holds it.
func (p principal) may(role string, b *mailbox) bool {
	return p.tenant.owns(b.owner.Address) && slices.Contains(p.roles, role) && p.app.scopes(b.owner)
}

// A tokenError is why a token is not accepted. All of them mean HTTP status 401.
type tokenError struct {
	reason string // missing, malformed, signature, expired, early, audience or unknown
	text   string // for people
}

// Error implements error.
func (e *tokenError) Error() string { return e.text }

// bearer returns who asks with the request's token, for the given kind of service ("ews" or "graph"); s.mu must not be held.
func (s *Server) bearer(r *http.Request, service string) (principal, *tokenError) {
	p, err := s.readBearer(r, service)
	what := "accepted"
	if err != nil {
		what = err.reason
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.borne[what]++
	return p, err
}

func (s *Server) readBearer(r *http.Request, service string) (principal, *tokenError) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(text) == "" {
		return principal{}, &tokenError{"missing", "The request has no access token."}
	}
	token, err := parseJWT(strings.TrimSpace(text))
	if err != nil {
		return principal{}, &tokenError{"malformed", err.Error()}
	}
	key, err := s.signing()
	if err != nil {
		return principal{}, &tokenError{"signature", err.Error()}
	}
	if token.header.Algorithm != "RS256" || token.verify(&key.key.PublicKey) != nil {
		return principal{}, &tokenError{"signature", "The signature of the token is invalid."}
	}
	var claims accessClaims
	if err := json.Unmarshal(token.claims, &claims); err != nil {
		return principal{}, &tokenError{"malformed", err.Error()}
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !now.Before(claims.Expires.time()) || claims.Series != s.tokens.series:
		return principal{}, &tokenError{"expired", "The token has expired."}
	case claims.NotBefore.time().After(now.Add(leeway)):
		return principal{}, &tokenError{"early", "The token is not yet valid."}
	case !isAudience(claims.Audience, r.Host, service):
		return principal{}, &tokenError{"audience", fmt.Sprintf("The audience claim value is invalid '%s'.", claims.Audience)}
	}
	tenant := s.tenant(claims.Tenant)
	if tenant == nil || claims.Issuer != issuerOf(tenant.ID) {
		return principal{}, &tokenError{"unknown", "The issuer of the token is not known."}
	}
	app := tenant.app(claims.App)
	if app == nil {
		return principal{}, &tokenError{"unknown", "The app of the token is not known in the tenant."}
	}
	p := principal{tenant: tenant, app: app, roles: claims.Roles}
	if app.assigned() {
		p.roles = app.Roles
	}
	return p, nil
}

// isAudience reports whether a token's audience is a service asked at host.
func isAudience(audience, host, service string) bool {
	audience = strings.TrimRight(audience, "/")
	return strings.EqualFold(audience, "https://"+host) || containsFold(resources[service], audience)
}
