package exchange

import (
	"context"
	"fmt"
	"slices"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// inInvitation are the fields that every attendee's invitation shows.
const inInvitation = calendar.FieldSubject | calendar.FieldBody | calendar.FieldLocation | calendar.FieldTime |
	calendar.FieldRecurrence

// audience returns whom the server is to tell. What Exchange calls "changed" are only those added or removed (MS-OXWSMTGS
// 2.2.5.3), whereas a new time or place concerns everybody, and a reminder nobody.
func audience(m calendar.Mutation) ews.Mail {
	switch {
	case m.Mail == calendar.MailNobody:
		return ews.Nobody
	case m.Mail == calendar.MailAll || m.Op != calendar.Update || m.Fields.Any(inInvitation):
		return ews.All
	case m.Fields.Any(calendar.FieldAttendees | calendar.FieldResources):
		return ews.Concerned
	}
	return ews.Nobody
}

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if m.Mail < calendar.MailNobody || m.Mail > calendar.MailConcerned {
		return backend.Result{}, fmt.Errorf("mail audience %d is not known: %w", m.Mail, fault.Invalid)
	}
	switch m.Op {
	case calendar.Create:
		return b.create(ctx, m)
	case calendar.Update:
		return b.update(ctx, m)
	case calendar.Delete:
		return b.delete(ctx, m)
	}
	return backend.Result{}, fmt.Errorf("mutation %d is not known: %w", m.Op, fault.Invalid)
}

// create makes an item, unless one with the key is there: nobody can know whether an earlier try got through. There was none
// where the host says so, and nothing below sends a CreateItem a second time.
func (b *Backend) create(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if m.Key == "" {
		return backend.Result{}, fmt.Errorf("an item without a key cannot be created safely: %w", fault.Invalid)
	}
	late := m.Mail != calendar.MailNobody && series.Uninvited(calendar.Event{}, m.Event)
	chosen := series.OfOccurrence
	if late {
		chosen &^= series.Guests
	}
	fields, err := toEWS(m.Event, chosen)
	if err != nil {
		return backend.Result{}, err
	}
	s, repeats, err := series.OfWritten(m.Event)
	if err != nil {
		return backend.Result{}, err
	}
	if repeats {
		fields = append(fields, ews.Recurrence(s.Pattern()))
	}
	if !m.First {
		if there, ok, err := b.own(ctx, m.Mailbox, b.key, m.Key); err != nil || ok {
			return b.repeated(ctx, m, there, err)
		}
	}
	fields = append(fields, ews.Named(valued(b.key, m.Key)))
	mail := audience(m)
	if late {
		mail = ews.Nobody
	} else if m.ForeignKey != "" {
		fields = append(fields, ews.Named(valued(b.foreign, m.ForeignKey)))
	}
	id, err := b.ews.CreateItem(ctx, m.Mailbox, fields, mail)
	if err != nil {
		return backend.Result{}, err
	}
	if id.ID == "" {
		return backend.Result{}, fmt.Errorf("creating an item in the calendar of %s: the server did not say which: %w",
			m.Mailbox.Address, fault.Unavailable)
	}
	item, err := b.readOne(ctx, m.Mailbox, id.ID)
	if err == nil && late {
		item, err = b.invite(ctx, m, item, inviting{want: m.Event})
		return backend.Result{Item: item}, err
	}
	if err == nil && len(m.Event.Exceptions) > 0 {
		if err := b.except(ctx, m, item, m.Event, ""); err != nil {
			return backend.Result{}, err
		}
		item, err = b.readOne(ctx, m.Mailbox, id.ID)
	} else if len(m.Event.Exceptions) > 0 {
		return backend.Result{}, err // they are written when it is tried again
	}
	if err != nil { // it is there all the same, as it was sent
		item = backend.Item{
			Ref: backend.Ref(id.ID), Revision: id.ChangeKey, Key: m.Key, ForeignKey: m.ForeignKey, Event: m.Event,
		}
	}
	return backend.Result{Item: item}, nil
}

// own returns the mailbox's own item that bears a marker: the oldest, as copies bear it too, and one that was called off only if there is no
// other. Attendees' copies of somebody else's meeting, which may bear it as well, are not meant.
func (b *Backend) own(ctx context.Context, m backend.Mailbox, p ews.Property, value string) (backend.Item, bool, error) {
	found, err := b.find(ctx, m, valued(p, value))
	if err != nil {
		return backend.Item{}, false, err
	}
	off := -1 // called off, perhaps when it was deleted, and brought back
	for i, item := range found {
		switch {
		case item.ReadOnly:
		case !item.Event.Cancelled:
			return item, true, nil
		case off < 0:
			off = i
		}
	}
	if off >= 0 {
		return found[off], true, nil
	}
	return backend.Item{}, false, nil
}

func valued(p ews.Property, value string) ews.Property {
	p.Value = value
	return p
}

// update writes the chosen fields of an item.
func (b *Backend) update(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if _, err := toEWS(m.Event, m.Fields&^calendar.FieldRecurrence); err != nil {
		return backend.Result{}, err
	}
	now, err := b.current(ctx, m)
	if err != nil {
		return backend.Result{}, err
	}
	if err := writable(m, now); err != nil {
		return backend.Result{}, err
	}
	if m.Remark {
		return b.remark(ctx, m, now)
	}
	if m.Mail == calendar.MailNobody && len(m.Rooms) > 0 && m.Fields.Any(series.Guests) {
		return b.updateRooms(ctx, m, now)
	}
	return b.write(ctx, m, now)
}

// write writes the chosen fields of an item, which is as now says.
func (b *Backend) write(ctx context.Context, m calendar.Mutation, now backend.Item) (backend.Result, error) {
	fields, err := toEWS(m.Event, m.Fields&^calendar.FieldRecurrence)
	if err != nil {
		return backend.Result{}, err
	}
	if m.Fields &^= now.Omits; now.Kind == calendar.Master || now.Kind == calendar.Single && m.Fields.Has(calendar.FieldRecurrence) {
		return b.updateSeries(ctx, m, now)
	}
	if sameZone(now.Event.Zone, m.Event.Zone) {
		// Servers are known to refuse a zone now and then (ErrorInvalidPropertySet): it is written only if it changes.
		fields = slices.DeleteFunc(fields, ews.Field.IsZone)
	}
	if fields, err = b.sparing(ctx, m, now, fields); err != nil {
		return backend.Result{}, err
	}
	if m.ForeignKey != "" && now.ForeignKey == "" {
		fields = append(fields, ews.Named(valued(b.foreign, m.ForeignKey)))
		now.ForeignKey = m.ForeignKey
	}
	if len(fields) == 0 {
		return backend.Result{Item: now}, nil
	}
	id, err := b.ews.UpdateItem(ctx, m.Mailbox, ews.ItemID{ID: string(now.Ref), ChangeKey: now.Revision}, fields, audience(m))
	if err != nil {
		return backend.Result{}, err
	}
	if id.ID == "" {
		id = ews.ItemID{ID: string(now.Ref)}
	}
	item, err := b.readOne(ctx, m.Mailbox, id.ID)
	if err != nil { // the write stands all the same
		item = now
		item.Ref, item.Revision, item.Event = backend.Ref(id.ID), id.ChangeKey, series.Overlay(now.Event, m.Event, m.Fields)
	}
	return backend.Result{Item: item}, nil
}

// remark gives an item other markers, which nobody sees and nobody is told of.
func (b *Backend) remark(ctx context.Context, m calendar.Mutation, now backend.Item) (backend.Result, error) {
	if now.Key == m.Key && now.ForeignKey == m.ForeignKey {
		return backend.Result{Item: now}, nil
	}
	fields := []ews.Field{ews.Named(valued(b.key, m.Key)), ews.Named(valued(b.foreign, m.ForeignKey))}
	id, err := b.ews.UpdateItem(ctx, m.Mailbox, ews.ItemID{ID: string(now.Ref), ChangeKey: now.Revision}, fields, ews.Nobody)
	if err != nil {
		return backend.Result{}, err
	}
	if now.Key, now.ForeignKey = m.Key, m.ForeignKey; id.ID != "" {
		now.Ref, now.Revision = backend.Ref(id.ID), id.ChangeKey
	}
	return backend.Result{Item: now}, nil
}

// sameZone reports whether two zones are certainly the same to Exchange. No name may mean UTC, or a zone of its own rules.
func sameZone(a, b string) bool {
	idA, okA := zones.Windows(a)
	idB, okB := zones.Windows(b)
	return okA && okB && idA == idB
}

// current returns the item to update as it is now. When the reference leads nowhere the item may have been moved to
// another folder and back, which changes its id: then it is found by its markers.
func (b *Backend) current(ctx context.Context, m calendar.Mutation) (backend.Item, error) {
	now, gone := b.readFor(ctx, m)
	if fault.Of(gone) != fault.NotFound || m.Remark {
		if gone == nil && m.IfRevision != "" && now.Revision != m.IfRevision {
			return now, fmt.Errorf("the item in the calendar of %s was changed meanwhile: %w", m.Mailbox.Address, fault.Conflict)
		}
		return now, gone
	}
	for _, p := range []ews.Property{valued(b.key, m.Key), valued(b.foreign, m.ForeignKey)} {
		if p.Value == "" {
			continue
		}
		moved, ok, err := b.own(ctx, m.Mailbox, p, p.Value)
		if err == nil && ok && m.IfRevision != "" && moved.Revision != m.IfRevision {
			// It may be a copy that somebody made and edited: the host is to look before anything is written.
			err = fmt.Errorf("the item in the calendar of %s was moved meanwhile: %w", m.Mailbox.Address, fault.Conflict)
		}
		if err != nil || ok {
			return moved, err
		}
	}
	return backend.Item{}, gone
}

// writable refuses what only the organizer may change.
func writable(m calendar.Mutation, now backend.Item) error {
	if !now.ReadOnly {
		return nil
	}
	return fmt.Errorf("the item in the calendar of %s is an attendee's copy; only the organizer may change the meeting: %w",
		m.Mailbox.Address, fault.Forbidden)
}

// delete moves an item to Deleted Items. One that is gone is no error; a copy with the same marker is not touched.
func (b *Backend) delete(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	done := backend.Result{Item: backend.Item{Ref: m.Ref}}
	got, err := b.ews.GetItems(ctx, m.Mailbox, []string{string(m.Ref)}, b.markers())
	if err == nil {
		err = got[0].Err
	}
	if err == nil {
		err = writable(m, backend.Item{ReadOnly: readOnly(m.Mailbox, &got[0].Item)})
	}
	if err == nil {
		err = b.ews.DeleteItem(ctx, m.Mailbox, string(m.Ref), audience(m))
	}
	if done.Repeated = fault.Of(err) == fault.NotFound; err != nil && !done.Repeated {
		return backend.Result{}, err
	}
	return done, nil
}
