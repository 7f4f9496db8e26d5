// Package graph is a backend that reaches calendars in Exchange Online over Microsoft Graph (v1.0), by plain HTTP against
// the dozen resources that a calendar needs.
//
// It keeps no state. Items are found by the marker that they bear, which is the same named property as over EWS, and a
// create carries a transactionId that is derived from the item's key, so that a write whose outcome was lost can be
// repeated. What Graph cannot do, above all be silent about a meeting's changes, is fault.Unsupported and not done.
package graph

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// pageSize is how many events one request for items asks for, and roundSize one of a delta, whose entries are told by
// their reference.
const (
	pageSize  = 100
	roundSize = 200
)

// maxPages bounds a pull: no calendar has a million items, so a server that goes on is going round in circles.
const maxPages = 4096

// A Backend serves the mailboxes of one sync mode. It implements backend.Backend, backend.Pusher, backend.Watcher,
// backend.Finder, backend.Complete, backend.Responder and backend.DriftChecker.
type Backend struct {
	client
	key      property
	foreign  property
	zone     property // see ownZone
	back     time.Duration
	ahead    time.Duration
	lifetime time.Duration
	now      func() time.Time
}

var (
	_ backend.Backend   = (*Backend)(nil)
	_ backend.Pusher    = (*Backend)(nil)
	_ backend.Watcher   = (*Backend)(nil)
	_ backend.Finder    = (*Backend)(nil)
	_ backend.Complete  = (*Backend)(nil)
	_ backend.Responder = (*Backend)(nil)
	_ backend.Answers   = (*Backend)(nil)

	_ backend.DriftChecker  = (*Backend)(nil)
	_ backend.FreeBusy      = (*Backend)(nil)
	_ backend.GroupExpander = (*Backend)(nil)
)

// New returns a backend that works with env's client and markers. version is the product's, for the User-Agent header.
func New(s Settings, env backend.Env, version string) (*Backend, error) {
	b := &Backend{
		client: client{http: env.HTTP, userAgent: "Roomwire/" + version, log: env.Log, lanes: newLanes()},
		now:    time.Now,
	}
	var err error
	if b.key, err = propertyOf(env.Markers.Key); err != nil {
		return nil, err
	}
	if b.foreign, err = propertyOf(env.Markers.Foreign); err != nil {
		return nil, err
	}
	if b.key.is(b.foreign) {
		return nil, fmt.Errorf("both markers are property %q: %w", b.key.name, fault.Invalid)
	}
	b.zone = property{set: b.key.set, name: zoneProperty}
	if err := b.configure(s); err != nil {
		return nil, err
	}
	return b, nil
}

// Probe implements backend.Backend: it opens the calendar.
func (b *Backend) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	if err := b.openCalendar(ctx, m); err != nil {
		return backend.Status{}, err
	}
	_, to := b.window()
	return backend.Status{Server: "Microsoft Graph", Horizon: to}, nil
}

func (b *Backend) openCalendar(ctx context.Context, m backend.Mailbox) error {
	var got struct {
		ID string `json:"id"`
	}
	r := request{
		mailbox: m, doing: "opening the calendar", method: http.MethodGet, target: user(m) + "/calendar" + query("$select", "id,name"),
		ok: http.StatusOK,
	}
	if _, err := b.do(ctx, r, &got); err != nil {
		return err
	}
	if got.ID == "" {
		return r.wrap(fmt.Errorf("the answer is no calendar: %w", fault.Unavailable))
	}
	return nil
}

// Fetch implements backend.Backend. An item that is in another folder than the calendar, Deleted Items for one, is not found,
// although Graph reads it: its immutable id goes with it.
func (b *Backend) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	ids := make([]string, len(refs))
	for i, ref := range refs {
		ids[i] = string(ref)
	}
	got, err := b.read(ctx, m, ids)
	if err != nil {
		return nil, err
	}
	if err := b.inCalendar(ctx, m, got); err != nil {
		return nil, err
	}
	return b.itemsOf(ctx, m, got)
}

// A reading is an event as it was read by its id, or why it was not.
type reading struct {
	event
	err error
}

// read gets events by id, in order, with their markers. Its error is that of the whole. That an item is not there counts only
// if the calendar can be opened: the server says the same of each item in a mailbox that it cannot reach.
func (b *Backend) read(ctx context.Context, m backend.Mailbox, ids []string) ([]reading, error) {
	out := make([]reading, len(ids))
	parts := make([]*part, 0, len(ids))
	var at []int
	for i, id := range ids {
		r := b.reading(m, id)
		if strings.Trim(id, ".") == "" { // which is a path of its own
			out[i].err = r.wrap(fmt.Errorf("%q is no id: %w", id, fault.Invalid))
			continue
		}
		parts, at = append(parts, &part{request: r}), append(at, i)
	}
	if len(parts) == 1 {
		one := &out[at[0]]
		if _, one.err = b.do(ctx, parts[0].request, &one.event); one.err != nil && !ofItemAlone(one.err) {
			return nil, one.err
		}
	} else if len(parts) > 1 {
		if err := b.gather(ctx, m, parts); err != nil {
			return nil, err
		}
		for i, p := range parts {
			one := &out[at[i]]
			if one.err = p.result(&one.event); one.err != nil && !ofItemAlone(one.err) {
				return nil, one.err
			}
		}
	}
	for i := range out {
		if out[i].err == nil && out[i].ID == "" {
			return nil, fmt.Errorf("reading the calendar of %s: an item came without its id: %w", m.Address, fault.Unavailable)
		}
	}
	if slices.ContainsFunc(out, func(r reading) bool { return fault.Of(r.err) == fault.NotFound }) {
		if err := b.openCalendar(ctx, m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// reading is the request for one event.
func (b *Backend) reading(m backend.Mailbox, id string) request {
	return request{
		mailbox: m, doing: "reading an item in the calendar", method: http.MethodGet,
		target: eventPath(m, id) + query("$select", selected, "$expand", b.expand()), prefer: preferItems, ok: http.StatusOK,
		item: true,
	}
}

// ofItemAlone reports whether an error says something of the one item that was asked for.
func ofItemAlone(err error) bool {
	k := fault.Of(err)
	return k == fault.NotFound || k == fault.Invalid
}

// readOne gets one event by its id.
func (b *Backend) readOne(ctx context.Context, m backend.Mailbox, id string) (event, error) {
	got, err := b.read(ctx, m, []string{id})
	if err != nil {
		return event{}, err
	}
	return got[0].event, got[0].err
}

// inCalendar makes those that were read and are not in the calendar fault.NotFound. Two answers of the calendar have to say so:
// that it has none of this UID with this id, and that none is shown when it begins.
func (b *Backend) inCalendar(ctx context.Context, m backend.Mailbox, got []reading) error {
	var some []*reading
	for i := range got {
		// An occurrence is where its series is.
		if e := &got[i]; e.err == nil && e.ICalUID != "" && e.SeriesMasterID == "" && e.Start != nil {
			some = append(some, e)
		}
	}
	missing, err := b.unseen(ctx, m, some, func(e *event) request {
		return b.searching(m, "iCalUId eq "+quoted(e.ICalUID), "$select", "id", "$top", "50")
	})
	if err != nil {
		return err
	}
	missing, err = b.unseen(ctx, m, missing, func(e *event) request {
		start, _ := e.Start.moment()
		about := time.Minute
		if e.AllDay { // a date of a zone that may lie anywhere
			about = day
		}
		r := b.searching(m, "")
		r.target = user(m) + "/calendarView" + query("startDateTime", start.Add(-about).Format(time.RFC3339),
			"endDateTime", start.Add(about).Format(time.RFC3339), "$select", "id,seriesMasterId", "$top", "100")
		return r
	})
	for _, e := range missing {
		e.err = fmt.Errorf("the item is not in the calendar of %s any more: %w", m.Address, fault.NotFound)
	}
	return err
}

// unseen returns those that a list does not have, nor may have on another page.
func (b *Backend) unseen(ctx context.Context, m backend.Mailbox, some []*reading, ask func(*event) request) ([]*reading, error) {
	parts := make([]*part, len(some))
	for i, e := range some {
		parts[i] = &part{request: ask(&e.event)}
	}
	if len(parts) == 0 {
		return nil, nil
	}
	if err := b.gather(ctx, m, parts); err != nil {
		return nil, err
	}
	var missing []*reading
	for i, p := range parts {
		var l list
		if err := p.result(&l); err != nil {
			return nil, err
		}
		if l.Value == nil {
			return nil, p.wrap(errNoList)
		}
		there := func(e event) bool { return e.ID == some[i].ID || e.SeriesMasterID == some[i].ID }
		if l.Next == "" && !slices.ContainsFunc(*l.Value, there) {
			missing = append(missing, some[i])
		}
	}
	return missing, nil
}

// searching is the request for the first page of the calendar's events that a filter lets through, or of all without one.
func (b *Backend) searching(m backend.Mailbox, filter string, options ...string) request {
	if filter != "" {
		options = append([]string{"$filter", filter}, options...)
	}
	return request{
		mailbox: m, doing: "searching the calendar", method: http.MethodGet,
		target: user(m) + "/events" + query(options...), prefer: preferItems, ok: http.StatusOK,
	}
}

var errNoList = fmt.Errorf("the answer holds no list: %w", fault.Unavailable)

// search returns all events of the calendar that a filter lets through, those that were created first in front: a copy that
// somebody made bears the same marker.
func (b *Backend) search(ctx context.Context, m backend.Mailbox, filter string) ([]reading, error) {
	r := b.searching(m, filter, "$select", selected, "$expand", b.expand(), "$top", fmt.Sprint(pageSize))
	var out []reading
	for range maxPages {
		l, next, err := b.page(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, e := range l {
			if e.ID == "" {
				return nil, r.wrap(fmt.Errorf("an item came without its id: %w", fault.Unavailable))
			}
			out = append(out, reading{event: e})
		}
		if next == "" {
			slices.SortStableFunc(out, func(a, b reading) int {
				return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
			})
			return out, nil
		}
		r.target, r.link = "", next
	}
	return nil, r.wrap(fmt.Errorf("the items found do not come to an end: %w", fault.Unavailable))
}

// page reads one page of a list, and the path of the next.
func (b *Backend) page(ctx context.Context, r request) ([]event, string, error) {
	var l list
	if _, err := b.do(ctx, r, &l); err != nil {
		return nil, "", err
	}
	if l.Value == nil {
		return nil, "", r.wrap(errNoList)
	}
	if l.Next == "" {
		return *l.Value, "", nil
	}
	next, err := pathOf(r.mailbox.URL, l.Next)
	if err != nil {
		return nil, "", r.wrap(err)
	}
	return *l.Value, next, nil
}

// Find implements backend.Finder.
func (b *Backend) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	if value == "" {
		return nil, fmt.Errorf("a search for an empty marker would find every calendar item: %w", fault.Invalid)
	}
	filter, mark := "", func(backend.Item) string { return "" }
	switch by {
	case backend.OurKey:
		filter, mark = b.key.equals(value), func(i backend.Item) string { return i.Key }
	case backend.ForeignKey:
		filter, mark = b.foreign.equals(value), func(i backend.Item) string { return i.ForeignKey }
	case backend.ByUID:
		filter, mark = "iCalUId eq "+quoted(value), func(i backend.Item) string { return i.Event.UID }
	default:
		return nil, fmt.Errorf("a search by mark %d: %w", by, fault.Unsupported)
	}
	got, err := b.search(ctx, m, filter)
	if err != nil {
		return nil, err
	}
	// The server compares without regard to case.
	got = slices.DeleteFunc(got, func(r reading) bool { return mark(b.marked(&r.event)) != value })
	fetched, err := b.itemsOf(ctx, m, got)
	if err != nil {
		return nil, err
	}
	out := make([]backend.Item, 0, len(fetched))
	for _, f := range fetched {
		if f.Err != nil {
			return nil, f.Err
		}
		out = append(out, f.Item)
	}
	return out, nil
}

// itemsOf maps what was read.
func (b *Backend) itemsOf(ctx context.Context, m backend.Mailbox, got []reading) ([]backend.Fetched, error) {
	out := make([]backend.Fetched, len(got))
	for i := range got {
		if out[i].Err = got[i].err; out[i].Err != nil {
			continue
		}
		item, err := b.item(ctx, m, &got[i].event)
		if err != nil {
			return nil, err
		}
		out[i].Item = item
	}
	return out, nil
}

// item maps an event; of a series it reads the exceptions, too.
func (b *Backend) item(ctx context.Context, m backend.Mailbox, e *event) (calendar.Item, error) {
	item, err := b.fromGraph(m, e)
	if err != nil || item.Kind != calendar.Master {
		return item, err
	}
	return b.withSeries(ctx, m, e, item)
}
