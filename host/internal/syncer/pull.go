package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A suspect is an item that bears the key of a link whose own item was last seen elsewhere.
type suspect struct {
	key  string // of the link
	item calendar.Item
}

func (e *Engine) reconcileDue(p *pass) bool {
	return p.mb.ReconcileAt.IsZero() || !p.mb.ReconcileAt.After(e.now()) || p.mb.Cursor == "" && !p.mb.RoundOpen
}

// pull reads what changed and settles every page together with its cursor.
func (e *Engine) pull(ctx context.Context, p *pass) error {
	if e.reconcileDue(p) && !p.mb.RoundOpen {
		if err := e.beginRound(ctx, p); err != nil {
			return err
		}
	}
	for attempt := 0; ; attempt++ {
		req := backend.PullRequest{Mailbox: p.mailbox, Since: calendar.Cursor(p.mb.Cursor)}
		err := p.mode.Backend.Pull(ctx, req, func(page backend.Page) error { return e.page(ctx, p, page) })
		if p.stopped != nil {
			return p.stopped // our own fault comes back from the plugin without its type
		}
		if errors.Is(err, fault.StateExpired) && attempt == 0 {
			e.Log.Info("the server no longer knows the sync state; the calendar is read in full",
				"tenant", p.mb.Tenant, "person", p.mb.Person)
			if err := e.beginRound(ctx, p); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read the changes of %s: %w", p.person.Email, err)
		}
		return nil
	}
}

// beginRound makes the next pull a full read. Items that it does not mention by its end are gone.
func (e *Engine) beginRound(ctx context.Context, p *pass) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		p.mb.Round++
		p.mb.RoundOpen, p.mb.Cursor = true, ""
		// Set now, not at the end: who wants another full read while this one is under way sets it to zero again.
		p.mb.ReconcileAt = e.now().Add(e.Limits.ReconcileInterval)
		return tx.SaveMailbox(ctx, p.mb)
	})
}

// page settles one page of changes and stores it with its cursor in one transaction.
func (e *Engine) page(ctx context.Context, p *pass, page backend.Page) error {
	fetched, err := e.unmarked(ctx, p, page)
	if err != nil {
		return err
	}
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		for _, ch := range page.Changes {
			item := ch.Item
			if item == nil && fetched[ch.Ref] != nil {
				item = fetched[ch.Ref]
			}
			if err := e.change(ctx, tx, p, ch, item); err != nil {
				return err
			}
		}
		p.mb.Cursor = string(page.Next)
		if page.Last && p.mb.RoundOpen {
			p.mb.RoundOpen = false
			if err := e.unseen(ctx, tx, p); err != nil {
				return err
			}
		}
		e.Failpoint("page:settled")
		return tx.SaveMailbox(ctx, p.mb)
	})
	if err != nil {
		p.stopped = err
		return err
	}
	p.advanced = p.advanced || len(page.Changes) > 0
	e.Failpoint("page:stored")
	return nil
}

// unmarked reads the linked items of a page that came without their content: somebody took their markers away, or
// they were adopted.
func (e *Engine) unmarked(ctx context.Context, p *pass, page backend.Page) (map[calendar.Ref]*calendar.Item, error) {
	var refs []calendar.Ref
	for _, ch := range page.Changes {
		if ch.Deleted || ch.Item != nil {
			continue
		}
		if _, linked, err := e.Store.LinkByRef(ctx, p.mb.Tenant, p.mb.Person, ch.Ref); err != nil {
			p.stopped = ours(err)
			return nil, p.stopped
		} else if linked {
			refs = append(refs, ch.Ref)
		}
	}
	if len(refs) == 0 {
		return nil, nil
	}
	got, err := p.mode.Backend.Fetch(ctx, p.mailbox, refs)
	if err != nil {
		return nil, err
	}
	items := map[calendar.Ref]*calendar.Item{}
	for i := range got {
		switch {
		case got[i].Err == nil:
			items[refs[i]] = &got[i].Item
		case errors.Is(got[i].Err, fault.NotFound): // its deletion follows
		default:
			return nil, got[i].Err
		}
	}
	return items, nil
}

// unseen marks the links whose item a complete read did not mention.
func (e *Engine) unseen(ctx context.Context, tx *store.Tx, p *pass) error {
	links, err := tx.LinksUnseen(ctx, p.mb.Tenant, p.mb.Person, p.mb.Round)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.GoneAt.IsZero() {
			l.GoneAt = e.now()
			if err := tx.PutLink(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// change settles one change of a calendar.
func (e *Engine) change(ctx context.Context, tx *store.Tx, p *pass, ch backend.Change, item *calendar.Item) error {
	link, linked, err := tx.LinkByRef(ctx, p.mb.Tenant, p.mb.Person, ch.Ref)
	if err != nil {
		return err
	}
	switch {
	case ch.Deleted && linked:
		link.GoneAt = e.now()
		return tx.PutLink(ctx, link)
	case ch.Deleted:
		return nil
	case item == nil && linked:
		return e.seen(ctx, tx, p, &link) // vanished between the two reads
	case item == nil, item.ReadOnly && !linked:
		return nil // a person's own affair, or an invitation
	case linked:
		return e.pairItem(ctx, tx, p, link, item)
	case item.Key != "":
		return e.byKey(ctx, tx, p, item)
	case item.ForeignKey != "":
		return e.byForeignKey(ctx, tx, p, item)
	}
	return nil
}

func (e *Engine) seen(ctx context.Context, tx *store.Tx, p *pass, l *store.Link) error {
	l.SeenRound, l.Epoch, l.GoneAt = p.mb.Round, p.mb.Epoch, zeroTime
	return tx.PutLink(ctx, *l)
}

// byKey finds the place of an item that bears our key and whose reference is new.
func (e *Engine) byKey(ctx context.Context, tx *store.Tx, p *pass, item *calendar.Item) error {
	l, found, err := tx.Link(ctx, p.mb.Tenant, item.Key)
	if err != nil {
		return err
	}
	switch {
	case !found, l.Person != p.mb.Person:
		return nil // of another installation, or an attendee's copy
	case l.State == store.LinkDead && l.Ref == item.Ref:
		return e.ofFormerLife(ctx, tx, p, l, item)
	case l.State == store.LinkDead:
		return e.differ(ctx, tx, &pair{link: store.Link{
			Tenant: l.Tenant, Person: l.Person, Booking: l.Booking, Ref: item.Ref,
		}}, unlinkedLeftAlone, "an item of a booking that is over, restored or copied by somebody, was left alone")
	}
	if stands, err := standsFor(ctx, tx, l, item); err != nil || !stands {
		return err
	}
	if l.Ref == "" || !l.GoneAt.IsZero() {
		return e.pairItem(ctx, tx, p, l, item)
	}
	p.suspects = append(p.suspects, suspect{key: l.Key, item: *item})
	return nil
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

// What differences are called that keep an item from being taken for its booking's.
const (
	copyLeftAlone     = "copy left alone"
	unlinkedLeftAlone = "unlinked item left alone"
)

// memoryOfItems answers what is known of items and their links; *store.Store and *store.Tx are such.
type memoryOfItems interface {
	Link(ctx context.Context, tenant, key string) (store.Link, bool, error)
	Differences(ctx context.Context, tenant string, f store.DifferenceFilter) ([]store.Difference, error)
}

// standsFor reports whether an item that bears a marker of l's booking may be taken for l's item. A copy bears the same
// markers: one that was met beside its original stays a copy, also when the original is gone. So does an item that
// bears another link's key, unless that link is over and the item was its own.
func standsFor(ctx context.Context, s memoryOfItems, l store.Link, item *calendar.Item) (bool, error) {
	if item.Key != "" && item.Key != l.Key {
		other, found, err := s.Link(ctx, l.Tenant, item.Key)
		if err != nil {
			return false, err
		}
		if found && (other.State != store.LinkDead || other.Ref != item.Ref || other.Person != l.Person) {
			return false, nil
		}
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
	for _, l := range links {
		if l.Person != p.mb.Person || l.State == store.LinkDead || l.State == store.LinkDeleting && l.GoneAt.IsZero() {
			continue
		}
		if stands, err := standsFor(ctx, tx, l, item); err != nil || !stands {
			return err
		}
		if l.Ref == "" || !l.GoneAt.IsZero() {
			return e.pairItem(ctx, tx, p, l, item)
		}
		p.suspects = append(p.suspects, suspect{key: l.Key, item: *item})
		return nil
	}
	if b.Status != booking.Confirmed || b.Organizer != p.mb.Person || b.SyncDisabled || e.past(b) {
		return nil
	}
	l := store.Link{
		Tenant: b.Tenant, Key: fmt.Sprintf("%s.%d", b.ID, len(links)+1), Booking: b.ID, Person: b.Organizer,
		Epoch: p.mb.Epoch, State: store.LinkExpected, Created: e.now(),
	}
	return e.pairItem(ctx, tx, p, l, item)
}

// pairItem settles a link with its item.
func (e *Engine) pairItem(ctx context.Context, tx *store.Tx, p *pass, l store.Link, item *calendar.Item) error {
	adopted := l.Ref == ""
	switch {
	case adopted && len(l.Sent) > 0:
		l.Base = l.Sent // made by a create whose answer was lost
	case adopted && item.Key != l.Key:
		if err := e.hush(ctx, tx, l); err != nil {
			return err
		}
	}
	l.Ref, l.Revision = item.Ref, item.Revision
	l.SeenRound, l.Epoch, l.GoneAt = p.mb.Round, p.mb.Epoch, zeroTime
	pr, err := pairUp(ctx, tx, l)
	if err != nil {
		return err
	}
	if why := untouchable(item); why != "" {
		return e.leaveAlone(ctx, tx, &pr, why)
	}
	if pr.booking != nil && pr.booking.SyncDisabled {
		return tx.PutLink(ctx, l)
	}
	if item.Event.Cancelled {
		pr.link.GoneAt = e.now()
		return tx.PutLink(ctx, pr.link)
	}
	pr.item = item
	if _, err := e.settle(ctx, tx, &pr); err != nil {
		return err
	}
	if adopted {
		return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item linked", "found in the calendar by its marker")
	}
	return nil
}

// untouchable says why an item is left alone; empty if it is not.
func untouchable(item *calendar.Item) string {
	switch {
	case item.Kind != calendar.Single || item.Event.Recurrence != "":
		return "series left alone"
	case item.ReadOnly:
		return "invitation left alone"
	}
	return ""
}

// leaveAlone keeps a pair as it is and lays it before a person.
func (e *Engine) leaveAlone(ctx context.Context, tx *store.Tx, p *pair, kind string) error {
	detail := "the item is part of a series; series are not synchronized yet, so neither side is changed"
	if kind != "series left alone" {
		detail = "the calendar's owner is not the organizer of the item, so it cannot be changed here"
	}
	if p.link.State == store.LinkPending || p.link.State == store.LinkExpected {
		p.link.State, p.link.Sent = store.LinkLive, nil
	}
	p.link.Problem = kind
	if err := tx.PutLink(ctx, p.link); err != nil {
		return err
	}
	if in, found, err := tx.Intent(ctx, p.link.Tenant, p.link.Key); err != nil {
		return err
	} else if found {
		if _, err := tx.FinishIntent(ctx, p.link.Tenant, p.link.Key, in.Wanted); err != nil {
			return err
		}
	}
	return e.differ(ctx, tx, p, kind, detail)
}

// inspect finds out whether a suspect is a link's item under a new reference, or a copy that somebody made.
func (e *Engine) inspect(ctx context.Context, p *pass) error {
	for _, s := range p.suspects {
		l, found, err := e.Store.Link(ctx, p.mb.Tenant, s.key)
		if err != nil {
			return ours(err)
		}
		if !found || l.Ref == s.item.Ref {
			continue
		}
		got, err := p.mode.Backend.Fetch(ctx, p.mailbox, []calendar.Ref{l.Ref})
		if err != nil {
			return err
		}
		moved := len(got) == 1 && errors.Is(got[0].Err, fault.NotFound)
		if len(got) == 1 && got[0].Err != nil && !moved {
			return got[0].Err
		}
		err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			l, found, err := tx.Link(ctx, p.mb.Tenant, s.key)
			if err != nil || !found || l.State == store.LinkDead {
				return err
			}
			if moved {
				return e.pairItem(ctx, tx, p, l, &s.item)
			}
			detail := "somebody copied the booking's item: the copy carries its marker and was left alone"
			if s.item.Key == "" {
				detail = "the calendar holds a second item that bears the booking's id; the booking has its item, so this one was left alone"
			}
			return e.differ(ctx, tx, &pair{link: store.Link{Tenant: l.Tenant, Person: l.Person, Booking: l.Booking, Ref: s.item.Ref}},
				copyLeftAlone, detail)
		})
		if err != nil {
			return err
		}
	}
	p.suspects = nil
	return nil
}

// conflictBehaviour is the person's, or the default.
func conflictBehaviour(p store.PersonRow) directory.ConflictBehaviour {
	if p.ConflictBehaviour == "" {
		return directory.Rollback
	}
	return p.ConflictBehaviour
}
