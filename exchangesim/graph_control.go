package exchangesim

import (
	"fmt"
	"net/http"
)

// controlGraph are the requests about Graph.
func (s *Server) controlGraph(handle func(string, func(*http.Request) (any, error))) {
	handle("GET /sim/graph/quirks", func(*http.Request) (any, error) { return s.GraphQuirks(), nil })
	handle("POST /sim/graph/quirks", func(r *http.Request) (any, error) { // lays the body over those chosen
		q := s.GraphQuirks()
		if err := decode(r.Body, &q); err != nil {
			return nil, err
		}
		s.SetGraphQuirks(q)
		return nil, nil
	})
	handle("DELETE /sim/graph/quirks", func(*http.Request) (any, error) { s.SetGraphQuirks(usualQuirks()); return nil, nil })
	handle("GET /sim/graph/subscriptions", func(*http.Request) (any, error) { return s.GraphSubscriptions(), nil })
	handle("DELETE /sim/graph/subscriptions", func(r *http.Request) (any, error) {
		return map[string]int{"subscriptions": s.ExpireGraph(r.URL.Query().Get("mailbox"))}, nil
	})
	handle("POST /sim/graph/lifecycle", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		n, err := s.TellLifecycle(q.Get("mailbox"), q.Get("event"))
		return map[string]int{"subscriptions": n}, err
	})
	handle("POST /sim/graph/delta/expire", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return nil, s.ExpireDelta(q.Get("mailbox"), q.Get("as"))
	})
	handle("POST /sim/graph/online-meeting", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return nil, s.Outlook(q.Get("mailbox")).GoOnline(q.Get("id"))
	})
	handle("GET /sim/graph/ids", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return s.GraphIDs(q.Get("mailbox"), q.Get("id"))
	})
}

// GoOnline makes an appointment an online meeting: a link to join comes to the end of its body, which is HTML from then on.
func (o *Outlook) GoOnline(id string) error {
	return o.with(func(c *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		before := it.attendees()
		it.content.goOnline(it.id)
		b.edited(it)
		it.history["item:Body"] = it.key
		if it.meeting() {
			c.tellAttendees(c.viewOf(it), before, "SendToAllAndSaveCopy")
		}
		return nil
	})
}

// GraphIDs are the ids under which Graph knows an appointment.
type GraphIDs struct {
	EWS       string `json:"ews"`
	REST      string `json:"rest"`
	Immutable string `json:"immutable"`
}

// GraphIDs returns the ids of the item of a mailbox with any one of them.
func (s *Server) GraphIDs(address, id string) (GraphIDs, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.find(address)
	if b == nil {
		return GraphIDs{}, fmt.Errorf("%s has no mailbox", address)
	}
	e, immutable, err := readGraphID(id)
	if err != nil {
		return GraphIDs{}, fmt.Errorf("read the id: %w", err)
	}
	it := b.itemOf(e, immutable)
	if it == nil {
		return GraphIDs{}, fmt.Errorf("%w of %s", ErrNoItem, address)
	}
	v := &view{it: it, day: e.day}
	if e.kind == occurrenceKind {
		v.index = 1 // whichever: the day is what the id has
	}
	return GraphIDs{EWS: v.id(), REST: v.graphIDOf(false), Immutable: v.graphIDOf(true)}, nil
}
