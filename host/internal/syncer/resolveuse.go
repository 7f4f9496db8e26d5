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

// linkOf returns the link that a difference is about; found is false if there is none any more.
func linkOf(ctx context.Context, s linksOf, d store.Difference) (l store.Link, found bool, err error) {
	if d.Kind == mailHeldBack {
		l, err = heldLink(ctx, s, d)
		return l, err == nil, err
	}
	links, err := s.LinksOfBooking(ctx, d.Tenant, d.Booking)
	if err != nil {
		return l, false, err
	}
	for _, l := range links {
		switch {
		case l.Person != d.Person || l.State == store.LinkDead:
		case ofItem(d) && l.Ref != d.Ref: // another item than the booking's own
		default:
			return l, true, nil
		}
	}
	return l, false, nil
}

// ofItem reports whether a difference is about an item that is not its booking's.
func ofItem(d store.Difference) bool {
	switch d.Kind {
	case copyLeftAlone, doubledItem, unlinkedLeftAlone, itemWithoutBooking:
		return true
	}
	return false
}

// useBooking has the item made, written or removed as the booking is. Without mail nobody is told.
func (e *Engine) useBooking(ctx context.Context, tx *store.Tx, d store.Difference, mail bool) error {
	if err := e.decided(ctx, tx, d, store.DifferenceSolved); err != nil {
		return err
	}
	if d.Kind == mailHeldBack {
		return e.writeHeld(ctx, tx, d)
	}
	l, found, err := linkOf(ctx, tx, d)
	switch {
	case err != nil:
		return err
	case ofItem(d):
		return e.removeItem(ctx, tx, d, l, found, mail)
	case !found:
		return e.linkAnew(ctx, tx, d, mail)
	case l.State == store.LinkDeleting:
		l.Problem = ""
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
		return e.decidedFor(ctx, tx, l, store.OpDelete, audienceOf(mail), "the item is to be removed")
	case leftByMove(l) || l.Quarantine != 0 || !l.GoneAt.IsZero() && d.Kind != itemMissing:
		return unresolvable(d, "id", "%d waits for another decision about the booking: see roomwire booking show %s", d.ID, d.Booking)
	}
	pr, err := pairUp(ctx, tx, l)
	if err != nil {
		return err
	}
	if pr.booking == nil {
		return unresolvable(d, "use", "the booking is over")
	}
	if err := e.switchOn(ctx, tx, &pr); err != nil {
		return err
	}
	if err := e.letGo(ctx, tx, &pr.link); err != nil {
		return err
	}
	pr.link.GoneAt, pr.link.Problem, pr.link.Tries = zeroTime, "", 0
	if err := tx.PutLink(ctx, pr.link); err != nil {
		return err
	}
	return e.decidedFor(ctx, tx, pr.link, store.OpReset, audienceOf(mail), "the item is made as the booking")
}

// audienceOf is who a person's word lets be told; those whom it does not concern are left out when it is written.
func audienceOf(mail bool) calendar.Mail {
	if mail {
		return calendar.MailAll
	}
	return calendar.MailNobody
}

func (e *Engine) decidedFor(ctx context.Context, tx *store.Tx, l store.Link, op store.Op, mail calendar.Mail, what string) error {
	if err := e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "difference resolved", what); err != nil {
		return err
	}
	return e.intend(ctx, tx, l, op, mail, byPerson)
}

// byPerson is the cause of what a person decided.
const byPerson = "decided by a person"

// switchOn ends that a booking is out of the sync because of a problem.
func (e *Engine) switchOn(ctx context.Context, tx *store.Tx, p *pair) error {
	if p.booking == nil || !p.booking.SyncDisabled {
		return nil
	}
	next := p.booking.Clone()
	next.SyncDisabled, next.SyncProblem = false, ""
	if err := e.save(ctx, tx, p.booking, next, sourceSync, "the sync of the booking is switched on again"); err != nil {
		return err
	}
	p.booking = next
	return tx.CloseDifferences(ctx, next.Tenant, next.ID, syncDisabled)
}

// linkAnew links a booking that has no item and none on its way.
func (e *Engine) linkAnew(ctx context.Context, tx *store.Tx, d store.Difference, mail bool) error {
	b, found, err := tx.Booking(ctx, d.Tenant, d.Booking)
	if err != nil {
		return err
	}
	if !found || b.Status != booking.Confirmed || b.Organizer != d.Person || b.SyncOff {
		return unresolvable(d, "use", "the booking is over, of somebody else by now, or out of the sync")
	}
	pr := pair{booking: b}
	if err := e.switchOn(ctx, tx, &pr); err != nil {
		return err
	}
	links, err := tx.LinksOfBooking(ctx, d.Tenant, d.Booking)
	if err != nil {
		return err
	}
	if err := e.record(ctx, tx, d.Tenant, d.Person, d.Booking, "difference resolved", "the item is to be made"); err != nil {
		return err
	}
	return e.link(ctx, tx, pr.booking, links, linking{mail: audienceOf(mail), cause: byPerson})
}

// removeItem has an item removed that is not its booking's own. l is the link that has it, if any.
func (e *Engine) removeItem(ctx context.Context, tx *store.Tx, d store.Difference, l store.Link, linked, mail bool) error {
	if d.Ref == "" {
		return unresolvable(d, "use", "which item it is about is not known any more: check again")
	}
	if linked && l.State != store.LinkDeleting {
		return unresolvable(d, "use", "the item belongs to the booking by now: check again")
	}
	if !linked {
		mb, found, err := tx.Mailbox(ctx, d.Tenant, d.Person)
		if err != nil || !found {
			return unresolvable(d, "use", "%q is no person here any more", d.Person)
		}
		links, err := tx.LinksOfBooking(ctx, d.Tenant, d.Booking)
		if err != nil {
			return err
		}
		// It bears another link's key; by this one only its removal is known.
		l = store.Link{
			Tenant: d.Tenant, Key: nextKey(d.Booking, links), Booking: d.Booking, Person: d.Person,
			Epoch: mb.Epoch, State: store.LinkDeleting, Ref: d.Ref, Created: e.now(),
		}
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
	}
	return e.decidedFor(ctx, tx, l, store.OpDelete, audienceOf(mail), "the item that is too much is removed")
}

// nextKey is the key of a booking's next link; former are those it had.
func nextKey(id string, former []store.Link) string { return fmt.Sprintf("%s.%d", id, len(former)+1) }

// useCalendar takes what the calendar says into the booking, if its rules allow it. The item stays as it is.
func (e *Engine) useCalendar(ctx context.Context, d store.Difference) error {
	l, found, err := linkOf(ctx, e.Store, d)
	switch {
	case err != nil:
		return err
	case ofItem(d):
		return e.reinstate(ctx, d)
	case !found && d.Kind == itemMissing, found && d.Kind == itemMissing && l.State != store.LinkDeleting:
		return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error { return e.useAbsence(ctx, tx, d) })
	case !found:
		return unresolvable(d, "use", "the booking has no item in this calendar any more")
	}
	var item *calendar.Item
	if l.State != store.LinkDeleting {
		if item, err = e.itemOf(ctx, d, l); err != nil {
			return err
		}
	}
	return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		now, found, err := linkOf(ctx, tx, d)
		if err != nil {
			return err
		}
		if !found || now.Key != l.Key || now.Ref != l.Ref || now.State != l.State {
			return unresolvable(d, "id", "%d was worked on meanwhile: look at it again", d.ID)
		}
		if err := e.decided(ctx, tx, d, store.DifferenceSolved); err != nil {
			return err
		}
		if err := e.letGo(ctx, tx, &now); err != nil {
			return err
		}
		if item == nil {
			if err := e.bury(ctx, tx, &now); err != nil {
				return err
			}
			if b, found, err := tx.Booking(ctx, d.Tenant, d.Booking); err != nil {
				return err
			} else if found {
				if err := e.wakeCopies(ctx, tx, b); err != nil {
					return err
				}
			}
			return e.record(ctx, tx, d.Tenant, d.Person, d.Booking, "difference resolved", "the item of a booking that is over stays")
		}
		if err := e.record(ctx, tx, d.Tenant, d.Person, d.Booking, "difference resolved", "the booking takes what the calendar says"); err != nil {
			return err
		}
		now.Problem, now.Tries = "", 0
		return e.yield(ctx, tx, d, pair{link: now, item: item})
	})
}

// useAbsence cancels a booking that has no item, because a person says that it was deleted on purpose.
func (e *Engine) useAbsence(ctx context.Context, tx *store.Tx, d store.Difference) error {
	if err := e.decided(ctx, tx, d, store.DifferenceSolved); err != nil {
		return err
	}
	l, found, err := linkOf(ctx, tx, d)
	if err != nil {
		return err
	}
	if found {
		pr, err := pairUp(ctx, tx, l)
		if err != nil {
			return err
		}
		if pr.booking == nil {
			return unresolvable(d, "use", "the booking is over")
		}
		return e.cancelFromCalendar(ctx, tx, &pr, "deleted in the calendar, as a person says")
	}
	b, found, err := tx.Booking(ctx, d.Tenant, d.Booking)
	if err != nil {
		return err
	}
	if !found || b.Status != booking.Confirmed {
		return unresolvable(d, "use", "the booking is over")
	}
	next := b.Clone()
	next.Status = booking.Cancelled
	if err := e.save(ctx, tx, b, next, sourceCalendar, "not in the calendar, as a person says"); err != nil {
		return err
	}
	return e.record(ctx, tx, d.Tenant, d.Person, d.Booking, "booking cancelled", "not in the calendar, as a person says")
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
	pr.item, pr.yields = of.item, true
	if pr.booking == nil {
		return unresolvable(d, "use", "the booking is over")
	}
	if err := e.switchOn(ctx, tx, &pr); err != nil {
		return err
	}
	in, err := e.input(ctx, tx, &pr)
	if err != nil {
		return err
	}
	if d.Kind == editLost && same(in) {
		return unresolvable(d, "use", lostForGood)
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
	f, err := e.shownFields(ctx, tx, pr.booking)
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
