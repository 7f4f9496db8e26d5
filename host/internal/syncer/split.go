package syncer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// "This and following" in Outlook ends a series and makes another one of the rest, which bears a copy of the first one's
// markers. Both arrive in any order, and perhaps not in the same pull: a series that bears another one's marker is recorded with
// the page that told of it (store.Split), and looked at again whenever the first one's booking has changed. It is the rest if the
// calendar cut just that off the booking; then it becomes a booking of its own. Any other one is a copy, and left alone.

const (
	// splitMemory is how long after its item the first series may be cut, or before it.
	splitMemory = 7 * 24 * time.Hour
	// splitChanges is how many changes of a booking are looked through for the one that cut it.
	splitChanges = 20
)

// met records a series that bears a marker of another item's link.
func (e *Engine) met(ctx context.Context, tx *store.Tx, l store.Link, item *calendar.Item) error {
	if item.Event.Recurrence == "" || item.ReadOnly {
		return nil
	}
	return tx.PutSplit(ctx, store.Split{Tenant: l.Tenant, Person: l.Person, Ref: item.Ref, Key: l.Key, At: e.now()})
}

// splits looks at the series that bear another one's marker.
func (e *Engine) splits(ctx context.Context, p *pass) error {
	rows, err := e.Store.Splits(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil {
		return ours(err)
	}
	for _, r := range rows {
		if err := e.splitOff(ctx, p, r); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) splitOff(ctx context.Context, p *pass, r store.Split) error {
	first, found, err := e.firstOf(ctx, e.Store, r)
	if err != nil {
		return ours(err)
	}
	if !found || e.now().Sub(r.At) > splitMemory {
		return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteSplit(ctx, r) })
	}
	if first.booking.Version == r.Version {
		return nil // nothing has changed since
	}
	got, err := p.mode.Backend.Fetch(ctx, p.mailbox, []calendar.Ref{r.Ref})
	if err != nil {
		return err
	}
	if len(got) != 1 {
		return fmt.Errorf("the backend answered %d items for one: %w", len(got), fault.Internal)
	}
	gone := errors.Is(got[0].Err, fault.NotFound)
	if got[0].Err != nil && !gone {
		return got[0].Err
	}
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		first, found, err := e.firstOf(ctx, tx, r)
		if err != nil {
			return err
		}
		if gone || !found {
			return tx.DeleteSplit(ctx, r)
		}
		s := splitting{engine: e, tx: tx, pass: p, row: r, first: first.link, booking: first.booking, item: &got[0].Item}
		err = s.settle(ctx)
		e.Failpoint("split:settled")
		return err
	})
	e.Failpoint("split:recorded")
	return err
}

// memoryOfPairs answers what is known of links and bookings; *store.Store and *store.Tx are such.
type memoryOfPairs interface {
	memoryOfItems
	memoryOfBookings
}

// firstOf returns the link whose marker an item bears, and its booking, as long as both stand in this calendar.
func (e *Engine) firstOf(ctx context.Context, s memoryOfPairs, r store.Split) (first pair, found bool, err error) {
	l, found, err := s.Link(ctx, r.Tenant, r.Key)
	if err != nil || !found || l.Person != r.Person || l.State != store.LinkLive {
		return pair{}, false, err
	}
	b, found, err := s.Booking(ctx, r.Tenant, l.Booking)
	if err != nil || !found || b.Status != booking.Confirmed || b.Organizer != r.Person {
		return pair{}, false, err
	}
	return pair{link: l, booking: b}, true, nil
}

// splitting settles one series that bears another one's marker, within one transaction.
type splitting struct {
	engine  *Engine
	tx      *store.Tx
	pass    *pass
	row     store.Split
	first   store.Link
	booking *booking.Booking // the first one's
	item    *calendar.Item
}

func (s *splitting) settle(ctx context.Context) error {
	it := s.item
	if it.ReadOnly || it.Event.Cancelled || it.Event.Recurrence == "" || it.Key != s.first.Key && it.ForeignKey != s.booking.ID {
		return s.tx.DeleteSplit(ctx, s.row)
	}
	if _, linked, err := s.tx.LinkByRef(ctx, s.row.Tenant, s.row.Person, it.Ref); err != nil {
		return err
	} else if linked {
		return s.tx.DeleteSplit(ctx, s.row)
	}
	s.row.Version = s.booking.Version
	if s.first.UID != "" && s.first.UID == it.Event.UID || untouchable(it, nil) != "" {
		return s.tx.PutSplit(ctx, s.row)
	}
	old, found, err := s.tx.Booking(ctx, s.row.Tenant, s.id())
	if err != nil {
		return err
	}
	if found {
		return s.again(ctx, old)
	}
	rest, err := s.rest(ctx)
	if err != nil {
		return err
	}
	if rest == nil {
		return s.tx.PutSplit(ctx, s.row)
	}
	return s.book(ctx, rest)
}

// id is that of the booking which the item becomes: always the same, so that a pass that is repeated comes to the same booking.
func (s *splitting) id() string {
	name := s.item.Event.UID
	if name == "" {
		name = string(s.item.Ref)
	}
	sum := sha256.Sum256([]byte(s.booking.ID + "\x00" + name))
	mark := "-" + hex.EncodeToString(sum[:6])
	if len(s.booking.ID)+len(mark) > booking.MaxID {
		return "split" + mark + hex.EncodeToString(sum[6:12])
	}
	return s.booking.ID + mark
}

// again settles an item that is a booking already: it lies elsewhere now, where it still bore the marker of the first.
func (s *splitting) again(ctx context.Context, b *booking.Booking) error {
	links, err := s.tx.LinksOfBooking(ctx, b.Tenant, b.ID)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.Person == s.row.Person && l.State == store.LinkLive && (l.Ref == "" || !l.GoneAt.IsZero()) {
			if err := s.engine.pairItem(ctx, s.tx, s.pass, l, s.item); err != nil {
				return err
			}
			return s.tx.DeleteSplit(ctx, s.row)
		}
	}
	return s.tx.PutSplit(ctx, s.row)
}

// rest returns what the calendar cut off the first booking, as it was, if the item is what that was made into; else nil.
func (s *splitting) rest(ctx context.Context) (*booking.Booking, error) {
	if s.engine.Parse == nil || !restOf(s.booking, s.item) {
		return nil, nil
	}
	next := struct {
		booking *booking.Booking
		by      string
		at      time.Time
	}{}
	for seq, n := int64(math.MaxInt64), 0; n < splitChanges; n++ {
		c, found, err := s.tx.ChangeBefore(ctx, s.row.Tenant, s.booking.ID, seq)
		if err != nil || !found {
			return nil, err
		}
		b, err := s.engine.Parse(c.Tenant, c.Data)
		if err != nil {
			return nil, fmt.Errorf("read change %d: %w", c.Seq, err)
		}
		if next.booking != nil && next.by == sourceCalendar && next.at.Sub(s.row.At).Abs() <= splitMemory {
			r, lost := booking.RestOf(b, next.booking)
			if lost && r.Begins(s.item.Event.Start, s.item.Event.AllDay) {
				return r.Booking, nil
			}
		}
		next.booking, next.by, next.at, seq = b, c.Source, c.At, c.Seq
	}
	return nil, nil
}

// book makes a booking of the item, which was the rest of the first one. Where its rules do not allow that, the conflict behaviour
// of the person says what becomes of it: the change that was made with the split is taken back, or it stays unbooked.
func (s *splitting) book(ctx context.Context, rest *booking.Booking) error {
	rest.Tenant, rest.ID, rest.Version, rest.Status = s.row.Tenant, s.id(), 0, booking.Confirmed
	rest.SyncDisabled, rest.SyncProblem, rest.ItemExpected, rest.ExpectedUntil, rest.Answers = false, "", false, zeroTime, nil
	rest.Normalize()
	next, err := s.draft(ctx, rest)
	if err != nil {
		return err
	}
	not, err := s.refuses(ctx, next)
	if err != nil {
		return err
	}
	op, cause := store.OpSync, "split off another series in the calendar"
	if not.why != "" {
		if conflictBehaviour(s.pass.person) == directory.Cancel {
			return s.leave(ctx, MailBookingCancelled, not)
		}
		if still, err := s.refuses(ctx, rest); err != nil {
			return err
		} else if still.why != "" {
			return s.leave(ctx, MailChangeRefused, not)
		}
		next, op, cause = rest, store.OpReset, not.why
	}
	e := s.engine
	if err := e.save(ctx, s.tx, nil, next, sourceCalendar, ""); err != nil {
		return err
	}
	l := store.Link{
		Tenant: next.Tenant, Key: next.ID + ".1", Booking: next.ID, Person: next.Organizer, Epoch: s.pass.mb.Epoch, State: store.LinkLive,
		Ref: s.item.Ref, Revision: s.item.Revision, UID: s.item.Event.UID, SeenRound: s.pass.mb.Round, Created: e.now(),
	}
	pr := pair{booking: next, person: s.pass.person, item: s.item, link: l}
	in, err := e.input(ctx, s.tx, &pr)
	if err != nil {
		return err
	}
	// What the item says is what was there. What the booking has beyond that is still to be brought to it.
	pr.link.Base = saveFields(plan.Agreed(plan.Input{Booking: in.Item, Item: in.Item, Omits: in.Omits}, 0))
	if err := s.tx.PutLink(ctx, pr.link); err != nil {
		return err
	}
	if err := e.note(ctx, s.tx, pr.link, op, calendar.MailNobody, cause); err != nil {
		return err
	}
	if op == store.OpReset {
		if err := e.mailOnError(ctx, s.tx, &pr.link, mailNews{MailChangeRefused, not.why}); err != nil {
			return err
		}
	}
	if err := s.rooms(ctx); err != nil {
		return err
	}
	if err := s.tx.CloseDifferencesOfItem(ctx, s.row.Tenant, s.booking.ID, s.row.Ref, editLost); err != nil {
		return err
	}
	if err := e.record(ctx, s.tx, next.Tenant, s.row.Person, next.ID, "booking made", "split off booking "+s.booking.ID+" in the calendar (this and following)"); err != nil {
		return err
	}
	if err := e.hear(ctx, s.tx, &pr); err != nil {
		return err
	}
	return s.tx.DeleteSplit(ctx, s.row)
}

// draft returns the booking that the item is: what it says, and of what it does not say, as the notes, what the rest had. What was
// different about single occurrences of the rest stays where the item has an occurrence on that day and says nothing else of it:
// to throw it away is the server's doing, and no edit.
func (s *splitting) draft(ctx context.Context, rest *booking.Booking) (*booking.Booking, error) {
	f, err := fieldsOfItem(ctx, s.tx, s.row.Tenant, s.pass.person.Email, &s.item.Event)
	if err != nil {
		return nil, err
	}
	next := rest.Clone()
	if err := applyFields(ctx, s.tx, next, calendar.AllFields&^(calendar.FieldBody|s.item.Omits), &f); err != nil {
		return nil, err
	}
	s.engine.resolveGroups(&pair{booking: rest, person: s.pass.person, mode: s.pass.mode.Name}, next, calendar.AllFields)
	kept := next.Clone()
	kept.Exceptions = nil
	kept.Normalize()
	kept.Exceptions = rest.Clone().Exceptions
	booking.Rebase(rest, kept)
	whole := next.Clone()
	said := map[time.Time]bool{}
	for _, x := range f.Exceptions {
		said[x.Occurrence] = true
	}
	for _, x := range kept.Exceptions {
		if !said[x.Occurrence] {
			whole.SetException(x)
		}
	}
	if whole.Normalize(); len(booking.Validate(whole)) > 0 {
		return next, nil
	}
	return whole, nil
}

// refuses says why a booking cannot be; empty if it can.
func (s *splitting) refuses(ctx context.Context, b *booking.Booking) (refusal, error) {
	if v := booking.Validate(b); len(v) > 0 {
		return refusalOf(&booking.InvalidError{Booking: b.ID, Violations: v}), nil
	}
	conflicts, err := s.tx.Conflicts(ctx, nil, b)
	if err != nil || len(conflicts) == 0 {
		return refusal{}, err
	}
	return refusalOf(booking.Overlapped(b.ID, conflicts)), nil
}

// leave leaves the item as it is, without a booking, and says so.
func (s *splitting) leave(ctx context.Context, mail string, not refusal) error {
	l := store.Link{Tenant: s.row.Tenant, Person: s.row.Person, Booking: s.booking.ID, Ref: s.row.Ref}
	detail := fmt.Sprintf("the series was split in the calendar (\"this and following\"), and what follows from %s on cannot be booked: %s. No room is held for it: "+
		"book it otherwise, and delete this item once that has its own", s.item.Event.Start.Format(time.DateOnly), not.listed)
	if err := s.engine.differ(ctx, s.tx, &pair{link: l}, copyLeftAlone, detail); err != nil {
		return err
	}
	if err := s.engine.mailOnError(ctx, s.tx, &l, mailNews{mail, not.why}); err != nil {
		return err
	}
	return s.tx.PutSplit(ctx, s.row)
}

// rooms has the copies of the meeting in the calendars of its rooms looked at again: they belonged to the first series, if they
// were settled already.
func (s *splitting) rooms(ctx context.Context) error {
	rows, err := s.tx.RoomItemsByUID(ctx, s.row.Tenant, s.item.Event.UID)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if isPlaceholder(r) || r.Booking != s.booking.ID {
			continue
		}
		r.Booking, r.Role, r.Base, r.Answer, r.Reason, r.Due = "", store.RoomNew, nil, "", "", s.engine.now()
		if err := s.tx.PutRoomItem(ctx, r); err != nil {
			return err
		}
		if err := s.tx.MarkDirty(ctx, r.Tenant, r.Room, zeroTime); err != nil {
			return err
		}
	}
	return nil
}

// remark gives the item of a link the link's own markers where it bears another booking's, or none. Nothing else is written, and
// nobody is mailed. It returns the link and the item as they are then.
func (e *Engine) remark(ctx context.Context, p *pass, l store.Link, item *calendar.Item) (store.Link, *calendar.Item, error) {
	if item == nil || l.State != store.LinkLive || !wantsMarks(l, item) {
		return l, item, nil
	}
	e.Failpoint("remark:planned")
	res, err := e.apply(ctx, p, calendar.Mutation{
		Op: calendar.Update, Mailbox: p.mailbox, Key: l.Key, ForeignKey: l.Booking, Remark: true, Ref: item.Ref, IfRevision: item.Revision,
	})
	if err != nil {
		return l, item, fmt.Errorf("mark the item of booking %q: %w", l.Booking, err)
	}
	p.carried, p.advanced = true, true
	e.Failpoint("remark:applied")
	marked := *item
	marked.Ref, marked.Revision, marked.Key, marked.ForeignKey = res.Item.Ref, res.Item.Revision, res.Item.Key, res.Item.ForeignKey
	what, why := "item marked", "it bore the marker of another booking"
	if item.Key == "" && item.ForeignKey == "" {
		why = "a room was invited to it: it is known by more than its reference now"
	}
	if marked.Key != l.Key {
		what = "item not marked" // by a backend of before there was such a thing: it is known by its reference
	}
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		now, found, err := tx.Link(ctx, l.Tenant, l.Key)
		if err != nil || !found || now.State == store.LinkDead || now.Ref != l.Ref {
			return err
		}
		now.Ref, now.Revision = marked.Ref, marked.Revision
		if err := tx.PutLink(ctx, now); err != nil {
			return err
		}
		l = now
		return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, what, why)
	})
	e.Failpoint("remark:recorded")
	return l, &marked, err
}

// wantsMarks reports whether the item of a link bears the marker of another booking, or none though its booking came from a room that
// was invited to it. One that was split off before the foreign marker was written bears the other one's key alone. Other items that bear
// none, such as those found by their content, are left as they are.
func wantsMarks(l store.Link, item *calendar.Item) bool {
	switch {
	case item.ReadOnly:
		return false
	case item.ForeignKey != "":
		return item.ForeignKey != l.Booking
	case item.Key != "":
		return item.Key != l.Key
	}
	return l.UID != "" && l.Booking == bookingOfMeeting(l.UID)
}
