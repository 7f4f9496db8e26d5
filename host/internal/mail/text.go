package mail

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
)

// roomConflict is the kind of trouble that may be about a meeting without a booking (syncer.MailRoomConflict).
const roomConflict = "room conflict"

// letter collects what a mail tells.
func (s *Sender) letter(ctx context.Context, m store.Mail, p store.PersonRow, language string) (Letter, error) {
	l := Letter{Name: p.DisplayName, Booking: m.Booking, Why: m.Detail, Kind: m.Kind}
	if l.Name == "" {
		l.Name = p.Email
	}
	b, found, err := s.Store.Booking(ctx, m.Tenant, m.Booking)
	if err != nil || !found {
		if m.Kind == roomConflict { // the meeting is not booked, and has no number that its organizer knows
			l.Booking = ""
		}
		return l, err
	}
	var names []string
	for _, id := range b.Resources {
		r, known, err := s.Store.Person(ctx, m.Tenant, id)
		if err != nil {
			return l, err
		}
		if known && r.DisplayName != "" {
			id = r.DisplayName
		}
		names = append(names, id)
	}
	say := calendars[language]
	l.Rooms, l.Day, l.Time = strings.Join(names, ", "), say.date(local(b, b.Start)), say.when(b)
	return l, nil
}

// A dating says days in a language.
type dating struct {
	days       [7]string
	months     [12]string
	day        string // of a day of the month, with its month and year
	to, allDay string
}

var calendars = map[string]dating{
	config.English: {
		days:   [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		months: [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
		day:    "%d %s %d", to: "to", allDay: "all day",
	},
	config.German: {
		days:   [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
		months: [12]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
		day:    "%d. %s %d", to: "bis", allDay: "ganztägig",
	},
}

func (d dating) date(t time.Time) string {
	return fmt.Sprintf(d.day, t.Day(), d.months[t.Month()-1], t.Year())
}

func (d dating) weekday(t time.Time) string { return d.days[t.Weekday()] + ", " + d.date(t) }

// when tells the time on the wall clock of the booking.
func (d dating) when(b *booking.Booking) string {
	start, end := local(b, b.Start), local(b, b.End)
	if b.AllDay {
		end = end.AddDate(0, 0, -1) // the day after the last is not meant
		if start.Equal(end) {
			return d.weekday(start) + ", " + d.allDay
		}
		return d.weekday(start) + " " + d.to + " " + d.weekday(end)
	}
	const clock = "15:04"
	last := end.Format(clock)
	if start.Format(time.DateOnly) != end.Format(time.DateOnly) {
		last = d.weekday(end) + ", " + last
	}
	return fmt.Sprintf("%s, %s %s %s (%s)", d.weekday(start), start.Format(clock), d.to, last, start.Location())
}

func local(b *booking.Booking, t time.Time) time.Time {
	if b.AllDay {
		return t.UTC()
	}
	loc, err := time.LoadLocation(b.Zone)
	if err != nil {
		loc = time.UTC
	}
	return t.In(loc)
}
