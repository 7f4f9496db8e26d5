package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// people answers who is behind an id or an address; *store.Store and *store.Tx are such.
type people interface {
	Person(ctx context.Context, tenant, id string) (store.PersonRow, bool, error)
	PersonByEmail(ctx context.Context, tenant, email string) (store.PersonRow, bool, error)
}

// fieldsOfBooking returns what b's item should say.
func fieldsOfBooking(ctx context.Context, p people, b *booking.Booking) (plan.Fields, error) {
	if b.Series() {
		return fieldsOfSeries(ctx, p, b)
	}
	f := plan.Fields{
		Subject: b.Title, Body: b.Notes, Location: b.Location,
		Start: b.Start, End: b.End, AllDay: b.AllDay, Zone: b.Zone,
		Busy: busyToCalendar[b.Busy], Class: classToCalendar[b.Class], Reminder: b.ReminderMinutes,
	}
	organizer, _, err := p.Person(ctx, b.Tenant, b.Organizer)
	if err != nil {
		return f, err
	}
	var names []string
	for _, id := range b.Resources {
		r, found, err := p.Person(ctx, b.Tenant, id)
		if err != nil {
			return f, err
		}
		if !found {
			continue // removed from the directory since: nothing to show
		}
		names = append(names, displayName(r.Person))
		if r.Email != "" {
			f.Resources = append(f.Resources, r.Email)
		}
	}
	if f.Location == "" {
		f.Location = strings.Join(names, ", ")
	}
	for _, a := range b.Attendees {
		if !strings.EqualFold(a.Email, organizer.Email) {
			one := plan.Person{Email: a.Email, Name: a.Name, Optional: a.Role == booking.Optional}
			if a.Group != "" { // which is what the item says, once
				one.Email, one.Name = a.Group, ""
			}
			f.Attendees = append(f.Attendees, one)
		}
	}
	return plan.Canonical(f), nil
}

// keepPlace has f, which is what b's item should say, keep the place that was agreed on while a room of b is not in the directory: its name is
// not known then, and nobody took the meeting elsewhere.
func keepPlace(ctx context.Context, p people, b *booking.Booking, base, f *plan.Fields) error {
	if base == nil || b.Location != "" {
		return nil
	}
	for _, id := range b.Resources {
		if _, found, err := p.Person(ctx, b.Tenant, id); err != nil {
			return err
		} else if !found {
			f.Location = base.Location
			return nil
		}
	}
	return nil
}

// fieldsOfItem returns what an item of the organizer's calendar says. One that has rooms and no location is where the rooms
// are, as a booking without a location is. Rooms and equipment that the directory does not
// know are left out: they are not ours to move.
func fieldsOfItem(ctx context.Context, p people, tenant, organizerEmail string, ev *calendar.Event) (plan.Fields, error) {
	if ev.Recurrence != "" {
		return fieldsOfMaster(ctx, p, tenant, organizerEmail, ev)
	}
	f := plan.Fields{
		Subject: ev.Subject, Body: ev.Body, Location: ev.Location,
		Start: ev.Start, End: ev.End, AllDay: ev.AllDay, Zone: ev.Zone, Busy: ev.Busy, Class: ev.Class,
	}
	if ev.Reminder != nil {
		m := int(ev.Reminder.Before / time.Minute)
		f.Reminder = &m
	}
	var rooms []directory.Person
	for _, a := range ev.Attendees {
		if strings.EqualFold(a.Email, organizerEmail) {
			continue
		}
		row, known, err := p.PersonByEmail(ctx, tenant, a.Email)
		if err != nil {
			return f, err
		}
		switch {
		case known && row.Kind == directory.KindResource:
			f.Resources = append(f.Resources, row.Email) // by whatever address it was invited
			rooms = append(rooms, row.Person)
		case a.Role != calendar.Resource:
			f.Attendees = append(f.Attendees, plan.Person{Email: a.Email, Name: a.Name, Optional: a.Role == calendar.Optional})
		}
	}
	if strings.TrimSpace(f.Location) == "" {
		f.Location = namesOf(rooms)
	}
	return plan.Canonical(f), nil
}

// namesOf lists rooms in the order in which a booking has them.
func namesOf(rooms []directory.Person) string {
	slices.SortFunc(rooms, func(a, b directory.Person) int { return strings.Compare(a.ID, b.ID) })
	rooms = slices.CompactFunc(rooms, func(a, b directory.Person) bool { return a.ID == b.ID })
	names := make([]string, len(rooms))
	for i, r := range rooms {
		names[i] = displayName(r)
	}
	return strings.Join(names, ", ")
}

// applyFields carries the fields which of f into b; of what is unsaid in f the occurrences of a series keep their own. Resources without a mailbox stay as they are: no calendar can say
// anything about them.
func applyFields(ctx context.Context, p people, b *booking.Booking, which calendar.Fields, f *plan.Fields) error {
	was := b.Clone()
	if which.Any(calendar.FieldSubject) {
		b.Title = f.Subject
	}
	if which.Any(calendar.FieldTime) {
		b.Start, b.End, b.AllDay = f.Start, f.End, f.AllDay
		if f.Zone != "" {
			b.Zone = f.Zone
		}
	}
	if which.Any(calendar.FieldBusy) {
		b.Busy = busyFromCalendar(f.Busy)
	}
	if which.Any(calendar.FieldClass) {
		b.Class = classFromCalendar(f.Class)
	}
	if which.Any(calendar.FieldReminder) {
		b.ReminderMinutes = f.Reminder
	}
	if which.Any(calendar.FieldAttendees) {
		b.Attendees = nil
		for _, a := range f.Attendees {
			role := booking.Required
			if a.Optional {
				role = booking.Optional
			}
			b.Attendees = append(b.Attendees, booking.Attendee{Email: a.Email, Name: a.Name, Role: role})
		}
	}
	if which.Any(calendar.FieldResources) {
		if err := applyResources(ctx, p, b, f.Resources); err != nil {
			return err
		}
	}
	if which.Any(calendar.FieldLocation) {
		unnamed := single(b)
		unnamed.Location = ""
		named, err := fieldsOfBooking(ctx, p, unnamed)
		if err != nil {
			return err
		}
		b.Location = ""
		if f.Location != named.Location {
			b.Location = f.Location
		}
	}
	if was.Series() || which.Any(calendar.FieldRecurrence) {
		return applySeries(ctx, p, was, b, which, f)
	}
	b.Normalize()
	return nil
}

func applyResources(ctx context.Context, p people, b *booking.Booking, emails []string) error {
	var ids []string
	for _, id := range b.Resources {
		r, found, err := p.Person(ctx, b.Tenant, id)
		if err != nil {
			return err
		}
		if found && r.Email == "" {
			ids = append(ids, id)
		}
	}
	for _, email := range emails {
		r, found, err := p.PersonByEmail(ctx, b.Tenant, email)
		if err != nil {
			return err
		}
		if found {
			ids = append(ids, r.ID)
		}
	}
	b.Resources = ids
	return nil
}

// singleEvent returns the event to send for the fields f of b but for what makes a series. current is as it is in the calendar,
// or nil: its rooms that the directory does not know stay invited.
func singleEvent(ctx context.Context, p people, b *booking.Booking, f *plan.Fields, current *calendar.Event) (calendar.Event, error) {
	ev := calendar.Event{
		Subject: f.Subject, Body: f.Body, Location: f.Location,
		Start: f.Start, End: f.End, AllDay: f.AllDay, Zone: b.Zone, Busy: f.Busy, Class: f.Class,
	}
	if f.Reminder != nil {
		ev.Reminder = &calendar.Reminder{Before: time.Duration(*f.Reminder) * time.Minute}
	}
	for _, a := range f.Attendees {
		role := calendar.Required
		if a.Optional {
			role = calendar.Optional
		}
		ev.Attendees = append(ev.Attendees, calendar.Attendee{Address: calendar.Address{Name: a.Name, Email: a.Email}, Role: role})
	}
	for _, email := range f.Resources {
		name := ""
		r, found, err := p.PersonByEmail(ctx, b.Tenant, email)
		if err != nil {
			return ev, err
		}
		if found {
			name = r.DisplayName
			if email, err = invitedBy(ctx, p, r, current); err != nil {
				return ev, err
			}
		}
		ev.Attendees = append(ev.Attendees, calendar.Attendee{Address: calendar.Address{Name: name, Email: email}, Role: calendar.Resource})
	}
	if current == nil {
		return ev, nil
	}
	for _, a := range current.Attendees {
		if a.Role != calendar.Resource || slices.ContainsFunc(ev.Attendees, func(o calendar.Attendee) bool { return strings.EqualFold(o.Email, a.Email) }) {
			continue
		}
		if r, known, err := p.PersonByEmail(ctx, b.Tenant, a.Email); err != nil {
			return ev, err
		} else if !known || r.Email == "" {
			ev.Attendees = append(ev.Attendees, a)
		}
	}
	return ev, nil
}

func displayName(p directory.Person) string {
	if p.DisplayName != "" {
		return p.DisplayName
	}
	return p.ID
}

var busyToCalendar = map[booking.Busy]calendar.Busy{
	booking.Free: calendar.Free, booking.Tentative: calendar.Tentative, booking.Occupied: calendar.Occupied,
	booking.OutOfOffice: calendar.OutOfOffice, booking.WorkingElsewhere: calendar.WorkingElsewhere,
}

var classToCalendar = map[booking.Class]calendar.Class{
	booking.Public: calendar.Public, booking.Personal: calendar.Personal,
	booking.Private: calendar.Private, booking.Confidential: calendar.Confidential,
}

func busyFromCalendar(b calendar.Busy) booking.Busy {
	for k, v := range busyToCalendar {
		if v == b {
			return k
		}
	}
	return booking.Occupied
}

func classFromCalendar(c calendar.Class) booking.Class {
	for k, v := range classToCalendar {
		if v == c {
			return k
		}
	}
	return booking.Public
}

// inWords names fields for the timeline.
func inWords(f calendar.Fields) string {
	if f == 0 {
		return "nothing"
	}
	return strings.ReplaceAll(f.String(), ",", ", ")
}

// plural is for sentences.
func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
