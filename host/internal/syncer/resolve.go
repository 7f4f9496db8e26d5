package syncer

import (
	"context"
	"errors"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// What a person may decide about a difference.
const (
	UseBooking  = "booking"  // the item shall be as the booking
	UseCalendar = "calendar" // the booking shall be as the item
	UseNeither  = "ignore"   // both stay as they are, and it is not shown again
)

// A Resolution is a person's word on a difference.
type Resolution struct {
	Use  string
	Mail bool // it may mail the attendees
}

// Resolve carries out a person's decision on an open difference. What concerns the item is done by the next pass. A write that
// was held back because it mails can be resolved in each of the ways, every other difference only be ignored.
//
// Errors: booking.ErrNotFound for an unknown difference; *booking.InvalidError for what cannot be, and when the booking's
// rules do not allow what the calendar says; a fault when the item cannot be read.
func (e *Engine) Resolve(ctx context.Context, tenant string, id int64, r Resolution) error {
	d, found, err := e.Store.Difference(ctx, tenant, id)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("difference %d: %w", id, booking.ErrNotFound)
	case !d.Open:
		return unresolvable(d, "id", "%d is closed already", id)
	case r.Use == UseNeither:
		return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error { return e.ignore(ctx, tx, d) })
	case r.Use != UseBooking && r.Use != UseCalendar:
		return unresolvable(d, "use", "%q is none of booking, calendar and ignore", r.Use)
	case d.Kind != mailHeldBack:
		return unresolvable(d, "use", "a difference of the kind %q can only be ignored: change the booking or the item if one of them is wrong", d.Kind)
	case r.Use == UseBooking && !r.Mail:
		return unresolvable(d, "mail", "to write the item mails its attendees: say that this is meant")
	case r.Use == UseBooking:
		return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error { return e.useBooking(ctx, tx, d) })
	}
	return e.useCalendar(ctx, d)
}

func unresolvable(d store.Difference, field, format string, args ...any) error {
	return &booking.InvalidError{Booking: d.Booking, Violations: []booking.Violation{{Field: field, Reason: fmt.Sprintf(format, args...)}}}
}

// linksOf reads the links of bookings; *store.Store and *store.Tx do.
type linksOf interface {
	LinksOfBooking(ctx context.Context, tenant, booking string) ([]store.Link, error)
}

// heldLink returns the link whose write is held back.
func heldLink(ctx context.Context, s linksOf, d store.Difference) (store.Link, error) {
	links, err := s.LinksOfBooking(ctx, d.Tenant, d.Booking)
	if err != nil {
		return store.Link{}, err
	}
	for _, l := range links {
		if l.Person == d.Person && l.State != store.LinkDead && len(l.Held) > 0 {
			return l, nil
		}
	}
	return store.Link{}, unresolvable(d, "id", "%d is about a write that is not held back any more", d.ID)
}

func (e *Engine) ignore(ctx context.Context, tx *store.Tx, d store.Difference) error {
	if _, err := tx.CloseDifference(ctx, d.Tenant, d.ID); err != nil {
		return err
	}
	if d.Kind == mailHeldBack {
		l, err := heldLink(ctx, tx, d)
		if _, gone := errors.AsType[*booking.InvalidError](err); err != nil && !gone {
			return err
		} else if err == nil { // what both say stays remembered, so that it is not shown again
			l.Problem = ""
			if err := tx.PutLink(ctx, l); err != nil {
				return err
			}
		}
	}
	return e.record(ctx, tx, d.Tenant, d.Person, d.Booking, "difference ignored", d.Kind)
}

// useBooking has the item written though it mails.
func (e *Engine) useBooking(ctx context.Context, tx *store.Tx, d store.Difference) error {
	l, err := heldLink(ctx, tx, d)
	if err != nil {
		return err
	}
	op, mail := store.OpReset, calendar.MailConcerned
	if l.State == store.LinkDeleting {
		op, mail = store.OpDelete, calendar.MailAll
	}
	if err := e.letGo(ctx, tx, &l); err != nil {
		return err
	}
	l.Held = mailAllowed
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	if err := e.record(ctx, tx, d.Tenant, d.Person, d.Booking, "difference resolved", "the booking is written though it mails"); err != nil {
		return err
	}
	return e.intend(ctx, tx, l, op, mail, "decided by a person")
}

// useCalendar takes what the item says into the booking, if its rules allow it. The item stays as it is.
func (e *Engine) useCalendar(ctx context.Context, d store.Difference) error {
	l, err := heldLink(ctx, e.Store, d)
	if err != nil {
		return err
	}
	var item *calendar.Item
	if l.State != store.LinkDeleting {
		if item, err = e.itemOf(ctx, d, l); err != nil {
			return err
		}
	}
	return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		now, err := heldLink(ctx, tx, d)
		if err != nil {
			return err
		}
		if now.Key != l.Key || now.Ref != l.Ref || now.State != l.State {
			return unresolvable(d, "id", "%d was worked on meanwhile: look at it again", d.ID)
		}
		if err := e.letGo(ctx, tx, &now); err != nil {
			return err
		}
		if item == nil {
			if err := e.bury(ctx, tx, &now); err != nil {
				return err
			}
			return e.record(ctx, tx, d.Tenant, d.Person, d.Booking, "difference resolved", "the item of a booking that is over stays")
		}
		if err := e.record(ctx, tx, d.Tenant, d.Person, d.Booking, "difference resolved", "the booking takes what the calendar says"); err != nil {
			return err
		}
		return e.yield(ctx, tx, d, pair{link: now, item: item})
	})
}

// itemOf reads the item as it is now.
func (e *Engine) itemOf(ctx context.Context, d store.Difference, l store.Link) (*calendar.Item, error) {
	p, problem, err := e.onlooker(ctx, l)
	if err != nil {
		return nil, err
	}
	if problem != "" {
		return nil, unresolvable(d, "use", "the item cannot be read: %s", problem)
	}
	limited, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	item, err := e.current(limited, p, l)
	switch _, ours := errors.AsType[storeError](err); {
	case ours || ctx.Err() != nil:
		return nil, err
	case err != nil && fault.Of(err) != "":
		return nil, unresolvable(d, "use", "the item cannot be read: %s", sentence(err))
	case item == nil:
		return nil, unresolvable(d, "use", "there is no item in the calendar")
	}
	if why := untouchable(item, nil); why != "" {
		return nil, unresolvable(d, "use", "the item is one that cannot be taken over: %s", why)
	}
	return item, nil
}

func (e *Engine) yield(ctx context.Context, tx *store.Tx, d store.Difference, of pair) error {
	pr, err := pairUp(ctx, tx, of.link)
	if err != nil {
		return err
	}
	pr.item = of.item
	if pr.booking == nil {
		return unresolvable(d, "use", "the booking is over")
	}
	in, err := e.input(ctx, tx, &pr)
	if err != nil {
		return err
	}
	if decision := plan.Yield(in); decision.BookingFields != 0 {
		not, err := e.changeFromCalendar(ctx, tx, &pr, decision)
		if err != nil {
			return err
		}
		if not.why != "" {
			return unresolvable(d, "use", "the booking's rules do not allow what the calendar says: %s", not.why)
		}
	}
	f, err := fieldsOfBooking(ctx, tx, pr.booking)
	if err != nil {
		return err
	}
	in.Booking = &f
	rest := plan.Diff(f, *in.Item) &^ in.Omits &^ calendar.FieldBody
	if rest != 0 {
		// A booking cannot say all that an item can, such as a room without its name in the location. The item is to stay.
		pr.link.Held = stateOf(in)
	}
	return e.agree(ctx, tx, &pr, in, plan.Decision{ItemFields: rest})
}
