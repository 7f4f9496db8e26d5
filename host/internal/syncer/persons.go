package syncer

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// PutPerson creates or changes a person or resource and wakes the sync where it matters.
func (e *Engine) PutPerson(ctx context.Context, p directory.Person) (created bool, err error) {
	err = e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		res, err := e.putPerson(ctx, tx, p)
		created = res.Created
		return err
	})
	return created, err
}

func (e *Engine) putPerson(ctx context.Context, tx *store.Tx, p directory.Person) (store.PutResult, error) {
	before, found, err := tx.Person(ctx, p.Tenant, p.ID)
	if err != nil {
		return store.PutResult{}, err
	}
	res, err := tx.PutPerson(ctx, p)
	if err != nil || !res.Created && !res.Changed {
		return res, err
	}
	if found && before.SyncMode != p.SyncMode { // not by a move: from now on the word counts by which it is another one
		if err := tx.SetMovedFrom(ctx, p.Tenant, p.ID); err != nil {
			return res, err
		}
	}
	if res.Moved && found {
		if err := e.uproot(ctx, tx, p.Tenant, p.ID); err != nil {
			return res, err
		}
	}
	if found && before.SyncDisabled && !p.SyncDisabled || res.Moved {
		// What happened in between is only known by reading everything.
		mb, found, err := tx.Mailbox(ctx, p.Tenant, p.ID)
		if err != nil || !found {
			return res, err
		}
		mb.ReconcileAt, mb.WaitUntil, mb.Failures = zeroTime, zeroTime, 0
		if err := tx.SaveMailbox(ctx, mb); err != nil {
			return res, err
		}
	}
	return res, nil // PutPerson has marked the mailbox
}

// DeletePerson forgets a person. The calendar is left as it is; the person's bookings stay and are no longer synced. A
// person of the same id that comes later goes on where this one ended.
func (e *Engine) DeletePerson(ctx context.Context, tenant, id string) error {
	return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, found, err := tx.Person(ctx, tenant, id); err != nil {
			return err
		} else if !found {
			return fmt.Errorf("person %q: %w", id, booking.ErrNotFound)
		}
		return e.deletePerson(ctx, tx, tenant, id)
	})
}

// Sync wakes a mailbox now, whatever it was waiting for; full reads it from the beginning. Whoever asks believes that
// the cause of a failure is gone, so a pause that everybody keeps from the server ends, too.
func (e *Engine) Sync(ctx context.Context, tenant, id string, full bool) error {
	if row, found, err := e.Store.Person(ctx, tenant, id); err != nil {
		return err
	} else if found {
		if mode, err := e.Modes.Mode(ctx, row.SyncMode, row.Email); err == nil { // else the pass will say what is wrong
			e.pauses.lift(serverOf(mode.Name, mode.MailboxURL(row.SyncURL)))
		}
	}
	return e.withMailbox(ctx, tenant, id, func(ctx context.Context, tx *store.Tx, mb *store.Mailbox) error {
		mb.WaitUntil = zeroTime
		mb.ClimbAt = zeroTime // what was in the way of a better one may be gone
		if mb.TryWay == wayPush {
			// What the server could not deliver it repeats ever more seldom: a new subscription is greeted at once.
			if err := e.leavePush(ctx, tx, mb); err != nil {
				return err
			}
			mb.TryWay, mb.TrySince = "", zeroTime
		}
		if full {
			mb.ReconcileAt = zeroTime
		}
		return nil
	})
}

// ApproveDeletions lets the deletions through that are held at this moment; if none are, it changes nothing.
func (e *Engine) ApproveDeletions(ctx context.Context, tenant, id string) error {
	return e.withMailbox(ctx, tenant, id, func(ctx context.Context, tx *store.Tx, mb *store.Mailbox) error {
		if mb.HeldDeletions == 0 {
			return nil // a word about nothing must not let the next mass deletion through
		}
		if err := e.record(ctx, tx, tenant, id, "", "deletions approved", "by an administrator"); err != nil {
			return err
		}
		if err := decideDeletions(ctx, tx, tenant, id, store.QuarantineApproved); err != nil {
			return err
		}
		return tx.ApproveDeletions(ctx, tenant, id, true)
	})
}

// RestoreDeletions has the items made again whose deletion was held. Nobody is mailed. A room's meetings are their
// organizers': they are not made again, but their bookings stand.
func (e *Engine) RestoreDeletions(ctx context.Context, tenant, id string) error {
	return e.withMailbox(ctx, tenant, id, func(ctx context.Context, tx *store.Tx, mb *store.Mailbox) error {
		links, err := tx.GoneLinks(ctx, tenant, id)
		if err != nil {
			return err
		}
		for _, l := range links {
			l.GoneAt = zeroTime
			if err := tx.PutLink(ctx, l); err != nil {
				return err
			}
			if err := e.intend(ctx, tx, l, store.OpReset, calendar.MailNobody, "deletion undone by an administrator"); err != nil {
				return err
			}
		}
		kept, err := e.keepGone(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		mb.HeldDeletions = 0
		if err := decideDeletions(ctx, tx, tenant, id, store.QuarantineDiscarded); err != nil {
			return err
		}
		if len(links)+kept == 0 {
			return nil
		}
		return e.record(ctx, tx, tenant, id, "", "deletions undone", plural(len(links)+kept, "item", "items"))
	})
}

// decideDeletions gives the unit of the quarantine that holds vanished items its state.
func decideDeletions(ctx context.Context, tx *store.Tx, tenant, person string, state store.QuarantineState) error {
	q, found, err := tx.WaitingQuarantine(ctx, tenant, person, CalendarDeletions)
	if err != nil || !found {
		return err
	}
	q.State = state
	return tx.SaveQuarantine(ctx, q)
}

func (e *Engine) withMailbox(ctx context.Context, tenant, id string, f func(context.Context, *store.Tx, *store.Mailbox) error) error {
	return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		mb, found, err := tx.Mailbox(ctx, tenant, id)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("person %q: %w", id, booking.ErrNotFound)
		}
		if err := f(ctx, tx, &mb); err != nil {
			return err
		}
		if err := tx.SaveMailbox(ctx, mb); err != nil {
			return err
		}
		return tx.MarkDirty(ctx, tenant, id, time.Time{})
	})
}
