package syncer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// What a person may decide about a unit of the quarantine.
const (
	Approve = "approve" // what waits is done
	Discard = "discard" // the other side is restored, without a mail
	Undo    = "undo"    // what was approved is put back, without a mail
)

// The causes of what follows.
const (
	approvedCause  = "approved by an administrator"
	discardedCause = "discarded by an administrator"
	undoneCause    = "undone by an administrator"
)

// DecideQuarantine carries out a person's word on a unit and returns the unit as it is then. What concerns the calendar is done
// by the next pass. A booking that somebody changed since is left alone; its item of the unit says so.
//
// Errors: booking.ErrNotFound for an unknown unit, *booking.InvalidError for what cannot be decided.
func (e *Engine) DecideQuarantine(ctx context.Context, tenant string, id int64, decision string) (store.Quarantine, error) {
	q, found, err := e.Store.Quarantine(ctx, tenant, id)
	switch {
	case err != nil:
		return q, err
	case !found:
		return q, fmt.Errorf("unit %d of the quarantine: %w", id, booking.ErrNotFound)
	case decision != Approve && decision != Discard && decision != Undo:
		return q, undecidable("decision", "%q is none of approve, discard and undo", decision)
	case q.Kind == CalendarDeletions && q.State == store.QuarantineWaiting && decision == Approve:
		err = e.ApproveDeletions(ctx, tenant, q.Person)
	case q.Kind == CalendarDeletions && q.State == store.QuarantineWaiting && decision == Discard:
		err = e.RestoreDeletions(ctx, tenant, q.Person)
	default:
		err = e.withMailbox(ctx, tenant, q.Person, func(ctx context.Context, tx *store.Tx, _ *store.Mailbox) error {
			now, found, err := tx.Quarantine(ctx, tenant, id)
			if err != nil || !found {
				return err
			}
			q = now
			return e.decideUnit(ctx, tx, &q, decision)
		})
	}
	if err != nil {
		return q, err
	}
	q, _, err = e.Store.Quarantine(ctx, tenant, id)
	return q, err
}

func undecidable(field, format string, args ...any) error {
	return &booking.InvalidError{Violations: []booking.Violation{{Field: field, Reason: fmt.Sprintf(format, args...)}}}
}

func (e *Engine) decideUnit(ctx context.Context, tx *store.Tx, q *store.Quarantine, decision string) error {
	want := store.QuarantineWaiting
	if decision == Undo {
		want = store.QuarantineApproved
	}
	if q.State != want {
		return undecidable("decision", "the unit %d is %s: only one that is %s can be decided on like this", q.ID, q.State, want)
	}
	items, err := ParseQuarantine(*q)
	if err != nil {
		return err
	}
	what := ""
	switch decision {
	case Approve:
		q.State, what = store.QuarantineApproved, "quarantine approved"
		err = e.approveUnit(ctx, tx, q, items)
	case Discard:
		q.State, what = store.QuarantineDiscarded, "quarantine discarded"
		err = e.discardUnit(ctx, tx, q, items)
	case Undo:
		q.State, what = store.QuarantineUndone, "quarantine undone"
		err = e.undoUnit(ctx, tx, q, items)
	}
	if err != nil {
		return err
	}
	q.Items, q.Decided = saveItems(items), e.now()
	if err := tx.SaveQuarantine(ctx, *q); err != nil {
		return err
	}
	return e.record(ctx, tx, q.Tenant, q.Person, "", what, fmt.Sprintf("unit %d: %s, %s", q.ID, q.Kind, plural(len(items), "booking", "bookings")))
}

// approveUnit has done what waits.
func (e *Engine) approveUnit(ctx context.Context, tx *store.Tx, q *store.Quarantine, items []QuarantineItem) error {
	links, err := tx.QuarantinedLinks(ctx, q.Tenant, q.Person, q.ID)
	if err != nil {
		return err
	}
	mails := map[string]calendar.Mail{}
	for _, it := range items {
		mails[it.Key] = it.Mail
	}
	for _, l := range links {
		l.Quarantine = 0
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
		op, mail := store.OpSync, calendar.MailNobody
		if l.State == store.LinkDeleting {
			op, mail = store.OpDelete, mails[l.Key]
		}
		if err := e.note(ctx, tx, l, op, mail, approvedCause); err != nil {
			return err
		}
	}
	return nil
}

// discardUnit restores the other side: changed items are reset to their bookings, cancelled bookings stand again.
func (e *Engine) discardUnit(ctx context.Context, tx *store.Tx, q *store.Quarantine, items []QuarantineItem) error {
	links, err := tx.QuarantinedLinks(ctx, q.Tenant, q.Person, q.ID)
	if err != nil {
		return err
	}
	byKey := map[string]store.Link{}
	for _, l := range links {
		byKey[l.Key] = l
	}
	for i := range items {
		l, waits := byKey[items[i].Key]
		if !waits {
			items[i].Problem = "it was dealt with otherwise meanwhile"
			continue
		}
		if l.State != store.LinkDeleting {
			l.Quarantine = 0
			if err := tx.PutLink(ctx, l); err != nil {
				return err
			}
			if err := e.note(ctx, tx, l, store.OpReset, calendar.MailNobody, discardedCause); err != nil {
				return err
			}
			continue
		}
		if err := e.keepItem(ctx, tx, l, &items[i]); err != nil {
			return err
		}
	}
	return nil
}

// keepItem takes back that an item was to be removed: its booking stands again, or, if that cannot be, the item is let go.
func (e *Engine) keepItem(ctx context.Context, tx *store.Tx, l store.Link, it *QuarantineItem) error {
	b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
	if err != nil {
		return err
	}
	if !cancelledAt(b, found, it.Version) || b.Organizer != l.Person {
		it.Problem = "the booking is not as it was when its item was to be removed: the item stays, and is let go"
		l.Quarantine = 0
		if err := e.bury(ctx, tx, &l); err != nil || !found || b.Status != booking.Confirmed || b.Organizer != l.Person {
			return err
		}
		it.Problem += "; the booking has another one by now"
		return e.differ(ctx, tx, &pair{link: l}, copyLeftAlone, "the item of the booking as it was before was to be removed, and stays because an administrator "+
			"discarded that; the booking has another one by now")
	}
	next, err := e.putBack(ctx, tx, b, b.Clone(), it, discardedCause)
	if err != nil {
		return err
	}
	if next == nil {
		l.Quarantine = 0
		return e.bury(ctx, tx, &l)
	}
	revive(&l)
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	return e.note(ctx, tx, l, store.OpSync, calendar.MailNobody, discardedCause)
}

// putBack saves a booking as it was; nil if its rules do not allow that, which it then says.
func (e *Engine) putBack(ctx context.Context, tx *store.Tx, now, was *booking.Booking, it *QuarantineItem, cause string) (*booking.Booking, error) {
	was.Status = booking.Confirmed
	why, err := e.forbidden(ctx, tx, was)
	if err != nil {
		return nil, err
	}
	if why != "" {
		it.Problem = "the booking cannot be put back: " + why
		return nil, nil
	}
	if err := e.save(ctx, tx, now, was, sourceSync, cause); err != nil {
		return nil, err
	}
	return was, e.record(ctx, tx, was.Tenant, was.Organizer, was.ID, "booking put back", cause)
}

// undoUnit puts back what was done when the unit was approved.
func (e *Engine) undoUnit(ctx context.Context, tx *store.Tx, q *store.Quarantine, items []QuarantineItem) error {
	if q.Kind == CalendarDeletions { // no pass has come to it, perhaps, and what vanishes next is not what was approved
		if err := tx.ApproveDeletions(ctx, q.Tenant, q.Person, false); err != nil {
			return err
		}
	}
	for i := range items {
		it := &items[i]
		b, found, err := tx.Booking(ctx, q.Tenant, it.Booking)
		if err != nil {
			return err
		}
		if !found {
			it.Problem = "the booking is not there any more"
			continue
		}
		if q.Kind == CalendarChanges {
			err = e.undoChange(ctx, tx, b, it)
		} else {
			err = e.undoCancellation(ctx, tx, q, b, it)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// undoCancellation lets a booking stand again and has its item made.
func (e *Engine) undoCancellation(ctx context.Context, tx *store.Tx, q *store.Quarantine, b *booking.Booking, it *QuarantineItem) error {
	version := it.Version
	if q.Kind == CalendarDeletions {
		version++ // by being cancelled
	}
	links, err := tx.LinksOfBooking(ctx, q.Tenant, b.ID)
	if err != nil {
		return err
	}
	var waiting *store.Link // its deletion was approved, and no pass has come to it yet
	for i, l := range links {
		if l.Key == it.Key && (l.State == store.LinkDeleting || !l.GoneAt.IsZero() && l.State != store.LinkDead) {
			waiting = &links[i]
		}
	}
	if q.Kind == CalendarDeletions && waiting != nil && b.Status == booking.Confirmed {
		waiting.GoneAt = zeroTime
		if err := tx.PutLink(ctx, *waiting); err != nil {
			return err
		}
		return e.note(ctx, tx, *waiting, store.OpReset, calendar.MailNobody, undoneCause)
	}
	fromRoom := b.SyncOff && slices.Contains(b.Resources, q.Person) // it came from that calendar, where nothing is written
	if !cancelledAt(b, true, version) || b.Organizer != q.Person && !fromRoom {
		it.Problem = "the booking was changed since: it stays as it is"
		return nil
	}
	next, err := e.putBack(ctx, tx, b, b.Clone(), it, undoneCause)
	if err != nil || next == nil {
		return err
	}
	if fromRoom {
		return e.listMeetingGone(ctx, tx, next, "its deletion was undone by an administrator: the booking stands")
	}
	if next.SyncOff || next.SyncDisabled || e.past(next) {
		return nil
	}
	if waiting != nil {
		revive(waiting)
		if err := tx.PutLink(ctx, *waiting); err != nil {
			return err
		}
		if in, found, err := tx.Intent(ctx, waiting.Tenant, waiting.Key); err != nil {
			return err
		} else if found {
			if _, err := tx.FinishIntent(ctx, waiting.Tenant, waiting.Key, in.Wanted); err != nil {
				return err
			}
		}
		return e.note(ctx, tx, *waiting, store.OpSync, calendar.MailNobody, undoneCause)
	}
	return e.link(ctx, tx, next, links, linking{mail: calendar.MailNobody, cause: undoneCause})
}

// undoChange gives a booking back what the calendar changed, and its item after it.
func (e *Engine) undoChange(ctx context.Context, tx *store.Tx, b *booking.Booking, it *QuarantineItem) error {
	links, err := tx.LinksOfBooking(ctx, b.Tenant, b.ID)
	if err != nil {
		return err
	}
	last, _, err := tx.ChangeBefore(ctx, b.Tenant, b.ID, int64(^uint64(0)>>1))
	if err != nil {
		return err
	}
	applied := b.Version == it.Version+1 && last.Source == sourceCalendar
	if b.Status != booking.Confirmed || !applied && b.Version != it.Version {
		it.Problem = "the booking was changed since: it stays as it is"
		return nil
	}
	if applied {
		if e.Parse == nil {
			it.Problem = "what the booking was before cannot be read"
			return nil
		}
		was, err := e.Parse(b.Tenant, it.Before)
		if err != nil {
			return fmt.Errorf("booking %q as it was: %w", b.ID, err)
		}
		was.SyncDisabled, was.SyncProblem, was.ItemExpected, was.ExpectedUntil = b.SyncDisabled, b.SyncProblem, false, time.Time{}
		was.SyncOff, was.SyncUnsaid, was.Answers = b.SyncOff, false, slices.Clone(b.Answers)
		if next, err := e.putBack(ctx, tx, b, was, it, undoneCause); err != nil || next == nil {
			return err
		}
	}
	for _, l := range links {
		if l.Key == it.Key && l.State != store.LinkDead && l.State != store.LinkDeleting {
			return e.note(ctx, tx, l, store.OpReset, calendar.MailNobody, undoneCause)
		}
	}
	return nil
}
