package watch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// fill listens to the members that have no subscription. Those that answered asks come in batches, so that who is there
// is asked for between.
func (g *group) fill(ctx context.Context) {
	g.giveUpLost(ctx)
	missing, alone := g.missing()
	if len(missing) == 0 || time.Now().Before(g.fillAt) {
		return
	}
	if alone {
		g.affinity = "" // wherever the group was, nothing of it is left there
	}
	if _, _, err := g.mode(ctx); err != nil {
		g.failed(err)
		g.fillAt = g.openAt
		return
	}
	l := &filling{group: g, proven: !alone}
	for len(missing) > 0 && g.affinity == "" && ctx.Err() == nil && l.stop == nil {
		l.listen(ctx, missing[0]) // the first decides where the others go
		missing = missing[1:]
		if l.made > 0 {
			break
		}
	}
	var all sync.WaitGroup
	for _, m := range missing {
		if ctx.Err() != nil || l.stopped() {
			break
		}
		g.server.listens <- struct{}{}
		all.Go(func() {
			defer func() { <-g.server.listens }()
			l.listen(ctx, m)
		})
	}
	all.Wait()
	l.conclude(ctx)
}

// missing returns the members to be listened to now, those that fail most last; alone is true if nobody else is left.
func (g *group) missing() (out []*member, alone bool) {
	g.watch.mu.Lock()
	defer g.watch.mu.Unlock()
	alone = true
	now := time.Now()
	for _, m := range g.members {
		if m.sub != nil {
			alone = false
		} else if !m.retryAt.After(now) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b *member) int {
		if a.failed != b.failed {
			return a.failed - b.failed
		}
		return strings.Compare(a.row.Email, b.row.Email)
	})
	if most := g.watch.limits().BatchSubscribe; g.place.way == pull && len(out) > max(1, most) {
		out = out[:max(1, most)]
	}
	return out, alone
}

// A filling is one round of Listen calls.
type filling struct {
	group *group

	mu     sync.Mutex
	made   int
	proven bool // the server serves others of the group
	failed []refusal
	stop   error // why it makes no sense to go on
}

type refusal struct {
	m   *member
	err error
}

func (l *filling) stopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stop != nil
}

// request is false if the member has left the group.
func (l *filling) request(m *member, url string) (backend.ListenRequest, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.group
	g.watch.mu.Lock()
	defer g.watch.mu.Unlock()
	req := backend.ListenRequest{Mailbox: backend.Mailbox{Address: m.row.Email, URL: url}, Group: g.affinity}
	if g.place.way == pull {
		req.Way, req.Timeout = backend.WayAsking, g.watch.limits().SubscriptionTimeout
	}
	return req, m.group == g
}

func (l *filling) listen(ctx context.Context, m *member) {
	g := l.group
	leave, err := g.server.enter(ctx, "")
	if err != nil {
		return
	}
	// It may have been configured anew while this waited: nobody logs in with what was before.
	mode, url, err := g.mode(ctx)
	if err != nil {
		leave(context.Canceled)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.stop = err
		return
	}
	req, there := l.request(m, url)
	if !there { // it left while this had to wait
		leave(context.Canceled)
		return
	}
	sub, err := mode.Watcher.Listen(ctx, req)
	leave(err)
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed = append(l.failed, refusal{m, err})
		switch fault.Of(err) {
		case fault.Unauthorized, fault.Forbidden:
			if refusesAll(err) {
				l.stop = err
			}
		case fault.Throttled:
			if wide(err) {
				l.stop = err
			}
		case fault.Unavailable, fault.Internal:
			if l.made == 0 && !l.proven {
				l.stop = err // most likely the others would meet the same
			}
		}
		return
	}
	l.made++
	if g.affinity == "" {
		g.affinity = sub.Group
	}
	g.watch.mu.Lock()
	defer g.watch.mu.Unlock()
	if m.group != g {
		return // it left meanwhile
	}
	m.sub, m.failed, m.unread = &sub, 0, true
}

// conclude says when to try those again that failed, and gives up those that cannot be listened to though others can.
func (l *filling) conclude(ctx context.Context) {
	g, limits := l.group, l.group.watch.limits()
	if ctx.Err() != nil {
		return
	}
	if l.stop != nil {
		g.failed(l.stop)
		g.fillAt = g.openAt
	}
	for _, r := range l.failed {
		if never(r.err) {
			g.giveUp(ctx, r.m, text(r.err))
			continue
		}
		g.watch.mu.Lock()
		r.m.failed++
		n := r.m.failed
		wait := backoff(n)
		if g.place.way == pull && n > 1 {
			wait = limits.SubscribeInterval
		}
		r.m.retryAt = time.Now().Add(max(wait, fault.After(r.err)))
		g.problem = text(r.err)
		g.watch.mu.Unlock()
		serves := l.proven || l.made > 0
		if n >= max(1, limits.FailedSubscribe) && (serves || !everybody(r.err)) {
			g.giveUp(ctx, r.m, text(r.err))
		}
	}
}

// never reports whether trying again soon makes no sense for a mailbox.
func never(err error) bool {
	switch fault.Of(err) {
	case fault.Unsupported, fault.Invalid, fault.MailboxNotFound, fault.NotFound:
		return true
	case fault.Forbidden:
		return !refusesAll(err)
	}
	return false
}

// everybody reports whether a fault is one that all mailboxes of a server meet, as a rule.
func everybody(err error) bool {
	kind := fault.Of(err)
	return kind == fault.Unavailable || kind == fault.Throttled || kind == fault.Unauthorized || refusesAll(err)
}

// errLostAgain is why a mailbox is given up whose subscriptions do not live.
var errLostAgain = errors.New("the server lost one subscription of this mailbox after the other")

func (g *group) giveUpLost(ctx context.Context) {
	var over []*member
	g.watch.mu.Lock()
	for _, m := range g.members {
		if m.lost >= max(1, g.watch.limits().FailedGetEvents) {
			over = append(over, m)
		}
	}
	g.watch.mu.Unlock()
	for _, m := range over {
		g.giveUp(ctx, m, errLostAgain.Error())
	}
}
