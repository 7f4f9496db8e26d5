package exchangesim

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
)

// controlScale are the requests about connections, limits and size.
func (s *Server) controlScale(handle func(string, func(*http.Request) (any, error))) {
	handle("GET /sim/streams", func(*http.Request) (any, error) { return s.Streams(), nil })
	handle("DELETE /sim/streams", func(r *http.Request) (any, error) {
		s.CutStreams(r.URL.Query().Get("mailbox"))
		return nil, nil
	})
	handle("POST /sim/affinity", func(r *http.Request) (any, error) {
		on, err := parseBool(r.URL.Query().Get("on"))
		if err == nil {
			s.SetAffinity(on)
		}
		return nil, err
	})
	handle("GET /sim/budget", func(*http.Request) (any, error) { return s.BudgetUse(), nil })
	handle("POST /sim/budget", s.controlBudget)
	handle("DELETE /sim/budget", func(*http.Request) (any, error) { s.SetBudget(nil); return nil, nil })
	handle("GET /sim/stats", func(r *http.Request) (any, error) {
		if r.URL.Query().Get("gc") == "true" {
			debug.FreeOSMemory()
		}
		return s.Stats(), nil
	})
	handle("POST /sim/appointments/many", s.controlMany)
}

// decodeIfAny is decode of a body that may be empty.
func decodeIfAny(r *http.Request, v any) error {
	if err := decode(r.Body, v); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (s *Server) controlBudget(r *http.Request) (any, error) {
	var b Budget
	if err := decodeIfAny(r, &b); err != nil {
		return nil, err
	}
	s.SetBudget(&b)
	return nil, nil
}

// controlMany makes many appointments; the query says how many, unless the body does.
func (s *Server) controlMany(r *http.Request) (any, error) {
	var m Many
	if err := decodeIfAny(r, &m); err != nil {
		return nil, err
	}
	q := r.URL.Query()
	if text := q.Get("count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("read the count: %w", err)
		}
		m.Count = n
	}
	ids, err := s.Outlook(q.Get("mailbox")).CreateMany(m)
	return map[string][]string{"ids": ids}, err
}
