package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// What differences are called that keep an item from being taken for its booking's.
const (
	copyLeftAlone     = "copy left alone"
	unlinkedLeftAlone = "unlinked item left alone"
)

// A suspect is an item that bears a marker of a link whose own item was last seen elsewhere, or was not found by a move.
type suspect struct {
	key  string // of the link
	item calendar.Item
}

// byKey finds the place of an item that bears our key and whose reference is new.
func (e *Engine) byKey(ctx context.Context, tx *store.Tx, p *pass, item *calendar.Item) error {
	l, found, err := tx.Link(ctx, p.mb.Tenant, item.Key)
	if err != nil {
		return err
	}
	switch {
	case !found:
		return nil // of another installation
	case l.Person != p.mb.Person:
		return e.byGone(ctx, tx, p, l, item)
	case l.State == store.LinkUnclear:
		return nil // somebody must say which of several it is
	case l.State == store.LinkDead && l.Ref == item.Ref:
		return e.ofFormerLife(ctx, tx, p, l, item)
	case l.State == store.LinkDead && l.Ref == "" && len(l.Sent) > 0:
		return e.turnsUpLate(ctx, tx, l, item)
	case l.State == store.LinkDead && l.Ref != "" && (l.Epoch != p.mb.Epoch || len(l.Sent) > 0):
		return nil // let go: by what reference it is known in this mode was never asked
	case l.State == store.LinkDead:
		return e.listUnlinked(ctx, tx, l, item)
	}
	return e.bearing(ctx, tx, p, l, item)
}

// turnsUpLate settles an item whose link ended when nobody knew whether it is there. That of a booking which was called off because the item was
// not found where the mailbox was reached meanwhile is laid before a person.
func (e *Engine) turnsUpLate(ctx context.Context, tx *store.Tx, l store.Link, item *calendar.Item) error {
	b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
	if err != nil || !found || b.Status == booking.Confirmed || b.SyncOff || l.Orphan != store.OrphanNot && !l.Orphan.Elsewhere() || e.past(b) || e.itemPast(item) {
		return err
	}
	return e.listUnlinked(ctx, tx, l, item)
}

// bearing settles an item that bears a marker of a link and whose reference is new: it is the link's item if that is nowhere, and
// to be inspected if it may be a copy.
func (e *Engine) bearing(ctx context.Context, tx *store.Tx, p *pass, l store.Link, item *calendar.Item) error {
	if item.Event.Cancelled && l.State != store.LinkDeleting {
		return nil // called off: it stands for nothing, and is not in the way of what does
	}
	if copyOfWhatGoes(l, item) {
		return e.listUnlinked(ctx, tx, l, item)
	}
	nowhere := l.Ref == "" || !l.GoneAt.IsZero()
	doubted, err := doubtful(ctx, tx, l, item)
	if err != nil {
		return err
	}
	if l.State == store.LinkLive && (!nowhere || doubted) {
		if err := e.met(ctx, tx, l, item); err != nil {
			return err
		}
	}
	if stands, err := standsFor(ctx, tx, l, item); err != nil || !stands {
		return err
	}
	if l.State != store.LinkLost && nowhere && !doubted {
		return e.pairItem(ctx, tx, p, l, item)
	}
	p.suspects = append(p.suspects, suspect{key: l.Key, item: *item})
	return nil
}

// copyOfWhatGoes reports whether an item that bears a marker of a link whose item is to be removed has another UID than that one: then it is a
// copy that somebody made, for an item that was moved keeps its UID. It is not ours to delete, least of all with a cancellation.
func copyOfWhatGoes(l store.Link, item *calendar.Item) bool {
	return l.State == store.LinkDeleting && l.UID != "" && item.Event.UID != "" && l.UID != item.Event.UID
}

// listUnlinked lays before a person that an item, which bears the marker of l's booking, stands for nothing and was left alone. Who has
// ignored that is not asked again while the item stays as it is.
func (e *Engine) listUnlinked(ctx context.Context, tx *store.Tx, l store.Link, item *calendar.Item) error {
	advice := advised[unlinkedLeftAlone]
	return tx.AddDifference(ctx, store.Difference{
		Tenant: l.Tenant, Person: l.Person, Booking: l.Booking, At: e.now(), Kind: unlinkedLeftAlone, Ref: item.Ref,
		Detail: "an item of a booking that is over, restored, moved or copied by somebody, was left alone",
		Newer:  store.SideUnknown, Recommend: advice.side, Why: advice.why, Said: saidOfItem(item),
	})
}

// doubtful reports whether an item that bears a link's marker looks like a copy, or like the rest of a series that was split, so
// that the link's own item is waited for until all that there is has been read: an item that was moved or restored keeps its UID,
// and where none is known yet a series begins when its booking does.
func doubtful(ctx context.Context, s memoryOfBookings, l store.Link, item *calendar.Item) (bool, error) {
	if l.UID != "" && item.Event.UID != "" {
		return l.UID != item.Event.UID, nil
	}
	if l.Ref != "" || item.Event.Recurrence == "" {
		return false, nil
	}
	b, found, err := s.Booking(ctx, l.Tenant, l.Booking)
	return err == nil && found && item.Event.Start.After(b.Start), err
}

// ofFormerLife settles an item whose link ended while the item stayed: its booking was cancelled by a conflict, or its
// person left. If the booking is linked to this calendar anew, it stands for it again.
func (e *Engine) ofFormerLife(ctx context.Context, tx *store.Tx, p *pass, dead store.Link, item *calendar.Item) error {
	links, err := tx.LinksOfBooking(ctx, dead.Tenant, dead.Booking)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.Person == p.mb.Person && l.Ref == "" && (l.State == store.LinkPending || l.State == store.LinkExpected) {
			return e.pairItem(ctx, tx, p, l, item)
		}
	}
	return nil
}

// memoryOfItems answers what is known of items and their links; *store.Store and *store.Tx are such.
type memoryOfItems interface {
	Link(ctx context.Context, tenant, key string) (store.Link, bool, error)
	LinkByRef(ctx context.Context, tenant, person string, ref calendar.Ref) (store.Link, bool, error)
	Differences(ctx context.Context, tenant string, f store.DifferenceFilter) ([]store.Difference, error)
}

// standsFor reports whether an item that bears a marker of l's booking may be taken for l's item. A copy bears the same
// markers: one that was met beside its original stays a copy, also when the original is gone. So does an item that
// bears another link's key, unless that link is over and the item was its own.
func standsFor(ctx context.Context, s memoryOfItems, l store.Link, item *calendar.Item) (bool, error) {
	if copyOfWhatGoes(l, item) {
		return false, nil
	}
	if item.Key != "" && item.Key != l.Key {
		other, found, err := s.Link(ctx, l.Tenant, item.Key)
		if err != nil {
			return false, err
		}
		if found && (other.State != store.LinkDead || other.Ref != item.Ref || other.Person != l.Person) {
			return false, nil
		}
	}
	if other, found, err := s.LinkByRef(ctx, l.Tenant, l.Person, item.Ref); err != nil || found && other.Key != l.Key {
		return false, err // another link's item, which is to go perhaps
	}
	met, err := s.Differences(ctx, l.Tenant, store.DifferenceFilter{
		Person: l.Person, Booking: l.Booking, Kind: copyLeftAlone, IncludeClosed: true,
	})
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(met, func(d store.Difference) bool { return d.Ref == item.Ref }), nil
}

// byForeignKey is process C: an item made in the calendar bears the id of its booking.
func (e *Engine) byForeignKey(ctx context.Context, tx *store.Tx, p *pass, item *calendar.Item) error {
	b, found, err := tx.Booking(ctx, p.mb.Tenant, item.ForeignKey)
	if err != nil || !found {
		return err // the booking may come later: it looks for its item before it makes one
	}
	links, err := tx.LinksOfBooking(ctx, p.mb.Tenant, b.ID)
	if err != nil {
		return err
	}
	here := b.Status == booking.Confirmed && b.Organizer == p.mb.Person
	over := false // the booking is, and its item is to go, but that is known as another one
	for _, l := range links {
		if l.Person != p.mb.Person || l.State == store.LinkDead {
			continue
		}
		if l.State == store.LinkUnclear {
			return nil // somebody must say which of several it is
		}
		if l.State == store.LinkDeleting && (here || l.GoneAt.IsZero()) {
			over = !here && l.Ref != "" && l.Ref != item.Ref
			continue // an item is taken for one that is to go only if it can be nothing else
		}
		return e.bearing(ctx, tx, p, l, item)
	}
	if over {
		l := store.Link{Tenant: p.mb.Tenant, Person: p.mb.Person, Booking: b.ID}
		return e.listUnlinked(ctx, tx, l, item)
	}
	if b.Status == booking.Confirmed && !here && !slices.ContainsFunc(links, func(l store.Link) bool { return l.Person == p.mb.Person }) {
		return e.listStray(ctx, tx, p, stray{b, item})
	}
	if !here || b.SyncDisabled || b.SyncOff || e.past(b) {
		return nil
	}
	l := store.Link{
		Tenant: b.Tenant, Key: fmt.Sprintf("%s.%d", b.ID, len(links)+1), Booking: b.ID, Person: b.Organizer,
		Epoch: p.mb.Epoch, State: store.LinkExpected, Created: e.now(),
	}
	if stands, err := standsFor(ctx, tx, l, item); err != nil || !stands {
		return err
	}
	return e.pairItem(ctx, tx, p, l, item)
}

// inspect finds out whether a suspect is a link's item under a new reference, or a copy that somebody made.
func (e *Engine) inspect(ctx context.Context, p *pass) error {
	if err := e.splits(ctx, p); err != nil {
		return err
	}
	for _, s := range p.suspects {
		if err := e.inspectOne(ctx, p, s); err != nil {
			return err
		}
	}
	p.suspects = nil
	return nil
}

func (e *Engine) inspectOne(ctx context.Context, p *pass, s suspect) error {
	l, found, err := e.Store.Link(ctx, p.mb.Tenant, s.key)
	if err != nil {
		return ours(err)
	}
	if !found || l.Ref == s.item.Ref {
		return nil
	}
	if leftByMove(l) {
		if l.State == store.LinkUnclear {
			return nil
		}
		return e.turnedUp(ctx, p, l)
	}
	nowhere, err := e.nowhere(ctx, p, l)
	if err != nil {
		return err
	}
	if nowhere {
		if own, err := e.likelier(ctx, p, l, &s.item); err != nil {
			return err
		} else if own != nil {
			if err := e.restore(ctx, p, l, own); err != nil {
				return err
			}
			nowhere = false
		}
	}
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		l, found, err := tx.Link(ctx, p.mb.Tenant, s.key)
		if err != nil || !found || l.State == store.LinkDead {
			return err
		}
		if stands, err := standsFor(ctx, tx, l, &s.item); err != nil || !stands {
			return err // settled since: it became a booking of its own, or it was told that it cannot
		}
		if nowhere {
			return e.pairItem(ctx, tx, p, l, &s.item)
		}
		return e.listCopy(ctx, tx, l, &s.item)
	})
}

// nowhere reports whether the item of a link is not where it was last seen, or never was seen.
func (e *Engine) nowhere(ctx context.Context, p *pass, l store.Link) (bool, error) {
	if l.Ref == "" {
		return true, nil
	}
	got, err := p.mode.Backend.Fetch(ctx, p.mailbox, []calendar.Ref{l.Ref})
	if err != nil {
		return false, err
	}
	gone := len(got) == 1 && errors.Is(got[0].Err, fault.NotFound)
	if len(got) == 1 && got[0].Err != nil && !gone {
		return false, got[0].Err
	}
	return gone, nil
}

// likelier returns the item that is more likely a link's own than item, which looks like a copy; nil if there is none.
func (e *Engine) likelier(ctx context.Context, p *pass, l store.Link, item *calendar.Item) (*calendar.Item, error) {
	doubted, err := doubtful(ctx, e.Store, l, item)
	if err != nil {
		return nil, ours(err)
	}
	if !doubted {
		return nil, nil
	}
	by := backend.OurKey
	if item.Key == "" {
		by = backend.ForeignKey
	}
	own, err := e.find(ctx, p, l, by)
	if err != nil || own == nil || own.Ref == item.Ref {
		return nil, err
	}
	return own, nil
}

// listCopy lays before a person that an item bears the marker of a link that has its own.
func (e *Engine) listCopy(ctx context.Context, tx *store.Tx, l store.Link, item *calendar.Item) error {
	detail := "somebody copied the booking's item: the copy carries its marker and was left alone"
	if item.Key == "" {
		detail = "the calendar holds a second item that bears the booking's id; the booking has its item, so this one was left alone"
	}
	if b, found, err := tx.Booking(ctx, l.Tenant, l.Booking); err != nil {
		return err
	} else if found && restOf(b, item) {
		detail = fmt.Sprintf("the series was split in the calendar (\"this and following\"): what follows from %s on is an item of its own, which bears the "+
			"first one's marker and was left alone. No room is held for it: make a booking of it, and delete this item once that has its own",
			item.Event.Start.Format(time.DateOnly))
	}
	return e.differ(ctx, tx, &pair{link: store.Link{Tenant: l.Tenant, Person: l.Person, Booking: l.Booking, Ref: item.Ref}},
		copyLeftAlone, detail)
}

// restOf reports whether an item is what follows in a series that was shortened to b.
func restOf(b *booking.Booking, item *calendar.Item) bool {
	if !b.Series() || item.Event.Recurrence == "" || !item.Event.Start.After(b.Start) {
		return false
	}
	for range booking.OccurrencesFrom(b, item.Event.Start.Truncate(24*time.Hour), time.Time{}) {
		return false
	}
	return true
}
