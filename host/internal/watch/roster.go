package watch

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// The ways that this package knows, as store.Mailbox.Way has them.
const (
	streaming = "streaming"
	pull      = "pull"
)

// An id names a mailbox.
type id struct{ tenant, person string }

func (a id) compare(b id) int {
	return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.person, b.person))
}

// A place is what the mailboxes of a group have in common.
type place struct{ server, mode, url, way string }

// A member is a mailbox that is to be listened to.
type member struct {
	id    id
	row   store.Watched
	place place
	group *group // nil while another host listens at its server

	sub    *backend.Subscription // nil: to be made
	up     bool                  // it is being watched
	down   time.Time             // since when it is not
	told   bool                  // the engine knows that it is not
	unread bool                  // the engine is to be told that it is, because something may have been missed

	lostAt       time.Time // the last time its subscription was lost
	lost, failed int       // subscriptions lost, and refused, in a row
	unheard      int       // times in a row that asking failed
	retryAt      time.Time // no subscription is asked for before
}

// wayOf returns the way on which a mailbox is to be listened to; empty if on none.
func wayOf(row store.Watched) string {
	for _, way := range []string{row.TryWay, row.Way} {
		if way == streaming || way == pull {
			return way
		}
	}
	return ""
}

func placeOf(row store.Watched) place {
	return place{server: serverOf(row.Mode, row.URL), mode: strings.ToLower(row.Mode), url: row.URL, way: wayOf(row)}
}

// reload reads from the store who is to be listened to.
func (w *Watch) reload(ctx context.Context) error {
	const page = 1000
	all := map[id]store.Watched{}
	var after store.Watched
	for {
		rows, err := w.Store.Watched(ctx, after, page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			next := row
			next.Mode = w.Instance(row.Mode, row.Email)
			all[id{row.Tenant, row.Person}] = next
		}
		if len(rows) < page {
			break
		}
		after = rows[len(rows)-1]
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, m := range w.roster {
		if _, meant := all[k]; !meant {
			w.remove(m)
		}
	}
	for _, row := range all {
		w.put(row)
	}
	return nil
}

// look reads from the store those whose way was changed.
func (w *Watch) look(ctx context.Context) error {
	w.mu.Lock()
	changed := w.changed
	w.changed = map[id]bool{}
	w.mu.Unlock()
	for k := range changed {
		row, err := w.row(ctx, k)
		if err != nil {
			return err // all of them are read again soon
		}
		w.mu.Lock()
		w.put(row)
		w.mu.Unlock()
	}
	return nil
}

// row reads one mailbox. It has no way if it is not to be listened to.
func (w *Watch) row(ctx context.Context, k id) (store.Watched, error) {
	row := store.Watched{Tenant: k.tenant, Person: k.person}
	mb, found, err := w.Store.Mailbox(ctx, k.tenant, k.person)
	if err != nil || !found {
		return row, err
	}
	p, found, err := w.Store.Person(ctx, k.tenant, k.person)
	if err != nil || !found || p.SyncDisabled {
		return row, err
	}
	row.Epoch, row.Way, row.TryWay, row.Email, row.Mode, row.URL = mb.Epoch, mb.Way, mb.TryWay, p.Email, w.Instance(p.SyncMode, p.Email), p.SyncURL
	return row, nil
}

// put takes a mailbox into the roster, or out of it. The lock is held.
func (w *Watch) put(row store.Watched) {
	k := id{row.Tenant, row.Person}
	m, known := w.roster[k]
	if known {
		if m.row.Epoch == row.Epoch && m.row.Email == row.Email && m.place == placeOf(row) {
			m.row = row
			return
		}
		w.remove(m)
	}
	if wayOf(row) == "" || row.Email == "" || row.Mode == "" {
		return
	}
	w.roster[k] = &member{id: k, row: row, place: placeOf(row), down: time.Now()}
}

// remove takes a mailbox out. What is still heard of it is ignored. The lock is held.
func (w *Watch) remove(m *member) {
	delete(w.roster, m.id)
	w.leave(m)
}

func (w *Watch) leave(m *member) {
	if g := m.group; g != nil {
		delete(g.members, m.id)
		m.group = nil
		g.poke()
	}
	m.sub, m.up = nil, false
}

// arrange puts those into groups whose server is this host's affair, and takes the others out.
func (w *Watch) arrange(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.roster {
		s := w.servers[m.place.server]
		ours := s != nil && time.Now().Before(s.until)
		switch {
		case ours && m.group == nil:
			m.down, m.told, m.unread = time.Now(), false, true
			w.join(w.groupFor(ctx, m.place, s), m)
		case !ours && m.group != nil:
			w.leave(m)
		}
	}
}

func (w *Watch) join(g *group, m *member) {
	m.group = g
	g.members[m.id] = m
	g.poke()
}

// groupFor returns a group with room. The lock is held.
func (w *Watch) groupFor(ctx context.Context, p place, s *server) *group {
	room := backend.MaxWatched
	if p.way == pull {
		room = max(1, min(room, w.limits().BatchGetEvents))
	}
	list := w.groups[p]
	for i := len(list) - 1; i >= 0; i-- {
		if g := list[i]; !g.solo && len(g.members) < room {
			return g
		}
	}
	return w.newGroup(ctx, p, s)
}

func (w *Watch) newGroup(ctx context.Context, p place, s *server) *group {
	g := &group{watch: w, server: s, place: p, members: map[id]*member{}, wake: make(chan struct{}, 1)}
	w.groups[p] = append(w.groups[p], g)
	w.running.Go(func() { g.run(ctx) })
	return g
}

// retire ends a group that nobody is in; false if there is somebody.
func (w *Watch) retire(g *group) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(g.members) > 0 {
		return false
	}
	w.groups[g.place] = slices.DeleteFunc(w.groups[g.place], func(other *group) bool { return other == g })
	if len(w.groups[g.place]) == 0 {
		delete(w.groups, g.place)
	}
	return true
}
