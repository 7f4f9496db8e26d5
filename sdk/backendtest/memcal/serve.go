package memcal

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is how much of a request's body is read.
const maxBody = 1 << 20

// A refusal is an answer that is no success; its error is what the body says.
type refusal struct {
	status int
	Error  string `json:"error"`
}

// A deletion is what is told of an item that is gone.
type deletion struct {
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}

type changes struct {
	Changes []any  `json:"changes"`
	Next    string `json:"next"`
	More    bool   `json:"more"`
}

// A handler answers a request to a calendar; it is called with the server's lock held.
type handler func(c *calendar, r *http.Request, body []byte) (status int, answer any)

func (s *Server) routes() {
	for pattern, h := range map[string]handler{
		"GET /calendars/{address}":               s.about,
		"GET /calendars/{address}/changes":       s.changes,
		"GET /calendars/{address}/items":         s.find,
		"POST /calendars/{address}/items":        s.create,
		"GET /calendars/{address}/items/{id}":    s.read,
		"PUT /calendars/{address}/items/{id}":    s.put,
		"PATCH /calendars/{address}/items/{id}":  s.update,
		"DELETE /calendars/{address}/items/{id}": s.delete,
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, h) })
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refused := s.admit(w.Header(), r.Header.Get("Authorization")); refused != nil {
		write(w, refused.status, refused)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// admit counts a request and says why it is not answered, if so.
func (s *Server) admit(h http.Header, authorization string) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.fail.left > 0 {
		s.fail.left--
		if s.fail.after > 0 {
			h.Set("Retry-After", strconv.Itoa(int((s.fail.after+time.Second-1)/time.Second)))
		}
		return &refusal{s.fail.status, "asked_to_fail"}
	}
	if token, ok := strings.CutPrefix(authorization, "Bearer "); len(s.tokens) > 0 && !(ok && slices.Contains(s.tokens, token)) {
		h.Set("WWW-Authenticate", `Bearer realm="memcal"`)
		return &refusal{http.StatusUnauthorized, "token_required"}
	}
	return nil
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, h handler) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refused := &refusal{http.StatusBadRequest, "body_not_read"}
		write(w, refused.status, refused)
		return
	}
	status, answer, lost := s.carryOut(r, body, h)
	if lost {
		panic(http.ErrAbortHandler) // ends the connection
	}
	if it, ok := answer.(Item); ok {
		w.Header().Set("ETag", it.ETag)
	}
	write(w, status, answer)
}

func (s *Server) carryOut(r *http.Request, body []byte, h handler) (status int, answer any, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calendars[strings.ToLower(r.PathValue("address"))]
	if c == nil {
		return http.StatusNotFound, refusal{Error: "no_calendar"}, false
	}
	status, answer = h(c, r, body)
	if r.Method != http.MethodGet && s.lose > 0 {
		s.lose--
		lost = true
	}
	return status, answer, lost
}

func write(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // whoever went away wants no answer
}

func (s *Server) about(_ *calendar, r *http.Request, _ []byte) (int, any) {
	return http.StatusOK, map[string]string{"address": strings.ToLower(r.PathValue("address"))}
}

func (s *Server) changes(c *calendar, r *http.Request, _ []byte) (int, any) {
	since, err := c.parseToken(r.FormValue("since"))
	if err != nil {
		return http.StatusGone, refusal{Error: "gone"}
	}
	limit := MaxPage
	if v := r.FormValue("limit"); v != "" && v != "0" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 {
			return http.StatusBadRequest, refusal{Error: "limit_not_understood"}
		}
	}
	var later []*entry
	for _, e := range c.items {
		if e.changed > since && (!e.deleted || r.FormValue("since") != "") {
			later = append(later, e)
		}
	}
	slices.SortFunc(later, func(a, b *entry) int { return cmp.Compare(a.changed, b.changed) })
	out := changes{Changes: []any{}, Next: token(c.clock)}
	if limit = min(limit, MaxPage); len(later) > limit {
		later = later[:limit]
		out.More, out.Next = true, token(later[limit-1].changed)
	}
	for _, e := range later {
		if e.deleted {
			out.Changes = append(out.Changes, deletion{e.ID, true})
		} else {
			out.Changes = append(out.Changes, e.Item) // its map is replaced, never written to
		}
	}
	return http.StatusOK, out
}

func token(clock int) string { return fmt.Sprintf("t%d", clock) }

// parseToken returns the change that a token was made after.
func (c *calendar) parseToken(t string) (int, error) {
	if t == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(t, "t"))
	if err != nil || token(n) != t || n < c.known || n > c.clock {
		return 0, errors.New("not a token of this calendar")
	}
	return n, nil
}

func (s *Server) find(c *calendar, r *http.Request, _ []byte) (int, any) {
	property, value := r.FormValue("property"), r.FormValue("value")
	if property == "" || value == "" {
		return http.StatusBadRequest, refusal{Error: "property_and_value_required"}
	}
	items := c.search(func(it Item) bool { return it.Properties[property] == value })
	return http.StatusOK, map[string][]Item{"items": items}
}

func (s *Server) create(c *calendar, _ *http.Request, body []byte) (int, any) {
	return s.write(c, Item{}, body, http.StatusCreated)
}

func (s *Server) read(c *calendar, r *http.Request, _ []byte) (int, any) {
	if e := c.item(r.PathValue("id")); e != nil {
		return http.StatusOK, e.Item
	}
	return http.StatusNotFound, refusal{Error: "no_item"}
}

// put makes an item of the id that its writer chose, or replaces it.
func (s *Server) put(c *calendar, r *http.Request, body []byte) (int, any) {
	it := Item{ID: r.PathValue("id")}
	switch there := c.item(it.ID) != nil; {
	case there && r.Header.Get("If-None-Match") == "*":
		return http.StatusPreconditionFailed, refusal{Error: "there_already"}
	case there:
		if _, refused := c.matching(r); refused != nil {
			return refused.status, refused
		}
		return s.write(c, it, body, http.StatusOK)
	case r.Header.Get("If-Match") != "":
		return http.StatusPreconditionFailed, refusal{Error: "changed_meanwhile"}
	}
	return s.write(c, it, body, http.StatusCreated)
}

func (s *Server) update(c *calendar, r *http.Request, body []byte) (int, any) {
	e, refused := c.matching(r)
	if refused != nil {
		return refused.status, refused
	}
	return s.write(c, e.Item, body, http.StatusOK)
}

func (s *Server) delete(c *calendar, r *http.Request, _ []byte) (int, any) {
	e, refused := c.matching(r)
	if refused != nil {
		return refused.status, refused
	}
	c.remove(e.ID)
	return http.StatusOK, deletion{e.ID, true}
}

// matching returns the item that a write is about, if it is still the one that the writer knows.
func (c *calendar) matching(r *http.Request) (*entry, *refusal) {
	e := c.item(r.PathValue("id"))
	if e == nil {
		return nil, &refusal{http.StatusNotFound, "no_item"}
	}
	if known := r.Header.Get("If-Match"); known != "" && known != "*" && known != e.ETag {
		return nil, &refusal{http.StatusPreconditionFailed, "changed_meanwhile"}
	}
	return e, nil
}

// write stores it with what body says of it.
func (s *Server) write(c *calendar, it Item, body []byte, status int) (int, any) {
	id := it.ID
	it.Properties = maps.Clone(it.Properties) // decoding adds to the map that it finds
	if err := json.Unmarshal(body, &it); err != nil {
		return http.StatusBadRequest, refusal{Error: "not_an_item"}
	}
	it.ID = id
	if it.Start.IsZero() || it.End.Before(it.Start) {
		return http.StatusUnprocessableEntity, refusal{Error: "impossible_times"}
	}
	it.Start, it.End = it.Start.UTC(), it.End.UTC()
	return status, s.store(c, it)
}
