package seriestest

import (
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A Write is one kind of change that is written to an item.
type Write struct {
	Name   string
	Fields calendar.Fields
	Change func(e *calendar.Event)
	Remark bool // the markers are written, and nothing else
	Tells  bool // somebody is mailed
	// Rule says that the rule is written, or the time of a series: with that Exchange forgets what became of its occurrences, and all
	// that somebody did to them by themselves.
	Rule bool
}

// Writes are all kinds of writes there are, to a single item or to a series of at least five days that has an exception about the second.
func Writes(repeats bool) []Write {
	list := []Write{
		{Name: "title", Fields: calendar.FieldSubject, Change: func(e *calendar.Event) { e.Subject = "Another" }},
		{Name: "text", Fields: calendar.FieldBody, Change: func(e *calendar.Event) { e.Body = "another <text>" }},
		{Name: "place", Fields: calendar.FieldLocation, Change: func(e *calendar.Event) { e.Location = "elsewhere" }},
		{Name: "busy", Fields: calendar.FieldBusy, Change: func(e *calendar.Event) { e.Busy = calendar.OutOfOffice }},
		{Name: "class", Fields: calendar.FieldClass, Change: func(e *calendar.Event) { e.Class = calendar.Private }},
		{Name: "reminder", Fields: calendar.FieldReminder, Change: func(e *calendar.Event) { e.Reminder = &calendar.Reminder{Before: time.Hour} }},
		{Name: "guests", Fields: calendar.FieldAttendees, Change: invite, Tells: true},
		{Name: "rooms", Fields: calendar.FieldResources, Tells: true, Change: func(e *calendar.Event) {
			e.Attendees = append(e.Attendees, calendar.Attendee{Address: calendar.Address{Email: "room-a@example.com"}, Role: calendar.Resource})
		}},
		{Name: "markers", Remark: true, Change: func(*calendar.Event) {}},
		{Name: "nothing", Fields: calendar.AllFields, Change: func(*calendar.Event) {}},
		{Name: "all but time", Fields: calendar.AllFields &^ calendar.FieldTime, Tells: true, Change: all},
	}
	if !repeats {
		return append(list,
			Write{Name: "time", Fields: calendar.FieldTime, Change: later},
			Write{Name: "all", Fields: calendar.AllFields, Tells: true, Change: func(e *calendar.Event) { all(e); later(e) }},
			Write{Name: "into a series", Fields: calendar.FieldRecurrence, Rule: true, Change: func(e *calendar.Event) { e.Recurrence = "FREQ=DAILY;COUNT=3" }},
		)
	}
	return append(list,
		Write{Name: "an occurrence moved", Fields: calendar.FieldRecurrence, Change: excepts(later)},
		Write{Name: "an occurrence retitled", Fields: calendar.FieldRecurrence, Change: excepts(func(x *calendar.Event) { x.Subject = "Alone" })},
		Write{Name: "an occurrence left out", Fields: calendar.FieldRecurrence, Change: excepts(nil)},
		Write{Name: "the exception moved", Fields: calendar.FieldRecurrence, Change: func(e *calendar.Event) {
			for _, x := range e.Exceptions {
				later(x.Event)
			}
		}},
		Write{Name: "title and an occurrence", Fields: calendar.FieldSubject | calendar.FieldRecurrence, Change: func(e *calendar.Event) {
			excepts(later)(e)
			e.Subject = "Another"
			e.Exceptions[len(e.Exceptions)-1].Event.Subject = "Another"
		}},
		Write{Name: "rule", Fields: calendar.FieldRecurrence, Rule: true, Change: func(e *calendar.Event) { e.Recurrence = "FREQ=DAILY;COUNT=9" }},
		Write{Name: "time", Fields: calendar.FieldTime | calendar.FieldRecurrence, Rule: true, Change: func(e *calendar.Event) {
			later(e)
			for i := range e.Exceptions {
				x := &e.Exceptions[i]
				x.Occurrence = x.Occurrence.Add(time.Hour)
				later(x.Event)
			}
		}},
		Write{Name: "into a single item", Fields: calendar.FieldRecurrence, Rule: true, Change: func(e *calendar.Event) {
			e.Recurrence, e.Exceptions = "", nil
		}},
	)
}

func invite(e *calendar.Event) {
	e.Attendees = append(e.Attendees, calendar.Attendee{Address: calendar.Address{Email: "bob@example.com"}})
}

func all(e *calendar.Event) {
	invite(e)
	e.Subject, e.Body, e.Location, e.Busy, e.Reminder = "Another", "another", "elsewhere", calendar.Free, nil
}

func later(e *calendar.Event) { e.Start, e.End = e.Start.Add(time.Hour), e.End.Add(time.Hour) }

// excepts changes the fourth occurrence of a series; nil leaves it out.
func excepts(change func(*calendar.Event)) func(*calendar.Event) {
	return func(e *calendar.Event) {
		s, err := series.Of(*e)
		if err != nil {
			panic(err)
		}
		for n, d := range s.Days() {
			if n < 4 {
				continue
			}
			x := calendar.OccurrenceException{Occurrence: s.On(d)}
			if change != nil {
				made := s.Plain(d)
				change(&made)
				x.Event = &made
			}
			e.Exceptions = append(e.Exceptions, x)
			return
		}
	}
}
