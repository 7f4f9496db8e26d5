package backendtest

import (
	"errors"
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
			name: "FullIsSetOnEveryPage", section: "Pull, 4",
			rule: "Full is set on every page of a pull that began from nothing, and on no other.",
			do: func(c *checking) {
				pages := c.mustPull("")
				for i, p := range pages {
					if !p.Full {
						c.violated("page %d of %d of a pull from nothing is not Full", i+1, len(pages))
					}
				}
				next := pages[len(pages)-1].Next
				if next == "" {
					return
				}
				pages, err := c.pull(c.b, c.m, next)
				for _, p := range pages {
					if p.Full {
						c.violated("a page of a pull from a cursor is Full, which means that whatever is not mentioned is gone (error: %v)", err)
					}
				}
			},
		},
		{
			name: "LastIsOnTheLastPage", section: "Pull, 3",
			rule: "Last is set on the last page, also when there was nothing; no page follows it.",
			do: func(c *checking) {
				since := calendar.Cursor("")
				for _, what := range []string{"from nothing", "from the cursor after it"} {
					pages, err := c.pull(c.b, c.m, since)
					if err != nil {
						c.Fatalf("a pull %s: %v", what, err)
					}
					if len(pages) == 0 {
						c.broken("a pull %s had no page at all", what)
					}
					for i, p := range pages {
						if last := i == len(pages)-1; p.Last != last {
							c.violated("in a pull %s, page %d of %d has Last = %v", what, i+1, len(pages), p.Last)
						}
					}
					if since = pages[len(pages)-1].Next; since == "" {
						return
					}
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
			name: "ItemsAreWellFormed", section: "Times", needs: 0,
			rule: "Start and End are UTC, Zone an IANA name, all-day events have dates; the change and its item have the same Ref.",
			do: func(c *checking) {
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
			name: "PagesFitIntoAMessage", section: "In general: Limits",
			rule: "A message between host and plugin has at most 16 MiB: pages have some hundred items.",
			do: func(c *checking) {
				for _, p := range c.mustPull("") {
					size := 0
					for _, ch := range p.Changes {
						size += 64 + len(ch.Ref)
						if ch.Item != nil {
							size += 512 + len(ch.Item.Event.Subject) + len(ch.Item.Event.Body) + len(ch.Item.Event.Location)
						}
					}
					if size > 16<<20 {
						c.violated("a page of %d changes has about %d bytes", len(p.Changes), size)
					}
				}
			},
		},
		{
			name: "AnErrorOfEmitEndsIt", section: "Pull, 2",
			rule: "If emit returns an error, Pull returns it at once and emits nothing more.",
			do: func(c *checking) {
				refused, emitted := errors.New("the page could not be stored"), 0
				err := c.b.Pull(c.Context(), backend.PullRequest{Mailbox: c.m}, func(backend.Page) error {
					emitted++
					return refused
				})
				if emitted > 1 {
					c.violated("after emit had returned an error, %d more pages were emitted", emitted-1)
				}
				if emitted > 0 && !errors.Is(err, refused) {
					c.violated("emit returned an error, and Pull returned %v", err)
				}
			},
		},
		{
			name: "SaysWhatIsWholeOnceMore", section: "Pull, 7", needs: writing,
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
