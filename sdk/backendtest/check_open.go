package backendtest

import (
	"fmt"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func openChecks() []check {
	return []check{
		{
			name: "ReachesNoServer", section: "In general: Instances", needs: cutOff,
			rule: "Open makes an instance from its settings and does not reach the network: a server that is away must not keep it from opening.",
			do: func(c *checking) {
				b, err := c.CutOff(c.Context())
				if err != nil {
					c.broken("Open without a network answered %s", told(err))
				}
				closeOf(b)
			},
		},
		{
			name: "InstancesHaveTheSameAbilities", section: "Optional interfaces",
			rule: "Optional interfaces are found on the value that Open returned; instances with the same settings have the same.",
			do: func(c *checking) {
				if got := backend.AbilitiesOf(c.another()); got != c.can {
					c.violated("one instance has the abilities %+v, another %+v", c.can, got)
				}
			},
		},
		{
			name: "OmitsNeverTheTime", section: "Partial",
			rule: "A Partial names fields that there are, and never FieldTime: that is always kept.",
			do: func(c *checking) {
				p, ok := c.b.(backend.Partial)
				if !ok {
					return
				}
				omits := p.Omits()
				if omits.Has(calendar.FieldTime) {
					c.violated("Omits has the time")
				}
				if more := omits &^ calendar.AllFields; more != 0 {
					c.violated("Omits has fields that there are not: %#x", uint32(more))
				}
			},
		},
		{
			name: "ClosingOneLeavesTheOthers", section: "In general: Instances",
			rule: "One process serves many instances, which share nothing but what is constant; Close ends one of them.",
			do: func(c *checking) {
				closeOf(c.another())
				if _, err := c.b.Probe(c.Context(), c.m); err != nil {
					c.violated("after another instance was closed, Probe answered: %v", err)
				}
			},
		},
	}
}

func probeChecks() []check {
	return []check{
		{
			name: "ReachesTheMailbox", section: "Probe",
			rule: "Probe reports whether the mailbox can be reached and acted for.",
			do: func(c *checking) {
				for _, m := range c.Mailboxes {
					st, err := c.b.Probe(c.Context(), m)
					if err != nil {
						c.violated("Probe of %s: %v", m.Address, err)
					} else if st.Server == "" {
						c.Logf("Status.Server is empty: people like to see what the server is")
					}
				}
			},
		},
		{
			name: "AbsentIsMailboxNotFound", section: "Probe", needs: absent,
			rule: "A mailbox that the server says there is none of is MailboxNotFound, and nothing else is.",
			do: func(c *checking) {
				if _, err := c.b.Probe(c.Context(), *c.Absent); fault.Of(err) != fault.MailboxNotFound {
					c.violated("Probe of %s, which does not exist, answered %s", c.Absent.Address, told(err))
				}
			},
		},
		{
			name: "ChangesNothing", section: "Probe", needs: writing,
			rule: "Probe changes nothing.",
			do: func(c *checking) {
				item := c.create()
				if _, err := c.b.Probe(c.Context(), c.m); err != nil {
					c.Fatalf("Probe: %v", err)
				}
				if d := c.differences(item.Event, c.mustFetch(item.Ref).Event, calendar.AllFields); len(d) > 0 {
					c.violated("after Probe, an item is not as it was: %v", d)
				}
			},
		},
	}
}

// told shows an error with its kind.
func told(err error) string {
	if err == nil {
		return "without an error"
	}
	return fmt.Sprintf("%q: %v", fault.Of(err), err)
}
