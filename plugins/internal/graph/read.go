package graph

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roomwire/roomwire/plugins/internal/joining"
	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// fromGraph maps an event to the contract's; of a series without its rule and exceptions.
func (b *Backend) fromGraph(m backend.Mailbox, e *event) (backend.Item, error) {
	trouble := func(why string) (backend.Item, error) {
		return backend.Item{}, fmt.Errorf("an item in the calendar of %s came %s: %w", m.Address, why, fault.Unavailable)
	}
	if e.ID == "" || e.Start == nil || e.End == nil {
		return trouble("without id, start or end")
	}
	kind, ok := nameToKind[e.Type]
	if !ok {
		return trouble("of a type that is not known")
	}
	item := backend.Item{
		Ref: backend.Ref(e.ID), Revision: e.revision(), Kind: kind, Key: e.value(b.key), ForeignKey: e.value(b.foreign),
		ReadOnly: e.IsOrganizer != nil && !*e.IsOrganizer, Modified: e.Modified,
		Event: calendar.Event{
			UID: e.ICalUID, Subject: e.Subject, AllDay: e.AllDay,
			Busy: nameToBusy[e.ShowAs], Class: nameToClass[e.Sensitivity], Attendees: people(e), Cancelled: e.Cancelled,
		},
	}
	if item.ReadOnly && e.Response != nil {
		item.Response = nameToResponse[e.Response.Response]
	}
	if e.Location != nil {
		item.Event.Location = e.Location.DisplayName
	}
	if e.Organizer != nil {
		item.Event.Organizer = calendar.Address{Name: e.Organizer.Address.Name, Email: e.Organizer.Address.Address}
	}
	if e.ReminderOn {
		item.Event.Reminder = &calendar.Reminder{Before: time.Duration(max(e.ReminderMinutes, 0)) * time.Minute}
	}
	if !e.text(&item) {
		item.Omits |= calendar.FieldBody
	}
	if err := b.times(e, &item.Event); err != nil {
		return trouble("with times that cannot be read: " + err.Error())
	}
	return item, nil
}

// revision is what changes with an event.
func (e *event) revision() string {
	if e.ETag != "" {
		return e.ETag
	}
	return e.ChangeKey
}

// text sets the item's body, and reports whether it is one that can be written: of an online meeting what is above the
// way to join it.
func (e *event) text(item *backend.Item) bool {
	if e.Body == nil {
		return true
	}
	own, found := joining.Above(plainText(e.Body.Content), e.OnlineMeeting)
	item.Event.Body = clipped(plainText(own))
	return found || !e.OnlineMeeting
}

// joinable reports whether the text says how to join an online meeting: one of Microsoft's, which Graph knows of, or another.
func (e *event) joinable() bool {
	return e.OnlineMeeting || e.Body != nil && joining.In(e.Body.Content)
}

// times sets start, end and zone. Times came in UTC; the zone in which they are meant is told beside them.
func (b *Backend) times(e *event, to *calendar.Event) error {
	start, err := e.Start.moment()
	if err != nil {
		return err
	}
	end, err := e.End.moment()
	if err != nil {
		return err
	}
	to.Start, to.End, to.Zone = start, end, e.zone()
	if !e.AllDay {
		if own := b.ownZone(e, start, end); own != "" {
			to.Zone = own
		}
		return nil
	}
	if to.Start, to.End = e.date(*e.Start, start), e.date(*e.End, end); !to.End.After(to.Start) {
		to.End = to.Start.AddDate(0, 0, 1)
	}
	return nil
}

// moment reads a wall clock time in its zone.
func (d dateTime) moment() (time.Time, error) {
	at, err := d.location()
	if err != nil {
		return time.Time{}, err
	}
	t, err := d.wall(at)
	return t.UTC(), err
}

func (d dateTime) location() (*time.Location, error) {
	if d.Zone == "" || strings.EqualFold(d.Zone, "UTC") {
		return time.UTC, nil
	}
	return zones.Location(d.Zone)
}

func (d dateTime) wall(at *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, d.DateTime); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation("2006-01-02T15:04:05", d.DateTime, at) // takes fractions, too
	if err != nil {
		return t, fmt.Errorf("%q is no time", clippedTo(d.DateTime, 40))
	}
	return t, nil
}

// zone returns the IANA name of the zone that the event is meant in; empty for UTC, and for what has no name.
func (e *event) zone() string {
	for _, name := range []string{e.OriginalStartTimeZone, e.OriginalEndTimeZone} {
		at, err := zones.Location(name)
		if err == nil && !isUTC(at.String()) {
			return at.String()
		}
	}
	return ""
}

func isUTC(name string) bool { return name == "UTC" || name == "Etc/UTC" }

// date returns the day of an all-day event's start or end. Graph writes them as midnight in whatever zone it answers in;
// should they be moments, they are midnight in the event's own zone.
func (e *event) date(d dateTime, t time.Time) time.Time {
	if wall, err := d.wall(time.UTC); err == nil && wall.Equal(wall.Truncate(day)) {
		return wall.UTC()
	}
	if at, err := zones.Location(e.OriginalStartTimeZone); err == nil {
		local := t.In(at)
		t = time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
	}
	return t.Add(12 * time.Hour).Truncate(day)
}

// plainText undoes what Exchange does to a text: it ends lines like Windows, and appends one.
func plainText(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\r\n")
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

// people returns the attendees: required, optional, resources, each in their order.
func people(e *event) []calendar.Attendee {
	var all []calendar.Attendee
	for _, a := range e.Attendees {
		one := calendar.Attendee{Address: calendar.Address{Name: a.Address.Name, Email: a.Address.Address}, Role: nameToRole[a.Type]}
		if a.Status != nil {
			one.Response = nameToResponse[a.Status.Response]
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b calendar.Attendee) int { return int(a.Role - b.Role) })
	return all
}

var nameToKind = map[string]calendar.Kind{
	"singleInstance": calendar.Single,
	"seriesMaster":   calendar.Master,
	"occurrence":     calendar.Occurrence,
	"exception":      calendar.Exception,
}

var nameToBusy = map[string]calendar.Busy{
	"free":             calendar.Free,
	"tentative":        calendar.Tentative,
	"busy":             calendar.Occupied,
	"oof":              calendar.OutOfOffice,
	"workingElsewhere": calendar.WorkingElsewhere,
}

var nameToClass = map[string]calendar.Class{
	"normal":       calendar.Public,
	"personal":     calendar.Personal,
	"private":      calendar.Private,
	"confidential": calendar.Confidential,
}

var nameToRole = map[string]calendar.Role{
	"required": calendar.Required,
	"optional": calendar.Optional,
	"resource": calendar.Resource,
}

var nameToResponse = map[string]calendar.Response{
	"organizer":           calendar.Accepted,
	"accepted":            calendar.Accepted,
	"tentativelyAccepted": calendar.TentativelyAccepted,
	"declined":            calendar.Declined,
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
