package syncer

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// beingRemoved returns the last of a booking's links to somebody's calendar if its item is to be removed and may still be there.
func beingRemoved(links []store.Link, person string) *store.Link {
	for i := len(links) - 1; i >= 0; i-- {
		if l := &links[i]; l.Person == person {
			if l.State == store.LinkDeleting && (l.Ref != "" || len(l.Sent) > 0) {
				return l
			}
			return nil
		}
	}
	return nil
}

// takeBack has the item of a link stay that was to be removed: the booking system has cancelled the booking, or given it to somebody else, and taken
// that back before the calendar heard of it. Nobody is told of what the item says already. Should it have been removed in this very moment, it is made
// anew, for everybody who is invited.
func (e *Engine) takeBack(ctx context.Context, tx *store.Tx, l store.Link) error {
	// As an item that nobody knows to be there: found, it says what was agreed on, or was edited since; that it is not is no deletion.
	l.State, l.Ref, l.Revision, l.GoneAt, l.Tries, l.Problem = store.LinkPending, "", "", zeroTime, 0, ""
	switch {
	case len(l.Base) > 0:
		l.Sent, l.Base = l.Base, nil
	case len(l.Sent) == 0:
		l.Sent = unknownSent
	}
	if err := e.letGo(ctx, tx, &l); err != nil {
		return err
	}
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, itemNotDeleted); err != nil {
		return err
	}
	if err := e.intend(ctx, tx, l, store.OpSync, calendar.MailAll, "what was to be removed stays"); err != nil {
		return err
	}
	return tx.ReviseIntent(ctx, l.Tenant, l.Key, store.OpSync, calendar.MailAll) // it was to be deleted, and that would prevail
}
