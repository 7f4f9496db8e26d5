package backendtest

import (
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func driftChecks() []check {
	const rule = "Of two States that are equal, and not empty, nothing was made, changed or deleted in the calendar in between."
	return []check{
		{
			name: "NoChangeHides", section: "DriftChecker", needs: drift | writing, rule: rule,
			do: func(c *checking) {
				since := c.cursor()
				before := c.state(since)
				item := c.create()
				c.hasAnother(before, since, "a create")
				since = c.cursor()
				before = c.state(since)
				item = c.edit(item, "changed")
				c.hasAnother(before, since, "an update")
				since = c.cursor()
				before = c.state(since)
				c.mustApply(c.b, deletion(c.m, item.Key, item.Ref))
				c.hasAnother(before, since, "a delete")
			},
		},
		{
			name: "AFullPullHasAState", section: "DriftChecker", needs: drift,
			rule: "State can be asked for without a cursor, before the calendar is read from the beginning.",
			do:   func(c *checking) { c.state("") },
		},
	}
}

// state returns the state of the calendar.
func (c *checking) state(since calendar.Cursor) string {
	c.Helper()
	d, _ := backend.As[backend.DriftChecker](c.b)
	state, err := d.State(c.Context(), c.m, since)
	if err != nil {
		c.violated("State(%q) = %v", since, err)
	}
	return state
}

// hasAnother checks that the calendar has another state than before, or none.
func (c *checking) hasAnother(before string, since calendar.Cursor, what string) {
	c.Helper()
	if after := c.state(since); after != "" && after == before {
		c.violated("the state is %q before and after %s", after, what)
	}
}
