package syncer

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// The ways in which changes are learnt of, as Mode.Notices and store.Mailbox.Way have them.
const (
	wayPush      = "push"      // the server calls in
	wayStreaming = "streaming" // a connection to the server is kept open
	wayPull      = "pull"      // the server is asked at intervals
	wayPoll      = "poll"      // the calendar is read by the clock
)

// arrival says for people how changes are learnt of.
func arrival(way string) string {
	switch way {
	case wayPush:
		return "notices arrive by push"
	case wayStreaming:
		return "notices arrive by streaming"
	case wayPull:
		return "notices are asked for at intervals"
	}
	return "changes are looked for by the clock"
}

// wayReason is what a person's state says of the way; nothing if it is the one that the sync mode prefers.
func wayReason(mb store.Mailbox) string {
	if mb.WayReason == "" {
		return ""
	}
	return arrival(mb.Way) + ": " + mb.WayReason
}

// noURL is why nobody of a tenant can be subscribed to.
const noURL = "no public URL is configured (set the tenant's root_url, or ExchangeServiceUrl)"

// A ladder holds the ways that a mailbox may be on, the best first. The last one always works.
type ladder struct {
	ways []string
	why  string // why the first is not the one that the sync mode prefers; empty if it is
}

func (e *Engine) ladder(mode Mode, tenant string) ladder {
	var l ladder
	watch := func(way string) {
		if way == wayStreaming && mode.Asking {
			way = wayPull
		}
		if mode.Watcher != nil {
			l.ways = append(l.ways, way)
		}
	}
	switch mode.Notices {
	case wayPoll:
	case wayPull:
		watch(wayPull)
	case wayStreaming:
		watch(wayStreaming)
		if mode.Asking {
			l.why = "this server has no connections on which it tells of changes"
		}
	default:
		switch {
		case mode.Pusher == nil:
		case e.NotificationURL(tenant, mode.Name) == "":
			l.why = noURL
		default:
			l.ways = append(l.ways, wayPush)
		}
		watch(wayStreaming)
	}
	l.ways = append(l.ways, wayPoll)
	return l
}

// above returns the ways that are better than way, the best first.
func (l ladder) above(way string) []string { return l.ways[:max(0, slices.Index(l.ways, way))] }

// below returns the next way after one that does not work.
func (l ladder) below(way string) string {
	return l.ways[min(slices.Index(l.ways, way)+1, len(l.ways)-1)]
}

// candidate is the better way to try. Whatever fails gives way to the one above it, so that each has its turn.
func candidate(better []string, falls int) string {
	return better[len(better)-1-falls%len(better)]
}

// arrange makes sure that changes of the mailbox are learnt of: it keeps the way that the mailbox is on, gives it up if it
// fails, and tries a better one when the time has come. It runs before the pull, so that nothing falls between the two.
func (e *Engine) arrange(ctx context.Context, p *pass) error {
	p.ladder = e.ladder(p.mode, p.mb.Tenant)
	first, known := p.ladder.ways[0], slices.Contains(p.ladder.ways, p.mb.Way)
	switch {
	case !known && first == wayPush:
		return e.renew(ctx, p, 0)
	case !known:
		return e.takeFirst(ctx, p, first)
	case p.mb.Way == wayPush:
		return e.keepPush(ctx, p)
	case p.mb.Way != first:
		return e.climb(ctx, p)
	case p.mb.WayReason != p.ladder.why || p.mb.TryWay != "" || !p.mb.ClimbAt.IsZero():
		return e.takeFirst(ctx, p, first) // better ways are not to be had any more
	}
	return nil
}

// takeFirst puts the mailbox on the first way of its ladder, one that needs no subscription of ours.
func (e *Engine) takeFirst(ctx context.Context, p *pass, way string) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		before := p.mb.Way
		if err := e.leavePush(ctx, tx, &p.mb); err != nil {
			return err
		}
		e.stand(tx, &p.mb, way, p.ladder.why)
		p.mb.ClimbAt, p.mb.Falls = zeroTime, 0
		if before != way {
			if err := e.record(ctx, tx, p.mb.Tenant, p.mb.Person, "", arrival(way), p.ladder.why); err != nil {
				return err
			}
		}
		return tx.SaveMailbox(ctx, p.mb)
	})
}

// stand puts mb on a way, without probation.
func (e *Engine) stand(tx *store.Tx, mb *store.Mailbox, way, reason string) {
	if mb.Way != way || mb.TryWay != "" {
		e.changed(tx, mb)
	}
	if from := mb.Way; from != way {
		tx.OnCommit(func() { e.Meter.WayChanged(from, way) })
	}
	mb.Way, mb.WayReason, mb.TryWay, mb.TrySince = way, reason, "", zeroTime
	if way != wayPoll {
		mb.PollAt = zeroTime
	}
}

// changed tells whoever listens that a mailbox has another way, once that is stored.
func (e *Engine) changed(tx *store.Tx, mb *store.Mailbox) {
	if e.WayChanged == nil {
		return
	}
	tenant, person := mb.Tenant, mb.Person
	tx.OnCommit(func() { e.WayChanged(tenant, person) })
}

// leavePush forgets the push subscription; the server is told when it sends its next message, or by EndLeftovers where its
// protocol has it told so.
func (e *Engine) leavePush(ctx context.Context, tx *store.Tx, mb *store.Mailbox) error {
	mb.SubscriptionID, mb.SubscribedAt, mb.Quiet, mb.RenewAt, mb.Silences = "", zeroTime, false, zeroTime, 0
	return tx.DropSubscriptions(ctx, mb.Tenant, mb.Person)
}

// fall puts mb, which is not saved, on the next way of the ladder after one that does not work.
func (e *Engine) fall(ctx context.Context, tx *store.Tx, mb *store.Mailbox, to, reason string) error {
	if err := e.leavePush(ctx, tx, mb); err != nil {
		return err
	}
	e.stand(tx, mb, to, reason)
	mb.Falls++
	mb.ClimbAt = e.now().Add(e.climbAfter(mb))
	e.Log.Info("a way to learn of changes was given up", "tenant", mb.Tenant, "person", mb.Person, "now", to, "why", reason)
	return e.record(ctx, tx, mb.Tenant, mb.Person, "", arrival(to), reason)
}

// fail ends the probation of a better way, or gives up the way that the mailbox is on.
func (e *Engine) fail(ctx context.Context, tx *store.Tx, mb *store.Mailbox, l ladder, reason string) error {
	if mb.TryWay == "" {
		return e.fall(ctx, tx, mb, l.below(mb.Way), reason)
	}
	if mb.TryWay == wayPush {
		if err := e.leavePush(ctx, tx, mb); err != nil {
			return err
		}
	}
	e.stand(tx, mb, mb.Way, reason)
	mb.Falls++
	mb.ClimbAt = e.now().Add(e.climbAfter(mb))
	return nil
}

// failInPass does as fail within a pass, which goes on.
func (e *Engine) failInPass(ctx context.Context, p *pass, reason string) error {
	way := p.mb.Way
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		if p.mb.Way != way {
			return fell(p.mb)
		}
		if err := e.fail(ctx, tx, &p.mb, p.ladder, reason); err != nil {
			return err
		}
		return tx.SaveMailbox(ctx, p.mb)
	})
}

// climbAfter is how long a way that failed is left alone. It doubles with every failure and differs between mailboxes, so
// that they do not come back all at once.
func (e *Engine) climbAfter(mb *store.Mailbox) time.Duration {
	limits := e.limits()
	d := limits.ClimbInterval
	for range min(max(mb.Falls, 1)-1, 16) {
		d = min(2*d, limits.ClimbMax)
	}
	return spread(d, mb.Tenant, mb.Person)
}

// spread makes d longer by up to a quarter, differently for each mailbox.
func spread(d time.Duration, tenant, person string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tenant + "/" + person))
	return d + d/4*time.Duration(h.Sum32()%100)/100
}

// climb tries a better way beside the one that the mailbox is on, which goes on until the better one has proved itself:
// push by a message that bears its token, the others by a word of those who listen (Listening).
func (e *Engine) climb(ctx context.Context, p *pass) error {
	now, better := e.now(), p.ladder.above(p.mb.Way)
	over := !p.mb.TrySince.Add(2 * e.limits().StatusFrequency).After(now)
	switch {
	case p.mb.TryWay == wayPush && slices.Contains(better, wayPush):
		return e.provePush(ctx, p, over)
	case slices.Contains(better, p.mb.TryWay):
		if over && len(better) > 1 { // else there is nothing to try instead
			return e.failInPass(ctx, p, "no connection came about; another way is tried in its place")
		}
		return nil
	case p.mb.ClimbAt.After(now):
		return nil
	}
	way := candidate(better, p.mb.Falls)
	if way == wayPush {
		return e.tryPush(ctx, p)
	}
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		if err := e.leavePush(ctx, tx, &p.mb); err != nil {
			return err
		}
		p.mb.TryWay, p.mb.TrySince = way, now
		e.changed(tx, &p.mb)
		return tx.SaveMailbox(ctx, p.mb)
	})
}

// greeting is how soon a server that reaches this host says so after it was subscribed to.
const greeting = 10 * time.Second

// wayDue is when the way of a mailbox needs a pass though nobody asks; zero if it does not.
func (e *Engine) wayDue(p *pass, now time.Time) time.Time {
	status, better := e.limits().StatusFrequency, p.ladder.above(p.mb.Way)
	switch {
	case p.mb.Way == wayPush && p.mb.Quiet:
		return p.mb.RenewAt // at the latest after a subscription interval: should messages be lost, that pass reads them
	case p.mb.Way == wayPush:
		return earliest(p.mb.RenewAt, silentAt(p.mb, status, now))
	case len(better) == 0:
		return zeroTime
	case p.mb.TryWay == wayPush:
		if greeted := p.mb.TrySince.Add(greeting); greeted.After(now) {
			return greeted
		}
		if first := p.mb.TrySince.Add(status + time.Minute); first.After(now) && status > time.Minute {
			return first // by then a sign of life should have come
		}
		return p.mb.TrySince.Add(2 * status)
	case p.mb.TryWay == "" && p.mb.ClimbAt.IsZero():
		return now
	case p.mb.TryWay == "":
		return p.mb.ClimbAt
	case len(better) > 1:
		return p.mb.TrySince.Add(2 * status)
	}
	return zeroTime
}

// FallBack has a mailbox give up the way that it is on, because somebody found that notices do not arrive. It changes
// nothing where calendars are read by the clock already.
func (e *Engine) FallBack(ctx context.Context, tenant, person, reason string) error {
	row, found, err := e.Store.Person(ctx, tenant, person)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("person %q: %w", person, booking.ErrNotFound)
	}
	mode, err := e.Modes.Mode(ctx, row.SyncMode, row.Email)
	if err != nil {
		return err
	}
	l := e.ladder(mode, tenant)
	return e.withMailbox(ctx, tenant, person, func(ctx context.Context, tx *store.Tx, mb *store.Mailbox) error {
		if next := l.below(mb.Way); slices.Contains(l.ways, mb.Way) && next != mb.Way {
			return e.fall(ctx, tx, mb, next, reason)
		}
		return nil
	})
}

// ClimbNow has the next better way tried at once, because whatever was in its way may be gone.
func (e *Engine) ClimbNow(ctx context.Context, tenant, person string) error {
	return e.withMailbox(ctx, tenant, person, func(_ context.Context, _ *store.Tx, mb *store.Mailbox) error {
		mb.ClimbAt = zeroTime
		return nil
	})
}
