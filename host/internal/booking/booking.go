// Package booking is the booking model and its rules. It knows nothing of Exchange, does no I/O and reads no clock.
package booking

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Status tells whether a booking stands.
type Status string

// The statuses.
const (
	Confirmed Status = "confirmed"
	Cancelled Status = "cancelled"
)

// Busy is the state that others see in free/busy views; the values are the REST API's.
type Busy string

// The busy states.
const (
	Free             Busy = "free"
	Tentative        Busy = "tentative"
	Occupied         Busy = "busy"
	OutOfOffice      Busy = "oof"
	WorkingElsewhere Busy = "working-elsewhere"
)

// Class is the access class (iCalendar CLASS).
type Class string

// The classes.
const (
	Public       Class = "public"
	Personal     Class = "personal"
	Private      Class = "private"
	Confidential Class = "confidential"
)

// Role tells how an attendee takes part.
type Role string

// The roles.
const (
	Required Role = "required"
	Optional Role = "optional"
)

// An Attendee is a participant. Rooms are a Booking's Resources, not attendees.
type Attendee struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
	Role  Role   `json:"role"`
}

// A Booking is a reservation of resources by one organizer.
type Booking struct {
	Tenant  string
	ID      string
	Version int64 // grows by one with every change; 0 before the first save

	Title string
	Notes string

	// Start and End are moments in UTC, to the second; End is exclusive. Where AllDay is set they are dates, written
	// as midnight UTC of the first day and of the day after the last.
	Start, End time.Time
	AllDay     bool
	Zone       string // IANA; empty means UTC

	// Recurrence is the rule of a series: a canonical RRULE (sdk/recurrence) without prefix, that counts in Zone; empty: a
	// single booking. Start and End are then those of the first occurrence.
	Recurrence string
	// Exceptions are the occurrences that are not as the series has them, sorted by Occurrence, each once.
	Exceptions []Exception

	// LeadMinutes and FollowMinutes: how much longer the resources are occupied before the start and after the end. No
	// calendar is told of them.
	LeadMinutes, FollowMinutes int

	Organizer string     // person id; empty where External is set
	External  *Address   // an organizer from outside of the directory: the booking came from a room's calendar
	Resources []string   // resource ids, sorted, without repeats
	Attendees []Attendee // sorted by e-mail address, without repeats
	Location  string     // free text; empty: the resources' names are shown

	Busy            Busy
	Class           Class
	ReminderMinutes *int // before the start; nil: no reminder

	Status Status
	// SyncOff: whoever made the booking does not want it in a calendar.
	SyncOff bool
	// SyncUnsaid: whoever puts the booking did not say, so SyncOff is to be as it was, or for a new one as the organizer's
	// default has it. It is never stored.
	SyncUnsaid bool
	// ExceptionsUnsaid: whoever puts the booking did not say what is different about which occurrence, so that stays as it
	// was, as far as the occurrences do. It is never stored.
	ExceptionsUnsaid bool
	// SyncDisabled takes this one booking out of the sync; SyncProblem says why, for people.
	SyncDisabled bool
	SyncProblem  string
	// ItemExpected: the appointment was made in the calendar and will be found there by the booking's id (process C);
	// it is not created until ExpectedUntil.
	ItemExpected  bool
	ExpectedUntil time.Time

	Created, Updated time.Time
}

// Normalize brings b into its canonical form: times in UTC to the second, lists sorted and without repeats, defaults
// filled in, the rule written as sdk/recurrence does, and exceptions sorted and without what is as in the series. It never
// changes what the booking means.
func (b *Booking) Normalize() {
	b.Title = strings.TrimSpace(b.Title)
	b.Location = strings.TrimSpace(b.Location)
	b.Start, b.End = b.Start.UTC().Truncate(time.Second), b.End.UTC().Truncate(time.Second)
	b.Resources, b.Attendees = normalResources(b.Resources), normalAttendees(b.Attendees)
	if b.External != nil {
		b.External = &Address{Name: strings.TrimSpace(b.External.Name), Email: strings.TrimSpace(b.External.Email)}
	}
	if b.Busy == "" {
		b.Busy = Occupied
	}
	if b.Class == "" {
		b.Class = Public
	}
	if b.Status == "" {
		b.Status = Confirmed
	}
	b.normalizeSeries()
}

func normalResources(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

func normalAttendees(list []Attendee) []Attendee {
	list = slices.Clone(list)
	for i := range list {
		a := &list[i]
		a.Email, a.Name = strings.TrimSpace(a.Email), strings.TrimSpace(a.Name)
		if a.Role == "" {
			a.Role = Required
		}
	}
	slices.SortStableFunc(list, func(x, y Attendee) int {
		return cmp.Compare(strings.ToLower(x.Email), strings.ToLower(y.Email))
	})
	return slices.CompactFunc(list, func(x, y Attendee) bool { return strings.EqualFold(x.Email, y.Email) })
}

// Same reports whether a and b say the same, leaving aside version, tenant, sync state and timestamps. Both must be
// normalized.
func Same(a, b *Booking) bool {
	return a.Title == b.Title && a.Notes == b.Notes && a.Start.Equal(b.Start) && a.End.Equal(b.End) &&
		a.AllDay == b.AllDay && a.Zone == b.Zone && a.Organizer == b.Organizer &&
		slices.Equal(a.Resources, b.Resources) && slices.Equal(a.Attendees, b.Attendees) &&
		a.Recurrence == b.Recurrence && slices.EqualFunc(a.Exceptions, b.Exceptions, SameException) &&
		a.LeadMinutes == b.LeadMinutes && a.FollowMinutes == b.FollowMinutes && samePointer(a.External, b.External) &&
		a.Location == b.Location && a.Busy == b.Busy && a.Class == b.Class && a.Status == b.Status && a.SyncOff == b.SyncOff &&
		samePointer(a.ReminderMinutes, b.ReminderMinutes)
}

func samePointer[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// Clone returns a copy that shares nothing with b.
func (b *Booking) Clone() *Booking {
	c := *b
	c.Resources, c.Attendees = slices.Clone(b.Resources), slices.Clone(b.Attendees)
	c.ReminderMinutes, c.External = copied(b.ReminderMinutes), copied(b.External)
	c.Exceptions = slices.Clone(b.Exceptions)
	for i, x := range c.Exceptions {
		c.Exceptions[i] = x.clone()
	}
	return &c
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
