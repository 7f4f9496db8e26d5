package exchangesim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// controlOnline are the requests about Exchange Online: its tenants, their apps, and tokens.
func (s *Server) controlOnline(handle func(string, func(*http.Request) (any, error))) {
	handle("GET /sim/tenants", func(*http.Request) (any, error) { return s.tenantsWithoutSecrets(), nil })
	handle("POST /sim/tenants", func(r *http.Request) (any, error) {
		var t Tenant
		if err := decode(r.Body, &t); err != nil {
			return nil, err
		}
		return nil, s.AddTenant(t)
	})
	handle("PATCH /sim/tenants", s.controlChangeTenant)
	handle("POST /sim/apps", s.controlAddApp)
	handle("PATCH /sim/apps", s.controlChangeApp)
	handle("DELETE /sim/apps", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return nil, s.changeTenant(q.Get("tenant"), func(t *Tenant) error {
			before := len(t.Apps)
			t.Apps = slices.DeleteFunc(t.Apps, func(a App) bool { return strings.EqualFold(a.ID, q.Get("app")) })
			if len(t.Apps) == before {
				return fmt.Errorf("%s in %s: %w", q.Get("app"), t.ID, ErrNoApp)
			}
			return nil
		})
	})
	handle("POST /sim/apps/secrets", s.controlAddSecret)
	handle("DELETE /sim/apps/secrets", s.controlRemoveSecret)
	handle("GET /sim/tokens", func(*http.Request) (any, error) { return s.TokenUse(), nil })
	handle("PATCH /sim/tokens", func(r *http.Request) (any, error) {
		var want tokenSettings
		if err := decode(r.Body, &want); err != nil {
			return nil, err
		}
		return nil, s.SetTokenLifetime(time.Duration(want.Lifetime), time.Duration(want.RefreshIn))
	})
	handle("POST /sim/tokens/revoke", func(*http.Request) (any, error) { s.RevokeTokens(); return nil, nil })
	handle("POST /sim/anchor", func(r *http.Request) (any, error) {
		on, err := parseBool(r.URL.Query().Get("required"))
		if err == nil {
			s.RequireAnchor(on)
		}
		return nil, err
	})
}

// tenantsWithoutSecrets are the tenants with the ends of the secrets alone.
func (s *Server) tenantsWithoutSecrets() []Tenant {
	list := s.Tenants()
	for _, t := range list {
		for _, a := range t.Apps {
			for i := range a.Secrets {
				a.Secrets[i].Value = ""
			}
		}
	}
	return list
}

// controlChangeTenant changes what the body names; null takes a setting away.
func (s *Server) controlChangeTenant(r *http.Request) (any, error) {
	var change struct {
		Name           *string         `json:"name"`
		Domains        []string        `json:"domains"`
		EWSEnabled     json.RawMessage `json:"ews_enabled"`
		EWSAllowedApps json.RawMessage `json:"ews_allowed_apps"`
	}
	if err := decode(r.Body, &change); err != nil {
		return nil, err
	}
	var enabled *bool
	var allowed []string
	for raw, into := range map[*json.RawMessage]any{&change.EWSEnabled: &enabled, &change.EWSAllowedApps: &allowed} {
		if *raw == nil {
			continue
		}
		if err := json.Unmarshal(*raw, into); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
	}
	return nil, s.ChangeTenant(r.URL.Query().Get("tenant"), func(t *Tenant) {
		if change.Name != nil {
			t.Name = *change.Name
		}
		if change.Domains != nil {
			t.Domains = change.Domains
		}
		if change.EWSEnabled != nil {
			t.EWSEnabled = enabled
		}
		if change.EWSAllowedApps != nil {
			t.EWSAllowedApps = allowed
		}
	})
}

func (s *Server) controlAddApp(r *http.Request) (any, error) {
	var a App
	if err := decode(r.Body, &a); err != nil {
		return nil, err
	}
	return nil, s.ChangeTenant(r.URL.Query().Get("tenant"), func(t *Tenant) { t.Apps = append(t.Apps, a) })
}

// controlChangeApp changes what the body names; lists are replaced as a whole.
func (s *Server) controlChangeApp(r *http.Request) (any, error) {
	var change struct {
		Name         *string   `json:"name"`
		Secrets      *[]Secret `json:"secrets"`
		Certificates *[]string `json:"certificates"`
		Roles        *[]string `json:"roles"`
		Disabled     *bool     `json:"disabled"`
		Mailboxes    *[]string `json:"mailboxes"`
	}
	if err := decode(r.Body, &change); err != nil {
		return nil, err
	}
	var texts []string
	if change.Certificates != nil {
		texts = *change.Certificates
	}
	certificates, err := parseCertificates(texts)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	return nil, s.ChangeApp(q.Get("tenant"), q.Get("app"), func(a *App) {
		if change.Name != nil {
			a.Name = *change.Name
		}
		if change.Secrets != nil {
			a.Secrets = *change.Secrets
		}
		if change.Certificates != nil {
			a.Certificates = certificates
		}
		if change.Roles != nil {
			a.Roles = *change.Roles
		}
		if change.Disabled != nil {
			a.Disabled = *change.Disabled
		}
		if change.Mailboxes != nil {
			a.Mailboxes = *change.Mailboxes
		}
	})
}

// controlAddSecret adds a secret, or says when one ends that is there.
func (s *Server) controlAddSecret(r *http.Request) (any, error) {
	var secret Secret
	if err := decode(r.Body, &secret); err != nil {
		return nil, err
	}
	if secret.Value == "" {
		return nil, fmt.Errorf("the secret has no value")
	}
	q := r.URL.Query()
	return nil, s.ChangeApp(q.Get("tenant"), q.Get("app"), func(a *App) {
		a.Secrets = append(withoutSecret(a.Secrets, secret.Value), secret)
	})
}

func (s *Server) controlRemoveSecret(r *http.Request) (any, error) {
	q := r.URL.Query()
	return nil, s.ChangeApp(q.Get("tenant"), q.Get("app"), func(a *App) { a.Secrets = withoutSecret(a.Secrets, q.Get("value")) })
}

func withoutSecret(list []Secret, value string) []Secret {
	return slices.DeleteFunc(list, func(s Secret) bool { return s.Value == value })
}
