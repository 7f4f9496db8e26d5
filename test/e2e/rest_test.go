package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The REST API as a booking system sees it: by its description, without any code of the host.

type attendee struct {
	Email string `json:"email"`
	Role  string `json:"role,omitempty"`
}

type booking struct {
	ID              string     `json:"id,omitempty"`
	Version         int64      `json:"version,omitempty"`
	Title           string     `json:"title"`
	Notes           string     `json:"notes,omitempty"`
	Organizer       string     `json:"organizer"`
	Resources       []string   `json:"resources"`
	Attendees       []attendee `json:"attendees"`
	Start           string     `json:"start"`
	End             string     `json:"end"`
	AllDay          bool       `json:"all_day,omitempty"`
	Zone            string     `json:"zone,omitempty"`
	Location        string     `json:"location,omitempty"`
	Busy            string     `json:"busy,omitempty"`
	Class           string     `json:"class,omitempty"`
	ReminderMinutes *int       `json:"reminder_minutes,omitempty"`
	Item            string     `json:"item,omitempty"`
	Status          string     `json:"status,omitempty"`
	SyncDisabled    bool       `json:"sync_disabled,omitempty"`
	SyncProblem     string     `json:"sync_problem,omitempty"`
}

// start is when the booking begins.
func (b booking) start(s *site) time.Time {
	s.Helper()
	t, err := time.Parse(time.RFC3339, b.Start)
	if err != nil {
		s.Fatalf("booking %s: start %q: %v", b.ID, b.Start, err)
	}
	return t
}

type change struct {
	Seq     int64   `json:"seq"`
	ID      string  `json:"id"`
	Kind    string  `json:"kind"`
	Source  string  `json:"source"`
	Version int64   `json:"version"`
	Booking booking `json:"booking"`
}

type personState struct {
	Status     string    `json:"status"`
	Kind       string    `json:"kind"`
	Reason     string    `json:"reason"`
	Remedy     string    `json:"remedy"`
	Until      time.Time `json:"until"`
	Way        string    `json:"way"`
	WayReason  string    `json:"way_reason"`
	TryWay     string    `json:"try_way"`
	ClimbAt    time.Time `json:"climb_at"`
	LastHeard  time.Time `json:"last_heard"`
	Subscribed time.Time `json:"subscribed"`
	LastPull   time.Time `json:"last_pull"`
	Pending    bool      `json:"pending"`
	OpenWrites int       `json:"open_writes"`
}

type problem struct {
	Type   string   `json:"type"`
	Detail string   `json:"detail"`
	Others []string `json:"others"`
}

// call makes one request; out takes the answer of a success, whatever went wrong is in the problem.
func (s *site) call(method, path string, in, out any) (int, problem, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return 0, problem{}, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, s.api+"/Default/api/v1"+path, body)
	if err != nil {
		return 0, problem{}, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, problem{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, problem{}, err
	}
	var p problem
	switch {
	case resp.StatusCode >= 300:
		err = json.Unmarshal(data, &p)
	case out != nil:
		err = json.Unmarshal(data, out)
	}
	return resp.StatusCode, p, err
}

// do is call for what has to succeed.
func (s *site) do(method, path string, in, out any) {
	s.Helper()
	status, p, err := s.call(method, path, in, out)
	if err != nil || status >= 300 {
		s.Fatalf("%s %s: status %d, %s, %v", method, path, status, p.Detail, err)
	}
}

func (s *site) put(b booking) booking {
	s.Helper()
	var saved booking
	s.do(http.MethodPut, "/bookings/"+b.ID, b, &saved)
	return saved
}

func (s *site) cancel(id string) {
	s.Helper()
	s.do(http.MethodDelete, "/bookings/"+id, nil, nil)
}

func (s *site) booking(id string) booking {
	s.Helper()
	var b booking
	s.do(http.MethodGet, "/bookings/"+id, nil, &b)
	return b
}

func (s *site) state(person string) personState {
	s.Helper()
	var p struct {
		Sync personState `json:"sync"`
	}
	s.do(http.MethodGet, "/persons/"+person, nil, &p)
	return p.Sync
}

// changes returns the next changes of the feed, waiting for at least one.
func (s *site) changes() []change {
	s.Helper()
	deadline := time.Now().Add(patience)
	for {
		var page struct {
			Changes []change `json:"changes"`
			Next    int64    `json:"next"`
		}
		s.do(http.MethodGet, fmt.Sprintf("/changes?after=%d&wait=10s", s.feed), nil, &page)
		s.feed = page.Next
		if len(page.Changes) > 0 {
			return page.Changes
		}
		if time.Now().After(deadline) {
			s.Fatal("the change feed stays empty")
		}
	}
}

// awaitChange waits for a change of a booking in the feed.
func (s *site) awaitChange(id, kind, source string) change {
	s.Helper()
	var seen []string
	for range 1000 {
		for _, c := range s.changes() {
			if c.ID == id && c.Kind == kind && c.Source == source {
				return c
			}
			seen = append(seen, fmt.Sprintf("%s %s by %s", c.ID, c.Kind, c.Source))
		}
	}
	s.Fatalf("no %q by %q of %s in the feed, but: %v", kind, source, id, seen)
	return change{}
}

// history lists the whole feed of one booking.
func (s *site) history(id string) []string {
	s.Helper()
	var page struct {
		Changes []change `json:"changes"`
	}
	s.do(http.MethodGet, "/changes?after=0", nil, &page)
	var h []string
	for _, c := range page.Changes {
		if c.ID == id {
			h = append(h, fmt.Sprintf("%d %s by %s", c.Version, c.Kind, c.Source))
		}
	}
	return h
}

// settle waits until everything that was said on either side is dealt with, and the people's sync is well: no notice on
// its way, no mailbox with work, and nothing asked of Exchange meanwhile.
func (s *site) settle() {
	s.Helper()
	s.settleOnly(people...)
}

// settleOnly is settle for some of the people.
func (s *site) settleOnly(persons ...string) {
	s.Helper()
	s.eventually("everything is dealt with", func() error {
		before := s.sim.Count("")
		if err := s.sim.WaitIdle(s.Context()); err != nil {
			return err
		}
		for _, p := range persons {
			st := s.state(p)
			if st.Pending || st.OpenWrites > 0 || st.Status != "ok" {
				return fmt.Errorf("%s: %+v", p, st)
			}
		}
		after := s.sim.Count("")
		return yes(after == before, "Exchange was asked %d times meanwhile", after-before)
	})
}

func basicOf(password string) string {
	pair := base64.StdEncoding.EncodeToString([]byte(`EXAMPLE\svc-rooms:` + password))
	return strings.TrimRight(pair, "=")
}
