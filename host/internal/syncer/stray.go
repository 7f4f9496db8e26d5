package syncer

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A stray is an item that bears the id of a booking that is somebody else's, as the add-in makes one whose own booking is refused while
// another person gets it: whoever made it believes to have the room.
type stray struct {
	booking *booking.Booking
	item    *calendar.Item
}

// listStray lays a stray before a person, as a scan does that meets it.
func (e *Engine) listStray(ctx context.Context, tx *store.Tx, p *pass, s stray) error {
	if s.item.Event.Cancelled || e.itemPast(s.item) {
		return nil
	}
	f := unowned(owner{id: s.booking.ID, booking: s.booking}, p.mb.Person)
	return tx.AddDifference(ctx, store.Difference{
		Tenant: p.mb.Tenant, Person: p.mb.Person, Booking: s.booking.ID, At: e.now(), Kind: f.kind, Detail: f.detail, Ref: s.item.Ref,
		Newer: f.newer, Recommend: f.recommend, Why: f.why, Said: saidOfItem(s.item),
	})
}

// closeStray closes what is listed of an item that is gone, or a booking's by now.
func (e *Engine) closeStray(ctx context.Context, tx *store.Tx, mb store.Mailbox, ref calendar.Ref) error {
	open, err := tx.Differences(ctx, mb.Tenant, store.DifferenceFilter{Person: mb.Person, Kind: itemWithoutBooking})
	if err != nil {
		return err
	}
	for _, d := range open {
		if d.Ref == ref {
			if _, err := tx.EndDifference(ctx, d.Tenant, d.ID, store.DifferenceClosed); err != nil {
				return err
			}
		}
	}
	return nil
}
