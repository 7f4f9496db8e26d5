package syncer

import (
	"context"
	"errors"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// fullReads is how many intervals of reconciling a calendar may go without being read in full though nothing changed in it:
// so long may a server's word be believed.
const fullReads = 30

// unchanged reports whether the calendar is as it was when it was last read in full, by the server's word, which costs one
// request. It is false where nobody can tell.
func (e *Engine) unchanged(ctx context.Context, p *pass) (bool, error) {
	if p.mode.Drift == nil || p.mb.Drift == "" || p.mb.RoundOpen || p.mb.Cursor == "" {
		return false, nil
	}
	if !p.mb.DriftAt.Add(fullReads * e.limits().ReconcileInterval).After(e.now()) {
		return false, nil
	}
	state, err := e.calendarState(ctx, p, calendar.Cursor(p.mb.Cursor))
	return err == nil && state != "" && state == p.mb.Drift, err
}

// calendarState asks for what stands for the state of the calendar; empty if that cannot be had. Its error is one that
// concerns the whole mailbox.
func (e *Engine) calendarState(ctx context.Context, p *pass, since calendar.Cursor) (string, error) {
	if p.mode.Drift == nil {
		return "", nil
	}
	state, err := p.mode.Drift.State(ctx, p.mailbox, since)
	switch {
	case err == nil:
		return state, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case mailboxWide(err):
		return "", err
	}
	if !errors.Is(err, fault.Unsupported) && !errors.Is(err, fault.StateExpired) {
		e.Log.Debug("the state of a calendar could not be asked for; it is read in full", "tenant", p.mb.Tenant, "person", p.mb.Person, "error", sentence(err))
	}
	return "", nil
}

// reconcileUnread does what a full read is for without one, where the calendar is as it was at the last: what was agreed on
// with it is what its items say, and is compared with the bookings. It reports whether that was enough.
func (e *Engine) reconcileUnread(ctx context.Context, p *pass) (bool, error) {
	if p.mb.ReconcileAt.IsZero() || p.isRoom() {
		return false, nil // somebody asked for a full read; of a room's calendar everything matters, linked or not
	}
	same, err := e.unchanged(ctx, p)
	if err != nil || !same {
		return false, err
	}
	const batch = 200
	for after, more := "", true; more; {
		err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			links, err := tx.LinksOfPerson(ctx, p.mb.Tenant, p.mb.Person, after, batch)
			if err != nil {
				return err
			}
			more = len(links) == batch
			for _, l := range links {
				after = l.Key
				if err := e.recall(ctx, tx, l); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return true, e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		p.mb.ReconcileAt = e.now().Add(e.limits().ReconcileInterval)
		return tx.SaveMailbox(ctx, p.mb)
	})
}

// recall has a link worked on that is not as it should be by what is remembered: its booking says something else than was
// agreed on, or its item should be made or removed, and nothing is on its way.
func (e *Engine) recall(ctx context.Context, tx *store.Tx, l store.Link) error {
	if leftByMove(l) || l.Quarantine != 0 || len(l.Held) > 0 || !l.GoneAt.IsZero() {
		return nil // somebody is asked
	}
	if _, found, err := tx.Intent(ctx, l.Tenant, l.Key); err != nil || found {
		return err
	}
	if l.State == store.LinkDeleting {
		return e.note(ctx, tx, l, store.OpDelete, calendar.MailNobody, "the booking no longer stands")
	}
	pr, err := pairUp(ctx, tx, l)
	if err != nil || pr.booking == nil || pr.booking.SyncDisabled || l.Problem != "" {
		return err
	}
	base, err := loadCurrent(ctx, tx, l.Tenant, l.Base)
	if err != nil {
		return err
	}
	if base != nil {
		f, err := e.shownFields(ctx, tx, pr.booking)
		if err != nil || plan.Diff(*base, f) == 0 {
			return err
		}
	}
	return e.note(ctx, tx, l, store.OpSync, calendar.MailNobody, "the booking is not as was agreed on")
}
