package exchangesim

import (
	"errors"
	"fmt"
	"slices"
)

// send records a meeting mail and, where the server is asked to, carries it into the attendees' calendars, as the Calendar
// Attendant does with mail that arrives.
func (c *call) send(it *item, kind string, to []Attendee) {
	c.invite(it, kind, to)
	if !c.opts.CopyToAttendees {
		return
	}
	for _, a := range to {
		if b := c.find(a.Address); b != nil && b != it.box && !b.owner.NoMailbox {
			c.arrive(b, it, kind)
		}
	}
}

// arrive brings a meeting into an attendee's calendar up to date.
func (c *call) arrive(b *mailbox, it *item, kind string) {
	found := b.invited(it.uid)
	if b.owner.Room {
		c.attend(b, it, found, kind)
		return
	}
	if kind == "cancellation" {
		c.calledOff(b, found, &CalendarProcessing{})
		return
	}
	c.place(b, found, copied(it, found))
}

// copied is what an attendee has of a meeting, named properties too: they travel with the request. Who has it already keeps the
// answer.
func copied(it, found *item) *content {
	made := it.content.clone()
	if found != nil {
		made.attending(found.response, found.busy)
	} else {
		made.attending("NoResponseReceived", "Tentative")
	}
	return &made
}

// attending makes a content an attendee's.
func (c *content) attending(response, busy string) {
	c.received, c.response, c.busy = true, response, busy
	for _, own := range c.changes {
		own.attending(response, busy)
	}
}

// invited finds the mailbox's copy of a meeting.
func (b *mailbox) invited(uid string) *item {
	for _, o := range b.known("calendar").items {
		if o.received && o.uid == uid && o.original.IsZero() {
			return o
		}
	}
	return nil
}

// external reports whether somebody does not belong to the organization.
func (c *call) external(a Attendee) bool { return c.find(a.Address) == nil }

// Arrive delivers a meeting message from outside the organization: a request, an update or a cancellation, to all of the
// appointment's attendees who have a mailbox here. It goes by the appointment's UID, which is made, and returned, if it is
// empty; a cancellation needs no more of the appointment than that and the attendees. Their calendars know the meeting from then
// on, whatever CopyToAttendees says.
func (s *Server) Arrive(organizer Attendee, kind string, a Appointment) (uid string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains([]string{"request", "update", "cancellation"}, kind) {
		return "", fmt.Errorf("a meeting message %q is none of request, update, cancellation", kind)
	}
	from := &Person{Name: organizer.Name, Address: organizer.Address, TimeZone: "UTC"}
	c := s.callOf(from)
	if organizer.Address == "" || !c.external(organizer) {
		return "", errors.New("the organizer of a meeting from outside has an address that is not of this organization")
	}
	it := &item{kind: "CalendarItem", content: newContent(from), author: from.Name, history: map[string]uint64{}}
	it.startZone, it.endZone = from.TimeZone, from.TimeZone
	if a.Sensitivity == "" {
		a.Sensitivity = "Normal"
	}
	if a.UID == "" {
		a.UID = newUID(fmt.Sprintf("%s %d", organizer.Address, s.arrivals))
		s.arrivals++
	}
	if a.End.IsZero() {
		a.End = a.Start
	}
	if err := it.content.take(a); err != nil {
		return "", err
	}
	it.busy, it.sent = "Busy", true
	for _, to := range it.attendees() {
		if b := s.find(to.Address); b != nil && !b.owner.NoMailbox {
			c.arrive(b, it, kind)
		}
	}
	return a.UID, nil
}
