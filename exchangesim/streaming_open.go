package exchangesim

import (
	"strconv"
	"time"
)

// openStream takes the subscriptions that a request names; refusal is the answer if it cannot.
func (c *call) openStream() (st *stream, timeout time.Duration, refusal *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[c.name]++
	if err := c.identify(); err != nil {
		return nil, 0, faultBody(asEWS(err))
	}
	minutes, err := strconv.Atoi(c.req.child("ConnectionTimeout").value())
	if err != nil || minutes < 1 || minutes > 30 {
		return nil, 0, faultBody(fail("ErrorSchemaValidation", "ConnectionTimeout must lie between 1 and 30 minutes."))
	}
	ids := c.req.child("SubscriptionIds").children()
	switch {
	case len(ids) == 0:
		return nil, 0, faultBody(fail("ErrorSchemaValidation", "The request names no subscription."))
	case len(ids) > mostStreamed:
		return nil, 0, faultBody(fail("ErrorInvalidRequest", "The request names %d subscriptions; %d are allowed.", len(ids), mostStreamed))
	case c.hanging(c.actor) >= c.opts.HangingConnections:
		return nil, 0, c.notStreamed(fail("ErrorExceededConnectionCount",
			"You have exceeded the available concurrent connections for your account.  Try again once your other requests have completed."), nil)
	}
	st = &stream{
		server: c.Server, owner: c.actor, caller: c.caller, opened: c.now,
		changed: make(chan struct{}, 1), taken: make(chan struct{}), cut: make(chan struct{}),
	}
	var wrong []*node
	var reason error
	for _, id := range ids {
		sub, err := c.streamingByID(id.value())
		if err != nil {
			wrong = append(wrong, el("t:SubscriptionId", id.value()))
			if reason == nil {
				reason = err
			}
			continue
		}
		st.subs = append(st.subs, sub)
	}
	if reason != nil {
		return nil, 0, c.notStreamed(reason, wrong)
	}
	for _, sub := range st.subs {
		if first := sub.stream; first != nil && first != st {
			first.close(first.taken)
		}
		sub.stream = st
	}
	c.streams[st] = struct{}{}
	st.wake()
	return st, time.Duration(minutes) * c.opts.Minute, nil
}

// hanging is how many streaming connections are charged to a person.
func (s *Server) hanging(owner *Person) int {
	n := 0
	for st := range s.streams {
		if st.owner == owner {
			n++
		}
	}
	return n
}

// streamingByID finds a streaming subscription of the caller. What is not known is an invalid subscription here.
func (c *call) streamingByID(id string) (*subscription, error) {
	invalid := fail("ErrorInvalidSubscription", "One or more subscriptions in the request are not valid.")
	known := c.subs[id]
	if known == nil || known.kind != "streaming" || known.expired(c.now) {
		return nil, invalid
	}
	return c.subscriptionByID(id)
}

// notStreamed refuses a connection; wrong are the ids that are the reason, if any are.
func (c *call) notStreamed(err error, wrong []*node) *node {
	closed := el("m:ConnectionStatus", "Closed")
	if len(wrong) == 0 {
		return response(c.name, failure(c.name, err, closed))
	}
	return response(c.name, failure(c.name, err, el("m:ErrorSubscriptionIds", wrong), closed))
}
