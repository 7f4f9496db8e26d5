package syncer

import (
	"context"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// outdatedTries is how often a meeting is looked at again before it is believed that its room is taken. One less than waitsUnnoticed:
// if its own organizer's calendar cannot be read after that, a person is told all the same.
const outdatedTries = waitsUnnoticed - 1

// outdated reports whether one of others, which are in the way of the meeting, is perhaps there no more: the room's own copy of it says
// another time, or is gone. Then what its organizer did is not read yet, as where a series is split or two meetings change places: that
// calendar is read now, and the meeting is looked at again a few times. If the room is still taken then, it is.
func (s *roomSettling) outdated(ctx context.Context, others []string) (bool, error) {
	if s.tries >= outdatedTries || s.refused { // what was refused is not taken back by waiting
		return false, nil
	}
	for _, id := range others {
		b, found, err := s.tx.Booking(ctx, s.row.Tenant, id)
		if err != nil {
			return false, err
		}
		if !found || b.Organizer == "" {
			continue
		}
		rows, err := s.tx.RoomItemsOfBooking(ctx, s.row.Tenant, id)
		if err != nil {
			return false, err
		}
		for _, r := range rows {
			if r.Room != s.row.Room || r.Ref == s.row.Ref || r.Role != store.RoomCopy || isPlaceholder(r) {
				continue
			}
			if elsewhere, err := s.copyElsewhere(ctx, b, r); err != nil {
				return false, err
			} else if elsewhere {
				s.row.Tries = s.tries + 1
				s.row.Due = s.engine.now().Add(s.engine.limits().RetryBase << min(s.tries, outdatedTries))
				return true, s.tx.MarkDirty(ctx, b.Tenant, b.Organizer, zeroTime)
			}
		}
	}
	return false, nil
}

// copyElsewhere reports whether the room's copy of a booking is gone, not settled yet, or at another time than the booking.
func (s *roomSettling) copyElsewhere(ctx context.Context, b *booking.Booking, r store.RoomItem) (bool, error) {
	if !r.GoneAt.IsZero() || !r.Due.IsZero() {
		return true, nil
	}
	said, err := loadFields(r.Base)
	if err != nil || said == nil {
		return false, err
	}
	is, err := fieldsOfBooking(ctx, s.tx, b)
	if err != nil {
		return false, err
	}
	if plan.Diff(*said, is).Any(calendar.FieldTime) || said.Recurrence != is.Recurrence {
		return true, nil
	}
	return is.Recurrence != "" && slices.ContainsFunc(plan.Turns(said, is), func(t plan.Turn) bool {
		return t.Was.Skipped != t.Is.Skipped || plan.Diff(said.Occurrence(t.Was), is.Occurrence(t.Is)).Any(calendar.FieldTime)
	}), nil
}

// takenAnew returns the bookings of conflicts with occurrences of the meeting of which it is not known yet that the room is taken then.
func (s *roomSettling) takenAnew(conflicts []booking.Conflict) []string {
	return booking.OthersOf(slices.DeleteFunc(slices.Clone(conflicts), func(c booking.Conflict) bool {
		return slices.ContainsFunc(s.row.Occurrences, func(o store.RoomOccurrence) bool {
			return o.Occurrence.Equal(c.Occurrence) && o.Start.Equal(c.Start) && o.End.Equal(c.End)
		})
	}))
}
