package exchangesim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// usualDelta is how many entries a page of changes has unless odata.maxpagesize says so.
const usualDelta = 10

// A deltaState is what the opaque token says. The window is part of it, and it belongs to one mailbox of one running server.
type deltaState struct {
	Box          string
	Epoch, Delta int
	Start, End   time.Time
	// During the first pass: Upper is the change up to which it goes, Before the arrival that the next page lies before.
	Upper, Before uint64
	// Afterwards: changes up to At were told.
	At uint64
	// Skip is how many entries of the thing Of were told already; a series has many. A thing that changed meanwhile is told anew.
	Skip int
	Of   uint64
	// Fresh is the state of a link to changes to come, which begins a round.
	Fresh bool
}

// deltaRefused are the options that changes of a calendar view do not know.
var deltaRefused = []string{"select", "expand", "filter", "orderby", "search"}

// delta answers calendarView/delta.
func (g *graphCall) delta() (graphReply, error) {
	for key := range g.query {
		name := strings.ToLower(strings.TrimPrefix(key, "$"))
		switch {
		case slices.Contains(deltaRefused, name):
			return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidUrlQuery",
				"The following parameters are not supported with change tracking over the 'CalendarView' resource: '$orderby, $filter, $select, $expand, $search'.")
		case name == "top":
			return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidUrlQuery",
				"The '$top' parameter is not supported with change tracking over the 'CalendarView' resource as page size cannot be guaranteed. Express page size preferences using the Prefer: odata.maxpagesize= header instead.")
		}
	}
	st, err := g.deltaState()
	if err != nil {
		return graphReply{}, err
	}
	limit := usualDelta
	if g.pageSize > 0 {
		limit = g.pageSize
	}
	entries, next, done := g.deltaPage(st, limit)
	if !g.graphs.quirks.InOrder {
		slices.Reverse(entries)
	}
	next.Fresh = done
	option, link := "$skiptoken", "@odata.nextLink"
	if done {
		option, link = "$deltatoken", "@odata.deltaLink"
	}
	return graphReply{status: http.StatusOK, body: map[string]any{
		"@odata.context": g.base + "/$metadata#Collection(event)", "value": entries,
		link: g.resource() + "?" + plainDollar(nil, map[string]string{option: g.seal(next)}),
	}}, nil
}

// deltaState reads the token, or begins a first pass over the window that is asked for.
func (g *graphCall) deltaState() (deltaState, error) {
	b, epoch := g.box, 0
	if b.graph != nil {
		epoch = b.graph.epoch
	}
	token := g.option("deltatoken")
	if token == "" {
		token = g.option("skiptoken")
	}
	if token == "" {
		w, err := g.queryWindow()
		return deltaState{
			Box: b.guid, Epoch: b.epoch, Delta: epoch, Start: w.start, End: w.end, Upper: b.seq, Before: b.seq + 1,
		}, err
	}
	var st deltaState
	fresh := ""
	if g.unseal(token, &st) {
		fresh = "?" + plainDollar(nil, map[string]string{"startDateTime": st.Start.Format(time.RFC3339), "endDateTime": st.End.Format(time.RFC3339)})
	}
	if st.Box == b.guid && st.Epoch == b.epoch && st.Delta == epoch {
		return st, nil
	}
	const text = "The sync state generation is not found; the client must start over."
	if st.Box == b.guid && st.Delta != epoch {
		switch b.graph.refusal {
		case "notfound":
			return st, graphFail(http.StatusNotFound, "syncStateNotFound", text)
		case "invalid":
			return st, graphFail(http.StatusBadRequest, "syncStateInvalid", "The sync state is invalid.")
		}
	}
	e := graphFail(http.StatusGone, "syncStateNotFound", text)
	e.header = map[string]string{"Location": g.resource() + fresh}
	return st, e
}

// deltaPage returns at most limit entries from a state on.
func (g *graphCall) deltaPage(st deltaState, limit int) (entries []any, next deltaState, done bool) {
	w, f := window{start: st.Start, end: st.End}, g.box.known("calendar")
	entries, next = []any{}, st
	// put adds what fits of the entries of one thing; it reports whether all of it did.
	put := func(of uint64, list []any) bool {
		if next.Of != of {
			next.Of, next.Skip = of, 0
		}
		list = list[min(next.Skip, len(list)):]
		room := limit - len(entries)
		if len(list) > room {
			entries = append(entries, list[:room]...)
			next.Skip += room
			return false
		}
		entries, next.Skip = append(entries, list...), 0
		return true
	}
	if st.Before > 0 {
		for _, it := range slices.Backward(f.items) { // newest first
			if it.arrived >= next.Before || it.arrived > st.Upper {
				continue
			}
			if !put(it.arrived, g.present(it, w)) {
				return entries, next, false
			}
			next.Before = it.arrived
		}
		next.At, next.Upper, next.Before, next.Skip = st.Upper, 0, 0, 0
		return entries, next, true
	}
	changes := f.since(syncState{At: st.At})
	if st.Fresh && len(changes) > 0 {
		for _, it := range f.latest(st.At, g.graphs.quirks.Replay) {
			if list := g.changed(folderChange{item: it}, w); len(list) > 0 && len(entries) < limit {
				entries = append(entries, list[0])
			}
		}
	}
	for _, ch := range changes {
		if !put(ch.at, g.changed(ch, w)) {
			return entries, next, false
		}
		next.At = ch.at
	}
	next.At = g.box.seq
	return entries, next, true
}

// latest are the n items of a folder that changed last up to a change.
func (f *folder) latest(at uint64, n int) []*item {
	var found []*item
	for _, it := range f.items {
		if it.changed <= at {
			found = append(found, it)
		}
	}
	slices.SortFunc(found, func(a, b *item) int { return int(int64(b.changed - a.changed)) })
	return found[:min(n, len(found))]
}

// present are the entries of an item for a client that does not know it: nothing outside the window; a single event; of a series
// the master, its exceptions, and of its occurrences no more than when they are.
func (g *graphCall) present(it *item, w window) []any {
	if it.kind != "CalendarItem" {
		return nil
	}
	views := g.within(it, w)
	if len(views) == 0 {
		return nil
	}
	var list []any
	if it.recurrence != nil {
		if master := g.viewOf(it); g.graphs.quirks.MinimalMasters {
			list = append(list, g.stub(master))
		} else {
			list = append(list, g.whole(master))
		}
	}
	for _, v := range views {
		if v.itemType() == "Occurrence" {
			list = append(list, g.stub(v))
		} else {
			list = append(list, g.whole(v))
		}
	}
	return list
}

func (g *graphCall) whole(v *view) map[string]any {
	e := g.event(v)
	e["@odata.type"] = "#microsoft.graph.event"
	return e
}

// changed are the entries of a change. What changed outside the window is told as removed, known or not.
func (g *graphCall) changed(ch folderChange, w window) []any {
	it := ch.item
	if it == nil {
		return g.buried(ch, w)
	}
	if it.kind != "CalendarItem" {
		return nil
	}
	list := g.present(it, w)
	if len(list) == 0 {
		list = append(list, removed(g.viewOf(it).graphIDOf(g.immutable)))
	}
	shown := map[int]bool{} // by day
	if it.recurrence != nil {
		for _, v := range g.within(it, w) {
			shown[v.day] = true
		}
	}
	return append(list, g.ended(it, it, w, shown)...)
}

// ended are removals of the occurrences that a series has, or had, in a window by its patterns, apart from those of the days shown.
func (g *graphCall) ended(series, it *item, w window, shown map[int]bool) []any {
	if series == nil {
		return nil
	}
	list := g.ended(series.former, it, w, shown)
	if series.recurrence == nil {
		return list
	}
	series.patternTimes(func(s slot) bool {
		v := &view{it: it, start: s.start, end: s.end, index: s.index, day: s.day}
		v.call = g.call
		if w.has(v) && !shown[s.day] {
			shown[s.day] = true
			list = append(list, removed(v.graphIDOf(g.immutable)))
		}
		return s.start.Before(w.end)
	})
	return list
}

// buried are the removals of what left the calendar, unless it came back under the same id.
func (g *graphCall) buried(ch folderChange, w window) []any {
	grave := ch.grave
	if back := g.box.steady[grave.steady]; g.immutable && back != nil && back.folder.distinguished == "calendar" {
		return nil
	}
	e, _ := parseID(grave.id) // made by the server
	it := &item{box: g.box, number: e.number, steady: grave.steady}
	list := []any{removed((&view{it: it}).graphIDOf(g.immutable))}
	return append(list, g.ended(grave.series, it, w, map[int]bool{})...)
}

func removed(id string) map[string]any {
	return map[string]any{"@odata.type": "#microsoft.graph.event", "id": id, "@removed": map[string]any{"reason": "deleted"}}
}
