package booking

import (
	"slices"
	"strings"
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

// normalizeSeries brings the rule and the exceptions into their canonical form. The rest of b is in it already. What cannot
// be read is left for Validate.
func (b *Booking) normalizeSeries() {
	b.Recurrence = strings.TrimSpace(b.Recurrence)
	if !b.Series() && len(b.Exceptions) == 0 {
		b.Exceptions = nil
		return
	}
	s, err := seriesOf(b)
	if err == nil {
		b.Recurrence = s.rule.String(s.start)
	}
	var kept []Exception
	for _, x := range b.Exceptions {
		x = x.normal()
		if err == nil {
			s.reduce(&x)
		}
		if x.Skipped || x.differs() || err != nil {
			kept = append(kept, x)
		}
	}
	slices.SortStableFunc(kept, func(x, y Exception) int { return x.Occurrence.Compare(y.Occurrence) })
	b.Exceptions = kept
}

// normal returns x with its texts, times and lists in canonical form. It shares nothing with x.
func (x Exception) normal() Exception {
	x.Occurrence = x.Occurrence.UTC().Truncate(time.Second)
	if x.Skipped {
		return Exception{Occurrence: x.Occurrence, Skipped: true}
	}
	x = x.clone()
	for _, t := range []*time.Time{x.Start, x.End} {
		if t != nil {
			*t = t.UTC().Truncate(time.Second)
		}
	}
	for _, s := range []*string{x.Title, x.Location} {
		if s != nil {
			*s = strings.TrimSpace(*s)
		}
	}
	if x.Resources != nil {
		*x.Resources = append([]string{}, normalResources(*x.Resources)...)
	}
	if x.Attendees != nil {
		*x.Attendees = append([]Attendee{}, normalAttendees(*x.Attendees)...)
	}
	return x
}

// reduce takes out of x what is as in the series.
func (s *series) reduce(x *Exception) {
	b := s.b
	if x.AllDay != nil && *x.AllDay == b.AllDay {
		x.AllDay = nil
	}
	if x.AllDay == nil && x.Start != nil && x.End != nil && x.Start.Equal(x.Occurrence) && x.End.Equal(s.end(x.Occurrence)) {
		x.Start, x.End = nil, nil
	}
	drop(&x.Title, b.Title)
	drop(&x.Notes, b.Notes)
	drop(&x.Location, b.Location)
	drop(&x.Busy, b.Busy)
	drop(&x.Class, b.Class)
	if x.Reminder != nil && samePointer(x.Reminder.Minutes, b.ReminderMinutes) {
		x.Reminder = nil
	}
	if x.Resources != nil && slices.Equal(*x.Resources, b.Resources) {
		x.Resources = nil
	}
	if x.Attendees != nil && slices.Equal(*x.Attendees, b.Attendees) {
		x.Attendees = nil
	}
}

func drop[T comparable](own **T, series T) {
	if *own != nil && **own == series {
		*own = nil
	}
}

// differs reports whether x says anything but that the occurrence is left out.
func (x *Exception) differs() bool {
	return x.timed() || x.Title != nil || x.Notes != nil || x.Location != nil || x.Busy != nil || x.Class != nil ||
		x.Reminder != nil || x.Resources != nil || x.Attendees != nil
}

// timed reports whether x says anything of the time.
func (x *Exception) timed() bool { return x.Start != nil || x.End != nil || x.AllDay != nil }
