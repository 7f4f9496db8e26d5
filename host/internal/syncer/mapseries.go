package syncer

import (
	"context"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/recurrence"
)

// remembered asks everything about people once: the occurrences of a series name the same ones again and again.
type remembered struct {
	people
	ids, emails map[string]answer
}

type answer struct {
	row   store.PersonRow
	found bool
}

func remember(p people) people {
	if r, is := p.(remembered); is {
		return r
	}
	return remembered{p, map[string]answer{}, map[string]answer{}}
}

func (r remembered) Person(ctx context.Context, tenant, id string) (store.PersonRow, bool, error) {
	return once(r.ids, id, func() (store.PersonRow, bool, error) { return r.people.Person(ctx, tenant, id) })
}

func (r remembered) PersonByEmail(ctx context.Context, tenant, email string) (store.PersonRow, bool, error) {
	return once(r.emails, email, func() (store.PersonRow, bool, error) { return r.people.PersonByEmail(ctx, tenant, email) })
}

func once(known map[string]answer, name string, ask func() (store.PersonRow, bool, error)) (store.PersonRow, bool, error) {
	a, asked := known[name]
	if !asked {
		var err error
		if a.row, a.found, err = ask(); err != nil {
			return a.row, false, err
		}
		known[name] = a
	}
	return a.row, a.found, nil
}

// single returns b as a booking at the time of its first occurrence.
func single(b *booking.Booking) *booking.Booking {
	c := b.Clone()
	c.Recurrence, c.Exceptions = "", nil
	return c
}

// fieldsOfSeries is fieldsOfBooking of a series.
func fieldsOfSeries(ctx context.Context, p people, b *booking.Booking) (plan.Fields, error) {
	p = remember(p)
	f, err := fieldsOfBooking(ctx, p, single(b))
	if err != nil {
		return f, err
	}
	f.Recurrence = b.Recurrence
	for _, x := range b.Exceptions {
		if x.Skipped {
			f.Exceptions = append(f.Exceptions, plan.Exception{Occurrence: x.Occurrence, Skipped: true})
		}
	}
	for o := range excepted(b) {
		is, err := fieldsOfBooking(ctx, p, o.Booking())
		if err != nil {
			return f, err
		}
		f.Exceptions = append(f.Exceptions, f.Except(o.Occurrence, is, calendar.AllFields))
	}
	return plan.Canonical(f), nil
}

// excepted yields the occurrences of a series that take place and are not as the rule makes them.
func excepted(b *booking.Booking) func(yield func(booking.Occurrence) bool) {
	return func(yield func(booking.Occurrence) bool) {
		if len(b.Exceptions) == 0 {
			return
		}
		first, last := b.Exceptions[0].Occurrence, b.Exceptions[len(b.Exceptions)-1].Occurrence
		for o := range booking.OccurrencesFrom(b, first, last.Add(time.Second)) {
			if o.Exception != nil && !yield(o) {
				return
			}
		}
	}
}

// fieldsOfMaster is fieldsOfItem of a series.
func fieldsOfMaster(ctx context.Context, p people, tenant, organizerEmail string, ev *calendar.Event) (plan.Fields, error) {
	p = remember(p)
	series := *ev
	series.Recurrence, series.Exceptions = "", nil
	f, err := fieldsOfItem(ctx, p, tenant, organizerEmail, &series)
	if err != nil {
		return f, err
	}
	f.Recurrence = ev.Recurrence
	for _, x := range ev.Exceptions {
		if x.Event == nil {
			f.Exceptions = append(f.Exceptions, plan.Exception{Occurrence: x.Occurrence, Skipped: true})
			continue
		}
		is, err := fieldsOfItem(ctx, p, tenant, organizerEmail, x.Event)
		if err != nil {
			return f, err
		}
		f.Exceptions = append(f.Exceptions, f.Except(x.Occurrence, is, calendar.AllFields))
	}
	return plan.Canonical(f), nil
}

// applySeries completes applyFields where b, which was was, is a series or becomes one.
func applySeries(ctx context.Context, p people, was, b *booking.Booking, which calendar.Fields, f *plan.Fields) error {
	if which.Any(calendar.FieldRecurrence) {
		if b.Recurrence = f.Recurrence; f.Recurrence != "" && f.Zone != "" {
			b.Zone = f.Zone
		}
	}
	// What no calendar can say stays with the occurrences that there still are: notes, and resources without a mailbox.
	b.Exceptions = nil
	b.Normalize()
	b.Exceptions = was.Exceptions
	booking.Rebase(was, b)
	if !b.Series() || !which.Any(calendar.FieldRecurrence) {
		b.Normalize()
		return nil
	}
	wanted := map[time.Time]plan.Exception{}
	var moments []time.Time
	for _, x := range f.Exceptions {
		wanted[x.Occurrence] = x
		moments = append(moments, x.Occurrence)
	}
	for _, x := range b.Exceptions {
		moments = append(moments, x.Occurrence)
	}
	slices.SortFunc(moments, time.Time.Compare)
	p = remember(p)
	next := b.Clone()
	next.Exceptions = nil
	for _, at := range slices.Compact(moments) {
		want, is := wanted[at]
		if is && want.Skipped {
			next.Exceptions = append(next.Exceptions, booking.Exception{Occurrence: at, Skipped: true})
			continue
		}
		if !is {
			want = plan.Exception{Occurrence: at}
		}
		one := f.Occurrence(want)
		one.Unsaid = f.Unsaid
		o, err := applyOccurrence(ctx, p, b, one, at)
		if err != nil {
			return err
		}
		next.Exceptions = append(next.Exceptions, o)
	}
	next.Normalize()
	*b = *next
	return nil
}

// applyOccurrence returns the exception that the occurrence at of a series is if it is to be as want says, which
// says nothing of its unsaid fields.
func applyOccurrence(ctx context.Context, p people, b *booking.Booking, want plan.Fields, at time.Time) (booking.Exception, error) {
	now := single(b)
	now.Start, now.End = want.Start, want.End // only if there is no such occurrence, which Validate says
	series := b
	if x := b.Exception(at); x != nil && x.Skipped {
		series = b.Clone()
		series.Exceptions = slices.DeleteFunc(series.Exceptions, func(x booking.Exception) bool { return x.Occurrence.Equal(at) })
	}
	for o := range booking.OccurrencesFrom(series, at, at.Add(time.Second)) {
		now = o.Booking()
	}
	is, err := fieldsOfBooking(ctx, p, now)
	if err != nil {
		return booking.Exception{}, err
	}
	unsaid := want.Unsaid
	want.Zone, want.Unsaid = "", 0
	if err := applyFields(ctx, p, now, plan.Diff(is, want)&^calendar.FieldBody&^unsaid, &want); err != nil {
		return booking.Exception{}, err
	}
	return exceptionOf(now, at), nil
}

// exceptionOf returns the exception by which an occurrence of a series is as now. What is as in the series, normalizing it
// takes out.
func exceptionOf(now *booking.Booking, at time.Time) booking.Exception {
	return booking.Exception{
		Occurrence: at, Start: &now.Start, End: &now.End, AllDay: &now.AllDay, Title: &now.Title, Notes: &now.Notes, Location: &now.Location,
		Busy: &now.Busy, Class: &now.Class, Reminder: &booking.Reminder{Minutes: now.ReminderMinutes},
		Resources: &now.Resources, Attendees: &now.Attendees,
	}
}

// eventOf returns the event to send for the fields f of b. current is the item as it is, or nil: its rooms that the
// directory does not know stay invited, and of a series so do those of its occurrences. Unless texts are written, occurrences
// have the text that is there, which may be more than ours.
func eventOf(ctx context.Context, p people, b *booking.Booking, f *plan.Fields, current *calendar.Item, texts bool) (calendar.Event, error) {
	var now *calendar.Event
	if current != nil {
		now = &current.Event
	}
	if f.Recurrence == "" {
		return singleEvent(ctx, p, b, f, now)
	}
	p = remember(p)
	ev, err := singleEvent(ctx, p, b, f, now)
	if err != nil {
		return ev, err
	}
	ev.Recurrence = f.Recurrence
	for _, x := range f.Exceptions {
		out := calendar.OccurrenceException{Occurrence: x.Occurrence}
		if !x.Skipped {
			is := f.Occurrence(x)
			one, err := singleEvent(ctx, p, b, &is, occurrenceIn(now, x.Occurrence))
			if err != nil {
				return ev, err
			}
			if !texts && now != nil {
				one.Body = occurrenceIn(now, x.Occurrence).Body
			}
			out.Event = &one
		}
		ev.Exceptions = append(ev.Exceptions, out)
	}
	return ev, nil
}

// occurrenceIn returns an occurrence of a series as it is in the calendar, as far as that differs from the series.
func occurrenceIn(series *calendar.Event, at time.Time) *calendar.Event {
	if series == nil {
		return nil
	}
	start := startOf(series)
	for i := range series.Exceptions {
		if x := &series.Exceptions[i]; x.Event != nil && start.Day(x.Occurrence).Equal(start.Day(at)) {
			return x.Event
		}
	}
	return series
}

// startOf is the first occurrence of a series.
func startOf(ev *calendar.Event) recurrence.Start {
	s := recurrence.Start{At: ev.Start, AllDay: ev.AllDay}
	if at, err := recurrence.Zone(ev.Zone); err == nil && !ev.AllDay {
		s.Zone = at
	}
	return s
}

// parseRule reads the rule of a series.
func parseRule(ev calendar.Event) (recurrence.Rule, error) {
	return recurrence.Parse(ev.Recurrence, startOf(&ev))
}
