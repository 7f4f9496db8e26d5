package syncer

import (
	"context"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// A booking whose item is still to be made, and a meeting that the same person makes in Outlook for the same room and time, look like one:
// the room's copy of the meeting is taken for the booking's. Once the booking's own item is known they are two.

// hasOther reports whether links are known to be of other items than the one with a UID.
func hasOther(links []store.Link, uid string) bool {
	named := func(l store.Link) bool { return l.UID != "" }
	return uid != "" && slices.ContainsFunc(links, named) && !slices.ContainsFunc(links, func(l store.Link) bool { return l.UID == uid })
}

// identified has the rooms look again at what they took for copies of a link's item, whose UID is learnt.
func (e *Engine) identified(ctx context.Context, tx *store.Tx, l store.Link, uid string) error {
	if uid == "" || uid == l.UID || !e.RoomSync(l.Tenant) {
		return nil
	}
	rows, err := tx.RoomItemsOfBooking(ctx, l.Tenant, l.Booking)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Role != store.RoomCopy || r.UID == uid || isPlaceholder(r) || !r.GoneAt.IsZero() {
			continue
		}
		r.Due = e.now()
		if err := tx.PutRoomItem(ctx, r); err != nil {
			return err
		}
		if err := tx.MarkDirty(ctx, r.Tenant, r.Room, zeroTime); err != nil {
			return err
		}
	}
	return nil
}

// another reports whether the meeting is another one than that of the booking's own item. A copy of what is in nobody's calendar any more
// is that of a former item.
func (s *roomSettling) another(ctx context.Context, b *booking.Booking) (bool, error) {
	links, err := s.tx.LinksOfBooking(ctx, b.Tenant, b.ID)
	if err != nil || !hasOther(links, s.row.UID) {
		return false, err
	}
	if s.original != nil {
		return true, nil
	}
	known, err := s.tx.LinksByUID(ctx, s.row.Tenant, s.row.UID)
	return len(known) > 0, err
}
