package config

import (
	"slices"
	"strings"
)

// A PluginSchema says which settings a plugin takes, as the plugin itself tells.
type PluginSchema struct {
	Plugin   string // e.g. auth-ntlm, backend-exchange2013
	Settings []PluginSetting
	// Problem is why the plugin could not be asked; empty if it was. Nothing is known of its settings then.
	Problem string
}

// A PluginSetting is one setting that a plugin declares.
type PluginSetting struct {
	Name             string
	Type             string // string, bool, integer, number, duration, list or map
	Doc              string
	Required, Secret bool
}

// known reports whether the plugin said which settings it takes; the zero value is of one that was not asked.
func (p PluginSchema) known() bool { return p.Plugin != "" && p.Problem == "" }

// names lists the settings in the plugin's order.
func (p PluginSchema) names() []string {
	out := make([]string, len(p.Settings))
	for i, s := range p.Settings {
		out[i] = s.Name
	}
	return out
}

// find returns the setting that g is meant for. A variable's name tells neither upper from lower case nor a hyphen from
// an underscore.
func (p PluginSchema) find(g given) (PluginSetting, bool) {
	for _, s := range p.Settings {
		if s.Name == g.name || g.variable != "" && envWord(s.Name) == g.variable {
			return s, true
		}
	}
	return PluginSetting{}, false
}

// Plugins returns the plugins that the mode uses, its backend first: backend-NAME, auth-NAME.
func (m SyncMode) Plugins() []string {
	out := []string{backendPrefix + m.Backend}
	for _, name := range m.Auth {
		out = append(out, authPrefix+name)
	}
	return out
}

// The kinds of plugins, as their names begin.
const (
	backendPrefix = "backend-"
	authPrefix    = "auth-"
)

// PluginNames returns the plugins that the sync modes use, each once, by name.
func (c *Config) PluginNames() []string {
	var out []string
	for _, m := range c.SyncModes {
		out = append(out, m.Plugins()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Knowing returns the same configuration with what its plugins declare: Redacted and Diff show their settings, but for
// those that a plugin declares to be secret. Without, they show none of those that only a plugin knows.
func (c *Config) Knowing(schemas map[string]PluginSchema) *Config {
	out := *c
	out.schemas = schemas
	return &out
}

// SettingsFor returns what a plugin that declares schema is opened with: what stands in auth_settings or
// backend_settings, or in variables for these; and of the mode's own attributes those that an auth plugin declares. Texts
// are converted to the types that schema says; what cannot be is left as it is, for the plugin to refuse. What schema does
// not declare is left out; nothing is, if the plugin could not be asked.
func (m SyncMode) SettingsFor(plugin string, schema PluginSchema) Settings {
	if m.given == nil { // not made by Load
		if name, isAuth := strings.CutPrefix(plugin, authPrefix); isAuth {
			return m.AuthSettings[name]
		}
		return m.BackendSettings
	}
	out := Settings{}
	for _, t := range m.given.taken(plugin, schema) {
		if !t.declared && schema.known() {
			continue
		}
		out[t.as] = t.value
		if t.declared {
			if v, ok := t.setting.convert(t.value); ok {
				out[t.as] = v
			}
		}
	}
	return out
}

// Given returns all that SettingsFor could make settings of a plugin from, whatever schema says. Modes for which it is
// the same have the same SettingsFor; that is all it is good for.
func (m SyncMode) Given(plugin string) Settings {
	if m.given == nil {
		return m.SettingsFor(plugin, PluginSchema{})
	}
	named, free, variables := map[string]any{}, map[string]any{}, map[string]any{}
	if strings.HasPrefix(plugin, authPrefix) {
		for _, g := range slices.Concat(m.given.implied, m.given.named) {
			named[g.name] = g.value
		}
		for name, sum := range m.given.files {
			named[name+" contents"] = sum
		}
	}
	for _, g := range m.given.free[plugin] {
		if g.variable != "" {
			variables[g.variable] = g.value
		} else {
			free[g.name] = g.value
		}
	}
	return Settings{"sync_mode": named, "block": free, "variables": variables}
}

// A given is one setting for a plugin, where it was written.
type given struct {
	name     string
	value    any    // its texts are Secrets
	literal  Secret // how it is shown once its plugin declares that it is no secret; not set: never
	nameAt   place
	at       place
	variable string // the last part of the variable that it is from, in capitals; empty if it is from a file
	rooms    bool   // it is a ROOMS key's value
}

// givens are the settings of a mode for its plugins, before these said what they take.
type givens struct {
	at     place              // of the mode
	used   map[string]place   // where each plugin is named
	blocks map[string]place   // of auth_settings and backend_settings, by plugin
	free   map[string][]given // what stands in these, and in variables for them
	named  []given            // the mode's own attributes that are for auth plugins
	// implied is what else auth plugins may want to know, such as how servers are reached. It is no mistake if none does.
	implied []given
	files   map[string]string // sums of the contents of files that are named; one may be replaced under its name
	rooms   map[string]string // attribute → ROOMS key that gives the same
}

// all returns what could be for a plugin; what is said later goes first.
func (g *givens) all(plugin string) []given {
	if strings.HasPrefix(plugin, authPrefix) {
		return slices.Concat(g.named, g.implied, g.free[plugin])
	}
	return g.free[plugin]
}

// A taken is a setting as a plugin gets it.
type taken struct {
	given
	as       string // the name the plugin has for it
	setting  PluginSetting
	declared bool
	named    bool
}

// taken returns what a plugin that declares schema gets, each setting once.
func (g *givens) taken(plugin string, schema PluginSchema) []taken {
	var out []taken
	all := g.all(plugin)
	for i, one := range all {
		t := taken{given: one, as: one.name, named: i < len(all)-len(g.free[plugin])}
		if t.setting, t.declared = schema.find(one); t.declared {
			t.as = t.setting.Name
		} else if t.named {
			continue
		}
		if again := slices.IndexFunc(out, func(o taken) bool { return o.as == t.as }); again >= 0 {
			out[again] = t
		} else {
			out = append(out, t)
		}
	}
	return out
}
