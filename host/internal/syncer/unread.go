package syncer

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/roomwire/roomwire/sdk/fault"
)

// unread remembers in which sync modes it may not be read what rooms wrote. Nothing fails by it, so nobody else tells.
type unread struct {
	mu sync.Mutex
	by map[string]string // why, by the mode
}

func (u *unread) note(mode string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case err == nil:
		delete(u.by, mode)
	case errors.Is(err, fault.Forbidden):
		if u.by == nil {
			u.by = map[string]string{}
		}
		u.by[mode] = strings.TrimSuffix(sentence(err), ".")
	}
}

// An Unread is a sync mode in which it may not be read what rooms write when they decline.
type Unread struct{ Mode, Why string }

// Unread lists the sync modes in which the last attempt to read what a room wrote was forbidden, by name.
func (e *Engine) Unread() []Unread {
	e.unread.mu.Lock()
	defer e.unread.mu.Unlock()
	var out []Unread
	for _, mode := range slices.Sorted(maps.Keys(e.unread.by)) {
		out = append(out, Unread{mode, e.unread.by[mode]})
	}
	return out
}
