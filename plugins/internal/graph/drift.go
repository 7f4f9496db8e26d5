package graph

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
)

// asPulled is the state of a calendar that is as the cursor has it, and of one that is about to be read from the beginning.
const asPulled = "as pulled"

// State implements backend.DriftChecker by the delta that the cursor leads to. Where an item lies later than the window, of
// which no delta tells, it says nothing.
func (b *Backend) State(ctx context.Context, m backend.Mailbox, since backend.Cursor) (string, error) {
	if since == "" {
		return asPulled, nil
	}
	at, err := b.begin(backend.PullRequest{Mailbox: m, Since: since})
	if err != nil {
		return "", err
	}
	if at.Phase != phaseDelta || at.Next != "" || at.Beyond {
		return "", nil
	}
	entries, _, last, err := b.turn(ctx, linked(m, at.Delta))
	if err != nil {
		return "", err
	}
	if len(entries) == 0 && last {
		return asPulled, nil
	}
	return "changed at " + b.now().UTC().Format(time.RFC3339Nano), nil
}
