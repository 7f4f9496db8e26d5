package exchangesim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// graphRoot is where Graph's resources begin.
const graphRoot = "/v1.0"

// longestGraphBody bounds the body of a request to Graph.
const longestGraphBody = 4 << 20

// A graphRequest is one request to Graph: one of HTTP, or one of those in a batch.
type graphRequest struct {
	method string
	path   []string // unescaped segments below graphRoot
	query  url.Values
	header http.Header
	body   []byte
	base   string // scheme://host/v1.0, for links
	who    principal
}

// A graphReply is what is answered.
type graphReply struct {
	status int
	header map[string]string
	body   any  // JSON; nil: none
	cut    bool // a fault cuts the connection instead
}

// A graphCall is one request on its way through an operation.
type graphCall struct {
	*call
	graphRequest
	operation graphOperation
	user      string   // as the request names it
	box       *mailbox // of the user, or nil
	ids       []string // of the path, after the user
	immutable bool     // Prefer: IdType="ImmutableId"
	plainText bool     // Prefer: outlook.body-content-type="text"
	zoneName  string   // Prefer: outlook.timezone, as it was sent
	zone      *time.Location
	pageSize  int // Prefer: odata.maxpagesize; 0 without
	applied   []string
}

// A graphOperation answers one kind of request. It runs with the server's lock held unless it is free.
type graphOperation struct {
	name  string   // for Count and Faults, such as GraphCreateEvent
	roles []string // of which the app needs one
	free  bool
	run   func(*graphCall) (graphReply, error)
}

var (
	calendarReaders = []string{"Calendars.Read", "Calendars.ReadWrite"}
	calendarWriters = []string{"Calendars.ReadWrite"}
	userReaders     = []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
)

// graphRoutes are the operations by method and path; {} is a user, {id} the id of something.
func graphRoutes() map[string]graphOperation {
	table := map[string]graphOperation{
		"GET users/{}/events":                         {"GraphListEvents", calendarReaders, false, (*graphCall).listEvents},
		"POST users/{}/events":                        {"GraphCreateEvent", calendarWriters, false, (*graphCall).createEvent},
		"GET users/{}/events/{id}":                    {"GraphGetEvent", calendarReaders, false, (*graphCall).getEvent},
		"PATCH users/{}/events/{id}":                  {"GraphUpdateEvent", calendarWriters, false, (*graphCall).updateEvent},
		"DELETE users/{}/events/{id}":                 {"GraphDeleteEvent", calendarWriters, false, (*graphCall).deleteEvent},
		"GET users/{}/events/{id}/instances":          {"GraphInstances", calendarReaders, false, (*graphCall).instances},
		"POST users/{}/events/{id}/cancel":            {"GraphCancelEvent", calendarWriters, false, (*graphCall).cancelEvent},
		"POST users/{}/events/{id}/accept":            {"GraphAcceptEvent", calendarWriters, false, (*graphCall).acceptEvent},
		"POST users/{}/events/{id}/decline":           {"GraphDeclineEvent", calendarWriters, false, (*graphCall).declineEvent},
		"POST users/{}/events/{id}/tentativelyaccept": {"GraphTentativelyAcceptEvent", calendarWriters, false, (*graphCall).tentativelyAcceptEvent},
		"GET users/{}/calendar":                       {"GraphGetCalendar", calendarReaders, false, (*graphCall).getCalendar},
		"GET users/{}/calendarview":                   {"GraphCalendarView", calendarReaders, false, (*graphCall).calendarView},
		"GET users/{}/calendarview/delta":             {"GraphDelta", calendarReaders, false, (*graphCall).delta},
		"POST users/{}/calendar/getschedule":          {"GraphGetSchedule", calendarReaders, false, (*graphCall).getSchedule},
		"POST users/{}/translateexchangeids":          {"GraphTranslateIds", userReaders, false, (*graphCall).translateIDs},
		"GET subscriptions":                           {"GraphListSubscriptions", nil, false, (*graphCall).listSubscriptions},
		"POST subscriptions":                          {"GraphCreateSubscription", nil, true, (*graphCall).createSubscription},
		"GET subscriptions/{id}":                      {"GraphGetSubscription", nil, false, (*graphCall).getSubscription},
		"PATCH subscriptions/{id}":                    {"GraphUpdateSubscription", nil, true, (*graphCall).updateSubscription},
		"DELETE subscriptions/{id}":                   {"GraphDeleteSubscription", nil, false, (*graphCall).deleteSubscription},
		"POST subscriptions/{id}/reauthorize":         {"GraphReauthorize", nil, false, (*graphCall).reauthorize},
		"GET users/{}/calendar/events":                {"GraphListEvents", calendarReaders, false, (*graphCall).listEvents},
		"POST users/{}/calendar/events":               {"GraphCreateEvent", calendarWriters, false, (*graphCall).createEvent},
		"GET users/{}/calendar/calendarview":          {"GraphCalendarView", calendarReaders, false, (*graphCall).calendarView},
		"GET users/{}/calendar/events/{id}":           {"GraphGetEvent", calendarReaders, false, (*graphCall).getEvent},
		"PATCH users/{}/calendar/events/{id}":         {"GraphUpdateEvent", calendarWriters, false, (*graphCall).updateEvent},
		"DELETE users/{}/calendar/events/{id}":        {"GraphDeleteEvent", calendarWriters, false, (*graphCall).deleteEvent},
		"GET users/{}/calendarview/delta()":           {"GraphDelta", calendarReaders, false, (*graphCall).delta},
		"POST users/{}/calendar/getschedule()":        {"GraphGetSchedule", calendarReaders, false, (*graphCall).getSchedule},
		"GET users/{}/calendar/calendarview/delta":    {"GraphDelta", calendarReaders, false, (*graphCall).delta},
		"GET users/{}/mailfolders/inbox/messages":     {"GraphListMessages", mailReaders, false, (*graphCall).listMessages},
		"GET groups":                        {"GraphListGroups", nil, false, (*graphCall).listGroups},
		"GET groups/{id}/transitivemembers": {"GraphTransitiveMembers", nil, false, (*graphCall).transitiveMembers},
	}
	return table
}

// serveGraph answers requests to Graph.
func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request) {
	markAnswer(w, r)
	w.Header().Del("X-FEServer")
	if id := r.Header.Get("client-request-id"); id != "" {
		w.Header().Set("client-request-id", id)
	} else {
		w.Header().Set("client-request-id", w.Header().Get("request-id"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestGraphBody))
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			s.writeGraph(w, r, body, graphRefusal(graphFail(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is longer than %d bytes.", tooBig.Limit)))
		}
		return // else the client went away
	}
	who, refused := s.bearer(r, serviceGraph)
	if refused != nil {
		s.writeGraph(w, r, body, refused.graphReply())
		return
	}
	q := graphRequest{method: r.Method, query: r.URL.Query(), header: r.Header, body: body, base: graphBase(r), who: who}
	reply := graphReply{}
	if q.path, err = graphPath(r.URL.EscapedPath()); err != nil {
		reply = graphRefusal(err)
	} else if len(q.path) == 1 && strings.EqualFold(q.path[0], "$batch") {
		reply = s.graphBatch(r.Context(), q)
	} else {
		reply = s.graphDo(r.Context(), q)
	}
	if reply.cut {
		s.recorder.record("Graph", body, nil)
		panic(http.ErrAbortHandler)
	}
	s.writeGraph(w, r, body, reply)
}

func graphBase(r *http.Request) string {
	if r.TLS == nil {
		return "http://" + r.Host + graphRoot
	}
	return "https://" + r.Host + graphRoot
}

// graphPath splits an escaped path below graphRoot.
func graphPath(escaped string) ([]string, error) {
	rest, ok := strings.CutPrefix(escaped, graphRoot+"/")
	if !ok {
		return nil, graphFail(http.StatusBadRequest, "BadRequest", "Invalid version: only v1.0 is served.")
	}
	var segments []string
	for part := range strings.SplitSeq(strings.Trim(rest, "/"), "/") {
		text, err := url.PathUnescape(part)
		if err != nil {
			return nil, graphFail(http.StatusBadRequest, "BadRequest", "The path is not well-formed.")
		}
		segments = append(segments, text)
	}
	return segments, nil
}

// writeGraph writes a reply; an error gets the innerError that Graph's have.
func (s *Server) writeGraph(w http.ResponseWriter, r *http.Request, request []byte, reply graphReply) {
	for name, value := range reply.header {
		w.Header().Set(name, value)
	}
	var raw []byte
	if reply.body != nil {
		if e, ok := reply.body.(map[string]any); ok && reply.status >= 400 {
			if inner, ok := e["error"].(map[string]any); ok {
				inner["innerError"] = map[string]any{
					"date":       s.now().UTC().Format("2006-01-02T15:04:05"),
					"request-id": w.Header().Get("request-id"), "client-request-id": w.Header().Get("client-request-id"),
				}
			}
		}
		raw, _ = json.Marshal(reply.body) // maps of plain data always can be marshalled
		w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	}
	s.recorder.record("Graph"+r.Method, request, raw)
	w.Header().Set("Cache-Control", "private")
	w.WriteHeader(reply.status)
	_, _ = w.Write(raw) // the client went away
}

// choose finds the operation for a request, and the names in its path.
func (g *graphCall) choose() error {
	var pattern []string
	for i, segment := range g.path {
		switch {
		case i == 1 && pattern[0] == "users":
			g.user = segment
			pattern = append(pattern, "{}")
		case i > 0 && slices.Contains([]string{"events", "subscriptions", "groups"}, pattern[i-1]):
			g.ids = append(g.ids, segment)
			pattern = append(pattern, "{id}")
		default:
			pattern = append(pattern, strings.ToLower(segment))
		}
	}
	path := strings.Join(pattern, "/")
	routes := g.graphs.routes
	op, ok := routes[g.method+" "+path]
	if ok {
		g.operation = op
		return nil
	}
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		if _, ok := routes[method+" "+path]; ok {
			return graphFail(http.StatusMethodNotAllowed, "Request_BadRequest", "The method %s is not allowed for this resource.", g.method)
		}
	}
	last := ""
	if len(g.path) > 0 {
		last = g.path[len(g.path)-1]
	}
	return graphFail(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '%s'.", last)
}

// preferences reads the Prefer headers.
func (g *graphCall) preferences() error {
	g.zoneName, g.zone = "UTC", time.UTC
	for _, line := range g.header.Values("Prefer") {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "idtype":
				g.immutable = strings.EqualFold(value, "ImmutableId")
			case "outlook.timezone":
				_, loc, ok := anyZone(value)
				if !ok {
					return unknownZone(value)
				}
				g.zoneName, g.zone = value, loc
			case "outlook.body-content-type":
				g.plainText = strings.EqualFold(value, "text")
			case "odata.maxpagesize":
				n, err := strconv.Atoi(value)
				if err != nil || n < 1 {
					return graphFail(http.StatusBadRequest, "ErrorInvalidUrlQuery", "odata.maxpagesize must be a positive number.")
				}
				g.pageSize = min(n, mostPerPage)
			default:
				continue
			}
			g.applied = append(g.applied, strings.TrimSpace(part))
		}
	}
	return nil
}

// graphDo carries out one request under the faults programmed for it.
func (s *Server) graphDo(ctx context.Context, q graphRequest) graphReply {
	g := &graphCall{graphRequest: q, call: &call{Server: s, name: "Graph", zoneID: "UTC", now: s.now(), edition: online, app: &q.who}}
	if err := g.choose(); err != nil {
		return graphRefusal(err)
	}
	if err := g.preferences(); err != nil {
		return graphRefusal(err)
	}
	leave, err := g.enter()
	if err != nil {
		return graphRefusal(err)
	}
	defer leave()
	p := s.faults.plan(g.operation.name, g.address())
	there := s.rest(ctx, s.opts.Latency+p.delay)
	if !s.stopAt(ctx, p.before) || !there || p.cutBefore {
		return graphReply{cut: true}
	}
	if reply, hit := p.graphReply(); hit {
		return reply
	}
	reply := g.finish()
	if there := s.stopAt(ctx, p.after); p.cutAfter || !there {
		return graphReply{cut: true}
	}
	return reply
}

// enter finds the user, checks the app's rights and takes one of the app's few places at the mailbox; leave gives it back.
func (g *graphCall) enter() (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts[g.operation.name]++
	if g.user == "" {
		return func() {}, nil
	}
	if err := g.findUser(); err != nil {
		return nil, err
	}
	return g.admit()
}

// findUser finds the mailbox of the user that the path names, and checks that the app may open it.
func (g *graphCall) findUser() error {
	b := g.userBox(g.user)
	if b == nil || !g.who.owns(b) {
		if strings.Contains(g.user, "@") {
			return graphFail(http.StatusNotFound, "ErrorInvalidUser", "The requested user '%s' is invalid.", g.user)
		}
		return graphFail(http.StatusNotFound, "Request_ResourceNotFound",
			"Resource '%s' does not exist or one of its queried reference-property objects are not present.", g.user)
	}
	if !b.owner.at(online) {
		return graphFail(http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
	}
	if roles := g.operation.roles; roles != nil && !slices.ContainsFunc(roles, func(r string) bool { return g.who.may(r, b) }) {
		return accessDenied()
	}
	g.box, g.caller, g.actor = b, b.owner, b.owner
	return nil
}

// userBox is the mailbox of a user by address or object id, or nil. Who has lost it keeps the entry in the directory.
func (s *Server) userBox(user string) *mailbox {
	if b := s.byID[strings.ToLower(user)]; b != nil {
		return b
	}
	return s.find(user)
}

// address is that of the mailbox for which faults are programmed.
func (g *graphCall) address() string {
	switch {
	case g.box != nil:
		return g.box.owner.Address
	case g.operation.name == "GraphCreateSubscription":
		var in wantedSubscription
		_ = json.Unmarshal(g.body, &in) // what it is is seen later
		return batchItem{URL: in.Resource}.user()
	}
	return g.user
}

// finish runs the operation.
func (g *graphCall) finish() graphReply {
	reply, err := g.run()
	if err != nil {
		return graphRefusal(err)
	}
	if len(g.applied) > 0 && reply.status < 300 {
		if reply.header == nil {
			reply.header = map[string]string{}
		}
		reply.header["Preference-Applied"] = strings.Join(g.applied, ", ")
	}
	return reply
}

func (g *graphCall) run() (graphReply, error) {
	if !g.operation.free {
		g.mu.Lock()
		defer g.mu.Unlock()
	}
	return g.operation.run(g)
}

// context is the @odata.context of a collection or a thing of a user.
func (g *graphCall) context(rest string) string {
	return fmt.Sprintf("%s/$metadata#users('%s')/%s", g.base, url.PathEscape(g.user), rest)
}
