package syncer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// TokenHash is the form in which a notification token is stored.
func TokenHash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// silentAt is when a push subscription has been silent for twice its status interval.
func silentAt(mb store.Mailbox, status time.Duration, now time.Time) time.Time {
	heard := mb.SubscribedAt
	if mb.LastHeard.After(heard) {
		heard = mb.LastHeard
	}
	if heard.IsZero() {
		return now
	}
	return heard.Add(2 * status)
}

// grantedSub returns the subscription that the server granted.
func (e *Engine) grantedSub(ctx context.Context, p *pass) (store.Subscription, bool, error) {
	subs, err := e.Store.Subscriptions(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil {
		return store.Subscription{}, false, ours(err)
	}
	for _, s := range subs {
		if s.Active {
			return s, true, nil
		}
	}
	return store.Subscription{}, false, nil
}

// mostSilences is how many push subscriptions in a row may be silent before the mailbox falls back to another way.
const mostSilences = 2

// keepPush renews the push subscription when its time has come. One that is silent is renewed, too, because servers forget
// subscriptions; when its successor is just as silent, no message finds its way here.
func (e *Engine) keepPush(ctx context.Context, p *pass) error {
	sub, active, err := e.grantedSub(ctx, p)
	if err != nil {
		return err
	}
	now, status := e.now(), e.limits().StatusFrequency
	silences := 0
	if active && sub.Mode == p.mode.Name && p.mb.RenewAt.After(now) {
		if p.mb.Quiet || silentAt(p.mb, status, now).After(now) {
			return nil
		}
		// One that is to be renewed anyway, as all are when no host ran for a while, is not called silent.
		if silences = 1; sub.LastHeard.IsZero() {
			silences = p.mb.Silences + 1
		}
	}
	if silences >= mostSilences {
		return e.failInPass(ctx, p, fmt.Sprintf("nothing was heard of %d push subscriptions in a row for twice %s, though the server shall show a sign of life every %s", silences, status, status))
	}
	return e.renew(ctx, p, silences)
}

// toleratedFailures is how many passes in a row may end because the server does not grant a push subscription.
const toleratedFailures = 2

// renew subscribes for push. A server that refuses has the mailbox fall back to another way, and so does one that grants no
// subscription again and again though the calendar can be read.
func (e *Engine) renew(ctx context.Context, p *pass, silences int) error {
	sub, err := e.ask(ctx, p)
	if denied(err) {
		e.Log.Warn("a mailbox cannot be subscribed to; another way is taken",
			"tenant", p.mb.Tenant, "person", p.mb.Person, "error", err.Error())
		return e.refuse(ctx, p, sentence(err))
	}
	if err != nil {
		if k := fault.Of(err); ctx.Err() == nil && p.mb.Failures >= toleratedFailures && (k == fault.Unavailable || k == fault.Internal) {
			if _, own := errors.AsType[storeError](err); !own {
				p.noPush = err
				return nil
			}
		}
		return err
	}
	return e.granted(ctx, p, sub, func(tx *store.Tx, _ bool) error {
		e.stand(tx, &p.mb, wayPush, "")
		p.mb.Silences, p.mb.ClimbAt = silences, zeroTime
		if p.mb.Quiet && p.mb.LastHeard.After(p.mb.SubscribedAt) {
			p.mb.Falls = 0 // it has proved itself since
		}
		return e.record(ctx, tx, p.mb.Tenant, p.mb.Person, "", "subscribed", arrival(wayPush))
	})
}

// refuse puts the mailbox, which may not have been on push yet, on the way below it.
func (e *Engine) refuse(ctx context.Context, p *pass, reason string) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		if err := e.fall(ctx, tx, &p.mb, p.ladder.below(wayPush), reason); err != nil {
			return err
		}
		return tx.SaveMailbox(ctx, p.mb)
	})
}

// denied reports whether a server will not grant a subscription however often it is asked.
func denied(err error) bool {
	switch fault.Of(err) {
	case fault.Unsupported, fault.SubscriptionLost, fault.Invalid, fault.Forbidden:
		_, own := errors.AsType[storeError](err)
		return !own
	}
	return false
}

// tryPush makes a push subscription on probation; a quiet one is taken at its word, because nothing would be heard of it.
func (e *Engine) tryPush(ctx context.Context, p *pass) error {
	since := e.now() // a message may be faster than the answer
	sub, err := e.ask(ctx, p)
	if _, own := errors.AsType[storeError](err); own || err != nil && ctx.Err() != nil || errors.Is(err, fault.Unauthorized) {
		return err
	}
	if err != nil {
		// The way that the mailbox is on works, or the pull will say what is wrong.
		return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			p.mb.TryWay = wayPush
			if err := e.fail(ctx, tx, &p.mb, p.ladder, sentence(err)); err != nil {
				return err
			}
			return tx.SaveMailbox(ctx, p.mb)
		})
	}
	return e.granted(ctx, p, sub, func(tx *store.Tx, known bool) error {
		if !known {
			return nil // it has another turn
		}
		if sub.Quiet {
			e.stand(tx, &p.mb, wayPush, "")
			p.mb.Silences, p.mb.ClimbAt = 0, zeroTime
			return e.record(ctx, tx, p.mb.Tenant, p.mb.Person, "", arrival(wayPush), "the server granted a subscription")
		}
		p.mb.TryWay, p.mb.TrySince = wayPush, since
		e.changed(tx, &p.mb)
		return nil
	})
}

// provePush ends the probation of push: well if something was heard, badly if it is over.
func (e *Engine) provePush(ctx context.Context, p *pass, over bool) error {
	sub, active, err := e.grantedSub(ctx, p)
	if err != nil {
		return err
	}
	heard := active && (sub.Quiet || !sub.LastHeard.IsZero()) || p.mb.LastHeard.After(p.mb.TrySince)
	switch {
	case !heard && !active:
		return e.tryPush(ctx, p) // it was dropped meanwhile, and without one nothing can be heard
	case !heard && over:
		return e.failInPass(ctx, p, fmt.Sprintf("push was tried, and nothing was heard for %s", 2*e.limits().StatusFrequency))
	case !heard:
		return nil
	}
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		e.stand(tx, &p.mb, wayPush, "")
		p.mb.Falls, p.mb.Silences, p.mb.ClimbAt = 0, 0, zeroTime
		if err := e.record(ctx, tx, p.mb.Tenant, p.mb.Person, "", arrival(wayPush), "a message of the server arrived"); err != nil {
			return err
		}
		return tx.SaveMailbox(ctx, p.mb)
	})
	if err != nil || active {
		return err
	}
	return e.renew(ctx, p, 0) // what was heard is that the subscription is lost
}

// An asked is a subscription that the server granted.
type asked struct {
	backend.Subscription
	token   []byte    // hash of the token that its messages bear
	way     string    // the way that the mailbox was on when it was asked for
	renewAt time.Time // when the one before was to be renewed, as it was asked for
}

// ask asks the server for a push subscription.
func (e *Engine) ask(ctx context.Context, p *pass) (asked, error) {
	old, active, err := e.grantedSub(ctx, p)
	if err != nil {
		return asked{}, err
	}
	token, way := newToken(), p.mb.Way
	hash, url := TokenHash(token), e.NotificationURL(p.mb.Tenant, p.mode.Name)
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		if p.mb.Way != way {
			return fell(p.mb)
		}
		return tx.AddSubscription(ctx, store.Subscription{
			Tenant: p.mb.Tenant, Person: p.mb.Person, TokenHash: hash, Mode: p.mode.Name, Created: e.now(),
			URL: url, Email: p.mailbox.Address, MailboxURL: p.mailbox.URL,
		})
	})
	if err != nil {
		return asked{}, err
	}
	e.Failpoint("subscribe:token-stored")
	out := asked{token: hash, way: way, renewAt: p.mb.RenewAt}
	req := backend.SubscribeRequest{
		Mailbox: p.mailbox, URL: url + "&k=" + token, StatusInterval: e.limits().StatusFrequency,
	}
	// Another mode's is none of this one's, and one that calls elsewhere is not worth keeping.
	if active && old.Mode == p.mode.Name && (old.URL == "" || old.URL == url) {
		req.Existing = &backend.Subscription{ID: old.ID, Quiet: old.Quiet}
	}
	got, err := p.mode.Pusher.Subscribe(ctx, req)
	if err != nil {
		return asked{}, err
	}
	e.Failpoint("subscribe:granted")
	out.Subscription = got
	if got.Kept && req.Existing != nil {
		out.token = old.TokenHash
	}
	return out, nil
}

// fell ends a pass whose mailbox was put on another way meanwhile, as FallBack does: what it was about to do would undo that.
func fell(mb store.Mailbox) error {
	return fmt.Errorf("the way in which notices of %s arrive: %w", mb.Person, store.ErrMoved)
}

// granted records a subscription; then says what it means for the mailbox, which is saved afterwards. known is false if the
// subscription was dropped while it was asked for.
func (e *Engine) granted(ctx context.Context, p *pass, sub asked, then func(tx *store.Tx, known bool) error) error {
	now := e.now()
	err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		lost := !p.mb.RenewAt.Equal(sub.renewAt) // while it was asked for, somebody wanted it renewed
		_, known, err := tx.SubscriptionByToken(ctx, sub.token)
		if err != nil {
			return err
		}
		if !known && p.mb.Way != sub.way {
			return fell(p.mb)
		}
		if err := then(tx, known); err != nil {
			return err
		}
		if !known {
			// News came that subscriptions of this mailbox are lost, and took this one along: the next pass asks anew.
			p.mb.SubscriptionID, p.mb.Quiet, p.mb.RenewAt = "", false, now
			if err := e.unwanted(ctx, tx, p, sub); err != nil {
				return err
			}
			return tx.SaveMailbox(ctx, p.mb)
		}
		p.mb.SubscriptionID, p.mb.SubscribedAt, p.mb.Quiet = sub.ID, now, sub.Quiet
		p.mb.RenewAt = now.Add(e.limits().SubscriptionInterval)
		if !sub.Expires.IsZero() {
			p.mb.RenewAt = earliest(p.mb.RenewAt, now.Add(sub.Expires.Sub(now)/2))
		}
		if lost {
			p.mb.RenewAt = now
		}
		grant := store.Grant{TokenHash: sub.token, ID: sub.ID, Quiet: sub.Quiet, At: now}
		if err := tx.ActivateSubscription(ctx, p.mb.Tenant, p.mb.Person, grant); err != nil {
			return err
		}
		return tx.SaveMailbox(ctx, p.mb)
	})
	if !errors.Is(err, store.ErrMoved) {
		return err
	}
	if e := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error { return e.unwanted(ctx, tx, p, sub) }); e != nil {
		return ours(e)
	}
	return err
}

// unwanted has a subscription ended that was granted and is of no use by now.
func (e *Engine) unwanted(ctx context.Context, tx *store.Tx, p *pass, sub asked) error {
	if !sub.Quiet || sub.ID == "" {
		return nil // it ends by the answer to its first message
	}
	return tx.AddLeftover(ctx, store.Leftover{
		Tenant: p.mb.Tenant, Person: p.mb.Person, Mode: p.mode.Name, ID: sub.ID, Email: p.mailbox.Address, MailboxURL: p.mailbox.URL,
	})
}
