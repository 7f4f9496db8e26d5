package ews

import (
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
)

// An ItemID names an item and the state it was seen in.
type ItemID struct {
	ID        string // opaque and case-sensitive; changes when the item is moved to another folder
	ChangeKey string // may be missing on servers that are not Exchange
}

// A CalendarItem is what an answer says of one item of a calendar. What the answer does not hold is zero.
type CalendarItem struct {
	ItemID
	Subject      string
	Sensitivity  string // Normal, Personal, Private, Confidential
	Body         string
	Created      time.Time
	Modified     time.Time
	ReminderSet  bool
	ReminderLead int // minutes
	Properties   []Property

	UID        string
	Start, End time.Time
	AllDay     bool
	FreeBusy   string // Free, Tentative, Busy, OOF, WorkingElsewhere, NoData
	Location   string
	Meeting    bool
	Cancelled  bool
	Type       string // Single, Occurrence, Exception, RecurringMaster
	MyResponse string

	Organizer Address
	Required  []Attendee
	Optional  []Attendee
	Resources []Attendee

	State     State
	StartZone Zone
	EndZone   Zone

	Series *Series // nil: the answer tells of none
}

// series is where what is told of a series goes.
func (i *CalendarItem) series() *Series {
	if i.Series == nil {
		i.Series = &Series{}
	}
	return i.Series
}

// State is AppointmentState: whether the item is a meeting, an attendee's copy, called off.
type State struct {
	Known bool // the answer held it
	Bits  int
}

// The bits of State.
const (
	StateMeeting   = 1
	StateReceived  = 2 // an attendee's copy
	StateCancelled = 4
)

// An Address is a person or room.
type Address struct {
	Name  string
	Email string
	// Type is the routing type: SMTP, or EX when Email is a directory name rather than an address.
	Type string
}

// SMTP returns the address as mail knows it; empty if the answer held only a directory name.
func (a Address) SMTP() string {
	if strings.EqualFold(a.Type, "EX") || !strings.Contains(a.Email, "@") {
		return ""
	}
	return a.Email
}

// An Attendee is somebody invited.
type Attendee struct {
	Address
	Response string // Unknown, Organizer, Tentative, Accept, Decline, NoResponseReceived
}

// decodeItem reads one CalendarItem.
func decodeItem(s *xmlscan.Scanner) CalendarItem {
	var i CalendarItem
	for name := range s.Children() {
		switch name {
		case "ItemId":
			i.ItemID = decodeItemID(s)
		case "Subject":
			i.Subject = s.Text()
		case "Sensitivity":
			i.Sensitivity = s.Word()
		case "Body":
			i.Body = s.Text()
		case "DateTimeCreated":
			i.Created = dateTime(s.Text())
		case "LastModifiedTime":
			i.Modified = dateTime(s.Text())
		case "ReminderIsSet":
			i.ReminderSet = truth(s.Word())
		case "ReminderMinutesBeforeStart":
			i.ReminderLead = number(s.Word())
		case "ExtendedProperty":
			if p := decodeProperty(s); p.Name != "" {
				i.Properties = append(i.Properties, p)
			}
		default:
			decodeCalendarField(s, name, &i)
		}
	}
	return i
}

// decodeCalendarField reads the properties that only calendar items have.
func decodeCalendarField(s *xmlscan.Scanner, name string, i *CalendarItem) {
	switch name {
	case "UID":
		i.UID = s.Text()
	case "Start":
		i.Start = dateTime(s.Text())
	case "End":
		i.End = dateTime(s.Text())
	case "IsAllDayEvent":
		i.AllDay = truth(s.Word())
	case "LegacyFreeBusyStatus":
		i.FreeBusy = s.Word()
	case "Location":
		i.Location = s.Text()
	case "IsMeeting":
		i.Meeting = truth(s.Word())
	case "IsCancelled":
		i.Cancelled = truth(s.Word())
	case "CalendarItemType":
		i.Type = s.Word()
	case "MyResponseType":
		i.MyResponse = s.Word()
	case "Organizer":
		for range s.Children() {
			i.Organizer = decodeMailbox(s)
		}
	case "RequiredAttendees":
		i.Required = decodeAttendees(s)
	case "OptionalAttendees":
		i.Optional = decodeAttendees(s)
	case "Resources":
		i.Resources = decodeAttendees(s)
	case "AppointmentState":
		i.State = State{Known: true, Bits: number(s.Word())}
	case "Recurrence":
		i.series().Pattern = decodeRecurrence(s)
	case "ModifiedOccurrences":
		i.series().Modified = decodeModified(s)
	case "DeletedOccurrences":
		i.series().Deleted = decodeDeleted(s)
	case "StartTimeZone":
		i.StartZone = decodeZone(s)
	case "EndTimeZone":
		i.EndZone = decodeZone(s)
	}
}

func decodeItemID(s *xmlscan.Scanner) ItemID {
	return ItemID{ID: s.Attr("Id"), ChangeKey: s.Attr("ChangeKey")}
}

func decodeAttendees(s *xmlscan.Scanner) []Attendee {
	var all []Attendee
	for name := range s.Children() {
		if name != "Attendee" {
			continue
		}
		var a Attendee
		for child := range s.Children() {
			switch child {
			case "Mailbox":
				a.Address = decodeMailbox(s)
			case "ResponseType":
				a.Response = s.Word()
			}
		}
		all = append(all, a)
	}
	return all
}

func decodeMailbox(s *xmlscan.Scanner) Address {
	var a Address
	for child := range s.Children() {
		switch child {
		case "Name":
			a.Name = s.Text()
		case "EmailAddress":
			a.Email = strings.TrimSpace(s.Text())
		case "RoutingType":
			a.Type = s.Word()
		}
	}
	return a
}
