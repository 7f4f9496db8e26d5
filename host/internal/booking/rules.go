package booking

import (
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a booking. Exchange cuts or refuses what is longer.
const (
	MaxID          = 128
	MaxTitle       = 255 // characters
	MaxLocation    = 255
	MaxNotes       = 32 << 10 // bytes
	MaxAttendees   = 500
	MaxResources   = 50
	MaxDuration    = 5 * 365 * 24 * time.Hour // Exchange: ErrorCalendarDurationIsTooLong
	MaxReminderMin = 4 * 7 * 24 * 60
	MaxAside       = 24 * 60 // minutes of lead and of follow-up time
)

// A Violation is one rule that a booking breaks.
type Violation struct {
	Field  string // as in the REST API, e.g. "attendees[3].email"
	Reason string // a sentence that says what to do
}

// Validate returns every rule that b breaks by itself; overlap with others is not looked at. b must be normalized.
func Validate(b *Booking) []Violation {
	var v []Violation
	add := func(field, format string, args ...any) {
		v = append(v, Violation{field, fmt.Sprintf(format, args...)})
	}
	if why := badID(b.ID); why != "" {
		add("id", "%s", why)
	}
	if n := utf8.RuneCountInString(b.Title); n > MaxTitle {
		add("title", "has %d characters; Exchange keeps at most %d", n, MaxTitle)
	}
	if n := utf8.RuneCountInString(b.Location); n > MaxLocation {
		add("location", "has %d characters; Exchange keeps at most %d", n, MaxLocation)
	}
	if len(b.Notes) > MaxNotes {
		add("notes", "has %d bytes; at most %d are kept", len(b.Notes), MaxNotes)
	}
	switch {
	case b.Start.IsZero():
		add("start", "is missing")
	case b.End.IsZero():
		add("end", "is missing")
	case b.End.Before(b.Start), b.AllDay && !b.End.After(b.Start):
		add("end", "is not after the start; the end is exclusive")
	case b.End.Sub(b.Start) > MaxDuration:
		add("end", "is more than five years after the start, which Exchange refuses")
	}
	if b.AllDay && (!midnight(b.Start) || !midnight(b.End)) {
		add("start", "of an all-day booking must be a date, and so must its end")
	}
	if b.Zone != "" {
		if _, err := time.LoadLocation(b.Zone); err != nil || b.Zone == "Local" {
			add("zone", "%q is no IANA time zone; write for example \"Europe/Berlin\"", b.Zone)
		}
	}
	switch {
	case b.External == nil && b.Organizer == "":
		add("organizer", "is missing: give the id of a person")
	case b.External != nil && b.Organizer != "":
		add("external_organizer", "contradicts the organizer: leave out one of the two")
	case b.External != nil && badEmail(b.External.Email):
		add("external_organizer.email", "%q is no e-mail address", b.External.Email)
	}
	for _, m := range []struct {
		field   string
		minutes int
	}{{"lead_minutes", b.LeadMinutes}, {"follow_minutes", b.FollowMinutes}} {
		if m.minutes < 0 || m.minutes > MaxAside {
			add(m.field, "must lie between 0 and %d", MaxAside)
		}
	}
	validatePeople(b, add)
	validateFlags(b, add)
	validateSeries(b, len(v) == 0, add)
	return v
}

func badEmail(s string) bool {
	p, err := mail.ParseAddress(s)
	return err != nil || p.Address != s
}

// adder takes a violation.
type adder func(field, format string, args ...any)

func validatePeople(b *Booking, add adder) {
	if len(b.Attendees) > MaxAttendees {
		add("attendees", "has %d entries; Exchange takes at most %d", len(b.Attendees), MaxAttendees)
	}
	if len(b.Resources) > MaxResources {
		add("resources", "has %d entries; at most %d are allowed", len(b.Resources), MaxResources)
	}
	for i, a := range b.Attendees {
		if badEmail(a.Email) {
			add(fmt.Sprintf("attendees[%d].email", i), "%q is no e-mail address", a.Email)
		}
		if a.Role != Required && a.Role != Optional {
			add(fmt.Sprintf("attendees[%d].role", i), "%q is unknown; use %q or %q", a.Role, Required, Optional)
		}
	}
}

func validateFlags(b *Booking, add adder) {
	switch b.Busy {
	case Free, Tentative, Occupied, OutOfOffice, WorkingElsewhere:
	default:
		add("busy", "%q is unknown; use free, tentative, busy, oof or working-elsewhere", b.Busy)
	}
	switch b.Class {
	case Public, Personal, Private, Confidential:
	default:
		add("class", "%q is unknown; use public, personal, private or confidential", b.Class)
	}
	switch b.Status {
	case Confirmed, Cancelled:
	default:
		add("status", "%q is unknown; use confirmed or cancelled", b.Status)
	}
	if b.SyncOff && b.ItemExpected {
		add("item", "cannot be expected in the calendar while sync is off for the booking: leave out one of the two")
	}
	if m := b.ReminderMinutes; m != nil && (*m < 0 || *m > MaxReminderMin) {
		add("reminder_minutes", "must lie between 0 and %d", MaxReminderMin)
	}
}

func badID(id string) string {
	switch {
	case id == "":
		return "is missing"
	case len(id) > MaxID:
		return fmt.Sprintf("is longer than %d bytes", MaxID)
	case strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\?#%"'<>`, r) }):
		return "may not hold spaces, control characters or any of / \\ ? # % \" ' < >"
	case !utf8.ValidString(id):
		return "is not valid UTF-8"
	}
	return ""
}

func midnight(t time.Time) bool { return t.Equal(t.Truncate(24 * time.Hour)) }
