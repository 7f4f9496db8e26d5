package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/plugins/internal/joining"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// fromEWS maps an item to the contract's.
func (b *Backend) fromEWS(m backend.Mailbox, i *ews.CalendarItem) (backend.Item, error) {
	if i.ID == "" || i.Start.IsZero() || i.End.IsZero() {
		return backend.Item{}, fmt.Errorf("an item in the calendar of %s came without id, start or end: %w",
			m.Address, fault.Unavailable)
	}
	event := calendar.Event{
		UID:       i.UID,
		Subject:   i.Subject,
		Body:      ownText(i.Body),
		Location:  i.Location,
		Start:     i.Start,
		End:       i.End,
		AllDay:    i.AllDay,
		Zone:      zoneName(i),
		Busy:      nameToBusy[i.FreeBusy],
		Class:     nameToClass[i.Sensitivity],
		Organizer: calendar.Address{Name: i.Organizer.Name, Email: i.Organizer.SMTP()},
		Attendees: people(i),
		Cancelled: i.Cancelled || i.State.Bits&ews.StateCancelled != 0,
	}
	if i.AllDay {
		event.Start, event.End = dates(i)
	}
	if i.ReminderSet {
		event.Reminder = &calendar.Reminder{Before: time.Duration(max(i.ReminderLead, 0)) * time.Minute}
	}
	item := backend.Item{
		Ref:        backend.Ref(i.ID),
		Revision:   i.ChangeKey,
		Kind:       nameToKind[i.Type],
		Key:        i.Value(b.key),
		ForeignKey: i.Value(b.foreign),
		ReadOnly:   readOnly(m, i),
		Modified:   i.Modified,
		Event:      event,
	}
	if item.ReadOnly {
		item.Response = nameToResponse[i.MyResponse]
	}
	return item, nil
}

// readOnly reports whether the item is an attendee's copy. Only servers that keep quiet about AppointmentState are judged
// by the people: MyResponseType alone says NoResponseReceived for the organizer's own item on some.
func readOnly(m backend.Mailbox, i *ews.CalendarItem) bool {
	if i.State.Known {
		return i.State.Bits&ews.StateReceived != 0
	}
	organizer := i.Organizer.SMTP()
	return i.Meeting && i.MyResponse != "Organizer" && organizer != "" && !strings.EqualFold(organizer, m.Address)
}

// zoneName returns the IANA name of the zone that the item is meant in; empty for UTC, and for what has no name.
func zoneName(i *ews.CalendarItem) string {
	name, ok := i.StartZone.IANA()
	if !ok || name == "Etc/UTC" {
		return ""
	}
	return name
}

// dates returns the days of an all-day item, which lasts from midnight to midnight in its zone. Rounding to the nearest
// midnight does for zones whose day begins at one in the morning on the day that the clock is put forward, and, where the
// server does not name the zone, for most of the world.
func dates(i *ews.CalendarItem) (start, end time.Time) {
	start = date(i.Start, i.StartZone, i.EndZone)
	end = date(i.End, i.StartZone, i.EndZone)
	if !end.After(start) {
		end = start.AddDate(0, 0, 1)
	}
	return start, end
}

func date(t time.Time, among ...ews.Zone) time.Time {
	for _, z := range among {
		if local, ok := z.Local(t); ok {
			t = time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
			break
		}
	}
	return t.Add(12 * time.Hour).Truncate(24 * time.Hour)
}

// ownText is what people wrote of a text: what is above the part that says how to join an online meeting.
func ownText(s string) string {
	own, _ := joining.Above(plainText(s), false)
	return clipped(plainText(own))
}

// plainText undoes what Exchange does to a text: it ends lines like Windows, and appends one.
func plainText(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\r\n")
}

func people(i *ews.CalendarItem) []calendar.Attendee {
	var all []calendar.Attendee
	for role, list := range [][]ews.Attendee{
		calendar.Required: i.Required, calendar.Optional: i.Optional, calendar.Resource: i.Resources,
	} {
		for _, a := range list {
			all = append(all, calendar.Attendee{
				Address:  calendar.Address{Name: a.Name, Email: a.SMTP()},
				Role:     calendar.Role(role),
				Response: nameToResponse[a.Response],
			})
		}
	}
	return all
}

// byAge puts the item that was created first in front: a copy that somebody made bears the same marker.
func byAge(items []ews.CalendarItem) {
	slices.SortStableFunc(items, func(a, b ews.CalendarItem) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
}

var nameToKind = map[string]calendar.Kind{
	"Single":          calendar.Single,
	"RecurringMaster": calendar.Master,
	"Occurrence":      calendar.Occurrence,
	"Exception":       calendar.Exception,
}

var nameToBusy = map[string]calendar.Busy{
	"Free":             calendar.Free,
	"Tentative":        calendar.Tentative,
	"Busy":             calendar.Occupied,
	"OOF":              calendar.OutOfOffice,
	"WorkingElsewhere": calendar.WorkingElsewhere,
}

var nameToClass = map[string]calendar.Class{
	"Normal":       calendar.Public,
	"Personal":     calendar.Personal,
	"Private":      calendar.Private,
	"Confidential": calendar.Confidential,
}

var nameToResponse = map[string]calendar.Response{
	"Organizer": calendar.Accepted,
	"Accept":    calendar.Accepted,
	"Tentative": calendar.TentativelyAccepted,
	"Decline":   calendar.Declined,
}

// nameOf returns the server's name for one of our values.
func nameOf[T comparable](names map[string]T, value T) (string, error) {
	for name, v := range names {
		if v == value {
			return name, nil
		}
	}
	return "", fmt.Errorf("%T %v is not known: %w", value, value, fault.Invalid)
}

// maxBody bounds what is told of an item's text, in bytes. A page holds many items and travels as one message; texts
// longer than a booking's notes can be are the calendar's own in any case.
const maxBody = 40 << 10

func clipped(text string) string {
	if len(text) <= maxBody {
		return text
	}
	end := maxBody
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
