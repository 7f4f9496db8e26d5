package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// defaultTimeout is how long a pull subscription lives while nobody asks, unless asked otherwise.
const defaultTimeout = 60 * time.Minute

// Listen implements backend.Watcher. A subscription's Group is the affinity to the back-end server that holds it.
func (b *Backend) Listen(ctx context.Context, req backend.ListenRequest) (backend.Subscription, error) {
	if err := b.subscribable(req.Mailbox); err != nil {
		return backend.Subscription{}, err
	}
	var made ews.Subscribed
	var err error
	with := ews.ParseAffinity(req.Group)
	if req.Way == backend.WayAsking {
		timeout := req.Timeout
		if timeout <= 0 {
			timeout = defaultTimeout
		}
		made, err = b.ews.SubscribePull(ctx, req.Mailbox, ews.PullRequest{Minutes: minutes(timeout), Affinity: with})
	} else {
		made, err = b.ews.SubscribeStreaming(ctx, req.Mailbox, with)
	}
	if err != nil {
		return backend.Subscription{}, err
	}
	group := req.Group // the host tells groups apart by it
	if group == "" {
		group = made.Affinity.String()
	}
	return backend.Subscription{ID: made.ID, Group: group, Mark: made.Watermark}, nil
}

// Watch implements backend.Watcher.
func (b *Backend) Watch(ctx context.Context, req backend.WatchRequest, emit func([]backend.Hint) error) error {
	if n := len(req.Watched); n == 0 || n > backend.MaxWatched {
		return fmt.Errorf("%d subscriptions cannot be watched together, only 1 to %d: %w", n, backend.MaxWatched, fault.Invalid)
	}
	if req.Way == backend.WayAsking {
		return b.ask(ctx, req.Watched, emit)
	}
	return b.stream(ctx, req, emit)
}

// stream watches by one connection. It acts for the group's first mailbox while that is watched, so that the connection
// is charged to its budget; what is wrong with this mailbox alone must not silence the others.
func (b *Backend) stream(ctx context.Context, req backend.WatchRequest, emit func([]backend.Hint) error) error {
	with := ews.ParseAffinity(req.Watched[0].Subscription.Group)
	first := req.Watched[0]
	ids := make([]string, len(req.Watched))
	for i, w := range req.Watched {
		ids[i] = w.Subscription.ID
		if strings.EqualFold(w.Mailbox.Address, with.Anchor) {
			first = w
		}
	}
	var failed error // of the host's end
	err := b.ews.GetStreamingEvents(
		backend.WithStream(backend.WithMailbox(ctx, first.Mailbox.Address)), first.Mailbox,
		ews.StreamRequest{IDs: ids, Minutes: minutes(req.For), Affinity: with},
		func(all []ews.Notification) error {
			said := hints(all)
			if len(said) == 0 {
				said = []backend.Hint{{Kind: backend.Alive}}
			}
			failed = emit(said)
			return failed
		})
	if failed == nil && ofMailboxAlone(err) {
		return emit([]backend.Hint{{Subscription: first.Subscription.ID, Kind: backend.Lost}})
	}
	return err
}

// ofMailboxAlone reports whether err says something lasting of one mailbox or its subscription: to listen to it anew tells
// what is wrong with it, or helps.
func ofMailboxAlone(err error) bool {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Scope == fault.ScopeServer {
		return false
	}
	switch e.Kind {
	case fault.Unauthorized, fault.SubscriptionLost, fault.MailboxNotFound, fault.MailboxMoved, fault.Forbidden, fault.Unsupported, fault.NotFound:
		return true
	}
	return false
}
