package syncer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// What became of a change that the booking system refused.
const (
	RolledBack    = "rolled back"                // the booking is as it was, and the item will be
	RolledBackOff = "rolled back, sync disabled" // the same, but once too often: the item stays as it is
	Restored      = "restored"                   // the booking stands again, and its item is made again
	CalledOff     = "cancelled"                  // the booking is cancelled, its item stays
	Overtaken     = "overtaken"                  // all that the change did was changed again since: nothing is left to undo
)

// Reject undoes what a calendar did to a booking because the booking system refuses it; seq is the number of the change in
// the feed, reason is for people. The organizer's conflict behaviour says how: the booking and its item are set back
// without a mail to anybody, or the booking is cancelled and its item left. What others changed since stays. Refusing the
// same change again changes nothing and returns the first outcome.
//
// Errors: booking.ErrNotFound for an unknown change, *booking.InvalidError for one that cannot be refused,
// *booking.OverlapError if a resource was taken meanwhile.
func (e *Engine) Reject(ctx context.Context, tenant string, seq int64, reason string) (outcome string, err error) {
	if e.Parse == nil {
		return "", errors.New("this engine cannot read the change feed")
	}
	err = e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		r := rejection{engine: e, tx: tx, why: "refused by the booking system: " + reason}
		var err error
		outcome, err = r.reject(ctx, tenant, seq, reason)
		return err
	})
	if err != nil {
		return "", err
	}
	return outcome, nil
}

// rejection is the refusal of one change, within one transaction.
type rejection struct {
	engine *Engine
	tx     *store.Tx
	why    string

	change store.ChangeRecord
	now    *booking.Booking
	person store.PersonRow // the organizer
	links  []store.Link
}

func unrejectable(b, format string, args ...any) error {
	return &booking.InvalidError{Booking: b, Violations: []booking.Violation{{Field: "seq", Reason: fmt.Sprintf(format, args...)}}}
}

func (r *rejection) reject(ctx context.Context, tenant string, seq int64, reason string) (string, error) {
	var found bool
	var err error
	if r.change, found, err = r.tx.Change(ctx, tenant, seq); err != nil {
		return "", err
	}
	if !found {
		return r.ofUnkept(ctx, tenant, seq)
	}
	// This keeps others who refuse the same change waiting.
	if r.now, found, err = r.tx.Booking(ctx, tenant, r.change.Booking); err != nil {
		return "", err
	} else if !found {
		return "", fmt.Errorf("booking %q: %w", r.change.Booking, booking.ErrNotFound)
	}
	if first, again, err := r.tx.Rejection(ctx, tenant, seq); err != nil || again {
		return first.Outcome, err
	}
	if r.change.Source != sourceCalendar {
		return "", unrejectable(r.now.ID, "%d is no change that a calendar made, but one by %q", seq, r.change.Source)
	}
	if r.person, _, err = r.tx.Person(ctx, tenant, r.now.Organizer); err != nil {
		return "", err
	}
	if r.links, err = r.tx.LinksOfBooking(ctx, tenant, r.now.ID); err != nil {
		return "", err
	}
	undo := r.undoChange
	if r.change.Kind == "cancelled" {
		undo = r.undoCancellation
	}
	outcome, err := undo(ctx)
	if err != nil {
		return "", err
	}
	return outcome, r.tx.AddRejection(ctx, store.Rejection{
		Tenant: tenant, Seq: seq, Booking: r.now.ID, At: r.engine.now(), Reason: reason, Outcome: outcome,
	})
}

// ofUnkept answers for a change that the feed does not have.
func (r *rejection) ofUnkept(ctx context.Context, tenant string, seq int64) (string, error) {
	if first, again, err := r.tx.Rejection(ctx, tenant, seq); err != nil || again {
		return first.Outcome, err
	}
	last, err := r.tx.LastSeq(ctx, tenant)
	if err != nil {
		return "", err
	}
	if seq < 1 || seq > last {
		return "", fmt.Errorf("change %d: %w", seq, booking.ErrNotFound)
	}
	return "", unrejectable("", "%d is so old that the change is no longer kept: put the booking as it should be", seq)
}

func (r *rejection) undoCancellation(ctx context.Context) (string, error) {
	last, _, err := r.tx.ChangeBefore(ctx, r.now.Tenant, r.now.ID, math.MaxInt64)
	switch {
	case err != nil:
		return "", err
	case last.Seq != r.change.Seq:
		return Overtaken, nil
	case conflictBehaviour(r.person) == directory.Cancel:
		return CalledOff, nil
	}
	next := r.now.Clone()
	next.Status = booking.Confirmed
	if err := r.put(ctx, next); err != nil {
		return "", err
	}
	if err := r.tell(ctx, MailChangeRejected, "cancellation refused, booking restored"); err != nil {
		return "", err
	}
	if next.SyncOff {
		return Restored, r.engine.listMeetingGone(ctx, r.tx, next, "the booking system refused that its booking is cancelled with it")
	}
	if next.SyncDisabled || r.person.ID == "" || r.person.SyncDisabled || r.engine.past(next) {
		return Restored, nil
	}
	tries, latest := 1, -1 // an earlier organizer's item may still be to go
	for i, l := range r.links {
		if l.Person == next.Organizer {
			tries, latest = l.Tries+1, i
		}
	}
	if latest >= 0 && tries > r.engine.limits().RollbackTries {
		return RolledBackOff, r.giveUp(ctx, r.links[latest], next)
	}
	return Restored, r.engine.link(ctx, r.tx, next, r.links, linking{mail: calendar.MailNobody, cause: r.why, tries: tries})
}

func (r *rejection) undoChange(ctx context.Context) (string, error) {
	if r.now.Status == booking.Cancelled {
		return Overtaken, nil
	}
	left, err := r.leftover(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case left.fields == 0 && len(left.occurrences) == 0:
		return Overtaken, nil
	case conflictBehaviour(r.person) == directory.Cancel:
		return CalledOff, r.callOff(ctx)
	}
	before, err := r.former(ctx, &left)
	if err != nil {
		return "", err
	}
	next := r.now.Clone()
	copyFields(next, before, left.fields)
	for _, x := range left.occurrences {
		next.SetException(x)
	}
	if next.Series() && !left.fields.Any(calendar.FieldRecurrence) && left.fields.Any(calendar.FieldTime) {
		booking.Rebase(r.now, next)
	}
	next.Normalize()
	if err := r.put(ctx, next); err != nil {
		return "", err
	}
	if err := r.tell(ctx, MailChangeRejected, "change refused, item is reset"); err != nil {
		return "", err
	}
	i := slices.IndexFunc(r.links, r.standing)
	if i < 0 || next.SyncDisabled {
		return RolledBack, nil
	}
	l := r.links[i]
	if l.Tries++; l.Tries > r.engine.limits().RollbackTries {
		return RolledBackOff, r.giveUp(ctx, l, next)
	}
	if err := r.tx.PutLink(ctx, l); err != nil {
		return "", err
	}
	return RolledBack, r.engine.intend(ctx, r.tx, l, store.OpReset, calendar.MailNobody, r.why)
}

// standing reports whether l ties the booking to its organizer's calendar.
func (r *rejection) standing(l store.Link) bool {
	return l.Person == r.now.Organizer && l.State != store.LinkDead && l.State != store.LinkDeleting
}

// put saves what the refusal makes of the booking, if its rules allow it.
func (r *rejection) put(ctx context.Context, next *booking.Booking) error {
	v := booking.Validate(next)
	if len(v) == 0 {
		var err error
		if v, err = strangers(ctx, r.tx, next); err != nil {
			return err
		}
	}
	if len(v) > 0 {
		return &booking.InvalidError{Booking: next.ID, Violations: v}
	}
	if conflicts, err := r.tx.Conflicts(ctx, r.now, next); err != nil {
		return err
	} else if len(conflicts) > 0 {
		return booking.Overlapped(next.ID, conflicts)
	}
	return r.engine.save(ctx, r.tx, r.now, next, sourceSync, r.why)
}

// callOff is the conflict behaviour Cancel.
func (r *rejection) callOff(ctx context.Context) error {
	next := r.now.Clone()
	next.Status = booking.Cancelled
	if err := r.engine.save(ctx, r.tx, r.now, next, sourceSync, r.why); err != nil {
		return err
	}
	for i := range r.links {
		if r.standing(r.links[i]) {
			if err := r.engine.bury(ctx, r.tx, &r.links[i]); err != nil {
				return err
			}
		}
	}
	if err := r.engine.wakeCopies(ctx, r.tx, next); err != nil {
		return err
	}
	return r.tell(ctx, MailBookingCancelled, "booking cancelled")
}

// giveUp takes the booking, as it is by now, out of the sync: its calendar does the same again and again.
func (r *rejection) giveUp(ctx context.Context, l store.Link, next *booking.Booking) error {
	why := fmt.Sprintf("%s; the item was reset %d times and changed again", r.why, r.engine.limits().RollbackTries)
	return r.engine.giveUp(ctx, r.tx, &pair{link: l, booking: next, person: r.person}, why)
}

// tell puts what happened on the organizer's timeline, and into a mail.
func (r *rejection) tell(ctx context.Context, kind, what string) error {
	if r.person.ID == "" {
		return nil // left since
	}
	about := store.Link{Tenant: r.now.Tenant, Person: r.now.Organizer, Booking: r.now.ID}
	if err := r.engine.mailOnError(ctx, r.tx, &about, mailNews{kind, r.why}); err != nil {
		return err
	}
	return r.engine.record(ctx, r.tx, about.Tenant, about.Person, about.Booking, what, r.why)
}
