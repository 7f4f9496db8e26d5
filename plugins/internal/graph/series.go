package graph

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// margin is how far beyond its days a series is looked at for occurrences that were moved there. Graph looks at no more than
// widest at a time.
const margin = 400 * day

// An instance is one occurrence of a series that was not left out.
type instance struct {
	id        string
	exception bool
}

// instances returns the occurrences of a series by their day in the rule, for the days of the rule that are looked at: those
// in the window, and two years of it at least.
func (b *Backend) instances(ctx context.Context, m backend.Mailbox, id string, e calendar.Event, r *patternedRecurrence) (map[time.Time]instance, []time.Time, error) {
	at, first, err := firstDay(e)
	if err != nil {
		return nil, nil, err
	}
	_, horizon := b.window()
	if least := first.AddDate(2, 0, 0); horizon.Before(least) {
		horizon = least
	}
	var days []time.Time
	for d := range r.dates() {
		if d.After(horizon) {
			break
		}
		days = append(days, d)
	}
	if len(days) == 0 {
		return nil, nil, nil
	}
	out := map[time.Time]instance{}
	for from, to := days[0].Add(-margin), days[len(days)-1].Add(margin); from.Before(to); from = from.Add(widest) {
		until := from.Add(widest)
		if until.After(to) {
			until = to
		}
		req := request{
			mailbox: m, doing: "reading a series in the calendar", method: http.MethodGet, ok: http.StatusOK, prefer: preferItems,
			target: eventPath(m, id) + "/instances" + query("startDateTime", from.Format(time.RFC3339), "endDateTime", until.Format(time.RFC3339),
				"$select", "id,type,originalStart,originalStartTimeZone,start,end,isAllDay", "$top", "500"),
		}
		if err := b.addInstances(ctx, req, at, e.AllDay, out); err != nil {
			return nil, nil, err
		}
	}
	return out, days, nil
}

// addInstances adds the occurrences in a part of a series, by their day in the rule.
func (b *Backend) addInstances(ctx context.Context, req request, at *time.Location, allDay bool, to map[time.Time]instance) error {
	for range maxPages {
		events, next, err := b.page(ctx, req)
		if err != nil {
			return err
		}
		for i := range events {
			one := &events[i]
			d, err := one.originalDay(at, allDay)
			if one.ID == "" || err != nil {
				return req.wrap(fmt.Errorf("an occurrence came without id or start: %w", fault.Unavailable))
			}
			to[d] = instance{one.ID, one.Type == "exception"}
		}
		if next == "" {
			return nil
		}
		req.target, req.link = "", next
	}
	return req.wrap(fmt.Errorf("the occurrences of a series do not come to an end: %w", fault.Unavailable))
}

// originalDay is the day on which the rule has an occurrence start.
func (e *event) originalDay(at *time.Location, allDay bool) (time.Time, error) {
	if e.Start == nil {
		return time.Time{}, fault.Unavailable
	}
	t := e.OriginalStart
	if t.IsZero() { // an occurrence that is as the rule made it
		var err error
		if t, err = e.Start.moment(); err != nil {
			return t, err
		}
	}
	if !allDay {
		return dayOf(t, at, false), nil
	}
	if t.Equal(t.UTC().Truncate(day)) {
		return t.UTC(), nil
	}
	return dayOf(t.Add(time.Hour), at, false), nil // where a day begins at one o'clock, it still does
}

// occurrence is the moment, or for a series of whole days the date, at which a rule has the occurrence of a day start.
func occurrence(e calendar.Event, d time.Time) time.Time {
	if e.AllDay {
		return d
	}
	at, _, err := firstDay(e)
	if err != nil {
		return d
	}
	clock := e.Start.In(at)
	return time.Date(d.Year(), d.Month(), d.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, at).UTC()
}

// plain is the occurrence of a day as the rule makes it.
func plain(series calendar.Event, d time.Time) calendar.Event {
	e := series
	e.Recurrence, e.Exceptions = "", nil
	e.Start = occurrence(series, d)
	e.End = e.Start.Add(series.End.Sub(series.Start))
	return e
}

// withSeries adds rule and exceptions to the item of a series. A rule that no RRULE says is omitted.
func (b *Backend) withSeries(ctx context.Context, m backend.Mailbox, e *event, item backend.Item) (backend.Item, error) {
	at, _, err := firstDay(item.Event)
	said := false
	if e.Recurrence != nil && err == nil {
		item.Event.Recurrence, said = e.Recurrence.toRRULE(at, item.Event.AllDay)
	}
	if !said {
		item.Event.Recurrence = ""
		item.Omits |= calendar.FieldRecurrence
		return item, nil
	}
	there, days, err := b.instances(ctx, m, e.ID, item.Event, e.Recurrence)
	if err != nil {
		return item, err
	}
	var ids []string
	for _, d := range days {
		if one, ok := there[d]; ok && one.exception {
			ids = append(ids, one.id)
		}
	}
	got, err := b.read(ctx, m, ids)
	if err != nil {
		return item, err
	}
	for _, d := range days {
		one, ok := there[d]
		if ok && !one.exception {
			continue
		}
		x := calendar.OccurrenceException{Occurrence: occurrence(item.Event, d)}
		if ok {
			i := slices.Index(ids, one.id)
			if got[i].err != nil {
				// It has changed while it was read.
				return item, fmt.Errorf("%s: %w", got[i].err.Error(), fault.Unavailable)
			}
			its, err := b.fromGraph(m, &got[i].event)
			if err != nil {
				return item, err
			}
			if changing(plain(item.Event, d), its.Event, calendar.AllFields&^calendar.FieldRecurrence) == 0 {
				continue // somebody put it back
			}
			x.Event = &its.Event
		}
		item.Event.Exceptions = append(item.Event.Exceptions, x)
	}
	return item, nil
}

// series adds the rule of an event to what is written of it, and checks its exceptions.
func (p patch) series(e calendar.Event) error {
	if e.Recurrence == "" {
		if len(e.Exceptions) > 0 {
			return fmt.Errorf("an event without a rule has exceptions from one: %w", fault.Invalid)
		}
		return nil
	}
	r, err := recurrenceOf(e)
	if err != nil {
		return err
	}
	at, _, err := firstDay(e)
	if err != nil {
		return err
	}
	wanted := map[time.Time]bool{}
	last := time.Time{}
	for _, x := range e.Exceptions {
		d := dayOf(x.Occurrence, at, e.AllDay)
		if wanted[d] = true; d.After(last) {
			last = d
		}
	}
	for d := range r.dates() {
		if delete(wanted, d); d.After(last) {
			break
		}
	}
	if len(wanted) > 0 {
		return fmt.Errorf("an exception of a series is on none of its days: %w", fault.Invalid)
	}
	p["recurrence"] = r
	return nil
}

// rewrite writes an item's rule or a series' time, with whatever else is to be written, and then its exceptions. Each step
// leaves a whole item, so that one that was cut off is found to differ and written again.
func (b *Backend) rewrite(ctx context.Context, m calendar.Mutation, e event, now backend.Item, p patch) (backend.Result, error) {
	want := overlay(now.Event, m.Event, m.Fields)
	if err := p.series(want); err != nil {
		return backend.Result{}, err
	}
	if want.Recurrence == "" {
		p["recurrence"] = nil
	}
	if back := now.Event.Recurrence != "" && comesBack(now.Event, want); back && want.Recurrence != "" {
		// What was left out comes back only when the rule is made anew.
		if _, err := b.patch(ctx, m.Mailbox, e.ID, e.ETag, patch{"recurrence": nil}); err != nil {
			return backend.Result{}, err
		}
		e.ETag = ""
	}
	written, err := b.patch(ctx, m.Mailbox, e.ID, e.ETag, p)
	if err != nil {
		return backend.Result{}, err
	}
	if want.Recurrence != "" {
		m.Event = want
		if err := b.except(ctx, m, &written); err != nil {
			return backend.Result{}, err
		}
	}
	if e, err = b.readOne(ctx, m.Mailbox, e.ID); err != nil {
		return backend.Result{}, err
	}
	item, err := b.item(ctx, m.Mailbox, &e)
	return backend.Result{Item: item}, err
}

// comesBack reports whether an occurrence that is left out now is wanted.
func comesBack(now, want calendar.Event) bool {
	for _, x := range now.Exceptions {
		out := func(y calendar.OccurrenceException) bool { return y.Event == nil && y.Occurrence.Equal(x.Occurrence) }
		if x.Event == nil && !slices.ContainsFunc(want.Exceptions, out) {
			return true
		}
	}
	return false
}

// except brings the occurrences of a series to what m.Event says of them.
func (b *Backend) except(ctx context.Context, m calendar.Mutation, e *event) error {
	series, err := b.fromGraph(m.Mailbox, e)
	if err != nil {
		return err
	}
	r, err := recurrenceOf(m.Event)
	if err != nil {
		return err
	}
	there, days, err := b.instances(ctx, m.Mailbox, e.ID, m.Event, r)
	if err != nil {
		return err
	}
	at, _, err := firstDay(m.Event)
	if err != nil {
		return err
	}
	wanted := map[time.Time]*calendar.OccurrenceException{}
	for i := range m.Event.Exceptions {
		x := &m.Event.Exceptions[i]
		wanted[dayOf(x.Occurrence, at, m.Event.AllDay)] = x
	}
	for _, d := range days {
		one, ok := there[d]
		switch x := wanted[d]; {
		case x != nil && x.Event == nil && ok:
			err = b.erase(ctx, m.Mailbox, one.id)
		case !ok && (x == nil || x.Event != nil):
			err = fmt.Errorf("an occurrence of a series in the calendar of %s was left out and does not come back: %w", m.Mailbox.Address, fault.Unavailable)
		case x != nil && x.Event != nil:
			err = b.alter(ctx, m.Mailbox, one.id, *x.Event)
		case ok && one.exception:
			err = b.alter(ctx, m.Mailbox, one.id, plain(series.Event, d))
		}
		if err != nil && fault.Of(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

// alter writes what differs of one occurrence.
func (b *Backend) alter(ctx context.Context, m backend.Mailbox, id string, want calendar.Event) error {
	e, err := b.readOne(ctx, m, id)
	if err != nil {
		return err
	}
	now, err := b.fromGraph(m, &e)
	if err != nil {
		return err
	}
	todo := changing(now.Event, want, calendar.AllFields&^calendar.FieldRecurrence&^now.Omits)
	if e.OnlineMeeting {
		todo &^= calendar.FieldBody
	}
	if todo == 0 {
		return nil
	}
	p, err := b.toGraph(want, todo, now.Event)
	if err != nil {
		return err
	}
	_, err = b.patch(ctx, m, id, "", p)
	return err
}

// sameSeries reports whether two events have the same rule and exceptions.
func sameSeries(a, b calendar.Event) bool {
	if a.Recurrence == "" || b.Recurrence == "" {
		return a.Recurrence == b.Recurrence
	}
	if len(a.Exceptions) != len(b.Exceptions) || canonical(a) != canonical(b) {
		return false
	}
	byTime := func(x, y calendar.OccurrenceException) int { return x.Occurrence.Compare(y.Occurrence) }
	as, bs := slices.SortedFunc(slices.Values(a.Exceptions), byTime), slices.SortedFunc(slices.Values(b.Exceptions), byTime)
	for i := range as {
		x, y := as[i], bs[i]
		if !x.Occurrence.Equal(y.Occurrence) || (x.Event == nil) != (y.Event == nil) {
			return false
		}
		if x.Event != nil && changing(*x.Event, *y.Event, calendar.AllFields&^calendar.FieldRecurrence) != 0 {
			return false
		}
	}
	return true
}

// canonical is an event's rule in our own words; as it is where Exchange cannot keep it.
func canonical(e calendar.Event) string {
	r, err := recurrenceOf(e)
	if err != nil {
		return e.Recurrence
	}
	at, _, err := firstDay(e)
	if err != nil {
		return e.Recurrence
	}
	rule, _ := r.toRRULE(at, e.AllDay)
	return rule
}
