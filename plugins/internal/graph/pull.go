package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A pull is one Pull under way.
type pull struct {
	*Backend
	m    backend.Mailbox
	at   cursor
	full bool

	// What this very pull knows. One that goes on in another process knows less, and reads more.
	marked    map[string]bool   // ids of items that the lists are to hold, as the round began or went on; nil: not known
	told      map[string]string // items that were read, with the ETag they had
	mentioned map[string]bool   // by their reference
}

// Pull implements backend.Backend. From nothing it goes through the window by the first round of a delta, which mentions a
// person's own items by their reference, and then lists the items that bear a marker, wherever in time they are. The deltas of
// later pulls go on from that round. A delta carries no markers, so what it says has changed is read. With Everything the
// round only tells where the deltas begin, and all items are listed after it.
func (b *Backend) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	at, err := b.begin(req)
	if err != nil {
		return err
	}
	p := &pull{Backend: b, m: req.Mailbox, at: at, full: req.Since == "", told: map[string]string{}, mentioned: map[string]bool{}}
	for range maxPages {
		changes, last, err := p.step(ctx)
		if fault.Of(err) == fault.StateExpired && p.full {
			// There is no cursor to begin anew from: saying so would have the host try without end.
			return fmt.Errorf("%s, though none was given: %w", err.Error(), fault.Unavailable)
		}
		if err != nil {
			return err
		}
		err = emit(backend.Page{Changes: changes, Next: p.at.encode(), Full: p.full, Last: last})
		if err != nil || last {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return fmt.Errorf("the changes in the calendar of %s do not come to an end: %w", req.Mailbox.Address, fault.Unavailable)
}

// step reads one page and moves the cursor behind it.
func (p *pull) step(ctx context.Context) (changes []backend.Change, last bool, err error) {
	switch p.at.Phase {
	case phaseRound:
		changes, err = p.round(ctx)
		return changes, false, err
	case phaseKey:
		changes, _, err = p.listed(ctx, p.key.there(), phaseForeign)
		return changes, false, err
	case phaseForeign, phaseAll:
		filter := p.foreign.there()
		if p.at.Phase == phaseAll {
			filter = ""
		}
		changes, over, err := p.listed(ctx, filter, phaseDelta)
		if err != nil || !over {
			return changes, false, err
		}
		rest, err := p.skipped(ctx)
		return append(changes, rest...), true, err
	default:
		return p.delta(ctx)
	}
}

// round reads one page of the delta's first round. It leaves out what bears a marker: that is listed afterwards.
func (p *pull) round(ctx context.Context) ([]backend.Change, error) {
	if p.marked == nil && p.at.All {
		p.marked = map[string]bool{}
	} else if p.marked == nil {
		if err := p.recall(ctx); err != nil {
			return nil, err
		}
	}
	r := firstTurn(p.m, p.at.From, p.at.To)
	if p.at.Next != "" {
		r = linked(p.m, p.at.Next)
	}
	entries, link, last, err := p.turn(ctx, r)
	if err != nil {
		return nil, err
	}
	var changes []backend.Change
	for _, e := range entries {
		id := e.subject()
		switch {
		case id == "" || e.Removed != nil: // of what is removed already the next delta tells
		case p.at.All:
			p.marked[id] = true
		case !p.marked[id] && !p.mentioned[id]:
			p.mentioned[id] = true
			changes = append(changes, backend.Change{Ref: backend.Ref(id)})
		}
	}
	if p.at.Next = link; last {
		p.at.Phase, p.at.Next, p.at.Delta = phaseKey, "", link
		if p.at.All {
			p.at.Phase = phaseAll
		}
	}
	return changes, nil
}

// recall finds out which items bear a marker.
func (p *pull) recall(ctx context.Context) error {
	marked := map[string]bool{}
	for _, by := range []property{p.key, p.foreign} {
		r := p.searching(p.m, by.there(), "$select", "id", "$top", "500")
		for pages := 0; ; pages++ {
			events, next, err := p.page(ctx, r)
			if err != nil {
				return err
			}
			for _, e := range events {
				marked[e.ID] = true
			}
			if next == "" {
				break
			}
			if pages >= maxPages {
				return r.wrap(fmt.Errorf("the marked items do not come to an end: %w", fault.Unavailable))
			}
			r.target, r.link = "", next
		}
	}
	p.marked = marked
	return nil
}

// listed reads one page of the items that a filter lets through; over is set on the last.
func (p *pull) listed(ctx context.Context, filter, then string) (changes []backend.Change, over bool, err error) {
	r := p.searching(p.m, filter, "$select", selected, "$expand", p.expand(), "$top", fmt.Sprint(pageSize))
	r.doing = "listing the items in the calendar"
	events, next, err := p.follow(ctx, r)
	if err != nil {
		return nil, false, err
	}
	for i := range events {
		e := &events[i]
		if e.ID == "" {
			return nil, false, r.wrap(fmt.Errorf("an item came without its id: %w", fault.Unavailable))
		}
		if etag, told := p.told[e.ID]; told && etag == e.ETag {
			continue // it bears both markers
		}
		item, err := p.item(ctx, p.m, e)
		if err != nil {
			return nil, false, err
		}
		p.told[e.ID] = e.ETag
		p.at.Beyond = p.at.Beyond || !item.Event.Start.Before(p.at.To)
		changes = append(changes, p.change(item))
	}
	if p.at.Next = next; next == "" {
		p.at.Phase = then
	}
	return changes, next == "", nil
}

// change is what is told of an item: all of it where everything is asked for.
func (p *pull) change(item backend.Item) backend.Change {
	if p.at.All {
		return backend.Change{Ref: item.Ref, Item: &item}
	}
	return item.Change()
}

// skipped reads what bore a marker as the round began and was not in the lists: pages shift when items before them go, and what
// went itself, perhaps before the round, is asked for in the calendar, for an id leads to Deleted Items as well.
func (p *pull) skipped(ctx context.Context) ([]backend.Change, error) {
	var ids []string
	unlisted := map[string]bool{}
	for id := range p.marked {
		if _, told := p.told[id]; !told {
			ids, unlisted[id] = append(ids, id), true
		}
	}
	slices.Sort(ids)
	return p.changed(ctx, ids, unlisted)
}

// follow reads the page at the cursor: the first of r, or the one that its link leads to.
func (p *pull) follow(ctx context.Context, r request) ([]event, string, error) {
	if p.at.Next != "" {
		r.target, r.link = "", p.at.Next
	}
	events, next, err := p.page(ctx, r)
	return events, next, expired(err, r.link != "")
}

// expired makes StateExpired of what a server answers to a link that it no longer takes: 410, or 400 in so many words. A
// page of some proxy says neither.
func expired(err error, linked bool) error {
	r, ok := errors.AsType[*refusal](err)
	if ok && linked && (r.status == http.StatusGone || r.status == http.StatusBadRequest && r.coded) {
		return r.as(fault.StateExpired)
	}
	return err
}

// turn asks for one page of a delta; where the round ends, link is where the next begins and last is set.
func (b *Backend) turn(ctx context.Context, r request) (entries []event, link string, last bool, err error) {
	var l list
	r.prefer = preferItems + fmt.Sprintf(`, odata.maxpagesize=%d`, roundSize)
	if _, err := b.do(ctx, r, &l); err != nil {
		return nil, "", false, expired(err, r.link != "")
	}
	return l.turned(r)
}

// turned checks one page of a delta.
func (l list) turned(r request) (entries []event, link string, last bool, err error) {
	if l.Value == nil {
		return nil, "", false, r.wrap(errNoList)
	}
	if link = l.Next; link == "" {
		link, last = l.Delta, true
	}
	if link == "" {
		return nil, "", false, r.wrap(fmt.Errorf("a page of changes leads neither on nor to an end: %w", fault.Unavailable))
	}
	if link, err = pathOf(r.mailbox.URL, link); err != nil {
		return nil, "", false, r.wrap(err)
	}
	return *l.Value, link, last, nil
}

// firstTurn is the request that begins a delta's first round.
func firstTurn(m backend.Mailbox, from, to time.Time) request {
	return request{
		mailbox: m, doing: "reading the changes in the calendar", method: http.MethodGet, ok: http.StatusOK,
		target: user(m) + "/calendarView/delta" + query("startDateTime", from.Format(time.RFC3339), "endDateTime", to.Format(time.RFC3339)),
	}
}

// linked is the request that follows a link of a delta.
func linked(m backend.Mailbox, link string) request {
	return request{mailbox: m, doing: "reading the changes in the calendar", method: http.MethodGet, ok: http.StatusOK, link: link}
}

// latest returns entries without those that the same page repeats later.
func latest(entries []event) []event {
	at := make(map[string]int, len(entries))
	for i, e := range entries {
		at[e.ID] = i
	}
	out := make([]event, 0, len(at))
	for i, e := range entries {
		if e.ID != "" && at[e.ID] == i {
			out = append(out, e)
		}
	}
	return out
}

// subject returns the id of the item that an entry is about, which for an occurrence is its series.
func (e *event) subject() string {
	if e.SeriesMasterID != "" {
		return e.SeriesMasterID
	}
	return e.ID
}

// delta reads one page of what changed since the last round.
func (p *pull) delta(ctx context.Context) ([]backend.Change, bool, error) {
	link := p.at.Next
	if link == "" {
		link = p.at.Delta
	}
	entries, next, last, err := p.turn(ctx, linked(p.m, link))
	if err != nil {
		return nil, false, err
	}
	var ids []string
	removed := map[string]bool{}
	seen := map[string]bool{}
	for _, e := range latest(entries) {
		id := e.subject()
		if e.Removed != nil {
			removed[id] = true
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	changes, err := p.changed(ctx, ids, removed)
	if err != nil {
		return nil, false, err
	}
	if p.at.Next = next; last {
		p.at.Next, p.at.Delta = "", next
	}
	return changes, last, nil
}

// changed reads items that a delta named. One is deleted if the server says that there is none, or if the delta removed it
// and the calendar does not have it; an item that has left the window is removed as well, and still there.
func (p *pull) changed(ctx context.Context, ids []string, removed map[string]bool) ([]backend.Change, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	got, err := p.read(ctx, p.m, ids)
	if err != nil {
		return nil, err
	}
	if err := p.removed(ctx, got, ids, removed); err != nil {
		return nil, err
	}
	changes := make([]backend.Change, 0, len(ids))
	var series []string // of occurrences that were named without it
	for i := range got {
		switch e := &got[i]; {
		case fault.Of(e.err) == fault.NotFound:
			delete(p.told, ids[i])
			changes = append(changes, backend.Change{Ref: backend.Ref(ids[i]), Deleted: true})
		case e.err != nil:
			return nil, e.err
		case e.SeriesMasterID != "":
			series = append(series, e.SeriesMasterID)
		case !p.at.All && e.value(p.key) == "" && e.value(p.foreign) == "":
			changes = append(changes, backend.Change{Ref: backend.Ref(e.ID)})
		case e.Type == "seriesMaster" && e.ETag != "" && p.told[e.ID] == e.ETag:
			// It was read for an occurrence on an earlier page, and has not changed since.
		default:
			item, err := p.item(ctx, p.m, &e.event)
			if err != nil {
				return nil, err
			}
			if item.Kind == calendar.Master {
				p.told[e.ID] = e.ETag
			}
			changes = append(changes, p.change(item))
		}
	}
	if series = unique(series, ids); len(series) == 0 || removed == nil {
		return changes, nil // a series has no series of its own
	}
	more, err := p.changed(ctx, series, nil)
	return append(changes, more...), err
}

// removed looks in the calendar for those that the delta removed and that can be read all the same.
func (p *pull) removed(ctx context.Context, got []reading, ids []string, removed map[string]bool) error {
	var some []reading
	var at []int
	for i := range got {
		if got[i].err == nil && removed[ids[i]] {
			some, at = append(some, got[i]), append(at, i)
		}
	}
	err := p.inCalendar(ctx, p.m, some)
	for i := range some {
		got[at[i]].err = some[i].err
	}
	return err
}

// unique returns ids without repetitions and without those in known.
func unique(ids, known []string) []string {
	seen := map[string]bool{}
	for _, id := range known {
		seen[id] = true
	}
	var out []string
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
