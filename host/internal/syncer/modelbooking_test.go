package syncer

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func hourOf(n int) time.Time { return time.Date(2027, 3, 1, 8+n%4, 0, 0, 0, time.UTC) }

var roomsOf = [][]string{{"room-a"}, {"room-b"}, nil}

func (m *model) booking(id string) *booking.Booking {
	b, _, err := m.stage.store.Booking(m.t.Context(), m.tenant, id)
	m.must(err)
	return b
}

// put is the booking system's. What it changes depends on whether the booking exists.
func (m *model) put(a act) {
	id := fmt.Sprintf("b%d", a.A%4)
	old := m.booking(id)
	b := &booking.Booking{Tenant: m.tenant, ID: id, Organizer: m.names[max(a.C%5-2, 0)], Zone: "Europe/Berlin"} // mostly alice
	m.unique++
	title := fmt.Sprintf("title %d", m.unique)
	if old == nil {
		b.Title, b.Start, b.Resources = title, hourOf(a.B), roomsOf[a.C/5%3]
		b.End = b.Start.Add(time.Hour)
		b.ItemExpected = a.B/7%4 == 0
		b.Attendees = []booking.Attendee{{Email: "dave@example.com"}}
		b.Recurrence = ruleOf(a.B / 3)
	} else {
		b = old.Clone()
		switch a.B % 16 {
		case 0:
			b.Title = title
		case 1, 2:
			b.Start = hourOf(a.C)
			b.End = b.Start.Add(time.Hour)
		case 3:
			b.Resources = roomsOf[a.C%3]
		case 9:
			b.Organizer = m.names[a.C%len(m.names)]
		case 5:
			b.Attendees = append(b.Attendees, booking.Attendee{Email: fmt.Sprintf("guest%d@example.com", a.C%3)})
		case 6:
			n := a.C % 60
			b.ReminderMinutes = &n
		case 7:
			b.Notes = title
		case 8:
			b.Location = fmt.Sprintf("floor %d", a.C%3)
		case 10, 11:
			b.Recurrence = ruleOf(a.C)
		case 12, 13, 14:
			m.except(b, a.C, title)
		}
		if exceptions := b.Exceptions; b.Series() {
			b.Exceptions = nil
			b.Normalize()
			b.Exceptions = exceptions
			booking.Rebase(old, b)
		} else {
			b.Exceptions = nil
		}
	}
	m.save(b, old)
}

// save puts a booking and notes whom it may mail.
func (m *model) save(b, old *booking.Booking) bool {
	ctx := m.t.Context()
	linked := false
	links, err := m.stage.store.LinksOfBooking(ctx, m.tenant, b.ID)
	m.must(err)
	for _, l := range links {
		linked = linked || l.State != store.LinkDead && l.State != store.LinkDeleting && l.Person == b.Organizer
	}
	b.Normalize()
	if v := booking.Validate(b); len(v) > 0 {
		m.say("put %s: no sense in it: %v", b.ID, v)
		return false
	}
	put, err := m.engine.Put(ctx, b, booking.Match{}, booking.Refuse)
	if _, taken := errors.AsType[*booking.OverlapError](err); taken {
		m.say("put %s: refused", b.ID)
		return false
	}
	m.must(err)
	saved := put.Booking
	m.say("put %s: %q at %s in %v by %s, %q with %d exceptions, version %d", saved.ID, saved.Title, saved.Start.Format("15:04"), saved.Resources,
		saved.Organizer, saved.Recurrence, len(saved.Exceptions), saved.Version)
	if old != nil && saved.Version == old.Version {
		return true
	}
	n := m.note(b.ID)
	n.puts++
	n.own = ownOf(saved)
	maps.DeleteFunc(n.own, func(day, _ string) bool { return n.days[day] }) // which the booking may not know yet
	n.cancelled = false
	switch {
	case old == nil, old.Status == booking.Cancelled:
		n.mails++
	case old.Organizer != saved.Organizer:
		n.mails += 2
	default:
		if mail, err := audience(ctx, m.stage.store, old, saved); err != nil {
			m.fail("%v", err)
		} else if mail != calendar.MailNobody || !linked {
			n.mails++
		}
	}
	return true
}

func (m *model) cancel(a act) {
	id := fmt.Sprintf("b%d", a.A%4)
	old := m.booking(id)
	if old == nil || old.Status == booking.Cancelled {
		return
	}
	m.say("cancel %s", id)
	_, err := m.engine.Cancel(m.t.Context(), m.tenant, id, booking.Match{})
	m.must(err)
	n := m.note(id)
	n.mails++
	n.puts++
	n.mayCancel, n.cancelled = true, true
}

// addIn is Outlook with the add-in: it books and makes the item, in either order.
func (m *model) addIn(a act) {
	p := m.person(a.A)
	id := fmt.Sprintf("b%d", a.B%4)
	if a.C%3 == 0 {
		id = fmt.Sprintf("b%d", 4+a.B%3) // the booking system does not know of it yet
	}
	if a.C%3 > 0 && m.booking(id) == nil {
		m.unique++
		b := &booking.Booking{
			Tenant: m.tenant, ID: id, Organizer: p.ID, Zone: "Europe/Berlin", Title: fmt.Sprintf("title %d", m.unique), ItemExpected: true,
			Start: hourOf(a.C), End: hourOf(a.C).Add(time.Hour), Resources: roomsOf[a.C/4%3],
		}
		if !m.save(b, nil) {
			return
		}
	}
	if a.C%3 > 1 {
		return // the item never comes
	}
	b := m.booking(id)
	if m.note(id).removed {
		return // deleted and made anew before anybody looked: which of the two is meant?
	}
	for _, address := range m.addresses() {
		for _, it := range m.server.items(address) {
			if it.ForeignKey == id {
				return
			}
		}
	}
	event := calendar.Event{Subject: "by the add-in", Start: hourOf(a.B), End: hourOf(a.B).Add(time.Hour), Busy: calendar.Occupied}
	if b != nil {
		if b.Status == booking.Cancelled || b.Organizer != p.ID {
			return
		}
		f, err := fieldsOfBooking(m.t.Context(), m.stage.store, b)
		m.must(err)
		if event, err = eventOf(m.t.Context(), m.stage.store, b, &f, nil, true); err != nil {
			m.fail("%v", err)
		}
		if a.C%2 == 0 {
			event.Location = ""
		}
	}
	m.say("add-in item of %s with %s", id, p.ID)
	ref := m.server.add(p.Email, calendar.Item{ForeignKey: id, Event: event})
	m.copies[ref] = &duplicate{box: p.Email, booking: id, event: event}
}

// addresses are all that calendars were ever kept under.
func (m *model) addresses() []string {
	var all []string
	for _, name := range m.names {
		all = append(all, name+"@example.com", "new."+name+"@example.com")
	}
	return all
}
