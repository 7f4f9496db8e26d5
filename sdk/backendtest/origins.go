package backendtest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/sdk/fault"
)

// origins returns those of the executable's URLs. An error does not repeat one: it may hold a password.
func (e Executable) origins() ([]string, error) {
	if len(e.Auth) > 0 && len(e.URLs) == 0 {
		return nil, errors.New("with Executable.Auth, Executable.URLs must say at which servers it may log in")
	}
	var out []string
	for i, one := range e.URLs {
		origin := originOf(one)
		if origin == "" {
			return nil, fmt.Errorf("number %d of Executable.URLs must be an http:// or https:// URL: %w", i+1, fault.Invalid)
		}
		out = append(out, origin)
	}
	return out, nil
}

// allow returns what says where an account may be used that logs in by schemes.
func (p *Process) allow(schemes []string) func(origin string) error {
	again := func(scheme string) bool {
		return strings.EqualFold(scheme, "Basic") || strings.EqualFold(scheme, "Bearer")
	}
	readable := slices.ContainsFunc(schemes, again) && !p.exe.PlainHTTP
	return func(origin string) error {
		at := originOf(origin)
		switch {
		case !slices.Contains(p.origins, at):
			return fmt.Errorf("the account may not be used at %s, which is none of Executable.URLs: %w", origin, fault.Invalid)
		case readable && strings.HasPrefix(at, "http:"):
			return fmt.Errorf("the account is not used at %s, where its %s would travel readable over plain HTTP (Executable.PlainHTTP): %w",
				origin, strings.Join(schemes, ", "), fault.Invalid)
		}
		return nil
	}
}

// originOf returns scheme://host:port of a URL in a form that compares; empty if it has none.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	ports := map[string]string{"http": "80", "https": "443"}
	port := ports[u.Scheme]
	if port == "" {
		return ""
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
