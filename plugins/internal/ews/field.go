package ews

import (
	"slices"
	"strconv"
	"time"
)

// A Field is one property of a calendar item with the value to write.
type Field struct {
	uri     string // FieldURI; empty for a named property
	named   Property
	element string
	content func(w *writer) // writes the element; nil removes the property
}

// elementOrder is the schema's order of the elements we write.
var elementOrder = []string{
	"Subject", "Sensitivity", "Body", "ReminderIsSet", "ReminderMinutesBeforeStart", "ExtendedProperty",
	"Start", "End", "IsAllDayEvent", "LegacyFreeBusyStatus", "Location",
	"RequiredAttendees", "OptionalAttendees", "Resources", "Recurrence", "StartTimeZone", "EndTimeZone",
}

func field(uri, element, value string) Field {
	return Field{uri: uri, element: element, content: func(w *writer) { w.text("t:"+element, value) }}
}

// Subject is the item's title.
func Subject(text string) Field { return field("item:Subject", "Subject", text) }

// Sensitivity is Normal, Personal, Private or Confidential.
func Sensitivity(name string) Field { return field("item:Sensitivity", "Sensitivity", name) }

// Body is plain text.
func Body(text string) Field {
	return Field{uri: "item:Body", element: "Body", content: func(w *writer) {
		w.text("t:Body", text, "BodyType", "Text")
	}}
}

// ReminderIsSet tells whether there is a reminder.
func ReminderIsSet(set bool) Field { return field("item:ReminderIsSet", "ReminderIsSet", boolean(set)) }

// ReminderMinutes is how long before the start the reminder appears.
func ReminderMinutes(n int) Field {
	return field("item:ReminderMinutesBeforeStart", "ReminderMinutesBeforeStart", strconv.Itoa(n))
}

// Named is a named string property.
func Named(p Property) Field {
	return Field{named: p, element: "ExtendedProperty", content: func(w *writer) {
		w.inside("t:ExtendedProperty", func() {
			p.uri(w)
			w.text("t:Value", p.Value)
		})
	}}
}

// Start is the moment the item begins.
func Start(t time.Time) Field { return field("calendar:Start", "Start", moment(t)) }

// End is the moment the item ends.
func End(t time.Time) Field { return field("calendar:End", "End", moment(t)) }

// IsAllDayEvent tells that the item covers whole days, midnight to midnight in its zone.
func IsAllDayEvent(yes bool) Field {
	return field("calendar:IsAllDayEvent", "IsAllDayEvent", boolean(yes))
}

// LegacyFreeBusyStatus is Free, Tentative, Busy, OOF or WorkingElsewhere.
func LegacyFreeBusyStatus(name string) Field {
	return field("calendar:LegacyFreeBusyStatus", "LegacyFreeBusyStatus", name)
}

// Location is where, as free text.
func Location(text string) Field {
	f := field("calendar:Location", "Location", text)
	if text == "" {
		f.content = nil
	}
	return f
}

// StartTimeZone is the Windows id of the zone that the item is meant in.
func StartTimeZone(id string) Field { return zoneField("StartTimeZone", id) }

// EndTimeZone goes with StartTimeZone.
func EndTimeZone(id string) Field { return zoneField("EndTimeZone", id) }

// IsZone reports whether f is StartTimeZone or EndTimeZone.
func (f Field) IsZone() bool { return f.element == "StartTimeZone" || f.element == "EndTimeZone" }

func zoneField(element, id string) Field {
	return Field{uri: "calendar:" + element, element: element, content: func(w *writer) {
		w.empty("t:"+element, "Id", id)
	}}
}

// RequiredAttendees, when empty, removes all of them.
func RequiredAttendees(all []Address) Field { return attendees("RequiredAttendees", all) }

// OptionalAttendees, when empty, removes all of them.
func OptionalAttendees(all []Address) Field { return attendees("OptionalAttendees", all) }

// Resources, when empty, removes all rooms and equipment.
func Resources(all []Address) Field { return attendees("Resources", all) }

func attendees(element string, all []Address) Field {
	f := Field{uri: "calendar:" + element, element: element}
	if len(all) == 0 {
		return f
	}
	f.content = func(w *writer) {
		w.inside("t:"+element, func() {
			for _, a := range all {
				w.inside("t:Attendee", func() {
					w.inside("t:Mailbox", func() {
						if a.Name != "" {
							w.text("t:Name", a.Name)
						}
						w.text("t:EmailAddress", a.Email)
					})
				})
			}
		})
	}
	return f
}

// item writes a CalendarItem with the fields that have a value, in the schema's order.
func item(w *writer, fields []Field) {
	ordered := slices.Clone(fields)
	slices.SortStableFunc(ordered, func(a, b Field) int {
		return slices.Index(elementOrder, a.element) - slices.Index(elementOrder, b.element)
	})
	w.inside("t:CalendarItem", func() {
		for _, f := range ordered {
			if f.content != nil {
				f.content(w)
			}
		}
	})
}

// update writes the change of one property.
func (f Field) update(w *writer) {
	path := func() {
		if f.uri == "" {
			f.named.uri(w)
		} else {
			w.empty("t:FieldURI", "FieldURI", f.uri)
		}
	}
	if f.content == nil {
		w.inside("t:DeleteItemField", path)
		return
	}
	w.inside("t:SetItemField", func() {
		path()
		item(w, []Field{f})
	})
}
