package syncer

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// What is listed of items names them by the references of the mode that met them, and those of items that no link has are known from nothing
// else. A move finds these items, too, so that what lies before a person is about the same items as before, and what was ignored stays so.

// A listing is what is listed of a mailbox's items when it is moved.
type listing struct {
	items    []store.Difference // open or ignored ones that name an item, newest first
	bookings map[string]bool    // of which items are listed that no link has
	keys     map[string]string  // these bookings by the keys of all of their links
}

// bears returns the booking of which an item bears a marker, if items of it are listed that no link has.
func (l *listing) bears(it *calendar.Item) (string, bool) {
	if id, listed := l.keys[it.Key]; listed {
		return id, true
	}
	return it.ForeignKey, l.bookings[it.ForeignKey]
}

// listed returns what is listed of a mailbox's items.
func (e *Engine) listed(ctx context.Context, mb store.Mailbox) (*listing, error) {
	out := &listing{bookings: map[string]bool{}, keys: map[string]string{}}
	for _, status := range []store.DifferenceStatus{store.DifferenceOpen, store.DifferenceIgnored} {
		for f := (store.DifferenceFilter{Person: mb.Person, Status: status}); ; {
			page, err := e.Store.Differences(ctx, mb.Tenant, f)
			if err != nil {
				return nil, ours(err)
			}
			if len(page) == 0 {
				break
			}
			f.Before = page[len(page)-1].ID
			out.items = append(out.items, slices.DeleteFunc(page, func(d store.Difference) bool { return d.Ref == "" })...)
		}
	}
	slices.SortFunc(out.items, func(a, b store.Difference) int { return cmp.Compare(b.ID, a.ID) })
	for _, d := range out.items {
		if !ofItem(d) || d.Booking == "" || out.bookings[d.Booking] {
			continue
		}
		out.bookings[d.Booking] = true
		links, err := e.Store.LinksOfBooking(ctx, mb.Tenant, d.Booking)
		if err != nil {
			return nil, ours(err)
		}
		for _, l := range links {
			out.keys[l.Key] = l.Booking
		}
	}
	return out, nil
}

// relist has what is listed name its items by the references of the new mode.
func (e *Engine) relist(ctx context.Context, tx *store.Tx, matches []match, seen *sighting) error {
	own, copied := map[calendar.Ref]match{}, map[string]bool{}
	for _, mt := range matches {
		if mt.link.Ref != "" {
			own[mt.link.Ref] = mt
		}
		copied[mt.link.Booking] = copied[mt.link.Booking] || len(mt.copies) > 0
	}
	rest := map[string][]store.Difference{}
	for _, was := range seen.listed.items {
		d, found, err := tx.Difference(ctx, was.Tenant, was.ID)
		if err != nil {
			return err
		}
		if !found || !d.Open && d.Status != store.DifferenceIgnored {
			continue // decided on meanwhile
		}
		mt, linked := own[d.Ref]
		switch {
		case linked && mt.fate == fateFound:
			err = tx.RenameDifference(ctx, d.Tenant, d.ID, mt.item.Ref, d.Said)
		case !ofItem(d), d.Kind == copyLeftAlone && copied[d.Booking]: // see rememberCopies
		case linked && d.Open: // the item that was to be removed is not there
			_, err = tx.EndDifference(ctx, d.Tenant, d.ID, store.DifferenceClosed)
		case !linked:
			rest[d.Booking] = append(rest[d.Booking], d)
		}
		if err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(rest)) {
		if err := e.relistOf(ctx, tx, rest[id], seen.strays(id)); err != nil {
			return err
		}
	}
	return nil
}

// strays returns the items of a booking of which items are listed, but for those that may be a living link's and those that stand for nothing.
func (s *sighting) strays(id string) []*calendar.Item {
	var found []*calendar.Item
	for ref, of := range s.listedItems {
		if of.booking == id && !s.claimed[ref] && !of.item.ReadOnly && !of.item.Event.Cancelled {
			found = append(found, of.item)
		}
	}
	slices.SortFunc(found, func(a, b *calendar.Item) int { return cmp.Compare(a.Ref, b.Ref) })
	return found
}

// relistOf finds the items again of a booking that no link has. Which is which is known of one that a link had until its booking was taken out of
// the sync, or where it makes no difference; otherwise all that are there are listed anew.
func (e *Engine) relistOf(ctx context.Context, tx *store.Tx, list []store.Difference, strays []*calendar.Item) error {
	links, err := tx.LinksOfBooking(ctx, list[0].Tenant, list[0].Booking)
	if err != nil {
		return err
	}
	now := map[calendar.Ref]*calendar.Item{}
	take := func(was calendar.Ref, is func(*calendar.Item) bool) {
		if i := slices.IndexFunc(strays, is); i >= 0 {
			now[was] = strays[i]
			strays = slices.Delete(strays, i, i+1)
		}
	}
	for _, d := range list { // where both modes name items alike
		if now[d.Ref] == nil {
			take(d.Ref, func(it *calendar.Item) bool { return it.Ref == d.Ref })
		}
	}
	for _, l := range links { // let go with its item: listed, or nothing that anybody is to be asked about
		if l.State == store.LinkDead && l.Person == list[0].Person && l.Ref != "" && l.UID != "" && now[l.Ref] == nil {
			take(l.Ref, func(it *calendar.Item) bool { return it.Key == l.Key && it.Event.UID == l.UID })
		}
	}
	var open []store.Difference
	var refs []calendar.Ref // of items that are still to be found
	statuses := map[store.DifferenceStatus]bool{}
	for _, d := range list {
		if now[d.Ref] != nil {
			continue
		}
		if statuses[d.Status] = true; d.Open {
			open = append(open, d)
		}
		if !slices.Contains(refs, d.Ref) {
			refs = append(refs, d.Ref)
		}
	}
	alike := len(strays) <= len(refs) && (len(statuses) == 1 || len(refs) == 1)
	if alike {
		for i, it := range strays {
			now[refs[i]] = it
		}
		strays = nil
	}
	for _, d := range list {
		if it := now[d.Ref]; it != nil {
			said := d.Said
			if d.Kind != copyLeftAlone {
				said = saidOfItem(it)
			}
			if err := tx.RenameDifference(ctx, d.Tenant, d.ID, it.Ref, said); err != nil {
				return err
			}
		} else if d.Open {
			if _, err := tx.EndDifference(ctx, d.Tenant, d.ID, store.DifferenceClosed); err != nil {
				return err
			}
		}
	}
	if len(refs) == 0 {
		return nil // what else there is was never listed
	}
	like := list[0]
	if len(open) > 0 {
		like = open[0]
	}
	for _, it := range strays {
		d := like
		if d.At, d.Ref = e.now(), it.Ref; d.Kind != copyLeftAlone {
			d.Said = saidOfItem(it)
		}
		if err := tx.AddDifference(ctx, d); err != nil {
			return err
		}
	}
	return nil
}
