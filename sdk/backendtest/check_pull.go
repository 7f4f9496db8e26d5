package backendtest

import (
	"fmt"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func pullChecks() []check {
	return []check{
		{
			name: "FullMentionsEveryItem", section: "Pull, 4", needs: writing,
			rule: "A pull from nothing mentions every item, whole if it bears a marker.",
			do: func(c *checking) {
				want := c.some(3)
				amiss := c.soon(func() string {
					pages := c.mustPull("")
					for _, item := range want {
						if n := len(bearing(pages, item.Key)); n != 1 {
							return fmt.Sprintf("the item with the key %s, which is in the calendar, was read %d times in a pull from nothing", item.Key, n)
						}
					}
					return ""
				})
				if amiss != "" {
					c.violated("%s", amiss)
				}
			},
		},
		{
			name: "ReadsOnlyWhatBearsAMarker", section: "Pull, 8",
			rule: "Change.Item is the whole item if it bears one of the two markers, else nil: a person's own appointments are not read in full.",
			do: func(c *checking) {
				for _, ch := range latest(c.mustPull("")) {
					if ch.Item != nil && ch.Item.Key == "" && ch.Item.ForeignKey == "" {
						c.violated("the item %q, which bears no marker, was read in full", ch.Ref)
					}
				}
			},
		},
		{
			name: "ItemsAreWellFormed", section: "Times",
			rule: "Start and End are UTC, Zone an IANA name, all-day events have dates; the change and its item have the same Ref.",
			do: func(c *checking) {
				if !c.readOnly {
					c.create()
				}
				for _, ch := range latest(c.mustPull("")) {
					if ch.Ref == "" {
						c.violated("a change has no Ref")
					}
					if ch.Item == nil {
						continue
					}
					if ch.Item.Ref != ch.Ref {
						c.violated("a change of %q has an item with the Ref %q", ch.Ref, ch.Item.Ref)
					}
					if amiss := malformed(*ch.Item); len(amiss) > 0 {
						c.violated("the item %q: %s", ch.Ref, strings.Join(amiss, "; "))
					}
				}
			},
		},
		{
			name: "TwiceIsTheSame", section: "Pull, 7", needs: writing,
			rule: "Two pulls from the same place tell the same.",
			do: func(c *checking) {
				item := c.create()
				for range 2 {
					if amiss := c.soon(func() string { return c.mentionedAsIs(c.mustPull(""), item) }); amiss != "" {
						c.violated("%s", amiss)
					}
				}
			},
		},
	}
}

// some makes a few items.
func (c *checking) some(n int) []calendar.Item {
	c.Helper()
	out := make([]calendar.Item, n)
	for i := range out {
		e := c.event()
		e.Subject = fmt.Sprintf("%s, %d of %d", subject, i+1, n)
		out[i] = c.mustApply(c.b, c.creation(e))
	}
	return out
}

// mentionedAsIs tells what is wrong with how the pages show an item.
func (c *checking) mentionedAsIs(pages []backend.Page, item calendar.Item) string {
	found := bearing(pages, item.Key)
	if len(found) != 1 {
		return fmt.Sprintf("the item with the key %s was read %d times", item.Key, len(found))
	}
	if d := c.differences(item.Event, found[0].Event, calendar.AllFields); len(d) > 0 {
		return fmt.Sprintf("the item with the key %s was read otherwise than it is: %s", item.Key, strings.Join(d, "; "))
	}
	return ""
}
