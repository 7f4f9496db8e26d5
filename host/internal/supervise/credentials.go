package supervise

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A Credential is one that an auth plugin logs in with for a sync mode.
type Credential struct {
	Mode, Plugin string
	What         string    // the setting that holds it
	Ends         time.Time // zero if it is not known
}

// Credentials lists those whose end auth plugins tell of, of the sync modes in use, by mode and setting. A plugin tells once
// it was opened: with a mode's first login.
func (s *Supervisor) Credentials() []Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Credential
	for b := range s.handles {
		if b.retired.Load() {
			continue
		}
		for _, id := range b.spec.Identities {
			a := s.auths[identityKey(id)]
			if a == nil {
				continue
			}
			if told := a.ends.Load(); told != nil {
				for _, x := range *told {
					out = append(out, Credential{Mode: b.spec.Name, Plugin: id.Plugin, What: x.What, Ends: x.At})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Credential) int {
		return cmp.Or(strings.Compare(a.Mode, b.Mode), strings.Compare(a.Plugin, b.Plugin), strings.Compare(a.What, b.What), endOrder(a.Ends, b.Ends))
	})
	// Where a mode has several accounts of a plugin, the one that ends first is told of.
	return slices.CompactFunc(out, func(a, b Credential) bool { return a.Mode == b.Mode && a.Plugin == b.Plugin && a.What == b.What })
}

// endOrder puts what ends first before, and what is not known last.
func endOrder(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}
