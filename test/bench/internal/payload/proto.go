package payload

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
)

// The functions below give the same payload the form in which it is sent, for the bare plugin, which maps nothing.

// ReceiveRequest is Inbound.
func ReceiveRequest() *roomwirev1.ReceiveRequest {
	in := Inbound()
	p := &roomwirev1.ReceiveRequest{Id: "1", Method: in.Method, Query: in.Query, Body: in.Body, Trusted: in.Trusted}
	for name, values := range in.Header {
		p.Header = append(p.Header, &roomwirev1.HttpField{Name: name, Values: [][]byte{[]byte(values[0])}})
	}
	slices.SortFunc(p.Header, func(a, b *roomwirev1.HttpField) int { return strings.Compare(a.Name, b.Name) })
	return p
}

// ReceiveResponse is Reply.
func ReceiveResponse() *roomwirev1.ReceiveResponse {
	r := Reply()
	return &roomwirev1.ReceiveResponse{
		Status: int32(r.Status), ContentType: r.ContentType, Body: r.Body,
		Hints: []*roomwirev1.Hint{{Subscription: r.Hints[0].Subscription, Kind: roomwirev1.HintKind_HINT_KIND_DIRTY}},
	}
}

// FetchRequest asks for Ref.
func FetchRequest() *roomwirev1.FetchRequest {
	m := Mailbox()
	return &roomwirev1.FetchRequest{
		Id: "1", Mailbox: &roomwirev1.Mailbox{Address: m.Address, Url: m.URL}, Refs: [][]byte{[]byte(Ref)},
	}
}

// FetchResponse is Item.
func FetchResponse() *roomwirev1.FetchResponse {
	i := Item()
	e := &roomwirev1.Event{
		Uid: i.Event.UID, Subject: i.Event.Subject, Body: i.Event.Body, Location: i.Event.Location,
		Start: timestamppb.New(i.Event.Start), End: timestamppb.New(i.Event.End), Zone: i.Event.Zone,
		Busy: roomwirev1.Busy_BUSY_OCCUPIED, Class: roomwirev1.Class_CLASS_PUBLIC,
		Reminder:  &roomwirev1.Reminder{Before: durationpb.New(i.Event.Reminder.Before)},
		Organizer: &roomwirev1.Address{Name: i.Event.Organizer.Name, Email: i.Event.Organizer.Email},
	}
	for _, a := range i.Event.Attendees {
		e.Attendees = append(e.Attendees, &roomwirev1.Attendee{
			Address: &roomwirev1.Address{Name: a.Name, Email: a.Email},
			Role:    roomwirev1.Role_ROLE_REQUIRED, Response: roomwirev1.Response_RESPONSE_NONE,
		})
	}
	return &roomwirev1.FetchResponse{Fetched: []*roomwirev1.Fetched{{Item: &roomwirev1.Item{
		Ref: []byte(i.Ref), Revision: []byte(i.Revision), Kind: roomwirev1.Kind_KIND_SINGLE, Key: i.Key,
		ForeignKey: i.ForeignKey, Modified: timestamppb.New(i.Modified), Event: e,
	}}}}
}
