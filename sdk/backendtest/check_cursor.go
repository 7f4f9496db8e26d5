package backendtest

import (
	"fmt"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

const oldCursors = "Since is a cursor that this backend gave at some time. It lives longer than the process; a change after it is never missed, and one that is too old is StateExpired."

func cursorChecks() []check {
	return []check{
		{
			name: "WhatIsOldIsNotToldAgain", section: "Pull, 3", needs: writing,
			rule: "A pull from a cursor tells what changed since; without changes it has one page, with Last.",
			do: func(c *checking) {
				item := c.create()
				// Servers touch an item again after a write, so the first pulls may still mention it.
				amiss := c.within(max(c.Lag, c.Patience), func() string {
					pages := c.since(c.b, c.cursor())
					if _, mentioned := latest(pages)[item.Ref]; mentioned && !pages[0].Full {
						return fmt.Sprintf("the item %q is told as changed again and again, though nobody changes it", item.Ref)
					}
					return ""
				})
				if amiss != "" {
					c.violated("%s", amiss)
				}
			},
		},
		{
			name: "TellsOfACreate", section: "Pull, 1", needs: writing, rule: oldCursors,
			do: func(c *checking) {
				since := c.cursor()
				item := c.create()
				c.sees(c.b, since, item, "the item was created")
			},
		},
		{
			name: "TellsOfAnUpdate", section: "Pull, 1", needs: writing, rule: oldCursors,
			do: func(c *checking) {
				item := c.create()
				since := c.cursor()
				c.sees(c.b, since, c.edit(item, "moved"), "the item was changed by somebody else")
			},
		},
		{
			name: "TellsOfADelete", section: "Pull, 8", needs: writing,
			rule: "Deleted means that the server said that the item is gone from this calendar. A pull from a cursor tells of it.",
			do: func(c *checking) {
				item := c.create()
				since := c.cursor()
				c.mustApply(c.another(), deletion(c.m, item.Key, item.Ref))
				c.seesGone(since, item)
			},
		},
		{
			name: "TellsWhatIsNoLongerThereByAFullPull", section: "Pull, 4", needs: writing,
			rule: "Whatever a pull from nothing did not mention by its last page is gone; what is gone is not mentioned as there.",
			do: func(c *checking) {
				item := c.create()
				c.mustApply(c.b, deletion(c.m, item.Key, item.Ref))
				amiss := c.soon(func() string {
					if len(bearing(c.mustPull(""), item.Key)) > 0 {
						return "an item that was deleted is still told as there"
					}
					return ""
				})
				if amiss != "" {
					c.violated("%s", amiss)
				}
			},
		},
		{
			name: "AnOldOneStillCounts", section: "Pull, 1 and 6", needs: writing, rule: oldCursors,
			do: func(c *checking) {
				first := c.cursor()
				one := c.create()
				c.cursor() // one more, which makes the first an old one
				two := c.create()
				c.cursor()
				c.sees(c.b, first, one, "the first of two items was created after the cursor")
				c.sees(c.b, first, two, "the second of two items was created after the cursor")
			},
		},
		{
			name: "ServesAnotherInstance", section: "Pull, 1", needs: writing,
			rule: "Cursors live longer than the process, so what one instance gave, another takes.",
			do: func(c *checking) {
				since := c.cursor()
				item := c.create()
				c.sees(c.another(), since, item, "the item was created")
			},
		},
		{
			name: "GarbageIsNotSilence", section: "Pull, 6",
			rule: "A cursor that the server does not take is StateExpired; it is never answered as if nothing had changed.",
			do: func(c *checking) {
				var want map[calendar.Ref]calendar.Change
				for _, since := range []calendar.Cursor{"garbage", calendar.Cursor(strings.Repeat("H4sIAAAA", 40)), "\x00\xff"} {
					pages, err := c.pull(c.b, c.m, since)
					if err != nil {
						if fault.Of(err) != fault.StateExpired {
							c.Logf("the cursor %q is answered with %s; with StateExpired the host reads everything anew instead of waiting", short(since), told(err))
						}
						continue
					}
					if want == nil {
						want = latest(c.mustPull(""))
					}
					got := latest(pages)
					for _, p := range pages {
						if !p.Full {
							c.broken("a pull from the cursor %q, which nobody ever gave, succeeds with %d changes and without Full", short(since), len(got))
						}
					}
					if len(got) < len(want) && c.readOnly {
						c.violated("a pull from the cursor %q, which nobody ever gave, mentions %d items of %d", short(since), len(got), len(want))
					}
				}
			},
		},
		{
			name: "NothingIsNotExpired", section: "Pull, 6",
			rule: "StateExpired is no answer to a pull from nothing: the host would ask without end.",
			do: func(c *checking) {
				if _, err := c.pull(c.b, c.m, ""); fault.Of(err) == fault.StateExpired {
					c.violated("a pull from nothing answered %s", told(err))
				}
			},
		},
	}
}

func short(c calendar.Cursor) string { return string(c[:min(12, len(c))]) }

// since pulls from a cursor, or from nothing where the cursor has expired, as the host does.
func (c *checking) since(b backend.Backend, since calendar.Cursor) []backend.Page {
	c.Helper()
	pages, err := c.pull(b, c.m, since)
	if fault.Of(err) == fault.StateExpired {
		if len(pages) > 0 {
			c.violated("a pull from an expired cursor emitted %d pages before it said so", len(pages))
		}
		pages, err = c.pull(b, c.m, "")
	}
	if err != nil {
		c.Fatalf("pulling the calendar of %s: %v", c.m.Address, err)
	}
	return pages
}

// sees checks that a pull from a cursor shows an item as it is.
func (c *checking) sees(b backend.Backend, since calendar.Cursor, item calendar.Item, what string) {
	c.Helper()
	if amiss := c.soon(func() string { return c.mentionedAsIs(c.since(b, since), item) }); amiss != "" {
		c.violated("%s, and in a pull from the cursor before it %s", what, amiss)
	}
}

// seesGone checks that a pull from a cursor shows that an item is gone.
func (c *checking) seesGone(since calendar.Cursor, item calendar.Item) {
	c.Helper()
	amiss := c.soon(func() string {
		pages := c.since(c.b, since)
		ch, mentioned := latest(pages)[item.Ref]
		full := len(pages) > 0 && pages[0].Full
		switch {
		case ch.Deleted && ch.Item != nil:
			return "the change that says Deleted has an Item"
		case ch.Deleted || full && !mentioned:
			return ""
		case mentioned:
			return "the item is mentioned, and not as Deleted"
		}
		return "the item is not mentioned"
	})
	if amiss != "" {
		c.violated("an item was deleted, and in a pull from the cursor before it %s", amiss)
	}
}
