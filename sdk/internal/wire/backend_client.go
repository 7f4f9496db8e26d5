package wire

import (
	"context"
	"errors"
	"io"

	"google.golang.org/protobuf/types/known/durationpb"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A BackendClient is one instance in a backend plugin's process. It has the methods of every optional interface;
// Abilities says which of them the far side has.
type BackendClient struct {
	Abilities backend.Abilities

	id   string
	rpc  roomwirev1.BackendClient
	gate *Gate
}

// OpenBackend opens an instance under an id that is new to the process.
func (c *Conn) OpenBackend(ctx context.Context, gate *Gate, id string, cfg BackendConfig) (*BackendClient, error) {
	leave, err := gate.Enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	b := &BackendClient{id: id, rpc: roomwirev1.NewBackendClient(c.conn), gate: gate}
	resp, err := b.rpc.Open(ctx, &roomwirev1.BackendOpenRequest{
		Id: id, Settings: cfg.Settings, ActAs: cfg.ActAs, Markers: markersToProto(cfg.Markers),
		Http: httpToProto(cfg.HTTP), Identities: each(cfg.Identities, identityToProto),
	})
	if err != nil {
		return nil, err
	}
	a := resp.GetAbilities()
	b.Abilities = backend.Abilities{
		Pusher: a.GetPusher(), Finder: a.GetFinder(), Watcher: a.GetWatcher(), AskingOnly: a.GetAskingOnly(),
		FreeBusy: a.GetFreeBusy(), GroupExpander: a.GetGroupExpander(), Drift: a.GetDrift(),
		Everything: a.GetEverything(), Responder: a.GetResponder(), Answers: a.GetAnswers(),
		Omits: calendar.Fields(a.GetOmits()) & calendar.AllFields &^ calendar.FieldTime,
	}
	return b, nil
}

// item is itemFromProto for an item of this calendar.
func (b *BackendClient) item(p *roomwirev1.Item) calendar.Item {
	item := itemFromProto(p)
	item.Omits |= b.Abilities.Omits
	return item
}

func identityToProto(id Identity) *roomwirev1.Identity {
	return &roomwirev1.Identity{Name: utf(id.Name), Traits: traitsToProto(id.Traits)}
}

func httpToProto(o HTTPOptions) *roomwirev1.HttpOptions {
	return &roomwirev1.HttpOptions{CaPem: o.CAPEM, Proxy: utf(o.Proxy), Timeout: durationpb.New(o.Timeout)}
}

func httpFromProto(p *roomwirev1.HttpOptions) HTTPOptions {
	return HTTPOptions{CAPEM: p.GetCaPem(), Proxy: p.GetProxy(), Timeout: positive(p.GetTimeout().AsDuration())}
}

// Close ends the instance in the plugin.
func (b *BackendClient) Close(ctx context.Context) error {
	_, err := b.rpc.Close(ctx, &roomwirev1.BackendCloseRequest{Id: b.id})
	return err
}

// Probe implements backend.Backend.
func (b *BackendClient) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	resp, err := call(ctx, b, b.rpc.Probe, &roomwirev1.ProbeRequest{Id: b.id, Mailbox: mailboxToProto(m)})
	return backend.Status{Server: resp.GetServer(), Delegate: resp.GetDelegate(), Horizon: timeFromProto(resp.GetHorizon())}, err
}

// Pull implements backend.Backend.
func (b *BackendClient) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	leave, err := b.gate.Enter()
	if err != nil {
		return err
	}
	defer leave()
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the call in the plugin, wherever it is
	stream, err := b.rpc.Pull(streamCtx)
	if err != nil {
		return err
	}
	next := &roomwirev1.PullRequest{Start: &roomwirev1.PullStart{
		Id: b.id, Mailbox: mailboxToProto(req.Mailbox), Since: []byte(req.Since), Everything: req.Everything,
	}}
	for {
		if err := firstSend(stream.Send(next)); err != nil {
			return err
		}
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		page := pageFromProto(resp.GetPage())
		for _, c := range page.Changes {
			if c.Item != nil {
				c.Item.Omits |= b.Abilities.Omits
			}
		}
		if err := emit(page); err != nil {
			return err
		}
		next = &roomwirev1.PullRequest{}
	}
}

// Fetch implements backend.Backend. What is too much for one message is asked for in two.
func (b *BackendClient) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	fetched, err := b.fetch(ctx, m, refs)
	if !isTooLarge(err) || len(refs) < 2 {
		return fetched, err
	}
	if fetched, err = b.Fetch(ctx, m, refs[:len(refs)/2]); err != nil {
		return nil, err
	}
	rest, err := b.Fetch(ctx, m, refs[len(refs)/2:])
	if err != nil {
		return nil, err
	}
	return append(fetched, rest...), nil
}

func (b *BackendClient) fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	resp, err := call(ctx, b, b.rpc.Fetch, &roomwirev1.FetchRequest{
		Id: b.id, Mailbox: mailboxToProto(m), Refs: each(refs, refToProto),
	})
	fetched := each(resp.GetFetched(), fetchedFromProto)
	for i := range fetched {
		fetched[i].Item.Omits |= b.Abilities.Omits
	}
	return fetched, err
}

// Apply implements backend.Backend.
func (b *BackendClient) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	m.Fields &^= b.Abilities.Omits
	resp, err := call(ctx, b, b.rpc.Apply, &roomwirev1.ApplyRequest{Id: b.id, Mutation: fitting(mutationToProto(m), maxContent)})
	if err != nil {
		return backend.Result{}, err
	}
	return backend.Result{Item: b.item(resp.GetItem()), Repeated: resp.GetRepeated()}, nil
}

// Find implements backend.Finder.
func (b *BackendClient) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	marker := roomwirev1.Marker_MARKER_OUR_KEY
	switch by {
	case backend.ForeignKey:
		marker = roomwirev1.Marker_MARKER_FOREIGN_KEY
	case backend.ByUID:
		marker = roomwirev1.Marker_MARKER_UID
	}
	resp, err := call(ctx, b, b.rpc.Find, &roomwirev1.FindRequest{
		Id: b.id, Mailbox: mailboxToProto(m), By: marker, Value: utf(value),
	})
	return each(resp.GetItems(), b.item), err
}

// Subscribe implements backend.Pusher.
func (b *BackendClient) Subscribe(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	resp, err := call(ctx, b, b.rpc.Subscribe, subscribeToProto(b.id, req))
	return subscriptionFromProto(resp.GetSubscription()), err
}

// Unsubscribe implements backend.Pusher.
func (b *BackendClient) Unsubscribe(ctx context.Context, m backend.Mailbox, s backend.Subscription) error {
	_, err := call(ctx, b, b.rpc.Unsubscribe, &roomwirev1.UnsubscribeRequest{
		Id: b.id, Mailbox: mailboxToProto(m), Subscription: subscriptionToProto(s),
	})
	return err
}

// Receive implements backend.Pusher.
func (b *BackendClient) Receive(ctx context.Context, in backend.Inbound) (backend.Reply, error) {
	resp, err := call(ctx, b, b.rpc.Receive, inboundToProto(b.id, in))
	return replyFromProto(resp), err
}
