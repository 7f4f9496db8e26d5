package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
)

// settled is how old the last change in a folder must be for its state to mean anything: Exchange tells its time to the second,
// so another change within that second would not show. It also allows for clocks that differ.
const settled = 2 * time.Minute

// State implements backend.DriftChecker by two properties of the calendar folder: when something in it was made or changed
// last, and how many items have left it.
func (b *Backend) State(ctx context.Context, m backend.Mailbox, _ backend.Cursor) (string, error) {
	s, err := b.ews.CalendarState(ctx, m)
	if err != nil || s.Committed.IsZero() || s.Deleted == "" || s.Items == "" || s.Committed.After(b.now().Add(-settled)) {
		return "", err
	}
	return fmt.Sprintf("%s %s %s", s.Committed.UTC().Format(time.RFC3339), s.Deleted, s.Items), nil
}
