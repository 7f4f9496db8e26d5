package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A room's calendar holds copies of meetings, and what somebody wrote into it. Every item is recorded with the page that
// told of it (store.RoomItem), and settled after the pull: it is the copy of a meeting that is booked, or becomes a booking,
// or collides with one. The organizer's own item, where it can be read, says what a meeting is; the copy of it says only
// what the room answered, because the policy of a room may take title, text and class away from it.

const (
	roomItemsAtOnce = 50   // are read again at once, where their content is no longer at hand
	roomItemsKept   = 5000 // of a pull are kept in memory
	// roomSwapWait is how long a meeting of somebody else that left a room is waited for in another one.
	roomSwapWait = time.Minute
	// waitsUnnoticed is how often an organizer's calendar may be found unreadable before a person is told.
	waitsUnnoticed = 4
)

// roomWaits is what a difference is called when a meeting cannot be booked, or nobody knows why it is gone, before its organizer's
// calendar is readable.
const roomWaits = "meeting waits"

// roomPage records one page of changes of a room's calendar and its cursor in one transaction.
func (e *Engine) roomPage(ctx context.Context, p *pass, page backend.Page) error {
	err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		for _, ch := range page.Changes {
			if err := e.roomChange(ctx, tx, p, ch); err != nil {
				return err
			}
		}
		p.mb.Cursor = string(page.Next)
		if page.Last && p.mb.RoundOpen {
			p.mb.RoundOpen = false
			unseen, err := tx.RoomItemsUnseen(ctx, p.mb.Tenant, p.mb.Person, p.mb.Round)
			if err != nil {
				return err
			}
			for _, r := range unseen {
				if e.foundGone(&r) {
					if err := tx.PutRoomItem(ctx, r); err != nil {
						return err
					}
				}
			}
		}
		e.Failpoint("room:page-settled")
		return tx.SaveMailbox(ctx, p.mb)
	})
	if err != nil {
		p.stopped = err
		return err
	}
	if p.items == nil {
		p.items = map[calendar.Ref]*calendar.Item{}
	}
	for _, ch := range page.Changes {
		if delete(p.items, ch.Ref); ch.Item != nil && len(p.items) < roomItemsKept {
			p.items[ch.Ref] = ch.Item
		}
	}
	p.advanced = p.advanced || len(page.Changes) > 0
	e.Failpoint("room:page-stored")
	return nil
}

func (e *Engine) roomChange(ctx context.Context, tx *store.Tx, p *pass, ch backend.Change) error {
	r, known, err := tx.RoomItem(ctx, p.mb.Tenant, p.mb.Person, ch.Ref)
	if err != nil {
		return err
	}
	switch {
	case ch.Deleted && !known:
		return nil
	case ch.Deleted:
		e.foundGone(&r)
		return tx.PutRoomItem(ctx, r)
	case !known && ch.Item != nil && e.itemPast(ch.Item):
		return nil // what took place before anybody synced the room concerns nobody
	case !known:
		r = store.RoomItem{Tenant: p.mb.Tenant, Room: p.mb.Person, Ref: ch.Ref, Created: e.now()}
	}
	if !r.GoneAt.IsZero() {
		if err := e.closeRoomDifferences(ctx, tx, r, roomWaits); err != nil {
			return err
		}
	}
	if ch.Item != nil {
		r.UID = ch.Item.Event.UID
	}
	r.Epoch, r.SeenRound, r.GoneAt, r.Due, r.Tries = p.mb.Epoch, p.mb.Round, zeroTime, e.now(), 0
	return tx.PutRoomItem(ctx, r)
}

// foundGone notes that an item was found gone, if that is news. How often it was waited for is counted from then on.
func (e *Engine) foundGone(r *store.RoomItem) bool {
	if !r.GoneAt.IsZero() {
		return false
	}
	r.GoneAt, r.Tries = e.now(), 0
	return true
}

// itemPast reports whether an item is over, with all of its occurrences.
func (e *Engine) itemPast(it *calendar.Item) bool {
	ev := &it.Event
	if it.Kind != calendar.Single && ev.Recurrence == "" {
		return false
	}
	for _, x := range ev.Exceptions {
		if x.Event != nil && !e.endsBy(&plan.Fields{Start: x.Event.Start, End: x.Event.End, AllDay: x.Event.AllDay, Zone: ev.Zone}) {
			return false // it was moved behind the end of the rule
		}
	}
	return e.endsBy(&plan.Fields{Start: ev.Start, End: ev.End, AllDay: ev.AllDay, Zone: ev.Zone, Recurrence: ev.Recurrence})
}

// room does what a pass over a room's calendar has to do after the pull.
func (e *Engine) room(ctx context.Context, p *pass) error {
	if err := e.settleRoom(ctx, p); err != nil {
		return err
	}
	held, err := e.roomGone(ctx, p)
	if err != nil {
		return err
	}
	if err := e.settleRoom(ctx, p); err != nil { // what was found to be still there
		return err
	}
	if held {
		return errStopped
	}
	return nil
}

// settleRoom settles the items that are due.
func (e *Engine) settleRoom(ctx context.Context, p *pass) error {
	for {
		rows, err := e.Store.RoomItemsDue(ctx, p.mb.Tenant, p.mb.Person, e.now(), roomItemsAtOnce)
		if err != nil {
			return ours(err)
		}
		if len(rows) == 0 {
			return nil
		}
		items, err := e.roomItems(ctx, p, rows)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := e.settleRoomItem(ctx, p, r, items[r.Ref]); err != nil {
				return err
			}
			p.advanced = true
		}
	}
}

// roomItems returns what the items say, read again where the pull is over and forgotten. One that is not there is left out.
func (e *Engine) roomItems(ctx context.Context, p *pass, rows []store.RoomItem) (map[calendar.Ref]*calendar.Item, error) {
	items := map[calendar.Ref]*calendar.Item{}
	var refs []calendar.Ref
	for _, r := range rows {
		if it := p.items[r.Ref]; it != nil {
			items[r.Ref] = it
			delete(p.items, r.Ref) // looked at again, it is read again
		} else if r.Epoch == p.mb.Epoch {
			refs = append(refs, r.Ref)
		}
	}
	if len(refs) == 0 {
		return items, nil
	}
	got, err := p.mode.Backend.Fetch(ctx, p.mailbox, refs)
	if err != nil {
		return nil, err
	}
	if len(got) != len(refs) {
		return nil, fmt.Errorf("the backend answered %d items for %d: %w", len(got), len(refs), fault.Internal)
	}
	for i := range got {
		switch {
		case got[i].Err == nil:
			items[refs[i]] = &got[i].Item
		case !errors.Is(got[i].Err, fault.NotFound):
			return nil, got[i].Err
		}
	}
	return items, nil
}

// settleRoomItem settles one item; nil stands for one that is not there (any more). Afterwards it is due no more, or later.
func (e *Engine) settleRoomItem(ctx context.Context, p *pass, r store.RoomItem, item *calendar.Item) error {
	if isPlaceholder(r) { // the room was freed: the organizer's item may bring it in
		return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			now, found, err := tx.RoomItem(ctx, r.Tenant, r.Room, r.Ref)
			if err != nil || !found { // the room's copy, settled in this pass, has taken its place
				return err
			}
			return e.freePlaceholder(ctx, tx, now)
		})
	}
	if item == nil || item.Event.Cancelled {
		return e.withRoomItem(ctx, p, r, func(_ context.Context, _ *store.Tx, r *store.RoomItem) error {
			r.Due = zeroTime
			e.foundGone(r)
			return nil
		})
	}
	m, err := e.meeting(ctx, p, item)
	if err != nil {
		return err
	}
	if m.wait != "" {
		e.Log.Debug("a meeting in a room's calendar waits for its organizer's calendar", "tenant", p.mb.Tenant, "room", p.mb.Person, "why", m.wait)
		return e.withRoomItem(ctx, p, r, func(ctx context.Context, tx *store.Tx, r *store.RoomItem) error {
			r.Tries++
			r.Due = e.now().Add(min(e.limits().RetryBase<<min(r.Tries-1, 6), time.Hour))
			if r.Tries != waitsUnnoticed {
				return nil
			}
			return e.differInRoom(ctx, tx, *r, roomDifference{roomWaits, "", fmt.Sprintf(
				"the meeting is not booked yet: the calendar of its organizer %s, which tells whether it is booked already, cannot be read: %s", m.organizer.ID, m.wait)})
		})
	}
	var after store.RoomItem
	err = e.withRoomItem(ctx, p, r, func(ctx context.Context, tx *store.Tx, r *store.RoomItem) error {
		s := roomSettling{engine: e, tx: tx, pass: p, row: r, meeting: m, tries: r.Tries}
		was := r.Role
		r.UID, r.Due, r.Tries = item.Event.UID, zeroTime, 0
		err := s.settle(ctx)
		if was == store.RoomDeclining && r.Role == was { // it was tried before
			r.Tries = s.tries
		}
		after = *r
		return err
	})
	if err != nil {
		return err
	}
	e.Failpoint("room:settled")
	if after.Role == store.RoomDeclining {
		return e.decline(ctx, p, after)
	}
	for _, o := range after.Occurrences {
		if o.Role == store.RoomDeclining && o.Tries < declineTries {
			if err := e.declineOccurrence(ctx, p, after, o.Occurrence); err != nil {
				return err
			}
		}
	}
	return nil
}

// withRoomItem runs f on an item as it is recorded now, within one transaction, and records what f makes of it.
func (e *Engine) withRoomItem(ctx context.Context, p *pass, r store.RoomItem, f func(context.Context, *store.Tx, *store.RoomItem) error) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		now, found, err := tx.RoomItem(ctx, r.Tenant, r.Room, r.Ref)
		if err != nil || !found {
			return err
		}
		if err := f(ctx, tx, &now); err != nil {
			return err
		}
		return tx.PutRoomItem(ctx, now)
	})
}
