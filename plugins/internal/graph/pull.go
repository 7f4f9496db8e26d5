package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// clockSlack is how far an item's time of change may lie before a list was read and still count as later: the clocks of the
// server's machines may differ by that much.
const clockSlack = 5 * time.Second

// manyUnsure is how many items of a page have to be of the kind that may have been marked meanwhile for the list of marked ones
// to be read anew, which takes about two requests, rather than each of them.
const manyUnsure = 2 * maxBatch

// A pull is one Pull under way.
type pull struct {
	*Backend
	m    backend.Mailbox
	at   cursor
	full bool

	// What this very pull has told, and what it knows to be marked. A pull that goes on in another process knows less, and
	// reads more.
	whole     bool              // from the beginning on
	told      map[string]string // items, with the ETag they had
	marked    map[string]bool   // the ids that bore a marker at some time since
	known     time.Time         // when that was found out, by the server's clock
	mentioned map[string]string // in the round, by their reference or as items
}

// Pull implements backend.Backend. From nothing it lists the items that bear a marker, wherever in time they are, and then
// goes through the window by the first round of a delta, which mentions everything else; the deltas of later pulls begin
// there. A delta carries no markers, so what it says has changed is read.
func (b *Backend) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	at, err := b.begin(req)
	if err != nil {
		return err
	}
	p := &pull{
		Backend: b, m: req.Mailbox, at: at, full: req.Since == "", whole: req.Since == "",
		told: map[string]string{}, mentioned: map[string]string{},
	}
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
	case phaseKey:
		changes, err = p.listed(ctx, p.key, phaseForeign)
		return changes, false, err
	case phaseForeign:
		changes, err = p.listed(ctx, p.foreign, phaseRound)
		return changes, false, err
	case phaseRound:
		return p.round(ctx)
	default:
		return p.delta(ctx)
	}
}

// listed reads one page of the items that bear a marker.
func (p *pull) listed(ctx context.Context, by property, then string) ([]backend.Change, error) {
	r := p.searching(p.m, by.there(), "$select", selected, "$expand", p.expand(), "$top", fmt.Sprint(pageSize))
	r.doing = "listing the marked items in the calendar"
	events, next, header, err := p.follow(ctx, r)
	if err != nil {
		return nil, err
	}
	if p.at.Began.IsZero() {
		p.at.Began = serverTime(header, p.now())
	}
	var changes []backend.Change
	for i := range events {
		e := &events[i]
		if e.ID == "" {
			return nil, r.wrap(fmt.Errorf("an item came without its id: %w", fault.Unavailable))
		}
		if etag, told := p.told[e.ID]; told && etag == e.ETag {
			continue // it bears both markers
		}
		item, err := p.item(ctx, p.m, e)
		if err != nil {
			return nil, err
		}
		p.told[e.ID] = e.ETag
		changes = append(changes, item.Change())
	}
	if p.at.Next = next; next == "" {
		p.at = p.at.to(then)
	}
	return changes, nil
}

// follow reads the page at the cursor: the first of r, or the one that its link leads to.
func (p *pull) follow(ctx context.Context, r request) ([]event, string, http.Header, error) {
	if p.at.Next != "" {
		r.target, r.link = "", p.at.Next
	}
	var l list
	header, err := p.do(ctx, r, &l)
	if err != nil {
		return nil, "", nil, expired(err, r.link != "")
	}
	if l.Value == nil {
		return nil, "", nil, r.wrap(errNoList)
	}
	next := ""
	if l.Next != "" {
		if next, err = pathOf(p.m.URL, l.Next); err != nil {
			return nil, "", nil, r.wrap(err)
		}
	}
	return *l.Value, next, header, nil
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

// serverTime is the server's clock as it answered.
func serverTime(h http.Header, otherwise time.Time) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at.UTC()
	}
	return otherwise.UTC().Truncate(time.Second)
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

// round reads one page of the delta's first round.
func (p *pull) round(ctx context.Context) ([]backend.Change, bool, error) {
	if !p.whole && p.marked == nil {
		if err := p.recall(ctx); err != nil {
			return nil, false, err
		}
	}
	r := firstTurn(p.m, p.at.From, p.at.To)
	if p.at.Next != "" {
		r = linked(p.m, p.at.Next)
	}
	entries, link, last, err := p.turn(ctx, r)
	if err != nil {
		return nil, false, err
	}
	changes, err := p.sift(ctx, entries)
	if err != nil {
		return nil, false, err
	}
	if p.at.Next = link; last {
		p.at = p.at.to(phaseDelta)
		p.at.Delta = link
	}
	return changes, last, nil
}

// recall finds out which items bear a marker by now. A pull that was cut off and goes on does not know what was told.
func (p *pull) recall(ctx context.Context) error {
	if p.marked == nil {
		p.marked = map[string]bool{}
	}
	known := time.Time{}
	for _, by := range []property{p.key, p.foreign} {
		r := p.searching(p.m, by.there(), "$select", "id", "$top", "500")
		for pages := 0; ; pages++ {
			var l list
			header, err := p.do(ctx, r, &l)
			if err != nil {
				return err
			}
			if l.Value == nil {
				return r.wrap(errNoList)
			}
			if known.IsZero() {
				known = serverTime(header, p.now())
			}
			for _, e := range *l.Value {
				p.marked[e.ID] = true
			}
			if l.Next == "" {
				break
			}
			if pages >= maxPages {
				return r.wrap(fmt.Errorf("the marked items do not come to an end: %w", fault.Unavailable))
			}
			r.target = ""
			if r.link, err = pathOf(p.m.URL, l.Next); err != nil {
				return r.wrap(err)
			}
		}
	}
	p.known = known
	return nil
}

// sift turns entries of the first round into changes. What was told already is left out; what is marked, or may have been
// marked since the list of marked items was read, is read again; all others are a person's own and told by reference.
func (p *pull) sift(ctx context.Context, entries []event) ([]backend.Change, error) {
	var changes []backend.Change
	var ids, unsure []string
	for _, e := range latest(entries) {
		id, etag := e.subject()
		was, known := p.mentioned[id]
		recent := e.Removed != nil || !e.Modified.IsZero() && e.Modified.After(p.sure())
		if known && (was == etag || etag == "" && !recent) {
			continue
		}
		p.mentioned[id] = etag
		switch tag, told := p.told[id]; {
		case told && (tag == etag || etag == "" && !recent):
		case told, p.marked[id], e.Removed != nil:
			ids = append(ids, id)
		case recent, e.Modified.IsZero():
			unsure = append(unsure, id)
		default:
			changes = append(changes, backend.Change{Ref: backend.Ref(id)})
		}
	}
	if unsure = unique(unsure, ids); len(unsure) > manyUnsure {
		if err := p.recall(ctx); err != nil {
			return nil, err
		}
		for _, id := range unsure {
			if p.marked[id] {
				ids = append(ids, id)
			} else {
				changes = append(changes, backend.Change{Ref: backend.Ref(id)})
			}
		}
		unsure = nil
	}
	read, err := p.changed(ctx, unique(append(ids, unsure...), nil), nil)
	return append(changes, read...), err
}

// sure is the time up to which changes of an item are known to have left it without a marker, unless it is among those marked.
func (p *pull) sure() time.Time {
	if p.known.After(p.at.Began) {
		return p.known.Add(-clockSlack)
	}
	return p.at.Began.Add(-clockSlack)
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

// subject returns the id of the item that an entry is about, which for an occurrence is its series, and that item's ETag
// where the entry says it.
func (e *event) subject() (id, etag string) {
	if e.SeriesMasterID != "" {
		return e.SeriesMasterID, ""
	}
	return e.ID, e.ETag
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
		id, _ := e.subject()
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
			changes = append(changes, backend.Change{Ref: backend.Ref(ids[i]), Deleted: true})
		case e.err != nil:
			return nil, e.err
		case e.SeriesMasterID != "":
			series = append(series, e.SeriesMasterID)
		case e.value(p.key) == "" && e.value(p.foreign) == "":
			changes = append(changes, backend.Change{Ref: backend.Ref(e.ID)})
		default:
			item, err := p.item(ctx, p.m, &e.event)
			if err != nil {
				return nil, err
			}
			changes = append(changes, item.Change())
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
