package syncer

import (
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// ExplainedFields are what booking and item are compared by, in canonical form.
type ExplainedFields struct {
	Title           string              `json:"title"`
	Notes           string              `json:"notes"`
	Location        string              `json:"location"`
	Start           time.Time           `json:"start"`
	End             time.Time           `json:"end"`
	AllDay          bool                `json:"all_day"`
	Zone            string              `json:"zone"` // not compared
	Busy            string              `json:"busy"`
	Class           string              `json:"class"`
	ReminderMinutes *int                `json:"reminder_minutes"` // null: none
	Attendees       []ExplainedAttendee `json:"attendees"`
	Rooms           []string            `json:"rooms"` // mail addresses
	// Recurrence is the rule of a series; Exceptions are its occurrences that are not as the rule makes them.
	Recurrence string               `json:"recurrence,omitempty"`
	Exceptions []ExplainedException `json:"exceptions,omitempty"`
}

// An ExplainedException is one occurrence of a series that is not as the rule makes it.
type ExplainedException struct {
	Occurrence time.Time        `json:"occurrence"` // when the rule has it start
	Skipped    bool             `json:"skipped,omitempty"`
	Differs    []string         `json:"differs,omitempty"` // from the series, in these fields
	Is         *ExplainedFields `json:"is,omitempty"`      // the occurrence in full; absent if it is left out
}

// An ExplainedAttendee is an invited person.
type ExplainedAttendee struct {
	Email    string `json:"email"`
	Name     string `json:"name,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// An ExplainedGroup compares the fields that are merged as one.
type ExplainedGroup struct {
	Name  string `json:"name"`  // "time", "series", "place", "people", "title", "flags" or "notes"
	Equal bool   `json:"equal"` // booking and item say the same
	// ChangedBy says who changed it since both agreed: "booking", "calendar", "both", "nobody", or "unknown" if they never did.
	ChangedBy string   `json:"changed_by"`
	Fields    []string `json:"fields,omitempty"` // in which booking and item differ
}

// An ExplainedDecision is what the sync would do.
type ExplainedDecision struct {
	Says          string          `json:"says"` // a sentence
	CreateItem    bool            `json:"create_item,omitempty"`
	DeleteItem    bool            `json:"delete_item,omitempty"`
	ItemFields    []string        `json:"item_fields,omitempty"`    // written to the item
	BookingFields []string        `json:"booking_fields,omitempty"` // taken over into the booking
	CancelBooking bool            `json:"cancel_booking,omitempty"`
	Unlink        bool            `json:"unlink,omitempty"`
	Refused       string          `json:"refused,omitempty"` // why the rules refuse what the calendar says
	Lost          []ExplainedLoss `json:"lost,omitempty"`    // edits that give way
}

// An ExplainedLoss is an edit that is not carried out.
type ExplainedLoss struct {
	Side    string   `json:"side"` // "booking" or "calendar"
	Fields  []string `json:"fields,omitempty"`
	Deleted bool     `json:"deleted,omitempty"` // it was a deletion
	// Occurrence is the one of a series that it concerns; absent if it is not about a single one.
	Occurrence time.Time `json:"occurrence,omitzero"`
}

var (
	kindWords = map[calendar.Kind]string{
		calendar.Single: "single", calendar.Master: "master", calendar.Occurrence: "occurrence", calendar.Exception: "exception",
	}
	mailWords = map[calendar.Mail]string{
		calendar.MailNobody: "nobody", calendar.MailAll: "all", calendar.MailConcerned: "concerned",
	}
)

// explainedGroups are what plan merges as one, in the order in which people ask.
var explainedGroups = []struct {
	name   string
	fields calendar.Fields
}{
	{"time", calendar.FieldTime},
	{"series", calendar.FieldRecurrence},
	{"place", calendar.FieldLocation | calendar.FieldResources},
	{"people", calendar.FieldAttendees},
	{"title", calendar.FieldSubject},
	{"flags", calendar.FieldBusy | calendar.FieldClass | calendar.FieldReminder},
	{"notes", calendar.FieldBody},
}

func explainFields(f plan.Fields) ExplainedFields {
	x := ExplainedFields{
		Title: f.Subject, Notes: f.Body, Location: f.Location, Start: f.Start, End: f.End, AllDay: f.AllDay, Zone: f.Zone,
		Busy: string(busyFromCalendar(f.Busy)), Class: string(classFromCalendar(f.Class)), ReminderMinutes: f.Reminder,
		Attendees: []ExplainedAttendee{}, Rooms: append([]string{}, f.Resources...),
	}
	for _, a := range f.Attendees {
		x.Attendees = append(x.Attendees, ExplainedAttendee{Email: a.Email, Name: a.Name, Optional: a.Optional})
	}
	x.Recurrence = f.Recurrence
	for _, o := range f.Exceptions {
		one := ExplainedException{Occurrence: o.Occurrence, Skipped: o.Skipped, Differs: listed(o.Own)}
		if !o.Skipped {
			is := explainFields(f.Occurrence(o))
			one.Is = &is
		}
		x.Exceptions = append(x.Exceptions, one)
	}
	return x
}

func explainIf(f *plan.Fields) *ExplainedFields {
	if f == nil {
		return nil
	}
	x := explainFields(*f)
	return &x
}

// explainGroups compares the two sides; nothing if one is missing.
func explainGroups(in plan.Input) []ExplainedGroup {
	if in.Booking == nil || in.Item == nil {
		return nil
	}
	var byBooking, byItem, unsaid calendar.Fields
	differ := plan.Diff(*in.Booking, *in.Item) &^ in.Omits
	if in.Base != nil {
		byBooking, byItem, differ = plan.Compare(in)
		unsaid = in.Base.Unsaid & differ
	}
	all := make([]ExplainedGroup, 0, len(explainedGroups))
	for _, g := range explainedGroups {
		if g.fields == calendar.FieldRecurrence && in.Booking.Recurrence+in.Item.Recurrence == "" {
			continue
		}
		x := ExplainedGroup{Name: g.name, Equal: !differ.Any(g.fields), ChangedBy: "unknown", Fields: listed(differ & g.fields)}
		if in.Base != nil && !unsaid.Any(g.fields) {
			switch b, i := byBooking.Any(g.fields), byItem.Any(g.fields); {
			case b && i:
				x.ChangedBy = "both"
			case b:
				x.ChangedBy = string(plan.BookingSide)
			case i:
				x.ChangedBy = string(plan.CalendarSide)
			default:
				x.ChangedBy = "nobody"
			}
		}
		all = append(all, x)
	}
	return all
}

func listed(f calendar.Fields) []string {
	if f == 0 {
		return nil
	}
	return strings.Split(f.String(), ",")
}

func explainPlan(d plan.Decision) *ExplainedDecision {
	x := &ExplainedDecision{
		CreateItem: d.CreateItem, DeleteItem: d.DeleteItem, ItemFields: listed(d.ItemFields), BookingFields: listed(d.BookingFields),
		CancelBooking: d.CancelBooking, Unlink: d.Unlink,
	}
	for _, l := range d.Lost {
		x.Lost = append(x.Lost, ExplainedLoss{Side: string(l.Side), Fields: listed(l.Fields), Deleted: l.Deleted, Occurrence: l.Occurrence})
	}
	var does []string
	for _, step := range []struct {
		is   bool
		says string
	}{
		{d.CreateItem, "make the item in the calendar"},
		{d.DeleteItem, "remove the item from the calendar"},
		{d.BookingFields != 0, "take the calendar's " + inWords(d.BookingFields) + " over into the booking"},
		{d.ItemFields != 0, "write the booking's " + inWords(d.ItemFields) + " to the item"},
		{d.CancelBooking, "cancel the booking, because its item was deleted in the calendar"},
		{d.Unlink, "forget the link: both sides are over"},
	} {
		if step.is {
			does = append(does, step.says)
		}
	}
	x.Says = strings.Join(does, ", and ")
	if d.Idle() {
		x.Says = "nothing is to be done: nobody changed anything that the other side lacks"
	}
	return x
}
