package syncer

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// reinstate lets a cancelled booking stand again as its item says, because a person wants to use the calendar.
func (e *Engine) reinstate(ctx context.Context, d store.Difference) error {
	b, found, err := e.Store.Booking(ctx, d.Tenant, d.Booking)
	switch {
	case err != nil:
		return err
	case !found:
		return unresolvable(d, "use", "the booking is not known here: make it in the booking system, or use the booking to have the item removed")
	case b.Organizer != d.Person:
		return unresolvable(d, "use", "the booking is of somebody else by now")
	case b.Status == booking.Confirmed:
		return unresolvable(d, "use", "the booking stands: its item is linked when the calendar is read in full (roomwire sync now --full %s)", d.Person)
	}
	item, err := e.itemOf(ctx, d, store.Link{Tenant: d.Tenant, Person: d.Person, Booking: d.Booking, Ref: d.Ref, State: store.LinkLive})
	if err != nil {
		return err
	}
	return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := e.decided(ctx, tx, d, store.DifferenceSolved); err != nil {
			return err
		}
		b, found, err := tx.Booking(ctx, d.Tenant, d.Booking)
		if err != nil || !found || b.Status == booking.Confirmed {
			return unresolvable(d, "id", "%d was worked on meanwhile: look at it again", d.ID)
		}
		return e.standAgain(ctx, tx, d, b, item)
	})
}

// standAgain saves the booking as its item says and links the two.
func (e *Engine) standAgain(ctx context.Context, tx *store.Tx, d store.Difference, b *booking.Booking, item *calendar.Item) error {
	organizer, _, err := tx.Person(ctx, d.Tenant, d.Person)
	if err != nil {
		return err
	}
	said, err := fieldsOfItem(ctx, tx, d.Tenant, organizer.Email, &item.Event)
	if err != nil {
		return err
	}
	next := b.Clone()
	next.Status, next.SyncDisabled, next.SyncProblem, next.ItemExpected = booking.Confirmed, false, "", false
	if err := e.undisclosed(ctx, tx, next, calendar.AllFields&^item.Omits&^calendar.FieldBody, said); err != nil {
		return err
	}
	if why, err := e.forbidden(ctx, tx, next); err != nil {
		return err
	} else if why != "" {
		return unresolvable(d, "use", "the booking cannot stand again: %s", why)
	}
	if err := e.save(ctx, tx, b, next, sourceCalendar, "lives on in the calendar, as a person says"); err != nil {
		return err
	}
	links, err := tx.LinksOfBooking(ctx, d.Tenant, d.Booking)
	if err != nil {
		return err
	}
	l := store.Link{Tenant: d.Tenant, Key: nextKey(d.Booking, links), Booking: d.Booking, Person: d.Person, Created: e.now()}
	for _, former := range links {
		if former.Key == item.Key && former.State == store.LinkDead && former.Person == d.Person {
			l = former // its item bears its key
		}
	}
	mb, found, err := tx.Mailbox(ctx, d.Tenant, d.Person)
	if err != nil || !found {
		return err
	}
	l.State, l.Ref, l.Revision, l.Epoch, l.SeenRound = store.LinkLive, item.Ref, item.Revision, mb.Epoch, mb.Round
	l.Base, l.Sent, l.Held, l.GoneAt, l.Problem, l.Tries = nil, nil, nil, zeroTime, "", 0
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	return e.decidedFor(ctx, tx, l, store.OpSync, calendar.MailNobody, "the booking stands again, as its item")
}

// forbidden says why the rules do not let a booking be saved as it is; empty if they do.
func (e *Engine) forbidden(ctx context.Context, tx *store.Tx, b *booking.Booking) (string, error) {
	v := booking.Validate(b)
	if len(v) == 0 {
		var err error
		if v, err = strangers(ctx, tx, b); err != nil {
			return "", err
		}
	}
	if len(v) > 0 {
		return refusalOf(&booking.InvalidError{Booking: b.ID, Violations: v}).listed, nil
	}
	others, err := tx.Overlapping(ctx, b)
	if err != nil || len(others) == 0 {
		return "", err
	}
	return refusalOf(&booking.OverlapError{Booking: b.ID, Others: others}).listed, nil
}
