package ews

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A Subscribed is a subscription that the server granted.
type Subscribed struct {
	ID        string
	Watermark string // of a pull subscription: where GetEvents goes on
	Affinity  Affinity
}

// SubscribeStreaming makes a subscription for GetStreamingEvents; with an Affinity, on the server where the others of the
// group are. It lives for 30 minutes without a connection.
func (c *Client) SubscribeStreaming(ctx context.Context, m calendar.Mailbox, with Affinity) (Subscribed, error) {
	return c.subscribe(ctx, m, subscribing{kind: "m:StreamingSubscriptionRequest", affinity: &with, rest: func(*writer) {}})
}

// A PullRequest asks for a subscription that is to be asked for its events.
type PullRequest struct {
	Minutes  int // how long it lives while nobody asks, 1 to 1440
	Affinity Affinity
}

// SubscribePull makes a subscription for GetEvents.
func (c *Client) SubscribePull(ctx context.Context, m calendar.Mailbox, r PullRequest) (Subscribed, error) {
	made, err := c.subscribe(ctx, m, subscribing{kind: "m:PullSubscriptionRequest", affinity: &r.Affinity, rest: func(w *writer) {
		w.text("t:Timeout", strconv.Itoa(subscriptionMinutes(r.Minutes)))
	}})
	if err == nil && made.Watermark == "" {
		err = site{doing: subscribingTo, mailbox: m.Address}.unreadable(errors.New("no watermark in it"))
	}
	return made, err
}

const subscribingTo = "subscribing to the calendar"

// subscriptionMinutes keeps to what the schema allows.
func subscriptionMinutes(n int) int { return min(max(n, 1), 1440) }

// A subscribing is one kind of subscription to be made. None has a watermark to begin from, as replaying one is slow and
// a sync tells more.
type subscribing struct {
	kind     string
	rest     func(w *writer) // what follows the event types
	affinity *Affinity
}

func (c *Client) subscribe(ctx context.Context, m calendar.Mailbox, r subscribing) (Subscribed, error) {
	a, err := send(ctx, c, m, request{op: "Subscribe", doing: subscribingTo, affinity: r.affinity, body: func(w *writer) {
		w.inside("m:Subscribe", func() {
			w.inside(r.kind, func() {
				w.inside("t:FolderIds", func() { c.calendarFolder(w, m) })
				w.inside("t:EventTypes", func() {
					for _, e := range []string{"CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent"} {
						w.text("t:EventType", e)
					}
				})
				r.rest(w)
			})
		})
	}}, decodeSubscribed)
	made, err := only(a, err)
	if err == nil && made.ID == "" {
		err = a.at.unreadable(errors.New("no subscription id in it"))
	}
	if r.affinity != nil {
		made.Affinity = *r.affinity
	}
	return made, c.folderFault(err)
}

func decodeSubscribed(s *xmlscan.Scanner, child string, into *Subscribed) {
	switch child {
	case "SubscriptionId":
		into.ID = strings.TrimSpace(s.Text())
	case "Watermark":
		into.Watermark = strings.TrimSpace(s.Text())
	}
}
