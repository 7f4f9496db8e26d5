package plan

import (
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// Input is everything a decision rests on. Fields must be canonical.
type Input struct {
	Base    *Fields // what both sides last agreed on; nil if they never did
	Booking *Fields // nil: cancelled
	Item    *Fields // nil: the calendar says explicitly that it is gone
	// Omits are the fields of Item that mean nothing: they are no change, and nothing to be written.
	Omits calendar.Fields
	// Sent is what was being written to the item as a series when that was last begun, and nobody knows how far it got; nil if
	// everything is known. What the item says in part of it is nobody's edit.
	Sent *Fields
	// Placed are occurrences of the item's series that have another place than the series for a reason, though it may be only the
	// series that was given another one: where the booking takes that over, it takes theirs.
	Placed []time.Time
	// Reset: the booking prevails in everything (rollback), also over a deletion.
	Reset bool
}

// Side is one of the two.
type Side string

// The sides.
const (
	BookingSide  Side = "booking"
	CalendarSide Side = "calendar"
)

// A Loss is an edit that a decision does not carry out. It is shown to a person, never dropped silently.
type Loss struct {
	Side    Side            // whose edit
	Fields  calendar.Fields // which fields; zero if it was a deletion
	Deleted bool
	// Occurrence is that of a series which it concerns: when the rule has it start; zero if it is not about a single one.
	Occurrence time.Time
	// News: the item says these fields for the first time, or again, so nobody knows whether they were edited.
	News bool
}

// A Decision is what must happen. At most one of CreateItem, ItemFields, DeleteItem is set; at most one of
// BookingFields, CancelBooking.
type Decision struct {
	CreateItem bool            // make the item as Item says
	ItemFields calendar.Fields // write these fields of Item
	// Repaired are those of ItemFields that nobody changed in the booking: the item lacks them because its calendar did
	// not keep them before. They are nobody's news.
	Repaired   calendar.Fields
	Item       Fields // for CreateItem and ItemFields
	DeleteItem bool

	BookingFields calendar.Fields // change these fields of the booking to those of Booking
	Booking       Fields
	CancelBooking bool

	Unlink bool // both are over: forget the pair
	// Base is what both sides agree on when every effect has happened; nil if the pair is over.
	Base *Fields
	Lost []Loss
}

// Idle reports whether nothing is to be done to either side.
func (d Decision) Idle() bool {
	return !d.CreateItem && d.ItemFields == 0 && !d.DeleteItem && d.BookingFields == 0 && !d.CancelBooking && !d.Unlink
}

// Plan decides. Edits of one side are carried to the other; where both sides edited the same group of fields the
// booking prevails and the calendar's edit is a Loss. An edit of the booking beats a deletion of the item; the
// cancellation of the booking beats an edit of the item. The body is the exception: it goes from booking to item
// only, and never over a text that was changed in the calendar.
//
// What the item omits is in no decision. Once it says a field that is unsaid in the base, the booking prevails in that
// field, whatever becomes of its group: the two sides did not agree on it, so the item is no witness of an edit. An item
// that says what it last said, or nothing where it never said anything, was only not written to: that is no Loss.
//
// The time of a series and its rule are one group; its exceptions are merged one occurrence at a time, by the same groups,
// and stay with the occurrences that another time or rule leaves, by their dates.
func Plan(in Input) Decision {
	switch {
	case in.Booking == nil && in.Item == nil:
		return Decision{Unlink: true}
	case in.Booking == nil:
		return cancelled(in)
	case in.Item == nil:
		return gone(in)
	case in.Reset, in.Base == nil:
		return prevail(in)
	case untouched(in):
		agreed := *in.Booking
		return Decision{Base: &agreed}
	default:
		return merge(in)
	}
}

// Yield decides that the booking takes over what the item says. There must be both. The text stays: it goes from booking to
// item only.
func Yield(in Input) Decision {
	differ := differing(*in.Booking, *in.Item, in.Omits) &^ calendar.FieldBody
	d := Decision{BookingFields: differ}
	if differ != 0 {
		d.Booking = take(*in.Booking, *in.Item, differ)
	}
	return d
}

// Compare returns which fields each side changed since both agreed, and in which they differ. There must be both sides and
// a base. A field that is unsaid in the base is compared with what the item last said.
func Compare(in Input) (byBooking, byItem, differ calendar.Fields) {
	heard := in.Base.heard()
	return differing(heard, *in.Booking, in.Omits), differing(heard, thrown(in), in.Omits), differing(*in.Booking, *in.Item, in.Omits)
}

func cancelled(in Input) Decision {
	d := Decision{DeleteItem: true}
	if in.Base != nil {
		if edited := differing(in.Base.heard(), thrown(in), in.Omits) &^ calendar.FieldBody; edited != 0 {
			d.Lost = []Loss{{Side: CalendarSide, Fields: edited}}
		}
	}
	return d
}

func gone(in Input) Decision {
	create := Decision{CreateItem: true, Item: *in.Booking, Base: in.Booking}
	switch {
	case in.Reset, in.Base == nil:
		return create
	case Diff(*in.Base, *in.Booking) == 0:
		return Decision{CancelBooking: true}
	default:
		create.Lost = []Loss{{Side: CalendarSide, Deleted: true}}
		return create
	}
}

// prevail makes the item as the booking, whatever it says. Without a base nobody knows who edited what, so what the
// item says otherwise is a Loss.
func prevail(in Input) Decision {
	differ := differing(*in.Booking, *in.Item, in.Omits) &^ calendar.FieldBody
	d := Decision{ItemFields: differ, Base: Agreed(in, 0)}
	if differ == 0 {
		return d
	}
	d.Item = take(*in.Item, *in.Booking, differ)
	if !in.Reset {
		d.Lost = []Loss{{Side: CalendarSide, Fields: differ}}
	}
	return d
}

// untouched reports whether both sides say what they agreed on, and everything is known: as it is nearly always when an item
// is read. Merging would come to the same, but goes through every occurrence of a series a dozen times.
func untouched(in Input) bool {
	return in.Omits == 0 && in.Base.Unsaid == 0 && in.Sent == nil && Diff(*in.Base, *in.Booking) == 0 && Diff(*in.Booking, *in.Item) == 0
}

func merge(in Input) Decision {
	byBooking, byItem, differ := Compare(in)
	news := in.Base.Unsaid & differ &^ calendar.FieldBody
	d := Decision{ItemFields: news, Repaired: news &^ Diff(*in.Base, *in.Booking)}
	if lost := byItem & news; lost != 0 {
		d.Lost = append(d.Lost, Loss{Side: CalendarSide, Fields: lost, News: true})
	}
	for _, g := range groups {
		g &= differ &^ in.Base.Unsaid // what both changed alike is agreed on, and nobody's edit against the other
		switch b, i := byBooking&g, byItem&g; {
		case g == 0: // equal: nothing to carry, whoever changed it
		case i == 0:
			d.ItemFields |= g
		case b == 0:
			d.BookingFields |= g
		default:
			d.ItemFields |= g
			d.Lost = append(d.Lost, Loss{Side: CalendarSide, Fields: i})
		}
	}
	merged := mergeSeries(in, take(*in.Booking, *in.Item, d.BookingFields), &d)
	if d.ItemFields.Any(calendar.FieldRecurrence) && !byBooking.Any(clock) {
		d.Repaired |= calendar.FieldRecurrence // the server threw it away
	}
	if byBooking.Any(calendar.FieldBody) && differ.Any(calendar.FieldBody) {
		if byItem.Any(calendar.FieldBody) {
			d.Lost = append(d.Lost, Loss{Side: BookingSide, Fields: calendar.FieldBody})
		} else {
			d.ItemFields |= calendar.FieldBody
		}
	}
	agreed := *in.Booking
	if d.BookingFields != 0 {
		d.Booking = take(*in.Booking, merged, d.BookingFields)
		agreed = d.Booking
	}
	if d.ItemFields != 0 {
		d.Item = take(*in.Item, merged, d.ItemFields)
	}
	d.Base = Agreed(Input{Base: in.Base, Booking: &agreed, Item: in.Item, Omits: in.Omits}, 0)
	return d
}
