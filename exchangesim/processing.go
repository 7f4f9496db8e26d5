package exchangesim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// CalendarProcessing is how a room's mailbox treats invitations, under the names of Set-CalendarProcessing. In JSON what is left
// out is as in DefaultProcessing.
type CalendarProcessing struct {
	// AutomateProcessing is None (messages stay unread in the Inbox), AutoUpdate (they are put into the calendar tentatively, and
	// nobody answers) or AutoAccept (the Resource Booking Attendant decides and answers).
	AutomateProcessing string
	AllowConflicts     bool
	// A series that has more conflicts than either of these allows is declined; with fewer it is accepted, and those occurrences
	// are declined one by one.
	ConflictPercentageAllowed int
	MaximumConflictInstances  int
	BookingWindowInDays       int // 0: today only
	// EnforceSchedulingHorizon declines a series that goes on beyond the window; without it the room's copy is cut there.
	EnforceSchedulingHorizon bool
	MaximumDurationInMinutes int // 0: any
	AllowRecurringMeetings   bool

	// Who may book what keeps to the policy, who may ask a delegate for it, and who may ask for what does not. A request that a
	// delegate has to decide on is accepted tentatively.
	AllBookInPolicy       bool
	BookInPolicy          []string // addresses
	AllRequestInPolicy    bool
	RequestInPolicy       []string
	AllRequestOutOfPolicy bool
	RequestOutOfPolicy    []string

	DeleteSubject                  bool
	AddOrganizerToSubject          bool
	DeleteComments                 bool
	RemovePrivateProperty          bool
	AddAdditionalResponse          bool
	AdditionalResponse             string
	ProcessExternalMeetingMessages bool
	RemoveCanceledMeetings         bool
}

// DefaultProcessing is what a new room of Exchange has.
func DefaultProcessing() CalendarProcessing {
	return CalendarProcessing{
		AutomateProcessing: "AutoAccept", BookingWindowInDays: 180, EnforceSchedulingHorizon: true, MaximumDurationInMinutes: 1440,
		AllowRecurringMeetings: true, AllBookInPolicy: true, DeleteSubject: true, AddOrganizerToSubject: true, DeleteComments: true,
		RemovePrivateProperty: true,
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *CalendarProcessing) UnmarshalJSON(raw []byte) error {
	made := DefaultProcessing()
	err := made.overlay(raw)
	*p = made
	return err
}

// overlay lays the settings that raw names over p.
func (p *CalendarProcessing) overlay(raw []byte) error {
	type plain CalendarProcessing // without UnmarshalJSON
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(p)); err != nil {
		return fmt.Errorf("read the calendar processing: %w", err)
	}
	return p.check()
}

func (p *CalendarProcessing) check() error {
	if !slices.Contains([]string{"None", "AutoUpdate", "AutoAccept"}, p.AutomateProcessing) {
		return fmt.Errorf("AutomateProcessing %q is none of None, AutoUpdate, AutoAccept", p.AutomateProcessing)
	}
	if p.BookingWindowInDays < 0 || p.BookingWindowInDays > 1080 || p.MaximumDurationInMinutes < 0 ||
		p.MaximumConflictInstances < 0 || p.ConflictPercentageAllowed < 0 || p.ConflictPercentageAllowed > 100 {
		return fmt.Errorf("a number of the calendar processing is out of its range")
	}
	return nil
}

// SetProcessing changes how a room treats invitations from now on. It reports whether there is such a person; settings that
// there cannot be are refused.
func (s *Server) SetProcessing(address string, change func(*CalendarProcessing)) (bool, error) {
	var err error
	found := s.changePerson(address, func(p *Person) {
		made := p.processing()
		change(&made)
		if err = made.check(); err == nil {
			p.Processing = &made
		}
	})
	return found, err
}

// processing is how the person, a room, treats invitations.
func (p *Person) processing() CalendarProcessing {
	if p.Processing == nil {
		return DefaultProcessing()
	}
	return *p.Processing
}

// may reports whether everybody may do something, or an address is on the list of those who may.
func may(everybody bool, list []string, address string) bool {
	return everybody || slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, address) })
}

// subjected makes of an invitation what the room keeps of it.
func (p *CalendarProcessing) subjected(c *content) {
	for _, own := range c.changes {
		p.subjected(own)
	}
	subject := c.subject
	if p.DeleteSubject {
		subject = ""
	}
	if p.AddOrganizerToSubject {
		subject = strings.TrimSpace(c.organizer.Name + " " + subject)
	}
	c.subject = subject
	if p.DeleteComments {
		c.body = body{kind: "Text"}
	}
	if p.RemovePrivateProperty && c.sensitivity == "Private" {
		c.sensitivity = "Normal"
	}
}

// worded is the text of an answer.
func (p *CalendarProcessing) worded(text string) string {
	if p.AddAdditionalResponse && p.AdditionalResponse != "" {
		return text + "\r\n\r\n" + p.AdditionalResponse
	}
	return text
}
