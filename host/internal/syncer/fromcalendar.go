package syncer

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A refusal says why the booking's rules do not allow what the calendar says; nothing in it if they do.
type refusal struct {
	// why is for whomever the booking concerns, in mails, in its problem and in the change feed: which booking of somebody else is
	// in the way is nobody's business there. listed is for administrators, who look that up.
	why, listed string
	// inPart: only single occurrences of a series that were changed by themselves are refused; the rest is allowed.
	inPart bool
}

// allow returns next, p's booking with what the calendar changed, as far as the rules allow it.
func (e *Engine) allow(ctx context.Context, tx *store.Tx, p *pair, next *booking.Booking, d plan.Decision) (*booking.Booking, refusal, error) {
	if v := booking.Validate(next); len(v) > 0 {
		return nil, refusalOf(&booking.InvalidError{Booking: next.ID, Violations: v}), nil
	}
	if !d.BookingFields.Any(calendar.FieldTime | calendar.FieldResources | calendar.FieldRecurrence) {
		return next, refusal{}, nil
	}
	conflicts, err := tx.Conflicts(ctx, p.booking, next)
	if err != nil || len(conflicts) == 0 {
		return next, refusal{}, err
	}
	not := refusalOf(booking.Overlapped(next.ID, conflicts))
	part := withoutMoves(p.booking, next, conflicts)
	if part == nil || len(booking.Validate(part)) > 0 {
		return nil, not, nil
	}
	if still, err := tx.Conflicts(ctx, p.booking, part); err != nil || len(still) > 0 {
		return nil, not, err
	}
	not.inPart = true
	return part, not, nil
}

// withoutMoves returns next with the occurrences in conflict as they were in old; nil if that cannot be, because the series
// itself was moved into the way of others.
func withoutMoves(old, next *booking.Booking, conflicts []booking.Conflict) *booking.Booking {
	if !old.Series() || old.Recurrence != next.Recurrence || !old.Start.Equal(next.Start) || !old.End.Equal(next.End) ||
		old.AllDay != next.AllDay || old.Zone != next.Zone || !slices.Equal(old.Resources, next.Resources) {
		return nil
	}
	part := next.Clone()
	for _, c := range conflicts {
		at := c.Occurrence
		part.Exceptions = slices.DeleteFunc(part.Exceptions, func(x booking.Exception) bool { return x.Occurrence.Equal(at) })
		if x := old.Exception(at); x != nil {
			part.SetException(*x)
		}
	}
	part.Normalize()
	return part
}

// changeFromCalendar carries an edit made in the calendar into the booking, as far as its rules allow it, and says what they
// do not.
func (e *Engine) changeFromCalendar(ctx context.Context, tx *store.Tx, p *pair, d plan.Decision) (refusal, error) {
	next := p.booking.Clone()
	fields, to := p.veil.unveiled(d)
	if err := applyFields(ctx, tx, next, fields, &to); err != nil {
		return refusal{}, err
	}
	if d.BookingFields.Any(calendar.FieldAttendees | calendar.FieldRecurrence) {
		e.resolveGroups(p, next, d.BookingFields)
	}
	next, not, err := e.allow(ctx, tx, p, next, d)
	if err != nil || next == nil {
		return not, err
	}
	if booking.Same(p.booking, next) {
		return not, nil
	}
	rejected, err := lastRejected(ctx, tx, next)
	if err != nil {
		return refusal{}, err
	}
	if err := e.save(ctx, tx, p.booking, next, sourceCalendar, ""); err != nil {
		return refusal{}, err
	}
	p.booking = next
	if p.item != nil {
		mode, modified := p.person.SyncMode, p.item.Modified
		tx.OnCommit(func() { e.reflected(ToBooking, mode, modified) })
	}
	if !rejected {
		p.link.Tries = 0
	}
	return not, e.record(ctx, tx, next.Tenant, p.link.Person, next.ID, "booking changed", "changed in the calendar: "+inWords(d.BookingFields))
}

// rebuff carries out the person's conflict behaviour: what the calendar says is not allowed.
func (e *Engine) rebuff(ctx context.Context, tx *store.Tx, p *pair, not refusal) error {
	l := &p.link
	l.Ref, l.Revision, l.GoneAt = p.item.Ref, p.item.Revision, zeroTime
	if l.State == store.LinkPending || l.State == store.LinkExpected {
		l.State, l.Sent = store.LinkLive, nil
	}
	if len(l.Held) > 0 && !bytes.Equal(l.Held, mailAllowed) {
		return tx.PutLink(ctx, *l) // the same change, which could not be reset without mail
	}
	if conflictBehaviour(p.person) == directory.Cancel {
		if err := e.mailOnError(ctx, tx, l, mailNews{MailBookingCancelled, not.why}); err != nil {
			return err
		}
		b := p.booking
		if err := e.cancelFromCalendar(ctx, tx, p, "conflict: "+not.why); err != nil {
			return err
		}
		return e.wakeCopies(ctx, tx, b)
	}
	return e.setBack(ctx, tx, p, not)
}

// setBack has the item reset to the booking, unless that was done too often: what the calendar says is not allowed.
func (e *Engine) setBack(ctx context.Context, tx *store.Tx, p *pair, not refusal) error {
	l := &p.link
	if in, found, err := tx.Intent(ctx, l.Tenant, l.Key); err != nil {
		return err
	} else if found && in.Op == store.OpReset && !p.carrying {
		return tx.PutLink(ctx, *l) // the same change, told again before it was reset
	}
	l.Tries++
	if l.Tries > e.limits().RollbackTries {
		return e.giveUp(ctx, tx, p, fmt.Sprintf("%s; the item was reset %d times and changed again", not.why, e.limits().RollbackTries))
	}
	if err := tx.PutLink(ctx, *l); err != nil {
		return err
	}
	if err := e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "change refused, item is reset", not.listed); err != nil {
		return err
	}
	if err := e.mailOnError(ctx, tx, l, mailNews{MailChangeRefused, not.why}); err != nil {
		return err
	}
	return e.note(ctx, tx, *l, store.OpReset, calendar.MailNobody, not.why)
}

// lossOfOccurrence says what became of somebody's change of one occurrence of a series.
func lossOfOccurrence(l plan.Loss) string {
	when := l.Occurrence.Format("2006-01-02 15:04 UTC")
	if l.Occurrence.Equal(l.Occurrence.Truncate(24 * time.Hour)) {
		when = l.Occurrence.Format(time.DateOnly)
	}
	switch {
	case l.Deleted:
		return fmt.Sprintf("the occurrence of %s was left out in the calendar while it was changed in the booking: it is made again", when)
	case l.Side == plan.BookingSide:
		return fmt.Sprintf("the booking's change of %s of the occurrence of %s went with it: the calendar changed the series, which has none then", inWords(l.Fields), when)
	}
	return fmt.Sprintf("the calendar's change of %s of the occurrence of %s gave way: the booking changed it as well, or has none then", inWords(l.Fields), when)
}
