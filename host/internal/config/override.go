package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// For returns what holds for the mailbox of an address: the override of its mail domain, or else the mode itself.
func (m SyncMode) For(address string) SyncMode {
	at := strings.LastIndexByte(address, '@')
	for _, o := range m.Overrides {
		if at >= 0 && strings.EqualFold(address[at+1:], o.Domain) {
			return o
		}
	}
	return m
}

// MailboxURL returns where the mailbox of a person is reached; own is the URL that the person has, which may be empty. One
// that was prefilled before there was an override counts as none.
func (m SyncMode) MailboxURL(own string) string {
	if own == "" || m.Domain != "" && own == m.BaseURL {
		return m.URL
	}
	return own
}

// AllModes returns the sync modes, each followed by its overrides.
func (c *Config) AllModes() []SyncMode {
	var out []SyncMode
	for _, m := range c.SyncModes {
		out = append(append(out, m), m.Overrides...)
	}
	return out
}

// blockPath is the path of the block that the mode is written in.
func (m SyncMode) blockPath() []string {
	if m.Domain != "" {
		return []string{"sync_mode", m.Base, "domain_override", m.Domain}
	}
	return []string{"sync_mode", m.Name}
}

// blockName names that block for people.
func (m SyncMode) blockName() string {
	if m.Domain != "" {
		return fmt.Sprintf("domain_override %q { … } of sync_mode %q", m.Domain, m.Base)
	}
	return fmt.Sprintf("sync_mode %q { … }", m.Name)
}

// overrides reads the domain_override blocks of a mode.
func (l *loader) overrides(of section, base SyncMode) []SyncMode {
	var out []SyncMode
	for _, b := range l.hcl.labelled[key(append(slices.Clone(of.path), "domain_override")...)] {
		if i := slices.IndexFunc(out, func(o SyncMode) bool { return envWord(o.Domain) == envWord(b.label) }); i >= 0 {
			l.add(b.at, Warning, fmt.Sprintf("the overrides for %s and %s have the same variables", out[i].Domain, b.label), "Dots and hyphens are underscores in the names of variables, so that each would be given what is meant for the other.",
				"Write the settings of both into the file, with env(\"…\") and names of your own.")
		}
		out = append(out, l.override(of, b, base))
	}
	return out
}

func (l *loader) override(of section, b labelled, base SyncMode) SyncMode {
	spec, _ := of.spec.block("domain_override")
	s := l.section(spec, append(slices.Clone(of.path), "domain_override", b.label)...)
	s.head = of.head + "\x1f" + fmt.Sprintf("domain_override %q", b.label)
	m := base
	m.Domain, m.Base = strings.ToLower(b.label), base.Name
	m.BaseURL = base.URL
	m.Name, m.Overrides, m.AuthSettings = base.Name+"/"+m.Domain, nil, map[string]Settings{}
	m.given = l.given(s, m, KnownMode{})
	m.given.at, m.given.used, m.given.implied = b.at, base.given.used, nil
	m.given.imply("ca_file", m.HTTP.CAFile)
	m.given.imply("proxy", m.HTTP.Proxy)

	own := l.ownCredentials(s, m)
	was := base.oauth("cloud")
	cloud := was
	if own {
		cloud = l.overrideCredentials(s, &m, base, b.at)
	}
	l.overrideURL(s, &m, base, cloud != was, b.at)
	l.pluginSettings(s, &m)
	silent := !own && !s.has("url") && len(m.given.free[backendPrefix+m.Backend]) == 0
	if !own {
		m.inheritCredentials(base)
	}
	m.inheritBackend(base)
	if silent {
		l.add(b.at, Warning, fmt.Sprintf("%s says nothing", m.blockName()), "Its mailboxes are reached as all others of the sync mode are.", "Write what is otherwise for them, or delete it.")
	}
	return m
}

// ownCredentials reports whether the override has any credential of its own.
func (l *loader) ownCredentials(s section, m SyncMode) bool {
	for _, plugin := range m.Auth {
		if len(m.given.free[authPrefix+plugin]) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(authNames(), func(name string) bool { return name != "channel_binding" && s.has(name) })
}

// overrideCredentials reads the credentials of the override, of which none is the sync mode's: another tenant's login server
// shall not be sent the secret of this one. Which login server it is, and how it is spoken to, is the same unless it is
// written. It returns the cloud.
func (l *loader) overrideCredentials(s section, m *SyncMode, base SyncMode, at place) (cloud string) {
	s.defs = map[string]string{"cloud": base.oauth("cloud"), "channel_binding": base.AuthSettings["ntlm"].Text("channel_binding")}
	if written, _, _ := s.get("cloud"); written == nil || written == base.oauth("cloud") {
		s.defs["authority"] = base.oauth("authority")
	}
	return l.credentials(s, m, KnownMode{}, at)
}

// oauth returns a setting of auth-oauth.
func (m SyncMode) oauth(name string) string { return m.AuthSettings["oauth"].Text(name) }

// overrideURL decides where persons of the domain are reached who have no URL of their own.
func (l *loader) overrideURL(s section, m *SyncMode, base SyncMode, moved bool, at place) {
	s.defs = map[string]string{"url": base.URL}
	if moved && (m.Backend == backendOnline || m.Backend == backendGraph) {
		s.defs["url"] = cloudURL(m.Backend, m.oauth("cloud"))
	}
	value, urlAt, _ := s.get("url")
	m.URL, _ = value.(string)
	switch {
	case m.URL == "" && moved:
		l.add(at, Error, fmt.Sprintf("sync mode %s has no url", m.Name), "cloud = \"custom\" has none of its own.", "Write url = \"https://HOST/…\" into "+m.blockName()+".")
	case m.URL != "" && m.checkCombination() == nil:
		if p := m.CheckURL(m.URL); p != nil {
			l.add(firstPlace(urlAt, at), Error, fmt.Sprintf("sync mode %s: %s", m.Name, p.What), p.Why, p.Remedy)
		}
	}
}

// inheritCredentials takes the sync mode's, of which the override has none of its own.
func (m *SyncMode) inheritCredentials(base SyncMode) {
	m.AuthSettings = maps.Clone(base.AuthSettings)
	m.given.named, m.given.files, m.given.implied = inherited(base.given.named), base.given.files, base.given.implied
	for _, plugin := range m.Auth {
		m.given.free[authPrefix+plugin] = inherited(base.given.free[authPrefix+plugin])
	}
}

// inheritBackend takes what the sync mode gives the backend, and the override does not.
func (m *SyncMode) inheritBackend(base SyncMode) {
	plugin := backendPrefix + m.Backend
	own := m.given.free[plugin]
	has := func(g given) bool {
		return slices.ContainsFunc(own, func(o given) bool { return envWord(o.name) == envWord(g.name) })
	}
	m.given.free[plugin] = append(slices.DeleteFunc(inherited(base.given.free[plugin]), has), own...)
	m.BackendSettings = m.given.settings(plugin)
}

// inherited returns settings that stand in another block, which is complained about there.
func inherited(list []given) []given {
	out := slices.Clone(list)
	for i := range out {
		out[i].inherited = true
	}
	return out
}
