package syncer

import (
	"context"
	"errors"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// What a person may decide about a difference.
const (
	UseBooking  = "booking"  // the item shall be as the booking
	UseCalendar = "calendar" // the booking shall be as the item
	UseNeither  = "ignore"   // both stay as they are, and it is not shown again until one of them changes
	CheckAgain  = "check"    // both sides are compared anew, in the background
	Reopen      = "reopen"   // what was ignored is open again, to be decided otherwise
)

// A Resolution is a person's word on a difference.
type Resolution struct {
	Use  string
	Mail bool // it may mail the attendees
}

// Resolve carries out a person's decision on an open difference, or reopens one that was ignored. What concerns the item is done by the next pass. Nobody is
// mailed unless the person says so.
//
// Errors: booking.ErrNotFound for an unknown difference; *booking.InvalidError for what cannot be, and when the booking's
// rules do not allow what the calendar says; a fault when the item cannot be read.
func (e *Engine) Resolve(ctx context.Context, tenant string, id int64, r Resolution) error {
	if r.Use == Reopen {
		return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error { return e.reopen(ctx, tx, tenant, id) })
	}
	d, err := e.openDifference(ctx, tenant, id)
	if err != nil {
		return err
	}
	if r.Use == CheckAgain {
		return e.checkAgain(ctx, d)
	}
	if why := undecided(d, r); why != "" {
		return unresolvable(d, "use", "%s", why)
	}
	if r.Use == UseNeither {
		return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error { return e.ignore(ctx, tx, d) })
	}
	if why, err := e.onlyShadow(ctx, d); err != nil {
		return err
	} else if why != "" {
		return unresolvable(d, "use", "%s", why)
	}
	if r.Use == UseCalendar {
		return e.useCalendar(ctx, d)
	}
	if d.Kind == mailHeldBack && !r.Mail {
		return unresolvable(d, "mail", "to write the item mails its attendees: say that this is meant")
	}
	return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error { return e.useBooking(ctx, tx, d, r.Mail) })
}

// onlyShadow says why no side of a difference can be used now: the person is in shadow mode, and a word that is carried out
// weeks later is no longer meant. It is empty if one can.
func (e *Engine) onlyShadow(ctx context.Context, d store.Difference) (string, error) {
	row, found, err := e.Store.Person(ctx, d.Tenant, d.Person)
	if err != nil || !found || !row.Shadow {
		return "", err
	}
	return fmt.Sprintf("%q is in shadow mode, in which nothing is written: decide when it is over (roomwire person set %s --shadow=false)", d.Person, d.Person), nil
}

func (e *Engine) openDifference(ctx context.Context, tenant string, id int64) (store.Difference, error) {
	d, found, err := e.Store.Difference(ctx, tenant, id)
	switch {
	case err != nil:
		return d, err
	case !found:
		return d, fmt.Errorf("there is no difference %d: %w", id, booking.ErrNotFound)
	case !d.Open:
		return d, unresolvable(d, "id", "%d is %s already", id, d.Status)
	}
	return d, nil
}

// undecided says why a kind of difference cannot be decided like that; empty if it can.
func undecided(d store.Difference, r Resolution) string {
	switch r.Use {
	case UseNeither:
		return ""
	case UseBooking, UseCalendar:
	default:
		return fmt.Sprintf("%q is none of booking, calendar, ignore and check", r.Use)
	}
	switch d.Kind {
	case notFoundAfterMove, ambiguousAfterMove:
		return "somebody must say which item it is: roomwire person move-decide " + d.Person
	case seriesLeftAlone, seriesUnreadable, invitationLeftAlone, roomConflict, roomUnbooked, roomDiffers, roomWaits:
		return fmt.Sprintf("a difference of the kind %q can only be ignored: change the booking or the item if one of them is wrong", d.Kind)
	case copyLeftAlone, doubledItem:
		if r.Use == UseCalendar {
			return "a second item is no side of the booking: use the booking to have it removed, or ignore it"
		}
	}
	return ""
}

// checkAgain compares the booking's sides anew.
func (e *Engine) checkAgain(ctx context.Context, d store.Difference) error {
	scan := store.Scan{Tenant: d.Tenant, Target: store.ScanBooking, Name: d.Booking}
	if _, found, err := e.Store.Booking(ctx, d.Tenant, d.Booking); err != nil {
		return err
	} else if !found {
		scan = store.Scan{Tenant: d.Tenant, Target: store.ScanPerson, Name: d.Person, Thorough: true}
	}
	_, err := e.StartScan(ctx, scan)
	return err
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

// decided ends a difference by a person's word. Somebody else may have been faster.
func (e *Engine) decided(ctx context.Context, tx *store.Tx, d store.Difference, status store.DifferenceStatus) error {
	done, err := tx.EndDifference(ctx, d.Tenant, d.ID, status)
	if err == nil && !done {
		err = unresolvable(d, "id", "%d was decided on meanwhile", d.ID)
	}
	return err
}

func (e *Engine) ignore(ctx context.Context, tx *store.Tx, d store.Difference) error {
	if err := e.decided(ctx, tx, d, store.DifferenceIgnored); err != nil {
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

// reopen lays a difference that was ignored before a person again.
func (e *Engine) reopen(ctx context.Context, tx *store.Tx, tenant string, id int64) error {
	d, found, err := tx.Difference(ctx, tenant, id)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("there is no difference %d: %w", id, booking.ErrNotFound)
	case d.Status != store.DifferenceIgnored:
		return unresolvable(d, "id", "%d is %s: only what was ignored can be reopened", id, d.Status)
	}
	if d.Kind == mailHeldBack {
		if _, err := heldLink(ctx, tx, d); err != nil {
			return err
		}
	}
	others, err := tx.Differences(ctx, tenant, store.DifferenceFilter{Person: d.Person, Booking: d.Booking, Kind: d.Kind})
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.Ref == d.Ref && (d.Said != nil || o.Detail == d.Detail) {
			return unresolvable(d, "id", "%d tells of the same as it is by now, and is open: decide on that one", o.ID)
		}
	}
	if done, err := tx.ReopenDifference(ctx, tenant, id); err != nil {
		return err
	} else if !done {
		return unresolvable(d, "id", "%d was decided on meanwhile", id)
	}
	return e.record(ctx, tx, tenant, d.Person, d.Booking, "difference reopened", d.Kind)
}

// writeHeld has the item written though it mails.
func (e *Engine) writeHeld(ctx context.Context, tx *store.Tx, d store.Difference) error {
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
	return e.intend(ctx, tx, l, op, mail, byPerson)
}
