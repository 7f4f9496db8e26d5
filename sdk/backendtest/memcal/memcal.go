// Package memcal is a small calendar server in memory: what authors of a first backend write it against, and what its
// tests run against. It is no model of any product, but it has what makes real ones hard: pages, tokens that end,
// revisions, refusals, answers that get lost.
//
// New returns an http.Handler; httptest.NewServer(memcal.New("alice@example.com")) is a whole server. It speaks JSON:
//
//	GET    /calendars/ADDRESS                         200 {"address": …}
//	GET    /calendars/ADDRESS/changes?since=T&limit=N 200 {"changes": [{…}, {"id": …, "deleted": true}],
//	                                                       "next": T, "more": true|false}
//	GET    /calendars/ADDRESS/items?property=P&value=V 200 {"items": [{…}]}, the oldest first
//	POST   /calendars/ADDRESS/items                   201 {…}, the item with its id and its etag
//	GET    /calendars/ADDRESS/items/ID                200 {…}
//	PUT    /calendars/ADDRESS/items/ID                201 {…}, a new item of an id that the client chose, or 200 {…},
//	                                                       instead of the one that was there
//	PATCH  /calendars/ADDRESS/items/ID                200 {…}; what the body does not name is left as it is
//	DELETE /calendars/ADDRESS/items/ID                200 {"id": …, "deleted": true}
//
// An item is {"id", "etag", "title", "notes", "location", "start", "end", "all_day", "zone", "properties"}. Times are in
// RFC 3339; an all-day item's are midnights UTC, the end exclusive. properties is a map of texts that people do not see;
// a PATCH adds to it and replaces in it. A calendar keeps no invitations, reminders, series, classes or busy states, and
// sends no mail.
//
// changes without since begins from nothing and tells every item; with since it tells what changed after that answer's
// next, each item once, as it is now. Whoever has read next with "more": false is up to date. limit is at most and by
// default MaxPage.
//
// PUT, PATCH and DELETE heed If-Match: another etag than the item's is answered 412. So is a PUT with If-None-Match: *
// when there is an item of its id: of two that make the same, one does. Other answers:
//
//	400 the request is not understood          404 {"error": "no_calendar"} or {"error": "no_item"}
//	401 with WWW-Authenticate: Bearer, unless the request bears one of the tokens of Require
//	410 {"error": "gone"}: since is not known, or no longer; begin from nothing
//	422 an item that cannot be, such as one that ends before it begins
//	503 and others when Fail says so, with Retry-After
//
// The methods of Server are what happens at the server meanwhile: people edit, and things go wrong.
package memcal

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxPage is how many changes one answer holds at most.
const MaxPage = 100

// An Item is one event as the server has it.
type Item struct {
	ID         string            `json:"id"`
	ETag       string            `json:"etag"`
	Title      string            `json:"title"`
	Notes      string            `json:"notes,omitempty"`
	Location   string            `json:"location,omitempty"`
	Start      time.Time         `json:"start"`
	End        time.Time         `json:"end"`
	AllDay     bool              `json:"all_day,omitempty"`
	Zone       string            `json:"zone,omitempty"` // IANA name
	Properties map[string]string `json:"properties,omitempty"`
}

// A Server holds calendars. It is safe for concurrent use.
type Server struct {
	mux *http.ServeMux

	mu        sync.Mutex
	calendars map[string]*calendar
	tokens    []string // empty: everybody may do everything
	requests  int
	fail      failure
	lose      int
	lastID    int
}

type calendar struct {
	items map[string]*entry
	clock int // counts the changes
	known int // tokens of before this change are not known any more
}

// An entry is an item, or what is left of one.
type entry struct {
	Item
	number  int // in the order of creation
	changed int // when, by the calendar's clock
	deleted bool
}

type failure struct {
	left   int
	status int
	after  time.Duration
}

// New returns a server with empty calendars for addresses.
func New(addresses ...string) *Server {
	s := &Server{mux: http.NewServeMux(), calendars: map[string]*calendar{}}
	s.routes()
	for _, a := range addresses {
		s.Add(a)
	}
	return s
}

// Add makes an empty calendar, unless there is one of the address already.
func (s *Server) Add(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := strings.ToLower(address); s.calendars[key] == nil {
		s.calendars[key] = &calendar{items: map[string]*entry{}}
	}
}

// Require has the server answer only requests that bear one of the tokens as "Authorization: Bearer TOKEN". Without
// tokens it answers everybody, as in the beginning.
func (s *Server) Require(tokens ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = tokens
}

// Put stores an item as a person does: a new one if its ID is empty, else instead of the one that there is. It returns it as
// the server has it now, and panics if there is no such calendar, or no such item.
func (s *Server) Put(address string, it Item) Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.mustFind(address)
	if it.ID != "" {
		c.mustHave(it.ID)
	}
	return s.store(c, it)
}

// Delete deletes an item as a person does; it panics if there is none.
func (s *Server) Delete(address, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.mustFind(address)
	c.mustHave(id)
	c.remove(id)
}

// Items lists a calendar, the oldest item first; it panics if there is none.
func (s *Server) Items(address string) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mustFind(address).search(func(Item) bool { return true })
}

// Forget has the server know no longer what changed up to now: every token handed out before is answered 410.
func (s *Server) Forget(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.mustFind(address)
	c.clock++
	c.known = c.clock
	maps.DeleteFunc(c.items, func(_ string, e *entry) bool { return e.deleted })
}

// Fail has the next n requests answered with a status, and with Retry-After unless after is zero. Nothing is carried out
// of them.
func (s *Server) Fail(n, status int, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = failure{n, status, after}
}

// Lose has the answers to the next n writes get lost: what they ask is done, but the connection ends without an answer.
func (s *Server) Lose(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = n
}

// Requests counts the requests that have arrived, those that were refused among them.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *Server) mustFind(address string) *calendar {
	c := s.calendars[strings.ToLower(address)]
	if c == nil {
		panic(fmt.Sprintf("memcal: there is no calendar of %s: Add it", address))
	}
	return c
}

func (c *calendar) mustHave(id string) {
	if c.item(id) == nil {
		panic(fmt.Sprintf("memcal: there is no item %q", id))
	}
}

// item returns the entry, or nil if there is none or it is deleted.
func (c *calendar) item(id string) *entry {
	if e := c.items[id]; e != nil && !e.deleted {
		return e
	}
	return nil
}

// store puts an item into the calendar, with a new etag and, if it has none, an id.
func (s *Server) store(c *calendar, it Item) Item {
	old := c.item(it.ID)
	if old == nil {
		old = &entry{number: s.number(c)}
	}
	if it.ID == "" {
		it.ID = strconv.Itoa(old.number)
	}
	c.clock++
	it.ETag = fmt.Sprintf(`"%d-%d"`, old.number, c.clock)
	it.Properties = maps.Clone(it.Properties)
	c.items[it.ID] = &entry{Item: it, number: old.number, changed: c.clock}
	return it
}

// number returns the next item's, which is no id that a client has chosen.
func (s *Server) number(c *calendar) int {
	s.lastID++
	for c.items[strconv.Itoa(s.lastID)] != nil {
		s.lastID++
	}
	return s.lastID
}

func (c *calendar) remove(id string) {
	e := c.items[id]
	c.clock++
	c.items[id] = &entry{Item: Item{ID: id}, number: e.number, changed: c.clock, deleted: true}
}

// search lists the items that fit, the oldest first.
func (c *calendar) search(fits func(Item) bool) []Item {
	var found []*entry
	for _, e := range c.items {
		if !e.deleted && fits(e.Item) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int { return cmp.Compare(a.number, b.number) })
	items := make([]Item, len(found))
	for i, e := range found {
		items[i] = e.Item
		items[i].Properties = maps.Clone(e.Properties)
	}
	return items
}
