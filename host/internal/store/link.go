package store

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Link returns the link with this key, dead or not.
func (r Reads) Link(ctx context.Context, tenant, key string) (Link, bool, error) {
	if err := r.hold(ctx, lockLink, tenant, key); err != nil {
		return Link{}, false, err
	}
	row, err := r.q.GetLink(ctx, db.GetLinkParams{Tenant: tenant, Key: key})
	return linkFound(row, err)
}

// LinkByRef returns the link of an item in a person's calendar that is not dead; the newest epoch's if items of an
// earlier mailbox had the same reference.
func (r Reads) LinkByRef(ctx context.Context, tenant, person string, ref calendar.Ref) (Link, bool, error) {
	if ref == "" {
		return Link{}, false, nil
	}
	row, err := r.q.GetLinkByRef(ctx, db.GetLinkByRefParams{Tenant: tenant, Person: person, Ref: string(ref)})
	return linkFound(row, err)
}

func linkFound(row db.Link, err error) (Link, bool, error) {
	ok, err := found(err)
	if err != nil {
		return Link{}, false, fmt.Errorf("read link: %w", err)
	}
	if !ok {
		return Link{}, false, nil
	}
	return linkFromRow(row), true, nil
}

// LinksOfBooking returns all links of a booking, dead ones too, oldest first.
func (r Reads) LinksOfBooking(ctx context.Context, tenant, booking string) ([]Link, error) {
	rows, err := r.q.ListLinksOfBooking(ctx, db.ListLinksOfBookingParams{Tenant: tenant, Booking: booking})
	return linkList(rows, err)
}

// LinksByUID returns all links whose item has the UID, dead ones too, oldest first; none if it is empty.
func (r Reads) LinksByUID(ctx context.Context, tenant, uid string) ([]Link, error) {
	if uid == "" {
		return nil, nil
	}
	rows, err := r.q.ListLinksByUID(ctx, db.ListLinksByUIDParams{Tenant: tenant, Uid: uid})
	return linkList(rows, err)
}

// LinksOfPerson returns a page of the links of a person that are not dead, ordered by key.
func (r Reads) LinksOfPerson(ctx context.Context, tenant, person, after string, limit int) ([]Link, error) {
	rows, err := r.q.ListLinksOfPerson(ctx, db.ListLinksOfPersonParams{
		Tenant: tenant, Person: person, After: after, MaxRows: page(limit),
	})
	return linkList(rows, err)
}

// Orphans returns a page of the links of a person that ended as a person was removed, ordered by key: as this one was, who is back, or another
// one whose mailbox this one has by now.
func (r Reads) Orphans(ctx context.Context, tenant, person, after string, limit int) ([]Link, error) {
	rows, err := r.q.ListOrphans(ctx, db.ListOrphansParams{Tenant: tenant, Person: person, After: after, MaxRows: page(limit)})
	return linkList(rows, err)
}

// LinksUnseen returns the live links of the mailbox's present epoch whose item was not seen in the given round.
func (r Reads) LinksUnseen(ctx context.Context, tenant, person string, round int64) ([]Link, error) {
	rows, err := r.q.ListLinksUnseen(ctx, db.ListLinksUnseenParams{Tenant: tenant, Person: person, Round: round})
	return linkList(rows, err)
}

// GoneLinks returns the links of a person whose item is gone and whose booking's fate is open.
func (r Reads) GoneLinks(ctx context.Context, tenant, person string) ([]Link, error) {
	rows, err := r.q.ListLinksGone(ctx, db.ListLinksGoneParams{Tenant: tenant, Person: person})
	return linkList(rows, err)
}

// PutLink writes l, as a new one if there is none with its key. Created is kept as first written.
func (t *Tx) PutLink(ctx context.Context, l Link) error {
	if l.Created.IsZero() {
		l.Created = t.s.now()
	}
	err := t.q.UpsertLink(ctx, db.UpsertLinkParams{
		Tenant:    l.Tenant,
		Key:       l.Key,
		Booking:   l.Booking,
		Person:    l.Person,
		Epoch:     l.Epoch,
		State:     string(l.State),
		Ref:       string(l.Ref),
		Revision:  l.Revision,
		Base:      l.Base,
		Sent:      l.Sent,
		Tries:     int64(l.Tries),
		SeenRound: l.SeenRound,
		GoneAt:    millis(l.GoneAt),
		Problem:   l.Problem,
		Created:   millis(l.Created),
		Held:      l.Held,
		Uid:       l.UID,

		Quarantine: l.Quarantine,
		Orphan:     string(l.Orphan),
		OrphanOf:   l.OrphanOf,
	})
	if err != nil {
		return fmt.Errorf("save link of booking %s: %w", l.Booking, err)
	}
	return nil
}

func linkList(rows []db.Link, err error) ([]Link, error) {
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return mapped(rows, linkFromRow), nil
}

func linkFromRow(row db.Link) Link {
	return Link{
		Tenant:    row.Tenant,
		Key:       row.Key,
		Booking:   row.Booking,
		Person:    row.Person,
		Epoch:     row.Epoch,
		State:     LinkState(row.State),
		Ref:       calendar.Ref(row.Ref),
		Revision:  row.Revision,
		Base:      bytesOf(row.Base),
		Sent:      bytesOf(row.Sent),
		Tries:     int(row.Tries),
		SeenRound: row.SeenRound,
		GoneAt:    moment(row.GoneAt),
		Problem:   row.Problem,
		Created:   moment(row.Created),
		Held:      bytesOf(row.Held),
		UID:       row.Uid,

		Quarantine: row.Quarantine,
		Orphan:     Orphan(row.Orphan),
		OrphanOf:   row.OrphanOf,
	}
}
