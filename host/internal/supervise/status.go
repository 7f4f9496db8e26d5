package supervise

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/launch"
)

// PluginStatus says how a plugin is.
type PluginStatus struct {
	Name     string
	Kind     string // auth or backend
	Version  string // empty while it is down
	Protocol int    // major version of the wire; 0 while it is down
	File     string // name of the binary that runs, and its sum in hexadecimal; empty while it is down
	SHA256   string
	PID      int
	Running  bool
	Since    time.Time // of the last start or end
	Restarts int
	Problem  string // why it is down
	// Loop: it does not stay up, and is started more and more seldom.
	Loop      bool
	Retry     time.Time // when it is started again; zero while it runs or is being started
	LastEnd   string    // why the process before ended, if by itself, and when
	LastEndAt time.Time
	Memory    int64         // bytes, as last looked at
	CPU       time.Duration // used by the process that runs
	Dropped   int64         // lines of log that were too many, and when there were more the last time
	DroppedAt time.Time
	Calls     CallStats
	Modes     []string         // sync modes that use it, sorted
	Settings  []launch.Setting // that it declares; nil while it is down
	Abilities []string         // of a backend, as far as it was opened
}

// Status lists the plugins in use, by name.
func (s *Supervisor) Status() []PluginStatus {
	s.mu.Lock()
	keepers := make([]*keeper, 0, len(s.keepers))
	for _, k := range s.keepers {
		keepers = append(keepers, k)
	}
	modes, able := map[string][]string{}, map[string][]string{}
	for b := range s.handles {
		if b.retired.Load() {
			continue
		}
		modes[b.spec.Plugin] = append(modes[b.spec.Plugin], b.spec.Name)
		able[b.spec.Plugin] = append(able[b.spec.Plugin], b.abilities()...)
		for _, id := range b.spec.Identities {
			modes[id.Plugin] = append(modes[id.Plugin], b.spec.Name)
		}
	}
	s.mu.Unlock()
	all := make([]PluginStatus, len(keepers))
	for i, k := range keepers {
		all[i] = k.status()
		all[i].Modes, all[i].Abilities = sorted(modes[k.name]), sorted(able[k.name])
	}
	// One that only a mode of a configuration before uses, and that is gone, is nobody's trouble.
	all = slices.DeleteFunc(all, func(p PluginStatus) bool { return len(p.Modes) == 0 && !p.Running })
	slices.SortFunc(all, func(a, b PluginStatus) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func (k *keeper) status() PluginStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	kind, _, _ := strings.Cut(k.name, "-")
	st := PluginStatus{
		Name: k.name, Kind: kind, Running: k.now.process != nil, Since: k.since, Restarts: k.restarts, Retry: k.retry,
		Dropped: k.dropped, Calls: k.calls.stats(), DroppedAt: k.noisyAt,
		// One that has run for some time is forgiven, though it has not ended yet to prove it.
		Loop: k.loop >= loopAfter && (k.now.process == nil || time.Since(k.since) < goodRun),
	}
	if k.last != nil {
		st.LastEnd, st.LastEndAt = k.last.Error(), k.lastAt
	}
	if p := k.now.process; p != nil {
		about := p.Description()
		st.Version, st.Protocol, st.PID, st.Settings = about.Version, p.Protocol(), p.PID(), about.Settings
		st.File, st.SHA256 = k.now.file, k.now.sum
		st.Memory, st.CPU = k.used.Memory, k.used.CPU
		st.Dropped += p.LogDropped()
	} else if k.down != nil {
		st.Problem = fmt.Sprint(k.down)
	}
	return st
}
