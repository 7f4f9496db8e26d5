package syncer

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A mailbox is reached at another place from some moment on: by another address, URL or sync mode. That may be the same calendar, or part of
// it, or another one, and its owner may have deleted items before anybody here knew of the new place. So of every item that there was only
// what both sides agreed on is kept, and it counts as gone until it is found: by its markers, or by its UID. What is not found is no deletion
// that may be believed. It waits for a person's word, however little it is, unless the calendar is empty: then its items are made anew.

// anotherPlace is why items are written after their mailbox came to be reached at another place.
const anotherPlace = "the mailbox is reached at another place"

// uproot prepares the links of a person whose mailbox is to be reached elsewhere from now on. Nobody is mailed of that; but whoever was to be
// told that something is called off is told, and what waits for a word in that matter waits on.
func (e *Engine) uproot(ctx context.Context, tx *store.Tx, tenant, person string) error {
	mb, found, err := tx.Mailbox(ctx, tenant, person)
	if err != nil || !found {
		return err
	}
	if err := closeReadings(ctx, tx, tenant, person); err != nil {
		return err
	}
	const batch = 200
	for after := ""; ; {
		links, err := tx.LinksOfPerson(ctx, tenant, person, after, batch)
		if err != nil {
			return err
		}
		for _, l := range links {
			after = l.Key
			if err := e.uprootLink(ctx, tx, l, mb.Epoch); err != nil {
				return err
			}
		}
		if len(links) < batch {
			return nil
		}
	}
}

// closeReadings closes the units of the quarantine that are about what was read in a calendar: it is read anew. That bookings were cancelled
// holds wherever their items lie.
func closeReadings(ctx context.Context, tx *store.Tx, tenant, person string) error {
	units, err := tx.Quarantines(ctx, tenant, store.QuarantineFilter{Person: person, State: store.QuarantineWaiting})
	if err != nil {
		return err
	}
	for _, q := range units {
		if q.Kind == BookingCancellations {
			continue
		}
		q.State = store.QuarantineClosed
		if err := tx.SaveQuarantine(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) uprootLink(ctx context.Context, tx *store.Tx, l store.Link, epoch int64) error {
	if leftByMove(l) { // somebody decides about it, here as there
		l.Epoch, l.Quarantine = epoch, 0
		return tx.PutLink(ctx, l)
	}
	if l.State == store.LinkDeleting {
		return e.uprootDeleting(ctx, tx, l)
	}
	if err := e.letGo(ctx, tx, &l); err != nil { // the other place may be able to keep silent
		return err
	}
	l.Quarantine = 0
	if l.State == store.LinkLive && (l.Ref != "" || !l.GoneAt.IsZero()) {
		rememberSent(&l)
		l.Ref, l.Revision = "", "" // of the epoch in which it was met last, see metElsewhere
		if l.GoneAt.IsZero() {
			l.GoneAt = e.now()
		}
		return tx.PutLink(ctx, l)
	}
	if len(l.Base) > 0 {
		l.Sent = l.Base
	}
	l.Base = nil
	if l.State != store.LinkExpected { // that one is still to be made in the calendar
		l.State = store.LinkPending
	}
	l.Ref, l.Revision, l.GoneAt, l.Epoch = "", "", zeroTime, epoch
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	return e.note(ctx, tx, l, store.OpSync, calendar.MailNobody, anotherPlace)
}

// uprootDeleting is uprootLink of a link whose item is to go. Who is told of that, and whether somebody has to decide first, stays as it was.
func (e *Engine) uprootDeleting(ctx context.Context, tx *store.Tx, l store.Link) error {
	rememberSent(&l)
	l.Ref, l.Revision, l.GoneAt = "", "", zeroTime // of the epoch in which it was met last, see endRemoval
	if l.Quarantine != 0 {
		return tx.PutLink(ctx, l)
	}
	if err := e.letGo(ctx, tx, &l); err != nil {
		return err
	}
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	return e.noteRemoval(ctx, tx, l, anotherPlace)
}

// endRemoval ends a link whose item is to go and is not there. If it was met where the mailbox is not reached any more, that may be the right place,
// left by a slip of the hand: it is looked for again once the mailbox is reached at another place, see takeUpOrphans.
func (e *Engine) endRemoval(ctx context.Context, tx *store.Tx, l *store.Link) error {
	mb, found, err := tx.Mailbox(ctx, l.Tenant, l.Person)
	if err != nil {
		return err
	}
	if !found || l.State != store.LinkDeleting || l.Ref != "" || l.Epoch == mb.Epoch || l.Quarantine != 0 {
		return e.bury(ctx, tx, l)
	}
	in, wanted, err := tx.Intent(ctx, l.Tenant, l.Key)
	if err != nil {
		return err
	}
	if err := e.bury(ctx, tx, l); err != nil {
		return err
	}
	rememberSent(l) // should the booking come back, it is looked for
	l.Orphan, l.OrphanOf, l.Epoch = store.OrphanToldElsewhere, l.Person, mb.Epoch
	if wanted && in.Mail == calendar.MailNobody {
		l.Orphan = store.OrphanSilentElsewhere
	}
	return tx.PutLink(ctx, *l)
}

// noteRemoval records that a link's item is to go, of which nobody is to be told but those who are to be told already. One that was recorded
// before keeps its cause: a person may have approved of it.
func (e *Engine) noteRemoval(ctx context.Context, tx *store.Tx, l store.Link, cause string) error {
	in, found, err := tx.Intent(ctx, l.Tenant, l.Key)
	if err != nil {
		return err
	}
	if found && in.Op == store.OpDelete {
		cause = in.Cause
	}
	return e.note(ctx, tx, l, store.OpDelete, calendar.MailNobody, cause)
}

// rememberSent has a link without a reference look for its item before another one is made.
func rememberSent(l *store.Link) {
	if len(l.Base) > 0 {
		l.Sent = l.Base
	} else if len(l.Sent) == 0 {
		l.Sent = unknownSent
	}
}

// fill has the items made anew that an empty calendar lacks, since it is not the one in which they were met. What waits for a word by then
// was missed when there was something in it.
func (e *Engine) fill(ctx context.Context, tx *store.Tx, p *pass) error {
	if p.mb.HeldDeletions > 0 {
		return nil
	}
	links, err := tx.GoneLinks(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil {
		return err
	}
	n := 0
	for _, l := range links {
		if !metElsewhere(l, p.mb.Epoch) || l.State != store.LinkLive {
			continue
		}
		rememberSent(&l)
		l.State, l.Base, l.GoneAt, l.Epoch = store.LinkPending, nil, zeroTime, p.mb.Epoch
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
		if err := e.note(ctx, tx, l, store.OpSync, calendar.MailNobody, anotherPlace); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return nil
	}
	return e.record(ctx, tx, p.mb.Tenant, p.mb.Person, "", "calendar empty",
		fmt.Sprintf("%s, and there is nothing in it: %s made anew, and nobody is mailed", anotherPlace, plural(n, "item is", "items are")))
}
