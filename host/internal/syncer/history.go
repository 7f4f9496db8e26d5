package syncer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// longestHistory is how many changes of one booking are looked at to find out what a refusal means.
const longestHistory = 1000

// A leftover is what still stands of a change.
type leftover struct {
	before  moment // the change; without a booking if that is not kept
	touched calendar.Fields
	fields  calendar.Fields // of those touched, the ones that still are as the change left them
	// occurrences are those of a series that the change touched by themselves and that are still as it left them, as they were
	// before it. They are none of fields.
	occurrences []booking.Exception
	// apart: the series has the same occurrences since before the change, so that its time and they are undone by themselves.
	apart bool
}

// leftover returns what still stands of the change. If nobody can tell what it touched, it may have been anything.
func (r *rejection) leftover(ctx context.Context) (leftover, error) {
	l := leftover{touched: calendar.AllFields}
	after, err := r.engine.Parse(r.change.Tenant, r.change.Data)
	if err != nil {
		return l, err
	}
	if l.before, err = r.before(ctx, r.change.Seq); err != nil {
		return l, err
	}
	if l.before.booking != nil {
		l.touched = differing(l.before.booking, after)
	}
	since, err := r.since(ctx, after)
	if b := l.before.booking; b != nil && l.touched.Any(calendar.FieldRecurrence) && sameRule(b, after) && sameRule(after, r.now) {
		l.occurrences, l.apart = untouched(b, after, r.now), true
		since |= calendar.FieldRecurrence
	}
	l.fields = l.touched &^ since
	return l, err
}

// sameRule reports whether two bookings are series with the same occurrences.
func sameRule(a, b *booking.Booking) bool {
	return a.Series() && a.Recurrence == b.Recurrence && a.Start.Equal(b.Start) && a.AllDay == b.AllDay && a.Zone == b.Zone
}

// untouched returns, as they were before a change, the occurrences that differ after it and are still so now.
func untouched(before, after, now *booking.Booking) []booking.Exception {
	var list []booking.Exception
	for _, at := range exceptional(before, after) {
		was, then := exceptionAt(before, at), exceptionAt(after, at)
		if !booking.SameException(was, then) && booking.SameException(then, exceptionAt(now, at)) {
			list = append(list, was)
		}
	}
	return list
}

// exceptional returns the occurrences of which one of two series has exceptions.
func exceptional(a, b *booking.Booking) []time.Time {
	var all []time.Time
	for _, x := range slices.Concat(a.Exceptions, b.Exceptions) {
		all = append(all, x.Occurrence)
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// exceptionAt returns what is different about an occurrence, which may be nothing.
func exceptionAt(b *booking.Booking, at time.Time) booking.Exception {
	if x := b.Exception(at); x != nil {
		return *x
	}
	return booking.Exception{Occurrence: at}
}

// former returns a booking that has the fields that still stand as they shall be: as before the change, and before such as
// were refused already. So it makes the occurrences of l.
func (r *rejection) former(ctx context.Context, l *leftover) (*booking.Booking, error) {
	last, touched, left := l.before, l.touched, l.fields
	if last.booking == nil {
		return nil, unrejectable(r.now.ID, "%d is the oldest change of the booking that is kept, so nobody can tell what it changed: put the booking as it should be", r.change.Seq)
	}
	const place, series = calendar.FieldTime | calendar.FieldResources, calendar.FieldTime | calendar.FieldRecurrence
	if touched&series == series && !l.apart && left&series != 0 && left&series != series {
		return nil, unrejectable(r.now.ID, "%d changed the time and the rule of a series, and only one of the two was changed again since: put the booking as it should be", r.change.Seq)
	}
	if touched&place == place && left&place != 0 && left&place != place {
		return nil, unrejectable(r.now.ID, "%d moved the booking in time and to other resources, and only one of the two was changed again since: put the booking as it should be", r.change.Seq)
	}
	target := last.booking.Clone()
	done := make([]bool, len(l.occurrences)) // which of them are as they shall be
	for open := left; (open != 0 || slices.Contains(done, false)) && last.steps < longestHistory; {
		older, err := r.before(ctx, last.change.Seq)
		if err != nil {
			return nil, err
		}
		if older.booking == nil {
			break
		}
		refused, err := r.refused(ctx, last.change)
		if err != nil {
			return nil, err
		}
		if d := differing(older.booking, last.booking) & open; refused {
			copyFields(target, older.booking, d)
		} else {
			open &^= d
		}
		same := sameRule(older.booking, last.booking)
		for i, x := range l.occurrences {
			switch was := exceptionAt(older.booking, x.Occurrence); {
			case done[i], same && booking.SameException(was, exceptionAt(last.booking, x.Occurrence)):
			case same && refused:
				l.occurrences[i] = was
			default:
				done[i] = true
			}
		}
		older.steps = last.steps + 1
		last = older
	}
	return target, nil
}

// since returns the fields that others changed after the change, up to now. What was refused, and what undid it, is no
// change by others.
func (r *rejection) since(ctx context.Context, after *booking.Booking) (calendar.Fields, error) {
	changed := differing(after, r.now)
	newer, err := r.before(ctx, math.MaxInt64)
	for steps := 0; err == nil && newer.booking != nil && newer.change.Seq != r.change.Seq; steps++ {
		if steps == longestHistory {
			return 0, unrejectable(r.now.ID, "%d is too long ago: the booking was changed very often since. Put it as it should be", r.change.Seq)
		}
		var older moment
		if older, err = r.before(ctx, newer.change.Seq); err != nil || older.booking == nil {
			break
		}
		var own bool
		if own, err = r.refused(ctx, newer.change); err == nil && !own && newer.change.Source != sourceSync {
			changed |= differing(older.booking, newer.booking)
		}
		newer = older
	}
	return changed, err
}

// refused reports whether a change was made by a calendar and refused.
func (r *rejection) refused(ctx context.Context, c store.ChangeRecord) (bool, error) {
	if c.Source != sourceCalendar {
		return false, nil
	}
	_, refused, err := r.tx.Rejection(ctx, c.Tenant, c.Seq)
	return refused, err
}

// A moment of a booking's history: a change, and the booking after it; nil if it is not kept.
type moment struct {
	change  store.ChangeRecord
	booking *booking.Booking
	steps   int
}

func (r *rejection) before(ctx context.Context, seq int64) (moment, error) {
	c, found, err := r.tx.ChangeBefore(ctx, r.now.Tenant, r.now.ID, seq)
	if err != nil || !found {
		return moment{}, err
	}
	b, err := r.engine.Parse(c.Tenant, c.Data)
	if err != nil {
		return moment{}, fmt.Errorf("change %d: %w", c.Seq, err)
	}
	return moment{change: c, booking: b}, nil
}

// lastRejected reports whether the last that happened to a booking, answers apart, was the refusal of what its calendar did.
func lastRejected(ctx context.Context, tx *store.Tx, b *booking.Booking) (bool, error) {
	before := int64(math.MaxInt64)
	for range longestHistory {
		c, found, err := tx.ChangeBefore(ctx, b.Tenant, b.ID, before)
		if err != nil || !found || c.Kind != changeAnswered {
			return found && c.Source == sourceSync, err
		}
		before = c.Seq
	}
	return false, nil
}

// differing returns the fields in which two states of a booking differ.
func differing(a, b *booking.Booking) calendar.Fields {
	var d calendar.Fields
	for _, f := range []struct {
		field calendar.Fields
		same  bool
	}{
		{calendar.FieldSubject, a.Title == b.Title},
		{calendar.FieldBody, a.Notes == b.Notes},
		{calendar.FieldTime, a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.AllDay == b.AllDay && a.Zone == b.Zone},
		{calendar.FieldResources, slices.Equal(a.Resources, b.Resources)},
		{calendar.FieldAttendees, slices.Equal(a.Attendees, b.Attendees)},
		{calendar.FieldLocation, a.Location == b.Location},
		{calendar.FieldBusy, a.Busy == b.Busy},
		{calendar.FieldClass, a.Class == b.Class},
		{calendar.FieldReminder, (a.ReminderMinutes == nil) == (b.ReminderMinutes == nil) &&
			(a.ReminderMinutes == nil || *a.ReminderMinutes == *b.ReminderMinutes)},
		{calendar.FieldRecurrence, a.Recurrence == b.Recurrence && slices.EqualFunc(a.Exceptions, b.Exceptions, booking.SameException)},
	} {
		if !f.same {
			d |= f.field
		}
	}
	return d
}

// copyFields carries the fields which from one state of a booking into another.
func copyFields(to, from *booking.Booking, which calendar.Fields) {
	from = from.Clone()
	if which.Any(calendar.FieldSubject) {
		to.Title = from.Title
	}
	if which.Any(calendar.FieldBody) {
		to.Notes = from.Notes
	}
	if which.Any(calendar.FieldTime) {
		to.Start, to.End, to.AllDay, to.Zone = from.Start, from.End, from.AllDay, from.Zone
	}
	if which.Any(calendar.FieldResources) {
		to.Resources = from.Resources
	}
	if which.Any(calendar.FieldAttendees) {
		to.Attendees = from.Attendees
	}
	if which.Any(calendar.FieldLocation) {
		to.Location = from.Location
	}
	if which.Any(calendar.FieldBusy) {
		to.Busy = from.Busy
	}
	if which.Any(calendar.FieldClass) {
		to.Class = from.Class
	}
	if which.Any(calendar.FieldReminder) {
		to.ReminderMinutes = from.ReminderMinutes
	}
	if which.Any(calendar.FieldRecurrence) {
		to.Recurrence, to.Exceptions = from.Recurrence, from.Exceptions
	}
}
