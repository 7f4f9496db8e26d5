package syncer

import (
	"context"
	"errors"
	"strings"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A meeting is an item of a room's calendar with what is known of its organizer.
type meeting struct {
	item *calendar.Item // the room's copy
	own  bool           // made in the room's calendar itself
	// organizer is the person whose meeting it is; empty for somebody else's. original is the organizer's own item; nil if it
	// is not there, or cannot be read.
	organizer store.PersonRow
	original  *calendar.Item
	lack      lack // of a booked series
	// wait says why nothing can be decided yet; empty if it can.
	wait string
}

// meeting finds out whose meeting an item of a room's calendar is, and reads the organizer's own item where the copy alone
// does not tell what it belongs to.
func (e *Engine) meeting(ctx context.Context, p *pass, item *calendar.Item) (meeting, error) {
	m := meeting{item: item}
	from := item.Event.Organizer.Email
	if m.own = from == "" || strings.EqualFold(from, p.person.Email); m.own {
		return m, nil
	}
	row, found, err := e.Store.PersonByEmail(ctx, p.mb.Tenant, from)
	if err != nil {
		return m, ours(err)
	}
	if !found || row.Kind != directory.KindPerson {
		m.own = found && row.ID == p.person.ID // by a former address
		return m, nil
	}
	m.organizer = row
	links, err := e.Store.LinksByUID(ctx, p.mb.Tenant, item.Event.UID)
	if err != nil {
		return m, ours(err)
	}
	if m.lack, err = e.lacking(ctx, p, item, links); err != nil {
		return m, err
	}
	if len(links) > 0 || item.Event.UID == "" || row.SyncDisabled || row.SyncMode == "" {
		return m, nil // known by its UID, or there is nowhere to look
	}
	m.original, m.wait, err = e.originalOf(ctx, p, row, item.Event.UID)
	if m.original != nil {
		m.lack.original = &m.original.Event
	}
	return m, err
}

// originalOf looks for the item with the UID in its organizer's calendar. wait says why that cannot be known now.
func (e *Engine) originalOf(ctx context.Context, p *pass, organizer store.PersonRow, uid string) (item *calendar.Item, wait string, err error) {
	there, problem, err := e.onlooker(ctx, store.Link{Tenant: p.mb.Tenant, Person: organizer.ID})
	if err != nil {
		return nil, "", ours(err)
	}
	if problem != "" {
		return nil, problem, nil
	}
	if there.mode.Finder == nil {
		return nil, "", nil
	}
	items, err := there.mode.Finder.Find(ctx, there.mailbox, backend.ByUID, uid)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, "", err
	case errors.Is(err, fault.Unsupported), errors.Is(err, fault.MailboxNotFound), errors.Is(err, fault.Forbidden), errors.Is(err, fault.NotFound):
		return nil, "", nil // it will not be found out later either
	default:
		return nil, sentence(err), nil
	}
	for i := range items {
		if it := &items[i]; !it.ReadOnly && !it.Event.Cancelled && (item == nil || item.Key == "") {
			item = it
		}
	}
	return item, "", nil
}
