package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// appears waits until a person's calendar has one object more than those that are known, and returns its path.
func (s *site) appears(r *radicale, person string, known ...string) string {
	s.Helper()
	var name string
	s.eventually("the event is in the calendar of "+person, func() error {
		left := slices.DeleteFunc(r.names(person), func(n string) bool { return slices.Contains(known, n) })
		if len(left) != 1 {
			return fmt.Errorf("there are %q", left)
		}
		name = left[0]
		return nil
	})
	return "/" + person + "/work/" + name
}

// says waits until an object has a line, and returns its text.
func (s *site) says(r *radicale, path, line string) string {
	s.Helper()
	var text string
	s.eventually(path+" says "+line, func() error {
		if text = r.get(path); !strings.Contains(text, line) {
			return fmt.Errorf("it is\n%s", text)
		}
		return nil
	})
	return text
}

// TestBookingsAndEventsAreTheSame goes both ways through the host, which knows nothing of CalDAV.
func TestBookingsAndEventsAreTheSame(t *testing.T) {
	t.Parallel()
	r := newRadicale(t, "alice")
	r.put("/alice/work/dentist.ics", plainEvent("dentist"))
	own := r.get("/alice/work/dentist.ics")
	s := newSite(t, r, "alice")

	// A booking appears in the calendar, with the people and in its zone.
	s.do(http.MethodPut, "/bookings/b1", booking{
		Title: "Planning", Notes: "Bring numbers", Organizer: "alice", Resources: []string{"room"},
		Attendees: []attendee{{"bob@example.com"}}, Start: "2027-07-12T08:00:00Z", End: "2027-07-12T09:00:00Z", Zone: "Europe/Berlin",
	}, nil)
	path := s.appears(r, "alice", "dentist.ics")
	text := r.get(path)
	for _, line := range []string{
		"SUMMARY:Planning", "DESCRIPTION:Bring numbers", "DTSTART;TZID=Europe/Berlin:20270712T100000", "TZID:Europe/Berlin",
		"X-APPOINTMENT-OID:b1", "X-ROOMWIRE-BOOKING-ID:", "mailto:bob@example.com", "mailto:room@example.com", "ORGANIZER:mailto:alice@example.com",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the event has no %q:\n%s", line, text)
		}
	}
	s.eventually("the server is asked for changes", func() error {
		var p struct {
			Sync struct{ Status, Way string } `json:"sync"`
		}
		s.do(http.MethodGet, "/persons/alice", nil, &p)
		if p.Sync.Status != "ok" || p.Sync.Way != "pull" {
			return fmt.Errorf("alice is %+v", p.Sync)
		}
		return nil
	})

	// Another program moves the event and adds something of its own.
	r.put(path, strings.NewReplacer(
		"20270712T100000", "20270713T140000", "20270712T110000", "20270713T150000", "SUMMARY:Planning", "SUMMARY:Planning\nX-THEIRS:kept",
	).Replace(text))
	s.eventually("the booking is moved", func() error {
		if b := s.booking("b1"); !sameTime(b.Start, "2027-07-13T12:00:00Z") || !sameTime(b.End, "2027-07-13T13:00:00Z") {
			return fmt.Errorf("it is from %s to %s", b.Start, b.End)
		}
		return nil
	})

	// A change of the booking leaves what the other program added.
	b := s.booking("b1")
	b.Title, b.Status = "Planning again", ""
	s.do(http.MethodPut, "/bookings/b1", b, nil)
	if text := s.says(r, path, "SUMMARY:Planning again"); !strings.Contains(text, "X-THEIRS:kept") || !strings.Contains(text, "20270713T140000") {
		t.Errorf("the update took something away:\n%s", text)
	}

	// Deleted in the calendar: the booking is cancelled.
	r.must(http.StatusOK, http.MethodDelete, path, "")
	s.eventually("the booking is cancelled", func() error {
		if b := s.booking("b1"); b.Status != "cancelled" {
			return fmt.Errorf("it is %s", b.Status)
		}
		return nil
	})

	// Cancelled: the event goes.
	s.do(http.MethodPut, "/bookings/b2", booking{
		Title: "Retro", Organizer: "alice", Resources: []string{"room"}, Attendees: []attendee{}, Start: "2027-07-14T08:00:00Z", End: "2027-07-14T09:00:00Z",
	}, nil)
	s.appears(r, "alice", "dentist.ics")
	s.do(http.MethodDelete, "/bookings/b2", nil, nil)
	s.eventually("the event goes", func() error {
		if left := r.names("alice"); len(left) != 1 {
			return fmt.Errorf("there are %q", left)
		}
		return nil
	})
	if now := r.get("/alice/work/dentist.ics"); now != own {
		t.Errorf("the person's own event was\n%s\nand is\n%s", own, now)
	}
}

func sameTime(a, b string) bool {
	x, err1 := time.Parse(time.RFC3339, a)
	y, err2 := time.Parse(time.RFC3339, b)
	return err1 == nil && err2 == nil && x.Equal(y)
}
