package syncer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// intentBatch is how many intents are read at once.
const intentBatch = 100

// conflictTries is how often a write is planned anew because the item changed under it.
const conflictTries = 3

// errStale asks for another look: what was planned on has changed.
var errStale = errors.New("the pair changed meanwhile")

// carryAll carries the mailbox's due intents out. A fault of one item defers that item; a fault of the mailbox ends
// the pass.
func (e *Engine) carryAll(ctx context.Context, p *pass) error {
	for weighed := false; ; {
		intents, err := e.Store.Intents(ctx, p.mb.Tenant, p.mb.Person, e.now(), intentBatch)
		if err != nil {
			return ours(err)
		}
		if !weighed {
			weighed = true
			if aside, err := e.weighRemovals(ctx, p, intents); err != nil {
				return err
			} else if aside {
				continue
			}
		}
		// What failed before may be what the server cannot stand: the others are not to wait for it.
		slices.SortStableFunc(intents, func(a, b store.Intent) int { return cmp.Compare(a.Failures, b.Failures) })
		for _, in := range intents {
			err := e.carry(ctx, p, in)
			if err == nil {
				continue
			}
			if errors.Is(err, errStale) {
				err = fmt.Errorf("the item keeps changing while it is written to: %w", fault.Conflict)
			}
			if _, our := errors.AsType[storeError](err); our {
				return err
			}
			if mailboxWide(err) {
				return e.blame(ctx, p, in, err)
			}
			if err := e.postpone(ctx, p, in, err); err != nil {
				return err
			}
		}
		if len(intents) < intentBatch {
			return nil
		}
	}
}

// carry carries one intent out. It plans on what both sides say now, not on what they said when the intent was
// recorded, and does so anew when the item changes under it.
func (e *Engine) carry(ctx context.Context, p *pass, in store.Intent) error {
	for try := 0; ; try++ {
		err := e.attempt(ctx, p, in)
		if (errors.Is(err, fault.Conflict) || errors.Is(err, errStale)) && try < conflictTries {
			continue
		}
		return err
	}
}

// A step is what attempt has to do outside a transaction.
type step struct {
	verdict
	link    store.Link
	intent  store.Intent
	pair    pair
	event   calendar.Event
	writes  calendar.Fields // of an update: what is sent of event, which may be more than differs
	settled bool            // nothing is left to do
	// surelyNew: it is known that the calendar holds no item for the link. first: so its key has never been sent.
	surelyNew, first bool
	// apart: only what nobody is to be told of is written, and the rest of what differs after that.
	apart bool
	over  bool // what it is about is over: nobody is told of it
	// Of a silent write: roomsLack, the item is made without its rooms and gets them after that; rooms, who is told of a change
	// all the same; former, what may keep a room from being one of these.
	roomsLack bool
	rooms     []string
	former    []formerCopy
}

func (e *Engine) attempt(ctx context.Context, p *pass, in store.Intent) error {
	l, found, err := e.Store.Link(ctx, in.Tenant, in.Key)
	if err != nil {
		return ours(err)
	}
	if !found {
		return e.drop(ctx, p, in)
	}
	if l.State == store.LinkUnclear {
		return e.putOff(ctx, p, in)
	}
	if l.State == store.LinkLost {
		return e.carryLost(ctx, p, in, l)
	}
	surelyNew, err := e.surelyNew(ctx, p, l)
	if err != nil {
		return ours(err)
	}
	var item *calendar.Item
	if !surelyNew {
		if item, err = e.current(ctx, p, l); errors.Is(err, errSeveral) {
			if err := e.cannotTell(ctx, p, l); err != nil {
				return err
			}
			return errStale
		} else if err != nil {
			return err
		}
	}
	if item != nil && item.Event.Cancelled && l.State != store.LinkDeleting {
		item = nil // called off in the calendar: it stands for nothing any more
	}
	e.learnGroups(ctx, p, item)
	if l, item, err = e.remark(ctx, p, l, item); err != nil {
		return err
	}
	if in.Op == store.OpMark {
		return e.drop(ctx, p, in) // a change that was asked for since is another intent
	}
	s, err := e.prepare(ctx, p, in, seen{link: l, item: item, surelyNew: surelyNew})
	if err != nil || s.settled {
		return err
	}
	if waits, err := e.sparesHolders(ctx, p, &s); err != nil || waits {
		return err
	}
	switch {
	case s.CreateItem:
		err = e.createItem(ctx, p, s)
	case s.DeleteItem:
		err = e.deleteItem(ctx, p, s)
	case s.apart:
		return e.updateApart(ctx, p, s)
	default:
		err = e.updateItem(ctx, p, s)
	}
	return e.unlessItMails(ctx, p, s, err)
}

// current reads the item of a link as it is now; nil if there is none. An item whose reference is unknown or no
// longer good is looked for by its markers, and one whose reference is unknown by its UID, too: not every item bears markers.
func (e *Engine) current(ctx context.Context, p *pass, l store.Link) (*calendar.Item, error) {
	if l.Ref != "" {
		got, err := p.mode.Backend.Fetch(ctx, p.mailbox, []calendar.Ref{l.Ref})
		if err != nil {
			return nil, err
		}
		if len(got) != 1 {
			return nil, fmt.Errorf("the backend answered %d items for one: %w", len(got), fault.Internal)
		}
		if got[0].Err == nil {
			return &got[0].Item, nil
		}
		if !errors.Is(got[0].Err, fault.NotFound) {
			return nil, got[0].Err
		}
		if l.State == store.LinkDeleting {
			return nil, nil // what bears its key elsewhere is a copy that somebody made: not ours to delete
		}
	}
	item, err := e.find(ctx, p, l, backend.OurKey)
	if err != nil || item != nil || l.State == store.LinkLive && l.Ref != "" {
		return item, err
	}
	if l.State == store.LinkDeleting {
		// It may have been made by the add-in and lie elsewhere by now.
		if stands, err := standsHere(ctx, e.Store, l); err != nil || stands {
			return nil, ours(err)
		}
	}
	item, err = e.find(ctx, p, l, backend.ForeignKey)
	if err != nil || item != nil || l.Ref != "" {
		return item, err
	}
	return e.byUID(ctx, p, l)
}

// standsHere reports whether the booking of a link whose item is to go stands in the same calendar, so that it is not known
// whose an item is that bears the booking's id.
func standsHere(ctx context.Context, s memoryOfBookings, l store.Link) (bool, error) {
	b, found, err := s.Booking(ctx, l.Tenant, l.Booking)
	return err == nil && (!found || b.Status == booking.Confirmed && b.Organizer == l.Person), err
}

// memoryOfBookings answers what is known of bookings; *store.Store and *store.Tx are such.
type memoryOfBookings interface {
	Booking(ctx context.Context, tenant, id string) (*booking.Booking, bool, error)
}

// seen is what a decision rests on: a link, and its item as it is in the calendar; nil if there is none.
type seen struct {
	link      store.Link
	item      *calendar.Item
	surelyNew bool
}

// prepare decides on the pair within one transaction and stores what the decision means for the booking.
func (e *Engine) prepare(ctx context.Context, p *pass, in store.Intent, was seen) (step, error) {
	var s step
	item := was.item
	err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		s = step{surelyNew: was.surelyNew}
		l, found, err := tx.Link(ctx, in.Tenant, in.Key)
		if err != nil {
			return err
		}
		if !found || l.State == store.LinkDead {
			s.settled = true
			return e.dropTx(ctx, tx, in)
		}
		if l.Ref != was.link.Ref || l.State != was.link.State {
			return errStale
		}
		if l.State == store.LinkDeleting && l.Ref == "" && item != nil && item.Key != l.Key {
			if stands, err := standsHere(ctx, tx, l); err != nil {
				return err
			} else if stands {
				return errStale // booked anew while the item was looked for
			}
		}
		if strange(l) && item != nil {
			if err := e.adopt(ctx, tx, &l, item); err != nil {
				return err
			}
			l.Ref, l.Revision = item.Ref, item.Revision // known from here on: of a series, what was sent may be half written
		}
		pr, err := pairUp(ctx, tx, l)
		if err != nil {
			return err
		}
		if pr.person.Shadow {
			return errStopped // since the pass began: nothing more is written
		}
		pr.item, pr.carrying, pr.mode = item, true, p.mode.Name
		if s.settled, err = e.standStill(ctx, tx, &pr, in); err != nil || s.settled {
			return err
		}
		latest, found, err := tx.Intent(ctx, in.Tenant, in.Key)
		if err != nil || !found {
			s.settled = true
			return err
		}
		pr.reset, pr.meant = latest.Op == store.OpReset, latest.Cause == byPerson
		if item == nil {
			pr.link.Ref, pr.link.Revision = "", ""
		}
		if s.settled, err = e.endHeld(ctx, tx, &pr, latest); err != nil || s.settled {
			return err
		}
		if vanished, err := e.vanished(ctx, tx, &pr, in); err != nil || vanished {
			s.settled = true
			return err
		}
		if pr.booking != nil && pr.booking.Series() && item == nil && backend.AbilitiesOf(p.mode.Backend).Omits.Any(calendar.FieldRecurrence) {
			s.settled = true
			return e.leaveAlone(ctx, tx, &pr, seriesLeftAlone, nil)
		}
		v, err := e.settle(ctx, tx, &pr)
		if err != nil {
			return err
		}
		s.verdict, s.pair, s.link = v, pr, pr.link
		if s.intent, found, err = tx.Intent(ctx, in.Tenant, in.Key); err != nil || !found {
			s.settled = true // ended with its link
			return err
		}
		if v.rebuffed {
			return nil
		}
		if err := e.hush(ctx, tx, &s); err != nil {
			return err
		}
		if s.over && v.CreateItem && !recordedLate(pr.booking) {
			s.settled = true
			return e.leaveUnmade(ctx, tx, &s.link)
		}
		s.setApart(p)
		if v.CreateItem && !s.over {
			s.roomsLater(p.mode)
		}
		return e.arm(ctx, tx, &s)
	})
	if errors.Is(err, errStale) || err == nil && s.rebuffed && !s.settled {
		return s, errStale // now as a reset
	}
	return s, err
}

// vanished hands a pair whose item is gone though nobody meant it over to gone, where deletions are counted.
func (e *Engine) vanished(ctx context.Context, tx *store.Tx, pr *pair, in store.Intent) (bool, error) {
	if pr.item != nil || pr.reset {
		return false, nil
	}
	l, _, err := tx.Link(ctx, in.Tenant, in.Key)
	if err != nil {
		return false, err
	}
	if l.Ref != "" && l.GoneAt.IsZero() {
		// Moved, perhaps: the next pull tells where to. The intent waits for what is found out.
		l.GoneAt = e.now()
		if err := tx.PutLink(ctx, l); err != nil {
			return false, err
		}
		if err := tx.DeferIntent(ctx, in.Tenant, in.Key, e.now().Add(time.Second), in.Failures); err != nil {
			return false, err
		}
		return true, tx.MarkDirty(ctx, in.Tenant, in.Person, zeroTime)
	}
	if pr.booking == nil {
		return false, nil
	}
	given, err := e.input(ctx, tx, pr)
	if err != nil || !plan.Plan(given).CancelBooking {
		return false, err
	}
	l.GoneAt = e.now()
	if err := tx.PutLink(ctx, l); err != nil {
		return false, err
	}
	if err := tx.MarkDirty(ctx, in.Tenant, in.Person, zeroTime); err != nil {
		return false, err
	}
	return true, e.dropTx(ctx, tx, in)
}

// standStill handles pairs that are not to be touched now.
func (e *Engine) standStill(ctx context.Context, tx *store.Tx, pr *pair, in store.Intent) (bool, error) {
	if pr.link.Quarantine != 0 && pr.link.State != store.LinkDeleting {
		return true, e.dropTx(ctx, tx, in) // whoever decides has both sides brought together
	}
	if pr.item != nil {
		if pr.booking != nil && pr.booking.SyncDisabled {
			return true, e.dropTx(ctx, tx, in)
		}
		if why := untouchable(pr.item, pr.booking); why != "" {
			pr.link.Ref, pr.link.Revision = pr.item.Ref, pr.item.Revision
			return true, e.leaveAlone(ctx, tx, pr, why, pr.item)
		}
		return false, nil
	}
	b := pr.booking
	switch {
	case b != nil && b.SyncDisabled:
		return true, e.dropTx(ctx, tx, in)
	case b != nil && pr.link.State == store.LinkExpected && b.ExpectedUntil.After(e.now()):
		// Made by the add-in: it will be found by its AppointmentOid.
		return true, tx.DeferIntent(ctx, in.Tenant, in.Key, b.ExpectedUntil, in.Failures)
	}
	return false, nil
}

// arm stores what a write needs to be safe to repeat, or ends the intent if there is nothing to write.
func (e *Engine) arm(ctx context.Context, tx *store.Tx, s *step) error {
	switch {
	case s.CreateItem:
		s.first = s.surelyNew && len(s.link.Sent) == 0
		s.link.State, s.link.Sent, s.link.Ref, s.link.Revision = store.LinkPending, saveFields(&s.fields), "", ""
		if err := tx.PutLink(ctx, s.link); err != nil {
			return err
		}
	case s.DeleteItem:
		return nil
	case s.ItemFields == 0:
		s.settled = true
		_, err := tx.FinishIntent(ctx, s.intent.Tenant, s.intent.Key, s.intent.Wanted)
		return err
	}
	var err error
	written := s.pair.veil.spared(s.fields)
	texts := s.CreateItem || s.ItemFields.Any(calendar.FieldBody)
	shown := s.pair.invited(written)
	s.event, err = eventOf(ctx, tx, s.pair.booking, &shown, s.pair.item, texts)
	s.event.Attendees = append(s.event.Attendees, s.pair.excused...)
	for _, x := range s.event.Exceptions {
		if x.Event != nil {
			x.Event.Attendees = append(x.Event.Attendees, s.pair.excused...)
		}
	}
	if err != nil || s.CreateItem {
		return err
	}
	if err := s.findRooms(ctx, tx); err != nil {
		return err
	}
	s.writes = toSend(s.ItemFields, s.event, s.pair.item)
	// The answer may be lost, and a series is written step by step. The base knows by now what came of what was sent before.
	if s.link.Sent, err = s.sending(); err != nil {
		return err
	}
	return tx.PutLink(ctx, s.link)
}
