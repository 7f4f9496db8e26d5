package syncer

import (
	"context"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// A booking whose item is still to be made, and a meeting that the same person makes in Outlook for the same room and time, look like one:
// the room's copy of the meeting is taken for the booking's. Once the booking's own item is known they are two.
//
// The other way round, the add-in's item of a booking, which has not been read because the sync of its owner is off, may be at another time
// than the booking by now: the room's copy of it looks like a meeting of its own, and is booked. Once the item is known they are one.

// hasOther reports whether links are known to be of other items than the one with a UID.
func hasOther(links []store.Link, uid string) bool {
	named := func(l store.Link) bool { return l.UID != "" }
	return uid != "" && slices.ContainsFunc(links, named) && !slices.ContainsFunc(links, func(l store.Link) bool { return l.UID == uid })
}

// identified has the rooms look again at what they took for copies of a link's item, whose UID is learnt, and at copies of that item that they
// took for something else.
func (e *Engine) identified(ctx context.Context, tx *store.Tx, l store.Link, uid string) error {
	if uid == "" || uid == l.UID || !e.RoomSync(l.Tenant) {
		return nil
	}
	rows, err := tx.RoomItemsOfBooking(ctx, l.Tenant, l.Booking)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r store.RoomItem) bool { return r.Role != store.RoomCopy || r.UID == uid })
	copies, err := tx.RoomItemsByUID(ctx, l.Tenant, uid)
	if err != nil {
		return err
	}
	copies = slices.DeleteFunc(copies, func(r store.RoomItem) bool { return r.Booking == "" || r.Booking == l.Booking })
	for _, r := range append(rows, copies...) {
		if isPlaceholder(r) || !r.GoneAt.IsZero() {
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

// turnsOut returns the booking to whose item a meeting belongs that was booked by itself as b, before that item was read; nil if there is
// none. b goes then: two bookings of one meeting would keep each other out of the room, and the item follows one of them only.
func (s *roomSettling) turnsOut(ctx context.Context, b *booking.Booking) (*booking.Booking, error) {
	if b.Organizer == "" || b.Organizer != s.organizer.ID || b.ID != s.meetingID() {
		return nil, nil
	}
	links, err := s.tx.LinksByUID(ctx, s.row.Tenant, s.row.UID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(links, func(l store.Link) bool {
		return l.State == store.LinkLive && l.Ref != "" && l.Person == b.Organizer && l.Booking != b.ID
	})
	if i < 0 {
		return nil, nil
	}
	own, found, err := s.tx.Booking(ctx, s.row.Tenant, links[i].Booking)
	if err != nil || !found || own.Status != booking.Confirmed || own.Organizer != b.Organizer {
		return nil, err
	}
	rows, err := s.tx.RoomItemsOfBooking(ctx, b.Tenant, b.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range rows { // of other rooms
		if r.Room == s.row.Room {
			continue
		}
		r.Role, r.Booking, r.Base, r.Answer, r.Due = store.RoomNew, "", nil, "", s.engine.now()
		if err := s.tx.PutRoomItem(ctx, r); err != nil {
			return nil, err
		}
		if err := s.tx.MarkDirty(ctx, r.Tenant, r.Room, zeroTime); err != nil {
			return nil, err
		}
	}
	s.row.Booking, s.row.Answer = "", "" // what the room answered is to be heard of the other one
	if b.Status != booking.Confirmed {
		return own, nil
	}
	next, why := b.Clone(), "the meeting turned out to be that of booking "+own.ID
	next.Status = booking.Cancelled
	if err := s.engine.save(ctx, s.tx, b, next, sourceCalendar, why); err != nil {
		return nil, err
	}
	return own, s.engine.record(ctx, s.tx, b.Tenant, s.row.Room, b.ID, "booking cancelled", why)
}
