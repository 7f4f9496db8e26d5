package exchangesim

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Tenant is one organization of Exchange Online with its directory of apps.
type Tenant struct {
	ID      string   `json:"id"` // GUID
	Name    string   `json:"name,omitempty"`
	Domains []string `json:"domains"` // of its mailboxes; any of them names the tenant too
	Apps    []App    `json:"apps,omitempty"`
	// EWSEnabled is the organization's setting of that name; nil means that it was never set, which allows EWS.
	EWSEnabled *bool `json:"ews_enabled,omitempty"`
	// EWSAllowedApps are the ids of the apps that may use EWS; nil means that there is no list, and an empty list nobody.
	EWSAllowedApps []string `json:"ews_allowed_apps,omitzero"`
}

// An App is an app registration, and what it was granted in the tenant.
type App struct {
	ID           string              `json:"id"` // the application (client) id, a GUID
	Name         string              `json:"name,omitempty"`
	Secrets      []Secret            `json:"secrets,omitempty"`
	Certificates []*x509.Certificate `json:"-"`               // in JSON "certificates", each as PEM text
	Roles        []string            `json:"roles,omitempty"` // application permissions with consent, such as full_access_as_app
	Disabled     bool                `json:"disabled,omitempty"`
	// Mailboxes are the addresses of those that the app's roles are limited to; empty means all. Such roles are assigned in
	// Exchange (RBAC for Applications) instead of by consent: they are not in tokens, and what is assigned holds at once.
	Mailboxes []string `json:"mailboxes,omitempty"`
}

// A Secret is a client secret of an app.
type Secret struct {
	Value string    `json:"value,omitempty"`
	Ends  time.Time `json:"ends,omitzero"` // zero: never
}

// The roles that the services here ask for.
const (
	roleEWS            = "full_access_as_app"
	roleCalendarsWrite = "Calendars.ReadWrite"
)

// SampleTenant is the organization of example.com, with one app that may use EWS and calendars over Graph.
func SampleTenant() Tenant {
	return Tenant{
		ID: "11111111-2222-3333-4444-555555555555", Name: "Example", Domains: []string{"example.com"},
		Apps: []App{{
			ID: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", Name: "Rooms", Secrets: []Secret{{Value: "app-secret"}},
			Roles: []string{roleEWS, roleCalendarsWrite},
		}},
	}
}

// SampleSubsidiary is the organization of subsidiary.example, with an app of its own.
func SampleSubsidiary() Tenant {
	return Tenant{
		ID: "66666666-7777-8888-9999-000000000000", Name: "Subsidiary", Domains: []string{"subsidiary.example"},
		Apps: []App{{
			ID: "ffffffff-bbbb-cccc-dddd-eeeeeeeeeeee", Name: "Rooms of the subsidiary", Secrets: []Secret{{Value: "subsidiary-secret"}},
			Roles: []string{roleEWS, roleCalendarsWrite},
		}},
	}
}

// appJSON is an App on the wire.
type appJSON struct {
	app
	Certificates []string `json:"certificates,omitempty"`
}

type app App // without the methods

// MarshalJSON implements json.Marshaler.
func (a App) MarshalJSON() ([]byte, error) {
	wire := appJSON{app: app(a)}
	for _, c := range a.Certificates {
		wire.Certificates = append(wire.Certificates, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	}
	return json.Marshal(wire)
}

// UnmarshalJSON implements json.Unmarshaler. Unknown fields are refused.
func (a *App) UnmarshalJSON(data []byte) error {
	var wire appJSON
	if err := decode(strings.NewReader(string(data)), &wire); err != nil {
		return err
	}
	certificates, err := parseCertificates(wire.Certificates)
	if err != nil {
		return fmt.Errorf("app %s: %w", wire.ID, err)
	}
	*a = App(wire.app)
	a.Certificates = certificates
	return nil
}

// parseCertificates reads PEM texts, each of which may hold several certificates.
func parseCertificates(texts []string) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for i, text := range texts {
		before := len(list)
		for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "CERTIFICATE" {
				continue
			}
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("certificate %d: %w", i+1, err)
			}
			list = append(list, c)
		}
		if len(list) == before {
			return nil, fmt.Errorf("certificate %d holds no PEM block CERTIFICATE", i+1)
		}
	}
	return list, nil
}

var guidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// check says what is wrong with a tenant.
func (t *Tenant) check() error {
	if !guidForm.MatchString(t.ID) {
		return fmt.Errorf("tenant %q: the id is not a GUID", t.ID)
	}
	if len(t.Domains) == 0 {
		return fmt.Errorf("tenant %s has no domain", t.ID)
	}
	for _, d := range t.Domains {
		if !isDomain(d) {
			return fmt.Errorf("tenant %s: %q is not a domain", t.ID, d)
		}
	}
	seen := map[string]bool{}
	for _, a := range t.Apps {
		id := strings.ToLower(a.ID)
		switch {
		case !guidForm.MatchString(a.ID):
			return fmt.Errorf("tenant %s, app %q: the id is not a GUID", t.ID, a.ID)
		case seen[id]:
			return fmt.Errorf("tenant %s has the app %s twice", t.ID, a.ID)
		}
		seen[id] = true
	}
	return nil
}

// isDomain reports whether text looks like a DNS name of at least two labels.
func isDomain(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil || !strings.Contains(text, ".") || strings.ContainsAny(text, " /@:?#{}%\\") {
		return false
	}
	return !slices.Contains(strings.Split(text, "."), "")
}

// clone copies a tenant as deep as anybody may change it.
func (t *Tenant) clone() *Tenant {
	made := *t
	made.Domains = slices.Clone(t.Domains)
	made.EWSAllowedApps = slices.Clone(t.EWSAllowedApps)
	if t.EWSEnabled != nil {
		enabled := *t.EWSEnabled
		made.EWSEnabled = &enabled
	}
	made.Apps = make([]App, len(t.Apps))
	for i, a := range t.Apps {
		a.Secrets, a.Certificates = slices.Clone(a.Secrets), slices.Clone(a.Certificates)
		a.Roles, a.Mailboxes = slices.Clone(a.Roles), slices.Clone(a.Mailboxes)
		made.Apps[i] = a
	}
	return &made
}

// owns reports whether an address lies in a domain of the tenant.
func (t *Tenant) owns(address string) bool {
	_, domain, _ := strings.Cut(address, "@")
	return slices.ContainsFunc(t.Domains, func(d string) bool { return strings.EqualFold(d, domain) })
}

// app returns the app with that id, or nil.
func (t *Tenant) app(id string) *App {
	i := slices.IndexFunc(t.Apps, func(a App) bool { return strings.EqualFold(a.ID, id) })
	if i < 0 {
		return nil
	}
	return &t.Apps[i]
}

// lets reports whether the tenant lets an app use EWS at all.
func (t *Tenant) lets(a *App) bool {
	if t.EWSEnabled != nil && !*t.EWSEnabled {
		return false
	}
	return t.EWSAllowedApps == nil || containsFold(t.EWSAllowedApps, a.ID)
}

// reason is how Exchange Online says why EWS is refused to an app that the tenant does not let in.
func (t *Tenant) reason() string {
	if t.EWSEnabled != nil && !*t.EWSEnabled {
		return "EWS is disabled for this user or tenant"
	}
	return "EWS is blocked by policy for this user or tenant"
}

// assigned reports whether the app has its roles from Exchange, for some mailboxes, and not by consent.
func (a *App) assigned() bool { return len(a.Mailboxes) > 0 }

// scopes reports whether the app's roles hold for a person's mailbox.
func (a *App) scopes(p *Person) bool {
	if len(a.Mailboxes) == 0 || containsFold(a.Mailboxes, p.Address) {
		return true
	}
	return slices.ContainsFunc(p.Aliases, func(alias string) bool { return containsFold(a.Mailboxes, alias) })
}

func containsFold(list []string, text string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, text) })
}

// AddTenant adds an organization.
func (s *Server) AddTenant(t Tenant) error {
	if err := t.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range append([]string{t.ID}, t.Domains...) {
		if s.tenant(name) != nil {
			return fmt.Errorf("tenant %s: there is one for %s already", t.ID, name)
		}
	}
	s.tenants = append(s.tenants, t.clone())
	return nil
}

// Tenants returns the organizations.
func (s *Server) Tenants() []Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Tenant, len(s.tenants))
	for i, t := range s.tenants {
		list[i] = *t.clone()
	}
	return list
}

// ErrNoTenant and ErrNoApp mean that there is none of that id.
var (
	ErrNoTenant = errors.New("no such tenant")
	ErrNoApp    = errors.New("no such app in the tenant")
)

// ChangeTenant lets change change the tenant with that id or domain. What comes out must be a valid tenant, else nothing changes.
// Tokens that were issued keep their roles until they expire; all else holds from the next request on.
func (s *Server) ChangeTenant(tenant string, change func(*Tenant)) error {
	return s.changeTenant(tenant, func(t *Tenant) error { change(t); return nil })
}

// ChangeApp is ChangeTenant for one app of a tenant.
func (s *Server) ChangeApp(tenant, app string, change func(*App)) error {
	return s.changeTenant(tenant, func(t *Tenant) error {
		a := t.app(app)
		if a == nil {
			return fmt.Errorf("%s in %s: %w", app, tenant, ErrNoApp)
		}
		change(a)
		return nil
	})
}

// changeTenant puts a changed copy in the place of a tenant: those who hold the old one may go on reading it.
func (s *Server) changeTenant(tenant string, change func(*Tenant) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.tenant(tenant)
	if old == nil {
		return fmt.Errorf("%s: %w", tenant, ErrNoTenant)
	}
	made := old.clone()
	if err := change(made); err != nil {
		return err
	}
	if err := made.check(); err != nil {
		return err
	}
	for _, name := range append([]string{made.ID}, made.Domains...) {
		if other := s.tenant(name); other != nil && other != old {
			return fmt.Errorf("tenant %s: %s belongs to %s", made.ID, name, other.ID)
		}
	}
	s.tenants[slices.Index(s.tenants, old)] = made
	return nil
}

// tenant finds one by its id or a domain; s.mu is held. What it returns never changes.
func (s *Server) tenant(name string) *Tenant {
	i := slices.IndexFunc(s.tenants, func(t *Tenant) bool { return strings.EqualFold(t.ID, name) || containsFold(t.Domains, name) })
	if i < 0 {
		return nil
	}
	return s.tenants[i]
}
