package syncer

import (
	"context"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// A room that is invited to one occurrence of a series alone has a single item of it in its calendar. Exchange does not take that out
// when the series is called off, or gets another pattern.

// isAlone reports whether the item stands for one occurrence of a booked series that the room does not have otherwise. A room that declined
// the series, and took one occurrence when that was changed, has such an item, too; it matters once the series is called off.
func (s *roomSettling) isAlone(b *booking.Booking) bool {
	return b.Series() && s.item.Event.Recurrence == "" && !holds(b, s.row.Room)
}

func holds(b *booking.Booking, room string) bool {
	return b.Status == booking.Confirmed && slices.Contains(b.Resources, room)
}

// alone settles such an item of the organizer's. One that no occurrence of the booking stands for any more is laid before a person, after a
// moment in which the organizer's calendar may tell of that occurrence; and declined if the booking is over and its own item gone.
func (s *roomSettling) alone(ctx context.Context, b *booking.Booking) error {
	s.row.Booking = b.ID
	if b.Status == booking.Confirmed {
		for o := range excepted(b) {
			if o.Start.Equal(s.item.Event.Start) && slices.Contains(o.Resources(), s.row.Room) {
				s.row.Reason = ""
				return s.becomesCopy(ctx)
			}
		}
	}
	if s.tries == 0 && s.row.Role != store.RoomLeft && !(refuses(*s.row) && s.row.Reason == roomCancelled) {
		if err := s.becomesCopy(ctx); err != nil {
			return err
		}
		s.row.Reason, s.row.Tries, s.row.Due = "", 1, s.engine.now().Add(roomSwapWait)
		switch {
		case b.Organizer == "" || b.Status != booking.Confirmed:
			return nil
		case s.refused:
			return s.engine.bringBack(ctx, s.tx, *s.row)
		}
		return s.tx.MarkDirty(ctx, b.Tenant, b.Organizer, zeroTime)
	}
	if deleting, err := s.beingDeleted(ctx, b); err != nil || deleting {
		s.row.Due = s.engine.now().Add(min(roomSwapWait<<min(s.tries, 6), time.Hour)) // it takes long if the sync of that calendar is off
		s.row.Tries = s.tries + 1
		return err
	}
	if s.canDecline() && b.Status != booking.Confirmed { // else the room may be invited to what the booking does not say yet
		return s.refuse(ctx, roomCancelled)
	}
	return s.leave(ctx, roomDifference{roomUnbooked, b.ID, "it was one occurrence of a series, which has none then in this room any more; it is still in the room's calendar: delete it there"})
}

// beingDeleted reports whether the organizer's item of a booking that is over is still to be removed: that may take the room's along.
func (s *roomSettling) beingDeleted(ctx context.Context, b *booking.Booking) (bool, error) {
	if b.Status == booking.Confirmed {
		return false, nil
	}
	links, err := s.tx.LinksOfBooking(ctx, b.Tenant, b.ID)
	return slices.ContainsFunc(links, func(l store.Link) bool { return l.State == store.LinkDeleting }), err
}

// wakeAlone has the rooms look at what they have of single occurrences of a series that was called off or takes place at other times.
// The server may take it out by itself, and is given time to.
func (e *Engine) wakeAlone(ctx context.Context, tx *store.Tx, old, next *booking.Booking) error {
	if old == nil || !old.Series() || !e.RoomSync(next.Tenant) || booking.SameOccupancy(old, next) {
		return nil
	}
	rows, err := tx.RoomItemsOfBooking(ctx, next.Tenant, next.ID)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Role != store.RoomCopy && r.Role != store.RoomLeft || isPlaceholder(r) || !r.GoneAt.IsZero() || holds(next, r.Room) {
			continue
		}
		f, err := loadFields(r.Base)
		if err != nil {
			return err
		}
		if f != nil && f.Recurrence != "" {
			continue
		}
		r.Tries, r.Due = 0, e.now().Add(roomSwapWait)
		if err := tx.PutRoomItem(ctx, r); err != nil {
			return err
		}
		if err := tx.MarkDirty(ctx, r.Tenant, r.Room, r.Due); err != nil {
			return err
		}
	}
	return nil
}
