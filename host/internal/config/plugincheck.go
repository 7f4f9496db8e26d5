package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// CheckPlugins compares what the sync modes give their plugins with what these declare: a setting that a plugin cannot do
// without, and a value of another type, are errors, each with its place. A setting that a plugin does not know is a
// warning, as it is not given to it: the version before or after may need it. A plugin that could not be asked is left out,
// with a warning that says why. schemas is by plugin, for those of PluginNames.
func (c *Config) CheckPlugins(schemas map[string]PluginSchema) Diagnostics {
	return c.checkPlugins(schemas, true)
}

// CheckSettings is CheckPlugins without what is to be said of plugins that could not be asked.
func (c *Config) CheckSettings(schemas map[string]PluginSchema) Diagnostics {
	return c.checkPlugins(schemas, false)
}

func (c *Config) checkPlugins(schemas map[string]PluginSchema, unasked bool) Diagnostics {
	k := pluginCheck{schemas: schemas}
	all := c.AllModes()
	k.open(all)
	if unasked {
		k.unasked(c.SyncModes)
	}
	for _, m := range all {
		if m.given == nil {
			continue // not made by Load
		}
		for _, plugin := range m.Plugins() {
			if schema, known := k.known(plugin); known {
				k.settings(m, plugin, schema)
			}
		}
		k.unused(m)
	}
	rank := func(d Diagnostic) int { return slices.Index([]string{RoomsFile, HCLFile, "."}, filepath.Base(d.File)) }
	slices.SortStableFunc(k.diags, func(a, b Diagnostic) int {
		if r := rank(b) - rank(a); r != 0 {
			return r
		}
		return a.Line - b.Line
	})
	return k.diags
}

type pluginCheck struct {
	schemas map[string]PluginSchema
	sources map[*source]*source // with what may be shown, now that the schemas are known
	diags   Diagnostics
}

func (k *pluginCheck) known(plugin string) (PluginSchema, bool) {
	schema := k.schemas[plugin]
	return schema, schema.known()
}

// add makes a finding. What a plugin says of itself may be anything.
func (k *pluginCheck) add(at place, s Severity, what, why, remedy string) {
	if to := k.sources[at.src]; to != nil {
		at = to.at(at.span.from, at.span.to)
	}
	plain := func(text string) string {
		return strings.Map(func(r rune) rune {
			if r != '\n' && !unicode.IsPrint(r) {
				return ' '
			}
			return r
		}, text)
	}
	k.diags = k.diags.with(at.say(s, plain(what), plain(why), plain(remedy)))
}

// open finds out which values may be shown in a finding.
func (k *pluginCheck) open(modes []SyncMode) {
	shown, more := map[*source][]span{}, map[*source][]span{}
	for _, m := range modes {
		if m.given == nil {
			continue
		}
		for _, plugin := range m.Plugins() {
			schema, _ := k.known(plugin)
			for _, t := range m.given.taken(plugin, schema) {
				switch src := t.at.src; {
				case src == nil || !t.declared:
				case t.setting.Secret:
					more[src] = append(more[src], t.at.span)
				case !t.named:
					_, end := src.bounds(t.at.line - 1)
					shown[src] = append(shown[src], span{t.at.span.from, max(end, t.at.span.to)})
				}
			}
		}
	}
	k.sources = map[*source]*source{}
	for _, by := range []map[*source][]span{shown, more} {
		for src := range by {
			k.sources[src] = src.revealing(shown[src], more[src])
		}
	}
}

// unasked warns of the plugins that could not be asked; those with the same reason together.
func (k *pluginCheck) unasked(modes []SyncMode) {
	type group struct {
		at             place
		plugins, modes []string
	}
	groups := map[string]*group{}
	for _, m := range modes {
		for _, plugin := range m.Plugins() {
			if _, known := k.known(plugin); known {
				continue
			}
			g := groups[k.schemas[plugin].Problem]
			if g == nil {
				g = &group{}
				if m.given != nil {
					g.at = m.given.used[plugin]
				}
				groups[k.schemas[plugin].Problem] = g
			}
			if !slices.Contains(g.plugins, plugin) {
				g.plugins = append(g.plugins, plugin)
			}
			if !slices.Contains(g.modes, m.Name) {
				g.modes = append(g.modes, m.Name)
			}
		}
	}
	for _, why := range slices.Sorted(maps.Keys(groups)) {
		g := groups[why]
		what, whose := "the plugin "+g.plugins[0]+" cannot be asked which settings it takes", "Its"
		if len(g.plugins) > 1 {
			what, whose = "the plugins "+joinAnd(g.plugins)+" cannot be asked which settings they take", "Their"
		}
		inModes := "sync mode " + g.modes[0]
		if len(g.modes) > 1 {
			inModes = "the sync modes " + joinAnd(g.modes)
		}
		k.add(g.at, Warning, what, upperFirst(why), fmt.Sprintf("%s settings are not checked, and persons of %s are not synced, until this is put right or the plugin is taken out of the sync mode.", whose, inModes))
	}
}

func upperFirst(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// notOpened is why a wrong setting matters.
const notOpened = "The plugin is not opened with it, and then nobody of the sync mode is synced."

// settings checks what one plugin of a mode gets.
func (k *pluginCheck) settings(m SyncMode, plugin string, schema PluginSchema) {
	given := map[string]bool{}
	own := m.Domain == ""
	for _, t := range m.given.taken(plugin, schema) {
		own = own || !t.inherited && (t.at.src != nil || t.at.env != "")
		if !t.declared {
			if !t.inherited {
				k.unknown(m, plugin, schema, t)
			}
			continue
		}
		value, ok := t.setting.convert(t.value)
		if !ok && !t.inherited {
			k.wrongType(m, plugin, t)
		}
		given[t.as] = !ok || !emptyValue(value)
	}
	if !own {
		return // whatever is missing is missing from the sync mode
	}
	for _, s := range schema.Settings {
		if s.Required && !given[s.Name] {
			k.missing(m, plugin, s)
		}
	}
}

func (k *pluginCheck) unknown(m SyncMode, plugin string, schema PluginSchema, t taken) {
	remedy := "It has none: delete it."
	if len(schema.Settings) > 0 {
		near := Nearest(t.name, schema.names())
		if near != "" && t.variable != "" {
			near = envName(m.path(plugin, near)...)
		}
		if near != "" {
			remedy = "Did you mean `" + near + "`? "
		} else {
			remedy = ""
		}
		remedy += "There are: " + strings.Join(schema.names(), ", ") + "."
	}
	remedy += " If it is for a new version of the plugin, bring that in next: roomwire plugin swap."
	k.add(t.nameAt, Warning, fmt.Sprintf("sync mode %s: the plugin %s has no setting `%s`", m.Name, plugin, t.name), t.stands(m, plugin)+"It is not given to the plugin.", remedy)
}

func (k *pluginCheck) wrongType(m SyncMode, plugin string, t taken) {
	why := "It is " + is(t.value) + ". "
	if t.setting.Type == "duration" {
		why = "A number needs its unit. "
	}
	remedy := "Write for example " + t.setting.example() + "."
	switch {
	case t.variable != "" && t.setting.Type == "map":
		remedy = fmt.Sprintf("A variable cannot give it: write %s into %s.", t.setting.example(), m.block(plugin))
	case t.variable != "":
		_, value, _ := strings.Cut(t.setting.example(), " = ")
		remedy = "Set the variable for example to " + strings.Trim(value, `"`) + "."
	}
	k.add(t.at, Error, fmt.Sprintf("sync mode %s: the setting `%s` of the plugin %s must be %s", m.Name, t.as, plugin, t.setting.mustBe()), t.stands(m, plugin)+why+notOpened, remedy)
}

// missing says every way to give a setting.
func (k *pluginCheck) missing(m SyncMode, plugin string, s PluginSetting) {
	var ways []string
	if strings.HasPrefix(plugin, authPrefix) && slices.Contains(authNames(), s.Name) {
		if roomsKey := m.given.rooms[s.Name]; roomsKey != "" {
			ways = append(ways, roomsKey+" in "+RoomsFile+" or in the environment")
		}
		ways = append(ways, fmt.Sprintf("%s in %s", s.example(), m.blockName()), envName(append(m.blockPath(), s.Name)...))
	}
	ways = append(ways, s.example()+" in "+m.block(plugin), envName(m.path(plugin, s.Name)...))
	why := "The plugin is not opened without it, and then nobody of the sync mode is synced."
	if s.Doc != "" {
		why = fmt.Sprintf("It is: %s. ", strings.TrimSuffix(s.Doc, ".")) + why
	}
	at := firstPlace(m.given.blocks[plugin], m.given.at, m.given.used[plugin])
	k.add(at, Error, fmt.Sprintf("sync mode %s: the plugin %s needs the setting `%s`", m.Name, plugin, s.Name), why, "Set "+strings.Join(ways, ", or ")+".")
}

// unused warns of the mode's attributes that none of its auth plugins takes. Until all of them are known, one may.
func (k *pluginCheck) unused(m SyncMode) {
	var all []PluginSchema
	for _, plugin := range m.Plugins()[1:] {
		schema, known := k.known(plugin)
		if !known {
			return
		}
		all = append(all, schema)
	}
	for _, g := range m.given.named {
		takes := func(p PluginSchema) bool { _, ok := p.find(g); return ok }
		if g.rooms || g.inherited || slices.ContainsFunc(all, takes) {
			continue // ROOMS keys of other modes are no mistake
		}
		k.add(g.at, Warning, fmt.Sprintf("sync mode %s: %s has no effect", m.Name, g.name), fmt.Sprintf("None of auth = %s takes it.", quoteList(m.Auth)), "Delete it, or correct auth.")
	}
}

// stands says in which block a setting is; a variable's name says it itself.
func (t taken) stands(m SyncMode, plugin string) string {
	switch {
	case t.at.src == nil:
		return ""
	case t.named:
		return "It stands in " + m.blockName() + ". "
	}
	return "It stands in " + m.block(plugin) + ". "
}

// block names the block of a plugin's own settings.
func (m SyncMode) block(plugin string) string {
	path := freePath(plugin)
	of := fmt.Sprintf(" of sync_mode %q", m.Name)
	if m.Domain != "" {
		of = fmt.Sprintf(" of domain_override %q in sync_mode %q", m.Domain, m.Base)
	}
	if len(path) > 1 {
		return fmt.Sprintf("%s %q { … }", path[0], path[1]) + of
	}
	return path[0] + " { … }" + of
}

// path is that of a plugin's own setting, as variables are called.
func (m SyncMode) path(plugin, name string) []string {
	return slices.Concat(m.blockPath(), freePath(plugin), []string{name})
}
