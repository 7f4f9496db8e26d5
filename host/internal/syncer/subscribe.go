package syncer

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The ways in which notices arrive.
const (
	wayPush = "push"
	wayPoll = "poll"
)

// pollPrefix begins the reason of a person whose mailbox is looked at by the clock though it need not be.
const pollPrefix = "changes are looked for by the clock: "

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

// subscribe makes sure that notices of the mailbox arrive, or that it is pulled by the clock. It runs before the pull,
// so that nothing falls between the two.
func (e *Engine) subscribe(ctx context.Context, p *pass) error {
	now := e.now()
	base := e.NotificationURL(p.mb.Tenant)
	switch {
	case p.mode.Pusher == nil || !p.mode.Subscribe:
		return e.poll(ctx, p, "", zeroTime)
	case base == "":
		return e.poll(ctx, p, "no public URL is configured (set the tenant's root_url, or ExchangeServiceUrl)", zeroTime)
	}
	subs, err := e.Store.Subscriptions(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil {
		return ours(err)
	}
	sub, active := inForce(subs)
	fresh := active && sub.Mode == p.mode.Name && p.mb.RenewAt.After(now) && silentAt(p.mb, e.limits().StatusFrequency, now).After(now)
	if p.mb.Way == wayPush && fresh || p.mb.Way == wayPoll && p.mb.RenewAt.After(now) {
		return nil
	}
	return e.renew(ctx, p, base, sub, active)
}

// inForce returns the subscription that the server granted.
func inForce(subs []store.Subscription) (store.Subscription, bool) {
	for _, s := range subs {
		if s.Active {
			return s, true
		}
	}
	return store.Subscription{}, false
}

func (e *Engine) renew(ctx context.Context, p *pass, base string, old store.Subscription, active bool) error {
	token := newToken()
	hash := TokenHash(token)
	err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		return tx.AddSubscription(ctx, store.Subscription{
			Tenant: p.mb.Tenant, Person: p.mb.Person, TokenHash: hash, Mode: p.mode.Name, Created: e.now(),
		})
	})
	if err != nil {
		return err
	}
	e.Failpoint("subscribe:token-stored")
	req := backend.SubscribeRequest{Mailbox: p.mailbox, URL: base + "&k=" + token, StatusInterval: e.limits().StatusFrequency}
	if active {
		req.Existing = &backend.Subscription{ID: old.ID}
	}
	got, err := p.mode.Pusher.Subscribe(ctx, req)
	switch kind := fault.Of(err); {
	case err == nil:
	case kind == fault.Unsupported || kind == fault.SubscriptionLost || kind == fault.Invalid || kind == fault.Forbidden:
		e.Log.Warn("a mailbox cannot be subscribed to; it is pulled by the clock",
			"tenant", p.mb.Tenant, "person", p.mb.Person, "error", err.Error())
		return e.poll(ctx, p, sentence(err), e.now().Add(e.limits().SubscriptionInterval))
	default:
		return err
	}
	e.Failpoint("subscribe:granted")
	now := e.now()
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		_, asked, err := tx.SubscriptionByToken(ctx, hash)
		if err != nil {
			return err
		}
		if !asked {
			// News came that subscriptions of this mailbox are lost, and took this one along: the next pass asks anew.
			p.mb.Way, p.mb.SubscriptionID, p.mb.RenewAt = wayPush, "", now
			return tx.SaveMailbox(ctx, p.mb)
		}
		p.mb.Way, p.mb.SubscriptionID, p.mb.SubscribedAt = wayPush, got.ID, now
		p.mb.RenewAt, p.mb.PollAt = now.Add(e.limits().SubscriptionInterval), zeroTime
		if !got.Expires.IsZero() {
			p.mb.RenewAt = earliest(p.mb.RenewAt, now.Add(got.Expires.Sub(now)/2))
		}
		if err := tx.ActivateSubscription(ctx, p.mb.Tenant, p.mb.Person, hash, got.ID, now); err != nil {
			return err
		}
		if err := e.record(ctx, tx, p.mb.Tenant, p.mb.Person, "", "subscribed", "notices arrive by push"); err != nil {
			return err
		}
		return tx.SaveMailbox(ctx, p.mb)
	})
}

// poll puts the mailbox on the clock; why is empty where this is how it is meant to be.
func (e *Engine) poll(ctx context.Context, p *pass, why string, again time.Time) error {
	p.pushProblem = why
	if p.mb.Way == wayPoll && p.mb.SubscriptionID == "" && p.mb.RenewAt.Equal(again) {
		return nil
	}
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		p.mb.Way, p.mb.SubscriptionID, p.mb.RenewAt = wayPoll, "", again
		return tx.SaveMailbox(ctx, p.mb)
	})
}

// noPushReason says why a mailbox that could be subscribed to is not.
func (e *Engine) noPushReason(p *pass) string {
	if p.pushProblem != "" {
		return p.pushProblem
	}
	return strings.TrimPrefix(p.person.State.Reason, pollPrefix)
}
