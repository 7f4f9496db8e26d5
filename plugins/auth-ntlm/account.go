package main

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/Azure/go-ntlmssp"
	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The values of the setting channel_binding.
const (
	bindOff     = "off"
	bindAuto    = "auto"
	bindRequire = "require"
)

// An account logs in. Its fields do not change.
type account struct {
	user, password string
	binding        string
	log            hclog.Logger
}

func newAccount(s Settings, log hclog.Logger) (*account, error) {
	a := &account{user: s.User, password: s.Password, binding: s.ChannelBinding, log: log}
	if s.Domain != "" && !strings.ContainsAny(a.user, `\@`) {
		a.user = s.Domain + `\` + a.user
	}
	switch a.binding {
	case "":
		a.binding = bindAuto
	case bindOff, bindAuto, bindRequire:
	default:
		return nil, fmt.Errorf(`channel_binding must be "off", "auto" or "require": %w`, fault.Invalid)
	}
	return a, nil
}

// bindingFor decides whether the exchange proves the server's certificate. A second exchange is worth its risk, for
// accounts get locked, only where it differs from the refused one.
func (a *account) bindingFor(t auth.Target) ([]byte, error) {
	bound := len(t.ChannelBinding) > 0
	switch {
	case a.binding == bindRequire && !bound:
		return nil, fmt.Errorf(`channel_binding is "require", but the connection to %s has no TLS certificate to bind to: %w`,
			t.Origin, fault.Invalid)
	case t.Retry == 0 && a.binding == bindOff:
		return nil, nil
	case t.Retry == 0:
		return t.ChannelBinding, nil
	case t.Retry == 1 && a.binding == bindAuto && bound:
		a.log.Warn("login with channel binding was refused; trying once without", "server", t.Origin)
		return nil, nil
	default:
		return nil, a.refused(t)
	}
}

func (a *account) refused(t auth.Target) error {
	advice := ""
	switch {
	case a.binding == bindOff:
		advice = `; if it requires Extended Protection, set channel_binding to "auto"`
	case a.binding == bindRequire:
		advice = `; where a proxy ends TLS with another certificate than the server's, channel binding cannot work: set channel_binding to "auto"`
	case !strings.HasPrefix(t.Origin, "https:"):
		advice = "; if it requires Extended Protection, it must be reached by https"
	}
	return &fault.Error{Kind: fault.Unauthorized, Scope: fault.ScopeServer, Message: fmt.Sprintf(
		"%s refused the login of %s by NTLM: check the user and the password, and whether the account may log in%s",
		t.Origin, a.user, advice)}
}

// negotiate returns the header of the first leg. The message has 40 bytes, with a version: some servers do not
// understand one of 32.
func negotiate(scheme string) (string, error) {
	message, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		return "", fmt.Errorf("making the NTLM negotiate message: %w: %w", err, fault.Internal)
	}
	return scheme + " " + base64.StdEncoding.EncodeToString(message), nil
}

// answer returns the header of the second leg.
func (a *account) answer(scheme string, challenge []string, binding []byte) (string, error) {
	token, err := tokenOf(scheme, challenge)
	if err != nil {
		return "", err
	}
	switch {
	case len(binding) == 0:
	case hasTargetInfo(token):
		if token, err = withBinding(token, binding); err != nil {
			return "", err
		}
	case a.binding == bindRequire:
		return "", fmt.Errorf(`channel_binding is "require", but the server's NTLM has no place for one: %w`, fault.Unauthorized)
	}
	message, err := ntlmssp.NewAuthenticateMessage(token, a.user, a.password, nil)
	if err != nil {
		return "", fmt.Errorf("the server's NTLM challenge cannot be answered: %w: %w", err, fault.Unauthorized)
	}
	return scheme + " " + base64.StdEncoding.EncodeToString(message), nil
}

// schemeOf chooses what to call NTLM: servers that offer Negotiate alone take it raw in there.
func schemeOf(offered []string) string {
	scheme := "NTLM"
	for _, o := range offered {
		for part := range strings.SplitSeq(o, ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(part), " ")
			switch {
			case strings.EqualFold(name, "NTLM"):
				return "NTLM"
			case strings.EqualFold(name, "Negotiate"):
				scheme = "Negotiate"
			}
		}
	}
	return scheme
}

// tokenOf finds the challenge that belongs to scheme and checks that it is NTLM's.
func tokenOf(scheme string, challenge []string) ([]byte, error) {
	for _, c := range challenge {
		name, value, _ := strings.Cut(strings.TrimSpace(c), " ")
		if !strings.EqualFold(name, scheme) || value == "" {
			continue
		}
		if len(value) > maxToken*4/3+4 {
			return nil, fmt.Errorf("the server's NTLM challenge is longer than %d bytes: %w", maxToken, fault.Unauthorized)
		}
		token, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("the server's NTLM challenge is no base64: %w", fault.Unauthorized)
		}
		return token, checkChallenge(token)
	}
	return nil, fmt.Errorf("the server offers %s but did not take it up: NTLM may be switched off there: %w",
		scheme, fault.Unauthorized)
}
