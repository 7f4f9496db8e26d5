package config

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (l *loader) modes(spec block) []SyncMode {
	var out []SyncMode
	known := KnownModes()
	// The groups of modes, by their ROOMS keys, of which one has a block with a proof that ROOMS has no key for: without a block
	// the others are not meant to be there.
	ownProof := map[string]bool{}
	for _, b := range l.hcl.labelled["sync_mode"] {
		i := slices.IndexFunc(known, func(k KnownMode) bool { return strings.EqualFold(k.Name, b.label) })
		k := KnownMode{Name: b.label}
		if i >= 0 {
			k = known[i]
			known = slices.Delete(known, i, i+1)
		}
		s := l.modeSection(spec, b, k)
		ownProof[strings.Join(k.Keys, " ")] = ownProof[strings.Join(k.Keys, " ")] || s.has("certificate_file") || s.has("client_secret_2")
		out = append(out, l.mode(spec, b, k))
	}
	reported := map[string]bool{}
	for _, k := range known {
		b := labelled{label: k.Name}
		s := l.modeSection(spec, b, k)
		if !slices.ContainsFunc([]string{"backend", "url", "user", "password", "tenant_id", "app_id", "client_secret", "certificate_file"}, s.has) {
			continue
		}
		group := strings.Join(k.Keys, " ")
		if ownProof[group] && !s.has("client_secret") && !s.has("certificate_file") && !s.has("client_secret_2") {
			continue
		}
		// Three modes share the keys of Exchange Online; one complaint is enough.
		before := len(l.diags)
		m := l.mode(spec, b, k)
		m.BuiltIn = true
		if group != "" && reported[group] {
			l.diags = l.diags[:before]
		}
		reported[group] = reported[group] || len(l.diags) > before
		out = append(out, m)
	}
	return out
}

func (l *loader) modeSection(spec block, b labelled, k KnownMode) section {
	s := l.section(spec, "sync_mode", b.label)
	s.head = fmt.Sprintf("sync_mode %q", k.Name)
	s.rooms = maps.Clone(k.settings)
	if s.rooms == nil {
		s.rooms = map[string]string{}
	}
	s.rooms["use_impersonation"] = "ExchangeUseImpersonation"
	s.defs = map[string]string{"backend": k.Backend, "url": k.URL, "pull": fmt.Sprint(k.Pull), "use_impersonation": "true"}
	return s
}

func (l *loader) mode(spec block, b labelled, k KnownMode) SyncMode {
	s := l.modeSection(spec, b, k)
	m := SyncMode{Name: k.Name, AuthSettings: map[string]Settings{}}
	backend, backendAt, _ := s.get("backend")
	m.Backend, _ = backend.(string)
	backendAt = firstPlace(backendAt, b.at)
	l.checkBackend(s, m, b)

	def := k.Auth
	if len(def) == 0 {
		def = defaultAuth(m.Backend)
	}
	var authAt place
	m.Auth, authAt = s.names("auth", def)
	authAt = firstPlace(authAt, backendAt)
	if near := unknownNear(m.Auth, []string{"ntlm", "basic", "oauth"}); near != "" {
		l.add(authAt, Warning, fmt.Sprintf("sync mode %s: no auth plugin of Roomwire is called %q", m.Name, near), "It must be another one that is installed.", didYouMean(near, []string{"ntlm", "basic", "oauth"})+"If it is one of your own, all is well.")
	}

	m.given = l.given(s, m, k)
	for _, plugin := range m.Plugins() {
		m.given.used[plugin] = authAt
	}
	m.given.used[backendPrefix+m.Backend] = backendAt
	cloud := l.credentials(s, &m, k, firstPlace(b.at, authAt))
	if m.Backend == backendOnline || m.Backend == backendGraph {
		s.defs["url"] = cloudURL(m.Backend, cloud)
	}
	u, urlAt, _ := s.get("url")
	m.URL, _ = u.(string)
	if p := m.checkCombination(); p != nil {
		l.add(authAt, Error, p.What, p.Why, p.Remedy)
	} else if m.URL != "" {
		if p := m.CheckURL(m.URL); p != nil {
			l.add(firstPlace(urlAt, authAt), Error, fmt.Sprintf("sync mode %s: %s", m.Name, p.What), p.Why, p.Remedy)
		} else if strings.HasPrefix(strings.ToLower(m.URL), "http:") {
			l.add(firstPlace(urlAt, authAt), Warning, fmt.Sprintf("sync mode %s: the server is reached without TLS", m.Name), "Everybody on the way can read and change calendars.", "Write https:// if the server speaks it.")
		}
	} else if cloud == "custom" && (m.Backend == backendOnline || m.Backend == backendGraph) && !s.has("url") {
		path := map[string]string{backendOnline: "/EWS/Exchange.asmx", backendGraph: "/v1.0"}[m.Backend]
		l.add(firstPlace(authAt, b.at), Error, fmt.Sprintf("sync mode %s has no url", m.Name), "cloud = \"custom\" has none of its own.", "Write url = \"https://HOST"+path+"\".")
	}

	l.appActs(s, &m)
	l.notices(s, &m)
	l.http(s, &m)
	markers := s.sub("markers")
	m.Markers = Markers{markers.text("appointment_oid_set"), markers.text("appointment_oid_name")}
	l.pluginSettings(s, &m)
	return m
}

// notices decides how changes are learnt of.
func (l *loader) notices(s section, m *SyncMode) {
	pull, pullAt, pullWritten := s.get("pull")
	_, impersonationAt, _ := s.get("use_impersonation")
	s.defs["notices"] = NoticesPush
	switch {
	case !m.UseImpersonation:
		s.defs["notices"] = NoticesPoll
	case pull == true:
		s.defs["notices"] = NoticesPull
	}
	way, at, written := s.get("notices")
	m.Notices, _ = way.(string)
	switch {
	case !m.UseImpersonation && m.Notices != NoticesPoll:
		l.add(at, Warning, fmt.Sprintf("sync mode %s: without impersonation notices = %q has no effect", m.Name, m.Notices), "A delegate cannot subscribe to somebody else's mailbox, so calendars are read by the clock.", "Delete it, or set use_impersonation = true.")
		m.Notices = NoticesPoll
	case !m.UseImpersonation && !written && m.Backend == backendOnPremises:
		l.add(impersonationAt, Note, fmt.Sprintf("sync mode %s: without impersonation calendars are read by the clock", m.Name), "A delegate cannot subscribe to somebody else's mailbox.", "Set sync.poll_interval to how old a calendar may be.")
	case written && pullWritten && pull == true && m.Notices != NoticesPull:
		l.add(pullAt, Warning, fmt.Sprintf("sync mode %s: pull = true has no effect beside notices = %q", m.Name, m.Notices), "The two contradict each other, and notices goes before.", "Delete one of them.")
	}
	m.Pull = m.Notices == NoticesPull
}

func defaultAuth(backend string) []string {
	switch backend {
	case backendOnPremises:
		return []string{"ntlm", "basic"}
	case backendOnline, backendGraph:
		return []string{"oauth"}
	default:
		return nil
	}
}

func unknownNear(given, known []string) string {
	for _, n := range given {
		if !slices.Contains(known, n) && Nearest(n, known) != "" {
			return n
		}
	}
	return ""
}

// checkBackend complains of a missing backend and of slips in names.
func (l *loader) checkBackend(s section, m SyncMode, b labelled) {
	var modes []string
	for _, k := range KnownModes() {
		modes = append(modes, k.Name)
	}
	backends := []string{backendOnPremises, backendOnline, backendGraph}
	known := slices.Contains(modes, m.Name)
	switch {
	case m.Backend == "" && !s.has("backend"):
		l.add(b.at, Error, fmt.Sprintf("sync mode %s has no backend", m.Name), "Roomwire knows the backends of these modes only: "+strings.Join(modes, ", ")+".",
			didYouMean(m.Name, modes)+"Correct the name, or write backend = \"exchange2013\" (or another plugin's name) into the block.")
	case !known && Nearest(m.Name, modes) != "":
		l.add(b.at, Warning, fmt.Sprintf("sync mode %s is none that ROOMS knows", m.Name), "Persons must name it exactly so, and no ROOMS key sets it up.", didYouMean(m.Name, modes)+"If you mean a mode of your own, all is well.")
	}
	if near := unknownNear([]string{m.Backend}, backends); near != "" {
		a, _ := s.spec.attr("backend")
		w, _ := s.find(a)
		l.add(firstPlace(w.at, b.at), Warning, fmt.Sprintf("sync mode %s: no backend of Roomwire is called %q", m.Name, near), "It must be another one that is installed.", didYouMean(near, backends)+"If it is one of your own, all is well.")
	}
}

func (l *loader) http(s section, m *SyncMode) {
	h := s.sub("http")
	path, data, at := h.file("ca_file")
	if path != "" && !x509.NewCertPool().AppendCertsFromPEM(data) {
		l.add(at, Error, fmt.Sprintf("%s holds no certificate", path), "A file of certificate authorities is PEM: text with BEGIN CERTIFICATE lines.", "Convert it: openssl x509 -inform der -in FILE.cer -out FILE.pem")
	}
	m.given.imply("ca_file", path)
	m.given.imply("proxy", h.text("proxy"))
	m.HTTP = HTTP{CAFile: path, Proxy: h.text("proxy"), Timeout: h.duration("timeout")}
}
