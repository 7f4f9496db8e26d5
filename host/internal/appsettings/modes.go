package appsettings

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/roomwire/roomwire/host/internal/config"
)

// modeBlock is a sync_mode block, or a domain_override in one.
type modeBlock struct {
	name      string
	attrs     []attribute
	overrides []modeBlock
}

// attribute has a text, a bool, or a secret in its place.
type attribute struct {
	name   string
	text   string
	off    bool // it is the bool false
	secret *Secret
}

func (b *modeBlock) set(name, text string) {
	text = strings.TrimSpace(text)
	if text != "" {
		b.attrs = append(b.attrs, attribute{name: name, text: text})
	}
}

// onPremises makes a mode of one of the two slots for servers on-premises.
func (c *converter) onPremises(s section, mode string) {
	first, there := s.first()
	if !there || c.switchedOff(s, mode) {
		return
	}
	b := modeBlock{name: mode}
	_, address := s.get(urlNames...)
	_, user := s.get(userNames...)
	password, passwordText := s.get(passwordNames...)
	_, domain := s.get(domainNames...)
	if address+user+passwordText+domain == "" {
		return // what is there is not known, and is told of
	}
	b.set("url", address)
	b.set("user", user)
	c.secret(&b, mode, "", "password", password, passwordText)
	b.set("domain", domain)
	c.impersonation(s, &b)
	c.missing(first, mode, map[string]string{"ServiceUser": user, "ServicePassword": passwordText})
	c.add(b, s)
	if address == "" {
		c.note(first, "the sync mode "+mode+" has no url", "The file has none.", "Every person of it needs a sync_url, or write url into the block.")
	}
}

// online makes the mode O365 of the provider of that name.
func (c *converter) online(s section) {
	first, there := s.first()
	if !there || c.switchedOff(s, "O365") {
		return
	}
	b := modeBlock{name: "O365"}
	at, address := s.get(urlNames...)
	app := c.application(s, &b, "O365", "", credentials{})
	for _, keys := range []names{userNames, passwordNames} {
		if at, text := s.get(keys...); text != "" {
			c.warn(at, at.Key()+" was not carried over", "A user's password is not sent to Entra: multi-factor authentication breaks it, and it would be one person's login for all calendars.",
				"Give the application the permission full_access_as_app: docs/administrator/exchange-online.md.")
		}
	}
	if app == (credentials{}) && address == "" && len(s.sub("DomainOverrides").children()) == 0 {
		return
	}
	c.cloud(&b, at, address)
	if at, text := s.get(impersonateNames...); text != "" && !strings.EqualFold(text, "true") {
		c.note(at, at.Key()+" was not carried over", "In Exchange Online the application acts as the mailbox; there is no delegate access.", "")
	}
	c.overrides(s, &b, "O365", app)
	c.add(b, s)
	c.note(first, "the sync mode O365Pull is not set up", "The section does not say whether anybody uses it.",
		"If somebody does, copy the block sync_mode \"O365\" under the name \"O365Pull\".")
	c.note(first, "EWS in Exchange Online ends on 2027-04-01, and needs Microsoft's allow list until then", "From 2026-10-01 on it is switched off tenant by tenant.",
		"Set up Microsoft365 as well and move people to it: docs/administrator/exchange-online.md.")
}

// graph makes the mode Microsoft365.
func (c *converter) graph(s section) {
	const mode = "Microsoft365"
	first, there := s.first()
	if !there {
		return
	}
	b := modeBlock{name: mode}
	app := c.application(s, &b, mode, "", credentials{})
	if at, text := s.get("AuthMode"); text != "" && !slices.ContainsFunc(appOnly(), func(n string) bool { return strings.EqualFold(n, text) }) {
		what, why := "AuthMode Delegated was not carried over", "With it every person consents for themselves, which Roomwire does not do yet: it acts as the application."
		if !strings.EqualFold(text, "Delegated") {
			what, why = at.Key()+" was not carried over", "Its value is not one that is known; Roomwire acts as the application."
		}
		c.warn(at, what, why, "Give the application the permission Calendars.ReadWrite (Application) with admin consent: docs/administrator/exchange-online.md.")
	}
	if at, text := s.get("ClientState"); text != "" {
		c.note(at, at.Key()+" is not needed", "Roomwire makes a secret of its own for every subscription.", "")
	}
	if app == (credentials{}) && len(s.sub("DomainOverrides").children()) == 0 {
		return
	}
	c.overrides(s, &b, mode, app)
	c.add(b, s)
	if i := slices.IndexFunc(c.blocks, func(o modeBlock) bool { return o.name == "O365" && len(o.overrides) > 0 }); i >= 0 && len(b.overrides) == 0 {
		c.warn(first, "Microsoft365 has no domain_override, O365 has", "ROOMS could not do it for Graph; Roomwire can. Without it, people of the other domains cannot be moved to Graph.",
			"Copy the domain_override blocks from sync_mode \"O365\" to sync_mode \"Microsoft365\", and give each of these applications Calendars.ReadWrite.")
	}
}

// appOnly are the values of AuthMode that Roomwire does.
func appOnly() []string {
	return []string{"AppOnly", "App-Only", "Application", "ClientCredentials", "ClientSecret", "Certificate"}
}

func (c *converter) add(b modeBlock, from section) {
	c.blocks = append(c.blocks, b)
	c.modes = append(c.modes, Mode{b.name, from.key()})
}

// switchedOff reports whether the provider says Enabled: false. Nothing of it is carried over then.
func (c *converter) switchedOff(s section, mode string) bool {
	at, text := s.get("Enabled")
	on, err := strconv.ParseBool(strings.ToLower(text))
	if text != "" && err != nil {
		c.warn(at, at.Key()+" was not carried over", "It is neither true nor false; true was taken.", fmt.Sprintf("If nobody has the sync mode %s, delete its block.", mode))
	}
	if text == "" || err != nil || on {
		return false
	}
	c.note(at, fmt.Sprintf("%s was not carried over", s.key()), "It is switched off there.", fmt.Sprintf("If somebody has the sync mode %s, set %s to true and import again.", mode, at.Key()))
	s.drop()
	return true
}

func (c *converter) impersonation(s section, b *modeBlock) {
	at, text := s.get(impersonateNames...)
	if text == "" {
		return
	}
	on, err := strconv.ParseBool(strings.ToLower(text))
	switch {
	case err != nil:
		c.warn(at, at.Key()+" was not carried over", "It is neither true nor false.", "Write use_impersonation = true or false into the block.")
	case !on:
		b.attrs = append(b.attrs, attribute{name: "use_impersonation", off: true})
	}
}

// missing warns of what a mode cannot do without.
func (c *converter) missing(at Setting, mode string, values map[string]string) {
	var none []string
	for name, text := range values {
		if text == "" {
			none = append(none, name)
		}
	}
	if slices.Sort(none); len(none) > 0 {
		c.warn(at, fmt.Sprintf("the sync mode %s lacks %s", mode, strings.Join(none, ", ")), "It was not in the file. Other files of the installation (appsettings.Production.json) or its environment may have it.",
			fmt.Sprintf("Name the other file as well, or add it to sync_mode %q { … }.", mode))
	}
}

// cloud chooses the Microsoft cloud by the host of an EWS URL. A URL that follows from the cloud is not written.
func (c *converter) cloud(b *modeBlock, at Setting, address string) {
	if address == "" {
		return
	}
	u, err := url.Parse(address)
	if err != nil {
		b.set("url", address) // config check explains it
		return
	}
	clouds := map[string]string{
		"outlook.office365.com": "global", "outlook.office365.us": "usgov", "outlook-dod.office365.us": "usgov-dod", "partner.outlook.cn": "china",
	}
	cloud := clouds[strings.ToLower(u.Hostname())]
	plain := u.Scheme == "https" && u.Port() == "" && strings.EqualFold(u.Path, "/EWS/Exchange.asmx") && u.RawQuery == ""
	if cloud != "" && cloud != "global" {
		b.set("cloud", cloud)
	}
	if cloud == "" || !plain {
		b.set("url", address)
	}
	if cloud == "" && !config.IsExchangeOnline(u.Hostname()) {
		c.warn(at, fmt.Sprintf("%s is no address of Exchange Online", at.Key()), "The token would be sent to another server, so the configuration is refused as it is.",
			"Correct url in sync_mode \"O365\", or write cloud = \"custom\" with authority if this is a Microsoft cloud that Roomwire does not know.")
	}
}
