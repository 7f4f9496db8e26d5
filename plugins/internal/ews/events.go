package ews

import (
	"context"
	"errors"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// An EventsRequest asks a pull subscription for what happened since the watermark.
type EventsRequest struct {
	ID, Watermark string
	Affinity      Affinity
}

// GetEvents asks once. The Notification's Watermark is where to go on; with More, at once. fault.SubscriptionLost if the
// subscription is gone.
func (c *Client) GetEvents(ctx context.Context, m calendar.Mailbox, r EventsRequest) (Notification, error) {
	a, err := send(ctx, c, m, request{
		op: "GetEvents", doing: "asking for events in the calendar", affinity: &r.Affinity, body: func(w *writer) {
			w.inside("m:GetEvents", func() {
				w.text("m:SubscriptionId", r.ID)
				w.text("m:Watermark", r.Watermark)
			})
		},
	}, func(s *xmlscan.Scanner, child string, into *Notification) {
		if child == "Notification" {
			decodeEvents(s, into)
		}
	})
	n, err := only(a, err)
	switch {
	case err != nil:
		return n, err
	case n.Watermark == "":
		return n, a.at.unreadable(errors.New("no watermark in it"))
	case n.More && n.Watermark == r.Watermark:
		return n, a.at.unreadable(errors.New("its watermark does not advance"))
	}
	return n, nil
}
