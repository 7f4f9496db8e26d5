package exchangesim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// An Outlook acts as a person does in Outlook. Everything it does has the effects of real life: change keys, events,
// notifications, meeting mails. It works on the server directly, so faults do not hit it.
type Outlook struct {
	server  *Server
	address string
}

// ErrNoItem means that the calendar has no item with that id: it may have been moved, which gives it another.
var ErrNoItem = errors.New("no such item in the calendar")

// Outlook returns the Outlook of the person with that address.
func (s *Server) Outlook(address string) *Outlook { return &Outlook{server: s, address: address} }

// with runs do with the person's mailbox, under the lock.
func (o *Outlook) with(do func(c *call, b *mailbox) error) error {
	o.server.mu.Lock()
	defer o.server.mu.Unlock()
	b := o.server.find(o.address)
	if b == nil {
		return fmt.Errorf("%s has no mailbox", o.address)
	}
	return do(o.server.callOf(b.owner), b)
}

// item finds an item of the calendar or of Deleted Items.
func (b *mailbox) item(id string) (*item, error) {
	it := b.items[id]
	if it == nil {
		return nil, fmt.Errorf("%w of %s", ErrNoItem, b.owner.Address)
	}
	return it, nil
}

// Create makes an appointment in the person's calendar; with attendees, they get a meeting request.
func (o *Outlook) Create(a Appointment) (id string, err error) {
	err = o.with(func(c *call, b *mailbox) error {
		id, err = c.createIn(b, a)
		return err
	})
	return id, err
}

// createIn makes an appointment in the calendar of a mailbox.
func (c *call) createIn(b *mailbox, a Appointment) (id string, err error) {
	it := &item{kind: "CalendarItem", content: newContent(b.owner), author: b.owner.Name, history: map[string]uint64{}}
	it.startZone, it.endZone = b.owner.TimeZone, b.owner.TimeZone
	if a.Sensitivity == "" {
		a.Sensitivity = "Normal"
	}
	if a.BusyStatus == "" {
		a.BusyStatus = "Busy"
	}
	if a.End.IsZero() {
		a.End = a.Start
	}
	if err := it.content.take(a); err != nil {
		return "", err
	}
	b.add(b.known("calendar"), it)
	if it.uid == "" {
		it.uid = newUID(it.id)
	}
	if it.meeting() {
		it.sent = true
		c.send(it, "request", it.attendees())
	}
	return it.id, nil
}

// Update changes an appointment; attendees of a meeting are told. A series loses its exceptions with another pattern or other
// times, but not when it is only extended or cut.
func (o *Outlook) Update(id string, change func(*Appointment)) error {
	return o.edit(id, func(a *Appointment) error {
		change(a)
		return nil
	})
}

// edit is Update with a change that can fail, and then changes nothing.
func (o *Outlook) edit(id string, change func(*Appointment) error) error {
	return o.with(func(c *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		a := it.appointment()
		if err := change(&a); err != nil {
			return err
		}
		if r := it.recurrence; r != nil && a.Recurrence != nil && a.Recurrence.Start == r.Start && !a.Start.Equal(it.start) {
			a.Recurrence.Start = "" // the series goes where its first occurrence is moved to
		}
		made := it.content.clone()
		if err := made.take(a); err != nil {
			return err
		}
		if it.extends(&made) {
			made.keepWithin()
		}
		before := it.attendees()
		changed := differences(&it.content, &made)
		it.become(&made)
		it.author = b.owner.Name
		b.edited(it)
		for _, name := range changed {
			it.history[name] = it.key
		}
		if it.meeting() || len(before) > 0 {
			c.tellAttendees(c.viewOf(it), before, "SendToAllAndSaveCopy")
		}
		return nil
	})
}

// Delete moves an item to Deleted Items, where it has a new id. Attendees of the person's own meeting get a cancellation.
func (o *Outlook) Delete(id string) error {
	return o.with(func(c *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		c.cancel(c.viewOf(it), "SendToAllAndSaveCopy")
		b.move(it, b.known("deleteditems"))
		return nil
	})
}

// Drag moves an item to Deleted Items as dragging it there does: nobody is told. It has a new id there.
func (o *Outlook) Drag(id string) (newID string, err error) {
	err = o.with(func(_ *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		b.move(it, b.known("deleteditems"))
		newID = it.id
		return nil
	})
	return newID, err
}

// HardDelete removes an item for good (Shift+Delete).
func (o *Outlook) HardDelete(id string) error {
	return o.with(func(c *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		c.cancel(c.viewOf(it), "SendToAllAndSaveCopy")
		b.remove(it)
		return nil
	})
}

// Restore moves an item from Deleted Items back into the calendar, where it has a new id.
func (o *Outlook) Restore(id string) (newID string, err error) {
	err = o.with(func(_ *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		b.move(it, b.known("calendar"))
		newID = it.id
		return nil
	})
	return newID, err
}

// Copy makes a copy in the calendar, with all properties of the original, named ones too, but a UID of its own.
func (o *Outlook) Copy(id string) (newID string, err error) {
	err = o.with(func(_ *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		made := b.copyTo(it, b.known("calendar"))
		made.uid = newUID(made.id)
		newID = made.id
		return nil
	})
	return newID, err
}

// Respond answers a meeting that the person was invited to: Accept, Tentative or Decline.
func (o *Outlook) Respond(id, response string) error { return o.Answer(id, time.Time{}, response, "") }

// Items lists the appointments in the calendar, oldest first; series as their master.
func (o *Outlook) Items() []Appointment { return o.list("calendar") }

// Deleted lists the appointments in Deleted Items.
func (o *Outlook) Deleted() []Appointment { return o.list("deleteditems") }

// Find returns the first appointment in the calendar for which match holds.
func (o *Outlook) Find(match func(Appointment) bool) (Appointment, bool) {
	items := o.Items()
	if i := slices.IndexFunc(items, match); i >= 0 {
		return items[i], true
	}
	return Appointment{}, false
}

func (o *Outlook) list(distinguished string) []Appointment {
	list := []Appointment{}
	_ = o.with(func(_ *call, b *mailbox) error { // who has no mailbox has no appointments
		for _, it := range b.known(distinguished).items {
			if it.kind == "CalendarItem" {
				list = append(list, it.appointment())
			}
		}
		return nil
	})
	return list
}

// appointment is what a person sees of an item.
func (it *item) appointment() Appointment {
	c := it.content.clone()
	a := Appointment{
		ID: it.id, ChangeKey: changeKey(0x0f, it.key), UID: c.uid,
		Subject: c.subject, Body: c.body.plain(), Location: c.location, Sensitivity: c.sensitivity, BusyStatus: c.busy,
		Start: c.start, End: c.end, TimeZone: c.startZone, AllDay: c.allDay,
		ReminderSet: c.reminderSet, ReminderMinutes: c.reminder,
		Organizer: c.organizer, Required: c.required, Optional: c.optional, Resources: c.resources,
		IsMeeting: c.meeting(), Cancelled: c.cancelled, Categories: c.categories, Importance: c.importance, Attachments: c.attachments,
		Properties: map[string]string{}, Recurrence: c.recurrence, Created: it.created, Modified: it.modified,
	}
	for key, p := range c.props {
		if named(key) && len(p.values) > 0 {
			a.Properties[key] = p.values[0]
		}
	}
	return a
}

// named reports whether a key is one of a property with a name, and not of a tag or an id.
func named(key string) bool {
	_, name, ok := strings.Cut(key, "/")
	return ok && !strings.HasPrefix(name, "id:")
}

// take puts what a person wrote into the content.
func (c *content) take(a Appointment) error {
	c.uid, c.subject, c.location, c.sensitivity, c.busy = a.UID, a.Subject, a.Location, a.Sensitivity, a.BusyStatus
	if a.Body != c.body.plain() {
		c.body = body{"Text", exchangeLines(a.Body)}
	}
	if a.TimeZone != "" && a.TimeZone != c.startZone {
		if _, ok := zoneOf(a.TimeZone); !ok {
			return fmt.Errorf("time zone %q is not a Windows time zone known here", a.TimeZone)
		}
		c.startZone, c.endZone = a.TimeZone, a.TimeZone
	}
	c.start, c.end, c.allDay = a.Start.UTC(), a.End.UTC(), a.AllDay
	c.reminderSet, c.reminder = a.ReminderSet, a.ReminderMinutes
	c.required, c.optional, c.resources = slices.Clone(a.Required), slices.Clone(a.Optional), slices.Clone(a.Resources)
	c.categories, c.attachments = slices.Clone(a.Categories), slices.Clone(a.Attachments)
	c.importance = cmp.Or(a.Importance, "Normal")
	props := map[string]property{}
	for key, value := range a.Properties {
		set, name, ok := strings.Cut(key, "/")
		if !ok {
			return fmt.Errorf("property key %q is not of the form that PropertyKey makes", key)
		}
		key = PropertyKey(set, name)
		if old, ok := c.props[key]; ok && len(old.values) > 0 && old.values[0] == value {
			props[key] = old
			continue
		}
		props[key] = property{"String", []string{value}}
	}
	for key, old := range c.props { // what has no name is not in the appointment
		if !named(key) {
			props[key] = old
		}
	}
	c.props = props
	c.recurrence = a.Recurrence
	if err := c.settle(); err != nil {
		return err
	}
	if c.recurrence != nil {
		if err := c.recurrence.check(); err != nil {
			return err
		}
		if c.recurrence.Start == "" {
			c.recurrence.Start = c.start.In(mustZone(c.startZone)).Format("2006-01-02")
		}
		return c.anchor()
	}
	return nil
}

// differences names the fields in which two contents differ, by FieldURI or key, as far as conflicts go by them.
func differences(a, b *content) []string {
	var names []string
	add := func(name string, same bool) {
		if !same {
			names = append(names, name)
		}
	}
	add("item:Subject", a.subject == b.subject)
	add("item:Body", a.body == b.body)
	add("item:Sensitivity", a.sensitivity == b.sensitivity)
	add("item:Categories", slices.Equal(a.categories, b.categories))
	add("item:Importance", a.importance == b.importance)
	add("item:Attachments", slices.Equal(a.attachments, b.attachments))
	add("item:ReminderIsSet", a.reminderSet == b.reminderSet)
	add("item:ReminderMinutesBeforeStart", a.reminder == b.reminder)
	add("calendar:Start", a.start.Equal(b.start))
	add("calendar:End", a.end.Equal(b.end))
	add("calendar:IsAllDayEvent", a.allDay == b.allDay)
	add("calendar:LegacyFreeBusyStatus", a.busy == b.busy)
	add("calendar:Location", a.location == b.location)
	add("calendar:RequiredAttendees", slices.Equal(a.required, b.required))
	add("calendar:OptionalAttendees", slices.Equal(a.optional, b.optional))
	add("calendar:Resources", slices.Equal(a.resources, b.resources))
	for key := range maps.Keys(b.props) {
		add(key, slices.Equal(a.props[key].values, b.props[key].values))
	}
	return names
}

// WriteHTML replaces the text of an appointment by a page of HTML, as Outlook and its add-ins write it. Nobody is mailed.
func (o *Outlook) WriteHTML(id, page string) error {
	return o.with(func(_ *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		it.body = body{kind: "HTML", text: page}
		it.author = b.owner.Name
		b.edited(it)
		it.history["item:Body"] = it.key
		return nil
	})
}
