package plan

import (
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// texts are the fields in which people write what they like.
const texts = calendar.FieldSubject | calendar.FieldBody | calendar.FieldLocation

// Withheld returns the fields of f that other systems are not to have where private items are busy blocks: none unless it is
// private or confidential, else its texts. Whom it invites needs to know to what and where, so that only the body is withheld
// then. A series is private, and invites, as soon as one of its occurrences is or does. f must be canonical.
func Withheld(f Fields) calendar.Fields {
	private, invites := f.Class == calendar.Private || f.Class == calendar.Confidential, len(f.Attendees) > 0
	for _, x := range f.Exceptions {
		if x.Skipped || x.Is == nil {
			continue
		}
		private = private || x.Own.Any(calendar.FieldClass) && (x.Is.Class == calendar.Private || x.Is.Class == calendar.Confidential)
		invites = invites || x.Own.Any(calendar.FieldAttendees) && len(x.Is.Attendees) > 0
	}
	switch {
	case !private:
		return 0
	case invites:
		return calendar.FieldBody
	}
	return texts
}

// Outcome returns what both sides will say once in is decided on and nothing is refused. There must be a booking.
func Outcome(in Input) Fields {
	if d := Plan(in); d.BookingFields != 0 {
		return d.Booking
	}
	return *in.Booking
}

// Veil returns in with the booking as its calendar is shown it, which is without its own words in the fields which. What the
// item says in these fields is then either words that the booking has, or had when both agreed: they are to give way to what is
// shown. Or it is something else: that is its owner's, so that it is taken for what is shown, and is neither carried to the
// booking nor written over. An item that was never agreed on has only its owner's words. Fields must be canonical.
func Veil(in Input, shown Fields, which calendar.Fields) Input {
	if which &= texts &^ in.Omits; which == 0 || in.Booking == nil {
		return in
	}
	v := veiling{real: *in.Booking, shown: shown, base: in.Base, sent: in.Sent}
	in.Booking = &shown
	if in.Base != nil {
		base := *in.Base
		base.Unsaid &^= which
		in.Base = &base
	}
	if in.Item == nil {
		if in.Base != nil { // what is not shown is no reason to make an item again that was deleted
			*in.Base = redressed(*in.Base, shown, which)
		}
		return in
	}
	item := *in.Item
	var ours calendar.Fields
	for _, f := range split(which) {
		if in.Base != nil && v.knows(item, f) {
			ours |= f
		}
	}
	said := item
	if item = redressed(redressed(item, shown, which&^ours), said, ours); in.Base != nil {
		*in.Base = redressed(redressed(*in.Base, shown, which&^ours), said, ours)
	}
	v.days(&in, said, &item, which)
	in.Item = &item
	return in
}

// redressed returns f with the fields which of from, also where occurrences of f say otherwise.
func redressed(f, from Fields, which calendar.Fields) Fields {
	if which == 0 {
		return f
	}
	days := f.byDay()
	for day, x := range days {
		if !x.Skipped {
			days[day] = mixed(x, Exception{}, which)
		}
	}
	return takePlainly(f, from, which).excepted(days)
}

// veiling is what Veil knows words by.
type veiling struct {
	real, shown Fields
	base, sent  *Fields
}

// knows reports whether the words of is in the field f are the booking's.
func (v veiling) knows(is Fields, f calendar.Fields) bool {
	return differPlainly(is, v.real)&f == 0 || v.base != nil && v.base.Unsaid&f == 0 && differPlainly(is, *v.base)&f == 0 ||
		v.sent != nil && differPlainly(is, *v.sent)&f == 0
}

// days is Veil for the occurrences that have words of their own in said. What they inherit is the series'.
func (v veiling) days(in *Input, said Fields, item *Fields, which calendar.Fields) {
	if said.Recurrence == "" {
		return
	}
	told, now := said.byDay(), item.byDay()
	var base, booked, was, sent days
	booked = v.real.byDay()
	if in.Base != nil {
		base, was = in.Base.byDay(), v.base.byDay()
	}
	if v.sent != nil {
		sent = v.sent.byDay()
	}
	for day, x := range told {
		own := x.Own & which
		if x.Skipped || own == 0 {
			continue
		}
		var ours calendar.Fields
		for _, f := range split(own) {
			if in.Base != nil && (v.knows(*x.Is, f) || says(booked, day, x, f) || says(was, day, x, f) || says(sent, day, x, f)) {
				ours |= f
			}
		}
		if ours == 0 {
			continue
		}
		now[day] = mixed(orNew(now[day], x.Occurrence), x, ours)
		if b := base[day]; !b.Skipped {
			base[day] = mixed(orNew(b, x.Occurrence), x, ours)
		}
	}
	*item = item.excepted(now)
	if in.Base != nil {
		*in.Base = in.Base.excepted(base)
	}
}

// says reports whether the exception of a day has the same words in the field f as x.
func says(d days, day time.Time, x Exception, f calendar.Fields) bool {
	y, is := d[day]
	return is && !y.Skipped && y.Own.Any(f) && differPlainly(*x.Is, *y.Is)&f == 0
}

func orNew(x Exception, at time.Time) Exception {
	if x.Is == nil {
		return Exception{Occurrence: at}
	}
	return x
}

// Spared returns f, which is to be written to an item, with its owner's words: those fields of which in which planned, the item
// as Veil has it, is not as said, the item as it is.
func Spared(f, said, planned Fields, which calendar.Fields) Fields {
	own := differPlainly(said, planned) & which
	out := takePlainly(f, said, own)
	if f.Recurrence == "" {
		return out
	}
	days, told, now := f.byDay(), said.byDay(), planned.byDay()
	for day, x := range told {
		if kept := x.Own & which & differingOwn(x, now[day]); !x.Skipped && kept != 0 && !days[day].Skipped {
			days[day] = mixed(orNew(days[day], x.Occurrence), x, kept)
		}
	}
	return out.excepted(days)
}

// split returns the texts in f one by one.
func split(f calendar.Fields) []calendar.Fields {
	var out []calendar.Fields
	for _, one := range [...]calendar.Fields{calendar.FieldSubject, calendar.FieldBody, calendar.FieldLocation} {
		if f.Any(one) {
			out = append(out, one)
		}
	}
	return out
}
