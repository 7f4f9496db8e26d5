package syncer

import (
	"bytes"
	"context"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A pair is a link with both its sides, as read within one transaction.
type pair struct {
	link    store.Link
	booking *booking.Booking // nil: there is none, or it is cancelled, or it belongs to another organizer now
	person  store.PersonRow
	// item is nil when the calendar says explicitly that it is gone, or it was never made.
	item  *calendar.Item
	reset bool   // the booking prevails
	mode  string // by which the mailbox is reached; empty where no group need be known
	mass  int64  // the unit of the quarantine that a change of the booking goes into; 0: none
	meant bool   // because a person has looked at both and said so
	// carrying: the caller carries the decision out at once, so that it needs no intent.
	carrying bool
	// excused are invited rooms that the booking does not have because they are taken. They stay invited.
	excused []calendar.Attendee
	// excuses are such of single occurrences of a series.
	excuses []excuse
	// reasons are what rooms wrote when they declined, by their addresses, as far as that is known and news.
	reasons map[string]string
	veil    veil // drawn by input
	// yields: the booking is to take over what the item says.
	yields bool
}

// A verdict is a decision and the booking's fields it rests on, which are what is written to the item.
type verdict struct {
	plan.Decision
	fields   plan.Fields
	item     *plan.Fields // as it was planned with
	aside    bool         // it waits for a person's word
	rebuffed bool         // the booking's rules refused what the calendar says
}

// pairUp loads the booking side of a link.
func pairUp(ctx context.Context, tx *store.Tx, l store.Link) (pair, error) {
	p := pair{link: l}
	person, found, err := tx.Person(ctx, l.Tenant, l.Person)
	if err != nil {
		return p, err
	}
	if !found {
		return p, fmt.Errorf("person %q of link %q: %w", l.Person, l.Key, booking.ErrNotFound)
	}
	p.person = person
	b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
	if err != nil {
		return p, err
	}
	if found && b.Status == booking.Confirmed && b.Organizer == l.Person && l.State != store.LinkDeleting {
		p.booking = b
	}
	return p, nil
}

// settle decides on a pair and carries out what concerns the booking, within tx. What concerns the item is returned
// and recorded as an intent; carry does it. The link is stored with what is agreed by now.
func (e *Engine) settle(ctx context.Context, tx *store.Tx, p *pair) (verdict, error) {
	in, err := e.input(ctx, tx, p)
	if err != nil {
		return verdict{}, err
	}
	held, err := e.held(ctx, tx, &p.link, in)
	if err != nil {
		return verdict{}, err
	}
	d := plan.Plan(in)
	switch {
	case d.BookingFields != 0 && held && !p.carrying && p.item != nil && p.booking != nil:
		// Somebody decided against what the calendar says, which is still to be set back: it is no news.
		p.link.Ref, p.link.Revision, p.link.GoneAt = p.item.Ref, p.item.Revision, zeroTime
		return verdict{aside: true}, tx.PutLink(ctx, p.link)
	case d.BookingFields != 0 && p.mass != 0 && p.item != nil && p.booking != nil:
		return verdict{aside: true}, e.setAside(ctx, tx, p, d)
	case p.booking != nil:
		p.link.Quarantine = 0 // the item says again what it said
	}
	if noted, err := e.noteTaken(ctx, tx, p, d); err != nil {
		return verdict{}, err
	} else if noted {
		if in, err = e.input(ctx, tx, p); err != nil {
			return verdict{}, err
		}
		d = plan.Plan(in)
	}
	if err := e.showLosses(ctx, tx, p, d); err != nil {
		return verdict{}, err
	}
	if err := e.showUndone(ctx, tx, p, in, d); err != nil {
		return verdict{}, err
	}
	if err := e.narrow(ctx, tx, p, plan.News(in, d)); err != nil {
		return verdict{}, err
	}
	switch {
	case d.CancelBooking:
		return verdict{Decision: d}, e.cancelFromCalendar(ctx, tx, p, "deleted in the calendar")
	case d.Unlink:
		return verdict{Decision: d}, e.endRemoval(ctx, tx, &p.link)
	case d.DeleteItem:
		return verdict{Decision: d}, e.settleDeletion(ctx, tx, p)
	}
	if d.BookingFields != 0 {
		refusal, err := e.changeFromCalendar(ctx, tx, p, d)
		if err != nil {
			return verdict{}, err
		}
		if refusal.why != "" && !refusal.inPart {
			return verdict{rebuffed: true}, e.rebuff(ctx, tx, p, refusal)
		}
		// The booking may have become more than was carried over, e.g. a room brings its name along.
		f, err := e.shownFields(ctx, tx, p.booking)
		if err != nil {
			return verdict{}, err
		}
		d.ItemFields |= plan.Diff(f, d.Booking) &^ in.Omits &^ calendar.FieldBody &^ p.veil.which
		in.Booking = &f
		if refusal.inPart {
			// The rest of the edit is in; what is left of it in the calendar goes back.
			if err := e.agree(ctx, tx, p, in, plan.Decision{ItemFields: d.ItemFields}); err != nil {
				return verdict{}, err
			}
			return verdict{rebuffed: true}, e.setBack(ctx, tx, p, refusal)
		}
	}
	return verdict{Decision: d, fields: *in.Booking, item: in.Item}, e.agree(ctx, tx, p, in, d)
}

func (e *Engine) input(ctx context.Context, tx *store.Tx, p *pair) (plan.Input, error) {
	base, err := loadCurrent(ctx, tx, p.link.Tenant, p.link.Base)
	if err != nil {
		return plan.Input{}, fmt.Errorf("link %q: %w", p.link.Key, err)
	}
	if p.item == nil && p.link.State == store.LinkPending && bytes.Equal(p.link.Sent, unknownSent) {
		base = nil // that nothing is found of what is looked for is no deletion
	}
	in := plan.Input{Base: base, Reset: p.reset}
	if p.booking != nil {
		f, err := fieldsOfBooking(ctx, tx, p.booking)
		if err != nil {
			return in, err
		}
		if err := keepPlace(ctx, tx, p.booking, base, &f); err != nil {
			return in, err
		}
		in.Booking = &f
	}
	if p.item != nil {
		f, err := fieldsOfItem(ctx, guestsOf(tx, p.booking, &p.item.Event), p.link.Tenant, p.person.Email, &p.item.Event)
		if err != nil {
			return in, err
		}
		if err := e.excuse(ctx, tx, p, &f); err != nil {
			return in, err
		}
		in.Item, in.Omits = &f, p.item.Omits
		for _, ex := range p.excuses {
			in.Placed = append(in.Placed, ex.occurrence)
		}
		if knowsSent(p.link) && p.link.Ref != "" {
			if in.Sent, err = loadCurrent(ctx, tx, p.link.Tenant, p.link.Sent); err != nil {
				return in, fmt.Errorf("link %q: %w", p.link.Key, err)
			}
			in.Base = plan.Learned(in)
		}
	}
	switch {
	case in.Booking == nil:
		return in, nil
	case p.yields && in.Item != nil:
		return e.draw(ctx, tx, p, in, taken(in))
	}
	return e.draw(ctx, tx, p, in, plan.Outcome(in))
}

// taken returns what both sides of in say once the booking has taken over what the item says.
func taken(in plan.Input) plan.Fields {
	if d := plan.Yield(in); d.BookingFields != 0 {
		return d.Booking
	}
	return *in.Booking
}

// agree stores what both sides say the same by now as the base; the rest stays as it was, to be seen as an edit again
// until it is carried. A write to the item that is still to be done becomes an intent.
func (e *Engine) agree(ctx context.Context, tx *store.Tx, p *pair, in plan.Input, d plan.Decision) error {
	l := &p.link
	if _, err := e.held(ctx, tx, l, in); err != nil { // the booking may have taken something over
		return err
	}
	awaited := p.item != nil && l.State == store.LinkExpected
	if p.item == nil && d.CreateItem {
		if l.State == store.LinkLive {
			l.State = store.LinkPending
			if len(l.Sent) == 0 || l.Ref != "" {
				// An item with its key was there, and may come back or lie about called off: it is looked for.
				if l.Sent = l.Base; len(l.Sent) == 0 {
					l.Sent = unknownSent
				}
			}
		}
		// Decided once: no later change of the booking makes a deletion of it that was overruled. The new item will have another UID.
		l.Base, l.Ref, l.Revision, l.UID = nil, "", "", ""
	}
	if p.item != nil {
		l.Ref, l.Revision, l.GoneAt = p.item.Ref, p.item.Revision, zeroTime
		if l.State == store.LinkPending || l.State == store.LinkExpected {
			l.State = store.LinkLive
		}
		if !knowsSent(*l) || !d.ItemFields.Any(calendar.FieldRecurrence) {
			l.Sent = nil // else its series may be half written
		}
		if l.Problem == seriesLeftAlone {
			l.Problem = ""
			if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, seriesLeftAlone); err != nil {
				return err
			}
		}
		if base := plan.Agreed(in, d.ItemFields); base != nil {
			l.Base = saveFields(base)
		}
	}
	if err := tx.PutLink(ctx, *l); err != nil {
		return err
	}
	if p.item != nil && d.ItemFields == 0 {
		if err := tx.CloseEither(ctx, l.Tenant, l.Booking, fieldsDiffer, itemMissing); err != nil {
			return err
		}
	}
	if awaited {
		if err := e.arrived(ctx, tx, l); err != nil {
			return err
		}
	}
	if p.carrying || d.ItemFields == 0 && !d.CreateItem || len(l.Held) > 0 && !bytes.Equal(l.Held, mailAllowed) {
		return nil
	}
	op := store.OpSync
	if p.reset {
		op = store.OpReset
	}
	return e.note(ctx, tx, *l, op, calendar.MailNobody, "the calendar differs")
}

// agreedOn returns what both sides of a link agree on now that s is written: what was sent, but for what the item says
// nothing of. item is the written one, as the answer tells; an answer may be poorer than what is read.
func agreedOn(ctx context.Context, p people, l store.Link, s step, item *calendar.Item) (*plan.Fields, error) {
	before, err := loadCurrent(ctx, p, l.Tenant, l.Base)
	if err != nil {
		return nil, fmt.Errorf("link %q: %w", l.Key, err)
	}
	omits := item.Omits
	if s.pair.item != nil {
		omits |= s.pair.item.Omits
	}
	return plan.Agreed(plan.Input{Base: before, Booking: &s.fields, Omits: omits}, 0), nil
}

func (e *Engine) showLosses(ctx context.Context, tx *store.Tx, p *pair, d plan.Decision) error {
	for _, loss := range d.Lost {
		detail := fmt.Sprintf("the %s's change of %s gave way: the other side changed it as well", loss.Side, inWords(loss.Fields))
		switch {
		case !loss.Occurrence.IsZero():
			detail = lossOfOccurrence(loss)
		case loss.Deleted:
			detail = "the item was deleted in the calendar while the booking was changed: it is made anew"
		case loss.Side == plan.BookingSide:
			detail = "the booking's notes were not written: the text was changed in the calendar"
		case loss.News:
			detail = fmt.Sprintf("the calendar did not tell of %s before and has something else now: the booking's was taken", inWords(loss.Fields))
		case p.booking == nil:
			detail = fmt.Sprintf("the calendar's change of %s went with the item: the booking was cancelled", inWords(loss.Fields))
		case len(p.link.Base) == 0:
			detail = fmt.Sprintf("the item found in the calendar had another %s: the booking's was taken", inWords(loss.Fields))
		}
		if err := e.differ(ctx, tx, p, editLost, detail); err != nil {
			return err
		}
	}
	return nil
}

// showUndone lays before a person what somebody changed in the calendar and a reset takes back. Of an item that was never agreed on, such as
// one of several that a move found, nobody knows what was changed.
func (e *Engine) showUndone(ctx context.Context, tx *store.Tx, p *pair, in plan.Input, d plan.Decision) error {
	if !p.reset || p.meant || in.Booking == nil || in.Item == nil {
		return nil
	}
	undone, detail := d.ItemFields, "the item found in the calendar had another %s: it was reset to the booking"
	if in.Base != nil {
		_, byItem, _ := plan.Compare(in)
		undone, detail = undone&byItem, "the calendar's change of %s was undone: the item was reset to the booking"
	}
	if undone == 0 {
		return nil
	}
	return e.differ(ctx, tx, p, editLost, fmt.Sprintf(detail, inWords(undone)))
}

// differ lays something before a person; saying it again adds nothing.
func (e *Engine) differ(ctx context.Context, tx *store.Tx, p *pair, kind, detail string) error {
	advice := advised[kind]
	return tx.AddDifference(ctx, store.Difference{
		Tenant: p.link.Tenant, Person: p.link.Person, Booking: p.link.Booking, At: e.now(), Kind: kind, Detail: detail,
		Ref: p.link.Ref, Newer: store.SideUnknown, Recommend: advice.side, Why: advice.why,
	})
}

// itemNotDeleted is what a difference is called when the item of a booking that no longer stands cannot be removed. It is
// tried again when the calendar is read in full.
const itemNotDeleted = "item not deleted"

// giveUp takes one booking out of the sync and says why.
func (e *Engine) giveUp(ctx context.Context, tx *store.Tx, p *pair, why string) error {
	l := &p.link
	l.Problem = why
	if err := tx.PutLink(ctx, *l); err != nil {
		return err
	}
	if in, found, err := tx.Intent(ctx, l.Tenant, l.Key); err != nil {
		return err
	} else if found {
		if _, err := tx.FinishIntent(ctx, l.Tenant, l.Key, in.Wanted); err != nil {
			return err
		}
	}
	if l.State == store.LinkDeleting {
		// The booking is over; only its item is too much.
		if err := e.differ(ctx, tx, p, itemNotDeleted, why); err != nil {
			return err
		}
		return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, itemNotDeleted, why)
	}
	if p.booking != nil {
		next := p.booking.Clone()
		next.SyncDisabled, next.SyncProblem = true, why
		if err := e.save(ctx, tx, p.booking, next, sourceSync, why); err != nil {
			return err
		}
		p.booking = next
	}
	if err := e.differ(ctx, tx, p, syncDisabled, why); err != nil {
		return err
	}
	if err := e.mailOnError(ctx, tx, l, mailNews{MailSyncDisabled, why}); err != nil {
		return err
	}
	return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "sync of the booking disabled", why)
}

// cancelFromCalendar cancels the booking and ends the link. The calendar is not touched.
func (e *Engine) cancelFromCalendar(ctx context.Context, tx *store.Tx, p *pair, why string) error {
	next := p.booking.Clone()
	next.Status = booking.Cancelled
	if err := e.save(ctx, tx, p.booking, next, sourceCalendar, why); err != nil {
		return err
	}
	p.booking = nil
	if err := e.bury(ctx, tx, &p.link); err != nil {
		return err
	}
	return e.record(ctx, tx, next.Tenant, p.link.Person, next.ID, "booking cancelled", why)
}

// settleDeletion makes sure that the item of a booking that no longer stands will be removed. Who is told was decided
// when the booking was cancelled.
func (e *Engine) settleDeletion(ctx context.Context, tx *store.Tx, p *pair) error {
	l := &p.link
	l.State, l.Ref, l.Revision, l.GoneAt = store.LinkDeleting, p.item.Ref, p.item.Revision, zeroTime
	if err := tx.PutLink(ctx, *l); err != nil || p.carrying || len(l.Held) > 0 || l.Quarantine != 0 {
		return err
	}
	return e.noteRemoval(ctx, tx, *l, "the booking no longer stands")
}

// unknownSent is what store.Link.Sent is of a link whose item was made once, nobody knows any more how.
var unknownSent = saveFields(&plan.Fields{})

// knowsSent reports whether it is known what was sent for a link that is not recorded to have an item.
func knowsSent(l store.Link) bool { return len(l.Sent) > 0 && !bytes.Equal(l.Sent, unknownSent) }

// strange reports whether it must be found out whether an item is a link's: it has none, or let its own go.
func strange(l store.Link) bool { return l.Ref == "" || bytes.Equal(l.Sent, unknownSent) }

// adopt takes an item for that of a link which had none. One with the link's own key was made by us, and one without a key that has the link's
// UID was met before: what was sent then is what both sides agreed on. Of another one nobody knows that, and nobody is mailed of what is intended for it:
// whoever made it told them, but for that it is called off, and for what was changed since.
func (e *Engine) adopt(ctx context.Context, tx *store.Tx, l *store.Link, item *calendar.Item) error {
	if err := e.closeStray(ctx, tx, store.Mailbox{Tenant: l.Tenant, Person: l.Person}, item.Ref); err != nil {
		return err
	}
	another := anotherMeeting(*l, item)
	same := !another && (item.Key == l.Key || item.Key == "" && l.UID != "" && item.Event.UID == l.UID)
	if same && knowsSent(*l) {
		base, err := begun(ctx, tx, *l, item)
		l.Base = base
		return err
	} else if another {
		l.Base = nil
	}
	l.Sent = nil
	in, found, err := tx.Intent(ctx, l.Tenant, l.Key)
	if err != nil || !found || in.Mail == calendar.MailNobody || in.Op == store.OpDelete || in.Cause == changedAwaited {
		return err
	}
	return tx.ReviseIntent(ctx, in.Tenant, in.Key, in.Op, calendar.MailNobody)
}

// anotherMeeting reports whether an item that is found for a link has another UID than the one that is known: that was made where the mailbox was
// reached for a while, and what was agreed on is about that one. What the found one says is from before, perhaps.
func anotherMeeting(l store.Link, item *calendar.Item) bool {
	return l.UID != "" && item.Event.UID != "" && l.UID != item.Event.UID
}

// begun returns the base of a link whose item was found by its key: what was sent, as far as the item shows that it got there.
func begun(ctx context.Context, p people, l store.Link, item *calendar.Item) ([]byte, error) {
	sent, err := loadCurrent(ctx, p, l.Tenant, l.Sent)
	if err != nil || sent == nil || len(sent.Exceptions) == 0 {
		return l.Sent, err
	}
	person, _, err := p.Person(ctx, l.Tenant, l.Person)
	if err != nil {
		return nil, err
	}
	is, err := fieldsOfItem(ctx, p, l.Tenant, person.Email, &item.Event)
	if err != nil {
		return nil, err
	}
	base := plan.Begun(*sent, is, item.ForeignKey == "") // which comes with the invitation
	return saveFields(&base), nil
}

// narrow has only those told of a pending write whom the fields concern that the booking still has to bring to its item.
// The intent names the widest audience since it was recorded, but a try whose answer was lost has told them already, and
// what follows from the calendar's own changes is nobody's news.
func (e *Engine) narrow(ctx context.Context, tx *store.Tx, p *pair, fields calendar.Fields) error {
	if p.booking == nil || p.item == nil {
		return nil
	}
	in, found, err := tx.Intent(ctx, p.link.Tenant, p.link.Key)
	if err != nil || !found || in.Op == store.OpDelete || bytes.Equal(p.link.Held, mailAllowed) {
		return err
	}
	mail := concerned(fields)
	if in.Mail == mail || in.Mail == calendar.MailNobody || mail == calendar.MailAll {
		return nil
	}
	return tx.ReviseIntent(ctx, in.Tenant, in.Key, in.Op, mail)
}

// note records an intent that the pass under way carries out itself, or the next one.
func (e *Engine) note(ctx context.Context, tx *store.Tx, l store.Link, op store.Op, mail calendar.Mail, cause string) error {
	return tx.PutIntent(ctx, store.Intent{
		Tenant: l.Tenant, Key: l.Key, Person: l.Person, Booking: l.Booking, Op: op, Mail: mail, Cause: cause, Created: e.now(),
	})
}

// bury ends a link. Its key stays known, so that an item that bears it is never taken for a living one.
func (e *Engine) bury(ctx context.Context, tx *store.Tx, l *store.Link) error {
	if err := e.letGo(ctx, tx, l); err != nil {
		return err
	}
	sent, err := e.closeLeft(ctx, tx, *l)
	if err != nil {
		return err
	}
	l.State, l.GoneAt, l.Sent, l.Quarantine = store.LinkDead, zeroTime, sent, 0
	if err := tx.PutLink(ctx, *l); err != nil {
		return err
	}
	in, found, err := tx.Intent(ctx, l.Tenant, l.Key)
	if err != nil || !found {
		return err
	}
	_, err = tx.FinishIntent(ctx, l.Tenant, l.Key, in.Wanted)
	return err
}
