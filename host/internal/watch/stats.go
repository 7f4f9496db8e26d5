package watch

import (
	"slices"
	"strings"
	"time"
)

// Stats says how listening goes on this host.
type Stats struct {
	Connections int              // open now
	Ways        map[string]Count // "streaming", "pull"
	Reopened    int64            // connections, ever, but for the first of each
	Lost        int64            // subscriptions, ever
	Groups      []Group
}

// A Count says how many mailboxes are to be listened to by this host, and how many are.
type Count struct{ Meant, Listened int }

// A Group is what one connection serves.
type Group struct {
	Server string // MODE@HOST; without a host, it is at the mode's own URL
	Way    string
	Count
	Since   time.Time // when it was connected; zero: it is not
	Problem string    // what went wrong last; empty if nothing since it was connected
}

// Stats returns a snapshot.
func (w *Watch) Stats() Stats {
	s := Stats{Ways: map[string]Count{}, Reopened: w.reopened.Load(), Lost: w.lost.Load()}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, list := range w.groups {
		for _, g := range list {
			out := Group{
				Server: g.place.server, Way: g.place.way, Since: g.connected, Problem: g.problem,
			}
			for _, m := range g.members {
				out.Meant++
				if m.up {
					out.Listened++
				}
			}
			way := s.Ways[out.Way]
			s.Ways[out.Way] = Count{way.Meant + out.Meant, way.Listened + out.Listened}
			s.Groups = append(s.Groups, out)
			if g.place.way == streaming && !g.connected.IsZero() {
				s.Connections++
			}
		}
	}
	slices.SortFunc(s.Groups, func(a, b Group) int { return strings.Compare(a.Server+a.Way, b.Server+b.Way) })
	return s
}
