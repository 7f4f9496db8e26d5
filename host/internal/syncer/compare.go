package syncer

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// What differences are called that scans find. They close by themselves when both sides agree again.
const (
	fieldsDiffer       = "fields differ"
	itemMissing        = "item missing"
	itemWithoutBooking = "item without booking"
	doubledItem        = "doubled item"
)

// A finding is what a scan has to say of a pair.
type finding struct {
	kind, detail     string
	newer, recommend store.Side
	why              string
	settles          bool
	said             []byte // stands for what both sides say
	// known: it lies before a person under another kind already, so that it is only counted.
	known bool
}

var (
	neverLinked = finding{
		kind: itemMissing, detail: "the booking should be in the calendar and has no item there", newer: store.SideBooking,
		recommend: store.SideBooking, settles: true, why: "the item is made, without a mail, when the calendar is read in full the next time",
	}
	movedItem = finding{
		kind: doubledItem, detail: "an item bears the booking's marker under another reference than the one that is known", newer: store.SideUnknown,
		recommend: store.SideNeither, settles: true, why: "the item was moved: the next pass finds it there",
	}
)

// unowned says what is wrong with a marked item in a person's calendar that no link has.
func unowned(o owner, person string) finding {
	switch {
	case o.link != nil:
		return finding{
			kind: doubledItem, detail: "the calendar holds a second item that bears the booking's marker", newer: store.SideUnknown,
			recommend: store.SideNeither, why: "the booking has its item, and somebody may have made the second one on purpose; to use the booking removes that, without a mail",
		}
	case o.booking == nil:
		return finding{
			kind: itemWithoutBooking, detail: "the item bears the id of a booking that is not known here", newer: store.SideUnknown,
			recommend: store.SideNeither, why: "the booking system may still tell of the booking; if it does not, look at the item",
		}
	case o.booking.Status != booking.Confirmed:
		return finding{
			kind: itemWithoutBooking, detail: "the item's booking is cancelled", newer: store.SideUnknown,
			recommend: store.SideBooking, why: "the booking is cancelled: to use it removes the item, without a mail; to use the calendar lets it stand again",
		}
	case o.booking.SyncOff || o.booking.SyncDisabled:
		return finding{
			kind: itemWithoutBooking, detail: "the item's booking is kept out of the calendars", newer: store.SideUnknown,
			recommend: store.SideNeither, why: "somebody took the booking out of the sync, and the item stayed",
		}
	case o.booking.Organizer != person:
		return finding{
			kind: itemWithoutBooking, detail: "the item bears the id of a booking that is somebody else's", newer: store.SideUnknown,
			recommend: store.SideNeither, why: "no room is held for this item; perhaps the booking that it was made for was refused. To use the booking removes it, without a mail",
		}
	}
	return finding{
		kind: itemWithoutBooking, detail: "the item is not linked to its booking", newer: store.SideUnknown,
		recommend: store.SideNeither, settles: true, why: "it is linked when the calendar is read in full the next time",
	}
}

// saidOfItem stands for what an item says that there is no booking to compare with.
func saidOfItem(item *calendar.Item) []byte { return []byte("item " + item.Revision) }

// compare compares a link's booking with its item as it was just read; nil: there is none.
func (e *Engine) compare(ctx context.Context, p *pass, was store.Link, item *calendar.Item, part *store.ScanPart) error {
	part.Compared++
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		l, found, err := tx.Link(ctx, was.Tenant, was.Key)
		if err != nil || !found || l.State == store.LinkDead || l.Ref != was.Ref || l.State != was.State {
			return err // worked on meanwhile: whoever did has seen both sides
		}
		pr, err := pairUp(ctx, tx, l)
		if err != nil {
			return err
		}
		if item != nil && item.Event.Cancelled && l.State != store.LinkDeleting {
			item = nil // called off in the calendar: it stands for nothing any more
		}
		pr.item = item
		in, err := e.input(ctx, tx, &pr)
		if err != nil {
			return err
		}
		_, writing, err := tx.Intent(ctx, l.Tenant, l.Key)
		if err != nil {
			return err
		}
		f := e.judge(&pr, in, writing)
		f.said = stateOf(in)
		return e.lay(ctx, tx, l, f, part)
	})
}

// compareRemembered compares a link's booking with what its item said last.
func (e *Engine) compareRemembered(ctx context.Context, p *pass, was store.Link, part *store.ScanPart) error {
	part.Compared++
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		l, found, err := tx.Link(ctx, was.Tenant, was.Key)
		if err != nil || !found || l.State != store.LinkLive {
			return err
		}
		pr, err := pairUp(ctx, tx, l)
		if err != nil {
			return err
		}
		in, err := e.input(ctx, tx, &pr)
		if err != nil || in.Base == nil {
			return err
		}
		in.Item, in.Omits = in.Base, in.Base.Unsaid
		_, writing, err := tx.Intent(ctx, l.Tenant, l.Key)
		if err != nil {
			return err
		}
		f := e.judge(&pr, in, writing)
		f.said = stateOf(in)
		return e.lay(ctx, tx, l, f, part)
	})
}

// lay lays a finding before a person, or closes what was found before and is no longer so.
func (e *Engine) lay(ctx context.Context, tx *store.Tx, l store.Link, f finding, part *store.ScanPart) error {
	switch f.kind {
	case doubledItem, itemWithoutBooking: // says nothing of the booking's own item
	default:
		// The one of the two that is no longer so, or both.
		if err := tx.CloseEither(ctx, l.Tenant, l.Booking, otherThan(f.kind, fieldsDiffer), otherThan(f.kind, itemMissing)); err != nil {
			return err
		}
	}
	switch {
	case f.kind == "" && !f.known:
		return nil
	case f.settles:
		part.Settling++
	default:
		part.Differing++
	}
	if f.known {
		return nil
	}
	return tx.AddDifference(ctx, store.Difference{
		Tenant: l.Tenant, Person: l.Person, Booking: l.Booking, At: e.now(), Kind: f.kind, Detail: f.detail, Ref: l.Ref,
		Newer: f.newer, Recommend: f.recommend, Why: f.why, Settles: f.settles, Said: f.said,
	})
}

// otherThan returns kind unless it is not.
func otherThan(not, kind string) string {
	if kind == not {
		return "none"
	}
	return kind
}

// judge says what is wrong with a pair. writing: an intent for its item waits.
func (e *Engine) judge(p *pair, in plan.Input, writing bool) finding {
	l := p.link
	switch {
	case leftByMove(l), l.Quarantine != 0, !l.GoneAt.IsZero():
		return finding{known: true} // somebody is asked already
	case in.Booking == nil && in.Item == nil:
		return finding{}
	case in.Booking == nil:
		return e.judgeSurplus(l, writing)
	case in.Item == nil:
		return e.judgeMissing(p, in, writing)
	case p.item != nil && untouchable(p.item, p.booking) != "":
		return finding{known: true}
	}
	differ := apart(in)
	switch {
	case differ == 0:
		return finding{}
	case len(l.Held) > 0:
		return finding{known: true}
	}
	f := finding{kind: fieldsDiffer, detail: inWords(differ), newer: newerOf(p, in, differ)}
	f.recommend, f.why = recommendation(in, f.newer)
	switch {
	case p.booking.SyncDisabled:
		f.why = fmt.Sprintf("the sync of this booking is disabled (%s): to use a side switches it on again", p.booking.SyncProblem)
	case writing:
		f.settles, f.why = true, "the item is being written"
	case !plan.Plan(in).Idle():
		f.settles = true
		f.why += "; the next full read of the calendar carries that over by itself"
	}
	return f
}

// apart returns the fields in which the sides of a pair differ though they should not. A text that was changed in the
// calendar stays there.
func apart(in plan.Input) calendar.Fields {
	differ := plan.Diff(*in.Booking, *in.Item) &^ in.Omits
	if in.Base == nil || !plan.Diff(*in.Base, *in.Booking).Any(calendar.FieldBody) {
		differ &^= calendar.FieldBody
	}
	return differ
}

func (e *Engine) judgeSurplus(l store.Link, writing bool) finding {
	if l.Problem != "" && l.State == store.LinkDeleting {
		return finding{known: true} // as "item not deleted"
	}
	f := finding{
		kind: itemWithoutBooking, detail: "the booking is over, and its item is still there", newer: store.SideBooking,
		recommend: store.SideBooking, why: "the item is to be removed", settles: writing,
	}
	if len(l.Held) > 0 {
		return finding{known: true}
	}
	return f
}

func (e *Engine) judgeMissing(p *pair, in plan.Input, writing bool) finding {
	b := p.booking
	f := finding{kind: itemMissing, detail: "the booking has no item in the calendar"}
	switch {
	case e.past(b):
		return finding{} // calendars are tidied up
	case len(p.link.Held) > 0:
		return finding{known: true}
	case b.SyncDisabled:
		f.newer, f.recommend = store.SideUnknown, store.SideNeither
		f.why = fmt.Sprintf("the sync of this booking is disabled (%s): to use a side switches it on again", b.SyncProblem)
	case writing:
		f.newer, f.recommend, f.settles, f.why = store.SideBooking, store.SideBooking, true, "the item is still to be made"
	case plan.Plan(in).CancelBooking:
		f.newer, f.recommend = store.SideCalendar, store.SideCalendar
		f.why = "the item was there and the booking was not changed since: somebody deleted it, or it got lost; the next full read of the calendar cancels the booking"
	default:
		f.newer, f.recommend, f.why = store.SideBooking, store.SideBooking, "the booking was changed since the item was last seen: to use it makes the item again, without a mail"
	}
	return f
}

// newerOf says which side of a pair was changed last.
func newerOf(p *pair, in plan.Input, differ calendar.Fields) store.Side {
	if in.Base != nil {
		byBooking, byItem, _ := plan.Compare(in)
		switch b, i := byBooking&differ != 0, byItem&differ != 0; {
		case b && !i:
			return store.SideBooking
		case i && !b:
			return store.SideCalendar
		}
	}
	var modified time.Time
	if p.item != nil {
		modified = p.item.Modified
	}
	switch updated := p.booking.Updated; {
	case modified.IsZero() || updated.IsZero() || modified.Equal(updated):
		return store.SideUnknown
	case modified.After(updated):
		return store.SideCalendar
	}
	return store.SideBooking
}

// recommendation says which side to use where both are there and differ, and why.
func recommendation(in plan.Input, newer store.Side) (store.Side, string) {
	if in.Base == nil {
		return newerOrNeither(newer), "nobody knows what both last agreed on; " + newerWords[newer]
	}
	switch d := plan.Plan(in); {
	case d.BookingFields != 0 && d.ItemFields == 0:
		return store.SideCalendar, "only the calendar was changed since both agreed"
	case d.ItemFields != 0 && d.BookingFields == 0 && len(d.Lost) == 0:
		return store.SideBooking, "only the booking was changed since both agreed"
	case d.ItemFields != 0 && d.BookingFields != 0:
		return store.SideNeither, "each side changed something else since both agreed, which can be carried over both ways"
	}
	return newerOrNeither(newer), "both sides changed the same since they agreed; " + newerWords[newer]
}

func newerOrNeither(newer store.Side) store.Side {
	if newer == store.SideUnknown {
		return store.SideNeither
	}
	return newer
}

var newerWords = map[store.Side]string{
	store.SideBooking: "the booking was changed last", store.SideCalendar: "the item was changed last",
	store.SideUnknown: "which was changed last is not known",
}
