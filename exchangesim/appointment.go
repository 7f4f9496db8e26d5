package exchangesim

import (
	"bytes"
	"time"
)

// An Appointment is what a person sees in Outlook.
type Appointment struct {
	ID          string    `json:"id"`         // set by the server
	ChangeKey   string    `json:"change_key"` // set by the server
	UID         string    `json:"uid"`        // empty on Create: made by the server
	Subject     string    `json:"subject"`
	Body        string    `json:"body"` // plain text, lines end with \r\n as in Exchange
	Location    string    `json:"location"`
	Sensitivity string    `json:"sensitivity"` // Normal, Personal, Private or Confidential; empty on Create: Normal
	BusyStatus  string    `json:"busy_status"` // Free, Tentative, Busy, OOF or WorkingElsewhere; empty on Create: Busy
	Start       time.Time `json:"start,omitzero"`
	End         time.Time `json:"end,omitzero"`
	TimeZone    string    `json:"time_zone"` // Windows id; empty on Create: the person's
	AllDay      bool      `json:"all_day"`

	ReminderSet     bool `json:"reminder_set"`
	ReminderMinutes int  `json:"reminder_minutes"`

	Organizer  Attendee   `json:"organizer"` // set by the server
	Required   []Attendee `json:"required,omitempty"`
	Optional   []Attendee `json:"optional,omitempty"`
	Resources  []Attendee `json:"resources,omitempty"`
	IsMeeting  bool       `json:"is_meeting"` // set by the server
	Cancelled  bool       `json:"cancelled"`  // set by the server
	Categories []string   `json:"categories,omitempty"`

	Importance  string   `json:"importance"`            // Low, Normal or High; empty: Normal
	Attachments []string `json:"attachments,omitempty"` // names of files, which nobody reads

	// Properties are named properties, by PropertyKey. Of one with many values the first is seen.
	Properties map[string]string `json:"properties"`
	Recurrence *Recurrence       `json:"recurrence,omitempty"` // of a series

	Created  time.Time `json:"created,omitzero"`
	Modified time.Time `json:"modified,omitzero"` // set by the server
}

// An Attendee is somebody invited.
type Attendee struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Response string `json:"response"` // Unknown, Organizer, Tentative, Accept, Decline or NoResponseReceived
}

// A Recurrence is a plain series.
type Recurrence struct {
	Pattern  string   `json:"pattern,omitempty"`   // Daily, Weekly, AbsoluteMonthly, RelativeMonthly, AbsoluteYearly or RelativeYearly
	Interval int      `json:"interval,omitempty"`  // every so many days, weeks or months; at least 1
	Days     []string `json:"days,omitempty"`      // of the week, such as Tuesday, or Day, Weekday, WeekendDay
	FirstDay string   `json:"first_day,omitempty"` // of the week; empty: Sunday
	Day      int      `json:"day,omitempty"`       // of the month
	Month    string   `json:"month,omitempty"`     // such as December
	Index    string   `json:"index,omitempty"`     // First, Second, Third, Fourth or Last
	Start    string   `json:"start,omitempty"`     // first day, 2006-01-02
	Count    int      `json:"count,omitempty"`     // number of occurrences; 0: until End
	End      string   `json:"end,omitempty"`       // last day; empty with Count 0: never
}

// UnmarshalJSON replaces all of the recurrence: what the text does not name is not set.
func (r *Recurrence) UnmarshalJSON(text []byte) error {
	type plain Recurrence
	var made plain
	if err := decode(bytes.NewReader(text), &made); err != nil {
		return err
	}
	*r = Recurrence(made)
	return nil
}

// Mail is one meeting mail that the server sent to attendees.
type Mail struct {
	From    string   `json:"from"`
	To      []string `json:"to,omitempty"`
	Kind    string   `json:"kind"`    // request, update or cancellation
	ItemID  string   `json:"item_id"` // of the organizer's item
	Subject string   `json:"subject"`
	// Occurrence is when the pattern has the occurrence that the mail is about; zero: it is about all of the item.
	Occurrence time.Time `json:"occurrence,omitzero"`
	At         time.Time `json:"at,omitzero"`
}

// Mails returns every meeting mail sent so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// invite records a mail to attendees; none is sent to nobody.
func (s *Server) invite(it *item, kind string, to []Attendee) {
	if len(to) == 0 {
		return
	}
	m := Mail{From: it.organizer.Address, Kind: kind, ItemID: it.id, Subject: it.subject, At: s.now()}
	for _, a := range to {
		m.To = append(m.To, a.Address)
	}
	s.mails = append(s.mails, m)
}
