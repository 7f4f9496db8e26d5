package wire

import (
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func pageToProto(p backend.Page) *roomwirev1.Page {
	return &roomwirev1.Page{
		Changes: each(p.Changes, changeToProto), Next: []byte(p.Next), Full: p.Full, Last: p.Last,
	}
}

func pageFromProto(p *roomwirev1.Page) backend.Page {
	return backend.Page{
		Changes: each(p.GetChanges(), changeFromProto), Next: calendar.Cursor(p.GetNext()),
		Full: p.GetFull(), Last: p.GetLast(),
	}
}

func fetchedToProto(f backend.Fetched) *roomwirev1.Fetched {
	if f.Err != nil {
		return &roomwirev1.Fetched{Fault: faultToProto(f.Err)}
	}
	return &roomwirev1.Fetched{Item: itemToProto(f.Item)}
}

func fetchedFromProto(p *roomwirev1.Fetched) backend.Fetched {
	if p.GetFault() != nil {
		return backend.Fetched{Err: faultFromProto(p.GetFault())}
	}
	return backend.Fetched{Item: itemFromProto(p.GetItem())}
}

func refToProto(r backend.Ref) []byte { return []byte(r) }

func refFromProto(p []byte) backend.Ref { return backend.Ref(p) }

func subscriptionToProto(s backend.Subscription) *roomwirev1.Subscription {
	return &roomwirev1.Subscription{
		Id: utf(s.ID), Expires: timeToProto(s.Expires), Group: []byte(s.Group), Mark: []byte(s.Mark),
		Quiet: s.Quiet,
	}
}

func subscriptionFromProto(p *roomwirev1.Subscription) backend.Subscription {
	return backend.Subscription{
		ID: p.GetId(), Expires: timeFromProto(p.GetExpires()), Group: string(p.GetGroup()), Mark: string(p.GetMark()),
		Quiet: p.GetQuiet(),
	}
}

func subscribeToProto(id string, r backend.SubscribeRequest) *roomwirev1.SubscribeRequest {
	p := &roomwirev1.SubscribeRequest{
		Id: id, Mailbox: mailboxToProto(r.Mailbox), Url: utf(r.URL), StatusInterval: durationpb.New(r.StatusInterval),
	}
	if r.Existing != nil {
		p.Existing = subscriptionToProto(*r.Existing)
	}
	return p
}

func subscribeFromProto(p *roomwirev1.SubscribeRequest) backend.SubscribeRequest {
	r := backend.SubscribeRequest{
		Mailbox: mailboxFromProto(p.GetMailbox()), URL: p.GetUrl(), StatusInterval: p.GetStatusInterval().AsDuration(),
	}
	if p.GetExisting() != nil {
		s := subscriptionFromProto(p.GetExisting())
		r.Existing = &s
	}
	return r
}

func inboundToProto(id string, in backend.Inbound) *roomwirev1.ReceiveRequest {
	p := &roomwirev1.ReceiveRequest{
		Id: id, Method: utf(in.Method), Query: utf(in.Query), Body: in.Body, Trusted: in.Trusted,
	}
	for name, values := range in.Header {
		p.Header = append(p.Header, &roomwirev1.HttpField{
			Name: utf(name), Values: each(values, func(v string) []byte { return []byte(v) }),
		})
	}
	slices.SortFunc(p.Header, func(a, b *roomwirev1.HttpField) int { return strings.Compare(a.Name, b.Name) })
	return p
}

func inboundFromProto(p *roomwirev1.ReceiveRequest) backend.Inbound {
	in := backend.Inbound{
		Method: p.GetMethod(), Query: p.GetQuery(), Body: p.GetBody(), Trusted: p.GetTrusted(), Header: http.Header{},
	}
	for _, f := range p.GetHeader() {
		in.Header[f.GetName()] = each(f.GetValues(), func(v []byte) string { return string(v) })
	}
	return in
}

func replyToProto(r backend.Reply) *roomwirev1.ReceiveResponse {
	return &roomwirev1.ReceiveResponse{
		Status: int32(r.Status), ContentType: utf(r.ContentType), Body: r.Body, Hints: each(r.Hints, hintToProto),
	}
}

func replyFromProto(p *roomwirev1.ReceiveResponse) backend.Reply {
	return backend.Reply{
		Status: int(p.GetStatus()), ContentType: p.GetContentType(), Body: p.GetBody(),
		Hints: each(p.GetHints(), hintFromProto),
	}
}

// A hint of an unknown kind becomes Dirty: a needless pull harms nobody.
func hintToProto(h backend.Hint) *roomwirev1.Hint {
	kind := roomwirev1.HintKind_HINT_KIND_DIRTY
	switch h.Kind {
	case backend.Alive:
		kind = roomwirev1.HintKind_HINT_KIND_ALIVE
	case backend.Lost:
		kind = roomwirev1.HintKind_HINT_KIND_LOST
	}
	return &roomwirev1.Hint{Subscription: utf(h.Subscription), Kind: kind, Mark: []byte(h.Mark)}
}

func hintFromProto(p *roomwirev1.Hint) backend.Hint {
	kind := backend.Dirty
	switch p.GetKind() {
	case roomwirev1.HintKind_HINT_KIND_ALIVE:
		kind = backend.Alive
	case roomwirev1.HintKind_HINT_KIND_LOST:
		kind = backend.Lost
	}
	return backend.Hint{Subscription: p.GetSubscription(), Kind: kind, Mark: string(p.GetMark())}
}

func markersToProto(m backend.Markers) *roomwirev1.Markers {
	return &roomwirev1.Markers{Key: propertyToProto(m.Key), Foreign: propertyToProto(m.Foreign)}
}

func markersFromProto(p *roomwirev1.Markers) backend.Markers {
	return backend.Markers{Key: propertyFromProto(p.GetKey()), Foreign: propertyFromProto(p.GetForeign())}
}

func propertyToProto(p backend.Property) *roomwirev1.Property {
	return &roomwirev1.Property{Set: utf(p.Set), Name: utf(p.Name)}
}

func propertyFromProto(p *roomwirev1.Property) backend.Property {
	return backend.Property{Set: p.GetSet(), Name: p.GetName()}
}

func targetToProto(t auth.Target) *roomwirev1.Target {
	return &roomwirev1.Target{
		Origin: utf(t.Origin), Mailbox: utf(t.Mailbox), ChannelBinding: t.ChannelBinding, Retry: int32(t.Retry), Refused: t.Refused,
	}
}

func targetFromProto(p *roomwirev1.Target) auth.Target {
	return auth.Target{
		Origin: p.GetOrigin(), Mailbox: p.GetMailbox(), ChannelBinding: p.GetChannelBinding(), Retry: int(p.GetRetry()),
		Refused: p.GetRefused(),
	}
}

func headerToProto(h auth.Header) *roomwirev1.Header {
	return &roomwirev1.Header{Value: utf(h.Value), Expires: timeToProto(h.Expires), More: h.More}
}

func headerFromProto(p *roomwirev1.Header) auth.Header {
	return auth.Header{Value: p.GetValue(), Expires: timeFromProto(p.GetExpires()), More: p.GetMore()}
}

// utf makes a string fit for protobuf.
func utf(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
