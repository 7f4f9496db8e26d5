package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// follow has a booking that came from rooms' calendars follow the meeting.
func (s *roomSettling) follow(ctx context.Context, b *booking.Booking) error {
	next := b.Clone()
	joins := s.row.Role != store.RoomSource
	if joins && !slices.Contains(next.Resources, s.row.Room) {
		next.Resources = append(next.Resources, s.row.Room)
	}
	changed := calendar.Fields(0)
	if s.base != nil {
		changed = plan.Diff(*s.base, s.fields) & (follows | calendar.FieldRecurrence)
	}
	lost, err := s.overtaken(ctx, b, changed)
	if err != nil {
		return err
	}
	if err := s.followSeries(ctx, next, changed); err != nil {
		return err
	}
	if next.Normalize(); next.Series() {
		conflicts, err := s.tx.Conflicts(ctx, b, next)
		if err != nil {
			return err
		}
		if waits, err := s.outdated(ctx, s.takenAnew(ofRoom(conflicts, s.row.Room))); err != nil || waits {
			return err
		}
		left, others, err := s.makeWay(ctx, b, next)
		if err != nil {
			return err
		}
		if !left {
			return s.cannotFollow(ctx, b, others)
		}
	}
	if v := booking.Validate(next); len(v) > 0 {
		why := refusalOf(&booking.InvalidError{Booking: next.ID, Violations: v}).listed
		return s.leave(ctx, roomDifference{roomDiffers, b.ID, "the booking does not follow the meeting: " + why})
	}
	if !booking.Same(b, next) {
		conflicts, err := s.tx.Conflicts(ctx, b, next)
		if err != nil {
			return err
		}
		if mine := ofRoom(conflicts, s.row.Room); len(mine) > 0 {
			return s.cannotFollow(ctx, b, booking.OthersOf(mine))
		}
		if err := s.leaveTaken(ctx, next, conflicts); err != nil {
			return err
		}
		next.SyncProblem = declinedProblem(next)
		if err := s.engine.save(ctx, s.tx, b, next, sourceCalendar, ""); err != nil {
			return err
		}
		what := "changed in the room's calendar: " + inWords(changed)
		if joins {
			what = "another room was invited"
		}
		if err := s.engine.record(ctx, s.tx, b.Tenant, s.row.Room, b.ID, "booking changed", what); err != nil {
			return err
		}
	}
	switch s.row.Role {
	case store.RoomConflict:
		err = s.followsAgain(ctx, next)
	case store.RoomLeft:
		err = s.engine.closeRoomDifferences(ctx, s.tx, *s.row, roomSeries)
	}
	if err != nil {
		return err
	}
	s.row.Role, s.row.Booking, s.row.Base, s.row.Reason = store.RoomSource, b.ID, saveFields(&s.fields), ""
	if lost != 0 {
		detail := fmt.Sprintf("the booking's change of %s gave way: the meeting was changed in the calendar since", inWords(lost))
		if err := s.engine.differInRoom(ctx, s.tx, *s.row, roomDifference{roomEditLost, b.ID, detail}); err != nil {
			return err
		}
	}
	if err := s.compare(ctx, next); err != nil {
		return err
	}
	return s.answers(ctx, next)
}

// notFollowed is the problem of a booking that could not follow its meeting for this room.
func (s *roomSettling) notFollowed() string {
	return fmt.Sprintf("the meeting was moved to a time at which the room %s is taken by another booking", s.row.Room)
}

// followsAgain ends what was told of a meeting that its booking could not follow, also where the meeting came back to it.
func (s *roomSettling) followsAgain(ctx context.Context, b *booking.Booking) error {
	if err := s.engine.closeRoomDifferences(ctx, s.tx, *s.row, ""); err != nil {
		return err
	}
	told := strings.Split(b.SyncProblem, "; ")
	rest := without(told, s.notFollowed())
	if len(rest) == len(told) {
		return nil
	}
	old := b.Clone()
	b.SyncProblem = strings.Join(rest, "; ")
	return s.engine.save(ctx, s.tx, old, b, sourceCalendar, "the meeting was moved back")
}

// overtaken returns the fields that the booking system changed otherwise than the meeting changed since.
func (s *roomSettling) overtaken(ctx context.Context, b *booking.Booking, changed calendar.Fields) (calendar.Fields, error) {
	if changed == 0 {
		return 0, nil
	}
	f, err := fieldsOfBooking(ctx, s.tx, b)
	if err != nil {
		return 0, err
	}
	return plan.Diff(*s.base, f) & plan.Diff(f, s.fields) & changed & calendar.FieldTime, nil
}

// compare lays before a person that a booking says otherwise than the meeting that it came from, which cannot be written to:
// it is somebody else's.
func (s *roomSettling) compare(ctx context.Context, b *booking.Booking) error {
	f, err := fieldsOfBooking(ctx, s.tx, b)
	if err != nil {
		return err
	}
	differ := plan.Diff(f, s.fields) & calendar.FieldTime
	if b.Series() || s.fields.Recurrence != "" {
		differ = s.compareSeries(b, f)
	}
	if !slices.Contains(b.Resources, s.row.Room) {
		differ |= calendar.FieldResources
	}
	if differ == 0 {
		return s.engine.closeRoomDifferences(ctx, s.tx, *s.row, roomDiffers)
	}
	return s.engine.differInRoom(ctx, s.tx, *s.row, roomDifference{roomDiffers, b.ID, fmt.Sprintf(
		"the booking has another %s than the meeting in the room's calendar that it came from, which only its organizer can change: ask for that, or set the booking back", inWords(differ))})
}

// ofRoom returns the conflicts about one room.
func ofRoom(conflicts []booking.Conflict, room string) (mine []booking.Conflict) {
	for _, c := range conflicts {
		if c.Resource == room {
			mine = append(mine, c)
		}
	}
	return mine
}

// leaveTaken takes out of a booking the other rooms of the meeting that are taken at its time. Each is settled by its own
// calendar: there it collides.
func (s *roomSettling) leaveTaken(ctx context.Context, next *booking.Booking, conflicts []booking.Conflict) error {
	if len(conflicts) == 0 {
		return nil
	}
	rows, err := s.tx.RoomItemsOfBooking(ctx, next.Tenant, next.ID)
	if err != nil {
		return err
	}
	var free []string
	for _, id := range next.Resources {
		if len(ofRoom(conflicts, id)) == 0 {
			free = append(free, id)
			continue
		}
		for _, r := range rows {
			if r.Room != id {
				continue
			}
			if r.Role == store.RoomConflict {
				r.Due = s.engine.now() // it has told of the new time already
			}
			r.Role, r.Booking, r.Base = store.RoomNew, "", nil
			if err := s.tx.PutRoomItem(ctx, r); err != nil {
				return err
			}
			if err := s.tx.MarkDirty(ctx, next.Tenant, id, time.Time{}); err != nil {
				return err
			}
		}
	}
	next.Resources = free
	return nil
}

// cannotFollow settles a meeting that was moved to a time at which the room is taken.
func (s *roomSettling) cannotFollow(ctx context.Context, b *booking.Booking, others []string) error {
	e, next := s.engine, b.Clone()
	before := s.base
	if s.row.Booking == "" { // it would only join
		return s.collides(ctx, b, others)
	}
	if waits, err := s.outdated(ctx, others); err != nil || waits {
		return err
	}
	if s.canDecline() {
		if !withoutRoom(next, s.row.Room) {
			next = b.Clone()
			next.Status = booking.Cancelled
		}
		next.Normalize()
		s.row.Booking = ""
		why := "the meeting was moved to a time at which the room is taken, and declined"
		if err := e.save(ctx, s.tx, b, next, sourceCalendar, why); err != nil {
			return err
		}
		if err := e.record(ctx, s.tx, b.Tenant, s.row.Room, b.ID, "booking given up", why); err != nil {
			return err
		}
		return s.refuse(ctx, roomNotFree)
	}
	if err := s.collides(ctx, b, others); err != nil {
		return err
	}
	s.row.Booking, s.row.Base = b.ID, saveFields(before) // the booking has not followed: that is tried again
	why := s.notFollowed()
	if strings.Contains(b.SyncProblem, why) {
		return nil
	}
	next.SyncProblem = why
	if b.SyncProblem != "" { // another room of the meeting cannot follow either, perhaps: each says so once
		next.SyncProblem = b.SyncProblem + "; " + why
	}
	return e.save(ctx, s.tx, b, next, sourceCalendar, why)
}

// wakeSources has the rooms look at what a booking came from, after the booking system changed it.
func (e *Engine) wakeSources(ctx context.Context, tx *store.Tx, b *booking.Booking) error {
	if !e.RoomSync(b.Tenant) {
		return nil
	}
	rows, err := tx.RoomItemsOfBooking(ctx, b.Tenant, b.ID)
	if err != nil || !slices.ContainsFunc(rows, func(r store.RoomItem) bool { return r.Role != store.RoomCopy }) {
		return err
	}
	return e.wake(ctx, tx, b, rows)
}

// wakeCopies has the rooms look at their copies of an item that was let go with its booking: it goes on inviting them.
func (e *Engine) wakeCopies(ctx context.Context, tx *store.Tx, b *booking.Booking) error {
	if !e.RoomSync(b.Tenant) {
		return nil
	}
	rows, err := tx.RoomItemsOfBooking(ctx, b.Tenant, b.ID)
	if err != nil || len(rows) == 0 {
		return err
	}
	return e.wake(ctx, tx, b, rows)
}

func (e *Engine) wake(ctx context.Context, tx *store.Tx, b *booking.Booking, rows []store.RoomItem) error {
	if _, err := tx.WakeRoomItems(ctx, b.Tenant, store.RoomItemChoice{Booking: b.ID}, e.now()); err != nil {
		return err
	}
	for _, r := range rows {
		if err := tx.MarkDirty(ctx, r.Tenant, r.Room, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// roomsFreed has the rooms that a booking leaves look again at the meetings that collided with it.
func (e *Engine) roomsFreed(ctx context.Context, tx *store.Tx, old, next *booking.Booking) error {
	if old == nil || old.Status != booking.Confirmed || !e.RoomSync(next.Tenant) ||
		booking.SameOccupancy(old, next) {
		return nil
	}
	rooms := slices.Clone(old.Resources)
	for _, x := range old.Exceptions {
		if x.Resources != nil {
			rooms = append(rooms, *x.Resources...)
		}
	}
	slices.Sort(rooms)
	for _, room := range slices.Compact(rooms) {
		n, err := tx.WakeRoomConflicts(ctx, next.Tenant, room, e.now())
		if err != nil {
			return err
		}
		if n > 0 {
			if err := tx.MarkDirty(ctx, next.Tenant, room, time.Time{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// roomsJoined has the rooms that a booking gets look again at their copies of it: what they answered before it had them was nobody's
// business, and is not said again.
func (e *Engine) roomsJoined(ctx context.Context, tx *store.Tx, old, next *booking.Booking) error {
	if old == nil || next.Status != booking.Confirmed || !e.RoomSync(next.Tenant) {
		return nil
	}
	had := func(id string) bool { return slices.Contains(old.Resources, id) }
	if !slices.ContainsFunc(next.Resources, func(id string) bool { return !had(id) }) {
		return nil
	}
	rows, err := tx.RoomItemsOfBooking(ctx, next.Tenant, next.ID)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if had(r.Room) || !slices.Contains(next.Resources, r.Room) || r.Role != store.RoomCopy || isPlaceholder(r) || !r.GoneAt.IsZero() {
			continue
		}
		r.Answer, r.Due = "", e.now()
		if err := tx.PutRoomItem(ctx, r); err != nil {
			return err
		}
		if err := tx.MarkDirty(ctx, r.Tenant, r.Room, zeroTime); err != nil {
			return err
		}
	}
	return nil
}
