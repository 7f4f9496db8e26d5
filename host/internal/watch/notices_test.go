package watch

import (
	"context"
	"slices"
	"testing"
)

// Hosts that mark the same mailboxes in different orders would wait for each other in PostgreSQL.
func TestMailboxesAreMarkedOnceAndInTheirOrder(t *testing.T) {
	t.Parallel()
	var marked []id
	n := newNotices(func(_ context.Context, batch []id) error {
		marked = append(marked, batch...)
		return nil
	})
	a, b, c := id{"A", "z"}, id{"B", "a"}, id{"B", "b"}
	if err := n.add(t.Context(), []id{c, a, c, b, a}); err != nil {
		t.Fatal(err)
	}
	if want := []id{a, b, c}; !slices.Equal(marked, want) {
		t.Errorf("marked %v, want %v", marked, want)
	}
}
