package api

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
)

// mostConflicts is how many conflicts a problem lists.
const mostConflicts = 100

// ListOccurrences implements rest.StrictServerInterface.
func (h *handler) ListOccurrences(ctx context.Context, in rest.ListOccurrencesRequestObject) (rest.ListOccurrencesResponseObject, error) {
	b, found, err := h.Reads.Booking(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("there is no booking %q", in.ID)
	}
	limit, from, to := or(in.Params.Limit, 100), or(in.Params.From, time.Time{}), or(in.Params.To, time.Time{})
	all := booking.Touching(b, from, to)
	if in.Params.After != nil {
		after, _, why := timeIn(*in.Params.After)
		if why != "" {
			return nil, malformed("after %s", why)
		}
		all = booking.OccurrencesFrom(b, after.Add(time.Second), time.Time{})
	}
	page := rest.OccurrencePage{Items: make([]rest.Occurrence, 0, limit)}
	for o := range all {
		start, end := o.Span()
		if !to.IsZero() && !start.Before(to) {
			break
		}
		if !end.After(from) && start.Before(from) {
			continue
		}
		if len(page.Items) == limit {
			page.Next = page.Items[limit-1].Occurrence
			break
		}
		page.Items = append(page.Items, occurrenceOut(&o))
	}
	return rest.ListOccurrences200JSONResponse(page), nil
}

// PutOccurrence implements rest.StrictServerInterface.
func (h *handler) PutOccurrence(ctx context.Context, in rest.PutOccurrenceRequestObject) (rest.PutOccurrenceResponseObject, error) {
	at, _, why := timeIn(in.Occurrence)
	if why != "" {
		return nil, malformed("the occurrence in the path %s", why)
	}
	if in.Body.Occurrence != nil {
		if said, _, why := timeIn(*in.Body.Occurrence); why != "" || !said.Equal(at) {
			return nil, invalid(booking.Violation{Field: "occurrence", Reason: "is not the one in the path: leave it out"})
		}
	}
	x, v := exceptionIn(in.Body, "")
	if x.Occurrence = at; len(v) > 0 {
		return nil, invalid(v...)
	}
	b, err := h.putOccurrence(ctx, in.ID, x, in.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	tag := etag(b)
	return rest.PutOccurrence200JSONResponse{Body: bookingOut(b), Headers: rest.PutOccurrence200ResponseHeaders{ETag: &tag}}, nil
}

// SkipOccurrence implements rest.StrictServerInterface.
func (h *handler) SkipOccurrence(ctx context.Context, in rest.SkipOccurrenceRequestObject) (rest.SkipOccurrenceResponseObject, error) {
	at, _, why := timeIn(in.Occurrence)
	if why != "" {
		return nil, malformed("the occurrence in the path %s", why)
	}
	b, err := h.putOccurrence(ctx, in.ID, booking.Exception{Occurrence: at, Skipped: true}, in.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	tag := etag(b)
	return rest.SkipOccurrence200JSONResponse{Body: bookingOut(b), Headers: rest.SkipOccurrence200ResponseHeaders{ETag: &tag}}, nil
}

func (h *handler) putOccurrence(ctx context.Context, id string, x booking.Exception, ifMatch *string) (*booking.Booking, error) {
	match, err := h.match(ctx, id, ifMatch, nil)
	if err != nil {
		return nil, err
	}
	saved, err := h.Bookings.PutOccurrence(ctx, booking.OccurrenceChange{Tenant: tenant(ctx), Booking: id, Exception: x, Match: match})
	return saved.Booking, err
}

// savedOut shows what became of a booking that was put.
func savedOut(s *booking.Saved) rest.Booking {
	out := bookingOut(s.Booking)
	if len(s.Skipped) > 0 {
		list := conflictsOut(s.Skipped)
		out.SkippedConflicts = &list
	}
	if len(s.Dropped) > 0 {
		list := exceptionsOut(s.Booking, s.Dropped)
		out.DroppedExceptions = &list
	}
	return out
}

func conflictsOut(list []booking.Conflict) []rest.Conflict {
	out := make([]rest.Conflict, len(list))
	for i, c := range list {
		out[i] = rest.Conflict{Occurrence: given(c.Name), Resource: c.Resource, Others: c.Others}
		out[i].Start, out[i].End = timesOut(c.Start, c.End, c.AllDay, time.UTC)
	}
	return out
}

func occurrenceOut(o *booking.Occurrence) rest.Occurrence {
	b := o.Booking()
	out := rest.Occurrence{
		Exception: o.Exception != nil, AllDay: b.AllDay, Title: b.Title, Notes: b.Notes, Location: b.Location,
		Busy: rest.Busy(b.Busy), Class: rest.Class(b.Class), ReminderMinutes: b.ReminderMinutes,
		Resources: append([]string{}, b.Resources...), Attendees: attendeesOut(b.Attendees),
	}
	out.Start, out.End = timesOut(b.Start, b.End, b.AllDay, zoneOf(b))
	out.Occurrence = given(o.Name())
	return out
}

func exceptionsOut(b *booking.Booking, list []booking.Exception) []rest.Exception {
	out := make([]rest.Exception, len(list))
	at := zoneOf(b)
	for i, x := range list {
		name := b.OccurrenceName(x.Occurrence)
		r := rest.Exception{Occurrence: &name, Title: x.Title, Notes: x.Notes, Location: x.Location, Resources: x.Resources}
		if x.Skipped {
			r.Skipped = &x.Skipped
		}
		if x.Start != nil && x.End != nil {
			start, end := timesOut(*x.Start, *x.End, or(x.AllDay, b.AllDay), at)
			r.Start, r.End, r.AllDay = &start, &end, x.AllDay
		}
		if x.Busy != nil {
			busy := rest.Busy(*x.Busy)
			r.Busy = &busy
		}
		if x.Class != nil {
			class := rest.Class(*x.Class)
			r.Class = &class
		}
		if x.Reminder != nil {
			if r.ReminderMinutes = x.Reminder.Minutes; r.ReminderMinutes == nil {
				r.NoReminder = new(true)
			}
		}
		if x.Attendees != nil {
			people := attendeesOut(*x.Attendees)
			r.Attendees = &people
		}
		out[i] = r
	}
	return out
}

// exceptionIn reads what is different about an occurrence, but for which one it is. prefix goes before the fields' names.
func exceptionIn(in *rest.Exception, prefix string) (booking.Exception, []booking.Violation) {
	var v []booking.Violation
	add := func(field, reason string) { v = append(v, booking.Violation{Field: prefix + field, Reason: reason}) }
	x := booking.Exception{Skipped: or(in.Skipped, false), Title: in.Title, Notes: in.Notes, Location: in.Location, Resources: in.Resources}
	if in.Busy != nil {
		busy := booking.Busy(*in.Busy)
		x.Busy = &busy
	}
	if in.Class != nil {
		class := booking.Class(*in.Class)
		x.Class = &class
	}
	switch none := or(in.NoReminder, false); {
	case none && in.ReminderMinutes != nil:
		add("no_reminder", "contradicts reminder_minutes: leave out one of the two")
	case none || in.ReminderMinutes != nil:
		x.Reminder = &booking.Reminder{Minutes: in.ReminderMinutes}
	}
	if in.Attendees != nil {
		people := attendeesIn(*in.Attendees)
		x.Attendees = &people
	}
	for _, t := range []struct {
		field string
		text  *string
	}{{"title", x.Title}, {"notes", x.Notes}, {"location", x.Location}} {
		if t.text != nil && unkeepable(*t.text) {
			add(t.field, noControl)
		}
	}
	if in.Start == nil && in.End == nil {
		if in.AllDay != nil {
			add("all_day", "says nothing without start and end: leave it out")
		}
		return x, v
	}
	startDate, endDate, formed := false, false, len(v)
	for _, t := range []struct {
		field string
		text  *string
		to    **time.Time
		date  *bool
	}{{"start", in.Start, &x.Start, &startDate}, {"end", in.End, &x.End, &endDate}} {
		if t.text == nil {
			add(t.field, "is missing: start and end come together")
			continue
		}
		at, date, why := timeIn(*t.text)
		if why != "" {
			add(t.field, why)
		}
		*t.to, *t.date = &at, date
	}
	switch {
	case len(v) > formed:
		x.Start, x.End = nil, nil // nothing follows from them
	case startDate != endDate:
		add("end", sameForm)
	case in.AllDay != nil && *in.AllDay != startDate:
		add("all_day", "contradicts start and end: leave it out")
	default:
		x.AllDay = &startDate
	}
	return x, v
}

// exceptionsIn reads the exceptions of a booking.
func exceptionsIn(list []rest.Exception) (all []booking.Exception, v []booking.Violation) {
	for i := range list {
		prefix := fmt.Sprintf("exceptions[%d].", i)
		x, faults := exceptionIn(&list[i], prefix)
		v = append(v, faults...)
		if list[i].Occurrence == nil {
			v = append(v, booking.Violation{Field: prefix + "occurrence", Reason: "is missing: say when the rule has it start"})
			continue
		}
		at, _, why := timeIn(*list[i].Occurrence)
		if why != "" {
			v = append(v, booking.Violation{Field: prefix + "occurrence", Reason: why})
		}
		x.Occurrence = at
		all = append(all, x)
	}
	return all, v
}
