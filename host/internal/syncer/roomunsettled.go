package syncer

import (
	"context"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
)

// unsettledKept is how long an item is remembered that was gone before it was settled: the calendar of another room, and that of the
// organizer, are to be read meanwhile.
const unsettledKept = 7 * 24 * time.Hour

// unsettledGone sees to an item that was gone from a room's calendar before it was settled, as where that waits for the calendar of its
// organizer: nobody has compared it with anything, and nevertheless the room's answer in the organizer's item holds no more. If the
// organizer's item is known by now it is the copy of that one's booking. keep says that the calendar of another room may still make a
// booking of the meeting.
func (e *Engine) unsettledGone(ctx context.Context, tx *store.Tx, r *store.RoomItem) (keep bool, err error) {
	if r.Role != store.RoomNew || r.Booking != "" || r.UID == "" {
		return false, nil
	}
	rows, err := tx.RoomItemsByUID(ctx, r.Tenant, r.UID)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(rows, func(o store.RoomItem) bool { return o.Room == r.Room && o.GoneAt.IsZero() && !isPlaceholder(o) }) {
		return false, nil // there under another reference
	}
	links, err := tx.LinksByUID(ctx, r.Tenant, r.UID)
	if err != nil {
		return false, err
	}
	if i := slices.IndexFunc(links, func(l store.Link) bool { return l.State == store.LinkLive }); i >= 0 {
		keep, r.Role, r.Booking = false, store.RoomCopy, links[i].Booking
	} else if keep = r.GoneAt.Add(unsettledKept).After(e.now()); keep {
		r.Due = zeroTime // there is nothing to look at until then
	} else {
		return false, nil
	}
	return keep, tx.PutRoomItem(ctx, *r)
}

// unsettledElsewhere has the calendar of another room looked at again from which an item of a meeting was gone before it was settled: from
// now on the meeting may be known.
func (s *roomSettling) unsettledElsewhere(ctx context.Context, other store.RoomItem) error {
	if other.Room == s.row.Room || other.GoneAt.IsZero() || other.Role != store.RoomNew {
		return nil
	}
	return s.tx.MarkDirty(ctx, other.Tenant, other.Room, zeroTime)
}

// refusedBefore reports whether another room has declined the meeting before it became a booking, and was not asked again: its copy is gone,
// while the organizer's item may name the room as if it came.
func (s *roomSettling) refusedBefore(ctx context.Context, room string) (refused bool, err error) {
	rows, err := s.tx.RoomItemsByUID(ctx, s.row.Tenant, s.row.UID)
	for _, r := range rows {
		switch {
		case r.Room != room || isPlaceholder(r):
		case r.Role == store.RoomDeclined:
			refused = true
		case r.GoneAt.IsZero():
			return false, nil
		}
	}
	return refused, err
}
