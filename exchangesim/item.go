package exchangesim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// An item is one entry of a folder.
type item struct {
	box      *mailbox
	folder   *folder
	id       string
	number   uint64
	steady   uint64 // the number in its immutable id: the first that it had in this mailbox
	kind     string // the element it is: CalendarItem, Message, Contact, Task …
	key      uint64
	arrived  uint64 // change of the mailbox with which it came into its folder
	changed  uint64
	article  int
	created  time.Time
	modified time.Time
	author   string // display name of who changed it last
	content
	// history remembers the change key with which each field changed last, to find conflicts.
	history map[string]uint64
	// transaction is what Graph was told to know the creation by, and the digest of the request that made the item.
	transaction, request string
	former               *item     // as it was before its recurrence changed last, and so on
	original             time.Time // of an attendee's copy of one occurrence alone: its start by the pattern
}

// content is what people put into an item.
type content struct {
	class       string
	subject     string
	sensitivity string
	importance  string
	body        body
	categories  []string
	attachments []string // their names
	culture     string
	reminderSet bool
	reminder    int // minutes before the start

	uid               string
	start, end        time.Time
	startZone         string
	endZone           string
	allDay            bool
	busy              string
	location          string
	required          []Attendee
	optional          []Attendee
	resources         []Attendee
	organizer         Attendee
	response          string // MyResponseType
	cancelled         bool
	received          bool // an attendee's copy
	sent              bool // MeetingRequestWasSent
	responseRequested bool
	newTimeAllowed    bool
	sequence          int
	replied           time.Time
	recurrence        *Recurrence
	changes           map[int]*content // exceptions by index of the occurrence
	cancels           map[int]bool     // deleted occurrences by index
	given             bool             // both came together with the recurrence

	props map[string]property // extended properties by key
	extra []*node             // fields of kinds other than CalendarItem, as they were sent
}

type body struct{ kind, text string } // kind is Text or HTML

// A property is the value of an extended property.
type property struct {
	kind   string // PropertyType, such as String or StringArray
	values []string
}

// newContent has the defaults of an item made by whom o is.
func newContent(o *Person) content {
	return content{
		class: "IPM.Appointment", sensitivity: "Normal", importance: "Normal", body: body{kind: "Text"}, culture: "en-US",
		reminderSet: true, reminder: 15, busy: "Busy", response: "Organizer", responseRequested: true, newTimeAllowed: true,
		organizer: Attendee{Name: o.Name, Address: o.Address},
		props:     map[string]property{}, changes: map[int]*content{}, cancels: map[int]bool{},
	}
}

// clone copies all that can be changed through one of the two.
func (c content) clone() content {
	c.categories, c.attachments = slices.Clone(c.categories), slices.Clone(c.attachments)
	c.required, c.optional, c.resources = slices.Clone(c.required), slices.Clone(c.optional), slices.Clone(c.resources)
	c.props = maps.Clone(c.props)
	c.extra = slices.Clone(c.extra)
	c.cancels = maps.Clone(c.cancels)
	changes := make(map[int]*content, len(c.changes))
	for i, e := range c.changes {
		one := *e
		one.changes, one.cancels = nil, nil // an exception has none: with those before it, each would be twice as large as the last
		made := one.clone()
		changes[i] = &made
	}
	c.changes = changes
	if c.recurrence != nil {
		r := *c.recurrence
		r.Days = slices.Clone(r.Days)
		c.recurrence = &r
	}
	return c
}

func (it *item) clone() *item {
	made := *it
	made.content = it.content.clone()
	made.history = maps.Clone(it.history)
	return &made
}

// meeting reports whether the item has attendees or is a copy that an attendee got.
func (c *content) meeting() bool {
	return c.received || len(c.required)+len(c.optional)+len(c.resources) > 0
}

// attendees are all of them.
func (c *content) attendees() []Attendee {
	return slices.Concat(c.required, c.optional, c.resources)
}

// remember keeps a series as it was if its recurrence is about to change: those who know its occurrences are told which ended.
func (it *item) remember(made *content) {
	if it.recurrence == nil || made.recurrence != nil && sameSeries(*it.recurrence, *made.recurrence) {
		return
	}
	it.former = it.clone()
}

// calendarType is the CalendarItemType of an item that is no occurrence.
func (c *content) calendarType() string {
	if c.recurrence != nil {
		return "RecurringMaster"
	}
	return "Single"
}

// state is the AppointmentState.
func (c *content) state() int {
	n := 0
	if c.meeting() {
		n |= 1
	}
	if c.received {
		n |= 2
	}
	if c.cancelled {
		n |= 4
	}
	return n
}

// settle brings the times of a calendar item into the form Exchange keeps them in, and refuses impossible ones.
func (c *content) settle() error {
	if c.endZone == "" {
		c.endZone = c.startZone
	}
	if c.allDay {
		c.start = midnight(c.start, mustZone(c.startZone), false)
		c.end = midnight(c.end, mustZone(c.endZone), true)
		if !c.end.After(c.start) {
			c.end = c.start.In(mustZone(c.startZone)).AddDate(0, 0, 1).UTC()
		}
	}
	switch {
	case c.end.Before(c.start):
		return fail("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
	case c.end.Sub(c.start) > 5*366*24*time.Hour:
		return fail("ErrorCalendarDurationIsTooLong", "The duration of the calendar item is longer than five years.")
	}
	return nil
}

// midnight is the midnight in loc at or before t, or, if up, at or after it.
func midnight(t time.Time, loc *time.Location, up bool) time.Time {
	l := t.In(loc)
	m := dayBegins(l, loc)
	if up && m.Before(t) {
		m = dayBegins(time.Date(l.Year(), l.Month(), l.Day()+1, 12, 0, 0, 0, loc), loc)
	}
	return m.UTC()
}

// dayBegins is the first moment of a day, which is no midnight where the clock is put forward at midnight.
func dayBegins(l time.Time, loc *time.Location) time.Time {
	m := time.Date(l.Year(), l.Month(), l.Day(), 0, 0, 0, 0, loc)
	if m.Day() != l.Day() {
		m = time.Date(l.Year(), l.Month(), l.Day(), 1, 0, 0, 0, loc)
	}
	return m
}

// newUID makes a UID as Outlook does: a GlobalObjectId in hexadecimal digits.
func newUID(id string) string {
	return "040000008200E00074C5B7101A82E00800000000" + strings.ToUpper(strings.ReplaceAll(guidOf(id)+guidOf(id+"#"), "-", ""))[:40+24]
}
