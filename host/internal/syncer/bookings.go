package syncer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Sources of a change, as the feed names them.
const (
	sourceAPI      = "api"
	sourceCalendar = "calendar"
	sourceSync     = "sync"
)

// Put creates or replaces a booking on behalf of the booking system, and records what its calendar needs. Saying the
// same again changes nothing, not even the version. Errors: *booking.InvalidError, *booking.OverlapError,
// *booking.VersionError.
func (e *Engine) Put(ctx context.Context, b *booking.Booking, match booking.Match, on booking.OnConflict) (saved booking.Saved, err error) {
	b = b.Clone()
	b.Status = booking.Confirmed
	if b.Zone == "" {
		b.Zone = e.Zone(b.Tenant)
	}
	b.Normalize()
	if v := booking.Validate(b); len(v) > 0 {
		return booking.Saved{}, &booking.InvalidError{Booking: b.ID, Violations: v}
	}
	err = e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		old, found, err := tx.Booking(ctx, b.Tenant, b.ID)
		if err != nil {
			return err
		}
		saved = booking.Saved{Created: !found}
		if err := matches(ctx, tx, bookingID{b.Tenant, b.ID}, old, found, match); err != nil {
			return err
		}
		next := b.Clone()
		if saved.Dropped, err = keepExceptions(old, next); err != nil {
			return err
		}
		if v, err := strangers(ctx, tx, next); err != nil {
			return err
		} else if len(v) > 0 {
			return &booking.InvalidError{Booking: b.ID, Violations: v}
		}
		regroup(old, next)
		if next.SyncOff, err = wantsNoSync(ctx, tx, old, b); err != nil {
			return err
		}
		next.SyncUnsaid = false
		if found && booking.Same(old, next) && !old.SyncDisabled {
			saved.Booking = old
			return nil
		}
		conflicts, err := tx.Conflicts(ctx, old, next)
		if err != nil {
			return err
		}
		if len(conflicts) > 0 {
			if on != booking.Skip || !next.Series() || !next.Skip(conflicts, e.now()) {
				return booking.Overlapped(b.ID, conflicts)
			}
			if v := booking.Validate(next); len(v) > 0 {
				return &booking.InvalidError{Booking: b.ID, Violations: v}
			}
			saved.Skipped = conflicts
			if found && booking.Same(old, next) && !old.SyncDisabled {
				saved.Booking = old
				return nil
			}
		}
		e.expects(old, next)
		saved.Booking = next
		return e.accept(ctx, tx, old, next)
	})
	if err != nil {
		return booking.Saved{}, err
	}
	return saved, nil
}

// accept saves what the booking system made of a booking, and records what its calendar needs.
func (e *Engine) accept(ctx context.Context, tx *store.Tx, old, next *booking.Booking) error {
	next.SyncDisabled, next.SyncProblem = false, ""
	if old != nil {
		next.Answers = slices.Clone(old.Answers)
		if err := e.askAnew(ctx, tx, next); err != nil {
			return err
		}
		next.SyncProblem = declinedProblem(next)
	}
	if err := e.save(ctx, tx, old, next, sourceAPI, ""); err != nil {
		return err
	}
	return e.relink(ctx, tx, old, next)
}

// wantsNoSync says whether a booking that is put stays out of the calendars. Where nobody said, it is as it was, and for a
// new booking as its organizer has it; whoever made an appointment for it already wants it there.
func wantsNoSync(ctx context.Context, p people, old, b *booking.Booking) (bool, error) {
	switch {
	case !b.SyncUnsaid:
		return b.SyncOff, nil
	case b.ItemExpected:
		return false, nil
	case old != nil:
		return old.SyncOff, nil
	}
	organizer, _, err := p.Person(ctx, b.Tenant, b.Organizer)
	return organizer.SyncOnRequest, err
}

// Cancel cancels a booking on behalf of the booking system; its item is removed. Cancelling what is cancelled changes
// nothing. Errors: booking.ErrNotFound, *booking.VersionError.
func (e *Engine) Cancel(ctx context.Context, tenant, id string, match booking.Match) (*booking.Booking, error) {
	var saved *booking.Booking
	err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		old, found, err := tx.Booking(ctx, tenant, id)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("booking %q: %w", id, booking.ErrNotFound)
		}
		if err := matches(ctx, tx, bookingID{tenant, id}, old, found, match); err != nil {
			return err
		}
		if old.Status == booking.Cancelled {
			saved = old
			return nil
		}
		saved = old.Clone()
		saved.Status = booking.Cancelled
		if err := e.save(ctx, tx, old, saved, sourceAPI, ""); err != nil {
			return err
		}
		return e.relink(ctx, tx, old, saved)
	})
	return saved, err
}

// strangers lists the organizer and resources that the directory does not know.
func strangers(ctx context.Context, p people, b *booking.Booking) ([]booking.Violation, error) {
	var v []booking.Violation
	if b.External == nil {
		row, found, err := p.Person(ctx, b.Tenant, b.Organizer)
		switch {
		case err != nil:
			return nil, err
		case !found:
			v = append(v, booking.Violation{Field: "organizer", Reason: fmt.Sprintf("%q is no person of this tenant: import the person first", b.Organizer)})
		case row.Kind == directory.KindResource:
			v = append(v, booking.Violation{Field: "organizer", Reason: fmt.Sprintf("%q is a resource, not a person", b.Organizer)})
		}
	}
	known := map[string]string{} // resource to what is wrong with it
	look := func(prefix string, resources []string) error {
		for i, id := range resources {
			why, looked := known[id]
			if !looked {
				row, found, err := p.Person(ctx, b.Tenant, id)
				switch {
				case err != nil:
					return err
				case !found:
					why = fmt.Sprintf("%q is no resource of this tenant: import it first, with kind \"resource\"", id)
				case row.Kind != directory.KindResource:
					why = fmt.Sprintf("%q is a person, not a resource", id)
				}
				known[id] = why
			}
			if why != "" {
				v = append(v, booking.Violation{Field: fmt.Sprintf("%sresources[%d]", prefix, i), Reason: why})
			}
		}
		return nil
	}
	if err := look("", b.Resources); err != nil {
		return nil, err
	}
	for i, x := range b.Exceptions {
		if x.Resources == nil {
			continue
		}
		if err := look(fmt.Sprintf("exceptions[%d].", i), *x.Resources); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// save writes the next version of a booking and its entry in the change feed. old is nil for a new one.
func (e *Engine) save(ctx context.Context, tx *store.Tx, old, next *booking.Booking, source, reason string) error {
	now := e.now()
	kind := "updated"
	next.Version, next.Created, next.Updated = 1, now, now
	if old != nil {
		next.Version, next.Created = old.Version+1, old.Created
	}
	switch {
	case old == nil || old.Status == booking.Cancelled && next.Status == booking.Confirmed:
		kind = "created"
	case next.Status == booking.Cancelled:
		kind = "cancelled"
	case next.SyncDisabled && !old.SyncDisabled:
		kind = "problem"
	}
	if err := forgetAnswers(ctx, tx, next); err != nil {
		return err
	}
	if err := tx.PutBooking(ctx, next); err != nil {
		return err
	}
	if next.Status == booking.Cancelled { // it says nothing any more that a meeting could say otherwise
		if err := tx.CloseDifferences(ctx, next.Tenant, next.ID, roomDiffers); err != nil {
			return err
		}
	}
	if err := e.roomsFreed(ctx, tx, old, next); err != nil {
		return err
	}
	if err := e.roomsJoined(ctx, tx, old, next); err != nil {
		return err
	}
	if err := e.wakeAlone(ctx, tx, old, next); err != nil {
		return err
	}
	data, err := e.Render(next)
	if err != nil {
		return fmt.Errorf("booking %q for the change feed: %w", next.ID, err)
	}
	_, err = tx.AppendChange(ctx, store.ChangeRecord{
		Tenant: next.Tenant, Kind: kind, Source: source, Booking: next.ID, Version: next.Version, At: now, Data: data, Reason: reason,
	})
	return err
}

// intend records an intent and wakes the mailbox.
func (e *Engine) intend(ctx context.Context, tx *store.Tx, l store.Link, op store.Op, mail calendar.Mail, cause string) error {
	if err := e.note(ctx, tx, l, op, mail, cause); err != nil {
		return err
	}
	return tx.MarkDirty(ctx, l.Tenant, l.Person, time.Time{})
}

// audience says who is told of a person's change from old to next: everybody of a new time or place, those concerned
// of a change of people, nobody of the rest.
func audience(ctx context.Context, p people, old, next *booking.Booking) (calendar.Mail, error) {
	if old == nil {
		return calendar.MailAll, nil
	}
	was, err := fieldsOfBooking(ctx, p, old)
	if err != nil {
		return 0, err
	}
	is, err := fieldsOfBooking(ctx, p, next)
	if err != nil {
		return 0, err
	}
	return concerned(plan.Told(was, is)), nil
}

// heardByAll are the fields of which everybody is told who is invited.
const heardByAll = calendar.FieldTime | calendar.FieldLocation | calendar.FieldResources

// concerned says who is told that a person changed the fields d, which are of single occurrences where only these differ.
func concerned(d calendar.Fields) calendar.Mail {
	switch {
	case d.Any(heardByAll):
		return calendar.MailAll
	case d.Any(calendar.FieldAttendees):
		return calendar.MailConcerned
	}
	return calendar.MailNobody
}

// linkBatch is how many bookings are looked at in one go.
const linkBatch = 200

// LinkUnlinked links bookings of a person that have no item yet, because the person's sync was off or the person
// unknown when they were made. Nobody is mailed. It returns how many it linked; call again while it is not zero.
func (e *Engine) LinkUnlinked(ctx context.Context, tenant, person string) (int, error) {
	n := 0
	err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		n = 0
		bookings, err := tx.UnlinkedBookings(ctx, tenant, person, e.now(), linkBatch)
		if err != nil {
			return err
		}
		for _, b := range bookings {
			links, err := tx.LinksOfBooking(ctx, tenant, b.ID)
			if err != nil {
				return err
			}
			how := linking{mail: calendar.MailNobody, cause: "sync switched on"}
			if err := e.link(ctx, tx, b, links, how); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// loadFields reads stored fields; nil stays nil.
func loadFields(data []byte) (*plan.Fields, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var f plan.Fields
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("stored fields: %w", err)
	}
	f = plan.Canonical(f)
	return &f, nil
}

func saveFields(f *plan.Fields) []byte {
	if f == nil {
		return nil
	}
	data, _ := json.Marshal(f) // plain data: cannot fail
	return data
}

// refusalOf says in sentences why a booking rule refuses something.
func refusalOf(err error) refusal {
	if o, ok := errors.AsType[*booking.OverlapError](err); ok {
		not := refusal{why: "a resource is taken at that time by another booking", listed: "a resource is taken at that time by booking " + o.Where()}
		if times := o.Times(); times != "" {
			not.why += ", at " + times
		}
		return not
	}
	if v, ok := errors.AsType[*booking.InvalidError](err); ok {
		why := fmt.Sprintf("%s %s", v.Violations[0].Field, v.Violations[0].Reason)
		return refusal{why: why, listed: why}
	}
	return refusal{}
}
