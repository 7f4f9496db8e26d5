package exchangesim

import (
	"fmt"
	"net/http"
	"time"
)

// controlRooms are the requests about rooms and answers to invitations.
func (s *Server) controlRooms(handle func(string, func(*http.Request) (any, error))) {
	handle("POST /sim/appointments/respond", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		var original time.Time
		if at := q.Get("occurrence"); at != "" {
			var err error
			if original, err = time.Parse(time.RFC3339, at); err != nil {
				return nil, fmt.Errorf("read the occurrence: %w", err)
			}
		}
		return nil, s.Outlook(q.Get("mailbox")).Answer(q.Get("id"), original, q.Get("response"), q.Get("text"))
	})
	handle("GET /sim/answers", func(*http.Request) (any, error) { return orEmpty(s.Answers()), nil })
	handle("POST /sim/answers", func(r *http.Request) (any, error) {
		var want struct {
			Hold bool `json:"hold"`
		}
		if err := decode(r.Body, &want); err != nil {
			return nil, err
		}
		if want.Hold {
			s.HoldAnswers()
			return nil, nil
		}
		return map[string]int{"released": s.ReleaseAnswers()}, nil
	})
	handle("POST /sim/external", func(r *http.Request) (any, error) {
		in := struct {
			Organizer   Attendee    `json:"organizer"`
			Kind        string      `json:"kind"`
			Appointment Appointment `json:"appointment"`
		}{Kind: "request"}
		if err := decode(r.Body, &in); err != nil {
			return nil, err
		}
		uid, err := s.Arrive(in.Organizer, in.Kind, in.Appointment)
		return map[string]string{"uid": uid}, err
	})
}
