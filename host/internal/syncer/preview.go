package syncer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// UseRecommended is, for many differences at once, whichever side is recommended for each.
const UseRecommended = "recommended"

// A Resolved is what a resolution does, or would do, to one difference.
type Resolved struct {
	Difference store.Difference
	Use        string // booking, calendar, ignore or check
	// Does says in a sentence what is written, or why nothing is; Fields which fields of the item or booking that changes.
	Does, Fields string
	Mails        []string // addresses that may be mailed; empty: nobody
	Refused      string   // why it cannot be done; empty if it can
}

// ResolveAll carries out one resolution for many differences, each by itself: what is refused for one leaves the others. With
// preview nothing is done: items are read to say what would be. Its error is a fault of our own store.
func (e *Engine) ResolveAll(ctx context.Context, tenant string, ids []int64, r Resolution, preview bool) ([]Resolved, error) {
	out := make([]Resolved, 0, len(ids))
	for _, id := range ids {
		one, err := e.preview(ctx, tenant, id, r)
		if err == nil && one.Refused == "" && !preview {
			err = e.Resolve(ctx, tenant, id, Resolution{Use: one.Use, Mail: r.Mail})
		}
		if err != nil {
			if one.Refused = refusalIn(err); one.Refused == "" {
				return out, err
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// refusalIn returns the sentence of an error that is about one difference; empty for a fault of our own.
func refusalIn(err error) string {
	if errors.Is(err, booking.ErrNotFound) {
		return strings.TrimSuffix(err.Error(), ": "+booking.ErrNotFound.Error())
	}
	if i, is := errors.AsType[*booking.InvalidError](err); is {
		return i.Violations[0].Reason
	}
	if o, is := errors.AsType[*booking.OverlapError](err); is {
		return o.Error()
	}
	return ""
}

func (e *Engine) preview(ctx context.Context, tenant string, id int64, r Resolution) (Resolved, error) {
	out := Resolved{Difference: store.Difference{ID: id}, Use: r.Use}
	d, err := e.openDifference(ctx, tenant, id)
	if err != nil {
		return out, err
	}
	out.Difference = d
	if r.Use == UseRecommended {
		if d.Recommend != store.SideBooking && d.Recommend != store.SideCalendar {
			out.Refused = "neither side is recommended: " + d.Why
			return out, nil
		}
		r.Use, out.Use = string(d.Recommend), string(d.Recommend)
	}
	switch r.Use {
	case CheckAgain:
		out.Does = "both sides are compared anew"
		return out, nil
	case UseNeither:
		out.Does = "both sides stay as they are"
		return out, nil
	}
	if out.Refused = undecided(d, r); out.Refused != "" {
		return out, nil
	}
	if out.Refused, err = e.onlyShadow(ctx, d); err != nil || out.Refused != "" {
		return out, err
	}
	if d.Kind == mailHeldBack && r.Use == UseBooking && !r.Mail {
		out.Refused = "to write the item mails its attendees: say that this is meant"
		return out, nil
	}
	b, found, err := e.Store.Booking(ctx, d.Tenant, d.Booking)
	if err != nil {
		return out, err
	}
	if !found {
		b = nil
	}
	if r.Use == UseCalendar {
		return out, e.previewCalendar(ctx, &out, b)
	}
	return out, e.previewBooking(ctx, &out, b, r.Mail)
}

func (e *Engine) previewBooking(ctx context.Context, out *Resolved, b *booking.Booking, mail bool) error {
	d := out.Difference
	l, linked, err := linkOf(ctx, e.Store, d)
	if err != nil {
		return err
	}
	fields := calendar.Fields(0)
	switch {
	case ofItem(d), linked && l.State == store.LinkDeleting:
		out.Does, fields = "the item is removed from the calendar", calendar.FieldTime
	case d.Kind == itemMissing:
		out.Does, fields = "the item is made in the calendar", calendar.FieldTime
	case !linked || b == nil || b.Status != booking.Confirmed:
		out.Refused = "the booking is over, or has no item any more"
		return nil
	default:
		pr := pair{link: l, booking: b}
		in, err := e.bothSides(ctx, d, &pr)
		if err != nil {
			return err
		}
		fields = plan.Diff(*in.Booking, *in.Item) &^ in.Omits &^ calendar.FieldBody
		out.Fields, out.Does = inWords(fields), "the item takes what the booking says"
		if fields == 0 {
			out.Does = "both sides say the same: nothing is written"
		}
	}
	if mail && b != nil {
		out.Mails = mailed(b, concerned(fields))
	}
	return nil
}

// mailed returns who may be mailed of a write to a booking's item.
func mailed(b *booking.Booking, audience calendar.Mail) []string {
	if audience == calendar.MailNobody {
		return nil
	}
	list := make([]string, 0, len(b.Attendees))
	for _, a := range b.Attendees {
		list = append(list, a.Email)
	}
	return list
}

func (e *Engine) previewCalendar(ctx context.Context, out *Resolved, b *booking.Booking) error {
	d := out.Difference
	l, linked, err := linkOf(ctx, e.Store, d)
	switch {
	case err != nil:
		return err
	case ofItem(d) && b == nil:
		out.Refused = "the booking is not known here: make it in the booking system, or use the booking to have the item removed"
		return nil
	case ofItem(d):
		out.Does = "the booking stands again, as its item says"
		return nil
	case d.Kind == itemMissing:
		out.Does = "the booking is cancelled"
		return nil
	case linked && l.State == store.LinkDeleting:
		out.Does = "the item stays in the calendar; the booking stays cancelled"
		return nil
	case !linked || b == nil || b.Status != booking.Confirmed:
		out.Refused = "the booking is over, or has no item any more"
		return nil
	}
	pr := pair{link: l, booking: b}
	in, err := e.bothSides(ctx, d, &pr)
	if err != nil {
		return err
	}
	decision := plan.Yield(in)
	if d.Kind == editLost && same(in) {
		out.Refused = lostForGood
		return nil
	}
	out.Fields, out.Does = inWords(decision.BookingFields), "the booking takes what the item says"
	if decision.BookingFields == 0 {
		out.Does = "both sides say the same: nothing is written"
		return nil
	}
	err = e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		why, err := e.wouldRefuse(ctx, tx, &pr, decision)
		if err != nil {
			return err
		}
		if why != "" {
			out.Refused = "the booking's rules do not allow what the calendar says: " + why
		}
		return errLooked
	})
	if errors.Is(err, errLooked) {
		return nil
	}
	return err
}

// lostForGood is why an edit that lost cannot be taken into the booking after all.
const lostForGood = "both sides say the same by now, and what was lost is not kept: enter it again, or ignore this"

// same reports whether booking and item say the same, apart from what the calendar omits and from texts.
func same(in plan.Input) bool {
	return plan.Diff(*in.Booking, *in.Item)&^in.Omits&^calendar.FieldBody == 0
}

// bothSides reads what a booking and its item say now.
func (e *Engine) bothSides(ctx context.Context, d store.Difference, p *pair) (plan.Input, error) {
	var in plan.Input
	l, b := p.link, p.booking
	item, err := e.itemOf(ctx, d, l)
	if err != nil {
		return in, err
	}
	person, _, err := e.Store.Person(ctx, l.Tenant, l.Person)
	if err != nil {
		return in, err
	}
	of, err := fieldsOfBooking(ctx, e.Store, b)
	if err != nil {
		return in, err
	}
	said, err := fieldsOfItem(ctx, guestsOf(e.Store, b, &item.Event), l.Tenant, person.Email, &item.Event)
	if err != nil {
		return in, fmt.Errorf("the item of booking %q: %w", b.ID, err)
	}
	in.Booking, in.Item, in.Omits = &of, &said, item.Omits
	return e.draw(ctx, e.Store, p, in, taken(in))
}
