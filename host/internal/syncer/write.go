package syncer

import (
	"context"
	"fmt"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func (e *Engine) createItem(ctx context.Context, p *pass, s step) error {
	e.Failpoint("create:intent-stored")
	mail := s.intent.Mail
	if mail == calendar.MailConcerned {
		mail = calendar.MailAll // nobody was ever invited by this item
	}
	res, err := e.apply(ctx, p, calendar.Mutation{
		Op: calendar.Create, Mailbox: p.mailbox, Key: s.link.Key, First: s.first, ForeignKey: s.link.Booking, Event: s.event, Mail: mail,
	})
	if err != nil {
		return fmt.Errorf("create the item of booking %q: %w", s.link.Booking, err)
	}
	p.carried, p.advanced = true, true
	e.Failpoint("create:applied")
	if res.Repeated {
		stands, err := standsFor(ctx, e.Store, s.link, &res.Item)
		if err != nil {
			return ours(err)
		}
		if !stands || res.Item.Event.Cancelled {
			return e.rekey(ctx, p, s)
		}
		return errStale // an earlier try got through: it is found by its key and compared with what was sent
	}
	err = e.written(ctx, p, s, &res.Item, "item created")
	e.Failpoint("create:recorded")
	if err == nil && s.roomsLack {
		return errStale // the rooms are still to be brought to it
	}
	return err
}

// rekey gives a booking another link, and so another key, when the item that bears the present one cannot be its item: a
// copy that somebody made, or a meeting called off.
func (e *Engine) rekey(ctx context.Context, p *pass, s step) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		l, found, err := tx.Link(ctx, s.link.Tenant, s.link.Key)
		if err != nil || !found || l.State == store.LinkDead {
			return err
		}
		in, found, err := tx.Intent(ctx, l.Tenant, l.Key)
		if err != nil || !found {
			return err
		}
		if err := e.bury(ctx, tx, &l); err != nil {
			return err
		}
		b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
		if err != nil || !found || b.Status != booking.Confirmed || b.Organizer != l.Person || b.SyncOff {
			return err
		}
		links, err := tx.LinksOfBooking(ctx, l.Tenant, l.Booking)
		if err != nil {
			return err
		}
		return e.link(ctx, tx, b, links, linking{mail: in.Mail, cause: in.Cause})
	})
}

// toSend returns the fields to send to an item of which some differ: with them goes what they mean nothing without.
func toSend(differ calendar.Fields, ev calendar.Event, item *calendar.Item) calendar.Fields {
	if differ.Any(calendar.FieldAttendees | calendar.FieldResources) {
		differ |= calendar.FieldAttendees | calendar.FieldResources // a room may sit among the people
	}
	if ev.Recurrence != "" || item.Event.Recurrence != "" {
		if differ.Any(calendar.FieldRecurrence) && ev.Recurrence != item.Event.Recurrence {
			differ |= calendar.FieldTime
		}
		if differ.Any(calendar.FieldTime) || len(ev.Exceptions) > 0 {
			differ |= calendar.FieldRecurrence // exceptions go when the time changes, and have copies of the rest
		}
	}
	return differ &^ item.Omits
}

// sending returns what is stored of an update before it is made.
func (s *step) sending() ([]byte, error) {
	sent := s.fields
	sent.Once = !s.writes.Any(calendar.FieldRecurrence)
	sent.Ruled, sent.Whole = !s.writes.Any(calendar.FieldTime), !wantsBack(s.pair.item.Event, s.event)
	if knowsSent(s.link) && s.link.Ref != "" {
		former, err := loadFields(s.link.Sent)
		if err != nil {
			return nil, fmt.Errorf("link %q: %w", s.link.Key, err)
		}
		// Its rule may be half written, and this is the rest of that.
		sent.Ruled, sent.Whole = sent.Ruled && (former.Ruled || former.Once), sent.Whole && (former.Whole || former.Once)
	}
	return saveFields(&sent), nil
}

// wantsBack reports whether an occurrence that is left out of a series is to be there again.
func wantsBack(now, next calendar.Event) bool {
	for _, x := range now.Exceptions {
		stays := func(y calendar.OccurrenceException) bool { return y.Event == nil && y.Occurrence.Equal(x.Occurrence) }
		if x.Event == nil && !slices.ContainsFunc(next.Exceptions, stays) {
			return true
		}
	}
	return false
}

func (e *Engine) updateItem(ctx context.Context, p *pass, s step) error {
	e.Failpoint("update:planned")
	m := calendar.Mutation{
		Op: calendar.Update, Mailbox: p.mailbox, Key: s.link.Key, Ref: s.pair.item.Ref, IfRevision: s.pair.item.Revision,
		Event: s.event, Fields: s.writes, Mail: s.intent.Mail,
		Rooms: s.rooms,
	}
	if s.pair.item.Kind == calendar.Master {
		m.Known = &s.pair.item.Event
	}
	if s.pair.item.Key == s.link.Key && s.pair.item.ForeignKey == "" {
		m.ForeignKey = s.link.Booking // a create was cut off before it came to that
	}
	res, err := e.apply(ctx, p, m)
	if err != nil {
		return fmt.Errorf("change the item of booking %q: %w", s.link.Booking, err)
	}
	p.carried, p.advanced = true, true
	e.Failpoint("update:applied")
	what := "item changed"
	if s.pair.reset {
		what = "item reset"
	}
	err = e.written(ctx, p, s, &res.Item, what)
	e.Failpoint("update:recorded")
	return err
}

// written records a write: both sides now say what was sent. What somebody did to the item since is seen by the next
// pull as an edit.
func (e *Engine) written(ctx context.Context, p *pass, s step, item *calendar.Item, what string) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		l, found, err := tx.Link(ctx, s.link.Tenant, s.link.Key)
		if err != nil || !found {
			return err
		}
		if err := e.letGo(ctx, tx, &l); err != nil {
			return err
		}
		l.Ref, l.Revision, l.Sent, l.GoneAt, l.Problem = item.Ref, item.Revision, nil, zeroTime, ""
		if err := e.identified(ctx, tx, l, item.Event.UID); err != nil {
			return err
		}
		if item.Event.UID != "" {
			l.UID = item.Event.UID
		}
		base, err := agreedOn(ctx, tx, l, s, item)
		if err != nil {
			return err
		}
		l.Base, l.Epoch, l.SeenRound = saveFields(base), p.mb.Epoch, p.mb.Round
		if l.State == store.LinkPending || l.State == store.LinkExpected {
			l.State = store.LinkLive
		}
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
		if err := tx.CloseEither(ctx, l.Tenant, l.Booking, fieldsDiffer, itemMissing); err != nil {
			return err
		}
		if s.pair.booking != nil && s.pair.booking.ItemExpected {
			if err := e.arrived(ctx, tx, &l); err != nil {
				return err
			}
		}
		why := s.intent.Cause
		if s.ItemFields != 0 {
			why += ": " + inWords(s.ItemFields)
		}
		if err := e.record(ctx, tx, l.Tenant, l.Person, l.Booking, what, why); err != nil {
			return err
		}
		tx.OnCommit(func() { e.reflected(ToCalendar, p.mode.Name, s.intent.Created) })
		if behind, err := e.behind(ctx, tx, l, s.fields); err != nil {
			return err
		} else if !behind {
			if done, err := tx.FinishIntent(ctx, l.Tenant, l.Key, s.intent.Wanted); err != nil || done {
				return err
			}
		}
		// It was folded meanwhile. The reset is done; what came since is none.
		in, found, err := tx.Intent(ctx, l.Tenant, l.Key)
		if err != nil || !found || in.Op != store.OpReset {
			return err
		}
		return tx.ReviseIntent(ctx, in.Tenant, in.Key, store.OpSync, in.Mail)
	})
}

// behind reports whether a link's booking says something else by now than what was just written, so that whatever is
// intended for it is not done yet. It may be another intent than the one that was carried out: the booking was let go and
// linked again meanwhile.
func (e *Engine) behind(ctx context.Context, tx *store.Tx, l store.Link, written plan.Fields) (bool, error) {
	pr, err := pairUp(ctx, tx, l)
	if err != nil || pr.booking == nil || l.State == store.LinkDead {
		return false, err
	}
	f, err := e.shownFields(ctx, tx, pr.booking)
	return plan.Diff(f, written) != 0, err
}

func (e *Engine) deleteItem(ctx context.Context, p *pass, s step) error {
	e.Failpoint("delete:planned")
	res, err := e.apply(ctx, p, calendar.Mutation{
		Op: calendar.Delete, Mailbox: p.mailbox, Key: s.link.Key, Ref: s.pair.item.Ref, IfRevision: s.pair.item.Revision, Mail: s.intent.Mail,
	})
	if err != nil {
		return fmt.Errorf("delete the item of booking %q: %w", s.link.Booking, err)
	}
	if res.Repeated {
		return errStale // it is not where it was read just now: moved, perhaps, which is found out as if it had not been read
	}
	p.carried, p.advanced = true, true
	e.Failpoint("delete:applied")
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		l, found, err := tx.Link(ctx, s.link.Tenant, s.link.Key)
		if err != nil || !found {
			return err
		}
		l.Problem, l.Ref, l.Revision = "", "", ""
		if l.State != store.LinkDeleting { // taken back meanwhile: it is made anew
			l.Sent = unknownSent
			return tx.PutLink(ctx, l)
		}
		if err := e.bury(ctx, tx, &l); err != nil {
			return err
		}
		if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, itemNotDeleted); err != nil {
			return err
		}
		// What was edited in vain matters no more once the booking is over, but still does if only its organizer changed.
		if b, found, err := tx.Booking(ctx, l.Tenant, l.Booking); err != nil {
			return err
		} else if !found || b.Status != booking.Confirmed {
			if err := tx.CloseDifferencesOfItem(ctx, l.Tenant, l.Booking, s.pair.item.Ref, editLost); err != nil {
				return err
			}
		}
		return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item deleted", s.intent.Cause)
	})
	e.Failpoint("delete:recorded")
	return err
}
