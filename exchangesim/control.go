package exchangesim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// longestControl bounds the body of a request to the control API.
const longestControl = 1 << 20

// control is the API under /sim/, by which tests in other processes act as Outlook would and program faults. README.md
// describes it.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { reply(w, r, do) })
	}
	handle("GET /sim/{$}", func(*http.Request) (any, error) { return map[string]string{"status": "up"}, nil })
	handle("GET /sim/people", s.controlPeople)
	handle("POST /sim/people", s.controlAddPerson)
	handle("PATCH /sim/people", s.controlChangePerson)
	handle("GET /sim/appointments", s.controlAppointments)
	handle("POST /sim/appointments", s.controlCreate)
	handle("PATCH /sim/appointments", s.controlUpdate)
	handle("DELETE /sim/appointments", s.controlDelete)
	handle("POST /sim/appointments/copy", s.controlCopy)
	handle("POST /sim/appointments/restore", s.controlRestore)
	handle("POST /sim/appointments/respond", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return nil, s.Outlook(q.Get("mailbox")).Respond(q.Get("id"), q.Get("response"))
	})
	handle("GET /sim/mails", func(*http.Request) (any, error) { return orEmpty(s.Mails()), nil })
	handle("GET /sim/subscriptions", func(*http.Request) (any, error) { return s.Subscriptions(), nil })
	handle("DELETE /sim/subscriptions", func(r *http.Request) (any, error) {
		s.DropSubscriptions(r.URL.Query().Get("mailbox"))
		return nil, nil
	})
	handle("GET /sim/counts", func(*http.Request) (any, error) { return s.counters(), nil })
	handle("GET /sim/faults", func(*http.Request) (any, error) { return s.faults.List(), nil })
	handle("POST /sim/faults", s.controlFault)
	handle("DELETE /sim/faults", func(*http.Request) (any, error) { s.faults.Reset(); return nil, nil })
	handle("POST /sim/notifications", s.controlNotifications)
	handle("POST /sim/sync-state/invalidate", func(r *http.Request) (any, error) {
		s.faults.InvalidSyncState(r.URL.Query().Get("mailbox"))
		return nil, nil
	})
	handle("POST /sim/logins/reject", func(r *http.Request) (any, error) {
		s.faults.RejectAuth(r.URL.Query().Get("user"))
		return nil, nil
	})
	handle("POST /sim/touch", func(r *http.Request) (any, error) {
		on, err := parseBool(r.URL.Query().Get("on"))
		if err == nil {
			s.faults.TouchAfterWrite(on)
		}
		return nil, err
	})
	handle("POST /sim/wait", s.controlWait)
	s.controlSeries(handle)
	s.controlScale(handle)
	s.controlGraph(handle)
	s.controlOnline(handle)
	return mux
}

func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) { s.controls.ServeHTTP(w, r) }

// reply runs do and writes what it returns as JSON; nothing becomes 204, an error 400 or 404.
func reply(w http.ResponseWriter, r *http.Request, do func(*http.Request) (any, error)) {
	r.Body = http.MaxBytesReader(w, r.Body, longestControl)
	result, err := do(r)
	status := http.StatusOK
	switch {
	case errors.Is(err, ErrNoItem) || errors.Is(err, ErrNoOccurrence) || notThere(err):
		status, result = http.StatusNotFound, map[string]string{"error": err.Error()}
	case err != nil:
		status, result = http.StatusBadRequest, map[string]string{"error": err.Error()}
	case result == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(result) // the client went away
}

// decode reads a JSON body onto v, strictly.
func decode(body io.Reader, v any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	return nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) counters() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for name, n := range s.counts {
		counts[name] = n
	}
	return counts
}

func (s *Server) controlPeople(*http.Request) (any, error) {
	people := s.People()
	for i := range people {
		people[i].Password = ""
	}
	return people, nil
}

func (s *Server) controlAddPerson(r *http.Request) (any, error) {
	var p Person
	if err := decode(r.Body, &p); err != nil {
		return nil, err
	}
	return nil, s.AddPerson(p)
}

// controlChangePerson changes what can change about a person.
func (s *Server) controlChangePerson(r *http.Request) (any, error) {
	var change struct {
		Password      *string   `json:"password"`
		Impersonation *bool     `json:"impersonation"`
		Delegates     *[]string `json:"delegates"`
		NoMailbox     *bool     `json:"no_mailbox"`
		Place         *string   `json:"place"`
	}
	if err := decode(r.Body, &change); err != nil {
		return nil, err
	}
	if change.Place != nil {
		if err := checkPlace(*change.Place); err != nil {
			return nil, err
		}
	}
	address := r.URL.Query().Get("mailbox")
	found := s.changePerson(address, func(p *Person) {
		if change.Password != nil {
			p.Password = *change.Password
		}
		if change.Impersonation != nil {
			p.Impersonation = *change.Impersonation
		}
		if change.Delegates != nil {
			p.Delegates = *change.Delegates
		}
		if change.NoMailbox != nil {
			p.NoMailbox = *change.NoMailbox
		}
		if change.Place != nil {
			s.settle(p, *change.Place)
		}
	})
	if !found {
		return nil, fmt.Errorf("there is no person with the address %q", address)
	}
	return nil, nil
}

func (s *Server) controlAppointments(r *http.Request) (any, error) {
	q := r.URL.Query()
	o := s.Outlook(q.Get("mailbox"))
	if q.Get("deleted") == "true" {
		return o.Deleted(), nil
	}
	return o.Items(), nil
}

func (s *Server) controlCreate(r *http.Request) (any, error) {
	var a Appointment
	if err := decode(r.Body, &a); err != nil {
		return nil, err
	}
	id, err := s.Outlook(r.URL.Query().Get("mailbox")).Create(a)
	return map[string]string{"id": id}, err
}

// controlUpdate lays the body over the appointment as it is: what the body does not name stays.
func (s *Server) controlUpdate(r *http.Request) (any, error) {
	var change json.RawMessage
	if err := decode(r.Body, &change); err != nil {
		return nil, err
	}
	q := r.URL.Query()
	return nil, s.Outlook(q.Get("mailbox")).edit(q.Get("id"), func(a *Appointment) error {
		return decode(bytes.NewReader(change), a)
	})
}

func (s *Server) controlDelete(r *http.Request) (any, error) {
	q := r.URL.Query()
	o := s.Outlook(q.Get("mailbox"))
	if q.Get("hard") == "true" {
		return nil, o.HardDelete(q.Get("id"))
	}
	return nil, o.Delete(q.Get("id"))
}

func (s *Server) controlCopy(r *http.Request) (any, error) {
	q := r.URL.Query()
	id, err := s.Outlook(q.Get("mailbox")).Copy(q.Get("id"))
	return map[string]string{"id": id}, err
}

func (s *Server) controlRestore(r *http.Request) (any, error) {
	q := r.URL.Query()
	id, err := s.Outlook(q.Get("mailbox")).Restore(q.Get("id"))
	return map[string]string{"id": id}, err
}

func (s *Server) controlFault(r *http.Request) (any, error) {
	var f Fault
	if err := decode(r.Body, &f); err != nil {
		return nil, err
	}
	return nil, s.faults.Add(f)
}

func (s *Server) controlNotifications(r *http.Request) (any, error) {
	var want struct {
		Lose      int   `json:"lose"`
		Duplicate int   `json:"duplicate"`
		Hold      *bool `json:"hold"`
		Blocked   *bool `json:"blocked"`
	}
	if err := decode(r.Body, &want); err != nil {
		return nil, err
	}
	switch {
	case want.Blocked == nil:
	case *want.Blocked:
		s.faults.BlockNotifications()
	default:
		s.faults.UnblockNotifications()
	}
	s.faults.LoseNotifications(want.Lose)
	s.faults.DuplicateNotifications(want.Duplicate)
	switch {
	case want.Hold == nil:
	case *want.Hold:
		s.faults.HoldNotifications()
	default:
		s.faults.Release()
	}
	return nil, nil
}

// controlWait waits until all notifications are delivered, for at most the time given.
func (s *Server) controlWait(r *http.Request) (any, error) {
	timeout := 30 * time.Second
	if text := r.URL.Query().Get("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("read the timeout: %w", err)
		}
		timeout = d
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	return nil, s.WaitIdle(ctx)
}
