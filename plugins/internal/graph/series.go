package graph

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/zones"
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
	joinable  bool // of an exception that was read: its text says how to join an online meeting
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
			to[d] = instance{id: one.ID, exception: one.Type == "exception"}
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

// occurring is where the occurrences of a series are, for the days of the rule that are looked at.
type occurring struct {
	there map[time.Time]instance
	days  []time.Time
}

// covers reports whether the days of all exceptions are among those that were looked at.
func (o occurring) covers(exceptions map[time.Time]*calendar.OccurrenceException) bool {
	if len(o.days) == 0 {
		return false
	}
	last := o.days[len(o.days)-1]
	for d := range exceptions {
		if d.After(last) {
			return false
		}
	}
	return true
}

// withSeries adds rule and exceptions to the item of a series. A rule that no RRULE says is omitted.
func (b *Backend) withSeries(ctx context.Context, m backend.Mailbox, e *event, item backend.Item) (backend.Item, error) {
	item, _, err := b.seriesOf(ctx, m, e, item)
	return item, err
}

// seriesOf is withSeries, and says where the occurrences are.
func (b *Backend) seriesOf(ctx context.Context, m backend.Mailbox, e *event, item backend.Item) (backend.Item, occurring, error) {
	if !e.ruled(&item) {
		return item, occurring{}, nil
	}
	s, err := series.Of(item.Event)
	if err != nil {
		return item, occurring{}, err
	}
	there, days, err := b.instances(ctx, m, e.ID, s)
	at := occurring{there, days}
	if err != nil {
		return item, at, err
	}
	var ids []string
	for _, d := range days {
		if one, ok := there[d]; ok && one.exception {
			ids = append(ids, one.id)
		}
	}
	got, err := b.read(ctx, m, ids)
	if err != nil {
		return item, at, err
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
				return item, at, fmt.Errorf("%s: %w", got[i].err.Error(), fault.Unavailable)
			}
			its, err := b.fromGraph(m, &got[i].event)
			if err != nil {
				return item, at, err
			}
			one.joinable = got[i].joinable()
			there[d] = one
			if series.Changing(s.Plain(d), its.Event, series.OfOccurrence) == 0 {
				continue // somebody put it back
			}
			x.Event = &its.Event
		}
		item.Event.Exceptions = append(item.Event.Exceptions, x)
	}
	return item, at, nil
}

// zoned reports whether the zone in which a series counts is one that we know, or UTC.
func (e *event) zoned() bool {
	if e.OriginalStartTimeZone == "" {
		return true
	}
	_, err := zones.Location(e.OriginalStartTimeZone)
	return err == nil
}

// ruled sets the rule of a series; false if it is omitted.
func (e *event) ruled(to *backend.Item) bool {
	said := false
	if e.Recurrence != nil && (e.AllDay || e.zoned()) {
		to.Event.Recurrence, said = e.Recurrence.ruleOf(to.Event)
	}
	if !said {
		to.Event.Recurrence = ""
		to.Omits |= calendar.FieldRecurrence
	}
	return said
}

// series adds the rule of an event to what is written of it, and checks its exceptions.
func (p patch) series(e calendar.Event) error {
	s, repeats, err := series.OfWritten(e)
	if err == nil && repeats {
		p["recurrence"] = recurrenceOf(s)
	}
	return err
}

// rewrite writes an item's rule or a series' time, with whatever else is to be written of the series. It reports whether anything was.
// Each step leaves a whole item, so that one that was cut off is found to differ and written again.
func (b *Backend) rewrite(ctx context.Context, m calendar.Mutation, w writing, p patch) (bool, error) {
	now, want, etag := w.now.Event, w.want, w.e.ETag
	if err := p.series(want); err != nil {
		return false, err
	}
	if want.Recurrence == "" {
		p["recurrence"] = nil
	}
	back := now.Recurrence != "" && series.ComesBack(now, want)
	same := series.SameRule(now, want) && series.Changing(now, want, calendar.FieldTime) == 0
	switch {
	case !same: // which brings back by itself what was left out
	case !back:
		delete(p, "recurrence") // which would cost the series its exceptions, and mail
	case want.Recurrence != "":
		// What was left out comes back only when the rule is made anew. Each of the two writes mails.
		if _, err := b.patch(ctx, m.Mailbox, w.e.ID, etag, patch{"recurrence": nil}); err != nil {
			return false, err
		}
		etag = ""
	}
	if len(p) == 0 {
		return false, nil
	}
	_, err := b.patch(ctx, m.Mailbox, w.e.ID, etag, p)
	return err == nil, err
}

// updateSeries writes p of a series, with its rule and its time, and then its exceptions and, if nobody was invited so far, its guests.
func (b *Backend) updateSeries(ctx context.Context, m calendar.Mutation, w writing, p patch) (backend.Result, error) {
	changed, err := b.rewrite(ctx, m, w, p)
	switch {
	case err != nil:
		return backend.Result{}, err
	case changed:
		return b.written(ctx, m, w)
	}
	item, err := b.rest(ctx, m, w)
	return backend.Result{Item: item}, err
}

// written writes what is left to be written of a series when it was written itself.
func (b *Backend) written(ctx context.Context, m calendar.Mutation, w writing) (backend.Result, error) {
	now, err := b.series(ctx, m.Mailbox, w.e.ID)
	if err != nil {
		return backend.Result{}, err
	}
	if series.Uninvited(w.now.Event, w.want) && len(now.now.Event.Attendees) > 0 {
		return backend.Result{}, series.InvitedMeanwhile(m.Mailbox)
	}
	now.want = w.want
	item, err := b.rest(ctx, m, now)
	return backend.Result{Item: item}, err
}

// rest writes exceptions and guests.
func (b *Backend) rest(ctx context.Context, m calendar.Mutation, w writing) (backend.Item, error) {
	if w.want.Recurrence == "" {
		return w.now, nil
	}
	if series.Uninvited(w.now.Event, w.want) {
		return b.invite(ctx, m, w)
	}
	item, _, err := b.except(ctx, m.Mailbox, w)
	return item, err
}

// complete writes what a create of a series leaves to be written.
func (b *Backend) complete(ctx context.Context, m calendar.Mutation, w writing) (backend.Item, error) {
	if series.Uninvited(w.now.Event, w.want) && unfinished(m, w.now) {
		return b.invite(ctx, m, w)
	}
	item, _, err := b.except(ctx, m.Mailbox, w)
	return item, err
}
