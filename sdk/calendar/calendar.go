// Package calendar is the plain data that the host and a backend plugin exchange: iCalendar (RFC 5545) in Go.
//
// Values are copied across a process boundary, so nothing here has behaviour that depends on where it runs, and
// nothing reads the machine's clock or time zone.
package calendar

import "time"

// A Mailbox is the calendar of one person or room.
type Mailbox struct {
	Address string // primary SMTP address, as the server knows it
	URL     string // service URL, e.g. https://mail.example.com/EWS/Exchange.asmx; empty where a backend needs none
}

// A Ref names an item within its mailbox. It is opaque to the host, case-sensitive, and may change when the item is
// moved to another folder.
type Ref string

// Cursor marks a point in a mailbox's history. It is opaque to the host; empty means the beginning.
type Cursor string

// Kind tells what an item is in terms of recurrence.
type Kind int

// The kinds of items.
const (
	Single     Kind = iota // an event of its own
	Master                 // a series; its Event carries the Recurrence
	Occurrence             // one occurrence of a series, as the rule made it
	Exception              // one occurrence that differs from the rule
)

// An Event is one appointment, meeting, or series.
type Event struct {
	UID      string
	Subject  string // SUMMARY
	Body     string // DESCRIPTION, plain text
	Location string // LOCATION, free text

	// Start and End are moments in UTC; End is exclusive. Where AllDay is set they are dates instead, written as
	// midnight UTC of the first day and of the day after the last.
	Start, End time.Time
	AllDay     bool
	// Zone is the IANA name of the zone the event is meant in; empty means UTC.
	Zone string

	Busy     Busy
	Class    Class
	Reminder *Reminder // VALARM; nil means none

	Organizer Address
	Attendees []Attendee
	// Cancelled reports that the organizer called the event off (STATUS:CANCELLED).
	Cancelled bool

	// Recurrence is the RRULE of a Master, without the "RRULE:" prefix; empty where the backend does not read it. Start and
	// End are then those of the first occurrence, and Zone is the one in which the rule counts.
	Recurrence string
	// Exceptions are the occurrences of a Master that are not as the rule makes them, in the order of Occurrence.
	Exceptions []OccurrenceException
}

// An OccurrenceException says what has become of one occurrence of a series.
type OccurrenceException struct {
	// Occurrence is when the rule has the occurrence start (RECURRENCE-ID): a moment in UTC, or for an all-day series
	// a date, as in Event.Start.
	Occurrence time.Time
	// Event is the occurrence as it is instead, without Recurrence and Exceptions; nil when it was left out (EXDATE).
	Event *Event
}

// A Reminder is an alarm before the start.
type Reminder struct {
	Before time.Duration // never negative, whole minutes
}

// Busy is the state that others see (TRANSP and its Microsoft refinement).
type Busy int

// The busy states.
const (
	BusyUnspecified Busy = iota
	Free
	Tentative
	Occupied // "Busy" in Outlook
	OutOfOffice
	WorkingElsewhere
)

// Class is the access classification (CLASS).
type Class int

// The classes; an unspecified one is Public.
const (
	Public Class = iota
	Personal
	Private
	Confidential
)

// An Address is a person or room in mail.
type Address struct {
	Name  string
	Email string // SMTP address; compare without regard to case
}

// Role tells how an attendee takes part (ROLE and CUTYPE).
type Role int

// The roles.
const (
	Required Role = iota
	Optional
	Resource // a room or a piece of equipment
)

// Response is an attendee's answer (PARTSTAT).
type Response int

// The answers.
const (
	NoResponse Response = iota
	Accepted
	TentativelyAccepted
	Declined
)

// An Attendee is somebody, or a room, invited.
type Attendee struct {
	Address
	Role     Role
	Response Response
}

// An Item is an event as a backend holds it.
type Item struct {
	Ref      Ref
	Revision string // changes with the item; opaque, may change without a change of content
	Kind     Kind
	// Key is the marker that Apply wrote when it created the item (named property RoomwireBookingId); empty if absent.
	Key string
	// ForeignKey is the marker of the booking system itself (ROOMS: AppointmentOid); empty if absent.
	ForeignKey string
	// ReadOnly is set on an attendee's copy: only the organizer may change the event.
	ReadOnly bool
	// Response is the answer that the mailbox's owner has given to an invitation; NoResponse on what is no invitation.
	Response Response
	Modified time.Time // of the last change, by the server's clock; zero if unknown
	Event    Event
	// Omits are the fields of Event that mean nothing: what this calendar does not keep, which the sdk fills in for a
	// backend that is a backend.Partial, and what a backend cannot express of this item, such as the rule of a series
	// that no RRULE says. The host neither writes them nor takes them for a change. FieldTime is never among them.
	Omits Fields
}

// A Change is one entry of a page of changes.
type Change struct {
	Ref     Ref
	Deleted bool // the item is gone from the calendar: deleted, or moved elsewhere
	// Item is the whole item when it bears one of the markers or everything was asked for; nil when the item was deleted
	// or is the person's own affair, which is never read in full.
	Item *Item
}

// Change returns what a pull tells of an item that is there: all of it if it bears one of the markers, else its Ref alone.
func (i Item) Change() Change {
	if i.Key == "" && i.ForeignKey == "" {
		return Change{Ref: i.Ref}
	}
	return Change{Ref: i.Ref, Item: &i}
}
