package mail

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// text is what a mail says. It does not tell the booking's title: mails are read by deputies and stored by every server
// on their way, and time and rooms tell the organizer well enough which booking it is.
type text struct{ subject, body string }

// A letter is what is told of one kind of trouble.
type letter struct{ subject, what, remedy string }

var letters = map[string]letter{
	syncer.MailSyncDisabled: {
		subject: "is no longer kept in step with your calendar",
		what:    "This booking and its appointment in your calendar are no longer kept the same. Both stay as they are now.",
		remedy: "Look at both. When the booking says what you want, save it again in the booking system: that takes it in anew. " +
			"If it happens again, ask your administrator.",
	},
	syncer.MailChangeRefused: {
		subject: "could not be changed as you did in your calendar",
		what:    "The appointment of this booking was changed in your calendar in a way that is not possible. It is set back to what the booking says.",
		remedy:  "Choose another time or room. Outlook may have told the people you invited of the change already: tell them what holds.",
	},
	syncer.MailChangeRejected: {
		subject: "could not be changed as you did in your calendar",
		what:    "The booking system did not accept what was done to the appointment of this booking in your calendar. Booking and appointment are set back.",
		remedy:  "Change the booking in the booking system. Outlook may have told the people you invited of the change already: tell them what holds.",
	},
	syncer.MailBookingCancelled: {
		subject: "was cancelled",
		what: "The appointment of this booking was changed in your calendar in a way that is not possible, so the booking was cancelled. " +
			"The appointment stays in your calendar, but no room is reserved for it.",
		remedy: "Book anew if you still need a room, and remove the appointment if you do not.",
	},
	syncer.MailRoomDeclined: {
		subject: "has a room that declined",
		what:    "A room that was invited to this booking's appointment has declined. The booking stands as it is.",
		remedy:  "Choose another room or time, in the booking system or in your calendar.",
	},
	syncer.MailRoomCancelled: {
		subject: "was cancelled: the room declined",
		what: "A room that was invited to this booking's appointment has declined, so the booking was cancelled. " +
			"The appointment stays in your calendar, but no room is reserved for it.",
		remedy: "Book anew if you still need a room, and remove the appointment if you do not.",
	},
	syncer.MailRoomConflict: {
		subject: "collides with a meeting that you invited the room to",
		what: "You invited a room to a meeting at a time when the room is taken by this booking. " +
			"The meeting stays in the room's calendar, but the room is not yours at that time.",
		remedy: "Choose another room or time for the meeting.",
	},
}

func (s *Sender) text(ctx context.Context, m store.Mail, p store.PersonRow) (text, error) {
	l, known := letters[m.Kind]
	if !known {
		l = letter{subject: "needs a look: " + m.Kind, what: "There is trouble with this booking: " + m.Kind + ".", remedy: "If you do not know what to do, ask your administrator."}
	}
	b, found, err := s.Store.Booking(ctx, m.Tenant, m.Booking)
	if err != nil {
		return text{}, err
	}
	when, rooms := "", ""
	if found {
		when = whenOf(b)
		var names []string
		for _, id := range b.Resources {
			r, known, err := s.Store.Person(ctx, m.Tenant, id)
			if err != nil {
				return text{}, err
			}
			if known && r.DisplayName != "" {
				id = r.DisplayName
			}
			names = append(names, id)
		}
		rooms = strings.Join(names, ", ")
	}
	var out strings.Builder
	name := p.DisplayName
	if name == "" {
		name = p.Email
	}
	fmt.Fprintf(&out, "Hello %s,\n\n%s\n\n", plain(name), wrap(l.what))
	for _, row := range [][2]string{{"Booking", m.Booking}, {"Time", when}, {"Rooms", rooms}} {
		if row[1] != "" {
			fmt.Fprintf(&out, "  %-8s %s\n", row[0]+":", plain(row[1]))
		}
	}
	fmt.Fprintf(&out, "\n%s.\n\n%s\n\n-- \n%s\n", wrap("Why: "+strings.TrimSuffix(plain(m.Detail), ".")), wrap("What to do: "+l.remedy),
		wrap("Sent by Roomwire, which keeps bookings and calendars the same, because you want to be told of such trouble. Your administrator can switch these mails off."))
	subject := fmt.Sprintf("Booking %s %s", plain(m.Booking), l.subject)
	if found && b.Organizer == m.Person {
		subject = fmt.Sprintf("Your booking of %s %s", dayOf(b), l.subject)
	}
	return text{subject: subject, body: out.String()}, nil
}

const (
	dayForm   = "Monday, 2 January 2006"
	clockForm = "15:04"
)

func dayOf(b *booking.Booking) string { return local(b, b.Start).Format("2 January 2006") }

// whenOf tells the time on the wall clock of the booking.
func whenOf(b *booking.Booking) string {
	start, end := local(b, b.Start), local(b, b.End)
	if b.AllDay {
		end = end.AddDate(0, 0, -1) // the day after the last is not meant
		if start.Equal(end) {
			return start.Format(dayForm) + ", all day"
		}
		return start.Format(dayForm) + " to " + end.Format(dayForm)
	}
	last := end.Format(clockForm)
	if start.Format(time.DateOnly) != end.Format(time.DateOnly) {
		last = end.Format(dayForm + ", " + clockForm)
	}
	return fmt.Sprintf("%s to %s (%s)", start.Format(dayForm+", "+clockForm), last, start.Location())
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

// wrap breaks a paragraph into lines that every mail reader shows well.
func wrap(s string) string {
	const width = 76
	var out strings.Builder
	n := 0
	for i, word := range strings.Fields(s) {
		switch {
		case i == 0:
		case n+1+len(word) > width:
			out.WriteByte('\n')
			n = 0
		default:
			out.WriteByte(' ')
			n++
		}
		out.WriteString(word)
		n += len(word)
	}
	return out.String()
}
