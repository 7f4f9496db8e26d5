package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A writing is a series whose occurrences are to be written.
type writing struct {
	e    *event
	now  backend.Item // with its exceptions
	at   occurring    // nothing: it is still to be asked where the occurrences are
	want calendar.Event
}

// except brings the occurrences of a series to what is wanted, as far as they differ. It returns the series as that leaves it, going by
// what the server answered, and whether anything was written.
func (b *Backend) except(ctx context.Context, m backend.Mailbox, w writing) (backend.Item, bool, error) {
	changes, err := b.differing(ctx, m, &w)
	if err != nil || len(changes) == 0 {
		return w.now, false, err
	}
	if err := b.alterAll(ctx, m, changes); err != nil {
		return w.now, true, err
	}
	e, err := b.readOne(ctx, m, w.e.ID)
	if err != nil {
		return w.now, true, err
	}
	item, err := b.fromGraph(m, &e)
	if err != nil || !e.ruled(&item) || !series.SameRule(item.Event, w.now.Event) || series.Changing(item.Event, w.now.Event, calendar.FieldTime) != 0 {
		item, err = b.item(ctx, m, &e) // somebody else changes it as well
		return item, true, err
	}
	s, err := series.Of(item.Event)
	if err != nil {
		return item, true, err
	}
	is := s
	is.Exceptions = w.now.Event.Exceptions
	have := is.ByDay()
	for _, c := range changes {
		x := &calendar.OccurrenceException{Occurrence: s.On(c.day)}
		if c.made != nil {
			its, err := b.fromGraph(m, c.made)
			if err != nil {
				return item, true, err
			}
			if t, err := timesOf(c.from); err == nil && t.mark != "" {
				its.Event.Zone = c.from.Zone
			}
			x.Event = &its.Event
		}
		have[c.day] = x
	}
	for _, d := range w.at.days {
		if x := have[d]; x != nil && (x.Event == nil || series.Changing(s.Plain(d), *x.Event, series.OfOccurrence) != 0) {
			item.Event.Exceptions = append(item.Event.Exceptions, *x)
		}
	}
	return item, true, nil
}

// An alteration is what is to become of an occurrence.
type alteration struct {
	day  time.Time
	id   string
	what patch          // nil: it is left out
	from calendar.Event // what has its times, in a zone that the answer does not tell
	made *event         // as the server answered
}

// differing returns what is to be written of the occurrences of a series.
func (b *Backend) differing(ctx context.Context, m backend.Mailbox, w *writing) ([]*alteration, error) {
	want := w.want
	if want.AllDay && w.now.Event.AllDay { // whole days are the same in every zone: it may be in another than asked for
		want.Zone = w.now.Event.Zone
	}
	s, err := series.Of(want)
	if err != nil {
		return nil, err
	}
	is, err := series.Of(w.now.Event)
	if err != nil {
		return nil, err
	}
	have, wanted := is.ByDay(), s.ByDay()
	unread := w.at.days == nil
	if !w.at.covers(wanted) {
		before := w.at.there
		if w.at.there, w.at.days, err = b.instances(ctx, m, w.e.ID, s); err != nil {
			return nil, err
		}
		for d, one := range w.at.there {
			one.joinable = before[d].joinable
			w.at.there[d] = one
		}
	}
	var gone, changes []*alteration
	for _, d := range w.at.days {
		one, ok := w.at.there[d]
		h, x := have[d], wanted[d]
		switch {
		case x != nil && x.Event == nil:
			if ok {
				gone = append(gone, &alteration{day: d, id: one.id})
			}
			continue
		case !ok:
			return nil, fmt.Errorf("an occurrence of a series in the calendar of %s was left out and does not come back: %w", m.Address, fault.Unavailable)
		case x == nil && h == nil:
			continue
		}
		from, to := is.Plain(d), is.Plain(d)
		if h != nil && h.Event != nil {
			from = *h.Event
		}
		if x != nil {
			to = *x.Event
		}
		todo := series.Changing(from, to, series.OfOccurrence)
		if todo.Has(calendar.FieldBody) && unread && one.exception {
			e, err := b.readOne(ctx, m, one.id)
			if err != nil {
				return nil, err
			}
			one.joinable = e.joinable()
		}
		if one.joinable || w.e.joinable() {
			todo &^= calendar.FieldBody
		}
		if todo == 0 {
			continue
		}
		p, err := b.toGraph(to, todo, from)
		if err != nil {
			return nil, err
		}
		if todo.Has(calendar.FieldTime) {
			from = to
		}
		changes = append(changes, &alteration{day: d, id: one.id, what: p, from: from})
	}
	return append(gone, changes...), nil
}

// request is the request that makes an alteration.
func (c *alteration) request(m backend.Mailbox) request {
	r := request{
		mailbox: m, doing: "changing an occurrence in the calendar", method: http.MethodPatch, target: eventPath(m, c.id), prefer: preferItems,
		body: c.what, ok: http.StatusOK, item: true,
	}
	if c.what == nil {
		r.doing, r.method, r.body, r.ok = "deleting an occurrence in the calendar", http.MethodDelete, nil, http.StatusNoContent
	}
	return r
}

// alterAll writes occurrences, one after the other: they lie in the one item that their series is. One that has to wait until its
// neighbour has moved out of the way is tried again after the others.
func (b *Backend) alterAll(ctx context.Context, m backend.Mailbox, changes []*alteration) error {
	for len(changes) > 0 {
		var waiting []*alteration
		var why error
		for rest := changes; len(rest) > 0; {
			some := rest[:min(len(rest), maxBatch)]
			parts := make([]*part, len(some))
			for i, c := range some {
				parts[i] = &part{request: c.request(m)}
			}
			if err := b.inOrder(ctx, m, parts); err != nil {
				return err
			}
			n := 0
			for n < len(parts) && !parts[n].notDone() {
				err := some[n].answered(parts[n])
				if refused, ok := errors.AsType[*refusal](err); ok && refused.fault.Code == "ErrorOccurrenceCrossingBoundary" {
					waiting, why, err = append(waiting, some[n]), err, nil
				}
				if err != nil {
					return err
				}
				n++
			}
			if n == 0 {
				return parts[0].wrap(fmt.Errorf("a batch was answered as if its first part waited for another: %w", fault.Unavailable))
			}
			rest = rest[n:]
		}
		if len(waiting) == len(changes) {
			return why
		}
		changes = waiting
	}
	return nil
}

// answered takes the answer to an alteration. An occurrence that is gone meanwhile is nobody's to change.
func (c *alteration) answered(p *part) error {
	if c.what == nil {
		if err := p.result(nil); fault.Of(err) != fault.NotFound {
			return err
		}
		return nil
	}
	var e event
	err := p.result(&e)
	if err == nil && e.ID == "" {
		return p.wrap(fmt.Errorf("the answer holds no event: %w", fault.Unavailable))
	}
	if err == nil {
		c.made = &e
	}
	if fault.Of(err) == fault.NotFound {
		return nil
	}
	return err
}

// series reads a series with its exceptions, and where they are.
func (b *Backend) series(ctx context.Context, m backend.Mailbox, id string) (writing, error) {
	e, err := b.readOne(ctx, m, id)
	if err != nil {
		return writing{}, err
	}
	return b.writingOf(ctx, m, &e)
}

// writingOf returns an event that was read with its exceptions, if it is a series.
func (b *Backend) writingOf(ctx context.Context, m backend.Mailbox, e *event) (writing, error) {
	w := writing{e: e}
	var err error
	if w.now, err = b.fromGraph(m, e); err == nil && w.now.Kind == calendar.Master {
		w.now, w.at, err = b.seriesOf(ctx, m, e, w.now)
	}
	return w, err
}

// writingFor is writingOf for an update: the exceptions of a series, which cost requests of their own, are those that the caller has read
// at the same revision. Where the occurrences are is asked when some are to be written.
func (b *Backend) writingFor(ctx context.Context, m calendar.Mutation, e *event) (writing, error) {
	w := writing{e: e}
	if m.Known == nil || m.Known.Recurrence == "" || m.IfRevision == "" || e.revision() != m.IfRevision {
		return b.writingOf(ctx, m.Mailbox, e)
	}
	var err error
	if w.now, err = b.fromGraph(m.Mailbox, e); err == nil && w.now.Kind == calendar.Master && e.ruled(&w.now) {
		w.now.Event.Exceptions = m.Known.Exceptions
	}
	return w, err
}

// invite writes the exceptions of a series to which nobody is invited yet, then its guests, who get one invitation that has all of it,
// and then the guests of single occurrences who are others, or whom the server has not added there. Whatever it is cut off from is found
// lacking. The foreign marker comes with the guests: an item that has it was sent, so that its guests are missing because somebody took
// them off.
func (b *Backend) invite(ctx context.Context, m calendar.Mutation, w writing) (backend.Item, error) {
	early := w
	early.want = series.Early(w.now.Event, w.want, false)
	alone, _, err := b.except(ctx, m.Mailbox, early)
	if err != nil {
		return w.now, err
	}
	if len(alone.Event.Attendees) > 0 {
		return w.now, series.InvitedMeanwhile(m.Mailbox)
	}
	etag := w.e.ETag // the list of guests is written as a whole: nobody may have come into it
	if etag != "" {
		etag = alone.Revision
	}
	p, err := b.toGraph(w.want, series.Guests, w.now.Event)
	if err != nil {
		return w.now, err
	}
	if m.ForeignKey != "" && w.now.ForeignKey == "" {
		p.mark(b.foreign, m.ForeignKey)
	}
	if _, err := b.patch(ctx, m.Mailbox, w.e.ID, etag, p); err != nil {
		return w.now, err
	}
	sent, err := b.series(ctx, m.Mailbox, w.e.ID)
	if err != nil {
		return w.now, err
	}
	sent.want = w.want
	item, _, err := b.except(ctx, m.Mailbox, sent)
	return item, err
}

// unfinished reports whether an item lacks the marker that goes with the invitation: what a create was cut off from.
func unfinished(m calendar.Mutation, now backend.Item) bool {
	return m.ForeignKey == "" || now.ForeignKey == ""
}
