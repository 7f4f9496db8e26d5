package watch

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// A call watches a group until it is cut or fails; the connections that a server closes in good order are opened again.
type call struct {
	group  *group
	cancel context.CancelFunc
	ended  chan error // of capacity 1
	last   atomic.Int64
	any    atomic.Bool // something was heard at all

	// protected by Watch.mu
	subs      map[string]*member
	first     *member          // in whose name the call is made
	mentioned map[*member]bool // asking: who was heard of
	all       bool             // asking: everybody was
}

// open begins a call with all members that have a subscription.
func (g *group) open(ctx context.Context) *call {
	inner, cancel := context.WithCancel(ctx)
	c := &call{group: g, cancel: cancel, ended: make(chan error, 1), subs: g.subscribed(), mentioned: map[*member]bool{}}
	g.watch.running.Go(func() { c.ended <- c.run(ctx, inner) })
	return c
}

// covers reports whether the call watches all of these.
func (c *call) covers(subs map[string]*member) bool {
	c.group.watch.mu.Lock()
	defer c.group.watch.mu.Unlock()
	for sub := range subs {
		if c.subs[sub] == nil {
			return false
		}
	}
	return true
}

func (c *call) sign()       { c.last.Store(time.Now().UnixNano()) }
func (c *call) heard() bool { return c.any.Load() }

// quiet is how long the server has shown no sign of life; a call that waits for its turn is not quiet.
func (c *call) quiet() time.Duration {
	last := c.last.Load()
	if last == 0 {
		return 0
	}
	return time.Since(time.Unix(0, last))
}

// set returns those that the call watches and that are still in the group, in the order in which everybody locks mailboxes.
// The lock is held.
func (c *call) set() []*member {
	var out []*member
	for sub, m := range c.subs {
		if m.group == c.group && m.sub != nil && m.sub.ID == sub {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b *member) int { return a.id.compare(b.id) })
	return out
}

// run makes the call. Its connections are charged to the server's account until it ends.
func (c *call) run(ctx, inner context.Context) (err error) {
	g := c.group
	if _, _, err := g.mode(inner); err != nil {
		return err
	}
	leave, err := g.server.enter(inner, g.place.way)
	if err != nil {
		return err
	}
	defer func() {
		if inner.Err() != nil {
			err = inner.Err() // it was cut: that says nothing of the server
		}
		leave(err)
	}()
	for {
		// Asked for each time: it may have been configured anew while this waited, or since the last connection.
		mode, url, err := g.mode(inner)
		if err != nil {
			c.inNobodysName()
			return err
		}
		req := c.request(url)
		if len(req.Watched) == 0 {
			return nil
		}
		c.sign()
		began := time.Now()
		err = mode.Watcher.Watch(inner, req, func(hints []backend.Hint) error { return c.emit(ctx, hints) })
		if err != nil || inner.Err() != nil {
			return err
		}
		if g.place.way == pull {
			c.any.Store(true)
			return c.connected(ctx)
		}
		g.watch.reopened.Add(1)
		if time.Since(began) < listenFor-early {
			c.broken()
			if !sleep(inner, firstRetry) {
				return inner.Err()
			}
		}
	}
}

// inNobodysName records that what comes next is no mailbox's fault.
func (c *call) inNobodysName() {
	c.group.watch.mu.Lock()
	defer c.group.watch.mu.Unlock()
	c.first = nil
}

// broken records that a connection ended before its time: what was told last may not have been heard.
func (c *call) broken() {
	c.group.watch.mu.Lock()
	defer c.group.watch.mu.Unlock()
	for _, m := range c.set() {
		m.unread = true
	}
}

func (c *call) request(url string) backend.WatchRequest {
	c.group.watch.mu.Lock()
	defer c.group.watch.mu.Unlock()
	req := backend.WatchRequest{Way: backend.WayAsking}
	if c.group.place.way == streaming {
		req.Way, req.For = backend.WayStreaming, listenFor
	}
	c.first = nil
	for _, m := range c.set() {
		if c.first == nil {
			c.first = m
		}
		req.Watched = append(req.Watched, backend.Watched{
			Mailbox: backend.Mailbox{Address: m.row.Email, URL: url}, Subscription: *m.sub,
		})
	}
	return req
}

// emit makes durable what was heard.
func (c *call) emit(ctx context.Context, hints []backend.Hint) error {
	c.sign()
	changed, marks := c.understand(ctx, hints)
	if len(changed) > 0 {
		if err := c.group.watch.notices.add(ctx, changed); err != nil {
			c.broken() // they are read when the connection stands again
			return err
		}
	}
	c.group.watch.mu.Lock()
	for m, mark := range marks {
		if m.sub != nil {
			m.sub.Mark = mark
		}
	}
	c.group.watch.mu.Unlock()
	if c.group.place.way == pull || !slices.ContainsFunc(hints, func(h backend.Hint) bool { return h.Kind != backend.Lost }) {
		return nil // a subscription that is lost does not prove a connection
	}
	c.any.Store(true)
	return c.connected(ctx)
}

// understand sorts hints: whose mailboxes changed, and where to go on once that is durable. What is lost is listened to
// anew.
func (c *call) understand(ctx context.Context, hints []backend.Hint) (changed []id, marks map[*member]string) {
	g, now := c.group, time.Now()
	g.watch.mu.Lock()
	defer g.watch.mu.Unlock()
	marks = map[*member]string{}
	for _, h := range hints {
		c.all = c.all || h.Subscription == "" && h.Kind == backend.Alive
		m := c.subs[h.Subscription]
		if m == nil || m.group != g || m.sub == nil || m.sub.ID != h.Subscription {
			continue
		}
		c.mentioned[m] = true
		if h.Kind == backend.Lost {
			g.lose(ctx, m)
			continue
		}
		if m.lost > 0 && now.Sub(m.lostAt) > lostAgain {
			m.lost = 0
		}
		if h.Kind == backend.Dirty {
			changed = append(changed, m.id)
		}
		if h.Mark != "" {
			marks[m] = h.Mark
		}
	}
	return changed, marks
}

// lose has a member listened to anew: in its group at first, and in a group of its own if it is lost again soon. The
// lock is held.
func (g *group) lose(ctx context.Context, m *member) {
	now := time.Now()
	again := m.lost > 0 && now.Sub(m.lostAt) < lostAgain
	g.watch.lost.Add(1)
	m.sub, m.unread = nil, true
	if m.up {
		m.up, m.down = false, now
	}
	if now.Sub(m.lostAt) > 2*lastRetry {
		m.lost = 0 // the former one lived for a while
	}
	m.lost, m.lostAt = m.lost+1, now
	if m.lost > 1 {
		m.retryAt = now.Add(backoff(m.lost - 1))
	}
	if again && !g.solo && len(g.members) > 1 {
		g.isolate(ctx, m)
		return
	}
	g.poke()
}

// heardOf reports whether the call proves that a member is listened to: a connection does so for all, an answer for the
// one that was asked about. The lock is held.
func (c *call) heardOf(m *member) bool {
	return c.group.place.way == streaming || c.all || c.mentioned[m]
}

// unheard counts for whom asking failed, though others were answered. Who has failed too often is returned.
func (c *call) unheard() (over []*member) {
	w := c.group.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range c.set() {
		if c.heardOf(m) {
			continue
		}
		if m.up {
			m.up, m.down = false, time.Now()
		}
		if m.unheard++; m.unheard >= max(1, w.limits().FailedGetEvents) {
			over = append(over, m)
		}
	}
	return over
}

// connected records that everybody in the call is watched, and tells the engine of those that it does not know to be.
func (c *call) connected(ctx context.Context) error {
	g := c.group
	g.server.good()
	var tell []*member
	var rows []store.Watched
	g.watch.mu.Lock()
	if g.connected.IsZero() {
		g.connected = time.Now()
	}
	g.problem = ""
	for _, m := range c.set() {
		if !c.heardOf(m) {
			continue
		}
		m.up, m.unheard = true, 0
		if m.unread {
			m.unread = false
			tell, rows = append(tell, m), append(rows, m.row)
		}
	}
	g.watch.mu.Unlock()
	if len(tell) == 0 {
		return nil
	}
	err := g.watch.Engine.Listening(ctx, g.place.way, rows)
	g.watch.mu.Lock()
	defer g.watch.mu.Unlock()
	for _, m := range tell {
		if err != nil {
			m.unread = true
		} else {
			m.told = false
		}
	}
	return err
}
