package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

// An app authorizes as one app registration. It implements auth.Authenticator, auth.Expirer and io.Closer.
type app struct {
	entra  *entra
	tokens *tokens
}

func open(_ context.Context, s Settings, env auth.Env) (auth.Authenticator, error) {
	e, err := newEntra(s, env.Log)
	if err != nil {
		return nil, err
	}
	return &app{entra: e, tokens: newTokens(e.acquire, s.RenewBefore, env.Log)}, nil
}

// Close implements io.Closer.
func (a *app) Close() error {
	a.tokens.close()
	a.entra.http.CloseIdleConnections()
	return nil
}

// Expires implements auth.Expirer.
func (a *app) Expires() []auth.Expiry {
	var out []auth.Expiry
	for _, c := range a.entra.credentials {
		out = append(out, c.expiry())
	}
	return out
}

// Begin implements auth.Authenticator.
func (a *app) Begin(_ context.Context, target auth.Target) (auth.Exchange, error) {
	at, err := a.entra.cloud.serviceAt(target.Origin)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, challenge []string) (auth.Header, error) {
		d := demand{scope: at.scope, refused: target.Refused}
		if len(d.refused) > 0 {
			d.claims = claimsOf(challenge)
		}
		if target.Retry > 0 && len(d.refused) == 0 { // a backend whose sdk does not say which header was refused
			return auth.Header{}, a.refused(target.Origin, at, token{})
		}
		t, until, err := a.tokens.get(ctx, d)
		switch {
		case errors.Is(err, errYoung):
			return auth.Header{}, a.refused(target.Origin, at, t)
		case err != nil:
			return auth.Header{}, err
		}
		return auth.Header{Value: t.bearer(), Expires: until}, nil
	}, nil
}

// refused says what to do when a server takes no token, though the login server issues them.
func (a *app) refused(origin string, at service, t token) error {
	need := "the application permission for this server"
	switch at.kind {
	case kindEWS:
		need = "the application permission full_access_as_app (API: Office 365 Exchange Online), or the Exchange role Application EWS.AccessAsApp"
	case kindGraph:
		need = "the application permission Calendars.ReadWrite (API: Microsoft Graph), or the Exchange role Application Calendars.ReadWrite"
	}
	has := ""
	if roles, ok := rolesOf(t.value); ok {
		has = "; this token bears no permission"
		if len(roles) > 0 {
			has = "; this token bears: " + shortened(strings.Join(roles, ", "), maxDescription)
		}
	}
	return &fault.Error{Kind: fault.Unauthorized, Scope: fault.ScopeServer, Message: fmt.Sprintf(
		"%s refuses a token that %s has just issued for the app %s of tenant %s: check that the app has %s, with admin consent, that the mailboxes are in this tenant, and this machine's clock%s",
		origin, a.entra.cloud.authority, a.entra.app, a.entra.tenant, need, has)}
}

// rolesOf looks for the permissions in a token, to be told to a person; nothing is decided by it. ok is false if it cannot be read.
func rolesOf(value string) (roles []string, ok bool) {
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var payload struct {
		Roles []string `json:"roles"`
	}
	return payload.Roles, json.Unmarshal(raw, &payload) == nil
}

// maxClaims bounds what of a server's is sent on to another.
const maxClaims = 8 << 10

var claimsParameter = regexp.MustCompile(`(?i)\bclaims="([A-Za-z0-9+/_=-]+)"`)

// claimsOf returns the claims that a server insists on (a claims challenge: base64 of a JSON object); empty if it names none.
func claimsOf(challenge []string) string {
	for _, c := range challenge {
		m := claimsParameter.FindStringSubmatch(c)
		if m == nil || len(m[1]) > maxClaims {
			continue
		}
		text := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(m[1]), "=")
		raw, err := base64.RawStdEncoding.DecodeString(text)
		var object map[string]json.RawMessage
		if err == nil && json.Unmarshal(raw, &object) == nil && len(object) > 0 {
			return string(raw)
		}
	}
	return ""
}

var (
	_ auth.Authenticator = (*app)(nil)
	_ auth.Expirer       = (*app)(nil)
)
