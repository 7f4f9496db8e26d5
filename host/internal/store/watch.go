package store

import "sync"

// watchers are those who wait for a tenant's change feed to grow.
type watchers struct {
	mu sync.Mutex
	of map[string]map[chan struct{}]struct{}
}

// WatchChanges returns a channel that gets a value after changes of the tenant were committed by this process. Several
// commits may give one value, so read the feed until it is empty; on PostgreSQL other hosts commit, too, so look again
// now and then. cancel ends the watch.
func (s *Store) WatchChanges(tenant string) (changed <-chan struct{}, cancel func()) {
	w := &s.watch
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = map[string]map[chan struct{}]struct{}{}
	}
	if w.of[tenant] == nil {
		w.of[tenant] = map[chan struct{}]struct{}{}
	}
	w.of[tenant][c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.of[tenant], c)
		if len(w.of[tenant]) == 0 {
			delete(w.of, tenant)
		}
	}
}

func (w *watchers) wake(tenant string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.of[tenant] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
