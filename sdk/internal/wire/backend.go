package wire

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A BackendConfig is what an instance of a backend is opened with.
type BackendConfig struct {
	Settings   []byte // a JSON object
	Identities []Identity
	ActAs      bool
	Markers    backend.Markers
	HTTP       HTTPOptions
}

// An Identity is one that a backend may use.
type Identity struct {
	Name   string
	Traits AuthTraits
	Auth   auth.Authenticator // in the plugin's process; it relays through the host
}

// HTTPOptions are what a program would else take from its environment.
type HTTPOptions struct {
	CAPEM   []byte // certificates trusted beside the system's
	Proxy   string // URL; empty for none
	Timeout time.Duration
}

// A BackendServer serves a backend plugin's instances.
type BackendServer struct {
	roomwirev1.UnimplementedBackendServer
	// OpenInstance makes an instance and says how to end what was made for it.
	OpenInstance func(ctx context.Context, c BackendConfig) (b backend.Backend, end func() error, err error)
	Plugin       *PluginServer

	table table[openBackend]
}

type openBackend struct {
	backend.Backend
	end func() error
}

// Close implements io.Closer for the table.
func (o openBackend) Close() error { return o.end() }

// Register serves s on g.
func (s *BackendServer) Register(g *grpc.Server) { roomwirev1.RegisterBackendServer(g, s) }

// Open implements the service.
func (s *BackendServer) Open(ctx context.Context, req *roomwirev1.BackendOpenRequest) (*roomwirev1.BackendOpenResponse, error) {
	c := BackendConfig{
		Settings: req.GetSettings(), ActAs: req.GetActAs(), Markers: markersFromProto(req.GetMarkers()),
		HTTP: httpFromProto(req.GetHttp()),
	}
	for _, p := range req.GetIdentities() {
		id := Identity{Name: p.GetName(), Traits: traitsFromProto(p.GetTraits())}
		id.Auth = s.Plugin.relay.identity(req.GetId(), id.Name)
		c.Identities = append(c.Identities, id)
	}
	b, end, err := s.OpenInstance(ctx, c)
	if err != nil {
		return nil, err
	}
	s.table.put(req.GetId(), openBackend{Backend: b, end: end})
	can := backend.AbilitiesOf(b)
	return &roomwirev1.BackendOpenResponse{Abilities: &roomwirev1.Abilities{
		Pusher: can.Pusher, Finder: can.Finder, Watcher: can.Watcher, Omits: uint32(can.Omits), AskingOnly: can.AskingOnly,
		FreeBusy: can.FreeBusy, GroupExpander: can.GroupExpander, Drift: can.Drift,
		Everything: can.Everything, Responder: can.Responder, Answers: can.Answers,
	}}, nil
}

// Close implements the service.
func (s *BackendServer) Close(_ context.Context, req *roomwirev1.BackendCloseRequest) (*roomwirev1.BackendCloseResponse, error) {
	s.table.remove(req.GetId())
	return &roomwirev1.BackendCloseResponse{}, nil
}

// ability returns the instance as one of the optional interfaces.
func ability[A any](s *BackendServer, id, name string) (A, func(), error) {
	var none A
	b, release, err := s.table.get(id)
	if err != nil {
		return none, nil, err
	}
	a, ok := b.Backend.(A)
	if !ok {
		release()
		return none, nil, fmt.Errorf("this backend has no %s: %w", name, fault.Unsupported)
	}
	return a, release, nil
}

// Probe implements the service.
func (s *BackendServer) Probe(ctx context.Context, req *roomwirev1.ProbeRequest) (*roomwirev1.ProbeResponse, error) {
	b, release, err := s.table.get(req.GetId())
	if err != nil {
		return nil, err
	}
	defer release()
	m := mailboxFromProto(req.GetMailbox())
	st, err := b.Probe(backend.WithMailbox(ctx, m.Address), m)
	return &roomwirev1.ProbeResponse{Server: utf(st.Server), Delegate: st.Delegate, Horizon: timeToProto(st.Horizon)}, err
}

// Pull implements the service.
func (s *BackendServer) Pull(stream roomwirev1.Backend_PullServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	b, release, err := s.table.get(start.GetId())
	if err != nil {
		return err
	}
	defer release()
	req := backend.PullRequest{
		Mailbox: mailboxFromProto(start.GetMailbox()), Since: backend.Cursor(start.GetSince()), Everything: start.GetEverything(),
	}
	ctx := backend.WithMailbox(stream.Context(), req.Mailbox.Address)
	since := start.GetSince()
	return b.Pull(ctx, req, func(p backend.Page) error {
		parts, err := divided(pageToProto(p), since, maxContent)
		if err != nil {
			return err
		}
		for _, part := range parts {
			if err := stream.Send(&roomwirev1.PullResponse{Page: part}); err != nil {
				return err
			}
			if _, err := stream.Recv(); err != nil { // the host has stored the page
				return err
			}
		}
		since = []byte(p.Next)
		return nil
	})
}

// Fetch implements the service.
func (s *BackendServer) Fetch(ctx context.Context, req *roomwirev1.FetchRequest) (*roomwirev1.FetchResponse, error) {
	b, release, err := s.table.get(req.GetId())
	if err != nil {
		return nil, err
	}
	defer release()
	m := mailboxFromProto(req.GetMailbox())
	fetched, err := b.Fetch(backend.WithMailbox(ctx, m.Address), m, each(req.GetRefs(), refFromProto))
	if err == nil && len(fetched) != len(req.GetRefs()) {
		err = internal(fmt.Sprintf("the plugin has a defect: asked for %d items it answered %d", len(req.GetRefs()), len(fetched)))
	}
	resp := &roomwirev1.FetchResponse{Fetched: each(fetched, fetchedToProto)}
	lighter(maxContent, each(resp.GetFetched(), (*roomwirev1.Fetched).GetItem)...)
	return resp, err
}

// Apply implements the service.
func (s *BackendServer) Apply(ctx context.Context, req *roomwirev1.ApplyRequest) (*roomwirev1.ApplyResponse, error) {
	b, release, err := s.table.get(req.GetId())
	if err != nil {
		return nil, err
	}
	defer release()
	m := mutationFromProto(req.GetMutation())
	r, err := b.Apply(backend.WithMailbox(ctx, m.Mailbox.Address), m)
	resp := &roomwirev1.ApplyResponse{Item: itemToProto(r.Item), Repeated: r.Repeated}
	lighter(maxContent, resp.GetItem())
	return resp, err
}

// Find implements the service.
func (s *BackendServer) Find(ctx context.Context, req *roomwirev1.FindRequest) (*roomwirev1.FindResponse, error) {
	f, release, err := ability[backend.Finder](s, req.GetId(), "search by marker")
	if err != nil {
		return nil, err
	}
	defer release()
	m := mailboxFromProto(req.GetMailbox())
	by := backend.OurKey
	switch req.GetBy() {
	case roomwirev1.Marker_MARKER_FOREIGN_KEY:
		by = backend.ForeignKey
	case roomwirev1.Marker_MARKER_UID:
		by = backend.ByUID
	}
	items, err := f.Find(backend.WithMailbox(ctx, m.Address), m, by, req.GetValue())
	resp := &roomwirev1.FindResponse{Items: each(items, itemToProto)}
	lighter(maxContent, resp.GetItems()...)
	return resp, err
}

// Subscribe implements the service.
func (s *BackendServer) Subscribe(ctx context.Context, req *roomwirev1.SubscribeRequest) (*roomwirev1.SubscribeResponse, error) {
	p, release, err := ability[backend.Pusher](s, req.GetId(), "push")
	if err != nil {
		return nil, err
	}
	defer release()
	r := subscribeFromProto(req)
	sub, err := p.Subscribe(backend.WithMailbox(ctx, r.Mailbox.Address), r)
	return &roomwirev1.SubscribeResponse{Subscription: subscriptionToProto(sub)}, err
}

// Unsubscribe implements the service.
func (s *BackendServer) Unsubscribe(ctx context.Context, req *roomwirev1.UnsubscribeRequest) (*roomwirev1.UnsubscribeResponse, error) {
	p, release, err := ability[backend.Pusher](s, req.GetId(), "push")
	if err != nil {
		return nil, err
	}
	defer release()
	m := mailboxFromProto(req.GetMailbox())
	err = p.Unsubscribe(backend.WithMailbox(ctx, m.Address), m, subscriptionFromProto(req.GetSubscription()))
	return &roomwirev1.UnsubscribeResponse{}, err
}

// Receive implements the service.
func (s *BackendServer) Receive(ctx context.Context, req *roomwirev1.ReceiveRequest) (*roomwirev1.ReceiveResponse, error) {
	p, release, err := ability[backend.Pusher](s, req.GetId(), "push")
	if err != nil {
		return nil, err
	}
	defer release()
	reply, err := p.Receive(ctx, inboundFromProto(req))
	return replyToProto(reply), err
}
