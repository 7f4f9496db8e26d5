package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// authSettings returns which settings go to which auth plugin.
func authSettings() map[string][]string {
	return map[string][]string{
		"ntlm":  {"user", "password", "domain", "channel_binding"},
		"basic": {"user", "password", "domain"},
		"oauth": {
			"tenant_id", "app_id", "client_secret", "client_secret_2", "client_secret_expires", "client_secret_2_expires",
			"certificate_file", "certificate_password", "cloud", "authority",
		},
	}
}

// credentials fills AuthSettings and complains of what is missing. It returns
// the cloud.
func (l *loader) credentials(s section, m *SyncMode, k KnownMode, at place) (cloud string) {
	table := authSettings()
	others := slices.ContainsFunc(m.Auth, func(plugin string) bool { return table[plugin] == nil })
	taken := map[string]any{}
	begin := len(l.shown)
	for _, name := range authNames() {
		users := authUsing(table, m.Auth, name)
		if len(users) == 0 && (!others || !s.has(name)) {
			l.unusedCredential(s, m, name)
			continue
		}
		var value any
		a, _ := s.spec.attr(name)
		w, _ := s.find(a)
		where := w.at
		if a.kind == kindFile {
			var data []byte
			value, data, _ = s.file(name)
			sum := sha256.Sum256(data)
			m.given.files[name] = hex.EncodeToString(sum[:])
		} else {
			value, _, _ = s.get(name)
		}
		text, _ := value.(string)
		if at.src == nil && at.env == "" {
			at = where // a mode without a block: complain where one of its keys stands
		}
		if text == "" {
			continue
		}
		m.given.named = append(m.given.named, given{name: name, value: NewSecret(text), nameAt: where, at: where, rooms: w.rooms})
		if a.kind == kindSecret {
			value = NewSecret(text)
		}
		for _, plugin := range users {
			taken[name] = value
			if m.AuthSettings[plugin] == nil {
				m.AuthSettings[plugin] = Settings{}
			}
			m.AuthSettings[plugin][name] = value
		}
	}
	for i := range l.shown[begin:] {
		l.shown[begin+i].plugins = m.Plugins()[1:]
	}
	m.given.at = at
	l.twoDomains(taken, m, at)
	l.authority(s, m)
	for _, plugin := range m.Auth {
		l.missing(s, m, k, plugin, at)
	}
	cloud, _ = taken["cloud"].(string)
	return cloud
}

// twoDomains complains of DOMAIN\user together with another domain.
func (l *loader) twoDomains(taken map[string]any, m *SyncMode, at place) {
	user, _ := taken["user"].(string)
	domain, _ := taken["domain"].(string)
	prefix, _, ok := strings.Cut(user, `\`)
	if ok && domain != "" && !strings.EqualFold(prefix, domain) {
		l.add(at, Error, fmt.Sprintf("sync mode %s has two domains for its user: %s and %s", m.Name, prefix, domain), "Which of them is meant cannot be known.", "Write the domain once: in the user's name or by itself.")
	}
}

// authority complains of a login server where it is known, and of none where it is not.
func (l *loader) authority(s section, m *SyncMode) {
	if !slices.Contains(m.Auth, "oauth") {
		return
	}
	cloud, cloudAt, _ := s.get("cloud")
	_, at, written := s.get("authority")
	direct := slices.ContainsFunc(m.given.free[authPrefix+"oauth"], func(g given) bool { return g.name == "authority" || g.name == "cloud" })
	switch {
	case direct: // the plugin complains
	case cloud == "custom" && !s.has("authority"):
		l.add(cloudAt, Error, fmt.Sprintf("sync mode %s has no authority", m.Name), "cloud = \"custom\" has no login server of its own.", "Write authority = \"https://LOGIN-SERVER\", without the tenant.")
	case cloud != "custom" && written:
		l.add(at, Error, fmt.Sprintf("sync mode %s has an authority without cloud = \"custom\"", m.Name), "The login servers of the other clouds are known, and the client secret is sent to no other.", "Delete it, or write cloud = \"custom\".")
	}
}

// appActs decides whether the service user acts as the mailboxes, and refuses what Exchange Online no longer allows: a user's
// password sent to its login server.
func (l *loader) appActs(s section, m *SyncMode) {
	value, at, written := s.get("use_impersonation")
	m.UseImpersonation, _ = value.(bool)
	if m.UseImpersonation || m.Backend != backendOnline && m.Backend != backendGraph {
		return
	}
	m.UseImpersonation = true
	rooms := l.section(roomsKeys(), "RoomsAppSettings")
	for _, key := range []string{"ExchangeServiceUser", "ExchangeServicePassword"} {
		if !rooms.has(key) {
			continue
		}
		permission := "full_access_as_app (Office 365 Exchange Online)"
		if m.Backend == backendGraph {
			permission = "Calendars.ReadWrite (Microsoft Graph)"
		}
		l.add(at, Error, fmt.Sprintf("sync mode %s would log in with a user's password (ExchangeUseImpersonation is false, and there is %s)", m.Name, key),
			"Such a password is sent to the login server as it is, fails with multi-factor authentication, and Microsoft is switching this way off.",
			fmt.Sprintf("Let the app log in by itself: give it the application permission %s with admin consent, and set ExchangeClientSecret or certificate_file; then empty ExchangeServiceUser and "+
				"ExchangeServicePassword, and set ExchangeUseImpersonation to true. To which mailboxes the app may go is limited in Exchange (RBAC for Applications).", permission))
		return
	}
	severity := Note
	a, _ := s.spec.attr("use_impersonation")
	if w, _ := s.find(a); written && !w.rooms {
		severity = Warning
	}
	l.add(at, severity, fmt.Sprintf("sync mode %s: use_impersonation = false has no effect", m.Name), "In Exchange Online the app acts as the mailbox; it has no mailbox of its own that folders could be shared with.",
		"Delete it, or set ExchangeUseImpersonation to true if no mode on-premises needs it.")
}

// renewBefore gives auth-oauth the time of the ROOMS key.
func (l *loader) renewBefore(m *SyncMode, head string) {
	minutes, at, _ := l.section(roomsKeys(), "RoomsAppSettings").get("OAuthTokenMinutesBeforeRenew")
	n, _ := minutes.(int)
	text := durationText(time.Duration(max(n, 1)) * time.Minute)
	m.given.imply("renew_before", text)
	l.showFrom(head, "renew_before", fmt.Sprintf("%q", text), at.written())
}

// authNames returns all credential settings in the order they are shown.
func authNames() []string {
	t := authSettings()
	return slices.Concat(t["ntlm"], t["oauth"])
}

func authUsing(table map[string][]string, auth []string, name string) []string {
	var out []string
	for _, plugin := range auth {
		if slices.Contains(table[plugin], name) {
			out = append(out, plugin)
		}
	}
	return out
}

// unusedCredential warns of a setting that stands in the block and that none
// of its auth plugins takes.
func (l *loader) unusedCredential(s section, m *SyncMode, name string) {
	s.rooms = nil // ROOMS keys of other modes are no mistake
	if !s.has(name) {
		return
	}
	a, _ := s.spec.attr(name)
	w, _ := s.find(a)
	l.add(w.at, Warning, fmt.Sprintf("sync mode %s: %s has no effect", m.Name, name), fmt.Sprintf("None of auth = %s takes it.", quoteList(m.Auth)), "Delete it, or correct auth. Settings of other auth plugins stand in auth_settings \"PLUGIN\" { … }.")
}

// missing complains of each setting that plugin cannot do without.
func (l *loader) missing(s section, m *SyncMode, k KnownMode, plugin string, at place) {
	need := map[string][]string{"ntlm": {"user", "password"}, "basic": {"user", "password"}, "oauth": {"tenant_id", "app_id", "client_secret"}}[plugin]
	direct := func(name string) bool {
		return slices.ContainsFunc(m.given.free[authPrefix+plugin], func(g given) bool { return g.name == name })
	}
	for _, name := range need {
		if s.has(name) || direct(name) || name == "client_secret" && slices.ContainsFunc([]string{"certificate_file", "client_secret_2"}, func(n string) bool { return s.has(n) || direct(n) }) {
			continue
		}
		ways := []string{}
		if roomsKey := k.settings[name]; roomsKey != "" {
			ways = append(ways, roomsKey+" in "+RoomsFile+" or in the environment")
		}
		value := name + ` = "…"`
		if spec, _ := s.spec.attr(name); spec.kind == kindSecret {
			value = name + ` = env("…")`
		}
		ways = append(ways, fmt.Sprintf("%s in sync_mode %q { … }", value, m.Name), envName("sync_mode", m.Name, name))
		remedy := "Set " + strings.Join(ways, ", or ") + "."
		why := "Nobody can log in without it."
		if name == "client_secret" {
			remedy += " With a certificate in its place: certificate_file."
			if w, ok := l.rooms.values[key("ExchangeCertThumbprint")]; ok && !w.faulty {
				why = "ExchangeCertThumbprint names a certificate in the Windows store; Roomwire reads certificates from files only."
				remedy = fmt.Sprintf("Export it with its private key (certlm.msc, Personal, All Tasks, Export, PFX) and write certificate_file = \"FILE.pfx\" and certificate_password = env(\"…\") in sync_mode %q { … }.", m.Name)
			}
		}
		if len(k.Keys) > 0 && l.hcl.blocks[key("sync_mode", strings.ToLower(m.Name))].src == nil {
			remedy += fmt.Sprintf(" If nobody uses %s, empty the other keys of it: %s.", m.Name, strings.Join(k.Keys, ", "))
		}
		l.once(at, Error, fmt.Sprintf("sync mode %s has no %s", m.Name, strings.ReplaceAll(name, "_", " ")), why, remedy)
	}
}
