package syncer

import (
	"context"
	"fmt"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// freePlaceholder looks again at a room of whose calendar nothing is known, and which a meeting's booking lacks because it was taken:
// another booking has given the room up, at that time or at another. What is free is forgotten, and the organizer's calendar looked at,
// whose item may bring the room in. What is not stays as it is: the organizer's item would be set back, or its booking cancelled,
// for inviting a room that it has invited all along.
func (e *Engine) freePlaceholder(ctx context.Context, tx *store.Tx, r store.RoomItem) error {
	b, err := e.bookingOfUID(ctx, tx, r)
	if err != nil {
		return err
	}
	var taken []booking.Conflict
	if b != nil {
		if taken, err = tx.Conflicts(ctx, nil, withRoomAlone(b, r.Room)); err != nil {
			return err
		}
	}
	freed := len(taken) == 0
	switch {
	case r.Role != store.RoomConflict:
		before := len(r.Occurrences)
		r.Occurrences, taken = inBoth(r.Occurrences, taken)
		freed = len(r.Occurrences) < before
	case !freed && b.Series() && e.freeForSome(b, r.Room, taken):
		freed = true
		r.Role, r.Base, r.Reason, r.Occurrences = store.RoomCopy, nil, "", takenOccurrences(taken)
	}
	if freed {
		if err := e.bringBack(ctx, tx, r); err != nil {
			return err
		}
	}
	if len(taken) == 0 {
		if err := e.closeRoomDifferences(ctx, tx, r, ""); err != nil {
			return err
		}
		return tx.DeleteRoomItem(ctx, r)
	}
	r.Due = zeroTime
	if err := tx.PutRoomItem(ctx, r); err != nil {
		return err
	}
	return e.tellPlaceholder(ctx, tx, r, b, taken)
}

// freeForSome reports whether a room that is taken for some occurrences of a series is free for another one.
func (e *Engine) freeForSome(b *booking.Booking, room string, taken []booking.Conflict) bool {
	alone := withRoomAlone(b, room)
	for _, c := range taken {
		leaveOut(alone, room, c.Occurrence)
	}
	return e.hasRoomAhead(alone, room)
}

// inBoth returns of the occurrences for which a room was taken, and of those for which it is, what is in both.
func inBoth(was []store.RoomOccurrence, is []booking.Conflict) ([]store.RoomOccurrence, []booking.Conflict) {
	had := func(c booking.Conflict) bool {
		return slices.ContainsFunc(was, func(o store.RoomOccurrence) bool { return o.Occurrence.Equal(c.Occurrence) })
	}
	is = slices.DeleteFunc(is, func(c booking.Conflict) bool { return !had(c) })
	return slices.DeleteFunc(slices.Clone(was), func(o store.RoomOccurrence) bool {
		return !slices.ContainsFunc(is, func(c booking.Conflict) bool { return c.Occurrence.Equal(o.Occurrence) })
	}), is
}

// bookingOfUID returns the booking that stands for the meeting of a room's item; nil if there is none.
func (e *Engine) bookingOfUID(ctx context.Context, tx *store.Tx, r store.RoomItem) (*booking.Booking, error) {
	links, err := tx.LinksByUID(ctx, r.Tenant, r.UID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, l := range links {
		if l.State == store.LinkLive {
			ids = append(ids, l.Booking)
		}
	}
	rows, err := tx.RoomItemsByUID(ctx, r.Tenant, r.UID) // of somebody else's meeting, only rooms' calendars tell
	if err != nil {
		return nil, err
	}
	for _, o := range rows {
		if o.Booking != "" {
			ids = append(ids, o.Booking)
		}
	}
	for _, id := range ids {
		b, found, err := tx.Booking(ctx, r.Tenant, id)
		if err != nil || found && b.Status == booking.Confirmed {
			return b, err
		}
	}
	return nil, nil
}

// withRoomAlone returns b as if it had a room whenever it takes place, and no other.
func withRoomAlone(b *booking.Booking, room string) *booking.Booking {
	c := b.Clone()
	c.Resources = []string{room}
	for i := range c.Exceptions {
		c.Exceptions[i].Resources = nil
	}
	return c
}

func takenOccurrences(conflicts []booking.Conflict) (list []store.RoomOccurrence) {
	for _, c := range conflicts {
		list = append(list, store.RoomOccurrence{Occurrence: c.Occurrence, Role: store.RoomConflict, Start: c.Start, End: c.End})
	}
	return list
}

// tellPlaceholder lays before a person for what a room is taken of whose calendar nothing is known, as it is now.
func (e *Engine) tellPlaceholder(ctx context.Context, tx *store.Tx, r store.RoomItem, b *booking.Booking, taken []booking.Conflict) error {
	var details []string
	if r.Role == store.RoomConflict {
		details = append(details, takenAtAll(b, booking.OthersOf(taken)))
	} else {
		for _, c := range taken {
			details = append(details, takenOnce(b, c))
		}
	}
	slices.Sort(details)
	open, err := tx.Differences(ctx, r.Tenant, store.DifferenceFilter{Person: r.Room, Kind: roomConflict})
	if err != nil {
		return err
	}
	var told []string
	for _, d := range open {
		if d.Ref == r.Ref {
			told = append(told, d.Detail)
		}
	}
	if slices.Sort(told); slices.Equal(told, details) {
		return nil
	}
	if err := e.closeRoomDifferences(ctx, tx, r, roomConflict); err != nil {
		return err
	}
	for _, detail := range details {
		if err := e.differInRoom(ctx, tx, r, roomDifference{roomConflict, b.ID, detail}); err != nil {
			return err
		}
	}
	return nil
}

func takenAtAll(b *booking.Booking, others []string) string {
	return fmt.Sprintf("the room was invited to the meeting of booking %s too, and is taken at that time by booking %s", b.ID, takenBy(others))
}

func takenOnce(b *booking.Booking, c booking.Conflict) string {
	return fmt.Sprintf("the room was invited to the meeting of booking %s too, and is taken on %s by booking %s", b.ID, c.Name, takenBy(c.Others))
}
