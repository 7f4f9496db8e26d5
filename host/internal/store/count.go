package store

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// CountLinks returns how many items of a mailbox are linked to a booking.
func (r Reads) CountLinks(ctx context.Context, tenant, person string) (int64, error) {
	n, err := r.q.CountLiveLinks(ctx, db.CountLiveLinksParams{Tenant: tenant, Person: person})
	if err != nil {
		return 0, fmt.Errorf("count links of %s: %w", person, err)
	}
	return n, nil
}
