package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A room may be taken for single occurrences of a series. The booking has these without the room then, and they are recorded
// with the item of the room's calendar: declined one by one, or laid before a person.

// roomAt reports whether a booking has a room at an occurrence, and whether that takes place at all.
func roomAt(b *booking.Booking, room string, at time.Time) (has, takesPlace bool) {
	list := b.Resources
	if x := b.Exception(at); x != nil {
		if x.Skipped {
			return false, false
		}
		if x.Resources != nil {
			list = *x.Resources
		}
	}
	return slices.Contains(list, room), true
}

// leaveOut takes a room from an occurrence. Where nothing but rooms' calendars tells of the meeting, an occurrence without a
// room does not take place.
func leaveOut(b *booking.Booking, room string, at time.Time) {
	if has, _ := roomAt(b, room, at); !has {
		return
	}
	x, list := booking.Exception{Occurrence: at}, b.Resources
	if own := b.Exception(at); own != nil {
		if x = *own; x.Resources != nil {
			list = *x.Resources
		}
	}
	rest := slices.DeleteFunc(slices.Clone(list), func(id string) bool { return id == room })
	if x.Resources = &rest; len(rest) == 0 && b.SyncOff {
		x = booking.Exception{Occurrence: at, Skipped: true}
	}
	b.SetException(x)
}

// bringIn gives an occurrence a room, back or for the first time.
func bringIn(b *booking.Booking, room string, at time.Time) {
	x := booking.Exception{Occurrence: at}
	own := b.Exception(at)
	switch {
	case own != nil && !own.Skipped:
		if x = *own; x.Resources == nil {
			return
		}
		list := append(slices.Clone(*x.Resources), room)
		x.Resources = &list
	case own != nil:
		x.Resources = &[]string{room}
	default:
		return
	}
	b.SetException(x)
}

// onlyRoom returns b as if it had no other room.
func onlyRoom(b *booking.Booking, room string) *booking.Booking {
	c := b.Clone()
	always := slices.Contains(b.Resources, room)
	if c.Resources = nil; always {
		c.Resources = []string{room}
	}
	for i := range c.Exceptions {
		x := &c.Exceptions[i]
		if x.Skipped || x.Resources == nil {
			continue
		}
		own := []string{}
		if slices.Contains(*x.Resources, room) {
			own = []string{room}
		}
		x.Resources = &own
	}
	return c
}

// withoutRoom takes a room from a booking and all of its occurrences. It reports whether any room is left.
func withoutRoom(b *booking.Booking, room string) (left bool) {
	is := func(id string) bool { return id == room }
	b.Resources = slices.DeleteFunc(slices.Clone(b.Resources), is)
	left = len(b.Resources) > 0
	for i := range b.Exceptions {
		if x := &b.Exceptions[i]; x.Resources != nil {
			list := slices.DeleteFunc(slices.Clone(*x.Resources), is)
			x.Resources = &list
			left = left || len(list) > 0
		}
	}
	return left
}

// hasRoomAhead reports whether a series has a room at some occurrence that is not over.
func (e *Engine) hasRoomAhead(b *booking.Booking, room string) bool {
	from, until, _ := booking.Reach(b, e.now())
	for o := range booking.OccurrencesFrom(b, from, until) {
		if _, end := o.Span(); end.After(e.now()) && slices.Contains(o.Resources(), room) {
			return true
		}
	}
	return false
}

// makeWay takes the rooms from the occurrences of next, a series, for which they are taken, and records that with the items of
// these rooms; old is the series as it is stored, or nil. It reports whether its own room is left with any occurrence, and by
// whom it is taken. If it is left with none, nothing is recorded.
func (s *roomSettling) makeWay(ctx context.Context, old, next *booking.Booking) (left bool, others []string, err error) {
	conflicts, err := s.tx.Conflicts(ctx, old, next)
	if err != nil {
		return false, nil, err
	}
	mine := ofRoom(conflicts, s.row.Room)
	for _, c := range conflicts {
		leaveOut(next, c.Resource, c.Occurrence)
	}
	next.Normalize()
	if len(mine) > 0 && !s.engine.hasRoomAhead(next, s.row.Room) {
		return false, booking.OthersOf(mine), nil
	}
	for _, c := range conflicts {
		if c.Resource == s.row.Room {
			continue
		}
		if err := s.engine.takenElsewhere(ctx, s.tx, taking{next, s.row.UID, c}); err != nil {
			return false, nil, err
		}
	}
	return true, booking.OthersOf(mine), s.occurrencesTaken(ctx, next, mine)
}

// A taking is an occurrence of a booked series for which one of the rooms of its meeting is taken.
type taking struct {
	booking  *booking.Booking
	uid      string // of the meeting
	conflict booking.Conflict
}

// takenElsewhere records that another room of a meeting than the one whose calendar is read is taken at an occurrence. That room's
// calendar tells what becomes of it; until it is read a placeholder keeps the organizer's item from bringing the room in.
func (e *Engine) takenElsewhere(ctx context.Context, tx *store.Tx, t taking) error {
	b, c := t.booking, t.conflict
	rows, err := tx.RoomItemsByUID(ctx, b.Tenant, t.uid)
	if err != nil {
		return err
	}
	row := store.RoomItem{Tenant: b.Tenant, Room: c.Resource, Ref: placeholder(t.uid), UID: t.uid, Role: store.RoomCopy}
	if i := slices.IndexFunc(rows, func(r store.RoomItem) bool { return r.Room == c.Resource && r.GoneAt.IsZero() }); i >= 0 {
		row = rows[i]
	}
	if slices.ContainsFunc(row.Occurrences, func(o store.RoomOccurrence) bool { return o.Occurrence.Equal(c.Occurrence) }) {
		return nil
	}
	row.Occurrences = append(row.Occurrences, store.RoomOccurrence{Occurrence: c.Occurrence, Role: store.RoomConflict, Start: c.Start, End: c.End})
	if !isPlaceholder(row) {
		row.Due = e.now()
	}
	if err := tx.PutRoomItem(ctx, row); err != nil {
		return err
	}
	if isPlaceholder(row) {
		if err := e.differInRoom(ctx, tx, row, roomDifference{roomConflict, b.ID, takenOnce(b, c)}); err != nil {
			return err
		}
	}
	return tx.MarkDirty(ctx, row.Tenant, row.Room, zeroTime)
}

// occurrencesTaken records the occurrences for which the room is taken, as it is found now: those that are to be declined are, by
// the caller, after they are recorded. One that was declined already is not declined again unless it was moved since.
func (s *roomSettling) occurrencesTaken(ctx context.Context, b *booking.Booking, conflicts []booking.Conflict) error {
	before, now := s.row.Occurrences, s.engine.now()
	var list []store.RoomOccurrence
	told := func(at time.Time) *store.RoomOccurrence {
		for i := range before {
			if before[i].Occurrence.Equal(at) {
				return &before[i]
			}
		}
		return nil
	}
	var stay []booking.Conflict // in the room's calendar
	news := false
	for _, c := range conflicts {
		o := store.RoomOccurrence{Occurrence: c.Occurrence, Role: store.RoomConflict, Start: c.Start, End: c.End}
		was := told(c.Occurrence)
		switch {
		case was != nil && was.Role == store.RoomDeclined && was.Start.Equal(c.Start) && was.End.Equal(c.End):
			o = *was
		case s.canDecline() && was != nil && was.Role == store.RoomConflict && was.Tries >= declineTries && was.Start.Equal(c.Start) && was.End.Equal(c.End):
			o, stay = *was, append(stay, c) // given up
		case s.canDecline():
			if o.Role = store.RoomDeclining; was != nil && was.Role == o.Role {
				o.Tries = was.Tries
			}
			if o.Tries >= declineTries {
				o.Role, stay = store.RoomConflict, append(stay, c)
			}
		default:
			stay = append(stay, c)
			news = news || was == nil || was.Role != store.RoomConflict
		}
		list = append(list, o)
	}
	freed := false
	for _, o := range before {
		if slices.ContainsFunc(conflicts, func(c booking.Conflict) bool { return c.Occurrence.Equal(o.Occurrence) }) {
			continue
		}
		there := s.says(o.Occurrence)
		if there || !o.End.After(now) || o.Role == store.RoomConflict {
			freed = freed || there
			continue
		}
		o.Role = store.RoomDeclined // it is gone from the room's calendar
		list = append(list, o)
	}
	slices.SortFunc(list, func(x, y store.RoomOccurrence) int { return x.Occurrence.Compare(y.Occurrence) })
	s.row.Occurrences = list
	if slices.ContainsFunc(list, func(o store.RoomOccurrence) bool { return o.Role == store.RoomDeclining }) {
		s.row.Due = now
	}
	if freed {
		if err := s.engine.bringBack(ctx, s.tx, *s.row); err != nil {
			return err
		}
	}
	return s.tellTaken(ctx, b, stay, news)
}

// says reports whether the room's copy has an occurrence.
func (s *roomSettling) says(at time.Time) bool {
	for _, x := range s.fields.Exceptions {
		if x.Occurrence.Equal(at) {
			return !x.Skipped
		}
	}
	return true
}

// tellTaken lays before a person that the room is taken at occurrences that stay in its calendar.
func (s *roomSettling) tellTaken(ctx context.Context, b *booking.Booking, stay []booking.Conflict, news bool) error {
	e := s.engine
	if len(stay) == 0 {
		return e.closeRoomDifferences(ctx, s.tx, *s.row, roomConflict)
	}
	detail := fmt.Sprintf("the room is taken by booking %s on %s; these occurrences of the series stay in the room's calendar and are booked without the room",
		takenBy(booking.OthersOf(stay)), namesOfOccurrences(stay))
	if !news {
		open, err := s.tx.Differences(ctx, s.row.Tenant, store.DifferenceFilter{Person: s.row.Room, Kind: roomConflict})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(open, func(d store.Difference) bool { return d.Ref == s.row.Ref && d.Detail == detail }) {
			return nil
		}
	}
	if err := e.closeRoomDifferences(ctx, s.tx, *s.row, roomConflict); err != nil {
		return err
	}
	if err := e.differInRoom(ctx, s.tx, *s.row, roomDifference{roomConflict, b.ID, detail}); err != nil || !news {
		return err
	}
	if err := e.record(ctx, s.tx, s.row.Tenant, s.row.Room, b.ID, "room conflict", detail); err != nil || s.organizer.ID == "" {
		return err
	}
	about := store.Link{Tenant: s.row.Tenant, Person: s.organizer.ID, Booking: b.ID}
	return e.mailOnError(ctx, s.tx, &about, mailNews{MailRoomConflict,
		"the room " + displayName(s.pass.person.Person) + " is taken by another booking on " + namesOfOccurrences(stay)})
}

// namesOfOccurrences lists the occurrences in conflict.
func namesOfOccurrences(list []booking.Conflict) string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return someDates(names)
}

// someDates lists a few.
func someDates(names []string) string {
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// bringBack has the organizer's item looked at, which invites a room that was not free.
func (e *Engine) bringBack(ctx context.Context, tx *store.Tx, r store.RoomItem) error {
	links, err := tx.LinksByUID(ctx, r.Tenant, r.UID)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.State != store.LinkLive {
			continue
		}
		if err := e.note(ctx, tx, l, store.OpSync, calendar.MailNobody, "a room of the meeting was freed"); err != nil {
			return err
		}
		if err := tx.MarkDirty(ctx, l.Tenant, l.Person, zeroTime); err != nil {
			return err
		}
	}
	return nil
}
