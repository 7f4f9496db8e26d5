package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/fault"
)

// How a group goes about it.
const (
	listenFor  = 30 * time.Minute // how long one streaming call lasts at most
	quietFor   = 5 * time.Minute  // a streaming connection without any sign of life is cut after this long
	early      = time.Minute      // a connection that ends this long before its time was broken off
	firstRetry = time.Second      // after a failed call; doubles …
	lastRetry  = 5 * time.Minute  // … up to this
	lostAgain  = 5 * time.Minute  // a subscription lost twice within this time does not fit into its group
)

// A group is watched by one call of its server's Watcher at a time. What run alone uses is not protected.
type group struct {
	watch  *Watch
	server *server
	place  place
	solo   bool // for a mailbox whose subscription does not live among others
	wake   chan struct{}

	affinity string // what Listen said for the first of the group
	failures int    // calls failed in a row
	openAt   time.Time
	fillAt   time.Time

	// protected by Watch.mu
	members   map[id]*member
	anew      bool      // the mode was configured anew: what is open is opened again
	connected time.Time // since when; zero: it is not
	problem   string
}

// poke has the group look at its members again. It never blocks.
func (g *group) poke() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// trouble says why nobody is listened to. The lock is held.
func (g *group) trouble() string {
	if g.problem != "" {
		return g.problem
	}
	return "no connection to the server came about"
}

// run watches until ctx ends, or nobody is left in the group.
func (g *group) run(ctx context.Context) {
	var now *call
	defer func() {
		if now != nil {
			g.cut(ctx, now)
		}
	}()
	for ctx.Err() == nil && !g.watch.retire(g) {
		if g.takeAnew() {
			if now != nil {
				g.cut(ctx, now)
				now = nil
			}
			g.failures, g.openAt, g.fillAt = 0, time.Time{}, time.Time{}
		}
		g.fill(ctx)
		subs := g.subscribed()
		if now != nil && g.place.way == streaming && !now.covers(subs) {
			g.cut(ctx, now)
			now = nil
		}
		if now == nil && len(subs) > 0 && !time.Now().Before(g.openAt) {
			now = g.open(ctx)
		}
		var ended chan error
		if now != nil {
			ended = now.ended
		}
		t := time.NewTimer(g.pause(now))
		select {
		case <-ctx.Done():
		case <-g.wake:
			sleep(ctx, debounce)
		case err := <-ended:
			g.after(ctx, now, err)
			now = nil
		case <-t.C:
			if now != nil && now.quiet() > quietFor && g.place.way == streaming {
				g.cut(ctx, now)
				g.failed(fmt.Errorf("the connection showed no sign of life for %s: %w", quietFor, fault.Unavailable))
				now = nil
			}
		}
		t.Stop()
	}
}

// takeAnew reports whether the mode was configured anew; nobody of the group rests because of what was before.
func (g *group) takeAnew() bool {
	g.watch.mu.Lock()
	defer g.watch.mu.Unlock()
	if !g.anew {
		return false
	}
	g.anew = false
	for _, m := range g.members {
		m.retryAt = time.Time{}
	}
	return true
}

// pause is how long there is nothing to do by the clock.
func (g *group) pause(now *call) time.Duration {
	next := time.Now().Add(quietFor)
	soonest := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	g.watch.mu.Lock()
	missing, there := false, false
	for _, m := range g.members {
		if m.sub == nil {
			missing = true
			soonest(later(m.retryAt, g.fillAt))
		} else {
			there = true
		}
	}
	g.watch.mu.Unlock()
	if now == nil && there {
		soonest(g.openAt)
	}
	wait := time.Until(next)
	if missing && wait < firstRetry/10 {
		wait = firstRetry / 10 // a batch of several has more to make; what is listened to has its turn between
	}
	return max(0, wait)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// backoff is how long to wait after the nth failure in a row.
func backoff(n int) time.Duration {
	d := min(firstRetry<<min(max(n, 1)-1, 16), lastRetry)
	return d - rand.N(d/4+1)
}

// mode returns the sync mode, and where the group's mailboxes are reached.
func (g *group) mode(ctx context.Context) (syncer.Mode, string, error) {
	mode, err := g.watch.Modes.Mode(ctx, g.place.mode)
	if err != nil {
		return mode, "", err
	}
	if mode.Watcher == nil {
		return mode, "", fmt.Errorf("the backend of sync mode %s cannot listen: %w", mode.Name, fault.Unsupported)
	}
	url := g.place.url
	if url == "" {
		url = mode.URL
	}
	if mode.Admit != nil {
		mode.Admit(url)
	}
	return mode, url, nil
}

// subscribed returns the members that can be watched, by subscription.
func (g *group) subscribed() map[string]*member {
	g.watch.mu.Lock()
	defer g.watch.mu.Unlock()
	subs := map[string]*member{}
	for _, m := range g.members {
		if m.sub != nil {
			subs[m.sub.ID] = m
		}
	}
	return subs
}

// cut ends a call. What the server told in that moment may be lost.
func (g *group) cut(ctx context.Context, c *call) {
	c.cancel()
	g.watch.Log.Trace("a call was cut", "server", g.place.server, "way", g.place.way, "end", <-c.ended)
	g.disconnect(c, "")
	if ctx.Err() == nil {
		g.watch.reopened.Add(1)
	}
}

// disconnect records that nobody is watched any more, and that what was told last may not have been heard.
func (g *group) disconnect(c *call, problem string) {
	g.watch.mu.Lock()
	defer g.watch.mu.Unlock()
	now := time.Now()
	g.connected = time.Time{}
	if problem != "" {
		g.problem = problem
	}
	for _, m := range c.set() {
		if m.up {
			m.up, m.down = false, now
		}
		// Who asks goes on from a mark that says what was heard.
		m.unread = m.unread || g.place.way == streaming && c.heard()
	}
}

// after deals with the end of a call.
func (g *group) after(ctx context.Context, c *call, err error) {
	if ctx.Err() != nil {
		g.disconnect(c, "")
		return
	}
	if c.heard() {
		g.failures = 0
	}
	if err == nil {
		g.openAt = time.Now()
		if g.place.way == pull { // asked and answered
			g.openAt = g.openAt.Add(g.watch.limits().TaskInterval)
			for _, m := range c.unheard() {
				g.giveUp(ctx, m, "the server answers for others, and not for this mailbox")
			}
		}
		return
	}
	g.disconnect(c, text(err))
	g.watch.reopened.Add(1)
	g.failed(err)
	if doesNotFit(err) {
		g.part(ctx, c, err)
	}
}

// failed has the next call wait.
func (g *group) failed(err error) {
	g.failures++
	g.openAt = time.Now().Add(max(backoff(g.failures), fault.After(err)))
	g.watch.mu.Lock()
	g.problem = text(err)
	g.watch.mu.Unlock()
	g.watch.Log.Debug("listening failed; it is tried again", "server", g.place.server, "way", g.place.way,
		"failures", g.failures, "error", err)
}

// doesNotFit reports whether a call failed because of one of its mailboxes, most likely the one in whose name it is made.
func doesNotFit(err error) bool {
	switch fault.Of(err) {
	case fault.Invalid, fault.NotFound, fault.MailboxNotFound, fault.MailboxMoved, fault.Unsupported:
		return true
	case fault.Forbidden:
		return !refusesAll(err)
	}
	return false
}

// part gives the mailbox in whose name a failed call was made a group of its own. If it is alone already, it is the one
// that cannot be listened to.
func (g *group) part(ctx context.Context, c *call, err error) {
	g.watch.mu.Lock()
	m := c.first
	if m == nil || m.group != g {
		g.watch.mu.Unlock()
		return
	}
	if len(g.members) > 1 {
		g.isolate(ctx, m)
		g.openAt = time.Now()
		g.watch.mu.Unlock()
		return
	}
	g.watch.mu.Unlock()
	g.giveUp(ctx, m, text(err))
}

// isolate moves a member into a group of its own, where it is listened to anew. The lock is held.
func (g *group) isolate(ctx context.Context, m *member) {
	g.watch.leave(m)
	own := g.watch.newGroup(ctx, g.place, g.server)
	own.solo = true
	m.unread = true
	g.watch.join(own, m)
}

// giveUp tells the engine that a mailbox cannot be listened to. Until the engine has taken it off the roster, it rests.
func (g *group) giveUp(ctx context.Context, m *member, reason string) {
	g.watch.mu.Lock()
	m.sub, m.up, m.lost, m.failed, m.unheard = nil, false, 0, 0, 0
	m.retryAt = time.Now().Add(lastRetry)
	row := m.row
	g.watch.mu.Unlock()
	if err := g.watch.Engine.CannotListen(ctx, g.place.way, row, reason); err != nil {
		g.watch.complain(ctx, "cannot record that a mailbox cannot be listened to; it is tried again", err)
		return
	}
	g.watch.Changed(row.Tenant, row.Person)
}

// wide reports whether a fault concerns everybody at the server; it does unless it says otherwise.
func wide(err error) bool {
	fe, ok := errors.AsType[*fault.Error](err)
	return !ok || fe.Scope == fault.ScopeServer
}

// text is err for people.
func text(err error) string {
	if fe, ok := errors.AsType[*fault.Error](err); ok {
		return fe.Error()
	}
	return err.Error()
}
