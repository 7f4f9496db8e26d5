package exchangesim

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A subscription tells somebody what happens in one mailbox. It is guarded by the server's lock. There may be 100,000: it
// has no goroutine, timer or channel of its own.
type subscription struct {
	server     *Server
	id         string
	kind       string // push, pull or streaming
	box        *mailbox
	creator    *Person // who logged in; nobody else may use it
	edition    edition // where it was made
	folders    []*folder
	everywhere bool
	types      eventMask
	backend    int           // on which it lies
	queue      [][]event     // what was not told yet
	last       uint64        // the watermark told last
	timeout    time.Duration // for how long a pull or streaming subscription lives without being asked
	heard      time.Time     // when it was asked last
	push       *pusher
	stream     *stream // the connection that tells of a streaming subscription, if one is open
}

// SubscriptionInfo describes a subscription that is alive.
type SubscriptionInfo struct {
	ID              string `json:"id"`
	Mailbox         string `json:"mailbox"`
	Kind            string `json:"kind"`
	URL             string `json:"url"`
	StatusFrequency int    `json:"status_frequency"` // minutes
	Queued          int    `json:"queued"`           // notifications not told yet
	Backend         int    `json:"backend"`          // the back-end server it lies on; they count from 0
}

var eventTypes = []string{"CopiedEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent", "NewMailEvent", "FreeBusyChangedEvent"}

// An eventMask is a set of event types, a bit for each of eventTypes.
type eventMask uint8

func maskOf(kind string) eventMask {
	if i := slices.Index(eventTypes, kind); i >= 0 {
		return 1 << i
	}
	return 0
}

// expired reports whether nobody asked for so long that the subscription is no more.
func (sub *subscription) expired(now time.Time) bool {
	return sub.push == nil && sub.stream == nil && now.After(sub.heard.Add(sub.timeout))
}

// expire ends the subscriptions of a mailbox that have expired.
func (b *mailbox) expire() {
	for i := len(b.subs) - 1; i >= 0; i-- {
		if b.subs[i].expired(b.server.now()) {
			b.subs[i].end()
		}
	}
}

// end forgets the subscription and what it would have told.
func (sub *subscription) end() {
	s := sub.server
	if s.subs[sub.id] != sub {
		return
	}
	delete(s.subs, sub.id)
	sub.box.subs = slices.DeleteFunc(sub.box.subs, func(o *subscription) bool { return o == sub })
	if sub.push != nil {
		s.endPush(sub)
	}
	if sub.stream != nil {
		sub.stream.leave(sub)
	}
	sub.queue = nil
}

// Subscriptions lists what is subscribed, oldest first.
func (s *Server) Subscriptions() []SubscriptionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []SubscriptionInfo{}
	for _, sub := range s.subs {
		if sub.expired(s.now()) {
			continue
		}
		info := SubscriptionInfo{ID: sub.id, Mailbox: sub.box.owner.Address, Kind: sub.kind, Queued: len(sub.queue), Backend: sub.backend}
		if sub.push != nil {
			info.URL, info.StatusFrequency = sub.push.url, sub.push.frequency
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b SubscriptionInfo) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// DropSubscriptions forgets the subscriptions of a mailbox without a word, as a failover does; an empty address means all.
// Connections that told of them are cut.
func (s *Server) DropSubscriptions(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		if address == "" || strings.EqualFold(sub.box.owner.Address, address) {
			if sub.stream != nil {
				sub.stream.close(sub.stream.cut)
			}
			sub.end()
		}
	}
	for _, sub := range s.graphs.subs {
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
	c.subs[sub.id] = sub
	sub.box.subs = append(sub.box.subs, sub)
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
	sub := &subscription{server: c.Server, creator: c.caller, heard: c.now, backend: c.route.backend, edition: c.edition}
	if err := c.subscribeFolders(sub, n); err != nil {
		return nil, err
	}
	for _, t := range n.child("EventTypes").all("EventType") {
		kind := maskOf(t.value())
		if kind == 0 {
			return nil, fail("ErrorSchemaValidation", "%q is not a valid EventType.", t.value())
		}
		sub.types |= kind
	}
	if sub.types == 0 {
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
	sub.box.expire()
	if has, limit := c.mostSubscriptions(sub.box); has >= limit {
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
		sub.kind, sub.timeout = "streaming", streamingLife*c.opts.Minute
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
