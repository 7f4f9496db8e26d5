package syncer

import (
	"context"
	"errors"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// errSeveral says that several items have the UID of a link's item, and nothing tells which of them it is.
var errSeveral = errors.New("several items have the UID of the item")

// byUID returns the item that has the UID by which a link's item is known, and bears no marker of another one: items that another sync or
// somebody in Outlook made bear none at all. Of several it is the one that says what was agreed on, or errSeveral.
func (e *Engine) byUID(ctx context.Context, p *pass, l store.Link) (*calendar.Item, error) {
	if l.UID == "" || p.mode.Finder == nil {
		return nil, nil
	}
	items, err := p.mode.Finder.Find(ctx, p.mailbox, backend.ByUID, l.UID)
	if errors.Is(err, fault.Unsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found, alike []*calendar.Item
	m := &matcher{e: e, new: p, people: newMemo(e.Store)}
	for i := range items {
		it := &items[i]
		single := it.Kind == calendar.Single || it.Kind == calendar.Master
		foreign := it.Key != "" && it.Key != l.Key || it.ForeignKey != "" && it.ForeignKey != l.Booking
		if !single || foreign || it.ReadOnly || it.Event.Cancelled && l.State != store.LinkDeleting {
			continue
		}
		if stands, err := standsFor(ctx, e.Store, l, it); err != nil {
			return nil, ours(err)
		} else if !stands {
			continue
		}
		same, _, err := m.same(ctx, l, it)
		if err != nil {
			return nil, err
		}
		if found = append(found, it); same {
			alike = append(alike, it)
		}
	}
	switch {
	case len(found) == 0:
		return nil, nil
	case len(found) == 1:
		return found[0], nil
	case len(alike) == 1:
		return alike[0], nil
	}
	return nil, errSeveral
}

// cannotTell lays a link before a person, since several items may be its own.
func (e *Engine) cannotTell(ctx context.Context, p *pass, l store.Link) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		now, found, err := tx.Link(ctx, l.Tenant, l.Key)
		if err != nil || !found || now.State != l.State || now.Ref != "" {
			return err
		}
		if now.State == store.LinkDeleting {
			return e.disown(ctx, tx, &now)
		}
		return e.unclear(ctx, tx, now)
	})
}
