package backendtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// tell has everybody notified who listens.
func (w *world) tell() {
	for id, l := range w.subs {
		if l.url == "" || w.has("no message") {
			continue
		}
		if len(w.boxes[l.address].history) > l.seen {
			l.seen = len(w.boxes[l.address].history)
			told := notice{Subscription: id, Dirty: true}
			if w.has("messages name another subscription") {
				told.Subscription = "another"
			}
			go told.send(l.url)
		}
	}
	close(w.grown)
	w.grown = make(chan struct{})
}

// A notice is a message of the protocol.
type notice struct {
	Subscription string
	Dirty        bool
}

func (n notice) send(url string) {
	body, _ := json.Marshal(n)
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Post(url, "application/json", strings.NewReader(string(body)))
	if err == nil {
		_ = resp.Body.Close()
	}
}

// subscription adds a listener from now on.
func (b *memory) subscription(ctx context.Context, m backend.Mailbox, url string) (backend.Subscription, error) {
	x, err := b.reach(ctx, m)
	if err != nil {
		return backend.Subscription{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.number++
	id := fmt.Sprintf("subscription-%d", b.number)
	if b.has("all subscriptions are one") {
		id = "the one"
	}
	b.subs[id] = &listener{address: m.Address, url: url, seen: len(x.history)}
	return backend.Subscription{ID: id, Mark: strconv.Itoa(len(x.history))}, nil
}

// Subscribe implements backend.Pusher.
func (b *memory) Subscribe(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	if b.has("cannot subscribe") {
		return backend.Subscription{}, fmt.Errorf("no: %w", fault.Unsupported)
	}
	if req.Existing != nil && b.has("keeps the old URL") {
		return *req.Existing, nil
	}
	if req.Existing != nil && b.has("renews in place") {
		kept := *req.Existing
		kept.Kept = true
		return kept, nil
	}
	return b.subscription(ctx, req.Mailbox, req.URL)
}

// Unsubscribe implements backend.Pusher.
func (b *memory) Unsubscribe(_ context.Context, _ backend.Mailbox, s backend.Subscription) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs[s.ID] == nil && b.has("a second Unsubscribe fails") {
		return fmt.Errorf("no subscription %s: %w", s.ID, fault.NotFound)
	}
	delete(b.subs, s.ID)
	return nil
}

// Receive implements backend.Pusher.
func (b *memory) Receive(_ context.Context, in backend.Inbound) (backend.Reply, error) {
	var n notice
	if err := json.Unmarshal(in.Body, &n); err != nil && !b.has("garbage is a message") {
		return backend.Reply{}, fmt.Errorf("no message: %w", fault.Invalid)
	}
	if b.away && b.has("Receive asks the server") {
		return backend.Reply{}, fmt.Errorf("the server is away: %w", fault.Unavailable)
	}
	reply := backend.Reply{Status: 200, Body: []byte("go on")}
	if !in.Trusted {
		reply.Status = 410
	}
	if (in.Trusted || b.has("trusts everybody")) && n.Dirty {
		reply.Hints = []backend.Hint{{Subscription: n.Subscription, Kind: backend.Dirty}}
	}
	if b.has("gives no hints") {
		reply.Hints = nil
	}
	if b.has("answers with no status") {
		reply.Status = 0
	}
	return reply, nil
}

// Listen implements backend.Watcher.
func (b *memory) Listen(ctx context.Context, req backend.ListenRequest) (backend.Subscription, error) {
	if b.has("cannot listen") {
		return backend.Subscription{}, fmt.Errorf("no: %w", fault.Unsupported)
	}
	return b.subscription(ctx, req.Mailbox, "")
}

// Watch implements backend.Watcher. By streaming a subscription remembers what was told of it, by asking its mark does.
func (b *memory) Watch(ctx context.Context, req backend.WatchRequest, emit func([]backend.Hint) error) error {
	deadline := time.NewTimer(req.For)
	defer deadline.Stop()
	told := map[string]int{}
	for first := true; ; first = false {
		b.mu.Lock()
		var all []backend.Hint
		for _, w := range req.Watched {
			h, err := b.hint(w, req.Way, told, first)
			if err != nil {
				b.mu.Unlock()
				return err
			}
			if h.Kind != backend.Alive || req.Way == backend.WayAsking {
				all = append(all, h)
			}
		}
		grown := b.grown
		b.mu.Unlock()
		if b.has("tells of what is not watched") && len(all) > 0 {
			all = append(all, backend.Hint{Subscription: "another", Kind: backend.Dirty})
		}
		if len(all) > 0 {
			if err := emit(all); err != nil {
				return err
			}
		}
		if req.Way == backend.WayAsking && !b.has("Watch outlives its context") {
			return nil
		}
		ended := ctx.Done()
		if b.has("Watch outlives its context") {
			ended = nil
		}
		select {
		case <-grown:
		case <-deadline.C:
			return nil
		case <-ended:
			return ctx.Err()
		}
	}
}

// hint says what is new of one subscription; b.mu is held.
func (b *memory) hint(w backend.Watched, way backend.Way, told map[string]int, first bool) (backend.Hint, error) {
	id := w.Subscription.ID
	sub := b.subs[id]
	switch {
	case sub == nil && b.has("what is unknown is an error"):
		return backend.Hint{}, fmt.Errorf("no subscription %s: %w", id, fault.SubscriptionLost)
	case sub == nil && b.has("what is unknown is alive"):
		return backend.Hint{Subscription: id}, nil
	case sub == nil:
		return backend.Hint{Subscription: id, Kind: backend.Lost}, nil
	}
	length, from := len(b.boxes[sub.address].history), sub.seen
	if way == backend.WayAsking {
		from, _ = strconv.Atoi(w.Subscription.Mark)
	}
	if b.has("tells only what comes after Watch") && first {
		from = length
	}
	h := backend.Hint{Subscription: id, Kind: backend.Alive, Mark: strconv.Itoa(length)}
	if length > max(from, told[id]) && !b.has("tells nothing to those who watch") && !(b.has("tells of creates only") && length > 3) {
		h.Kind = backend.Dirty
	}
	if b.has("Mark stays") {
		h.Mark = ""
	}
	told[id], sub.seen = length, length
	return h, nil
}
