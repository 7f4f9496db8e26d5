package backendtest

import (
	"fmt"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

const exactly = "Find returns the items of the calendar that bear a marker with exactly this value. None is no error."

func finderChecks() []check {
	const needed = finder | writing
	return []check{
		{
			name: "FindsByKey", section: "Finder", needs: needed, rule: exactly,
			do: func(c *checking) {
				item := c.create()
				c.finds(backend.OurKey, item.Key, item)
			},
		},
		{
			name: "FindsByForeignKey", section: "Finder; Markers", needs: needed,
			rule: exactly + " Markers are texts of up to some hundred characters.",
			do: func(c *checking) {
				for _, value := range []string{
					c.key(), c.key() + ` "quoted" <angled> & 'so on' ; , \ %`, c.key() + " Größe 会議", c.key() + strings.Repeat("-long", 40),
				} {
					m := c.creation(c.event())
					m.ForeignKey = value
					c.finds(backend.ForeignKey, value, c.mustApply(c.b, m))
				}
			},
		},
		{
			name: "FindsAllThatBearIt", section: "Finder", needs: needed, rule: exactly,
			do: func(c *checking) {
				m := c.creation(c.event())
				m.ForeignKey = c.key()
				one := c.mustApply(c.b, m)
				m.Key = c.key()
				c.finds(backend.ForeignKey, m.ForeignKey, one, c.mustApply(c.b, m))
			},
		},
		{
			name: "FindsNothingThatIsMerelyAlike", section: "Finder", needs: needed, rule: exactly,
			do: func(c *checking) {
				m := c.creation(c.event())
				m.ForeignKey = c.key() + "-Foreign"
				item := c.mustApply(c.b, m)
				c.finds(backend.OurKey, item.Key, item) // it can be found by now
				for by, value := range map[backend.Marker]string{backend.OurKey: item.Key, backend.ForeignKey: m.ForeignKey} {
					for _, alike := range []string{value[:len(value)-1], value + "0", value[1:], strings.ToUpper(value), value + " ", "%", "*"} {
						c.findsNothing(by, alike)
					}
				}
				c.findsNothing(backend.ForeignKey, item.Key)
				c.findsNothing(backend.OurKey, m.ForeignKey)
			},
		},
		{
			name: "FindsItAsItIs", section: "Finder", needs: needed,
			rule: "What Find returns are the items as they are.",
			do: func(c *checking) {
				now := c.edit(c.create(), "changed")
				c.finds(backend.OurKey, now.Key, now)
			},
		},
		{
			name: "FindsNothingThatIsGone", section: "Finder", needs: needed, rule: exactly,
			do: func(c *checking) {
				item := c.create()
				c.mustApply(c.b, deletion(c.m, item.Key, item.Ref))
				c.findsNothing(backend.OurKey, item.Key)
			},
		},
		{
			name: "NoneIsNoError", section: "Finder", needs: finder, rule: exactly,
			do: func(c *checking) {
				c.findsNothing(backend.OurKey, c.key())
				c.findsNothing(backend.ForeignKey, c.key())
			},
		},
	}
}

// finds checks that exactly these items are found, as they are.
func (c *checking) finds(by backend.Marker, value string, want ...calendar.Item) {
	c.Helper()
	amiss := c.soon(func() string {
		got, err := c.b.(backend.Finder).Find(c.Context(), c.m, by, value)
		if err != nil {
			return told(err)
		}
		found := map[calendar.Ref]calendar.Item{}
		for _, item := range got {
			found[item.Ref] = item
		}
		if len(got) != len(want) {
			return fmt.Sprintf("%d items", len(got))
		}
		for _, w := range want {
			item, there := found[w.Ref]
			if !there {
				return fmt.Sprintf("the item %q not among them", w.Ref)
			}
			if d := c.differences(w.Event, item.Event, calendar.AllFields); len(d) > 0 || item.Key != w.Key || item.ForeignKey != w.ForeignKey {
				return fmt.Sprintf("an item with Key %q and ForeignKey %q, otherwise than it is: %s", item.Key, item.ForeignKey, strings.Join(d, "; "))
			}
		}
		return ""
	})
	if amiss != "" {
		c.violated("%d items bear the marker %q, and Find gave %s", len(want), value, amiss)
	}
}

func (c *checking) findsNothing(by backend.Marker, value string) {
	c.Helper()
	amiss := c.soon(func() string {
		got, err := c.b.(backend.Finder).Find(c.Context(), c.m, by, value)
		if err != nil || len(got) > 0 {
			return fmt.Sprintf("%d items, %s", len(got), told(err))
		}
		return ""
	})
	if amiss != "" {
		c.violated("no item bears the marker %q, and Find gave %s", value, amiss)
	}
}
