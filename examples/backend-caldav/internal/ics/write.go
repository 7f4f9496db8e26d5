package ics

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A Change is what is to be written.
type Change struct {
	Event      calendar.Event
	Fields     calendar.Fields // of an update
	Key        string          // of a new object
	ForeignKey string          // written where the object bears none
	Remark     bool            // Key and ForeignKey take the place of those that the object bears, and nothing else is written
	Mail       calendar.Mail
	Owner      string // address of the calendar's person, who is the organizer where none is named
	Now        time.Time
}

// A Changed is what came of an object.
type Changed struct {
	Text   []byte
	Fields calendar.Fields // what was written; nothing, and no text, if the object says all of it already
	// Informs is set if a server that schedules tells somebody of the change, and Item is the object as it was.
	Informs bool
	Item    calendar.Item
}

// inInvitation are the fields that attendees see.
const inInvitation = calendar.FieldSubject | calendar.FieldBody | calendar.FieldLocation | calendar.FieldTime |
	calendar.FieldAttendees | calendar.FieldResources | calendar.FieldRecurrence

// A writer writes into one object.
type writer struct {
	object
	owner string
	mail  calendar.Mail
	now   time.Time
}

// New makes an object.
func (m Mapper) New(c Change) ([]byte, error) {
	cal := ical.NewCalendar()
	put(cal.Component, ical.PropVersion, "2.0")
	put(cal.Component, ical.PropProductID, m.Product)
	main := ical.NewComponent(ical.CompEvent)
	cal.Children = []*ical.Component{main}
	w := writer{object: m.object(cal), owner: c.Owner, mail: c.Mail, now: c.Now}
	setText(main, ical.PropUID, UID(c.Key))
	setText(main, m.Key, c.Key)
	setText(main, m.Foreign, c.ForeignKey)
	put(main, ical.PropCreated, c.Now.UTC().Format(utcFormat))
	fields := calendar.AllFields &^ calendar.FieldRecurrence
	if c.Event.Busy == calendar.BusyUnspecified {
		fields &^= calendar.FieldBusy
	}
	if err := w.set(main, c.Event, fields); err != nil {
		return nil, err
	}
	if c.Event.Cancelled {
		put(main, ical.PropStatus, "CANCELLED")
	}
	if c.Event.Recurrence != "" {
		if err := w.setSeries(c.Event); err != nil {
			return nil, err
		}
	}
	w.stampAll()
	return w.text(), nil
}

// Change writes fields of an event into an object.
func (m Mapper) Change(text string, c Change) (Changed, error) {
	o, err := m.parse(text)
	if err != nil {
		return Changed{}, err
	}
	item, err := m.read(o, c.Owner)
	if err != nil {
		return Changed{}, err
	}
	out := Changed{Item: item, Fields: c.Fields & differences(item.Event, c.Event)}
	if c.Remark {
		return m.remark(o, item, c)
	}
	marked := c.ForeignKey != "" && item.ForeignKey == ""
	if out.Fields == 0 && !marked {
		return out, nil
	}
	w := writer{object: o, owner: c.Owner, mail: c.Mail, now: c.Now}
	if err := w.refuseDamage(item, c, out.Fields); err != nil {
		return out, err
	}
	main := w.main()
	out.Informs = c.Mail == calendar.MailNobody && out.Fields.Any(inInvitation) && w.informs()
	if marked {
		setText(main, m.Foreign, c.ForeignKey)
	}
	setText(main, m.Key, item.Key) // where a program dropped it and the UID told
	follow, err := w.alike(item.Event, out.Fields)
	if err != nil {
		return out, err
	}
	if err := w.set(main, c.Event, out.Fields); err != nil {
		return out, err
	}
	for v, fields := range follow {
		if err := w.set(v, c.Event, fields); err != nil {
			return out, err
		}
	}
	if out.Fields.Has(calendar.FieldRecurrence) {
		if err := w.setSeries(c.Event); err != nil {
			return out, err
		}
	}
	if c.Mail != calendar.MailNobody {
		for _, e := range w.events() {
			leaveToServer(e)
		}
	}
	if out.Fields.Any(calendar.FieldTime | calendar.FieldRecurrence) {
		n, _ := strconv.Atoi(textOf(main, ical.PropSequence)) // zero where there is none
		put(main, ical.PropSequence, strconv.Itoa(n+1))
	}
	w.stampAll()
	out.Text = w.text()
	return out, nil
}

// alike returns of each single occurrence which of the fields it has in common with its series: they change along. Where the
// occurrences are written themselves, nothing does.
func (w writer) alike(series calendar.Event, fields calendar.Fields) (map[*ical.Component]calendar.Fields, error) {
	out := map[*ical.Component]calendar.Fields{}
	if fields.Has(calendar.FieldRecurrence) {
		return out, nil
	}
	for _, v := range w.overrides() {
		e, err := w.event(v)
		if err != nil {
			return nil, err
		}
		if common := fields &^ calendar.FieldTime &^ differences(e, series); common != 0 {
			out[v] = common
		}
	}
	return out, nil
}

// remark gives an object other marks. Who is invited need not know.
func (m Mapper) remark(o object, item calendar.Item, c Change) (Changed, error) {
	out := Changed{Item: item}
	if item.Key == c.Key && item.ForeignKey == c.ForeignKey {
		return out, nil
	}
	w := writer{object: o, owner: c.Owner, mail: calendar.MailNobody, now: c.Now}
	setText(w.main(), m.Key, c.Key)
	setText(w.main(), m.Foreign, c.ForeignKey)
	w.stampAll()
	out.Text = w.text()
	return out, nil
}

// refuseDamage refuses what would leave a series with something that it did not have in mind.
func (w writer) refuseDamage(item calendar.Item, c Change, fields calendar.Fields) error {
	if item.Kind != calendar.Master {
		return nil
	}
	switch {
	case fields.Has(calendar.FieldRecurrence) && item.Event.Recurrence == "":
		return fmt.Errorf("the series has further dates, or another rule, that cannot be told: it is not changed as a series: %w", fault.Unsupported)
	case fields.Has(calendar.FieldRecurrence) || !fields.Has(calendar.FieldTime):
		return nil
	case item.Event.Start.Equal(c.Event.Start) && item.Event.AllDay == c.Event.AllDay && sameZone(item.Event.Zone, c.Event.Zone):
		return nil // it lasts longer, or shorter
	case item.Event.Recurrence == "" || len(item.Event.Exceptions) > 0:
		return fmt.Errorf("the exceptions of the series would be those of no occurrence if it began at another time: write its recurrence, too: %w", fault.Unsupported)
	}
	return nil
}

// stampAll records when the object was written.
func (w writer) stampAll() {
	now := w.now.UTC().Format(utcFormat)
	for _, e := range w.events() {
		put(e, ical.PropDateTimeStamp, now)
		put(e, ical.PropLastModified, now)
	}
}

// set writes fields of an event into a component.
func (w writer) set(c *ical.Component, e calendar.Event, fields calendar.Fields) error {
	if fields.Has(calendar.FieldSubject) {
		setText(c, ical.PropSummary, e.Subject)
	}
	if fields.Has(calendar.FieldBody) {
		setText(c, ical.PropDescription, e.Body)
		c.Props.Del("X-ALT-DESC") // the old text in HTML
	}
	if fields.Has(calendar.FieldLocation) {
		setText(c, ical.PropLocation, e.Location)
		c.Props.Del("X-APPLE-STRUCTURED-LOCATION") // the old place on a map
		c.Props.Del("GEO")
	}
	if fields.Has(calendar.FieldTime) {
		if err := w.setTime(c, e); err != nil {
			return err
		}
	}
	if fields.Has(calendar.FieldBusy) && e.Busy != calendar.BusyUnspecified {
		if err := setBusy(c, e.Busy); err != nil {
			return err
		}
	}
	if fields.Has(calendar.FieldClass) {
		word, ok := classWords[e.Class]
		if !ok {
			return fmt.Errorf("class %d is not known: %w", e.Class, fault.Invalid)
		}
		put(c, ical.PropClass, word)
	}
	if fields.Has(calendar.FieldReminder) {
		setReminder(c, e.Reminder)
	}
	if fields.Any(calendar.FieldAttendees | calendar.FieldResources) {
		for _, a := range e.Attendees {
			if a.Email == "" || a.Role < calendar.Required || a.Role > calendar.Resource {
				return fmt.Errorf("an attendee has no mail address, or a role that is not known: %w", fault.Invalid)
			}
		}
		w.setAttendees(c, e, fields)
	}
	return nil
}

// setBusy writes TRANSP for everybody, and what it has no words for in Microsoft's way, which others read, too.
func setBusy(c *ical.Component, b calendar.Busy) error {
	words := map[calendar.Busy][2]string{
		calendar.Free: {"TRANSPARENT", "FREE"}, calendar.Tentative: {"OPAQUE", "TENTATIVE"}, calendar.Occupied: {"OPAQUE", "BUSY"},
		calendar.OutOfOffice: {"OPAQUE", "OOF"}, calendar.WorkingElsewhere: {"TRANSPARENT", "WORKINGELSEWHERE"},
	}
	w, ok := words[b]
	if !ok {
		return fmt.Errorf("busy state %d is not known: %w", b, fault.Invalid)
	}
	put(c, ical.PropTransparency, w[0])
	put(c, busyStatus, w[1])
	return nil
}

// setTime writes start and end.
func (w writer) setTime(c *ical.Component, e calendar.Event) error {
	if e.Start.IsZero() || e.End.IsZero() || e.End.Before(e.Start) || e.AllDay && !e.End.After(e.Start) {
		return fmt.Errorf("the event has no start or no end, or ends before it starts: %w", fault.Invalid)
	}
	tzid, err := w.tzid(c, e)
	if err != nil {
		return err
	}
	for name, t := range map[string]time.Time{ical.PropDateTimeStart: e.Start, ical.PropDateTimeEnd: e.End} {
		p, err := w.timeProp(name, t, e.AllDay, tzid)
		if err != nil {
			return err
		}
		c.Props.Set(p)
	}
	c.Props.Del(ical.PropDuration)
	if c.Props.Get("X-MICROSOFT-CDO-ALLDAYEVENT") != nil {
		put(c, "X-MICROSOFT-CDO-ALLDAYEVENT", strings.ToUpper(strconv.FormatBool(e.AllDay)))
	}
	return nil
}

// tzid returns the TZID to write an event's times with, and sees to it that the object explains it; empty for UTC. What an
// object calls the same zone already is kept.
func (w writer) tzid(c *ical.Component, e calendar.Event) (string, error) {
	if e.AllDay || sameZone(e.Zone, "") {
		return "", nil
	}
	l, ok := location(e.Zone)
	if !ok {
		return "", fmt.Errorf("time zone %q is not known: %w", e.Zone, fault.Invalid)
	}
	if now, found, err := w.zones.stamp(c, ical.PropDateTimeStart); err == nil && found && now.tzid != "" && sameZone(now.clock.name, e.Zone) {
		return now.tzid, nil
	}
	if w.zones.definition(e.Zone) == nil {
		tz := timezone(l, e.Start)
		w.Children = append([]*ical.Component{tz}, w.Children...)
	}
	return e.Zone, nil
}

// timeProp writes a moment or a date. A moment that the zone's clocks show for the second time can only be told in UTC.
func (w writer) timeProp(name string, t time.Time, date bool, tzid string) (*ical.Prop, error) {
	p := ical.NewProp(name)
	if date {
		p.Params.Set(ical.ParamValue, string(ical.ValueDate))
		p.Value = t.UTC().Format(dateFormat)
		return p, nil
	}
	p.Value = t.UTC().Format(utcFormat)
	if tzid == "" {
		return p, nil
	}
	c, err := w.zones.clock(tzid)
	if err != nil {
		return nil, err
	}
	if wall, unique := c.wall(t); unique {
		p.Params.Set(ical.PropTimezoneID, tzid)
		p.Value = wall.Format(localFormat)
	} else {
		p.Params.Set(meantIn, c.name)
	}
	return p, nil
}

// sameZone compares names; no name is UTC.
func sameZone(a, b string) bool {
	for _, s := range []*string{&a, &b} {
		if l, ok := location(*s); ok {
			*s = named(l).name
		}
	}
	return a == b
}

// differences returns the fields in which two events say something else.
func differences(a, b calendar.Event) calendar.Fields {
	var d calendar.Fields
	set := func(f calendar.Fields, differs bool) {
		if differs {
			d |= f
		}
	}
	set(calendar.FieldSubject, a.Subject != plain(b.Subject))
	set(calendar.FieldBody, a.Body != plain(b.Body))
	set(calendar.FieldLocation, a.Location != plain(b.Location))
	set(calendar.FieldTime, !a.Start.Equal(b.Start) || !a.End.Equal(b.End) || a.AllDay != b.AllDay || !a.AllDay && !sameZone(a.Zone, b.Zone))
	set(calendar.FieldBusy, a.Busy != b.Busy && b.Busy != calendar.BusyUnspecified)
	set(calendar.FieldClass, a.Class != b.Class)
	set(calendar.FieldReminder, !sameReminder(a.Reminder, b.Reminder))
	set(calendar.FieldAttendees, !sameInvited(a, b, func(r calendar.Role) bool { return r != calendar.Resource }))
	set(calendar.FieldResources, !sameInvited(a, b, func(r calendar.Role) bool { return r == calendar.Resource }))
	set(calendar.FieldRecurrence, !sameRule(a.Recurrence, b.Recurrence) || !slices.EqualFunc(a.Exceptions, b.Exceptions, sameException))
	return d
}

// plain is a text as it will be read back.
func plain(s string) string { return unescape(escape(s)) }

func sameReminder(a, b *calendar.Reminder) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Before == max(b.Before, 0).Truncate(time.Minute)
}

func sameInvited(a, b calendar.Event, which func(calendar.Role) bool) bool {
	roles := func(all []calendar.Attendee) map[string]calendar.Role {
		m := map[string]calendar.Role{}
		for _, x := range all {
			if which(x.Role) {
				m[strings.ToLower(x.Email)] = x.Role
			}
		}
		return m
	}
	ra, rb := roles(a.Attendees), roles(b.Attendees)
	delete(rb, strings.ToLower(a.Organizer.Email))
	if len(ra) != len(rb) {
		return false
	}
	for k, v := range ra {
		if got, ok := rb[k]; !ok || got != v {
			return false
		}
	}
	return true
}

func sameException(a, b calendar.OccurrenceException) bool {
	if !a.Occurrence.Equal(b.Occurrence) || (a.Event == nil) != (b.Event == nil) {
		return false
	}
	return a.Event == nil || a.Event.Cancelled == b.Event.Cancelled && differences(*a.Event, *b.Event) == 0
}
