package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/supervise"
)

// plugins says whether those that sync modes use are pinned, unchanged and running.
func (d *Doctor) plugins(ctx context.Context) []Finding {
	const area = "plugins"
	if d.Catalog == nil {
		return nil
	}
	cfg := d.Config()
	entries, err := d.Catalog()
	if err != nil {
		return []Finding{bad(area, cfg.Plugins.Dir, "no plugin can be started: "+err.Error(), "Put the plugins into this folder with roomwire plugin install, or run roomwire plugin lock if they are there.")}
	}
	catalog := map[string]supervise.Entry{}
	for _, e := range entries {
		if _, pinned := catalog[e.Name]; !pinned || e.State != supervise.StateUnknown {
			catalog[e.Name] = e
		}
	}
	running := map[string]supervise.PluginStatus{}
	if d.Plugins != nil {
		for _, p := range d.Plugins() {
			running[p.Name] = p
		}
	}
	var out []Finding
	seen := map[string]bool{}
	used := d.used(ctx)
	for _, m := range cfg.SyncModes {
		if !used(m.Name) && catalog["backend-"+m.Backend].State == "" {
			out = append(out, good(area, "backend-"+m.Backend, "it is not installed; nobody is in sync mode "+m.Name+", which needs it"))
			continue
		}
		names := []string{"backend-" + m.Backend}
		for _, a := range m.Auth {
			names = append(names, "auth-"+a)
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			out = append(out, d.plugin(name, catalog[name], running[name])...)
		}
	}
	return out
}

func (d *Doctor) plugin(name string, e supervise.Entry, p supervise.PluginStatus) []Finding {
	const area = "plugins"
	dir := d.Config().Plugins.Dir
	switch e.State {
	case "":
		return one(bad(area, name, "it is not in "+dir, "Add it with roomwire plugin install (or put its binary there and run roomwire plugin lock), or take it out of the sync modes that name it."))
	case supervise.StateMissing:
		return one(bad(area, name, e.State, "Put its binary back into "+dir+", or install it anew with roomwire plugin install."))
	case supervise.StateGood:
	default:
		return one(bad(area, name, e.State, "If the binary is the right one, run roomwire plugin lock; else put the right one back."))
	}
	switch {
	case !d.Running:
		return one(good(area, name, "pinned and unchanged"))
	case !p.Running && p.Loop:
		again := "is just being started again"
		if !p.Retry.IsZero() {
			again = "is tried again at " + p.Retry.Local().Format("15:04:05")
		}
		return one(bad(area, name, "it does not stay up, and "+again+": "+p.Problem, crashed(e, name)))
	case !p.Running:
		return one(bad(area, name, "it does not run: "+orElse(p.Problem, "it was not started yet"), crashed(e, name)))
	}
	return d.runningPlugin(name, e, p)
}

// crashed says what to do about a plugin that does not run.
func crashed(e supervise.Entry, name string) string {
	remedy := "The host's log has the plugin's own words."
	if e.Previous != nil {
		remedy += " If it is the new version's fault: roomwire plugin rollback " + name + "."
	}
	return remedy
}

// lately reports whether a moment is recent enough to be told of.
func (d *Doctor) lately(t time.Time) bool { return d.Now().Sub(t) < time.Hour }

func one(f Finding) []Finding { return []Finding{f} }

// runningPlugin says how a plugin is that runs.
func (d *Doctor) runningPlugin(name string, e supervise.Entry, p supervise.PluginStatus) []Finding {
	const area = "plugins"
	var out []Finding
	say := func(what, remedy string) { out = append(out, warn(area, name, what, remedy)) }
	if p.SHA256 != "" && p.SHA256 != e.SHA256 {
		say("the host runs another binary than the one that is pinned", "roomwire plugin restart "+name+" takes the pinned one.")
	}
	if p.Restarts > 0 && d.lately(p.Since) {
		what := fmt.Sprintf("version %s runs, started again %d times, last at %s", p.Version, p.Restarts, p.Since.Local().Format("15:04:05"))
		if p.LastEnd != "" && d.lately(p.LastEndAt) {
			what += ": " + p.LastEnd
		}
		say(what, crashed(e, name))
	}
	if limit := d.Config().Plugins.MemoryLimit; limit > 0 && p.Memory > limit/10*8 {
		say(fmt.Sprintf("it uses %d MiB of memory; above %d MiB it is replaced by a new process", p.Memory>>20, limit>>20), "If that is what it needs, raise plugins.memory_limit; else tell its author.")
	}
	if p.Calls.TimedOut*100 > p.Calls.Calls && d.lately(p.Calls.LastLate) {
		say(fmt.Sprintf("%d of its %d calls were given up because they took too long", p.Calls.TimedOut, p.Calls.Calls), "Look at its server first; if that is quick, the plugin hangs: roomwire plugin restart "+name+".")
	}
	if p.Dropped > 0 && d.lately(p.DroppedAt) {
		say(fmt.Sprintf("it writes so much to its log that %d lines were dropped", p.Dropped), "Raise log.level, or tell its author.")
	}
	if len(out) == 0 {
		out = one(good(area, name, fmt.Sprintf("version %s runs since %s", p.Version, p.Since.Local().Format("2006-01-02 15:04:05"))))
	}
	return out
}
