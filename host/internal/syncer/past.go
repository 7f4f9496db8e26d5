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

// Nobody is mailed about a meeting that is over: a mailbox that could not be reached for days would tell of every one of them when it is back.
// Over is what is so by what those invited would be told now and by what they were told last: they do hear of a meeting that was put off from
// the past into the future, and of one that was to come and is none any more. What a person asked for is done as that person asked.

// past reports whether a booking is over.
func (e *Engine) past(b *booking.Booking) bool {
	_, end := booking.Span(b)
	return !end.After(e.now())
}

// hush finds out whether what a step is about is over, and has nobody told of it then.
func (e *Engine) hush(ctx context.Context, tx *store.Tx, s *step) error {
	if s.pair.meant || bytes.Equal(s.link.Held, mailAllowed) { // what came since says it no more
		return nil
	}
	over, err := e.isOver(ctx, tx, &s.pair)
	if err != nil || !over {
		return err
	}
	s.over, s.intent.Mail = true, calendar.MailNobody
	return nil
}

// isOver reports whether a pair is over by everything that is known of it: the booking, unless it no longer stands, what both sides last agreed
// on, and the item.
func (e *Engine) isOver(ctx context.Context, tx *store.Tx, p *pair) (bool, error) {
	if p.booking != nil && !e.past(p.booking) {
		return false, nil
	}
	zone, known := "", p.booking != nil
	if known {
		zone = p.booking.Zone
	}
	base, err := loadFields(p.link.Base)
	if err != nil {
		return false, fmt.Errorf("link %q: %w", p.link.Key, err)
	}
	told := []*plan.Fields{base}
	if p.item != nil && !p.item.Omits.Any(calendar.FieldTime|calendar.FieldRecurrence) {
		f, err := fieldsOfItem(ctx, tx, p.link.Tenant, p.person.Email, &p.item.Event)
		if err != nil {
			return false, err
		}
		told = append(told, &f)
	}
	for _, f := range told {
		if f == nil || f.End.IsZero() {
			continue
		}
		if known = true; !e.past(timesOf(f, zone)) {
			return false, nil
		}
	}
	return known, nil
}

// timesOf returns a booking that takes place when f says; zone is that of days for which f names none.
func timesOf(f *plan.Fields, zone string) *booking.Booking {
	b := &booking.Booking{Start: f.Start, End: f.End, AllDay: f.AllDay, Zone: f.Zone, Recurrence: f.Recurrence}
	if b.Zone == "" {
		b.Zone = zone
	}
	for _, x := range f.Exceptions {
		if x.Skipped {
			b.Exceptions = append(b.Exceptions, booking.Exception{Occurrence: x.Occurrence, Skipped: true})
			continue
		}
		is := f.Occurrence(x)
		b.Exceptions = append(b.Exceptions, booking.Exception{Occurrence: x.Occurrence, Start: &is.Start, End: &is.End, AllDay: &is.AllDay})
	}
	return b
}

// recordedLate reports whether a booking was over already when it was made, so that whoever made it wants what took place to be recorded. Its
// item is made, in silence.
func recordedLate(b *booking.Booking) bool {
	_, end := booking.Span(b)
	return !end.After(b.Created)
}

// leaveUnmade lets go of a link whose item would be made only now that it is over: what takes place no more is not put into a calendar, as
// it is not when a person's sync is switched on. Should the booking be moved to a time to come, it is linked again.
func (e *Engine) leaveUnmade(ctx context.Context, tx *store.Tx, l *store.Link) error {
	sent := l.Sent
	if err := e.bury(ctx, tx, l); err != nil {
		return err
	}
	l.Sent = sent // an item may be on the way
	if err := tx.PutLink(ctx, *l); err != nil {
		return err
	}
	return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item not made", "the booking was over before its item could be made")
}

// leaveOver lets the item of a booking stay that no longer stands, and that is over: the calendar cannot remove it without mail, and nobody
// needs to decide about what took place. It reports whether it did: where the booking stands again, its items would be two.
func (e *Engine) leaveOver(ctx context.Context, p *pass, s step) (left bool, err error) {
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		left = false
		l, found, err := tx.Link(ctx, s.link.Tenant, s.link.Key)
		if err != nil || !found || l.State != store.LinkDeleting {
			left = err == nil
			return err
		}
		b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
		if err != nil || found && b.Status == booking.Confirmed && b.Organizer == l.Person {
			return err
		}
		left = true
		l.Problem, l.Ref, l.Revision = "", "", ""
		if err := e.bury(ctx, tx, &l); err != nil {
			return err
		}
		if l.Sent = l.Base; len(l.Sent) == 0 { // should the booking come back, the item is looked for
			l.Sent = unknownSent
		}
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
		if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, itemNotDeleted); err != nil {
			return err
		}
		return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item let go",
			"it is over, and the calendar cannot remove it without mailing those invited; it stays in the past ("+s.intent.Cause+")")
	})
	return left, err
}
