package syncer

import (
	"context"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Somebody brings a room into a booked series in Outlook, and it is taken for some of the occurrences. Where the room's calendar is read
// first its copy has told so by then, and the booking gets the room for the others. Where the organizer's is, it must come to the same.

// noteTaken notes of the rooms that the calendar brings into the booking of a pair for which occurrences they are taken, if that is all
// that stands in the way of d. It reports whether there is anything: the item says less by then than d rests on. What else the booking's
// rules do not allow is refused as a whole, and nothing is noted.
func (e *Engine) noteTaken(ctx context.Context, tx *store.Tx, p *pair, d plan.Decision) (noted bool, err error) {
	if p.booking == nil || p.item == nil || p.item.Event.UID == "" || !d.BookingFields.Any(calendar.FieldResources) || !e.RoomSync(p.link.Tenant) {
		return false, nil
	}
	next := p.booking.Clone()
	fields, to := p.veil.unveiled(d)
	if err := applyFields(ctx, tx, next, fields, &to); err != nil {
		return false, err
	}
	if !next.Series() || len(booking.Validate(next)) > 0 {
		return false, nil
	}
	conflicts, err := tx.Conflicts(ctx, p.booking, next)
	if err != nil || len(conflicts) == 0 {
		return false, err
	}
	rest := next.Clone()
	for _, c := range conflicts {
		if joins, err := e.joins(ctx, tx, p.booking, c); err != nil || !joins || !slices.Contains(next.Resources, c.Resource) {
			return false, err
		}
		leaveOut(rest, c.Resource, c.Occurrence)
	}
	rest.Normalize()
	if slices.ContainsFunc(conflicts, func(c booking.Conflict) bool { return !e.hasRoomAhead(rest, c.Resource) }) || len(booking.Validate(rest)) > 0 {
		return false, nil
	}
	if still, err := tx.Conflicts(ctx, p.booking, rest); err != nil || len(still) > 0 {
		return false, err
	}
	for _, c := range conflicts {
		if err := e.takenElsewhere(ctx, tx, taking{rest, p.item.Event.UID, c}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// joins reports whether the room of a conflict is new to a booking, and has a calendar that is read here and tells what becomes of the
// occurrence.
func (e *Engine) joins(ctx context.Context, tx *store.Tx, b *booking.Booking, c booking.Conflict) (bool, error) {
	has, takesPlace := roomAt(b, c.Resource, c.Occurrence)
	if has || !takesPlace || slices.Contains(b.Resources, c.Resource) {
		return false, nil
	}
	room, found, err := tx.Person(ctx, b.Tenant, c.Resource)
	return found && room.Kind == directory.KindResource && room.SyncMode != "" && room.Email != "" && !room.SyncDisabled && !room.Shadow, err
}
