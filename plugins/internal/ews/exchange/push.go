package exchange

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// defaultStatus is how often a server without news says that it is alive, unless asked otherwise.
const defaultStatus = 30 * time.Minute

// Subscribe implements backend.Pusher. Exchange knows no renewal: every call makes a new subscription, and the old one
// ends when a message of it is answered as not trusted.
func (b *Backend) Subscribe(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	if err := b.subscribable(req.Mailbox); err != nil {
		return backend.Subscription{}, err
	}
	every := req.StatusInterval
	if every <= 0 {
		every = defaultStatus
	}
	id, err := b.ews.SubscribePush(ctx, req.Mailbox, ews.PushRequest{
		URL: req.URL, StatusMinutes: minutes(every),
	})
	return backend.Subscription{ID: id}, err
}

// subscribable refuses what Exchange refuses, too: delegates cannot subscribe.
func (b *Backend) subscribable(m backend.Mailbox) error {
	if b.ews.ActAs {
		return nil
	}
	return fmt.Errorf("the calendar of %s is reached by folder permission and cannot be subscribed to; it is pulled by the clock: %w",
		m.Address, fault.Unsupported)
}

// minutes counts whole minutes, rounded up.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }

// Unsubscribe implements backend.Pusher: a push subscription ends by the answer to its next message only.
func (b *Backend) Unsubscribe(_ context.Context, m backend.Mailbox, _ backend.Subscription) error {
	return fmt.Errorf("a push subscription to the calendar of %s ends by the answer to its next message only: %w",
		m.Address, fault.Unsupported)
}

// Receive implements backend.Pusher. What a message says is a hint and nothing more: whatever changed, even if it is only
// the folder, makes the mailbox dirty.
func (b *Backend) Receive(_ context.Context, in backend.Inbound) (backend.Reply, error) {
	all, err := ews.DecodeNotification(in.Body)
	if err != nil {
		return backend.Reply{}, err
	}
	reply := backend.Reply{
		Status:      http.StatusOK,
		ContentType: "text/xml; charset=utf-8",
		Body:        ews.NotificationReply(in.Trusted),
	}
	if in.Trusted {
		reply.Hints = hints(all)
	}
	return reply, nil
}

// hints says the gravest thing of each subscription, in the order of the messages.
func hints(all []ews.Notification) []backend.Hint {
	var out []backend.Hint
	at := map[string]int{}
	for _, n := range all {
		kind := backend.Alive
		switch {
		case n.Lost:
			kind = backend.Lost
		case n.Events > 0:
			kind = backend.Dirty
		}
		i, seen := at[n.Subscription]
		if !seen {
			at[n.Subscription] = len(out)
			out = append(out, backend.Hint{Subscription: n.Subscription, Kind: kind})
			continue
		}
		out[i].Kind = max(out[i].Kind, kind)
	}
	return out
}
