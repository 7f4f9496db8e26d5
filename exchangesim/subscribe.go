package exchangesim

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A subscription tells somebody what happens in one mailbox. It is guarded by the server's lock.
type subscription struct {
	server     *Server
	id         string
	kind       string // push, pull or streaming
	box        *mailbox
	creator    *Person
	actor      *Person
	folders    []*folder
	everywhere bool
	types      []string
	queue      [][]event     // what was not told yet
	last       uint64        // the watermark told last
	timeout    time.Duration // of a pull subscription
	heard      time.Time     // when it was asked last
	push       *pusher
	stream     *stream       // the connection that tells of a streaming subscription, if one is open
	changed    chan struct{} // of capacity 1: there is something to look at
	ended      chan struct{} // closed when it is no more
}

// SubscriptionInfo describes a subscription that is alive.
type SubscriptionInfo struct {
	ID              string `json:"id"`
	Mailbox         string `json:"mailbox"`
	Kind            string `json:"kind"`
	URL             string `json:"url"`
	StatusFrequency int    `json:"status_frequency"` // minutes
	Queued          int    `json:"queued"`           // notifications not told yet
}

var eventTypes = []string{"CopiedEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent", "NewMailEvent", "FreeBusyChangedEvent"}

// wake makes whoever serves the subscription look at it.
func (sub *subscription) wake() {
	if sub.stream != nil {
		sub.stream.wake()
	}
	select {
	case sub.changed <- struct{}{}:
	default:
	}
}

// end forgets the subscription and what it would have told.
func (sub *subscription) end() {
	if sub.server.subs[sub.id] != sub {
		return
	}
	delete(sub.server.subs, sub.id)
	delete(sub.box.subs, sub.id)
	close(sub.ended)
	if sub.push != nil {
		sub.server.settled(len(sub.queue))
	}
	sub.queue = nil
}

// Subscriptions lists what is subscribed, oldest first.
func (s *Server) Subscriptions() []SubscriptionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []SubscriptionInfo{}
	for _, sub := range s.subs {
		info := SubscriptionInfo{ID: sub.id, Mailbox: sub.box.owner.Address, Kind: sub.kind, Queued: len(sub.queue)}
		if sub.push != nil {
			info.URL, info.StatusFrequency = sub.push.url, sub.push.frequency
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b SubscriptionInfo) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// DropSubscriptions forgets the subscriptions of a mailbox without a word, as a failover does; an empty address means all.
func (s *Server) DropSubscriptions(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		if address == "" || strings.EqualFold(sub.box.owner.Address, address) {
			sub.end()
		}
	}
}

func (c *call) subscribe() (*node, error) {
	if len(c.req.kids) != 1 {
		return nil, fail("ErrorSchemaValidation", "Subscribe needs exactly one kind of subscription.")
	}
	sub, err := c.newSubscription(c.req.kids[0])
	if err != nil {
		return response("Subscribe", failure("Subscribe", err)), nil
	}
	c.subs[sub.id], sub.box.subs[sub.id] = sub, sub
	answer := success("Subscribe", el("m:SubscriptionId", sub.id))
	if sub.kind != "streaming" {
		answer.kids = append(answer.kids, el("m:Watermark", sub.box.watermark(sub.last)))
	}
	if sub.push != nil {
		c.startPush(sub)
	}
	return response("Subscribe", answer), nil
}

func (c *call) newSubscription(n *node) (*subscription, error) {
	sub := &subscription{
		server: c.Server, creator: c.caller, actor: c.actor, heard: c.now,
		changed: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	if err := c.subscribeFolders(sub, n); err != nil {
		return nil, err
	}
	for _, t := range n.child("EventTypes").all("EventType") {
		if !slices.Contains(eventTypes, t.value()) {
			return nil, fail("ErrorSchemaValidation", "%q is not a valid EventType.", t.value())
		}
		sub.types = append(sub.types, t.value())
	}
	if len(sub.types) == 0 {
		return nil, fail("ErrorInvalidSubscriptionRequest", "The subscription asks for no event.")
	}
	sub.last = sub.box.marks
	if w := n.child("Watermark").value(); w != "" {
		mark, err := sub.box.readWatermark(w)
		if err != nil {
			return nil, err
		}
		sub.last = mark
	}
	if err := c.subscriptionKind(sub, n); err != nil {
		return nil, err
	}
	if len(sub.box.subs) >= c.opts.MaxSubscriptions {
		return nil, fail("ErrorExceededSubscriptionCount", "You have exceeded the available subscriptions for your account.")
	}
	c.subCounter++
	sub.id = entryID{box: sub.box.guid, kind: folderKind, number: 1<<40 + c.subCounter}.String()
	return sub, nil
}

// subscriptionKind reads what differs between push, pull and streaming subscriptions.
func (c *call) subscriptionKind(sub *subscription, n *node) error {
	minutes := func(name string) (int, error) {
		m, err := strconv.Atoi(n.child(name).value())
		if err != nil || m < 1 || m > 1440 {
			return 0, fail("ErrorSchemaValidation", "%s must lie between 1 and 1440 minutes.", name)
		}
		return m, nil
	}
	switch n.name {
	case "PushSubscriptionRequest":
		frequency, err := minutes("StatusFrequency")
		if err != nil {
			return err
		}
		target := n.child("URL").value()
		u, err := url.Parse(target)
		if err != nil || len(target) == 0 || len(target) >= 2083 || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fail("ErrorInvalidPushSubscriptionUrl", "The push subscription URL is invalid.")
		}
		sub.kind, sub.push = "push", &pusher{url: target, frequency: frequency}
	case "PullSubscriptionRequest":
		m, err := minutes("Timeout")
		if err != nil {
			return err
		}
		sub.kind, sub.timeout = "pull", time.Duration(m)*c.opts.Minute
	case "StreamingSubscriptionRequest":
		sub.kind = "streaming"
	default:
		return fail("ErrorSchemaValidation", "%s is not a kind of subscription.", n.name)
	}
	return nil
}

// subscribeFolders finds the one mailbox of a subscription and its folders in it.
func (c *call) subscribeFolders(sub *subscription, n *node) error {
	if all, err := parseBool(n.attr("SubscribeToAllFolders")); err == nil && all {
		if n.child("FolderIds") != nil {
			return fail("ErrorInvalidSubscriptionRequest", "FolderIds and SubscribeToAllFolders exclude each other.")
		}
		b, err := c.own()
		sub.box, sub.everywhere = b, true
		return err
	}
	for _, id := range n.child("FolderIds").children() {
		f, err := c.folderByID(id)
		if err != nil {
			return err
		}
		if c.delegate(f.box) {
			return fail("ErrorSubscriptionDelegateAccessNotSupported", "Subscriptions are not supported for delegate user access.")
		}
		if sub.box != nil && sub.box != f.box {
			return fail("ErrorInvalidSubscriptionRequest", "Subscribed folders must be in one mailbox.")
		}
		sub.box = f.box
		sub.folders = append(sub.folders, f)
	}
	if sub.box == nil {
		return fail("ErrorInvalidSubscriptionRequest", "The subscription names no folder.")
	}
	return nil
}

// subscriptionByID finds a pull or streaming subscription of the caller.
func (c *call) subscriptionByID(id string) (*subscription, error) {
	sub := c.subs[id]
	if sub == nil || sub.kind == "push" {
		return nil, fail("ErrorSubscriptionNotFound", "The specified subscription was not found.")
	}
	if sub.kind == "pull" && c.now.After(sub.heard.Add(sub.timeout)) {
		sub.end()
		return nil, fail("ErrorExpiredSubscription", "The specified subscription has expired.")
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
