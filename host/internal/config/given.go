package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// freePath is the block of a plugin's own settings, within the mode's.
func freePath(plugin string) []string {
	if name, isAuth := strings.CutPrefix(plugin, authPrefix); isAuth {
		return []string{"auth_settings", name}
	}
	return []string{"backend_settings"}
}

// given finds what is given for the plugins of m by the names that these declare: in roomwire.hcl, and in variables,
// which go before.
func (l *loader) given(s section, m SyncMode, k KnownMode) *givens {
	g := &givens{used: map[string]place{}, blocks: map[string]place{}, free: map[string][]given{}, files: map[string]string{}, rooms: k.settings}
	for _, plugin := range m.Plugins() {
		path := slices.Concat(s.path, freePath(plugin))
		g.blocks[plugin] = l.hcl.blocks[key(path...)] // names of plugins have small letters only, as its keys do
		g.free[plugin] = slices.Clone(l.hcl.free[key(path...)])
	}
	l.givenVariables(s, m, g)
	return g
}

// imply gives auth plugins a setting that follows from others; an empty one is none.
func (g *givens) imply(name, value string) {
	if value != "" {
		g.implied = append(g.implied, given{name: name, value: NewSecret(value)})
	}
}

// givenVariables adds what variables give. Of two plugins, one may be called as the other's name begins: the longer one
// takes the variable.
func (l *loader) givenVariables(s section, m SyncMode, g *givens) {
	begins := map[string]string{} // → plugin
	for _, plugin := range m.Plugins() {
		begins[envName(slices.Concat(s.path, freePath(plugin))...)+"_"] = plugin
	}
	l.begun = append(l.begun, slices.Sorted(maps.Keys(begins))...)
	noPlugin := envName(append(slices.Clone(s.path), "auth_settings")...) + "_"
	for _, name := range l.env.names {
		text, ok := l.env.lookup(name)
		if !ok {
			continue
		}
		begin := ""
		for b := range begins {
			if strings.HasPrefix(name, b) && len(name) > len(b) && len(b) > len(begin) {
				begin = b
			}
		}
		switch {
		case begin != "":
			l.asked = append(l.asked, name)
			g.add(begins[begin], variable(name, name[len(begin):], text))
		case strings.HasPrefix(name, noPlugin) && nearestBegin(name, l.begun) == "":
			l.asked = append(l.asked, name)
			l.once(place{env: name}, Warning, fmt.Sprintf("the variable %s is not read", name),
				fmt.Sprintf("Sync mode %s uses no auth plugin that it could be for; its list is auth = %s.", m.Name, quoteList(m.Auth)), "Correct its name, add the plugin to auth, or unset it.")
		}
	}
}

// variable is a setting given by one. Only its plugin knows of which type it is, and how its name is written.
func variable(name, word, text string) given {
	at := place{env: name}
	out := given{name: strings.ToLower(word), value: NewSecret(text), nameAt: at, at: at, variable: word}
	if !namesSecret(out.name) {
		out.literal = NewSecret(strconv.Quote(hideURLPassword(text)))
	}
	return out
}

// add puts g in the place of what a file says.
func (g *givens) add(plugin string, one given) {
	g.free[plugin] = append(slices.DeleteFunc(g.free[plugin], func(o given) bool { return envWord(o.name) == one.variable }), one)
}

// settings are those of the free block of a plugin, by name.
func (g *givens) settings(plugin string) Settings {
	out := Settings{}
	for _, one := range g.free[plugin] {
		out[one.name] = one.value
	}
	return out
}

// pluginSettings takes over the blocks that only plugins understand.
func (l *loader) pluginSettings(s section, m *SyncMode) {
	prefix := key(append(slices.Clone(s.path), "auth_settings")...) + "\x1f"
	for _, k := range slices.Sorted(maps.Keys(l.hcl.free)) {
		plugin, ok := strings.CutPrefix(k, prefix)
		if ok && !slices.Contains(m.Auth, plugin) {
			at := l.hcl.blocks[key(append(slices.Clone(s.path), "auth_settings", strings.ToLower(plugin))...)]
			l.add(at, Error, fmt.Sprintf("sync mode %s does not use the auth plugin %q", m.Name, plugin), fmt.Sprintf("Its list is auth = %s.", quoteList(m.Auth)), didYouMean(plugin, m.Auth)+"Add it to auth, or delete the block.")
		}
	}
	for _, plugin := range slices.Sorted(slices.Values(m.Auth)) {
		settings := m.given.free[authPrefix+plugin]
		if m.AuthSettings[plugin] == nil {
			m.AuthSettings[plugin] = Settings{}
		}
		maps.Copy(m.AuthSettings[plugin], m.given.settings(authPrefix+plugin))
		head := s.head + "\x1fauth_settings " + fmt.Sprintf("%q", plugin)
		if plugin == "oauth" && !slices.ContainsFunc(settings, func(g given) bool { return g.name == "renew_before" }) {
			l.renewBefore(m, head)
		}
		l.showGiven(head, authPrefix+plugin, settings)
	}
	m.BackendSettings = m.given.settings(backendPrefix + m.Backend)
	l.showGiven(s.head+"\x1fbackend_settings", backendPrefix+m.Backend, m.given.free[backendPrefix+m.Backend])
}
