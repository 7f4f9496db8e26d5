package syncer

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// relink records what the calendars need after the booking system changed a booking from old (nil: new) to next.
func (e *Engine) relink(ctx context.Context, tx *store.Tx, old, next *booking.Booking) error {
	links, err := tx.LinksOfBooking(ctx, next.Tenant, next.ID)
	if err != nil {
		return err
	}
	var mine *store.Link
	for i, l := range links {
		switch {
		case keeps(l, next):
			if mine = &links[i]; l.State == store.LinkDeleting {
				revive(mine)
			}
		case l.Orphan != store.OrphanNot:
			if err := e.relinkOrphan(ctx, tx, l, next); err != nil {
				return err
			}
		case l.State == store.LinkDead || l.State == store.LinkDeleting:
		default:
			why := "booking cancelled"
			if next.Status == booking.Confirmed {
				why = "organizer changed"
			}
			if err := e.retire(ctx, tx, l, why); err != nil {
				return err
			}
		}
	}
	if err := e.wakeSources(ctx, tx, next); err != nil {
		return err
	}
	if next.Status != booking.Confirmed {
		return nil
	}
	if next.SyncOff {
		return e.release(ctx, tx, mine)
	}
	if l := beingRemoved(links, next.Organizer); mine == nil && l != nil {
		return e.takeBack(ctx, tx, *l)
	}
	organizer, found, err := tx.Person(ctx, next.Tenant, next.Organizer)
	if err != nil || !found || organizer.SyncDisabled {
		return err // linked when the person's sync is switched on: see LinkUnlinked
	}
	if mine == nil && organizer.Shadow {
		return tx.MarkDirty(ctx, next.Tenant, next.Organizer, time.Time{}) // the report changes
	}
	if mine == nil {
		cause := "new booking"
		if old != nil && old.SyncOff {
			cause = "sync of the booking switched on"
		}
		return e.link(ctx, tx, next, links, linking{mail: calendar.MailAll, cause: cause})
	}
	if mine.Tries = 0; !leftByMove(*mine) {
		mine.Problem = ""
	}
	if err := tx.PutLink(ctx, *mine); err != nil {
		return err
	}
	mail, err := audience(ctx, tx, old, next)
	if err != nil {
		return err
	}
	cause, err := causeOfChange(ctx, tx, *mine, mail)
	if err != nil {
		return err
	}
	return e.intend(ctx, tx, *mine, store.OpSync, mail, cause)
}

// keeps reports whether a booking keeps a link that it has, or has it back: its item was to be removed and still waits.
func keeps(l store.Link, b *booking.Booking) bool {
	if b.Status != booking.Confirmed || l.Person != b.Organizer || l.State == store.LinkDead {
		return false
	}
	return l.State != store.LinkDeleting || l.Quarantine != 0 && !b.SyncOff
}

// linking says how a booking comes to a link.
type linking struct {
	mail  calendar.Mail
	cause string
	tries int // rollbacks in a row that led to it
}

// link makes the first link of a booking to its organizer's calendar, or the next one. former are those it had.
func (e *Engine) link(ctx context.Context, tx *store.Tx, b *booking.Booking, former []store.Link, how linking) error {
	mb, found, err := tx.Mailbox(ctx, b.Tenant, b.Organizer)
	if err != nil || !found {
		return err
	}
	l := store.Link{
		Tenant: b.Tenant, Key: fmt.Sprintf("%s.%d", b.ID, len(former)+1), Booking: b.ID, Person: b.Organizer,
		Epoch: mb.Epoch, State: store.LinkPending, Tries: how.tries, Created: e.now(),
	}
	for _, f := range former {
		switch {
		case f.State != store.LinkDead || f.Person != l.Person:
		case f.Ref != "":
			// Its item was let go and bears its key. With another one it could not be told from a copy once it is moved.
			l.Key, l.Ref, l.Revision, l.UID, l.Sent, l.Created = f.Key, f.Ref, f.Revision, f.UID, unknownSent, f.Created
			if f.Epoch != l.Epoch {
				l.Ref, l.Revision = "", ""
			}
			if f.Orphan != store.OrphanNot {
				l.Base = f.Base // what its owner changed while there was no such person here is no less an edit
			}
		case len(f.Sent) > 0:
			// It was let go while its item was being made, or out of sight. Nobody knows whether there is one, and only its key
			// or its UID can tell, by whatever mode the mailbox is reached since.
			l.Key, l.Ref, l.Revision, l.UID, l.Sent, l.Created = f.Key, "", "", f.UID, f.Sent, f.Created
		}
	}
	if b.ItemExpected {
		l.State = store.LinkExpected
	}
	if len(former) > 0 && l.Ref == "" && len(l.Sent) == 0 {
		if err := e.tellOfAsking(ctx, tx, b); err != nil {
			return err
		}
	}
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	return e.intend(ctx, tx, l, store.OpSync, how.mail, how.cause)
}

// release lets go of the link of a booking that is to stay out of the calendars from now on. Its item stays as it is.
func (e *Engine) release(ctx context.Context, tx *store.Tx, l *store.Link) error {
	if l == nil {
		return nil
	}
	sent := l.Sent
	if err := e.bury(ctx, tx, l); err != nil {
		return err
	}
	if l.Ref == "" && len(sent) > 0 && len(l.Sent) == 0 {
		l.Sent = sent // its item may be on the way
		if err := tx.PutLink(ctx, *l); err != nil {
			return err
		}
	}
	return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item let go", "sync of the booking switched off; the item stays as it is")
}

// retire records that a link's item shall go.
func (e *Engine) retire(ctx context.Context, tx *store.Tx, l store.Link, cause string) error {
	if leftByMove(l) {
		if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, differenceOf(l)); err != nil {
			return err
		}
	}
	if l.State == store.LinkUnclear {
		return e.disown(ctx, tx, &l)
	}
	l.State, l.Quarantine = store.LinkDeleting, 0
	if l.Ref == "" {
		l.GoneAt = zeroTime // it is looked for once more when it is removed, so that those invited are told if it is there
	}
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	return e.intend(ctx, tx, l, store.OpDelete, calendar.MailAll, cause)
}
