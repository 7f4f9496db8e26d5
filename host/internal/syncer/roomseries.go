package syncer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// strangePattern says why an item of a room's calendar cannot become a booking as it is; empty if it can.
func strangePattern(item *calendar.Item) string {
	const else_ = ": book it in the booking system, or as single meetings"
	series := item.Kind != calendar.Single || item.Event.Recurrence != ""
	switch {
	case item.Kind == calendar.Occurrence, item.Kind == calendar.Exception:
		return "the room is invited to one occurrence of a series alone" + else_
	case series && (item.Omits.Any(calendar.FieldRecurrence) || item.Event.Recurrence == ""):
		return "the pattern of the series is one that a booking cannot have, or that the calendar does not tell" + else_
	case series:
		if _, err := parseRule(item.Event); err != nil {
			return err.Error() + else_
		}
	}
	return ""
}

// strange settles an item that cannot become a booking: that of a booking tells the room's answer as any does, another is left
// alone.
func (s *roomSettling) strange(ctx context.Context, why string) error {
	var b *booking.Booking
	var from origin
	var err error
	if !s.own {
		if b, from, err = s.byLink(ctx); err == nil && from == nowhere {
			b, from, err = s.byOriginal(ctx)
		}
	}
	switch {
	case err != nil || from == waits:
		return err
	case from != byOrganizer:
		if s.row.Role = store.RoomLeft; s.row.Booking == "" { // else it follows from where it stands, once it can
			s.row.Base = nil
		}
		return s.engine.differInRoom(ctx, s.tx, *s.row, roomDifference{roomSeries, "", s.which() + ": " + why})
	}
	if s.isAlone(b) {
		if s.fields, err = s.said(ctx); err != nil {
			return err
		}
		s.row.Base = saveFields(&s.fields)
		return s.alone(ctx, b)
	}
	if s.row.Role == store.RoomLeft {
		if err := s.engine.closeRoomDifferences(ctx, s.tx, *s.row, ""); err != nil {
			return err
		}
	}
	s.row.Role, s.row.Booking, s.row.Base = store.RoomCopy, b.ID, nil
	if b.Status != booking.Confirmed || !slices.Contains(b.Resources, s.row.Room) {
		return nil
	}
	return s.answers(ctx, b)
}

// saidOfOccurrences completes what the copy of a series says: of its exceptions only what a booking follows. f is what it says as
// it is, but for title and text.
func (s *roomSettling) saidOfOccurrences(f, raw plan.Fields) plan.Fields {
	f.Exceptions = nil
	for _, x := range raw.Exceptions {
		if x.Skipped {
			f.Exceptions = append(f.Exceptions, x)
			continue
		}
		told, is := raw.Occurrence(x), f.Occurrence(plan.Exception{Occurrence: x.Occurrence})
		is.Start, is.End, is.AllDay, is.Attendees = told.Start, told.End, told.AllDay, told.Attendees
		if title := spokenTitle(told.Subject, s.item.Event.Organizer.Name); told.Subject != raw.Subject && title != "" {
			is.Subject = title
		}
		f.Exceptions = append(f.Exceptions, f.Except(x.Occurrence, is, calendar.AllFields))
	}
	return plan.Canonical(f)
}

// whenFields are the fields whose change makes another meeting of one, as far as a room is concerned.
const whenFields = calendar.FieldTime | calendar.FieldRecurrence

// followSeries carries into next, which came from rooms' calendars, what changed of the series; changed are the fields in which
// it did. A room leaves the occurrences that its copy has no more, and comes to those that it has again.
func (s *roomSettling) followSeries(ctx context.Context, next *booking.Booking, changed calendar.Fields) error {
	room := s.row.Room
	if s.base != nil && (s.base.Recurrence != s.fields.Recurrence || changed.Any(calendar.FieldTime)) {
		if next.Recurrence = s.fields.Recurrence; next.Recurrence == "" {
			next.Exceptions = nil
		} else if s.fields.Zone != "" {
			next.Zone = s.fields.Zone
		}
	}
	if err := s.engine.undisclosed(ctx, s.tx, next, changed&^calendar.FieldRecurrence, s.fields); err != nil {
		return err
	}
	if !next.Series() {
		return nil
	}
	if s.base == nil { // it comes to a series that others have left
		for _, x := range next.Clone().Exceptions {
			if has, _ := roomAt(next, room, x.Occurrence); !has && s.says(x.Occurrence) {
				bringIn(next, room, x.Occurrence)
			}
		}
	}
	for _, t := range plan.Turns(s.base, s.fields) {
		if !next.HasOccurrence(t.Occurrence) {
			continue
		}
		if t.Is.Skipped {
			leaveOut(next, room, t.Occurrence)
			continue
		}
		which := follows
		want := s.fields.Occurrence(t.Is)
		if s.base != nil && !t.Was.Skipped {
			was := t.Was
			which &= plan.Diff(s.fields.Occurrence(was), want) | (t.Was.Own ^ t.Is.Own)
		} else if has, _ := roomAt(next, room, t.Occurrence); !has {
			bringIn(next, room, t.Occurrence)
		}
		if err := s.turn(ctx, next, t.Occurrence, which, &want); err != nil {
			return err
		}
	}
	for _, o := range s.row.Occurrences { // perhaps the room is free by now
		if has, _ := roomAt(next, room, o.Occurrence); !has && s.says(o.Occurrence) && next.HasOccurrence(o.Occurrence) {
			bringIn(next, room, o.Occurrence)
			want := s.fields.Occurrence(s.exception(o.Occurrence))
			if err := s.turn(ctx, next, o.Occurrence, calendar.FieldTime, &want); err != nil {
				return err
			}
		}
	}
	next.Normalize()
	return nil
}

// exception is what the copy says of an occurrence.
func (s *roomSettling) exception(at time.Time) plan.Exception {
	for _, x := range s.fields.Exceptions {
		if x.Occurrence.Equal(at) {
			return x
		}
	}
	return plan.Exception{Occurrence: at}
}

// turn carries fields into one occurrence of a series, unless that does not take place.
func (s *roomSettling) turn(ctx context.Context, next *booking.Booking, at time.Time, which calendar.Fields, want *plan.Fields) error {
	which &^= s.engine.withheld(next.Tenant, s.fields) // a series is private as a whole
	for o := range booking.OccurrencesFrom(next, at, at.Add(time.Second)) {
		now := o.Booking()
		want.Zone = ""
		if err := applyFields(ctx, s.tx, now, which, want); err != nil {
			return err
		}
		next.SetException(exceptionOf(now, at))
	}
	return nil
}

// copySeries settles the copy of a series that is booked by its organizer's item. It reports whether that is all: the room is
// taken for every occurrence, or perhaps not really taken.
func (s *roomSettling) copySeries(ctx context.Context, b *booking.Booking) (collides bool, err error) {
	next, joins := b.Clone(), !slices.Contains(b.Resources, s.row.Room)
	if joins {
		if invited := slices.ContainsFunc(b.Exceptions, func(x booking.Exception) bool {
			return x.Resources != nil && slices.Contains(*x.Resources, s.row.Room)
		}); invited {
			return false, nil // to some occurrences alone
		}
		next.Resources = append(next.Resources, s.row.Room)
		for _, x := range s.fields.Exceptions {
			if x.Skipped && next.HasOccurrence(x.Occurrence) {
				leaveOut(next, s.row.Room, x.Occurrence)
			}
		}
	} else {
		for _, x := range b.Exceptions {
			if has, takesPlace := roomAt(b, s.row.Room, x.Occurrence); !has && takesPlace && s.says(x.Occurrence) {
				bringIn(next, s.row.Room, x.Occurrence)
			}
		}
	}
	next.Normalize()
	mine, err := s.tx.Conflicts(ctx, onlyRoom(b, s.row.Room), onlyRoom(next, s.row.Room))
	if err != nil {
		return false, err
	}
	if waits, err := s.outdated(ctx, s.takenAnew(mine)); err != nil || waits {
		return waits, err
	}
	if len(mine) > 0 && joins {
		for _, c := range mine {
			leaveOut(next, s.row.Room, c.Occurrence)
		}
		if !s.engine.hasRoomAhead(next, s.row.Room) {
			return true, s.copyCollides(ctx, b, booking.OthersOf(mine))
		}
	}
	if err := s.becomesCopy(ctx); err != nil {
		return false, err
	}
	return false, s.occurrencesTaken(ctx, b, mine)
}

// A lack is what the room's copy of a booked series does not have, and its organizer's item, which tells who left it out.
type lack struct {
	original *calendar.Event // nil: not there, or not asked
	unknown  bool            // nobody knows now
}

// lacking asks the organizer's item about occurrences that the copy of a booked series does not have, if that is news.
func (e *Engine) lacking(ctx context.Context, p *pass, item *calendar.Item, links []store.Link) (lack, error) {
	i := slices.IndexFunc(links, func(l store.Link) bool { return l.State == store.LinkLive && l.Ref != "" })
	if i < 0 || item.Event.Recurrence == "" {
		return lack{}, nil
	}
	b, found, err := e.Store.Booking(ctx, links[i].Tenant, links[i].Booking)
	if err != nil || !found || b.Status != booking.Confirmed || !b.Series() {
		return lack{}, ours(err)
	}
	known, _ := b.AnswerOf(p.person.ID)
	news := slices.ContainsFunc(item.Event.Exceptions, func(x calendar.OccurrenceException) bool {
		has, _ := roomAt(b, p.person.ID, x.Occurrence)
		return x.Event == nil && has && x.Occurrence.After(e.now()) && !slices.ContainsFunc(known.Occurrences, x.Occurrence.Equal)
	})
	if !news {
		return lack{}, nil
	}
	there, problem, err := e.onlooker(ctx, links[i])
	if err != nil {
		return lack{}, ours(err)
	}
	if problem != "" {
		return lack{unknown: !there.isOff()}, nil
	}
	own, err := e.current(ctx, there, links[i])
	switch {
	case ctx.Err() != nil:
		return lack{}, ctx.Err()
	case err != nil:
		return lack{unknown: true}, nil
	case own == nil:
		return lack{}, nil
	}
	return lack{original: &own.Event}, nil
}

// declinedAlone returns the occurrences of a booking that the room declined by themselves, or that somebody deleted in its
// calendar: its organizer's item has them and the room's does not.
func (s *roomSettling) declinedAlone(ctx context.Context, b *booking.Booking, known []time.Time) ([]time.Time, error) {
	var list []time.Time
	for _, o := range s.row.Occurrences {
		if o.Role == store.RoomDeclining || o.Role == store.RoomDeclined {
			list = append(list, o.Occurrence)
		}
	}
	if s.row.Role != store.RoomCopy {
		return list, nil
	}
	asked := false
	for _, x := range s.fields.Exceptions {
		has, _ := roomAt(b, s.row.Room, x.Occurrence)
		if !x.Skipped || !has || !x.Occurrence.After(s.engine.now()) || slices.ContainsFunc(list, x.Occurrence.Equal) {
			continue
		}
		switch {
		case slices.ContainsFunc(known, x.Occurrence.Equal):
			list = append(list, x.Occurrence)
		case s.lack.unknown:
			s.row.Tries = s.tries + 1
			s.row.Due = s.engine.now().Add(min(s.engine.limits().RetryBase<<min(s.tries, 6), time.Hour))
		case s.lack.original == nil:
		case skips(s.lack.original, x.Occurrence):
			asked = true
		default:
			list = append(list, x.Occurrence)
		}
	}
	slices.SortFunc(list, time.Time.Compare)
	if asked && b.Organizer != "" { // whose calendar tells that it does not take place
		return list, s.tx.MarkDirty(ctx, b.Tenant, b.Organizer, zeroTime)
	}
	return list, nil
}

func skips(ev *calendar.Event, at time.Time) bool {
	return slices.ContainsFunc(ev.Exceptions, func(x calendar.OccurrenceException) bool { return x.Event == nil && x.Occurrence.Equal(at) })
}

// compareSeries says in what a series that came from rooms' calendars is otherwise than the copy, but for the occurrences for
// which the room is taken.
func (s *roomSettling) compareSeries(b *booking.Booking, f plan.Fields) calendar.Fields {
	differ := plan.Diff(f, s.fields) & calendar.FieldTime
	if f.Recurrence != s.fields.Recurrence {
		return differ | calendar.FieldRecurrence
	}
	start := startOf(&calendar.Event{Start: b.Start, AllDay: b.AllDay, Zone: b.Zone})
	for _, t := range plan.Turns(&s.fields, f) {
		at := start.On(start.Day(t.Occurrence))
		if slices.ContainsFunc(s.row.Occurrences, func(o store.RoomOccurrence) bool { return o.Occurrence.Equal(at) }) {
			continue
		}
		has, _ := roomAt(b, s.row.Room, at)
		switch {
		case has == t.Was.Skipped:
			differ |= calendar.FieldRecurrence
		case has:
			differ |= plan.Diff(s.fields.Occurrence(t.Was), f.Occurrence(t.Is)) & calendar.FieldTime
		}
	}
	return differ
}

// declineOccurrence is decline for one occurrence of a series.
func (e *Engine) declineOccurrence(ctx context.Context, p *pass, r store.RoomItem, at time.Time) error {
	e.Failpoint("decline:recorded")
	outcome, err := e.respond(ctx, p, r.Ref, at, roomNotFree)
	if err != nil {
		return err
	}
	return e.withRoomItem(ctx, p, r, func(ctx context.Context, tx *store.Tx, r *store.RoomItem) error {
		i := slices.IndexFunc(r.Occurrences, func(o store.RoomOccurrence) bool { return o.Occurrence.Equal(at) })
		if i < 0 || r.Occurrences[i].Role != store.RoomDeclining {
			return nil
		}
		o := &r.Occurrences[i]
		switch {
		case outcome.refusal == nil:
			o.Role, o.Tries = store.RoomDeclined, 0
			name := (&booking.Booking{AllDay: o.Start.Equal(o.Start.Truncate(24*time.Hour)) && o.End.Equal(o.End.Truncate(24*time.Hour))}).OccurrenceName(at)
			if err := e.record(ctx, tx, r.Tenant, r.Room, r.Booking, "occurrence declined", name+": "+roomNotFree); err != nil {
				return err
			}
		case outcome.gone:
			o.Role = store.RoomDeclined
		case outcome.never:
			o.Tries = declineTries
		default:
			o.Tries++
		}
		if r.Due = zeroTime; o.Role == store.RoomDeclining { // given up, it is laid before a person
			r.Due = e.now().Add(min(e.limits().RetryBase<<min(o.Tries, 6), time.Hour))
			if o.Tries >= declineTries {
				r.Due = e.now()
			}
			return nil
		}
		if slices.ContainsFunc(r.Occurrences, func(o store.RoomOccurrence) bool { return o.Role == store.RoomDeclining }) {
			r.Due = e.now()
		}
		return nil
	})
}

// endsBy reports whether a meeting that says f is over, with all of its occurrences.
func (e *Engine) endsBy(f *plan.Fields) bool {
	for _, x := range f.Exceptions {
		if is := f.Occurrence(x); !x.Skipped && !e.endsBy(&plan.Fields{Start: is.Start, End: is.End, AllDay: is.AllDay, Zone: f.Zone}) {
			return false // it was moved behind the end of the rule
		}
	}
	_, end := booking.Span(&booking.Booking{
		Start: f.Start, End: f.End, AllDay: f.AllDay, Zone: f.Zone, Recurrence: f.Recurrence,
	})
	return !end.After(e.now())
}

// datesOf names occurrences of a booking.
func datesOf(b *booking.Booking, list []time.Time) string {
	names := make([]string, len(list))
	for i, at := range list {
		names[i] = b.OccurrenceName(at)
	}
	return fmt.Sprintf("%s of %s", plural(len(list), "occurrence", "occurrences"), someDates(names))
}
