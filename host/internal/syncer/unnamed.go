package syncer

import (
	"context"
	"errors"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// metElsewhere reports whether the item of a link was met last when the mailbox was reached at another place than in an epoch, and is missing
// since.
func metElsewhere(l store.Link, epoch int64) bool {
	return l.Ref == "" && !l.GoneAt.IsZero() && l.Epoch != epoch
}

// verifyUnnamed looks for the items of links whose references are unknown and that count as gone: a move found them deleted by the old mode,
// or they were met where the mailbox was reached before. It returns those that have none. So many searches may be needed that some are left
// to the next pass. What waits for a word already is looked for again once that is given; until then a pull tells should it turn up.
func (e *Engine) verifyUnnamed(ctx context.Context, p *pass, links []store.Link) (missing []store.Link, err error) {
	if len(links) == 0 {
		return nil, nil
	}
	listed := map[string]bool{}
	if !p.mb.DeletionsApproved {
		if listed, err = e.waitAsGone(ctx, p); err != nil {
			return nil, err
		}
	}
	searches := 0
	for _, l := range links {
		if listed[l.Key] {
			missing = append(missing, l)
			continue
		}
		if metElsewhere(l, p.mb.Epoch) {
			b, known, err := e.Store.Booking(ctx, l.Tenant, l.Booking)
			if err != nil {
				return nil, ours(err)
			}
			if known && e.past(b) { // nothing is at stake
				missing = append(missing, l)
				continue
			}
		}
		if searches++; searches > mostSearches && !p.mb.DeletionsApproved {
			return missing, e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
				return tx.MarkDirty(ctx, p.mb.Tenant, p.mb.Person, zeroTime)
			})
		}
		found, err := e.turnsUp(ctx, p, l)
		if err != nil {
			return nil, err
		}
		if !found {
			missing = append(missing, l)
		}
	}
	return missing, nil
}

// waitAsGone returns the keys of links that wait in quarantine because their items are gone.
func (e *Engine) waitAsGone(ctx context.Context, p *pass) (map[string]bool, error) {
	keys := map[string]bool{}
	q, found, err := e.Store.WaitingQuarantine(ctx, p.mb.Tenant, p.mb.Person, CalendarDeletions)
	if err != nil || !found {
		return keys, ours(err)
	}
	items, err := ParseQuarantine(q)
	if err != nil {
		return nil, ours(err)
	}
	for _, it := range items {
		keys[it.Key] = true
	}
	return keys, nil
}

// turnsUp looks for the item of a link whose reference is unknown, and settles it. Of several that may be it none is chosen.
func (e *Engine) turnsUp(ctx context.Context, p *pass, l store.Link) (found bool, err error) {
	if l.State == store.LinkDeleting {
		return false, nil // what bears its key elsewhere is not ours to delete
	}
	item, err := e.byUID(ctx, p, l)
	if errors.Is(err, errSeveral) {
		return true, e.cannotTell(ctx, p, l)
	}
	if err == nil && item == nil {
		item, err = e.find(ctx, p, l, backend.OurKey)
	}
	if err == nil && item == nil {
		item, err = e.find(ctx, p, l, backend.ForeignKey)
	}
	if err != nil || item == nil {
		return false, err
	}
	return true, e.restore(ctx, p, l, item)
}

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
