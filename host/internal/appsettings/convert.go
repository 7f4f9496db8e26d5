package appsettings

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/config"
)

// sectionName is the part of appsettings.json that is about calendars.
const sectionName = "CalendarSync"

// Options say how the result is written.
type Options struct {
	// Tenant is the tenant (Mandant) that the notification URL is for. Empty: the one that the URL's query names, else Default.
	Tenant string
	// Secrets is the folder of the secrets as it stands in roomwire.hcl, in file("…"). Empty: env("…").
	Secrets string
}

// A Result is what became of the section.
type Result struct {
	HCL      []byte
	Modes    []Mode
	Secrets  []Secret
	Findings config.Diagnostics // what was not carried over and what is to be done (Warning); what is worth knowing (Note)
}

// A Mode says where a sync_mode block comes from.
type Mode struct{ Name, From string }

// A Secret is one that the HCL refers to.
type Secret struct {
	Setting string        // as roomwire.hcl has it: sync_mode "O365" client_secret
	Env     string        // the variable, if the HCL asks for one
	File    string        // the file, if it asks for one
	Text    config.Secret // not set: it is not known, and has to be put there by hand
}

// ErrNothing means that there is nothing about calendars in the settings.
var ErrNothing = errors.New("there is no section " + sectionName)

// Convert makes sync modes of the section CalendarSync. The error is ErrNothing, with what to do.
func Convert(settings []Setting, o Options) (Result, error) {
	c := &converter{options: o, envs: map[string]bool{}}
	var others []string
	for _, s := range settings {
		switch top := s.Path[0]; {
		case strings.EqualFold(top, sectionName):
			c.entries = append(c.entries, &entry{Setting: s})
		case !slices.Contains(others, top):
			others = append(others, top)
		}
	}
	if len(c.entries) == 0 {
		remedy := "Name the appsettings.json of the part of ROOMS that syncs calendars"
		if near := config.Nearest(sectionName, others); near != "" {
			remedy = fmt.Sprintf("Is %q meant? Then correct its name", near)
		}
		return Result{}, fmt.Errorf("%w. %s", ErrNothing, remedy)
	}
	root := section{c, []string{sectionName}}
	graph, ews := root.sub("Graph"), root.sub("Ews")
	c.notifications(ews.sub("Common"), graph)
	c.common(ews.sub("Common"))
	providers := ews.sub("Providers")
	c.onPremises(providers.sub("Ews1"), "EWS1")
	c.onPremises(providers.sub("Ews2"), "EWS2")
	c.online(providers.sub("O365"))
	c.graph(graph)
	c.unknown()
	if len(c.blocks) == 0 {
		c.warn(c.entries[0].Setting, "there is no sync mode in the section", "Neither Graph nor a provider of Ews has credentials that are understood.",
			"Name the other files of the installation as well (appsettings.Production.json), or write the sync_mode blocks by hand.")
	}
	return Result{HCL: c.file(), Modes: c.modes, Secrets: c.secrets, Findings: c.findings}, nil
}

// converter gathers what the file will hold.
type converter struct {
	options  Options
	entries  []*entry
	findings config.Diagnostics
	tenant   *tenantBlock
	status   string // sync.status_frequency
	blocks   []modeBlock
	modes    []Mode
	secrets  []Secret
	envs     map[string]bool // names given
}

// entry is a setting of the section. Whatever is not used in the end is told of.
type entry struct {
	Setting
	used bool
}

// warn adds a finding that somebody has to look at; its place is where s stands.
func (c *converter) warn(s Setting, what, why, remedy string) {
	c.findings = append(c.findings, config.Diagnostic{Severity: config.Warning, Summary: what, Detail: why, Remedy: remedy, File: s.place()})
}

// note adds a finding that is worth knowing.
func (c *converter) note(s Setting, what, why, remedy string) {
	c.findings = append(c.findings, config.Diagnostic{Severity: config.Note, Summary: what, Detail: why, Remedy: remedy, File: s.place()})
}

// section is a place in the section CalendarSync. It may be one where nothing is.
type section struct {
	c    *converter
	path []string
}

func (s section) sub(name string) section {
	return section{s.c, append(slices.Clone(s.path), name)}
}

// under reports whether path lies below the section.
func (s section) under(path []string) bool {
	return len(path) > len(s.path) && slices.EqualFunc(path[:len(s.path)], s.path, strings.EqualFold)
}

// get returns the value of the first of names that has one. Others that say the same count as used, too.
func (s section) get(names ...string) (found Setting, text string) {
	for _, name := range names {
		for _, e := range s.c.entries {
			if !s.under(e.Path) || len(e.Path) != len(s.path)+1 || !strings.EqualFold(e.Path[len(s.path)], name) {
				continue
			}
			if text == "" {
				found, text = e.Setting, e.Text
			}
			e.used = e.used || e.Text == text
		}
	}
	return found, text
}

// children returns the names that stand directly below, in the order of the file.
func (s section) children() []string {
	var out []string
	for _, e := range s.c.entries {
		if s.under(e.Path) && !slices.ContainsFunc(out, func(n string) bool { return strings.EqualFold(n, e.Path[len(s.path)]) }) {
			out = append(out, e.Path[len(s.path)])
		}
	}
	return out
}

// first returns the first setting below that has a value.
func (s section) first() (Setting, bool) {
	for _, e := range s.c.entries {
		if s.under(e.Path) && e.Text != "" {
			return e.Setting, true
		}
	}
	return Setting{}, false
}

// drop counts all below as told of.
func (s section) drop() {
	for _, e := range s.c.entries {
		e.used = e.used || s.under(e.Path)
	}
}

func (s section) key() string { return strings.Join(s.path, ":") }

// names are the keys that are understood, by where they stand; the first of a list is ROOMS's own, others are ways of
// writing it that are met.
type names = []string

var (
	tenantNames      = names{"TenantId", "ExchangeTenantId", "DirectoryId"}
	appNames         = names{"AppId", "ClientId", "ApplicationId", "ExchangeAppId"}
	clientNames      = names{"ClientSecret", "AppSecret", "ExchangeClientSecret"}
	thumbprintNames  = names{"CertificateThumbprint", "CertThumbprint", "ExchangeCertThumbprint"}
	urlNames         = names{"Url", "ServiceUrl", "EwsUrl", "ServerUrl", "ExchangeUrl"}
	userNames        = names{"ServiceUser", "UserName", "User"}
	passwordNames    = names{"ServicePassword", "Password"}
	domainNames      = names{"ServiceDomain", "Domain"}
	mailDomainNames  = names{"MailDomain", "Domain", "Name"}
	impersonateNames = names{"UseImpersonation", "ExchangeUseImpersonation"}
)

// known returns what may stand at a place.
func known(path []string) names {
	place := strings.ToUpper(strings.Join(path[1:len(path)-1], ":"))
	app := slices.Concat(tenantNames, appNames, clientNames, thumbprintNames, names{"DomainOverrides"})
	switch {
	case place == "":
		return names{"Graph", "Ews"}
	case place == "GRAPH":
		return append(app, "AuthMode", "ClientState", "CallbackUrl")
	case place == "EWS":
		return names{"Common", "Providers"}
	case place == "EWS:COMMON":
		return names{"NotificationEndpointUrl", "RenewalThresholdMinutes", "StatusFrequencyMinutes"}
	case place == "EWS:PROVIDERS":
		return names{"Ews1", "Ews2", "O365"}
	case place == "EWS:PROVIDERS:EWS1", place == "EWS:PROVIDERS:EWS2":
		return slices.Concat(urlNames, userNames, passwordNames, domainNames, impersonateNames, names{"Enabled"})
	case place == "EWS:PROVIDERS:O365":
		return slices.Concat(app, urlNames, userNames, passwordNames, impersonateNames, names{"Enabled"})
	case strings.Contains(place, ":DOMAINOVERRIDES:"):
		return slices.Concat(tenantNames, appNames, clientNames, thumbprintNames, urlNames, mailDomainNames)
	}
	return nil
}

// unknown tells of every value that was not used.
func (c *converter) unknown() {
	for _, e := range c.entries {
		if e.used || e.Text == "" {
			continue
		}
		c.warn(e.Setting, e.Key()+" was not carried over", c.whyUnknown(e), "If it matters, look for its setting in docs/administrator/configuration.md.")
	}
}

// whyUnknown names the first part of the path that is not known.
func (c *converter) whyUnknown(e *entry) string {
	for i := 2; i <= len(e.Path); i++ {
		path := e.Path[:i]
		may, name := known(path), path[i-1]
		if len(may) == 0 || slices.ContainsFunc(may, func(n string) bool { return strings.EqualFold(n, name) }) {
			continue
		}
		why := fmt.Sprintf("%s is not known here.", name)
		if near := config.Nearest(name, may); near != "" {
			return fmt.Sprintf("%s Did you mean %s? Then correct it and import again.", why, near)
		}
		return why
	}
	return "Another key for the same has another value, and that one was taken; or it has no meaning at this place."
}
