package plan

import (
	"slices"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// inMail are the fields that a mail shows of a meeting, so that a server which is to tell of anything else tells all who are invited of them.
const inMail = calendar.FieldSubject | calendar.FieldBody

// Apart returns what an item becomes of which nobody is to be told, apart from the rest: told are the fields of which those invited hear. It
// is what changes of the series, and of occurrences, that nothing is told of while others of them are; and of what only those hear who are
// added or taken off. The fields are those in which that differs from the item, none if it can go with the rest: of what is told of anyway
// the mail may show everything.
func Apart(item, target Fields, told calendar.Fields) (Fields, calendar.Fields) {
	if !item.invitesAnybody() {
		return item, 0 // who would hear anything
	}
	apart := func(differ calendar.Fields) calendar.Fields {
		switch news := differ & told; {
		case news == 0:
			return differ
		case news == calendar.FieldAttendees && differ.Any(inMail):
			return differ &^ told
		}
		return 0
	}
	series := differPlainly(item, target)
	silent, heard := apart(series), series&told != 0
	if clockDiffers(item, target, true) != 0 {
		silent, heard = 0, true
	}
	is, be, days := item.byDay(), target.byDay(), item.byDay()
	for day := range both(is, be) {
		x, y := is[day], be[day]
		if x.Skipped || y.Skipped {
			heard = heard || x.Skipped != y.Skipped
			continue
		}
		differ := differingOwn(x, y)
		heard = heard || differ&told != 0
		if which := apart(differ); which != 0 {
			days[day] = mixed(x, y, which)
		}
	}
	if !heard {
		return item, 0
	}
	first := takePlainly(item, target, silent).excepted(days)
	return first, Diff(item, first)
}

// invitesAnybody reports whether anybody is invited to an item, or to one occurrence of it.
func (f Fields) invitesAnybody() bool {
	return f.invites() || slices.ContainsFunc(f.Exceptions, func(x Exception) bool { return x.Is != nil && x.Is.invites() })
}
