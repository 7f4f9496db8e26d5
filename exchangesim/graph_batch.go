package exchangesim

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// mostInBatch is how many requests a batch holds; atOnce how many of them are carried out at a time for one mailbox.
const (
	mostInBatch = 20
	atOnce      = 4
)

// operationBatch is what a whole batch is called in Count and Faults.
const operationBatch = "GraphBatch"

// A batchItem is one request of a batch.
type batchItem struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// graphBatch answers $batch. The answers come in no order that means anything: the other way round.
func (s *Server) graphBatch(ctx context.Context, q graphRequest) graphReply {
	s.mu.Lock()
	s.counts[operationBatch]++
	s.mu.Unlock()
	p := s.faults.plan(operationBatch, "")
	if there := s.rest(ctx, p.delay); !s.stopAt(ctx, p.before) || !there || p.cutBefore {
		return graphReply{cut: true}
	}
	if reply, hit := p.graphReply(); hit {
		return reply
	}
	items, err := readBatch(q)
	if err != nil {
		return graphRefusal(err)
	}
	s.mu.Lock()
	s.graphs.inBatches += len(items)
	s.mu.Unlock()
	replies := make([]graphReply, len(items))
	done := map[string]int{} // status by id
	for waiting := len(items); waiting > 0; {
		before := waiting
		var ready []int
		for i, it := range items {
			if _, over := done[it.ID]; !over && !slices.ContainsFunc(it.DependsOn, func(id string) bool { _, over := done[id]; return !over }) {
				ready = append(ready, i)
			}
		}
		s.carryOutBatch(ctx, q, items, replies, ready, done)
		for _, i := range ready {
			done[items[i].ID] = replies[i].status
			waiting--
		}
		if waiting == before {
			return graphRefusal(graphFail(http.StatusBadRequest, "BadRequest", "The requests of the batch depend on each other in a circle."))
		}
	}
	responses := []any{}
	for i, it := range slices.Backward(items) {
		if replies[i].cut {
			return graphReply{cut: true}
		}
		responses = append(responses, replies[i].inBatch(it.ID))
	}
	if there := s.stopAt(ctx, p.after); p.cutAfter || !there {
		return graphReply{cut: true}
	}
	return graphReply{status: http.StatusOK, body: map[string]any{"responses": responses}}
}

// carryOutBatch carries out those requests of a batch that nothing keeps waiting, a few at a time.
func (s *Server) carryOutBatch(ctx context.Context, q graphRequest, items []batchItem, replies []graphReply, ready []int, done map[string]int) {
	var all sync.WaitGroup
	places := map[string]chan struct{}{} // by user
	for _, i := range ready {
		it := items[i]
		if slices.ContainsFunc(it.DependsOn, func(id string) bool { return done[id] >= 400 || done[id] == 0 }) {
			replies[i] = graphRefusal(graphFail(http.StatusFailedDependency, "FailedDependency", "A request that this one depends on failed."))
			continue
		}
		user := it.user()
		if places[user] == nil {
			places[user] = make(chan struct{}, atOnce)
		}
		slots := places[user]
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			replies[i] = s.inBatch(ctx, q, it)
		})
	}
	all.Wait()
}

// user is whom a request is about, as far as its URL says.
func (it batchItem) user() string {
	parts := strings.Split(strings.Trim(it.URL, "/"), "/")
	if len(parts) > 1 && strings.EqualFold(parts[0], "users") {
		return strings.ToLower(parts[1])
	}
	return ""
}

// inBatch carries one request of a batch out.
func (s *Server) inBatch(ctx context.Context, q graphRequest, it batchItem) graphReply {
	path, query, _ := strings.Cut(it.URL, "?")
	one := graphRequest{method: strings.ToUpper(it.Method), header: http.Header{}, base: q.base, who: q.who}
	var err error
	if one.path, err = graphPath(graphRoot + "/" + strings.TrimPrefix(path, "/")); err != nil {
		return graphRefusal(err)
	}
	if one.query, err = url.ParseQuery(query); err != nil {
		return graphRefusal(graphFail(http.StatusBadRequest, "BadRequest", "The query is not well-formed."))
	}
	for name, value := range it.Headers {
		one.header.Set(name, value)
	}
	if len(it.Body) > 0 && string(it.Body) != "null" {
		if !strings.HasPrefix(strings.ToLower(one.header.Get("Content-Type")), "application/json") {
			return graphRefusal(graphFail(http.StatusBadRequest, "BadRequest", "A request of a batch with a body needs the header Content-Type: application/json."))
		}
		one.body = it.Body
	}
	return s.graphDo(ctx, one)
}

// inBatch is a reply as a batch has it.
func (r graphReply) inBatch(id string) map[string]any {
	header := map[string]string{"Cache-Control": "private"}
	for name, value := range r.header {
		header[name] = value
	}
	m := map[string]any{"id": id, "status": r.status, "headers": header}
	if r.body != nil {
		header["Content-Type"] = "application/json; odata.metadata=minimal; odata.streaming=true; IEEE754Compatible=false; charset=utf-8"
		m["body"] = r.body
	}
	return m
}

// readBatch reads a batch: at most 20 requests with ids of their own, that depend on none, on the one before, or all on the same.
func readBatch(q graphRequest) ([]batchItem, error) {
	bad := func(format string, args ...any) error {
		return graphFail(http.StatusBadRequest, "BadRequest", format, args...)
	}
	var in struct {
		Requests []batchItem `json:"requests"`
	}
	if q.method != http.MethodPost {
		return nil, graphFail(http.StatusMethodNotAllowed, "Request_BadRequest", "A batch is posted.")
	}
	if err := json.Unmarshal(q.body, &in); err != nil {
		return nil, bad("Invalid batch payload format.")
	}
	if len(in.Requests) == 0 || len(in.Requests) > mostInBatch {
		return nil, bad("Number of batch request steps must lie between 1 and %d; there are %d.", mostInBatch, len(in.Requests))
	}
	known := map[string]bool{}
	serial, same, depends := true, true, ""
	for i, it := range in.Requests {
		switch {
		case it.ID == "" || known[it.ID]:
			return nil, bad("Every request of a batch needs an id of its own; '%s' is none.", it.ID)
		case it.Method == "" || it.URL == "" || strings.Contains(it.URL, "://") || strings.HasPrefix(strings.ToLower(strings.TrimPrefix(it.URL, "/")), "$batch"):
			return nil, bad("The request '%s' of the batch needs a method and a relative url.", it.ID)
		}
		for _, id := range it.DependsOn {
			if !known[id] && !slices.ContainsFunc(in.Requests, func(o batchItem) bool { return o.ID == id }) {
				return nil, bad("The request '%s' of the batch depends on '%s', which is not there.", it.ID, id)
			}
		}
		serial = serial && (i == 0 && len(it.DependsOn) == 0 || i > 0 && len(it.DependsOn) == 1 && it.DependsOn[0] == in.Requests[i-1].ID)
		if on := strings.Join(it.DependsOn, "\x00"); on != "" {
			same = same && (depends == "" || depends == on)
			depends = on
		}
		known[it.ID] = true
	}
	if depends != "" && !serial && !same {
		return nil, bad("The requests of a batch must depend on none, each on the one before, or all on the same.")
	}
	return in.Requests, nil
}
