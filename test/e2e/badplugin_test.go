package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// A badPlugin misbehaves on command; see sdk/launch/testplugin/bad.
type badPlugin struct {
	name     string
	behave   string // at its start
	settings string // for its calls
	status   string // of its person's sync
	says     string // what `person show` says of it; empty: nothing
	listed   string // what `plugin list` says of it
	examined string // what doctor says of it
	figure   string // a figure that is not zero for it
	logged   string // what the host's log says of it
}

// secretOfBad must never be seen, however the plugin tells of it.
const secretOfBad = "s3cret-of-the-bad-plugin"

func everyBadPlugin() []badPlugin {
	return []badPlugin{{
		name: "exits", behave: "exit 3", status: "waiting", says: "exit status 3",
		listed: "it does not run", examined: "exit status 3", logged: "exit status 3",
	}, {
		name: "loops", behave: "crash 20ms", status: "waiting", says: "does not run",
		listed: "crash loop", examined: "does not stay up", figure: "roomwire_plugin_restarts_total", logged: "exit status 4",
	}, {
		name: "newer", behave: "wire 2", status: "waiting", says: "version 2",
		listed: "version 2", examined: "version 2", logged: "version 2",
	}, {
		name: "prints", behave: "print", status: "waiting", says: "standard output",
		listed: "standard output", examined: "standard output", logged: "standard output",
	}, {
		name: "hangs", settings: `misbehave = "hang"`, status: "waiting", says: "did not answer in time",
		listed: "took too long", examined: "took too long", figure: "roomwire_plugin_calls_timed_out_total", logged: "person=hangs",
	}, {
		name: "claims", behave: "claim pusher,watcher,finder", status: "ok",
		listed: "good", logged: "badclaims",
	}, {
		name: "chatters", behave: "print-after", status: "ok", listed: "good", logged: "badchatters",
	}, {
		name: "panics", settings: `misbehave = "panic"`, status: "waiting", says: "panicked",
		listed: "good", figure: "roomwire_plugin_calls_failed_total", logged: "panic while serving a call",
	}, {
		name: "grows", behave: "grow 300", status: "ok",
		listed: "MiB of memory, more than", examined: "MiB of memory", figure: "roomwire_plugin_restarts_total", logged: "plugins.memory_limit",
	}, {
		name: "floods", settings: `misbehave = "flood=10000"`, status: "ok",
		listed: "lines of its log were dropped", examined: "lines were dropped", figure: "roomwire_plugin_log_dropped_total", logged: "badfloods",
	}, {
		name: "leaks", settings: `misbehave = "leak"`, status: "waiting", says: "(secret)",
		listed: "good", figure: "roomwire_plugin_calls_failed_total", logged: "(secret)",
	}}
}

// TestBadPluginsHarmNobodyElse has every kind of bad plugin run at once, each for a person of its own.
func TestBadPluginsHarmNobodyElse(t *testing.T) {
	t.Parallel()
	if !seesProcesses {
		t.Skip("SKIPPED: only on Linux do these tests know how to find a plugin's process")
	}
	s := newSite(t, setup{stopped: true, sync: map[string]string{"attempt_timeout": `"5s"`}})
	s.panics = true
	s.replace("roomwire.hcl", "plugins {", "plugins {\n  memory_limit = 100")
	binary := s.buildPlugin("backend-bad", "../../sdk/launch/testplugin/bad")
	var hcl strings.Builder
	for _, b := range everyBadPlugin() {
		to := filepath.Join(s.plugins, program("roomwire-backend-bad"+b.name))
		if err := os.Link(binary, to); err != nil {
			t.Fatal(err)
		}
		if b.behave != "" {
			if err := os.WriteFile(to+".behave", []byte(b.behave), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&hcl, "sync_mode \"Bad-%s\" {\n  backend = \"bad%s\"\n  notices = \"poll\"\n  backend_settings {\n    token = %q\n    %s\n  }\n}\n",
			b.name, b.name, secretOfBad, b.settings)
	}
	s.appendHCL(hcl.String())
	s.must("plugin", "lock")
	s.serve()
	s.settleOnly("alice")
	for _, b := range everyBadPlugin() {
		s.must("person", "set", b.name, "--email", address(b.name), "--mode", "Bad-"+b.name)
	}
	for _, b := range everyBadPlugin() {
		t.Run(b.name, func(t *testing.T) {
			s.eventually("the person's state tells", func() error {
				st := s.state(b.name)
				shown := s.show(b.name)
				return yes(st.Status == b.status && strings.Contains(shown, b.says), "%+v\n%s", st, shown)
			})
			plugin := "backend-bad" + b.name
			s.eventually("the list tells", func() error {
				out, _, _ := s.roomwire("plugin", "list") // it ends with 1: not all is well
				var lines []string
				for line := range strings.Lines(out) {
					if strings.HasPrefix(line, plugin) {
						lines = append(lines, line)
					}
				}
				return yes(strings.Contains(strings.Join(lines, ""), b.listed), "%s", lines)
			})
			s.eventually("doctor tells", func() error {
				findings, _ := s.doctor()
				var said []string
				for _, f := range findings {
					if f.Area == "plugins" && f.Name == plugin {
						said = append(said, f.What)
					}
				}
				return yes(strings.Contains(strings.Join(said, "\n"), b.examined), "of %s it says %q", plugin, said)
			})
			if b.figure != "" {
				s.eventually("a figure tells", func() error {
					f, _ := s.figures()
					return yes(f.sum(b.figure, fmt.Sprintf("plugin=%q", plugin)) > 0, "%s of %s is 0", b.figure, plugin)
				})
			}
			if !strings.Contains(s.host.log.String(), b.logged) {
				t.Errorf("the log does not say %q", b.logged)
			}
		})
	}
	// Everybody else's sync goes on, both ways.
	s.put(meeting("fine", "alice", day(1, 9)))
	s.settleOnly(people...)
	s.outlook("alice", s.only("alice", hush+" fine").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	s.awaitChange("fine", "updated", "calendar")

	s.kill() // and no plugin outlives the host
	for _, text := range append(s.said, s.host.log.String()) {
		if strings.Contains(text, secretOfBad) {
			t.Errorf("the plugin's secret is told:\n%s", around(text, secretOfBad))
		}
	}
}
