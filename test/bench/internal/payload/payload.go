// Package payload is what the benchmark of the plugin hop sends: the same to a plugin of the sdk and to a bare one.
package payload

import (
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-plugin"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Bare is the handshake of the bare plugin.
var Bare = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "ROOMWIRE_BENCH", MagicCookieValue: "bare"}

// Name is the bare plugin's in its set.
const Name = "bare"

// Mailbox is the one that is asked for.
func Mailbox() calendar.Mailbox {
	return calendar.Mailbox{Address: "p000001@example.com", URL: "https://mail.example.com/EWS/Exchange.asmx"}
}

// Inbound is a notification as Exchange sends it.
func Inbound() backend.Inbound {
	return backend.Inbound{
		Method: http.MethodPost, Query: "Default&k=" + strings.Repeat("k", 43), Trusted: true,
		Header: http.Header{
			"Content-Type": {"text/xml; charset=utf-8"}, "Accept": {"text/xml"}, "Content-Length": {"1100"},
			"Soapaction": {"http://schemas.microsoft.com/exchange/services/2006/messages/SendNotification"},
		},
		Body: []byte(Notification("KwBmYWtlLm91dGxvb2suY29tEAAAAA==")),
	}
}

// Reply is the answer to it.
func Reply() backend.Reply {
	return backend.Reply{
		Status: http.StatusOK, ContentType: "text/xml; charset=utf-8",
		Body: []byte(strings.Repeat("r", 320)),
		Hints: []backend.Hint{{
			Subscription: "KwBmYWtlLm91dGxvb2suY29tEAAAAA==", Kind: backend.Dirty,
		}},
	}
}

// Ref is the item that is asked for.
const Ref = calendar.Ref("AAMkADllMTlhYmUxLTQ4ZTgtNGIxNy1hNGE0LTRkYjM4ZmM2YjRlMQBGAAAAAADfZ6sQ")

// Item is a meeting of an ordinary size.
func Item() calendar.Item {
	at := time.Date(2027, 2, 1, 9, 0, 0, 0, time.UTC)
	e := calendar.Event{
		UID: "040000008200E00074C5B7101A82E008", Subject: "Weekly review", Body: strings.Repeat("Some text of a body. ", 30),
		Location: "Room A", Start: at, End: at.Add(time.Hour), Zone: "Europe/Berlin", Busy: calendar.Occupied,
		Reminder: &calendar.Reminder{Before: 15 * time.Minute}, Organizer: calendar.Address{Name: "Ada", Email: "ada@example.com"},
	}
	for _, who := range []string{"bob", "carol", "dave"} {
		e.Attendees = append(e.Attendees, calendar.Attendee{Address: calendar.Address{Name: who, Email: who + "@example.com"}})
	}
	return calendar.Item{
		Ref: Ref, Revision: "DwAAABYAAAC8ayt4", Key: "Zm9vYmFyYmF6cXV4", ForeignKey: "booking-4711", Modified: at, Event: e,
	}
}

// Notification is the body of a message that an item changed.
func Notification(subscription string) string {
	const event = `<t:ModifiedEvent><t:Watermark>AQAAAJQxN2TgVZ1MmwrVVQ3bAQ8BAAAAAAAAAAE=</t:Watermark><t:TimeStamp>2026-11-22T11:03:50Z</t:TimeStamp>`
	return message(subscription,
		event+`<t:ItemId Id="`+string(Ref)+`" ChangeKey="DwAAAA=="/><t:ParentFolderId Id="AAMkADllMTlhYmUx" ChangeKey="AQAAAA=="/></t:ModifiedEvent>`+
			event+`<t:FolderId Id="AAMkADllMTlhYmUx" ChangeKey="AQAAAA=="/><t:ParentFolderId Id="AAMkADllMTlhYmUy" ChangeKey="AQAAAA=="/></t:ModifiedEvent>`)
}

// Status is the body of a message that nothing changed.
func Status(subscription string) string {
	return message(subscription, `<t:StatusEvent><t:Watermark>AQAAAJQxN2TgVZ1MmwrVVQ3bAQ8BAAAAAAAAAAE=</t:Watermark></t:StatusEvent>`)
}

func message(subscription, events string) string {
	return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>` +
		`<t:RequestServerVersion Version="Exchange2016" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"/></s:Header>` +
		`<s:Body><m:SendNotification xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" ` +
		`xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:ResponseMessages>` +
		`<m:SendNotificationResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Notification>` +
		`<t:SubscriptionId>` + subscription + `</t:SubscriptionId><t:PreviousWatermark>AQAAAJQxN2TgVZ1MmwrVVQ3bAQ8AAAAAAAAAAAE=</t:PreviousWatermark>` +
		`<t:MoreEvents>false</t:MoreEvents>` + events +
		`</m:Notification></m:SendNotificationResponseMessage></m:ResponseMessages></m:SendNotification></s:Body></s:Envelope>`
}
