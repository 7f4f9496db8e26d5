package syncer

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// veiledTitle is what stands in place of the title of a private booking or item that is a busy block on the other side.
const veiledTitle = "Private"

// A veil is what of a pair is not told to the other side.
type veil struct {
	which calendar.Fields
	said  plan.Fields // the item as it is
	item  plan.Fields // the item as it is planned with
}

// withheld returns which fields of what is said the other side is not to have.
func (e *Engine) withheld(tenant string, said plan.Fields) calendar.Fields {
	if !e.PrivateBusy(tenant) {
		return 0
	}
	return plan.Withheld(said)
}

// shownFields returns what b's item should say, as far as calendars may have it.
func (e *Engine) shownFields(ctx context.Context, p people, b *booking.Booking) (plan.Fields, error) {
	f, err := fieldsOfBooking(ctx, p, b)
	if err != nil {
		return f, err
	}
	which := e.withheld(b.Tenant, f)
	if which == 0 {
		return f, nil
	}
	return fieldsOfBooking(ctx, p, veiled(b, which))
}

// veiled returns b without its own words in the fields which.
func veiled(b *booking.Booking, which calendar.Fields) *booking.Booking {
	c := b.Clone()
	if which.Any(calendar.FieldSubject) {
		c.Title = veiledTitle
	}
	if which.Any(calendar.FieldBody) {
		c.Notes = ""
	}
	if which.Any(calendar.FieldLocation) {
		c.Location = ""
	}
	for i := range c.Exceptions {
		x := &c.Exceptions[i]
		if which.Any(calendar.FieldSubject) {
			x.Title = nil
		}
		if which.Any(calendar.FieldBody) {
			x.Notes = nil
		}
		if which.Any(calendar.FieldLocation) {
			x.Location = nil
		}
	}
	return c
}

// draw returns in with a veil over what the sides of p are not to tell each other. outcome is what both will say.
func (e *Engine) draw(ctx context.Context, ppl people, p *pair, in plan.Input, outcome plan.Fields) (plan.Input, error) {
	p.veil = veil{which: e.withheld(p.booking.Tenant, outcome) &^ in.Omits}
	if p.veil.which == 0 {
		return in, nil
	}
	shown, err := fieldsOfBooking(ctx, ppl, veiled(p.booking, p.veil.which))
	if err != nil || in.Item == nil {
		return plan.Veil(in, shown, p.veil.which), err
	}
	p.veil.said = *in.Item
	in = plan.Veil(in, shown, p.veil.which)
	p.veil.item = *in.Item
	return in, nil
}

// unveiled returns what d makes of the booking without the words of which nothing is to be told: those of the booking stay.
func (v veil) unveiled(d plan.Decision) (calendar.Fields, plan.Fields) {
	to := d.Booking
	to.Unsaid = v.which
	return d.BookingFields &^ v.which, to
}

// spared returns what is written to the item where f is wanted: the words of its owner stay.
func (v veil) spared(f plan.Fields) plan.Fields {
	if v.which == 0 {
		return f
	}
	return plan.Spared(f, v.said, v.item, v.which)
}

// undisclosed has b be as an item says in the fields which, but for what is withheld of a private one.
func (e *Engine) undisclosed(ctx context.Context, p people, b *booking.Booking, which calendar.Fields, said plan.Fields) error {
	said.Unsaid = e.withheld(b.Tenant, said)
	if err := applyFields(ctx, p, b, which&^said.Unsaid, &said); err != nil {
		return err
	}
	if b.Title == "" && said.Unsaid.Any(calendar.FieldSubject) {
		b.Title = veiledTitle
	}
	return nil
}
