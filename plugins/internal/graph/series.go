package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
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

// instances returns the occurrences of a series by their day in the rule, for the days of the rule that are looked at.
func (b *Backend) instances(ctx context.Context, m backend.Mailbox, id string, s series.Series) (map[time.Time]instance, []time.Time, error) {
	last, err := b.reach(ctx, m, id, s)
	if err != nil {
		return nil, nil, err
	}
	var days []time.Time
	for _, d := range s.Days() {
		if d.After(last) {
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
		if err := b.addInstances(ctx, req, s, out); err != nil {
			return nil, nil, err
		}
	}
	return out, days, nil
}

// addInstances adds the occurrences in a part of a series, by their day in the rule.
func (b *Backend) addInstances(ctx context.Context, req request, s series.Series, to map[time.Time]instance) error {
	for range maxPages {
		events, next, err := b.page(ctx, req)
		if err != nil {
			return err
		}
		for i := range events {
			one := &events[i]
			d, err := one.originalDay(s)
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
func (e *event) originalDay(s series.Series) (time.Time, error) {
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
	switch {
	case !s.AllDay:
		return s.Day(t), nil
	case t.Equal(t.UTC().Truncate(day)):
		return t.UTC(), nil
	}
	return s.DayIn(t.Add(time.Hour)), nil // where a day begins at one o'clock, it still does
}

// withSeries adds rule and exceptions to the item of a series. A rule that no RRULE says is omitted.
func (b *Backend) withSeries(ctx context.Context, m backend.Mailbox, e *event, item backend.Item) (backend.Item, error) {
	said := false
	if e.Recurrence != nil {
		item.Event.Recurrence, said = e.Recurrence.ruleOf(item.Event)
	}
	if !said {
		item.Event.Recurrence = ""
		item.Omits |= calendar.FieldRecurrence
		return item, nil
	}
	s, err := series.Of(item.Event)
	if err != nil {
		return item, err
	}
	there, days, err := b.instances(ctx, m, e.ID, s)
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
		x := calendar.OccurrenceException{Occurrence: s.On(d)}
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
			if series.Changing(s.Plain(d), its.Event, series.OfOccurrence) == 0 {
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
	s, repeats, err := series.OfWritten(e)
	if err == nil && repeats {
		p["recurrence"] = recurrenceOf(s)
	}
	return err
}

// rewrite writes an item's rule or a series' time, with whatever else is to be written, and then its exceptions. Each step
// leaves a whole item, so that one that was cut off is found to differ and written again.
func (b *Backend) rewrite(ctx context.Context, m calendar.Mutation, e event, now backend.Item, p patch) (backend.Result, error) {
	want := series.Overlay(now.Event, m.Event, m.Fields)
	if err := p.series(want); err != nil {
		return backend.Result{}, err
	}
	if want.Recurrence == "" {
		p["recurrence"] = nil
	}
	back := now.Event.Recurrence != "" && series.ComesBack(now.Event, want)
	if !back && series.SameRule(now.Event, want) && series.Changing(now.Event, want, calendar.FieldTime) == 0 {
		delete(p, "recurrence") // which would cost the series its exceptions, and mail
	}
	if back && want.Recurrence != "" {
		// What was left out comes back only when the rule is made anew.
		if _, err := b.patch(ctx, m.Mailbox, e.ID, e.ETag, patch{"recurrence": nil}); err != nil {
			return backend.Result{}, err
		}
		e.ETag = ""
	}
	written := e
	if len(p) > 0 {
		var err error
		if written, err = b.patch(ctx, m.Mailbox, e.ID, e.ETag, p); err != nil {
			return backend.Result{}, err
		}
	}
	if want.Recurrence != "" {
		m.Event = want
		if err := b.except(ctx, m, &written); err != nil {
			return backend.Result{}, err
		}
	}
	return b.afterwards(ctx, m, e.ID)
}

// afterwards is a series as a write left it.
func (b *Backend) afterwards(ctx context.Context, m calendar.Mutation, id string) (backend.Result, error) {
	e, err := b.readOne(ctx, m.Mailbox, id)
	if err != nil {
		return backend.Result{}, err
	}
	item, err := b.item(ctx, m.Mailbox, &e)
	return backend.Result{Item: item}, err
}

// follow has the exceptions of a series, whose chosen fields were written, take over what they had in common with it, where the server
// did not see to that.
func (b *Backend) follow(ctx context.Context, m calendar.Mutation, now backend.Item, e *event, chosen calendar.Fields) (backend.Result, error) {
	want := series.Overlay(now.Event, m.Event, chosen)
	want.Exceptions = series.Follow(now.Event, want, chosen)
	m.Event = want
	if err := b.except(ctx, m, e); err != nil {
		return backend.Result{}, err
	}
	return b.afterwards(ctx, m, e.ID)
}

// except brings the occurrences of a series to what m.Event says of them.
func (b *Backend) except(ctx context.Context, m calendar.Mutation, e *event) error {
	made, err := b.fromGraph(m.Mailbox, e)
	if err != nil {
		return err
	}
	if m.Event.AllDay && made.Event.AllDay { // whole days are the same in every zone: it may be in another than asked for
		m.Event.Zone = made.Event.Zone
	}
	s, err := series.Of(m.Event)
	if err != nil {
		return err
	}
	there, days, err := b.instances(ctx, m.Mailbox, e.ID, s)
	if err != nil {
		return err
	}
	wanted := s.ByDay()
	s.Event = made.Event // what an occurrence is by the rule
	var changes []alteration
	for _, d := range days {
		one, ok := there[d]
		switch x := wanted[d]; {
		case x != nil && x.Event == nil && ok:
			err = b.erase(ctx, m.Mailbox, one.id)
		case !ok && (x == nil || x.Event != nil):
			err = fmt.Errorf("an occurrence of a series in the calendar of %s was left out and does not come back: %w", m.Mailbox.Address, fault.Unavailable)
		case x != nil && x.Event != nil:
			changes = append(changes, alteration{one.id, *x.Event})
		case ok && one.exception:
			changes = append(changes, alteration{one.id, s.Plain(d)})
		}
		if err != nil && fault.Of(err) != fault.NotFound {
			return err
		}
	}
	return b.alterAll(ctx, m.Mailbox, changes)
}

// An alteration is what an occurrence is to be.
type alteration struct {
	id   string
	want calendar.Event
}

// alterAll writes occurrences. One that has to wait until its neighbour has moved out of the way is tried again after the others.
func (b *Backend) alterAll(ctx context.Context, m backend.Mailbox, changes []alteration) error {
	for len(changes) > 0 {
		var waiting []alteration
		var why error
		for _, one := range changes {
			err := b.alter(ctx, m, one.id, one.want)
			if refused, ok := errors.AsType[*refusal](err); ok && refused.fault.Code == "ErrorOccurrenceCrossingBoundary" {
				waiting, why = append(waiting, one), err
				continue
			}
			if err != nil && fault.Of(err) != fault.NotFound {
				return err
			}
		}
		if len(waiting) == len(changes) {
			return why
		}
		changes = waiting
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
	todo := series.Changing(now.Event, want, series.OfOccurrence&^now.Omits)
	if e.joinable() {
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
