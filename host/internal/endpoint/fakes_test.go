package endpoint

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

type fakeSubscriptions struct {
	byToken func(hash []byte) (store.Subscription, bool, error)
	heard   func(ctx context.Context, batch []Heard) error
}

func (f fakeSubscriptions) ByToken(_ context.Context, hash []byte) (store.Subscription, bool, error) {
	return f.byToken(hash)
}

func (f fakeSubscriptions) Heard(ctx context.Context, batch []Heard) error {
	return f.heard(ctx, batch)
}

type fakePusher struct {
	backend.Pusher
	receive func(in backend.Inbound) (backend.Reply, error)
}

func (f fakePusher) Receive(_ context.Context, in backend.Inbound) (backend.Reply, error) {
	return f.receive(in)
}

// toy is a protocol for tests: the body is "ID KIND", the answer OK or Unsubscribe.
func toy(in backend.Inbound) (backend.Reply, error) {
	if !in.Trusted {
		return backend.Reply{Status: 200, ContentType: "text/xml; charset=utf-8", Body: []byte("Unsubscribe")}, nil
	}
	id, kind, ok := strings.Cut(string(in.Body), " ")
	hint := backend.Hint{Subscription: id}
	switch kind {
	case "alive":
	case "dirty":
		hint.Kind = backend.Dirty
	case "lost":
		hint.Kind = backend.Lost
	default:
		ok = false
	}
	if !ok {
		return backend.Reply{}, fmt.Errorf("%q is no message: %w", in.Body, fault.Invalid)
	}
	return backend.Reply{Status: 200, ContentType: "text/xml; charset=utf-8", Body: []byte("OK"), Hints: []backend.Hint{hint}}, nil
}

// rig is an endpoint with one subscription: token "tok" of alice at tenant Default, with id "S1".
type rig struct {
	Options
	sub      store.Subscription
	byToken  func(hash []byte) (store.Subscription, bool, error)
	commit   func(ctx context.Context, batch []Heard) error
	receive  func(in backend.Inbound) (backend.Reply, error)
	counters Counters

	mu    sync.Mutex
	heard []Heard
}

func newRig() *rig {
	hash := sha256.Sum256([]byte("tok"))
	g := &rig{sub: store.Subscription{Tenant: "Default", Person: "alice", TokenHash: hash[:], ID: "S1", Active: true, Mode: "Exchange2013"}}
	g.receive = toy
	g.byToken = func(h []byte) (store.Subscription, bool, error) { return g.sub, string(h) == string(hash[:]), nil }
	g.commit = func(_ context.Context, batch []Heard) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.heard = append(g.heard, batch...)
		return nil
	}
	g.Options = Options{
		Tenants: func() []string { return []string{"Default", "Other"} },
		Subscriptions: fakeSubscriptions{
			func(hash []byte) (store.Subscription, bool, error) { return g.byToken(hash) },
			func(ctx context.Context, batch []Heard) error { return g.commit(ctx, batch) },
		},
		Receiver: func(mode string) (backend.Pusher, bool) {
			return fakePusher{receive: g.receive}, mode == "Exchange2013"
		},
		Backends: func() []string { return []string{"exchange2013", "graph"} },
		DefaultMode: func(backend string) string {
			return map[string]string{"": "Exchange2013", "graph": "Microsoft365"}[backend]
		},
		Counters: &g.counters,
	}
	return g
}

func (g *rig) kinds() []backend.HintKind {
	g.mu.Lock()
	defer g.mu.Unlock()
	var kinds []backend.HintKind
	for _, h := range g.heard {
		kinds = append(kinds, h.Kind)
	}
	return kinds
}

func do(t *testing.T, h http.Handler, method, target, body string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body)))
	return w.Result()
}
