package syncer

import (
	"context"
	"math"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// matches holds a precondition against the booking there is. One that only was answered since is as it was to whoever changes it:
// no change overwrites an answer, so that there is nothing to be read again for.
func matches(ctx context.Context, tx *store.Tx, of bookingID, old *booking.Booking, found bool, m booking.Match) error {
	current := int64(0)
	if found {
		current = old.Version
	}
	holds := !(m.Absent && found) && (!m.Set || m.Version == current)
	if !holds && m.Set && found && m.Version < current {
		var err error
		if holds, err = onlyAnswered(ctx, tx, of, m.Version); err != nil {
			return err
		}
	}
	if !holds {
		return &booking.VersionError{Booking: of.id, Current: current}
	}
	return nil
}

// A bookingID names a booking.
type bookingID struct{ tenant, id string }

// onlyAnswered reports whether a booking was at a version once, and all that has happened since were answers.
func onlyAnswered(ctx context.Context, tx *store.Tx, of bookingID, version int64) (bool, error) {
	for seq := int64(math.MaxInt64); ; {
		c, found, err := tx.ChangeBefore(ctx, of.tenant, of.id, seq)
		if err != nil || !found {
			return false, err
		}
		if c.Version <= version || c.Kind != changeAnswered {
			return c.Version == version, nil
		}
		seq = c.Seq
	}
}
