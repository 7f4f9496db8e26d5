package exchangesim

import "time"

// An Appointment is what a person sees in Outlook.
type Appointment struct {
	ID          string // set by the server
	ChangeKey   string // set by the server
	UID         string // empty on Create: made by the server
	Subject     string
	Body        string // plain text, lines end with \r\n as in Exchange
	Location    string
	Sensitivity string // Normal, Personal, Private or Confidential; empty on Create: Normal
	BusyStatus  string // Free, Tentative, Busy, OOF or WorkingElsewhere; empty on Create: Busy
	Start, End  time.Time
	TimeZone    string // Windows id; empty on Create: the person's
	AllDay      bool

	ReminderSet     bool
	ReminderMinutes int

	Organizer  Attendee // set by the server
	Required   []Attendee
	Optional   []Attendee
	Resources  []Attendee
	IsMeeting  bool // set by the server
	Cancelled  bool // set by the server
	Categories []string
	// Properties are named properties, by PropertyKey. Of one with many values the first is seen.
	Properties map[string]string
	Recurrence *Recurrence // of a series

	Created, Modified time.Time // set by the server
}

// An Attendee is somebody invited.
type Attendee struct {
	Name     string
	Address  string
	Response string // Unknown, Organizer, Tentative, Accept, Decline or NoResponseReceived
}

// A Recurrence is a plain series.
type Recurrence struct {
	Pattern  string   // Daily, Weekly, AbsoluteMonthly, RelativeMonthly, AbsoluteYearly or RelativeYearly
	Interval int      // every so many days, weeks or months; at least 1
	Days     []string // of the week, such as Tuesday, or Day, Weekday, WeekendDay
	FirstDay string   // of the week; empty: Sunday
	Day      int      // of the month
	Month    string   // such as December
	Index    string   // First, Second, Third, Fourth or Last
	Start    string   // first day, 2006-01-02
	Count    int      // number of occurrences; 0: until End
	End      string   // last day; empty with Count 0: never
}

// Mail is one meeting mail that the server sent to attendees.
type Mail struct {
	From    string
	To      []string
	Kind    string // request, update or cancellation
	ItemID  string // of the organizer's item
	Subject string
	At      time.Time
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
