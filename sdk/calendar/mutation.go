package calendar

import "strings"

// Op is what a Mutation does.
type Op int

// The operations.
const (
	Create Op = iota + 1
	Update
	Delete
)

// Mail says who is told of a mutation by the server.
type Mail int

// The audiences.
const (
	MailNobody    Mail = iota // a repair, a resync, a rollback: nobody
	MailAll                   // every attendee
	MailConcerned             // attendees whose invitation changes
)

// Fields is the set of an Event's fields that an Update writes; everything else on the item is left as it is.
type Fields uint32

// The fields. Time covers Start, End, AllDay, Zone.
const (
	FieldSubject Fields = 1 << iota
	FieldBody
	FieldLocation
	FieldTime
	FieldBusy
	FieldClass
	FieldReminder
	FieldAttendees  // required and optional people
	FieldResources  // attendees whose Role is Resource
	FieldRecurrence // Recurrence and Exceptions

	AllFields = FieldSubject | FieldBody | FieldLocation | FieldTime | FieldBusy | FieldClass | FieldReminder |
		FieldAttendees | FieldResources | FieldRecurrence
)

// Has reports whether every field of g is in f.
func (f Fields) Has(g Fields) bool { return f&g == g }

// Any reports whether some field of g is in f.
func (f Fields) Any(g Fields) bool { return f&g != 0 }

// String lists the fields, for logs.
func (f Fields) String() string {
	names := []string{"subject", "body", "location", "time", "busy", "class", "reminder", "attendees", "resources", "recurrence"}
	var set []string
	for i, n := range names {
		if f&(1<<i) != 0 {
			set = append(set, n)
		}
	}
	return strings.Join(set, ",")
}

// A Mutation is one write to a calendar.
type Mutation struct {
	Op      Op
	Mailbox Mailbox
	// Key makes a Create idempotent: it is written on the item as our marker, and a Create whose Key an item of the
	// calendar already bears changes nothing. On Update and Delete it names the same item, for backends that must
	// search for it.
	Key string
	// First says of a Create that its Key has never been sent before, so no item can bear it and a backend need not look
	// for one. It is a permission and never a duty. The caller sets it only if it has durably recorded, before this
	// call, that it is about to send the Key: after a crash or any error the next try bears it no more.
	First bool
	// ForeignKey is written beside Key on Create, and on Update when the item lacks it; empty writes none.
	ForeignKey string
	// Remark says of an Update that the item named by Ref, and by nothing else, gets Key and ForeignKey in place of those it
	// bears; both are given. Nothing else is written, whatever Fields and Event say, and nobody is mailed, whatever Mail says. An item that bears
	// both already is left as it is.
	Remark bool
	Ref    Ref // of the item; empty for Create
	// IfRevision is the revision an Update was decided on. A backend answers fault.Conflict when the item has changed
	// since; empty skips the check. A Delete may leave it aside: a cancellation prevails over an edit.
	IfRevision string
	// Known is what an item to be updated said at IfRevision, as the backend told it; nil if the caller does not say. A backend may
	// take it in place of reading at that revision what costs it a request by itself, such as the exceptions of a series.
	Known  *Event
	Event  Event  // for Create and Update
	Fields Fields // for Update: what to write of Event
	Mail   Mail
	// Rooms says of an Update with MailNobody which addresses are those of rooms: nobody reads what they are mailed. A room of these that
	// the write adds to the item is invited all the same, and one that it takes off is told; the others may be told of what changes.
	// Nobody else is. A backend that does not know it mails nobody.
	Rooms []string
}
