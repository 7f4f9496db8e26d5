package syncer

import (
	"context"
	"errors"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The phases of a part of a scan, in order. After holds, in turn, the last key compared, and the cursor of the full read.
const (
	phaseLinks    = "links"    // what is linked, item by item
	phaseItems    = "items"    // what else the calendar holds that bears a marker
	phaseBookings = "bookings" // what should be in the calendar and is linked to nothing
)

// scanLinks is how many links are compared at once; their items are one request of Fetch.
const scanLinks = 50

// scanBatch does one batch of a part: after it, the part says how far it is.
func (e *Engine) scanBatch(ctx context.Context, p *pass, s store.Scan, part *store.ScanPart) error {
	switch part.Phase {
	case "":
		if ofOneBooking(s) || s.Thorough {
			part.Phase = phaseLinks
			return nil
		}
		same, err := e.unchanged(ctx, p)
		if err != nil {
			return err
		}
		if !same {
			part.Phase = phaseLinks
			return nil
		}
		part.State = store.ScanUnchanged
		return e.scanRemembered(ctx, p, s, part)
	case phaseLinks:
		return e.scanLinked(ctx, p, s, part)
	case phaseItems:
		if ofOneBooking(s) {
			part.Phase = phaseBookings
			return e.scanCopies(ctx, p, s, part)
		}
		return e.scanItems(ctx, p, s, part)
	}
	part.State = store.ScanDone
	return e.scanUnlinked(ctx, p, s, part)
}

// ofOneBooking reports whether a scan is about one booking, whose items are found by their markers.
func ofOneBooking(s store.Scan) bool {
	return s.Target == store.ScanBooking || s.Target == store.ScanSeries
}

// scannedLinks returns the next links of a part, and the last key looked at; empty when there are no more.
func (e *Engine) scannedLinks(ctx context.Context, s store.Scan, part *store.ScanPart) (links []store.Link, last string, err error) {
	var all []store.Link
	if ofOneBooking(s) {
		if part.After == "" {
			all, err = e.Store.LinksOfBooking(ctx, s.Tenant, s.Name)
		}
	} else {
		all, err = e.Store.LinksOfPerson(ctx, s.Tenant, part.Person, part.After, scanLinks)
	}
	for _, l := range all {
		last = l.Key
		if l.Person != part.Person || l.State == store.LinkDead {
			continue
		}
		b, found, err := e.Store.Booking(ctx, l.Tenant, l.Booking)
		if err != nil {
			return nil, "", err
		}
		if found && about(s, b) && (!e.past(b) || ofOneBooking(s) || !s.From.IsZero()) {
			links = append(links, l)
		}
	}
	return links, last, err
}

// scanLinked compares the next links with their items.
func (e *Engine) scanLinked(ctx context.Context, p *pass, s store.Scan, part *store.ScanPart) error {
	links, last, err := e.scannedLinks(ctx, s, part)
	if err != nil {
		return ours(err)
	}
	if part.After = last; last == "" {
		part.Phase = phaseItems
		return nil
	}
	items, unread, err := e.itemsOf(ctx, p, links)
	if err != nil {
		return err
	}
	for _, l := range links {
		if why := unread[l.Key]; why != nil {
			part.Problem = fmt.Sprintf("the item of booking %q could not be read: %s", l.Booking, sentence(why))
			continue
		}
		if err := e.compare(ctx, p, l, items[l.Key], part); err != nil {
			return err
		}
	}
	return nil
}

// itemsOf reads the items of links as they are now, by the links' keys. unread are those of which that is not known.
func (e *Engine) itemsOf(ctx context.Context, p *pass, links []store.Link) (items map[string]*calendar.Item, unread map[string]error, err error) {
	items, unread = map[string]*calendar.Item{}, map[string]error{}
	var refs []calendar.Ref
	var known, lost []store.Link
	for _, l := range links {
		if l.Ref == "" {
			lost = append(lost, l)
			continue
		}
		refs, known = append(refs, l.Ref), append(known, l)
	}
	if len(refs) > 0 {
		got, err := p.mode.Backend.Fetch(ctx, p.mailbox, refs)
		if err != nil {
			return nil, nil, err
		}
		for i, l := range known {
			switch {
			case got[i].Err == nil:
				items[l.Key] = &got[i].Item
			case errors.Is(got[i].Err, fault.NotFound):
				lost = append(lost, l)
			case mailboxWide(got[i].Err):
				return nil, nil, got[i].Err
			default:
				unread[l.Key] = got[i].Err
			}
		}
	}
	for _, l := range lost {
		if l.State == store.LinkDeleting {
			continue // what bears its key elsewhere is a copy
		}
		item, err := e.find(ctx, p, l, backend.OurKey)
		if err != nil {
			return nil, nil, err
		}
		if item != nil {
			items[l.Key] = item
		}
	}
	return items, unread, nil
}

// scanItems reads the whole calendar and looks at what is marked and belongs to no link, page by page.
func (e *Engine) scanItems(ctx context.Context, p *pass, s store.Scan, part *store.ScanPart) error {
	var stopped error // our own faults come back from the plugin without their types
	pages := 0
	err := p.mode.Backend.Pull(ctx, backend.PullRequest{Mailbox: p.mailbox, Since: calendar.Cursor(part.After)}, func(page backend.Page) error {
		if stopped = e.scanPage(ctx, p, s, page, part); stopped != nil {
			return stopped
		}
		if pages++; !page.Last && (pages == scanBatches || p.mb.Wanted != p.wanted) {
			stopped = errStopped
		}
		return stopped
	})
	switch {
	case errors.Is(stopped, errStopped):
		return nil
	case stopped != nil:
		return stopped
	case errors.Is(err, fault.StateExpired) && part.After != "":
		part.After = "" // begun anew: what was found already is found again, and adds nothing
		return nil
	case err != nil:
		return err
	}
	part.Phase, part.After = phaseBookings, ""
	return nil
}

// scanPage looks at one page of a calendar and stores how far the part is.
func (e *Engine) scanPage(ctx context.Context, p *pass, s store.Scan, page backend.Page, part *store.ScanPart) error {
	for _, ch := range page.Changes {
		if ch.Deleted || ch.Item == nil {
			continue
		}
		if err := e.scanMarked(ctx, p, s, ch.Item, part); err != nil {
			return err
		}
	}
	part.After = string(page.Next)
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error { return tx.PutScanPart(ctx, *part) })
}

// scanCopies looks for items that bear a marker of a single booking.
func (e *Engine) scanCopies(ctx context.Context, p *pass, s store.Scan, part *store.ScanPart) error {
	if p.mode.Finder == nil {
		return nil
	}
	links, err := e.Store.LinksOfBooking(ctx, s.Tenant, s.Name)
	if err != nil {
		return ours(err)
	}
	seen := map[calendar.Ref]bool{}
	look := func(by backend.Marker, value string) error {
		items, err := p.mode.Finder.Find(ctx, p.mailbox, by, value)
		if err != nil {
			return err
		}
		for i := range items {
			if seen[items[i].Ref] {
				continue
			}
			seen[items[i].Ref] = true
			if err := e.scanMarked(ctx, p, s, &items[i], part); err != nil {
				return err
			}
		}
		return nil
	}
	for _, l := range links {
		if l.Person != part.Person {
			continue
		}
		if err := look(backend.OurKey, l.Key); err != nil {
			return err
		}
	}
	return look(backend.ForeignKey, s.Name)
}

// scanMarked looks at one item that bears a marker.
func (e *Engine) scanMarked(ctx context.Context, p *pass, s store.Scan, item *calendar.Item, part *store.ScanPart) error {
	if item.ReadOnly || item.Event.Cancelled || item.Key == "" && item.ForeignKey == "" {
		return nil // an invitation, or somebody's own affair
	}
	if past := item.Event.Recurrence == "" && !item.Event.End.After(e.now()); past && s.From.IsZero() || !within(s, item.Event.Start, item.Event.End) {
		return nil
	}
	if _, linked, err := e.Store.LinkByRef(ctx, p.mb.Tenant, p.mb.Person, item.Ref); err != nil || linked {
		return ours(err)
	}
	o, err := e.ownerOf(ctx, p, item)
	if err != nil || o.nobody {
		return err
	}
	if s.Target == store.ScanRoom && (o.booking == nil || !about(s, o.booking)) {
		return nil
	}
	f := unowned(o, p.mb.Person)
	if o.link != nil {
		got, err := p.mode.Backend.Fetch(ctx, p.mailbox, []calendar.Ref{o.link.Ref})
		if err != nil {
			return err
		}
		if len(got) == 1 && errors.Is(got[0].Err, fault.NotFound) {
			f = movedItem
		}
	}
	part.Compared++
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		f.said = saidOfItem(item)
		return e.lay(ctx, tx, store.Link{Tenant: p.mb.Tenant, Person: p.mb.Person, Booking: o.id, Ref: item.Ref}, f, part)
	})
}

// An owner is what a marked item that no link has belongs to.
type owner struct {
	nobody  bool             // it is none of ours, or was laid before a person already
	id      string           // of the booking
	booking *booking.Booking // nil: it is not known
	link    *store.Link      // the booking's own item; nil: none
}

func (e *Engine) ownerOf(ctx context.Context, p *pass, item *calendar.Item) (owner, error) {
	o := owner{id: item.ForeignKey}
	if item.Key != "" {
		l, found, err := e.Store.Link(ctx, p.mb.Tenant, item.Key)
		if err != nil {
			return o, ours(err)
		}
		if found && (l.Person != p.mb.Person || leftByMove(l)) {
			return owner{nobody: true}, nil // of another calendar, or somebody must say which it is
		}
		if found {
			o.id = l.Booking
		} else if o.id == "" {
			return owner{nobody: true}, nil // of another installation
		}
	}
	var err error
	if o.booking, _, err = e.Store.Booking(ctx, p.mb.Tenant, o.id); err != nil {
		return o, ours(err)
	}
	links, err := e.Store.LinksOfBooking(ctx, p.mb.Tenant, o.id)
	if err != nil {
		return o, ours(err)
	}
	for i, l := range links {
		switch {
		case l.Person != p.mb.Person || l.State == store.LinkDead:
		case l.Ref == "" || !l.GoneAt.IsZero() || leftByMove(l):
			return owner{nobody: true}, nil // its item is being looked for
		default:
			o.link = &links[i]
		}
	}
	known, err := e.Store.Differences(ctx, p.mb.Tenant, store.DifferenceFilter{Person: p.mb.Person, Booking: o.id})
	if err != nil {
		return o, ours(err)
	}
	for _, d := range known {
		o.nobody = o.nobody || d.Ref == item.Ref && (d.Kind == copyLeftAlone || d.Kind == unlinkedLeftAlone)
	}
	return o, nil
}

// scanUnlinked looks for bookings that should be in the calendar and are linked to nothing.
func (e *Engine) scanUnlinked(ctx context.Context, p *pass, s store.Scan, part *store.ScanPart) error {
	list, err := e.Store.UnlinkedBookings(ctx, s.Tenant, part.Person, e.now(), 0)
	if err != nil {
		return ours(err)
	}
	for _, b := range list {
		if !about(s, b) {
			continue
		}
		part.Compared++
		err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			f := neverLinked
			f.said = fmt.Appendf(nil, "version %d", b.Version)
			return e.lay(ctx, tx, store.Link{Tenant: b.Tenant, Person: b.Organizer, Booking: b.ID}, f, part)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// scanRemembered compares bookings with what their items are known to say, for a calendar in which nothing has changed.
func (e *Engine) scanRemembered(ctx context.Context, p *pass, s store.Scan, part *store.ScanPart) error {
	var links []store.Link
	seen := *part
	for seen.After = ""; ; {
		page, last, err := e.scannedLinks(ctx, s, &seen)
		if err != nil {
			return ours(err)
		}
		if links = append(links, page...); last == "" {
			break
		}
		seen.After = last
	}
	for _, l := range links {
		if l.State != store.LinkLive || len(l.Base) == 0 {
			continue
		}
		if err := e.compareRemembered(ctx, p, l, part); err != nil {
			return err
		}
	}
	return e.scanUnlinked(ctx, p, s, part)
}
