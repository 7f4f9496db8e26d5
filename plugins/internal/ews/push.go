package ews

import (
	"context"
	"strconv"
	"strings"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A PushRequest asks to be notified of changes in the calendar.
type PushRequest struct {
	URL string // where the server sends to
	// StatusMinutes is how often a server without news says that it is alive, 1 to 1440.
	StatusMinutes int
}

// SubscribePush makes a push subscription and returns its id. It begins now: there is no watermark, as replaying one is
// slow and a sync tells more.
func (c *Client) SubscribePush(ctx context.Context, m calendar.Mailbox, r PushRequest) (string, error) {
	made, err := c.subscribe(ctx, m, subscribing{kind: "m:PushSubscriptionRequest", rest: func(w *writer) {
		w.text("t:StatusFrequency", strconv.Itoa(subscriptionMinutes(r.StatusMinutes)))
		w.text("t:URL", r.URL)
	}})
	return made.ID, err
}

// A Notification is one message of a SendNotification, about one subscription.
type Notification struct {
	Subscription string
	// Events counts what is news: items created, changed, deleted or moved, and the folder itself changed.
	Events int
	// Lost tells that the server missed events or ended the subscription.
	Lost bool
	// Code is the server's, if it reported a failure.
	Code string
	// More announces that further messages follow at once.
	More bool
	// Watermark is that of the last event; streamed notifications have none.
	Watermark string
}

// DecodeNotification reads what Exchange posts to a notification URL. fault.Invalid if body is anything else; document
// type declarations are refused, like documents of unreasonable depth.
func DecodeNotification(body []byte) ([]Notification, error) {
	s := scan(body)
	var all []Notification
	found := false
	for root := range s.Children() {
		for part := range s.Children() {
			if root != "Envelope" || part != "Body" {
				continue
			}
			for message := range s.Children() {
				if message != "SendNotification" {
					continue
				}
				found = true
				all = append(all, decodeNotifications(s)...)
			}
		}
	}
	if err := s.Err(); err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "the notification cannot be read: " + err.Error()}
	}
	if !found {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "this is no notification of Exchange Web Services"}
	}
	return all, nil
}

func decodeNotifications(s *xmlscan.Scanner) []Notification {
	var all []Notification
	for list := range s.Children() {
		if list != "ResponseMessages" {
			continue
		}
		for range s.Children() {
			var n Notification
			st := status{class: s.Attr("ResponseClass")}
			for child := range s.Children() {
				switch child {
				case "ResponseCode":
					st.code = strings.TrimSpace(s.Text())
				case "Notification":
					decodeEvents(s, &n)
				}
			}
			if st.class == "Error" || meaningOf(st.code).kind == fault.SubscriptionLost {
				n.Lost, n.Code = true, st.code
			}
			all = append(all, n)
		}
	}
	return all
}

func decodeEvents(s *xmlscan.Scanner, into *Notification) {
	for child := range s.Children() {
		switch child {
		case "SubscriptionId":
			into.Subscription = strings.TrimSpace(s.Text())
		case "MoreEvents":
			into.More = truth(s.Text())
		default:
			if !strings.HasSuffix(child, "Event") {
				continue
			}
			if child != "StatusEvent" {
				into.Events++
			}
			for part := range s.Children() {
				if part == "Watermark" {
					into.Watermark = strings.TrimSpace(s.Text())
				}
			}
		}
	}
}

// NotificationReply is the only answer that Exchange understands: go on, or end the subscription.
func NotificationReply(goOn bool) []byte {
	status := "Unsubscribe"
	if goOn {
		status = "OK"
	}
	return []byte(`<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="` + nsSOAP + `"><s:Body>` +
		`<SendNotificationResult xmlns="` + nsMessages + `"><SubscriptionStatus>` + status +
		`</SubscriptionStatus></SendNotificationResult></s:Body></s:Envelope>`)
}
