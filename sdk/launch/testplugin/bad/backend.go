package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

// settings are what an instance is opened with.
type settings struct {
	Misbehave string `json:"misbehave"`
	Token     string `json:"token"`
}

// register serves the plugin on g, on the wire itself: package serve would not let it lie.
func (b *bad) register(broker *plugin.GRPCBroker, g *grpc.Server) {
	about := wire.Description{
		Kind: wire.BackendPlugin, Name: "bad", Version: "1.0.0", Settings: []wire.Setting{
			{Name: "misbehave", Type: "string", Doc: "what every call does, see the package's comment"},
			{Name: "token", Type: "string", Doc: "a secret", Secret: true},
		},
	}
	if b.is("name") {
		about.Name = b.told["name"]
	}
	if b.is("version") {
		about.Version = b.told["version"]
	}
	p := &wire.PluginServer{Description: about, Broker: broker, Attached: b.attached, Ended: b.ended}
	p.Register(g)
	roomwirev1.RegisterBackendServer(g, &liar{bad: b, BackendServer: &wire.BackendServer{Plugin: p, OpenInstance: b.open}})
}

// open opens an instance; what the setting has for Open is done first.
func (b *bad) open(_ context.Context, c wire.BackendConfig) (backend.Backend, func() error, error) {
	var s settings
	if err := json.Unmarshal(c.Settings, &s); err != nil {
		return nil, nil, fmt.Errorf("the settings are not as they should be: %w", fault.Invalid)
	}
	var now, later []string
	for word := range strings.SplitSeq(s.Misbehave, "+") {
		if at, is := strings.CutPrefix(word, "open:"); is {
			now = append(now, at)
		} else {
			later = append(later, word)
		}
	}
	s.Misbehave = strings.Join(later, "+")
	if err := b.do(strings.Join(now, "+"), s.Token, calendar.Mailbox{}); err != nil {
		return nil, nil, err
	}
	return &instance{bad: b, settings: s}, func() error { return nil }, nil
}

// An instance does in every call what it was told.
type instance struct {
	*bad
	settings
}

func (i *instance) misbehave(m backend.Mailbox) error {
	local, _, _ := strings.Cut(m.Address, "@")
	return i.do(i.Misbehave+"+"+local, i.Token, m)
}

// Probe implements backend.Backend.
func (i *instance) Probe(_ context.Context, m backend.Mailbox) (backend.Status, error) {
	return backend.Status{Server: "bad backend"}, i.misbehave(m)
}

// Pull implements backend.Backend.
func (i *instance) Pull(_ context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	if err := i.misbehave(req.Mailbox); err != nil {
		return err
	}
	return emit(backend.Page{Full: true, Last: true, Next: "1"})
}

// Fetch implements backend.Backend.
func (i *instance) Fetch(_ context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	if err := i.misbehave(m); err != nil {
		return nil, err
	}
	var all []backend.Fetched
	for _, ref := range refs {
		all = append(all, backend.Fetched{Err: fmt.Errorf("item %q: %w", ref, fault.NotFound)})
	}
	return all, nil
}

// Apply implements backend.Backend.
func (i *instance) Apply(_ context.Context, m calendar.Mutation) (backend.Result, error) {
	return backend.Result{Item: backend.Item{
		Ref: backend.Ref(m.Key), Revision: m.IfRevision, Key: m.Key, ForeignKey: m.ForeignKey, Event: m.Event,
	}}, i.misbehave(m.Mailbox)
}

// A liar answers on the wire what no proper plugin would.
type liar struct {
	*wire.BackendServer
	bad   *bad
	words sync.Map // by instance: what the setting says
}

// Open claims abilities that are not served.
func (l *liar) Open(ctx context.Context, req *roomwirev1.BackendOpenRequest) (*roomwirev1.BackendOpenResponse, error) {
	resp, err := l.BackendServer.Open(ctx, req)
	if err != nil {
		return nil, err
	}
	var s settings
	_ = json.Unmarshal(req.GetSettings(), &s) // it was read before
	l.words.Store(req.GetId(), s.Misbehave)
	for ability := range strings.SplitSeq(l.bad.told["claim"], ",") {
		switch ability {
		case "pusher":
			resp.Abilities.Pusher = true
		case "finder":
			resp.Abilities.Finder = true
		case "watcher":
			resp.Abilities.Watcher = true
		}
	}
	return resp, nil
}

// Fetch answers an item too few, or leaks inside each item, where it was told to.
func (l *liar) Fetch(ctx context.Context, req *roomwirev1.FetchRequest) (*roomwirev1.FetchResponse, error) {
	resp, err := l.BackendServer.Fetch(ctx, req)
	local, _, _ := strings.Cut(req.GetMailbox().GetAddress(), "@")
	setting, _ := l.words.Load(req.GetId())
	words := strings.Split(fmt.Sprint(setting, "+", local), "+")
	switch {
	case err != nil && slices.Contains(words, "leak"):
		resp = &roomwirev1.FetchResponse{}
		for range req.GetRefs() {
			leaked := &roomwirev1.Fault{Kind: string(fault.Unavailable), Message: err.Error(), Code: err.Error()}
			resp.Fetched = append(resp.Fetched, &roomwirev1.Fetched{Fault: leaked})
		}
		return resp, nil
	case err == nil && slices.Contains(words, "short") && len(resp.GetFetched()) > 0:
		resp.Fetched = resp.Fetched[1:]
	}
	return resp, err
}
