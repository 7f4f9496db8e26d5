package syncer

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// gone decides on the links whose item was found gone. Each is looked for once more, by reference and by marker,
// because items change their reference when they are moved; held reports that some wait for a person's word, see believe.
func (e *Engine) gone(ctx context.Context, p *pass) (held bool, err error) {
	links, err := e.Store.GoneLinks(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil {
		return false, ours(err)
	}
	approved := p.mb.DeletionsApproved // an approval that comes while we look is for the next pass
	if len(links) == 0 {
		return false, e.hold(ctx, p, nil, approved)
	}
	missing, err := e.verify(ctx, p, links)
	if err != nil {
		return false, err
	}
	if missing, err = e.forget(ctx, p, missing); err != nil {
		return false, err
	}
	elsewhere := func(l store.Link) bool { return metElsewhere(l, p.mb.Epoch) }
	believed, waiting, err := believe(ctx, e, p, vanishing[store.Link]{missing, elsewhere, e.Store.CountLinks}, approved)
	if err != nil {
		return false, err
	}
	p.missed = slices.ContainsFunc(waiting, elsewhere)
	for _, l := range believed {
		err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			now, found, err := tx.Link(ctx, l.Tenant, l.Key)
			if err != nil || !found || now.GoneAt.IsZero() || now.State == store.LinkDead {
				return err
			}
			now.GoneAt, now.Quarantine = zeroTime, 0
			pr, err := pairUp(ctx, tx, now)
			if err != nil {
				return err
			}
			pr.link.Ref, pr.link.Revision = "", ""
			if _, err = e.settle(ctx, tx, &pr); err != nil || pr.link.State != store.LinkDead || !metElsewhere(l, p.mb.Epoch) {
				return err
			}
			rememberSent(&pr.link) // it is where the mailbox was reached before, perhaps: should the booking come back, it is looked for
			return tx.PutLink(ctx, pr.link)
		})
		if err != nil {
			return false, err
		}
		e.Failpoint("gone:settled")
	}
	return len(waiting) > 0, e.hold(ctx, p, vanishedItems(waiting, p.mb.Epoch), approved)
}

// forget ends the links that put nothing at stake and returns the rest: their booking is cancelled already, or out of the
// sync, or over. Calendars are tidied up and archived by people and by servers; what took place is not cancelled by that.
func (e *Engine) forget(ctx context.Context, p *pass, missing []store.Link) ([]store.Link, error) {
	var rest []store.Link
	for _, l := range missing {
		harmless := false
		err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			now, found, err := tx.Link(ctx, l.Tenant, l.Key)
			if err != nil || !found || now.GoneAt.IsZero() || now.State == store.LinkDead {
				return err
			}
			pr, err := pairUp(ctx, tx, now)
			if err != nil {
				return err
			}
			b := pr.booking
			past := b != nil && e.past(b)
			if harmless = b == nil || b.SyncDisabled || past; !harmless {
				return nil
			}
			if err := e.bury(ctx, tx, &pr.link); err != nil {
				return err
			}
			if now.Ref == "" { // it may be out of sight only: should the booking come back, it is looked for
				rememberSent(&pr.link)
				return tx.PutLink(ctx, pr.link)
			}
			if !past {
				return nil
			}
			return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item of a past booking removed", "removed from the calendar; the booking stays as it was")
		})
		if err != nil {
			return nil, err
		}
		if !harmless {
			rest = append(rest, l)
		}
	}
	return rest, nil
}

// hold stores which deletions are held back from now on. An approval that was looked at is used up: it was meant for
// those that were held when it was given.
func (e *Engine) hold(ctx context.Context, p *pass, missing []QuarantineItem, approved bool) error {
	n := len(missing)
	if p.mb.HeldDeletions == n && !approved {
		if same, err := e.holds(ctx, p, missing); err != nil || same {
			return err
		}
	}
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		p.mb.HeldDeletions = n
		if err := e.holdDeletions(ctx, tx, p, missing); err != nil {
			return err
		}
		if err := tx.SaveMailbox(ctx, p.mb); err != nil || !approved {
			return err
		}
		return tx.ApproveDeletions(ctx, p.mb.Tenant, p.mb.Person, false)
	})
}

// holds reports whether the unit that waits is of these very deletions.
func (e *Engine) holds(ctx context.Context, p *pass, missing []QuarantineItem) (bool, error) {
	if len(missing) == 0 {
		return true, nil
	}
	q, found, err := e.Store.WaitingQuarantine(ctx, p.mb.Tenant, p.mb.Person, CalendarDeletions)
	if err != nil || !found {
		return false, ours(err)
	}
	items, err := ParseQuarantine(q)
	if err != nil {
		return false, ours(err)
	}
	return slices.EqualFunc(items, missing, func(a, b QuarantineItem) bool { return a.Key == b.Key }), nil
}

// verify looks for the items of links once more and returns the links that are really without one. What is found is
// settled.
func (e *Engine) verify(ctx context.Context, p *pass, links []store.Link) ([]store.Link, error) {
	var unnamed []store.Link
	links = slices.DeleteFunc(links, func(l store.Link) bool {
		if l.Ref == "" {
			unnamed = append(unnamed, l)
		}
		return l.Ref == ""
	})
	missing, err := e.verifyUnnamed(ctx, p, unnamed)
	if err != nil {
		return nil, err
	}
	const batch = 50
	for len(links) > 0 {
		n := min(batch, len(links))
		part := links[:n]
		links = links[n:]
		refs := make([]calendar.Ref, n)
		for i, l := range part {
			refs[i] = l.Ref
		}
		got, err := p.mode.Backend.Fetch(ctx, p.mailbox, refs)
		if err != nil {
			return nil, err
		}
		for i, l := range part {
			switch {
			case errors.Is(got[i].Err, fault.NotFound):
				found, err := e.elsewhereByKey(ctx, p, l)
				if err != nil {
					return nil, err
				}
				if !found {
					missing = append(missing, l)
				}
			case got[i].Err != nil:
				return nil, got[i].Err
			case got[i].Item.Event.Cancelled:
				missing = append(missing, l)
			default:
				if err := e.restore(ctx, p, l, &got[i].Item); err != nil {
					return nil, err
				}
			}
		}
	}
	return missing, nil
}

// elsewhereByKey looks for a link's item under another reference, and settles it.
func (e *Engine) elsewhereByKey(ctx context.Context, p *pass, l store.Link) (found bool, err error) {
	if l.State == store.LinkDeleting {
		return false, nil // what bears its key elsewhere is not ours to delete
	}
	item, err := e.find(ctx, p, l, backend.OurKey)
	if err == nil && item == nil {
		item, err = e.findUnmarked(ctx, p, l)
	}
	if err != nil || item == nil {
		return false, err
	}
	return true, e.restore(ctx, p, l, item)
}

// findUnmarked looks for the item of a link that was taken over without our marker, because somebody made it in the
// calendar and invited a room.
func (e *Engine) findUnmarked(ctx context.Context, p *pass, l store.Link) (*calendar.Item, error) {
	if l.UID == "" || p.mode.Finder == nil || l.State != store.LinkLive {
		return nil, nil
	}
	items, err := p.mode.Finder.Find(ctx, p.mailbox, backend.ByUID, l.UID)
	if errors.Is(err, fault.Unsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for i := range items {
		if it := &items[i]; it.Key == "" && it.ForeignKey == "" && !it.ReadOnly && !it.Event.Cancelled && it.Ref != l.Ref {
			return it, nil
		}
	}
	return nil, nil
}

func (e *Engine) restore(ctx context.Context, p *pass, l store.Link, item *calendar.Item) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		now, found, err := tx.Link(ctx, l.Tenant, l.Key)
		if err != nil || !found || now.State == store.LinkDead {
			return err
		}
		if metElsewhere(now, p.mb.Epoch) && p.mass == 0 { // no page has told of it, where changes are counted
			if err := e.weigh(ctx, tx, p, p.changes+1); err != nil {
				return err
			}
		}
		return e.pairItem(ctx, tx, p, now, item)
	})
}

// find returns the item of the calendar that bears l's key, or the id of its booking, and may be taken for its item; nil
// if there is none. Of several it is the one whose UID is known, then the first: the others are copies, or the rest of a series
// that was split, and listed when they are met.
func (e *Engine) find(ctx context.Context, p *pass, l store.Link, by backend.Marker) (*calendar.Item, error) {
	items, err := e.findAll(ctx, p, l, by)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	known := func(it calendar.Item) int {
		if l.UID != "" && it.Event.UID == l.UID {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(items, func(a, b calendar.Item) int {
		return cmp.Or(cmp.Compare(known(a), known(b)), a.Event.Start.Compare(b.Event.Start))
	})
	return &items[0], nil
}

// findAll returns all such items.
func (e *Engine) findAll(ctx context.Context, p *pass, l store.Link, by backend.Marker) (found []calendar.Item, err error) {
	if p.mode.Finder == nil {
		return nil, nil
	}
	value := l.Key
	if by == backend.ForeignKey {
		value = l.Booking
	}
	items, err := p.mode.Finder.Find(ctx, p.mailbox, by, value)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i].ReadOnly || items[i].Event.Cancelled && l.State != store.LinkDeleting {
			continue
		}
		if stands, err := standsFor(ctx, e.Store, l, &items[i]); err != nil {
			return nil, ours(err)
		} else if stands {
			found = append(found, items[i])
		}
	}
	return found, nil
}
