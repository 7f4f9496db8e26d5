package booking

import (
	"slices"
	"time"
)

// An Address is somebody whom the directory does not know.
type Address struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email"`
}

// A Reminder is what an Exception has instead of the series' reminder.
type Reminder struct {
	Minutes *int `json:"minutes,omitempty"` // before the start; nil: no reminder
}

// An Exception tells what is different about one occurrence of a series. What is nil is as in the series.
type Exception struct {
	// Occurrence is when the rule has it start (RECURRENCE-ID): a moment in UTC, or a date as midnight UTC in an all-day
	// series. It stays the same when the occurrence is moved.
	Occurrence time.Time `json:"occurrence"`
	// Skipped: the occurrence is left out (EXDATE). Everything below is then empty.
	Skipped bool `json:"skipped,omitempty"`

	// Start and End come together. AllDay tells whether they are dates; nil: as the series' are.
	Start    *time.Time `json:"start,omitempty"`
	End      *time.Time `json:"end,omitempty"`
	AllDay   *bool      `json:"all_day,omitempty"`
	Title    *string    `json:"title,omitempty"`
	Notes    *string    `json:"notes,omitempty"`
	Location *string    `json:"location,omitempty"`
	Busy     *Busy      `json:"busy,omitempty"`
	Class    *Class     `json:"class,omitempty"`
	Reminder *Reminder  `json:"reminder,omitempty"`

	Resources *[]string   `json:"resources,omitempty"`
	Attendees *[]Attendee `json:"attendees,omitempty"`
}

// SameException reports whether a and b say the same. Both must be normalized, as part of their bookings.
func SameException(a, b Exception) bool {
	return a.Occurrence.Equal(b.Occurrence) && a.Skipped == b.Skipped &&
		sameMoment(a.Start, b.Start) && sameMoment(a.End, b.End) && samePointer(a.AllDay, b.AllDay) &&
		samePointer(a.Title, b.Title) && samePointer(a.Notes, b.Notes) && samePointer(a.Location, b.Location) &&
		samePointer(a.Busy, b.Busy) && samePointer(a.Class, b.Class) && sameReminder(a.Reminder, b.Reminder) &&
		sameList(a.Resources, b.Resources) && sameList(a.Attendees, b.Attendees)
}

func sameMoment(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

func sameReminder(a, b *Reminder) bool {
	if a == nil || b == nil {
		return a == b
	}
	return samePointer(a.Minutes, b.Minutes)
}

func sameList[T comparable](a, b *[]T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.Equal(*a, *b)
}

// clone returns a copy that shares nothing with x.
func (x Exception) clone() Exception {
	x.Start, x.End, x.AllDay = copied(x.Start), copied(x.End), copied(x.AllDay)
	x.Title, x.Notes, x.Location = copied(x.Title), copied(x.Notes), copied(x.Location)
	x.Busy, x.Class = copied(x.Busy), copied(x.Class)
	if x.Reminder != nil {
		x.Reminder = &Reminder{Minutes: copied(x.Reminder.Minutes)}
	}
	if x.Resources != nil {
		list := slices.Clone(*x.Resources)
		x.Resources = &list
	}
	if x.Attendees != nil {
		list := slices.Clone(*x.Attendees)
		x.Attendees = &list
	}
	return x
}
