package backendtest

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

const received = "Receive says of a message what it means for a subscription. What is not trusted gets the reply that makes the server stop, and no hints. A body that is no message of the protocol is Invalid."

func pusherChecks() []check {
	const needed = pusher | writing
	return []check{
		{
			name: "GarbageIsInvalid", section: "Pusher, 4", needs: pusher, rule: received,
			do: func(c *checking) {
				p := c.b.(backend.Pusher)
				for _, trusted := range []bool{false, true} {
					for _, body := range []string{"this is no message", "<a><b></a>", `{"a":`, "\x00\x01\x02"} {
						r, err := p.Receive(c.Context(), backend.Inbound{Method: "POST", Body: []byte(body), Trusted: trusted})
						if fault.Of(err) != fault.Invalid {
							c.violated("the message %q (trusted: %v) was answered %s", body, trusted, told(err))
						}
						if len(r.Hints) > 0 {
							c.violated("the message %q (trusted: %v) gave hints: %+v", body, trusted, r.Hints)
						}
					}
				}
			},
		},
		{
			name: "TellsOfAChange", section: "Pusher, 1, 4 and 5", needs: needed,
			rule: "Subscribe asks the server to notify URL; a message about a change is Dirty for the subscription.",
			do: func(c *checking) {
				s := c.subscribe(nil)
				item := c.create()
				c.hears(s, "an item was created")
				c.edit(item, "changed by somebody else")
				c.hears(s, "the item was changed by somebody else")
				c.mustApply(c.another(), deletion(c.m, item.Key, item.Ref))
				c.hears(s, "the item was deleted by somebody else")
			},
		},
		{
			name: "UntrustedGetsNoHints", section: "Pusher, 4", needs: needed, rule: received,
			do: func(c *checking) {
				s := c.subscribe(nil)
				c.create()
				m := c.hears(s, "an item was created")
				m.inbound.Trusted = false
				r, err := c.b.(backend.Pusher).Receive(c.Context(), m.inbound)
				if len(r.Hints) > 0 {
					c.violated("a message that is not trusted gave hints: %+v", r.Hints)
				}
				if err != nil || r.Status < 200 || r.Status > 599 {
					c.violated("a message that is not trusted was not answered: status %d, %v", r.Status, err)
				}
			},
		},
		{
			name: "ReceiveNeedsNoServerAndNoMemory", section: "Pusher, 4", needs: needed | cutOff,
			rule: "Receive uses no network and keeps no state: any instance reads a message, as often as it is given it.",
			do: func(c *checking) {
				s := c.subscribe(nil)
				c.create()
				m := c.hears(s, "an item was created")
				for range 2 {
					r, err := c.opened(c.CutOff).(backend.Pusher).Receive(c.Context(), m.inbound)
					if err != nil || !hints(r.Hints, s.ID, backend.Dirty) {
						c.violated("an instance that reaches no server read a message as %+v, %v; the first that read it had %+v", r.Hints, err, m.reply.Hints)
					}
				}
			},
		},
		{
			name: "AnotherSubscriptionTakesThePlace", section: "Pusher, 3", needs: needed,
			rule: "Existing is the subscription in force: it is renewed (Kept: at its own URL), or a new one made. Changes are told by what Subscribe returned.",
			do: func(c *checking) {
				old := c.subscribe(nil)
				now := c.subscribe(&old.Subscription)
				if now.Kept {
					if now.ID != old.ID {
						c.violated("the subscription %q is said to be kept, but has the ID %q now", old.ID, now.ID)
					}
					c.bell.forget(now.secret)
					now.secret = old.secret
				} else {
					c.bell.forget(old.secret)
				}
				c.create()
				c.hears(now, "a subscription was made in the place of another, and an item was created")
			},
		},
		{
			name: "HintsAreOfTheirSubscription", section: "Pusher, 5", needs: needed | twoMailboxes,
			rule: "Hints name the subscription that they are about.",
			do: func(c *checking) {
				one := c.subscribe(nil)
				first := c.m
				c.m = c.Mailboxes[1]
				two := c.subscribe(nil)
				if one.ID == two.ID {
					c.violated("the subscriptions of two mailboxes have the same ID %q", one.ID)
				}
				c.create()
				if m := c.hears(two, "an item was created in the second mailbox"); hints(m.reply.Hints, one.ID, backend.Dirty) {
					c.violated("a change in the calendar of %s is told of the subscription of %s", c.m.Address, first.Address)
				}
				c.m = first
				c.create()
				c.hears(one, "an item was created in the first mailbox")
			},
		},
		{
			name: "UnsubscribeTwiceIsNoError", section: "Pusher, 7", needs: needed,
			rule: "Unsubscribe: what is gone is a success; Unsupported where the protocol knows none.",
			do: func(c *checking) {
				s := c.subscribe(nil)
				for range 2 {
					err := c.b.(backend.Pusher).Unsubscribe(c.Context(), c.m, s.Subscription)
					if err != nil && fault.Of(err) != fault.Unsupported {
						c.violated("Unsubscribe answered %s", told(err))
					}
				}
			},
		},
	}
}

// subscribed is a push subscription of the suite's.
type subscribed struct {
	backend.Subscription
	secret string
	from   int
}

// subscribe makes a subscription of the mailbox; it ends with the check.
func (c *checking) subscribe(existing *backend.Subscription) *subscribed {
	c.Helper()
	if c.bell == nil {
		c.Skipf("not checked: Fixture.Notices is not set, so no message of the server can arrive")
	}
	s := &subscribed{from: c.bell.rung()}
	p, m := c.b.(backend.Pusher), c.m
	var at string
	s.secret, at = c.bell.secret()
	var err error
	s.Subscription, err = p.Subscribe(c.Context(), backend.SubscribeRequest{
		Mailbox: m, URL: at, StatusInterval: time.Minute, Existing: existing,
	})
	if err != nil {
		c.bell.forget(s.secret)
		c.broken("Subscribe in the calendar of %s answered %s; the backend says that it is a Pusher", m.Address, told(err))
	}
	if s.ID == "" {
		c.violated("a subscription has no ID")
	}
	if s.Kept && existing == nil {
		c.violated("a subscription is said to be kept where there was none")
	}
	c.after(func(ctx context.Context) {
		c.bell.forget(s.secret)
		_ = p.Unsubscribe(ctx, m, s.Subscription) // what is not trusted ends as well
	})
	return s
}

// hears waits for a message that says Dirty of the subscription, and checks that it was answered.
func (c *checking) hears(s *subscribed, what string) message {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), c.Patience)
	defer cancel()
	m, err := c.bell.wait(ctx, s.from, func(m message) bool {
		return m.secret == s.secret && (m.err != nil || hints(m.reply.Hints, s.ID, backend.Dirty))
	})
	switch {
	case err != nil:
		c.broken("%s, and within %s no message said Dirty of the subscription: %v", what, c.Patience, err)
	case m.err != nil:
		c.broken("%s, and Receive answered the server's message %s", what, told(m.err))
	case m.reply.Status < 200 || m.reply.Status > 299:
		c.violated("a message that bore the secret was answered with the status %d", m.reply.Status)
	}
	s.from = c.bell.rung()
	return m
}

func hints(all []backend.Hint, id string, kind backend.HintKind) bool {
	for _, h := range all {
		if h.Subscription == id && h.Kind == kind {
			return true
		}
	}
	return false
}
