package backendtest

import (
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func processChecks() []check {
	return []check{
		{
			name: "ARestartForgetsNothing", section: "Pull, 1; Apply: Create; In general: No memory", needs: writing,
			rule: "A plugin keeps connections and nothing else: cursors, keys and references serve the process that comes after as well.",
			do: func(c *checking) {
				since := c.cursor()
				m := c.creation(c.event())
				item := c.mustApply(c.b, m)
				if err := c.anew(c.Context()); err != nil {
					c.Fatalf("%v", err)
				}
				if c.Restart == nil {
					c.Logf("Fixture.Restart is not set: a new instance stood for a new process")
				}
				c.b = c.instance()
				c.mustFetch(item.Ref)
				c.sees(c.b, since, item, "an item was created, the plugin started anew")
				c.again(c.b, m, item)
				c.mustApply(c.b, update(c.m, item, c.otherEvent(), calendar.FieldSubject))
			},
		},
		{
			name: "ARestartTakesOldCursors", section: "Pull, 1",
			rule: "Cursors live longer than the process.",
			do: func(c *checking) {
				since := c.cursor()
				if err := c.anew(c.Context()); err != nil {
					c.Fatalf("%v", err)
				}
				c.b = c.instance()
				pages := c.since(c.b, since)
				if len(pages) == 0 || !pages[len(pages)-1].Last {
					c.violated("after a restart, a pull from a cursor ended without an error and without a last page")
				}
			},
		},
		{
			name: "ARestartLeavesTheAbilities", section: "Optional interfaces",
			rule: "Optional interfaces are found on the value that Open returned; instances with the same settings have the same.",
			do: func(c *checking) {
				if err := c.anew(c.Context()); err != nil {
					c.Fatalf("%v", err)
				}
				if got := backend.AbilitiesOf(c.instance()); got != c.can {
					c.violated("before a restart the abilities were %+v, and then %+v", c.can, got)
				}
			},
		},
	}
}
