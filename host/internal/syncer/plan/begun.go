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

// uninvited reports whether a series is being written that nobody is invited to until its exceptions are there.
func uninvited(in Input, base, item Fields) bool {
	return in.Sent != nil && in.Sent.invites() && !base.invites() && !item.invites()
}

// asSent reports whether an exception of item has the guests that were sent, of the series or of the occurrence.
func asSent(in Input, item Fields, x, sent Exception) bool {
	is := item.Occurrence(x)
	return differPlainly(is, *in.Sent)&guests == 0 || !sent.Skipped && differPlainly(is, in.Sent.Occurrence(sent))&guests == 0
}
