package syncer

import (
	"context"
	"slices"

	"github.com/roomwire/roomwire/host/internal/store"
)

// listened is how many mailboxes are written in one transaction, which others wait for on SQLite.
const listened = 100

// Listening records that changes of the mailboxes are listened for from now on, on the given way: those that had it on
// probation are on it. What happened before is not known, so all of them are read. Whoever is not meant to be on that way
// any more is left alone.
func (e *Engine) Listening(ctx context.Context, way string, mailboxes []store.Watched) error {
	if len(mailboxes) == 0 {
		return nil
	}
	mode, err := e.Modes.Mode(ctx, mailboxes[0].Mode, mailboxes[0].Email)
	if err != nil {
		return err
	}
	return e.eachListened(ctx, mailboxes, func(ctx context.Context, tx *store.Tx, mb *store.Mailbox) error {
		l := e.ladder(mode, mb.Tenant)
		switch {
		case mb.Way == way && mb.TryWay != way:
			return tx.MarkDirtyBulk(ctx, mb.Tenant, mb.Person, zeroTime)
		case mb.TryWay != way:
			return nil
		}
		reason := "the better way did not work lately; it is tried again later"
		if l.ways[0] == way {
			reason, mb.ClimbAt, mb.Falls = l.why, zeroTime, 0
		}
		e.stand(tx, mb, way, reason)
		if err := e.record(ctx, tx, mb.Tenant, mb.Person, "", arrival(way), "the connection stands"); err != nil {
			return err
		}
		if err := tx.SaveMailbox(ctx, *mb); err != nil {
			return err
		}
		return tx.MarkDirtyBulk(ctx, mb.Tenant, mb.Person, zeroTime)
	})
}

// Deaf records that changes of the mailboxes are not listened for at present: they are read by the clock until Listening
// says that their way works again.
func (e *Engine) Deaf(ctx context.Context, way string, mailboxes []store.Watched, reason string) error {
	return e.eachListened(ctx, mailboxes, func(ctx context.Context, tx *store.Tx, mb *store.Mailbox) error {
		if mb.Way != way {
			return nil
		}
		if mb.TryWay == wayPush { // it gets another turn when this way stands again
			if err := e.leavePush(ctx, tx, mb); err != nil {
				return err
			}
		}
		e.stand(tx, mb, wayPoll, reason)
		mb.TryWay, mb.TrySince = way, e.now()
		if err := e.record(ctx, tx, mb.Tenant, mb.Person, "", arrival(wayPoll), reason); err != nil {
			return err
		}
		if err := tx.SaveMailbox(ctx, *mb); err != nil {
			return err
		}
		return tx.MarkDirtyBulk(ctx, mb.Tenant, mb.Person, zeroTime)
	})
}

// CannotListen records that a mailbox itself cannot be listened to: its way is given up, and tried again much later.
func (e *Engine) CannotListen(ctx context.Context, way string, mailbox store.Watched, reason string) error {
	mode, err := e.Modes.Mode(ctx, mailbox.Mode, mailbox.Email)
	if err != nil {
		return err
	}
	return e.eachListened(ctx, []store.Watched{mailbox}, func(ctx context.Context, tx *store.Tx, mb *store.Mailbox) error {
		if mb.Way != way && mb.TryWay != way {
			return nil
		}
		if mb.Way == way {
			mb.TryWay = "" // whatever better way was on probation begins anew
		}
		if err := e.fail(ctx, tx, mb, e.ladder(mode, mb.Tenant), reason); err != nil {
			return err
		}
		if err := tx.SaveMailbox(ctx, *mb); err != nil {
			return err
		}
		return tx.MarkDirtyBulk(ctx, mb.Tenant, mb.Person, zeroTime)
	})
}

// eachListened calls f for each of the mailboxes that were not moved or deleted meanwhile.
func (e *Engine) eachListened(ctx context.Context, mailboxes []store.Watched, f func(context.Context, *store.Tx, *store.Mailbox) error) error {
	for part := range slices.Chunk(mailboxes, listened) {
		err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, w := range part {
				mb, found, err := tx.Mailbox(ctx, w.Tenant, w.Person)
				if err != nil {
					return err
				}
				if !found || mb.Epoch != w.Epoch {
					continue
				}
				if err := f(ctx, tx, &mb); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
