package backendtest

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// State implements backend.DriftChecker.
func (b *memory) State(ctx context.Context, m backend.Mailbox, since backend.Cursor) (string, error) {
	x, err := b.reach(ctx, m)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.has("the state knows no deletes") {
		made := map[calendar.Ref]bool{}
		for _, ref := range x.history {
			made[ref] = true
		}
		return fmt.Sprintf("%d made, %d changes", len(made), len(x.history)-b.deletions(x)), nil
	}
	if since == "" && b.has("there is no state without a cursor") {
		return "", fmt.Errorf("no cursor: %w", fault.Invalid)
	}
	return fmt.Sprintf("%d changes", len(x.history)), nil
}

// deletions counts the items that are gone.
func (b *memory) deletions(x *box) int {
	gone := map[calendar.Ref]bool{}
	for _, ref := range x.history {
		if _, there := x.items[ref]; !there {
			gone[ref] = true
		}
	}
	return len(gone)
}
