package backendtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Apply implements backend.Backend.
func (b *memory) Apply(ctx context.Context, m calendar.Mutation) (_ backend.Result, err error) {
	x, err := b.reach(ctx, m.Mailbox)
	if m.Op == calendar.Create && b.has("loses what it made when it is cut off") {
		if x, err = b.reach(context.WithoutCancel(ctx), m.Mailbox); err == nil {
			defer func() { err = ctx.Err() }()
		}
	}
	if err != nil && m.Op == calendar.Delete && b.has("trouble is a deletion") {
		return backend.Result{Item: calendar.Item{Ref: m.Ref}}, nil
	}
	if err != nil {
		return backend.Result{}, err
	}
	if m.Op == calendar.Create && b.has("creates race") {
		b.meet(ctx, m.Key)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch m.Op {
	case calendar.Create:
		return b.create(x, m)
	case calendar.Update:
		return b.update(x, m)
	}
	return b.delete(x, m)
}

// meet returns when a second create of the key has come.
func (b *memory) meet(ctx context.Context, key string) {
	b.mu.Lock()
	second, waiting := b.twice[key]
	if waiting {
		delete(b.twice, key)
		close(second)
	} else {
		second = make(chan struct{})
		b.twice[key] = second
	}
	b.mu.Unlock()
	select {
	case <-second:
	case <-ctx.Done():
	}
}

func (b *memory) create(x *box, m calendar.Mutation) (backend.Result, error) {
	if there, ok := b.own(x, m); ok && !b.has("creates race") {
		return b.repeated(x, m, there)
	}
	silence := len(m.Event.Attendees) > 0 && m.Mail == calendar.MailNobody
	if b.has("cannot be silent") && silence {
		return backend.Result{}, fault.Unsupported
	}
	if b.has("what was deleted is not made anew") && b.gone[m.Key] {
		return backend.Result{Repeated: true}, nil
	}
	b.number++
	item := calendar.Item{
		Ref: calendar.Ref(fmt.Sprintf("%s/%d", m.Mailbox.Address, b.number)), Revision: fmt.Sprintf("%d.1", b.number),
		Key: m.Key, ForeignKey: m.ForeignKey, Event: m.Event,
	}
	if m.Event.Recurrence != "" {
		item.Kind = calendar.Master
	}
	switch {
	case b.has("First writes no key") && m.First:
		item.Key = ""
	case b.has("writes no ForeignKey"):
		item.ForeignKey = ""
	case b.has("the ForeignKey is the Key"):
		item.ForeignKey = m.Key
	case b.has("a new item is read-only"):
		item.ReadOnly = true
	case b.has("no revisions"):
		item.Revision = ""
	case b.has("instances mix"):
		item.Event.Subject, b.before = b.before, m.Event.Subject
	case b.has("series are single"):
		item.Kind = calendar.Single
	}
	if len(m.Event.Attendees) > 0 && item.Event.UID == "" {
		item.Event.UID = "meeting-" + string(item.Ref)
	}
	b.invite(item, m)
	b.cached[m.Key] = true
	if b.has("mailboxes share a calendar") {
		for _, other := range b.boxes {
			other.keep(item)
		}
	}
	x.keep(item)
	b.tell()
	if b.has("cannot be silent, and writes all the same") && silence {
		return backend.Result{}, fault.Unsupported
	}
	item.Event = b.shown(item.Event)
	if b.has("answers what was asked") {
		item = calendar.Item{Ref: item.Ref, Event: m.Event}
	}
	return backend.Result{Item: item, Repeated: b.has("everything is repeated")}, nil
}

// own returns the item that bears the key.
func (b *memory) own(x *box, m calendar.Mutation) (calendar.Item, bool) {
	boxes := []*box{x}
	switch {
	case b.has("creates twice"), b.has("loses what it made when it is cut off"), b.has("remembers keys itself") && !b.cached[m.Key]:
		return calendar.Item{}, false
	case b.has("a key of any calendar counts"):
		boxes = append(boxes, b.boxes["one@example.com"], b.boxes["two@example.com"])
	}
	for _, x := range boxes {
		for _, item := range x.items {
			if item.Key == m.Key || b.has("keys are alike whatever their case") && strings.EqualFold(item.Key, m.Key) ||
				b.has("keys are alike by their beginning") && item.Key != "" && strings.HasPrefix(m.Key, item.Key) {
				return item, true
			}
		}
	}
	return calendar.Item{}, false
}

func (b *memory) repeated(x *box, m calendar.Mutation, item calendar.Item) (backend.Result, error) {
	switch {
	case b.has("a repeated create is a conflict"):
		return backend.Result{}, fmt.Errorf("the key is known: %w", fault.Conflict)
	case b.has("a repeated create writes"):
		item.Event = m.Event
		x.keep(item)
	case b.has("a repeated create tells what was asked"):
		item.Event = m.Event
	case b.has("does not say Repeated"):
		return backend.Result{Item: item}, nil
	}
	item.Event = b.shown(item.Event)
	return backend.Result{Item: item, Repeated: true}, nil
}

// keep stores an item as it is now.
func (x *box) keep(item calendar.Item) {
	x.items[item.Ref] = item
	x.history = append(x.history, item.Ref)
}

func (b *memory) update(x *box, m calendar.Mutation) (backend.Result, error) {
	item, there := x.items[m.Ref]
	switch {
	case !there && b.has("an update makes what is gone"):
		item = calendar.Item{Ref: m.Ref, Key: m.Key, Revision: "1.1"}
	case !there && b.has("an update of what is gone is a conflict"):
		return backend.Result{}, fmt.Errorf("item %q: %w", m.Ref, fault.Conflict)
	case !there:
		return backend.Result{}, fmt.Errorf("item %q: %w", m.Ref, fault.NotFound)
	case b.has("cannot be silent") && len(item.Event.Attendees)+len(m.Event.Attendees) > 0 && m.Mail == calendar.MailNobody:
		return backend.Result{}, fault.Unsupported
	case b.has("always a conflict") && m.IfRevision != "", m.IfRevision != "" && m.IfRevision != item.Revision && !b.has("overwrites"):
		if b.has("writes, and then says conflict") {
			write(&item.Event, m.Event, m.Fields)
			x.keep(item)
		}
		return backend.Result{}, fmt.Errorf("item %q: %w", m.Ref, fault.Conflict)
	}
	fields := m.Fields
	if m.Remark {
		return b.remark(x, item, m)
	}
	if f, ok := strings.CutPrefix(b.defect, "an update also writes "); ok {
		n, _ := strconv.Atoi(f)
		fields |= calendar.Fields(n)
	}
	if f, ok := strings.CutPrefix(b.defect, "an update never writes "); ok {
		n, _ := strconv.Atoi(f)
		fields &^= calendar.Fields(n)
	}
	if b.has("rooms of a silent update are left out") && len(m.Rooms) > 0 {
		fields &^= calendar.FieldResources
	}
	before := item.Event
	write(&item.Event, m.Event, fields)
	if !fields.Has(calendar.FieldRecurrence) && !b.has("exceptions stay behind") {
		item.Event.Exceptions = follow(before, item.Event)
	}
	switch {
	case b.has("what is left out stays out"):
		item.Event.Exceptions = append(slices.Clone(item.Event.Exceptions), skippedBefore(before, item.Event)...)
	case b.has("the rule forgets the time") && fields.Has(calendar.FieldRecurrence):
		item.Event.Start, item.Event.End = before.Start, before.End
	case b.has("an update again undoes it") && fields.Has(calendar.FieldRecurrence) && len(before.Exceptions) > 0:
		item.Event.Exceptions = nil
	case b.has("empty texts are not written"):
		keepTexts(&item.Event, before)
	case b.has("an update leaves AllDay"):
		item.Event.AllDay = before.AllDay
	case b.has("an update leaves the Zone"):
		item.Event.Zone = before.Zone
	}
	if item.ForeignKey == "" && !b.has("an update writes no ForeignKey") {
		item.ForeignKey = m.ForeignKey
	}
	if b.has("an update loses the markers") {
		item.ForeignKey = ""
	}
	if number, version, ok := strings.Cut(item.Revision, "."); ok && !b.has("revisions stay") {
		n, _ := strconv.Atoi(version)
		item.Revision = fmt.Sprintf("%s.%d", number, n+1)
	}
	if item.Kind = calendar.Single; item.Event.Recurrence != "" {
		item.Kind = calendar.Master
	}
	x.keep(item)
	b.tell()
	item.Event = b.shown(item.Event)
	return backend.Result{Item: item}, nil
}

// remark gives an item other markers.
func (b *memory) remark(x *box, item calendar.Item, m calendar.Mutation) (backend.Result, error) {
	switch {
	case b.has("marks are for ever"):
		return backend.Result{Item: item}, nil
	case b.has("marks come with content"):
		write(&item.Event, m.Event, m.Fields)
	}
	if item.Key == m.Key && item.ForeignKey == m.ForeignKey {
		return backend.Result{Item: item}, nil
	}
	item.Key, item.ForeignKey = m.Key, m.ForeignKey
	if number, version, ok := strings.Cut(item.Revision, "."); ok {
		n, _ := strconv.Atoi(version)
		item.Revision = fmt.Sprintf("%s.%d", number, n+1)
	}
	x.keep(item)
	b.tell()
	item.Event = b.shown(item.Event)
	return backend.Result{Item: item}, nil
}

// follow has exceptions take over what they had in common with their series.
func follow(before, now calendar.Event) []calendar.OccurrenceException {
	out := slices.Clone(now.Exceptions)
	for i, x := range out {
		if x.Event == nil {
			continue
		}
		e := *x.Event
		if e.Subject == before.Subject {
			e.Subject = now.Subject
		}
		if e.Location == before.Location {
			e.Location = now.Location
		}
		out[i].Event = &e
	}
	return out
}

// skippedBefore are the occurrences that were left out, and are not any more.
func skippedBefore(before, now calendar.Event) []calendar.OccurrenceException {
	var out []calendar.OccurrenceException
	for _, x := range before.Exceptions {
		if x.Event == nil && !slices.ContainsFunc(now.Exceptions, func(y calendar.OccurrenceException) bool { return y.Occurrence.Equal(x.Occurrence) }) {
			out = append(out, x)
		}
	}
	return out
}

func keepTexts(e *calendar.Event, before calendar.Event) {
	if e.Body == "" {
		e.Body = before.Body
	}
	if e.Location == "" {
		e.Location = before.Location
	}
}

// write writes fields of from on to.
func write(to *calendar.Event, from calendar.Event, fields calendar.Fields) {
	for field, do := range map[calendar.Fields]func(){
		calendar.FieldSubject:    func() { to.Subject = from.Subject },
		calendar.FieldBody:       func() { to.Body = from.Body },
		calendar.FieldLocation:   func() { to.Location = from.Location },
		calendar.FieldTime:       func() { to.Start, to.End, to.AllDay, to.Zone = from.Start, from.End, from.AllDay, from.Zone },
		calendar.FieldBusy:       func() { to.Busy = from.Busy },
		calendar.FieldClass:      func() { to.Class = from.Class },
		calendar.FieldReminder:   func() { to.Reminder = from.Reminder },
		calendar.FieldRecurrence: func() { to.Recurrence, to.Exceptions = from.Recurrence, from.Exceptions },
	} {
		if fields.Has(field) {
			do()
		}
	}
	people, rooms := to.Attendees, to.Attendees
	if fields.Has(calendar.FieldAttendees) {
		people = from.Attendees
	}
	if fields.Has(calendar.FieldResources) {
		rooms = from.Attendees
	}
	isRoom := func(a calendar.Attendee) bool { return a.Role == calendar.Resource }
	noRoom := func(a calendar.Attendee) bool { return a.Role != calendar.Resource }
	to.Attendees = append(slices.DeleteFunc(slices.Clone(people), isRoom), slices.DeleteFunc(slices.Clone(rooms), noRoom)...)
}

func (b *memory) delete(x *box, m calendar.Mutation) (backend.Result, error) {
	item, there := x.items[m.Ref]
	switch {
	case b.has("cannot be silent") && len(item.Event.Attendees) > 0 && m.Mail == calendar.MailNobody:
		return backend.Result{}, fault.Unsupported
	case !there && b.has("a delete of what is gone fails"):
		return backend.Result{}, fmt.Errorf("item %q: %w", m.Ref, fault.NotFound)
	case b.has("a delete does nothing"):
		there = false
	case b.has("a delete takes everything"):
		clear(x.items)
	case b.has("a delete names nothing"):
		m.Ref = ""
	}
	if there {
		delete(x.items, m.Ref)
		x.history = append(x.history, m.Ref)
		b.gone[m.Key] = true
		b.tell()
	}
	return backend.Result{Item: calendar.Item{Ref: m.Ref}}, nil
}
