package syncer

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Persons are removed, some by mistake: they are missing in one night's table. Their
// items stay in their calendars, and the links that knew them are orphans. When the person is back, a booking
// that stands gets its item back (see link), and an orphan whose booking no longer does is taken up: who was invited still has a meeting that is off.

// deletePerson removes a person and keeps what the orphans need.
func (e *Engine) deletePerson(ctx context.Context, tx *store.Tx, tenant, id string) error {
	var apart []store.Link // orphans of which more is to be kept than that their person is gone
	err := eachLink(ctx, tx, tenant, id, func(l store.Link) error {
		in, wanted, err := tx.Intent(ctx, tenant, l.Key)
		if err != nil {
			return err
		}
		unseen := leftByMove(l) || l.Ref == "" && len(l.Sent) > 0 // its item is there perhaps, nobody knows where
		silent := l.State == store.LinkDeleting && l.Quarantine == 0 && (!wanted || in.Mail == calendar.MailNobody)
		if !unseen && !silent {
			return nil
		}
		kept := l
		kept.Orphan, kept.Sent, kept.Held, kept.GoneAt, kept.Problem, kept.Quarantine = store.OrphanTold, nil, nil, zeroTime, "", 0
		if silent {
			kept.Orphan = store.OrphanSilent
		}
		if unseen {
			kept.Base, kept.Sent = nil, unknownSent
		}
		if l.State == store.LinkUnclear {
			kept.Problem = ambiguousAfterMove // see takeUpOrphan
		}
		kept.State = store.LinkDead
		apart = append(apart, kept)
		return nil
	})
	if err != nil {
		return err
	}
	if err := tx.DeletePerson(ctx, tenant, id); err != nil {
		return err
	}
	for _, l := range apart {
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// takeUpOrphans has the items of a mailbox removed whose bookings were cancelled, or given to somebody else, while there was nobody to whom the
// mailbox belonged. What is over stays as it is.
func (e *Engine) takeUpOrphans(ctx context.Context, p *pass) error {
	for after, last, more := "", "", true; more; after = last {
		err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			orphans, err := tx.Orphans(ctx, p.mb.Tenant, p.mb.Person, after, linkBatch)
			if err != nil {
				return err
			}
			more = len(orphans) == linkBatch
			for _, l := range orphans {
				last = l.Key
				b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
				if err != nil {
					return err
				}
				if err := e.judgeOrphan(ctx, tx, l, b, found); err != nil {
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

// judgeOrphan finds out what becomes of an orphan of somebody who is there, and of its item.
func (e *Engine) judgeOrphan(ctx context.Context, tx *store.Tx, l store.Link, b *booking.Booking, found bool) error {
	if !found || b.SyncOff || e.past(b) {
		l.Orphan = store.OrphanNot // let go
		return tx.PutLink(ctx, l)
	}
	cause := "booking cancelled while there was no such person here"
	if b.Status == booking.Confirmed {
		if b.Organizer == l.Person {
			return nil // it is linked as what has no item, or out of the sync
		}
		if known, err := knownOrganizer(ctx, tx, b); err != nil || !known {
			return err // its organizer has another id by now, perhaps this one's, and the booking system has still to say so
		}
		cause = "organizer changed while there was no such person here"
	}
	return e.takeUpOrphan(ctx, tx, l, cause)
}

// knownOrganizer reports whether it is known who organizes a booking: somebody who is there, or somebody of another organization.
func knownOrganizer(ctx context.Context, s memoryOfPersons, b *booking.Booking) (bool, error) {
	if b.External != nil {
		return true, nil
	}
	_, there, err := s.Person(ctx, b.Tenant, b.Organizer)
	return there, err
}

// takeUpOrphan records that the item of an orphan shall go, as retire does for one that lives.
func (e *Engine) takeUpOrphan(ctx context.Context, tx *store.Tx, l store.Link, cause string) error {
	mb, found, err := tx.Mailbox(ctx, l.Tenant, l.Person)
	if err != nil || !found {
		return err
	}
	mail := calendar.MailAll
	if l.Orphan == store.OrphanSilent {
		mail = calendar.MailNobody
	}
	l.Orphan = store.OrphanNot
	if l.Problem == ambiguousAfterMove {
		l.Problem = ""
		return e.disown(ctx, tx, &l)
	}
	if l.Ref != "" && l.Epoch != mb.Epoch {
		l.Ref, l.Revision, l.Sent = "", "", unknownSent // by what reference it is known there was never asked
	}
	l.State, l.Epoch = store.LinkDeleting, mb.Epoch
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	return e.intend(ctx, tx, l, store.OpDelete, mail, cause)
}

// relinkOrphan is relink for an orphan, once the mailbox is somebody's again. Until then, and in shadow mode, it waits.
func (e *Engine) relinkOrphan(ctx context.Context, tx *store.Tx, l store.Link, next *booking.Booking) error {
	person, found, err := tx.Person(ctx, l.Tenant, l.Person)
	if err != nil {
		return err
	}
	if next.SyncOff {
		l.Orphan = store.OrphanNot // its item is let go, as any other
		return tx.PutLink(ctx, l)
	}
	if !found || person.Shadow {
		return nil
	}
	return e.judgeOrphan(ctx, tx, l, next, true)
}

// memoryOfPersons answers who is there; *store.Store and *store.Tx are such.
type memoryOfPersons interface {
	Person(ctx context.Context, tenant, id string) (store.PersonRow, bool, error)
}
