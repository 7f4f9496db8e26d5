package syncer

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Persons are removed, some by mistake: they are missing in one night's table, or have the same mailbox under another id the next day. Their
// items stay in their calendars, and the links that knew them are orphans. When the person is back, or the mailbox is somebody's again, a booking
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
		kept.State, kept.OrphanOf = store.LinkDead, id
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
	meanwhile := "while there was no such person here"
	if l.Orphan.Elsewhere() {
		if mb, found, err := tx.Mailbox(ctx, l.Tenant, l.Person); err != nil || !found || mb.Epoch == l.Epoch {
			return err // it was looked for there
		}
		meanwhile = "while the mailbox was reached at another place"
	}
	cause := "booking cancelled " + meanwhile
	if b.Status == booking.Confirmed {
		if b.Organizer == l.Person || b.Organizer == l.OrphanOf {
			return nil // it is linked as what has no item, or out of the sync; or nobody has given it to somebody else
		}
		if known, err := knownOrganizer(ctx, tx, b); err != nil || !known {
			return err // its organizer has another id by now, perhaps this one's, and the booking system has still to say so
		}
		cause = "organizer changed " + meanwhile
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
	if l.Orphan == store.OrphanSilent || l.Orphan == store.OrphanSilentElsewhere {
		mail = calendar.MailNobody
	}
	elsewhere := l.Orphan.Elsewhere()
	l.Orphan = store.OrphanNot
	if l.Problem == ambiguousAfterMove {
		l.Problem = ""
		return e.disown(ctx, tx, &l)
	}
	if l.Ref != "" && l.Epoch != mb.Epoch {
		l.Ref, l.Revision, l.Sent = "", "", unknownSent // by what reference it is known there was never asked
	}
	if l.State = store.LinkDeleting; !elsewhere { // else see endRemoval
		l.Epoch = mb.Epoch
	}
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

// leftBehind reports whether an item is that of an orphan whose person is gone: it has the same UID, and lies in a calendar as its owner's. So it
// is when somebody gets another id and another address at once.
func leftBehind(ctx context.Context, s memoryOfPersons, l store.Link, item *calendar.Item) (bool, error) {
	if l.State != store.LinkDead || l.Orphan == store.OrphanNot || l.UID == "" || l.UID != item.Event.UID || item.ReadOnly {
		return false, nil
	}
	_, there, err := s.Person(ctx, l.Tenant, l.Person)
	return err == nil && !there, err
}

// byGone settles an item that bears the key of somebody else's link. If that one is an orphan whose item it is, the link is this calendar's from
// now on. A booking that is organized by its owner has its item then; if it no longer stands, the item is laid before a person.
func (e *Engine) byGone(ctx context.Context, tx *store.Tx, p *pass, l store.Link, item *calendar.Item) error {
	if same, err := leftBehind(ctx, tx, l, item); err != nil || !same {
		return err // of another installation, or an attendee's copy
	}
	b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
	if err != nil || !found {
		return err
	}
	l.Person, l.Ref, l.Revision, l.Epoch = p.mb.Person, item.Ref, item.Revision, p.mb.Epoch
	if b.Status == booking.Confirmed {
		if known, err := knownOrganizer(ctx, tx, b); err != nil {
			return err
		} else if !known || b.Organizer == l.OrphanOf && l.OrphanOf != l.Person || b.Organizer == l.Person && (b.SyncOff || b.SyncDisabled || e.past(b)) {
			return tx.PutLink(ctx, l) // the booking system has still to say who organizes it; or it is out of the sync
		}
		if b.Organizer == l.Person {
			return e.claim(ctx, tx, p, l, item)
		}
	}
	l.Orphan = store.OrphanNot
	if err := tx.PutLink(ctx, l); err != nil || e.itemPast(item) {
		return err
	}
	return e.listUnlinked(ctx, tx, l, item)
}

// claim has the item of an orphan stand for its booking again, in place of one that is still to be made.
func (e *Engine) claim(ctx context.Context, tx *store.Tx, p *pass, l store.Link, item *calendar.Item) error {
	links, err := tx.LinksOfBooking(ctx, l.Tenant, l.Booking)
	if err != nil {
		return err
	}
	l.Orphan = store.OrphanNot
	for _, other := range links {
		switch {
		case other.Person != l.Person || other.State == store.LinkDead || other.State == store.LinkDeleting:
		case unmade(other):
			if err := e.bury(ctx, tx, &other); err != nil {
				return err
			}
		default: // the booking has an item here
			if err := tx.PutLink(ctx, l); err != nil {
				return err
			}
			return e.listCopy(ctx, tx, l, item)
		}
	}
	l.State, l.Sent = store.LinkPending, unknownSent
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	if err := e.note(ctx, tx, l, store.OpSync, calendar.MailNobody, "its organizer has another id"); err != nil {
		return err
	}
	return e.pairItem(ctx, tx, p, l, item)
}
