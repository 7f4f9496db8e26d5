// Command echo is a backend plugin that answers at once: what it costs is the hop. Its Probe makes as many requests over
// HTTP as the mailbox's address says, to the mailbox's URL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/serve"
	"github.com/roomwire/roomwire/test/bench/internal/payload"
)

type echo struct {
	backend.ReadOnly
	http  *http.Client
	reply backend.Reply
	item  backend.Item
}

// Probe implements backend.Backend.
func (e echo) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	n, err := strconv.Atoi(m.Address)
	if err != nil {
		return backend.Status{}, errors.Join(err, fault.Invalid)
	}
	for range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL, nil)
		if err != nil {
			return backend.Status{}, err
		}
		resp, err := e.http.Do(req)
		if err != nil {
			return backend.Status{}, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return backend.Status{}, err
		}
		if resp.StatusCode != http.StatusOK {
			return backend.Status{}, fmt.Errorf("%s: %w", resp.Status, fault.Unavailable)
		}
	}
	return backend.Status{Server: "echo"}, nil
}

// Pull implements backend.Backend.
func (echo) Pull(context.Context, backend.PullRequest, func(backend.Page) error) error { return nil }

// Fetch implements backend.Backend.
func (e echo) Fetch(context.Context, backend.Mailbox, []backend.Ref) ([]backend.Fetched, error) {
	return []backend.Fetched{{Item: e.item}}, nil
}

// Subscribe implements backend.Pusher.
func (echo) Subscribe(context.Context, backend.SubscribeRequest) (backend.Subscription, error) {
	return backend.Subscription{}, fault.Unsupported
}

// Unsubscribe implements backend.Pusher.
func (echo) Unsubscribe(context.Context, backend.Mailbox, backend.Subscription) error {
	return fault.Unsupported
}

// Receive implements backend.Pusher.
func (e echo) Receive(context.Context, backend.Inbound) (backend.Reply, error) { return e.reply, nil }

func main() {
	open := func(_ context.Context, _ struct{}, env backend.Env) (backend.Backend, error) {
		return echo{http: env.HTTP, reply: payload.Reply(), item: payload.Item()}, nil
	}
	serve.Backend(backend.Plugin[struct{}]{Name: "echo", Version: "0.1.0", Open: open})
}
