package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// TakeDuty makes holder the one that does what name stands for until the given moment, or prolongs it; false if somebody
// else has the duty. Hosts on one database share their work by it; a host that dies loses its duties when they run out.
func (t *Tx) TakeDuty(ctx context.Context, name, holder string, until time.Time) (bool, error) {
	n, err := t.q.TakeDuty(ctx, db.TakeDutyParams{Name: name, Holder: holder, Until: millis(until), Now: millis(t.s.now())})
	if err != nil {
		return false, fmt.Errorf("take over duty %s: %w", name, err)
	}
	return n == 1, nil
}

// DropDuty gives a duty back, if holder has it.
func (t *Tx) DropDuty(ctx context.Context, name, holder string) error {
	if err := t.q.DropDuty(ctx, db.DropDutyParams{Name: name, Holder: holder}); err != nil {
		return fmt.Errorf("give duty %s back: %w", name, err)
	}
	return nil
}
