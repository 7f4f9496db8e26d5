package syncer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// The kinds of units in quarantine: what a pass would have done and did not, because it was too much at once.
const (
	CalendarDeletions    = "calendar deletions"    // items vanished: their bookings would be cancelled
	CalendarChanges      = "calendar changes"      // items were changed: their bookings would be
	BookingCancellations = "booking cancellations" // bookings were cancelled or given away: their items would be removed
)

// A QuarantineItem is one booking of a unit.
type QuarantineItem struct {
	Booking string `json:"booking"`
	Key     string `json:"key"`     // of the link
	Does    string `json:"does"`    // what would be, or was, done
	Version int64  `json:"version"` // of the booking when it was set aside
	// Before is the booking of a changed item as it was, in the form of the change feed.
	Before json.RawMessage `json:"before,omitempty"`
	// Mail and Cause are those of an item's removal.
	Mail  calendar.Mail `json:"mail,omitempty"`
	Cause string        `json:"cause,omitempty"`
	// Problem says why it could not be put back.
	Problem string `json:"problem,omitempty"`
}

// ParseQuarantine reads the items of a unit.
func ParseQuarantine(q store.Quarantine) ([]QuarantineItem, error) {
	var items []QuarantineItem
	if err := json.Unmarshal(q.Items, &items); err != nil {
		return nil, fmt.Errorf("stored unit %d of the quarantine: %w", q.ID, err)
	}
	return items, nil
}

func saveItems(items []QuarantineItem) []byte {
	data, _ := json.Marshal(items) // plain data: cannot fail
	return data
}

// unit returns the unit of a kind that waits for a word about a mailbox, which is made if there is none.
func (e *Engine) unit(ctx context.Context, tx *store.Tx, tenant, person, kind string) (store.Quarantine, error) {
	q, found, err := tx.WaitingQuarantine(ctx, tenant, person, kind)
	if err != nil || found {
		return q, err
	}
	q = store.Quarantine{Tenant: tenant, Person: person, Kind: kind, State: store.QuarantineWaiting, Items: []byte("[]"), Created: e.now()}
	q.ID, err = tx.AddQuarantine(ctx, q)
	e.Log.Warn("too much would be done at once; it waits until somebody decides", "tenant", tenant, "person", person, "kind", kind, "unit", q.ID)
	return q, err
}

// putInto adds items to a unit, in the place of those of the same links.
func putInto(ctx context.Context, tx *store.Tx, q store.Quarantine, more ...QuarantineItem) error {
	items, err := ParseQuarantine(q)
	if err != nil {
		return err
	}
	at := make(map[string]int, len(items))
	for i, it := range items {
		at[it.Key] = i
	}
	for _, it := range more {
		if i, there := at[it.Key]; there {
			items[i].Does = it.Does // what it was before is what the first one says
			continue
		}
		at[it.Key] = len(items)
		items = append(items, it)
	}
	q.Items, q.Total = saveItems(items), int64(len(items))
	return tx.SaveQuarantine(ctx, q)
}

// vanishedItems are what is held back of links whose items are gone from a mailbox in an epoch.
func vanishedItems(links []store.Link, epoch int64) []QuarantineItem {
	items := make([]QuarantineItem, len(links))
	for i, l := range links {
		items[i] = QuarantineItem{Booking: l.Booking, Key: l.Key, Does: "the booking is cancelled, because its item was deleted"}
		if metElsewhere(l, epoch) {
			items[i].Does = "the booking is cancelled, because its item is not in the calendar where the mailbox is reached now"
		}
	}
	return items
}

// holdDeletions lays the bookings of items that vanished into a unit, or closes the one that waits if none are held any more.
func (e *Engine) holdDeletions(ctx context.Context, tx *store.Tx, p *pass, missing []QuarantineItem) error {
	if len(missing) == 0 {
		q, found, err := tx.WaitingQuarantine(ctx, p.mb.Tenant, p.mb.Person, CalendarDeletions)
		if err != nil || !found {
			return err
		}
		q.State = store.QuarantineClosed
		return tx.SaveQuarantine(ctx, q)
	}
	items := slices.Clone(missing)
	for i, it := range items {
		if b, found, err := tx.Booking(ctx, p.mb.Tenant, it.Booking); err != nil {
			return err
		} else if found {
			items[i].Version = b.Version
		}
	}
	q, err := e.unit(ctx, tx, p.mb.Tenant, p.mb.Person, CalendarDeletions)
	if err != nil {
		return err
	}
	q.Items, q.Total = saveItems(items), int64(len(items))
	return tx.SaveQuarantine(ctx, q)
}

// weighChanges finds out whether a page changes too many bookings at once, together with what the pass has changed already.
// From then on the pass sets such changes aside.
func (e *Engine) weighChanges(ctx context.Context, tx *store.Tx, p *pass, page backend.Page, fetched map[calendar.Ref]*calendar.Item) error {
	limit := e.limits().MassChangeLimit
	if p.mass != 0 || p.changes+len(page.Changes) <= limit {
		return nil
	}
	n, counted := p.changes, map[string]bool{} // a page may tell of an item twice
	for _, ch := range page.Changes {
		item := ch.Item
		if item == nil {
			item = fetched[ch.Ref]
		}
		if item == nil || ch.Deleted {
			continue
		}
		l, linked, err := linkShown(ctx, tx, p, item)
		if err != nil {
			return err
		}
		if !linked || leftByMove(l) || counted[l.Key] {
			continue
		}
		if changes, err := e.changesBooking(ctx, tx, l, item); err != nil {
			return err
		} else if changes {
			counted[l.Key] = true
			n++
		}
	}
	return e.weigh(ctx, tx, p, n)
}

// weigh sets changes of bookings aside from now on if n of them are too many at once.
func (e *Engine) weigh(ctx context.Context, tx *store.Tx, p *pass, n int) error {
	if n <= e.limits().MassChangeLimit {
		return nil
	}
	total, err := tx.CountLinks(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil || float64(n) <= e.limits().MassChangeShare*float64(total) {
		return err
	}
	q, err := e.unit(ctx, tx, p.mb.Tenant, p.mb.Person, CalendarChanges)
	p.mass = q.ID
	return err
}

// linkShown returns the link whose item one is that a pull brings: by its reference, or by a marker, as after a change of the sync mode, when no
// reference means anything any more.
func linkShown(ctx context.Context, tx *store.Tx, p *pass, item *calendar.Item) (store.Link, bool, error) {
	l, linked, err := tx.LinkByRef(ctx, p.mb.Tenant, p.mb.Person, item.Ref)
	if err != nil || linked || item.Key == "" && item.ForeignKey == "" {
		return l, linked, err
	}
	key := item.Key
	if key == "" {
		links, err := tx.LinksOfBooking(ctx, p.mb.Tenant, item.ForeignKey)
		if err != nil {
			return l, false, err
		}
		for _, l := range links {
			if l.Person == p.mb.Person && metElsewhere(l, p.mb.Epoch) {
				key = l.Key
			}
		}
	}
	l, found, err := tx.Link(ctx, p.mb.Tenant, key)
	if err != nil || !found || l.Person != p.mb.Person || l.State == store.LinkDead || l.Ref != "" && l.GoneAt.IsZero() {
		return l, false, err
	}
	copied, err := doubtful(ctx, tx, l, item)
	return l, !copied, err
}

// changesBooking reports whether a link's booking would take something over from its item.
func (e *Engine) changesBooking(ctx context.Context, tx *store.Tx, l store.Link, item *calendar.Item) (bool, error) {
	if item.Event.Cancelled || untouchable(item, nil) != "" {
		return false, nil
	}
	switch own := item.Key == l.Key && knowsSent(l); {
	case strange(l) && anotherMeeting(l, item):
		return false, nil // nothing was agreed on of this one
	case strange(l) && own:
		base, err := begun(ctx, tx, l, item) // as adopt has it
		if err != nil {
			return false, err
		}
		l.Base = base
	case strange(l) && len(l.Base) == 0:
		return false, nil // nothing was agreed on: the booking prevails
	}
	l.Ref = item.Ref
	pr, err := pairUp(ctx, tx, l)
	if err != nil || pr.booking == nil || pr.booking.SyncDisabled {
		return false, err
	}
	pr.item = item
	in, err := e.input(ctx, tx, &pr)
	if err != nil {
		return false, err
	}
	return plan.Plan(in).BookingFields != 0 && !bytes.Equal(l.Held, stateOf(in)), nil
}

// setAside leaves a pair as it is until somebody decides on the unit that it goes into.
func (e *Engine) setAside(ctx context.Context, tx *store.Tx, p *pair, d plan.Decision) error {
	q, found, err := tx.Quarantine(ctx, p.link.Tenant, p.mass)
	if err != nil || !found {
		return err
	}
	before, err := e.Render(p.booking)
	if err != nil {
		return fmt.Errorf("booking %q for the quarantine: %w", p.booking.ID, err)
	}
	l := &p.link
	l.Ref, l.Revision, l.GoneAt, l.Quarantine = p.item.Ref, p.item.Revision, zeroTime, q.ID
	if l.State == store.LinkPending {
		l.State = store.LinkLive // found just now, by its key
	}
	if err := tx.PutLink(ctx, *l); err != nil {
		return err
	}
	return putInto(ctx, tx, q, QuarantineItem{
		Booking: l.Booking, Key: l.Key, Version: p.booking.Version, Before: before,
		Does: "the booking takes from the calendar: " + inWords(d.BookingFields),
	})
}

// weighRemovals sets the removals of items aside that are due, if they are too many at once, and reports whether it did.
func (e *Engine) weighRemovals(ctx context.Context, p *pass, first []store.Intent) (aside bool, err error) {
	limit := e.limits().MassDeletionLimit
	if removals(first) <= limit && len(first) < intentBatch {
		return false, nil
	}
	all, err := e.Store.Intents(ctx, p.mb.Tenant, p.mb.Person, e.now(), 0)
	if err != nil {
		return false, ours(err)
	}
	if removals(all) <= limit {
		return false, nil
	}
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		aside = false
		var items []QuarantineItem
		var links []store.Link
		for _, in := range all {
			if !removal(in) {
				continue
			}
			l, found, err := tx.Link(ctx, in.Tenant, in.Key)
			if err != nil {
				return err
			}
			now, wanted, err := tx.Intent(ctx, in.Tenant, in.Key)
			if err != nil {
				return err
			}
			if !found || !wanted || !removal(now) || l.State != store.LinkDeleting || l.Ref == "" && len(l.Sent) == 0 {
				continue
			}
			it := QuarantineItem{Booking: l.Booking, Key: l.Key, Does: "the item is removed: " + now.Cause, Mail: now.Mail, Cause: now.Cause}
			b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
			if err != nil {
				return err
			}
			if found && e.past(b) {
				continue // nothing is at stake
			}
			if found {
				it.Version = b.Version
			}
			items, links = append(items, it), append(links, l)
		}
		total, err := tx.CountLinks(ctx, p.mb.Tenant, p.mb.Person)
		if err != nil {
			return err
		}
		if len(items) <= limit || float64(len(items)) <= e.limits().MassDeletionShare*float64(int(total)+len(items)) {
			return nil
		}
		q, err := e.unit(ctx, tx, p.mb.Tenant, p.mb.Person, BookingCancellations)
		if err != nil {
			return err
		}
		for _, l := range links {
			l.Quarantine = q.ID
			if err := tx.PutLink(ctx, l); err != nil {
				return err
			}
			in, _, err := tx.Intent(ctx, l.Tenant, l.Key)
			if err != nil {
				return err
			}
			if _, err := tx.FinishIntent(ctx, l.Tenant, l.Key, in.Wanted); err != nil {
				return err
			}
		}
		aside = true
		return putInto(ctx, tx, q, items...)
	})
	return aside, err
}

// removal reports whether an intent removes an item, and nobody has said already that this is meant.
func removal(in store.Intent) bool {
	return in.Op == store.OpDelete && in.Cause != byPerson && in.Cause != approvedCause
}

func removals(list []store.Intent) (n int) {
	for _, in := range list {
		if removal(in) {
			n++
		}
	}
	return n
}

// revive makes the link of a removal that waits in quarantine the living one of a booking that stands again.
func revive(l *store.Link) {
	l.State, l.Quarantine = store.LinkLive, 0
	if l.Ref == "" {
		l.State = store.LinkPending
	}
}

// unitsState is the state of a person for whom units wait.
func (e *Engine) unitsState(units []store.Quarantine) store.PersonState {
	n := int64(0)
	for _, q := range units {
		n += q.Total
	}
	return store.PersonState{
		Status: store.StatusAttention, Kind: "quarantine", Since: e.now(),
		Reason: fmt.Sprintf("%s would be changed at once (%s); they stay as they are until somebody decides", plural(int(n), "booking", "bookings"), units[0].Kind),
		Remedy: fmt.Sprintf("look at it (roomwire sync quarantine show %d), then approve or discard it", units[0].ID),
	}
}

// cancelledAt reports whether a booking is there and cancelled at the version it had then.
func cancelledAt(b *booking.Booking, found bool, version int64) bool {
	return found && b.Status == booking.Cancelled && b.Version == version
}
