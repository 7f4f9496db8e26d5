package wire

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// The functions of this file map package calendar, one message each. Text that servers sent is made valid UTF-8, for
// protobuf refuses a whole message otherwise. Values outside an enumeration become its first.

func mailboxToProto(m calendar.Mailbox) *roomwirev1.Mailbox {
	return &roomwirev1.Mailbox{Address: utf(m.Address), Url: utf(m.URL)}
}

func mailboxFromProto(p *roomwirev1.Mailbox) calendar.Mailbox {
	return calendar.Mailbox{Address: p.GetAddress(), URL: p.GetUrl()}
}

func eventToProto(e calendar.Event) *roomwirev1.Event {
	return &roomwirev1.Event{
		Uid: utf(e.UID), Subject: utf(e.Subject), Body: utf(e.Body), Location: utf(e.Location),
		Start: timeToProto(e.Start), End: timeToProto(e.End), AllDay: e.AllDay, Zone: utf(e.Zone),
		Busy:      roomwirev1.Busy(enum(e.Busy, calendar.WorkingElsewhere)),
		Class:     roomwirev1.Class(enum(e.Class, calendar.Confidential) + 1),
		Reminder:  reminderToProto(e.Reminder),
		Organizer: addressToProto(e.Organizer),
		Attendees: each(e.Attendees, attendeeToProto),
		Cancelled: e.Cancelled, Recurrence: utf(e.Recurrence), Exceptions: each(e.Exceptions, exceptionToProto),
	}
}

func eventFromProto(p *roomwirev1.Event) calendar.Event {
	return calendar.Event{
		UID: p.GetUid(), Subject: p.GetSubject(), Body: p.GetBody(), Location: p.GetLocation(),
		Start: timeFromProto(p.GetStart()), End: timeFromProto(p.GetEnd()), AllDay: p.GetAllDay(), Zone: p.GetZone(),
		Busy:      enum(calendar.Busy(p.GetBusy()), calendar.WorkingElsewhere),
		Class:     enum(calendar.Class(p.GetClass()-1), calendar.Confidential),
		Reminder:  reminderFromProto(p.GetReminder()),
		Organizer: addressFromProto(p.GetOrganizer()),
		Attendees: each(p.GetAttendees(), attendeeFromProto),
		Cancelled: p.GetCancelled(), Recurrence: p.GetRecurrence(), Exceptions: each(p.GetExceptions(), exceptionFromProto),
	}
}

// An exception's event has no rule and no exceptions of its own: what stands there is dropped, so that nothing nests.
func exceptionToProto(x calendar.OccurrenceException) *roomwirev1.OccurrenceException {
	p := &roomwirev1.OccurrenceException{Occurrence: timeToProto(x.Occurrence)}
	if x.Event != nil {
		e := *x.Event
		e.Recurrence, e.Exceptions = "", nil
		p.Event = eventToProto(e)
	}
	return p
}

func exceptionFromProto(p *roomwirev1.OccurrenceException) calendar.OccurrenceException {
	x := calendar.OccurrenceException{Occurrence: timeFromProto(p.GetOccurrence())}
	if p.GetEvent() != nil {
		p.Event.Recurrence, p.Event.Exceptions = "", nil
		e := eventFromProto(p.GetEvent())
		x.Event = &e
	}
	return x
}

func reminderToProto(r *calendar.Reminder) *roomwirev1.Reminder {
	if r == nil {
		return nil
	}
	return &roomwirev1.Reminder{Before: durationpb.New(r.Before)}
}

func reminderFromProto(p *roomwirev1.Reminder) *calendar.Reminder {
	if p == nil {
		return nil
	}
	return &calendar.Reminder{Before: p.GetBefore().AsDuration()}
}

func addressToProto(a calendar.Address) *roomwirev1.Address {
	return &roomwirev1.Address{Name: utf(a.Name), Email: utf(a.Email)}
}

func addressFromProto(p *roomwirev1.Address) calendar.Address {
	return calendar.Address{Name: p.GetName(), Email: p.GetEmail()}
}

func attendeeToProto(a calendar.Attendee) *roomwirev1.Attendee {
	return &roomwirev1.Attendee{
		Address:  addressToProto(a.Address),
		Role:     roomwirev1.Role(enum(a.Role, calendar.Resource) + 1),
		Response: responseToProto(a.Response),
	}
}

func attendeeFromProto(p *roomwirev1.Attendee) calendar.Attendee {
	return calendar.Attendee{
		Address:  addressFromProto(p.GetAddress()),
		Role:     enum(calendar.Role(p.GetRole()-1), calendar.Resource),
		Response: responseFromProto(p.GetResponse()),
	}
}

func responseToProto(r calendar.Response) roomwirev1.Response {
	return roomwirev1.Response(enum(r, calendar.Declined) + 1)
}

func responseFromProto(p roomwirev1.Response) calendar.Response {
	return enum(calendar.Response(p-1), calendar.Declined)
}

func itemToProto(i calendar.Item) *roomwirev1.Item {
	return &roomwirev1.Item{
		Ref: []byte(i.Ref), Revision: []byte(i.Revision),
		Kind: roomwirev1.Kind(enum(i.Kind, calendar.Exception) + 1),
		Key:  utf(i.Key), ForeignKey: utf(i.ForeignKey), ReadOnly: i.ReadOnly,
		Modified: timeToProto(i.Modified), Event: eventToProto(i.Event), Omits: uint32(i.Omits),
		Response: responseToProto(i.Response),
	}
}

func itemFromProto(p *roomwirev1.Item) calendar.Item {
	return calendar.Item{
		Ref: calendar.Ref(p.GetRef()), Revision: string(p.GetRevision()),
		Kind: enum(calendar.Kind(p.GetKind()-1), calendar.Exception),
		Key:  p.GetKey(), ForeignKey: p.GetForeignKey(), ReadOnly: p.GetReadOnly(),
		Modified: timeFromProto(p.GetModified()), Event: eventFromProto(p.GetEvent()),
		Response: responseFromProto(p.GetResponse()),
		Omits:    calendar.Fields(p.GetOmits()) & calendar.AllFields &^ calendar.FieldTime,
	}
}

func changeToProto(c calendar.Change) *roomwirev1.Change {
	p := &roomwirev1.Change{Ref: []byte(c.Ref), Deleted: c.Deleted}
	if c.Item != nil {
		p.Item = itemToProto(*c.Item)
	}
	return p
}

func changeFromProto(p *roomwirev1.Change) calendar.Change {
	c := calendar.Change{Ref: calendar.Ref(p.GetRef()), Deleted: p.GetDeleted()}
	if p.GetItem() != nil {
		item := itemFromProto(p.GetItem())
		c.Item = &item
	}
	return c
}

func mutationToProto(m calendar.Mutation) *roomwirev1.Mutation {
	p := &roomwirev1.Mutation{
		Op: roomwirev1.Op(enum(m.Op, calendar.Delete)), Mailbox: mailboxToProto(m.Mailbox),
		Key: utf(m.Key), ForeignKey: utf(m.ForeignKey), Ref: []byte(m.Ref), IfRevision: []byte(m.IfRevision),
		Event: eventToProto(m.Event), Fields: uint32(m.Fields),
		Mail: roomwirev1.Mail(enum(m.Mail, calendar.MailConcerned) + 1), First: m.First, Remark: m.Remark,
		Rooms: each(m.Rooms, utf),
	}
	if m.Known != nil {
		p.Known = eventToProto(*m.Known)
	}
	return p
}

func mutationFromProto(p *roomwirev1.Mutation) calendar.Mutation {
	m := calendar.Mutation{
		Op: enum(calendar.Op(p.GetOp()), calendar.Delete), Mailbox: mailboxFromProto(p.GetMailbox()),
		Key: p.GetKey(), ForeignKey: p.GetForeignKey(), Ref: calendar.Ref(p.GetRef()),
		IfRevision: string(p.GetIfRevision()), Event: eventFromProto(p.GetEvent()),
		Fields: calendar.Fields(p.GetFields()) & calendar.AllFields,
		Mail:   enum(calendar.Mail(p.GetMail()-1), calendar.MailConcerned), First: p.GetFirst(), Remark: p.GetRemark(),
		Rooms: p.GetRooms(),
	}
	if p.GetKnown() != nil {
		known := eventFromProto(p.GetKnown())
		m.Known = &known
	}
	return m
}

func timeToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func timeFromProto(p *timestamppb.Timestamp) time.Time {
	if p == nil {
		return time.Time{}
	}
	return p.AsTime()
}

// enum returns v, or the first of its values when v is none of them.
func enum[E ~int](v, last E) E {
	if v < 0 || v > last {
		return 0
	}
	return v
}

// each maps a list; an empty one becomes nil.
func each[A, B any](list []A, f func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}
