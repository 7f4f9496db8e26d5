package exchangesim

// subscriptionByID finds a pull or streaming subscription of the caller.
func (c *call) subscriptionByID(id string) (*subscription, error) {
	sub := c.subs[id]
	if sub != nil && sub.expired(c.now) {
		sub.end()
		sub = nil
	}
	if sub == nil || sub.kind == "push" || !c.reaches(sub) {
		return nil, fail("ErrorSubscriptionNotFound", "The specified subscription was not found.")
	}
	if sub.creator != c.caller {
		return nil, fail("ErrorSubscriptionAccessDenied", "The specified subscription does not belong to the caller.")
	}
	return sub, nil
}

func (c *call) unsubscribe() (*node, error) {
	sub, err := c.subscriptionByID(c.req.child("SubscriptionId").value())
	if err != nil {
		return response("Unsubscribe", failure("Unsubscribe", err)), nil
	}
	sub.end()
	return response("Unsubscribe", success("Unsubscribe")), nil
}

// mostEvents bounds the events in one answer of GetEvents.
const mostEvents = 50

func (c *call) getEvents() (*node, error) {
	n, err := c.pull()
	if err != nil {
		return response("GetEvents", failure("GetEvents", err)), nil
	}
	return response("GetEvents", success("GetEvents", n)), nil
}

func (c *call) pull() (*node, error) {
	sub, err := c.subscriptionByID(c.req.child("SubscriptionId").value())
	if err != nil {
		return nil, err
	}
	if sub.kind != "pull" {
		return nil, fail("ErrorInvalidSubscription", "The subscription is not a pull subscription.")
	}
	previous := c.req.child("Watermark").value()
	mark, err := sub.box.readWatermark(previous)
	if err != nil {
		return nil, err
	}
	sub.heard = c.now
	var left []event // those up to the watermark have been received
	for _, group := range sub.queue {
		for _, e := range group {
			if e.mark > mark {
				left = append(left, e)
			}
		}
	}
	sub.queue = nil
	if len(left) > 0 {
		sub.queue = [][]event{left}
	}
	more := len(left) > mostEvents
	left = left[:min(len(left), mostEvents)]
	return notification(sub, previous, left, more), nil
}

// notification writes events of a subscription; with none it is a StatusEvent.
func notification(sub *subscription, previous string, events []event, more bool) *node {
	n := el("m:Notification", el("t:SubscriptionId", sub.id), el("t:PreviousWatermark", previous), el("t:MoreEvents", boolean(more)))
	for _, e := range events {
		n.kids = append(n.kids, e.node())
	}
	if len(events) == 0 {
		n.kids = append(n.kids, el("t:StatusEvent", el("t:Watermark", previous)))
	}
	return n
}
