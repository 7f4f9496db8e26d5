package backendtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func freeBusyChecks() []check {
	return []check{
		{
			name: "AnswersForEachInOrder", section: "FreeBusy", needs: freeBusy,
			rule: "FreeBusy gives one answer for each address, in their order. What the server says of one of them is that one's alone.",
			do: func(c *checking) {
				var addresses []string
				for _, m := range c.Mailboxes {
					addresses = append(addresses, m.Address)
				}
				if c.Absent != nil {
					addresses = append([]string{c.Absent.Address}, addresses...)
				}
				got, err := c.b.(backend.FreeBusy).FreeBusy(c.Context(), c.m, addresses, c.date(time.May, 4), c.date(time.May, 5))
				if err != nil || len(got) != len(addresses) {
					c.broken("asked for %d mailboxes, FreeBusy gave %d answers, %s", len(addresses), len(got), told(err))
				}
				for i, one := range got {
					absent := c.Absent != nil && i == 0
					switch {
					case one.Address != addresses[i]:
						c.violated("answer %d is of %s, and %s was asked for there", i+1, one.Address, addresses[i])
					case absent && fault.Of(one.Err) != fault.MailboxNotFound:
						c.violated("of %s, which does not exist, FreeBusy said %s", one.Address, told(one.Err))
					case !absent && one.Err != nil:
						c.violated("of %s FreeBusy said %s", one.Address, told(one.Err))
					}
				}
			},
		},
		{
			name: "ShowsWhenAndNotWhatIsPrivate", section: "FreeBusy", needs: freeBusy | writing,
			rule: "What is in the calendar in the span is told with its times and its busy state, and nothing of what a private appointment is about.",
			do: func(c *checking) {
				e := c.event()
				e.Start, e.End = c.in("Europe/Berlin", time.May, 6, 9, 0), c.in("Europe/Berlin", time.May, 6, 10, 30)
				e.Busy = calendar.OutOfOffice
				c.mustApply(c.b, c.creation(e))
				amiss := c.soon(func() string { return c.shownBusy(e) })
				if amiss != "" {
					c.violated("of an appointment from %s to %s FreeBusy told %s", e.Start, e.End, amiss)
				}
			},
		},
		{
			name: "TooLongASpanIsInvalid", section: "FreeBusy", needs: freeBusy,
			rule: "The span is at most 62 days; a longer one is Invalid rather than half an answer.",
			do: func(c *checking) {
				from := c.date(time.May, 1)
				_, err := c.b.(backend.FreeBusy).FreeBusy(c.Context(), c.m, []string{c.m.Address}, from, from.Add(backend.MaxFreeBusy+time.Hour))
				if fault.Of(err) != fault.Invalid {
					c.violated("asked for more than 62 days, FreeBusy answered %s", told(err))
				}
			},
		},
	}
}

// shownBusy says what is amiss with what FreeBusy tells of an event of the first mailbox.
func (c *checking) shownBusy(e calendar.Event) string {
	from := e.Start.Truncate(24 * time.Hour)
	got, err := c.b.(backend.FreeBusy).FreeBusy(c.Context(), c.m, []string{c.m.Address}, from, from.AddDate(0, 0, 1))
	if err != nil || len(got) != 1 || got[0].Err != nil {
		return fmt.Sprintf("%+v, %s", got, told(err))
	}
	for _, t := range got[0].Busy {
		if !t.Start.Equal(e.Start) || !t.End.Equal(e.End) {
			continue
		}
		switch {
		case t.Busy != e.Busy && !c.can.Omits.Has(calendar.FieldBusy):
			return fmt.Sprintf("the busy state %d, and it has %d", t.Busy, e.Busy)
		case c.can.Omits.Has(calendar.FieldClass):
		case strings.Contains(t.Subject, e.Subject) || strings.Contains(t.Location, e.Location):
			return "what it is about, though it is private"
		}
		return ""
	}
	return fmt.Sprintf("nothing, among %d others", len(got[0].Busy))
}

func groupChecks() []check {
	return []check{
		{
			name: "AMailboxIsNoGroup", section: "GroupExpander", needs: groups,
			rule: "Members of an address that is no group's are NotFound, and so are those of an address at which there is nothing.",
			do: func(c *checking) {
				addresses := []string{c.m.Address}
				if c.Absent != nil {
					addresses = append(addresses, c.Absent.Address)
				}
				for _, a := range addresses {
					got, err := c.b.(backend.GroupExpander).Members(c.Context(), c.m, a)
					if fault.Of(err) == fault.Forbidden {
						c.Skipf("not checked: the account may not look into groups: %v", err)
					}
					if fault.Of(err) != fault.NotFound {
						c.violated("asked who is in %s, which is no group, Members gave %d addresses, %s", a, len(got), told(err))
					}
				}
			},
		},
	}
}
