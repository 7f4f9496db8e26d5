package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/api/client"
)

// meeting is what both sides should say.
type meeting struct {
	id        string
	organizer player
	title     string
	when      span
	place     player
	attendees []player
	version   int64
}

// String is the form in which the two sides are compared and shown.
func (m meeting) String() string { return describe(m.title, m.when.String(), m.place.name) }

func describe(title, when, place string) string { return fmt.Sprintf("%q  %s  %s", title, when, place) }

// input is the meeting as the booking system sends it.
func (m meeting) input() client.BookingInput {
	zone, rooms := m.organizer.zone, []string{m.place.id}
	in := client.BookingInput{Title: &m.title, Organizer: m.organizer.id, Resources: &rooms, Zone: &zone}
	layout := time.RFC3339
	if m.when.allDay {
		layout = time.DateOnly
	}
	in.Start, in.End = m.when.start.Format(layout), m.when.end.Format(layout)
	if len(m.attendees) > 0 {
		list := make([]client.Attendee, len(m.attendees))
		for i, a := range m.attendees {
			list[i] = client.Attendee{Email: a.email, Name: &a.name}
		}
		in.Attendees = &list
	}
	return in
}

// appointment is the meeting as its organizer makes it in Outlook with the add-in.
func (m meeting) appointment() (exchangesim.Appointment, error) {
	when, err := m.when.in(m.organizer.zone)
	if err != nil {
		return exchangesim.Appointment{}, fmt.Errorf("the zone %s: %w", m.organizer.zone, err)
	}
	a := exchangesim.Appointment{
		Subject: m.title, Location: m.place.name, Start: when.start, End: when.end, AllDay: when.allDay,
		Properties: map[string]string{appointmentOid: m.id},
	}
	for _, p := range m.attendees {
		a.Required = append(a.Required, exchangesim.Attendee{Name: p.name, Address: p.email})
	}
	if m.place.email != "" {
		a.Resources = []exchangesim.Attendee{{Name: m.place.name, Address: m.place.email}}
	}
	return a, nil
}

// mail is what goes to those who are invited, in the form of newMails.
func (m meeting) mail(kind string) string {
	var names []string
	for _, p := range append([]player{m.place}, m.attendees...) {
		if p.email != "" {
			names = append(names, p.name)
		}
	}
	if len(names) == 0 {
		return "nobody"
	}
	slices.Sort(names)
	return kind + " to " + strings.Join(names, " and ")
}

// put books, or changes a booking, as the web app does.
func (s *scene) put(ctx context.Context, m meeting, change func(*client.BookingInput)) (*client.Booking, error) {
	in := m.input()
	if change != nil {
		change(&in)
	}
	r, err := s.rest.PutBookingWithResponse(ctx, tenant, m.id, &client.PutBookingParams{}, in)
	if err := client.Check(r, err); err != nil {
		return nil, fmt.Errorf("put the booking %s: %w", m.id, err)
	}
	if r.JSON201 != nil {
		return r.JSON201, nil
	}
	return r.JSON200, nil
}

// sawItem waits until the organizer's calendar holds the meeting.
func (s *scene) sawItem(ctx context.Context, m meeting) error {
	return until(ctx, func() error {
		return same("the calendar of "+m.organizer.name+" shows the meeting", m.String(), s.calendar(m.organizer, m.id))
	})
}

// gone waits until the organizer's calendar no longer holds the meeting.
func (s *scene) gone(ctx context.Context, m meeting) error {
	return until(ctx, func() error {
		return same("the meeting leaves the calendar of "+m.organizer.name, nothing, s.calendar(m.organizer, m.id))
	})
}

const nothing = "nothing"

// calendar is what a calendar says of a booking.
func (s *scene) calendar(who player, id string) string {
	a, found := s.item(who, id)
	if !found {
		return nothing
	}
	when := span{a.Start, a.End, a.AllDay}
	if a.AllDay {
		loc, err := time.LoadLocation(who.zone)
		if err != nil {
			return err.Error()
		}
		when.start, when.end = a.Start.In(loc), a.End.In(loc)
	}
	text := describe(a.Subject, when.String(), a.Location)
	if n := s.items(who, id); n > 1 {
		text += fmt.Sprintf(" (%d times)", n)
	}
	return text
}

// invited names who is invited to the appointment of a booking.
func (s *scene) invited(who player, id string) string {
	a, _ := s.item(who, id)
	var names []string
	for _, list := range [][]exchangesim.Attendee{a.Required, a.Optional, a.Resources} {
		for _, p := range list {
			names = append(names, nameOf(p.Address))
		}
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, " and ")
}

// told is what a booking says in the form of meeting.String, with its status and version.
func told(b *client.Booking) string {
	when := b.Start + " to " + b.End
	layout := time.RFC3339
	if b.AllDay {
		layout = time.DateOnly
	}
	start, err1 := time.Parse(layout, b.Start)
	end, err2 := time.Parse(layout, b.End)
	if err1 == nil && err2 == nil {
		when = span{start, end, b.AllDay}.String()
	}
	place := b.Location
	if place == "" {
		names := make([]string, len(b.Resources))
		for i, id := range b.Resources {
			names[i] = nameOf(id)
		}
		place = strings.Join(names, ", ")
	}
	return describe(b.Title, when, place) + standing(string(b.Status), b.Version)
}

func standing(status string, version int64) string {
	text := fmt.Sprintf("  version %d", version)
	if status != string(client.BookingStatusConfirmed) {
		text += ", " + status
	}
	return text
}

// agree checks, once nothing moves any more, that the booking is what it should be, and prints both sides.
func (s *scene) agree(ctx context.Context, m meeting, item string) error {
	return s.agreeAs(ctx, m, item, client.BookingStatusConfirmed)
}

func (s *scene) agreeAs(ctx context.Context, m meeting, item string, status client.BookingStatus) error {
	if err := s.quiet(ctx); err != nil {
		return err
	}
	b, err := s.booking(ctx, m.id)
	if err != nil {
		return err
	}
	if err := same("the booking", m.String()+standing(string(status), m.version), told(b)); err != nil {
		return err
	}
	if err := same("the calendar of "+m.organizer.name, item, s.calendar(m.organizer, m.id)); err != nil {
		return err
	}
	if err := s.silence(ctx, m.id); err != nil {
		return err
	}
	s.side("booking", told(b))
	s.side("calendar", m.organizer.name+": "+item)
	return nil
}

// mailed checks who was mailed since the last time, and prints it.
func (s *scene) mailed(label, want string) error {
	got := s.newMails()
	if err := same("who is mailed", want, got); err != nil {
		return err
	}
	s.side(label, got)
	return nil
}
