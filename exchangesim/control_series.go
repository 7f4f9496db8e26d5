package exchangesim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// controlSeries are the requests about single occurrences of series.
func (s *Server) controlSeries(handle func(string, func(*http.Request) (any, error))) {
	handle("GET /sim/appointments/occurrences", s.controlOccurrences)
	handle("PATCH /sim/appointments/occurrence", func(r *http.Request) (any, error) {
		original, change, err := occurrenceChange(r)
		if err != nil {
			return nil, err
		}
		q := r.URL.Query()
		return nil, s.Outlook(q.Get("mailbox")).editOccurrence(q.Get("id"), original, change)
	})
	handle("DELETE /sim/appointments/occurrence", func(r *http.Request) (any, error) {
		original, err := queryTime(r, "occurrence", time.Time{})
		if err != nil {
			return nil, err
		}
		q := r.URL.Query()
		return nil, s.Outlook(q.Get("mailbox")).DeleteOccurrence(q.Get("id"), original)
	})
	handle("PATCH /sim/appointments/following", func(r *http.Request) (any, error) {
		original, change, err := occurrenceChange(r)
		if err != nil {
			return nil, err
		}
		q := r.URL.Query()
		id, err := s.Outlook(q.Get("mailbox")).editFollowing(q.Get("id"), original, change)
		return map[string]string{"id": id}, err
	})
}

// controlOccurrences lists a series' occurrences, of all time unless the request says from when to when.
func (s *Server) controlOccurrences(r *http.Request) (any, error) {
	from, err := queryTime(r, "from", time.Unix(0, 0).UTC())
	if err != nil {
		return nil, err
	}
	to, err := queryTime(r, "to", from.AddDate(100, 0, 0))
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	return s.Outlook(q.Get("mailbox")).Occurrences(q.Get("id"), from, to)
}

// occurrenceChange reads which occurrence is meant, and what is laid over it: what the body does not name stays.
func occurrenceChange(r *http.Request) (time.Time, func(*Appointment) error, error) {
	original, err := queryTime(r, "occurrence", time.Time{})
	if err != nil {
		return original, nil, err
	}
	var change json.RawMessage
	if err := decode(r.Body, &change); err != nil {
		return original, nil, err
	}
	return original, func(a *Appointment) error { return decode(bytes.NewReader(change), a) }, nil
}

// queryTime reads a time of the query; a zero time otherwise means that it must be there.
func queryTime(r *http.Request, name string, otherwise time.Time) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" && !otherwise.IsZero() {
		return otherwise, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("read %s: %w", name, err)
	}
	return t, nil
}
