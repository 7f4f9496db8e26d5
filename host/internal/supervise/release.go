package supervise

import (
	"errors"
	"io"
)

// Close gives the handle back: its instance is closed in the plugin when the calls under way are done, and so are the
// identities that no other handle uses. A plugin that nobody has a handle of any more is stopped. New calls of a closed
// handle are fault.Unavailable.
func (b *Backend) Close() error {
	s := b.s
	s.mu.Lock()
	if !s.handles[b] {
		s.mu.Unlock()
		return nil
	}
	delete(s.handles, b)
	plugins, identities := map[string]bool{}, map[string]bool{}
	for h := range s.handles {
		plugins[h.spec.Plugin] = true
		for _, id := range h.spec.Identities {
			plugins[id.Plugin] = true
			identities[identityKey(id)] = true
		}
	}
	var over []io.Closer
	for key, a := range s.auths {
		if !identities[key] {
			delete(s.auths, key)
			over = append(over, closerOf(a.opened.release()))
		}
	}
	var idle []*keeper
	for name, k := range s.keepers {
		if !plugins[name] {
			delete(s.keepers, name)
			idle = append(idle, k)
		}
	}
	s.mu.Unlock()

	over = append([]io.Closer{closerOf(b.opened.release())}, over...) // the backend before what it logs in with
	var errs []error
	for _, c := range over {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	for _, k := range idle {
		if k.stop != nil {
			k.stop()
		}
	}
	return errors.Join(errs...)
}

func closerOf[T io.Closer](c T, is bool) io.Closer {
	if !is {
		return nil
	}
	return c
}
