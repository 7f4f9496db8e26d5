package backendtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// pagesChecks are made in a calendar with Fixture.Paging items.
func pagesChecks() []check {
	return []check{
		{
			name: "FullIsSetOnEveryPage", section: "Pull, 4",
			rule: "Full is set on every page of a pull that began from nothing, and on no other.",
			do: func(c *checking) {
				c.paged()
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
				c.paged()
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
			name: "AnErrorOfEmitEndsIt", section: "Pull, 2",
			rule: "If emit returns an error, Pull returns it at once and emits nothing more.",
			do: func(c *checking) {
				c.paged()
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
			name: "InEmit", section: "In general: Cancellation; Pull, 2", rule: ends,
			do: func(c *checking) {
				c.paged()
				ctx, cancel := context.WithCancel(c.Context())
				defer cancel()
				last, after := false, 0
				err := c.promptly(func() error {
					return c.b.Pull(ctx, backend.PullRequest{Mailbox: c.m}, func(p backend.Page) error {
						if ctx.Err() != nil {
							after++
						}
						last = p.Last
						cancel()
						return nil
					})
				})
				if after > 0 {
					c.violated("after the context had ended, %d more pages were emitted", after)
				}
				if !errors.Is(err, context.Canceled) && (err != nil || !last) {
					c.violated("a pull whose context ended in emit answered %s", told(err))
				}
			},
		},
		{
			name: "PagesFitIntoAMessage", section: "In general: Limits",
			rule: "A message between host and plugin has at most 64 MiB: pages have some hundred items.",
			do: func(c *checking) {
				c.paged()
				for _, p := range c.mustPull("") {
					size := 0
					for _, ch := range p.Changes {
						size += 64 + len(ch.Ref)
						if ch.Item != nil {
							size += 512 + len(ch.Item.Event.Subject) + len(ch.Item.Event.Body) + len(ch.Item.Event.Location)
						}
					}
					if size > 64<<20 {
						c.violated("a page of %d changes has about %d bytes", len(p.Changes), size)
					}
				}
			},
		},
		{
			name: "GoesOnAfterAnyPage", section: "Pull, 2", needs: writing,
			rule: "When emit has returned, the page is stored with its Next; after a crash the host goes on from there. Every item is told, before or after.",
			do:   (*checking).goesOnAfterAnyPage,
		},
	}
}

// paged returns the items of a calendar that has enough of them for pages. They stay until the group of checks is over. Where
// nothing can be written, it has what it has.
func (c *checking) paged() []calendar.Item {
	c.Helper()
	if c.readOnly || len(c.shared) > 0 {
		return c.shared
	}
	items := make([]calendar.Item, 0, c.Paging)
	defer func() { c.shared = items }()
	for i := range c.Paging {
		e := c.event()
		e.Subject = fmt.Sprintf("%s, %d of %d", subject, i+1, c.Paging)
		r, err := c.b.Apply(c.Context(), c.creation(e))
		if err != nil {
			c.Fatalf("creating an item in the calendar of %s: %v", c.m.Address, err)
		}
		items = append(items, r.Item)
	}
	return items
}

// goesOnAfterAnyPage cuts a pull off after each of its pages and goes on from there.
func (c *checking) goesOnAfterAnyPage() {
	items := c.paged()
	var pages []backend.Page
	amiss := c.soon(func() string {
		pages = c.mustPull("")
		for _, item := range items {
			if len(bearing(pages, item.Key)) != 1 {
				return fmt.Sprintf("the item with the key %s is not told", item.Key)
			}
		}
		return ""
	})
	if amiss != "" {
		c.broken("in a pull from nothing %s", amiss)
	}
	if len(pages) == 1 {
		c.Logf("%d items came on one page, so that a pull could be cut off at its end only (Fixture.Paging)", len(items))
	}
	for i := range pages {
		if pages[i].Next == "" {
			continue // the next pull begins from nothing
		}
		after, err := c.pull(c.b, c.m, pages[i].Next)
		if fault.Of(err) == fault.StateExpired {
			continue
		}
		if err != nil {
			c.Fatalf("going on after page %d of %d: %v", i+1, len(pages), err)
		}
		told := append(append([]backend.Page{}, pages[:i+1]...), after...)
		for _, item := range items {
			if len(bearing(told, item.Key)) != 1 {
				c.broken("a pull was cut off after page %d of %d, and the item with the key %s was told neither before nor when it went on from Next",
					i+1, len(pages), item.Key)
			}
		}
	}
}
