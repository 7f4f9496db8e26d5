package exchangesim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// usualPage is how many events a page has unless more are asked for, mostPerPage the most it has.
const (
	usualPage   = 10
	mostPerPage = 1000
)

// graphProperties are the names that $select knows.
var graphProperties = []string{
	"id", "changeKey", "createdDateTime", "lastModifiedDateTime", "categories", "transactionId", "iCalUId", "originalStartTimeZone",
	"originalEndTimeZone", "reminderMinutesBeforeStart", "isReminderOn", "hasAttachments", "isDraft", "subject", "bodyPreview", "body",
	"importance", "sensitivity", "showAs", "isAllDay", "isCancelled", "isOrganizer", "responseRequested", "allowNewTimeProposals",
	"hideAttendees", "type", "start", "end", "webLink", "location", "locations", "attendees", "organizer", "responseStatus",
	"isOnlineMeeting", "onlineMeetingProvider", "onlineMeeting", "onlineMeetingUrl", "recurrence", "seriesMasterId", "originalStart",
	"cancelledOccurrences", "exceptionOccurrences", "instances",
}

// A projection is what a request wants to know of events.
type projection struct {
	chosen []string // nil: all
	expansion
}

// option is a query option, with or without the $ and in any case, as Graph takes them.
func (g *graphCall) option(name string) string {
	for key, values := range g.query {
		if strings.EqualFold(strings.TrimPrefix(key, "$"), name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// projection reads $select and $expand.
func (g *graphCall) projection() (p projection, err error) {
	if p.expansion, err = readExpand(g.option("expand")); err != nil {
		return p, err
	}
	text := g.option("select")
	if text == "" || text == "*" {
		return p, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(graphProperties, func(known string) bool { return strings.EqualFold(known, name) })
		if i < 0 {
			return p, graphFail(http.StatusBadRequest, "BadRequest",
				"Parsing OData Select and Expand failed: Could not find a property named '%s' on type 'microsoft.graph.event'.", name)
		}
		p.chosen = append(p.chosen, graphProperties[i])
	}
	return p, nil
}

// show writes an event as far as the request wants to know it.
func (g *graphCall) show(v *view, p projection) map[string]any {
	e := g.event(v)
	if p.chosen != nil {
		for name := range e {
			if !strings.HasPrefix(name, "@odata.") && name != "id" && !slices.Contains(p.chosen, name) {
				delete(e, name)
			}
		}
		if slices.Contains(p.chosen, "cancelledOccurrences") && v.index == 0 && v.it.recurrence != nil {
			e["cancelledOccurrences"] = g.cancelledOccurrences(v)
		}
	}
	g.expand(e, v, p.expansion)
	return e
}

func (g *graphCall) getEvent() (graphReply, error) {
	p, err := g.projection()
	if err != nil {
		return graphReply{}, err
	}
	v, err := g.eventByID(g.ids[0])
	if err != nil {
		return graphReply{}, err
	}
	e := g.show(v, p)
	e["@odata.context"] = g.context("events/$entity")
	return graphReply{status: http.StatusOK, body: e, header: map[string]string{"ETag": etag(v.it)}}, nil
}

// listEvents answers single events and series masters, the newest first.
func (g *graphCall) listEvents() (graphReply, error) {
	var found []*view
	for _, it := range slices.Backward(g.box.known("calendar").items) {
		if it.kind == "CalendarItem" {
			found = append(found, g.viewOf(it))
		}
	}
	return g.list(found, "events")
}

// calendarView answers single events, occurrences and exceptions in a window.
func (g *graphCall) calendarView() (graphReply, error) {
	w, err := g.queryWindow()
	if err != nil {
		return graphReply{}, err
	}
	var found []*view
	for _, it := range g.box.known("calendar").items {
		if it.kind == "CalendarItem" {
			found = append(found, g.within(it, w)...)
		}
	}
	slices.SortStableFunc(found, func(a, b *view) int { return a.start.Compare(b.start) })
	return g.list(found, "calendarView")
}

// has reports whether a view touches a window.
func (w window) has(v *view) bool {
	if v.start.Equal(v.end) {
		return !v.start.Before(w.start) && v.start.Before(w.end)
	}
	return v.start.Before(w.end) && v.end.After(w.start)
}

// within are an item, or the occurrences of a series, as far as they touch a window.
func (g *graphCall) within(it *item, w window) []*view {
	if it.recurrence == nil {
		if v := g.viewOf(it); w.has(v) {
			return []*view{v}
		}
		return nil
	}
	var found []*view
	ahead := len(it.changes) // exceptions may have been moved into the window from behind it
	g.occurrences(it, func(v *view) bool {
		if w.has(v) {
			found = append(found, v)
		}
		if v.exception {
			ahead--
		}
		return v.original.Before(w.end) || ahead > 0
	})
	return found
}

// instances answers the occurrences and exceptions of a series in a window.
func (g *graphCall) instances() (graphReply, error) {
	v, err := g.eventByID(g.ids[0])
	if err != nil {
		return graphReply{}, err
	}
	w, err := g.queryWindow()
	if err != nil {
		return graphReply{}, err
	}
	if v.index > 0 || v.it.recurrence == nil {
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidRequest", "Only a series master has instances.")
	}
	return g.list(g.within(v.it, w), "events")
}

// list answers one page of events, after filter and order.
func (g *graphCall) list(found []*view, collection string) (graphReply, error) {
	fits, err := readFilter(g.option("filter"))
	if err != nil {
		return graphReply{}, err
	}
	p, err := g.projection()
	if err != nil {
		return graphReply{}, err
	}
	found = slices.DeleteFunc(found, func(v *view) bool { return !fits(v) })
	if err := g.order(found); err != nil {
		return graphReply{}, err
	}
	skip, err := g.number("skip", 0)
	if err != nil {
		return graphReply{}, err
	}
	top, err := g.number("top", usualPage)
	if err != nil {
		return graphReply{}, err
	}
	if top == 0 || top > mostPerPage {
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidUrlQuery", "The value of $top must lie between 1 and %d.", mostPerPage)
	}
	if g.pageSize > 0 && (g.option("top") == "" || g.pageSize < top) {
		top = g.pageSize
	}
	body := map[string]any{"@odata.context": g.context(collection)}
	if g.option("count") == "true" {
		body["@odata.count"] = len(found)
	}
	page := found[min(skip, len(found)):min(skip+top, len(found))]
	value := []any{}
	for _, v := range page {
		value = append(value, g.show(v, p))
	}
	body["value"] = value
	if skip+top < len(found) {
		body["@odata.nextLink"] = g.link(map[string]string{"$skip": strconv.Itoa(skip + top)})
	}
	return graphReply{status: http.StatusOK, body: body}, nil
}

// number reads a query option that counts.
func (g *graphCall) number(name string, usual int) (int, error) {
	text := g.option(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, graphFail(http.StatusBadRequest, "ErrorInvalidUrlQuery", "'%s' is not a valid value of $%s.", text, name)
	}
	return n, nil
}

// order sorts by $orderby.
func (g *graphCall) order(found []*view) error {
	text := strings.TrimSpace(g.option("orderby"))
	if text == "" {
		return nil
	}
	name, direction, _ := strings.Cut(text, " ")
	sign := 1
	if strings.EqualFold(strings.TrimSpace(direction), "desc") {
		sign = -1
	}
	name = strings.ToLower(name)
	at, isTime := filterTimes[name]
	word, isText := filterTexts[name]
	switch {
	case isTime:
		slices.SortStableFunc(found, func(a, b *view) int { return sign * at(a).Compare(at(b)) })
	case isText:
		slices.SortStableFunc(found, func(a, b *view) int { return sign * strings.Compare(word(a), word(b)) })
	default:
		return graphFail(http.StatusBadRequest, "ErrorInvalidProperty", "The property '%s' does not support sorting.", name)
	}
	return nil
}

// link is the URL of the request with some options replaced.
func (g *graphCall) link(change map[string]string) string {
	q := url.Values{}
	for name, values := range g.query {
		if _, changed := change[name]; !changed {
			q[name] = values
		}
	}
	return g.resource() + "?" + plainDollar(q, change)
}

// resource is the URL of the request without options.
func (g *graphCall) resource() string {
	parts := make([]string, len(g.path))
	for i, p := range g.path {
		parts[i] = url.PathEscape(p)
	}
	return g.base + "/" + strings.Join(parts, "/")
}

// plainDollar encodes options with the $ as it is, as Graph's links have it.
func plainDollar(q url.Values, more map[string]string) string {
	if q == nil {
		q = url.Values{}
	}
	for name, value := range more {
		q.Set(name, value)
	}
	return strings.ReplaceAll(q.Encode(), "%24", "$")
}

// getCalendar answers the default calendar.
func (g *graphCall) getCalendar() (graphReply, error) {
	f, o := g.box.known("calendar"), g.box.owner
	e, _ := parseID(f.id)
	return graphReply{status: http.StatusOK, body: map[string]any{
		"@odata.context": g.context("calendar/$entity"),
		"id":             graphID(e, g.immutable), "name": f.name, "changeKey": changeKey(0x02, f.key), "color": "auto", "hexColor": "",
		"isDefaultCalendar": true, "canEdit": true, "canShare": true, "canViewPrivateItems": true, "isRemovable": false, "isTallyingResponses": true,
		"allowedOnlineMeetingProviders": []string{"teamsForBusiness"}, "defaultOnlineMeetingProvider": "teamsForBusiness",
		"owner": map[string]any{"name": o.Name, "address": o.Address},
	}}, nil
}
