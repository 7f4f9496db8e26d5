package plan

import "github.com/roomwire/roomwire/sdk/calendar"

// guests are the fields of those who are invited.
const guests = calendar.FieldAttendees | calendar.FieldResources

func (f Fields) invites() bool { return len(f.Attendees)+len(f.Resources) > 0 }

// Begun returns what both sides agreed on of a series that was sent to be made, when item is found that bears its key: what was sent,
// but for guests that come later than the rest and that the item does not have. unsent: it has not been sent to anybody, which is why
// it has none. So they are still to be brought to the item, as news, and are nobody's edit.
func Begun(sent, item Fields, unsent bool) Fields {
	if sent.Recurrence == "" {
		return sent
	}
	days, told := sent.byDay(), item.byDay()
	for day, x := range days {
		if x.Own.Any(guests) && (unsent || !told[day].Own.Any(guests)) {
			days[day] = mixed(x, Exception{}, guests)
		}
	}
	if unsent {
		sent.Attendees, sent.Resources = nil, nil
	}
	return sent.excepted(days)
}

// Learned returns what both sides last agreed on, with what of in.Sent has got to the item by now: when that was sent the booking said it,
// so that it is nobody's edit, and a booking that says something else since has been changed. What is sent next may then take the place of
// what was sent.
func Learned(in Input) *Fields {
	if in.Sent == nil || in.Item == nil {
		return in.Base
	}
	got := Input{Base: in.Base, Booking: in.Sent, Item: in.Item, Omits: in.Omits}
	base := Agreed(got, differing(*in.Sent, *in.Item, in.Omits))
	if base == nil || in.Base == nil || base.Recurrence == "" || in.Omits.Any(calendar.FieldRecurrence|guests) {
		return base
	}
	days := base.byDay()
	if !in.Sent.Once && in.Item.Recurrence == "" && in.Sent.Recurrence != "" && sameStart(*in.Item, *in.Sent) {
		*base = takePlainly(*base, *in.Sent, calendar.FieldTime) // its rule is to come back
	}
	if in.Sent.invites() && !in.Base.invites() {
		in.asInvited(days)
	}
	*base = base.excepted(days)
	return base
}

// asInvited has the exceptions of a base say what the item does of those that were sent with a series that nobody was invited to until
// then: they have the guests of the series, or none, until they get theirs.
func (in Input) asInvited(days days) {
	sent, told := in.Sent.byDay(), in.Item.byDay()
	for day := range both(days, sent, told) {
		x, s := told[day], sent[day]
		if x.Skipped || days[day].Skipped {
			continue
		}
		is := in.Item.Occurrence(x)
		if differPlainly(is, *in.Sent)&guests != 0 && (s.Skipped || differPlainly(is, in.Sent.Occurrence(s))&guests != 0) {
			continue
		}
		which := guests
		if differ := differingOwn(x, s) &^ (in.Omits | guests); !s.Skipped && differ&^calendar.FieldBody == 0 {
			which = own &^ differ
		}
		days[day] = mixed(days[day], x, which)
	}
}
