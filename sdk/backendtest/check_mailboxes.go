package backendtest

import (
	"fmt"
	"sync"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func mailboxChecks() []check {
	const apart = "An item is in the mailbox that it was made in, and in no other; a cursor or a marker of one says nothing of another."
	return []check{
		{
			name: "PullKeepsThemApart", section: "In general: Instances; Pull", needs: writing | twoMailboxes, rule: apart,
			do: func(c *checking) {
				item := c.create()
				pages, err := c.pull(c.b, c.Mailboxes[1], "")
				if err != nil {
					c.Fatalf("pulling the calendar of %s: %v", c.Mailboxes[1].Address, err)
				}
				if len(bearing(pages, item.Key)) > 0 {
					c.violated("an item of %s is told in the calendar of %s", c.m.Address, c.Mailboxes[1].Address)
				}
			},
		},
		{
			name: "FindKeepsThemApart", section: "Finder", needs: writing | twoMailboxes | finder, rule: apart,
			do: func(c *checking) {
				item := c.create()
				got, err := c.b.(backend.Finder).Find(c.Context(), c.Mailboxes[1], backend.OurKey, item.Key)
				if err != nil || len(got) > 0 {
					c.violated("a marker of %s gives %d items in the calendar of %s (%s)", c.m.Address, len(got), c.Mailboxes[1].Address, told(err))
				}
			},
		},
		{
			name: "TheSameKeyIsAnItemInEach", section: "Apply: Create", needs: writing | twoMailboxes,
			rule: "If an item of this calendar bears Key already, a Create changes nothing; an item of another calendar does not count.",
			do: func(c *checking) {
				m := c.creation(c.event())
				c.mustApply(c.b, m)
				m.Mailbox = c.Mailboxes[1]
				r, err := c.apply(c.b, m)
				if err != nil {
					c.Fatalf("creating an item in the calendar of %s: %v", m.Mailbox.Address, err)
				}
				if r.Repeated {
					c.violated("a Create in the calendar of %s was Repeated, as the calendar of %s has the item", m.Mailbox.Address, c.m.Address)
				}
			},
		},
		{
			name: "ACursorOfAnotherLeaksNothing", section: "Pull, 1 and 6", needs: writing | twoMailboxes, rule: apart,
			do: func(c *checking) {
				since := c.cursor()
				item := c.create()
				pages, err := c.pull(c.b, c.Mailboxes[1], since)
				if err != nil {
					return // it is not taken, which is well
				}
				if _, told := latest(pages)[item.Ref]; told || len(bearing(pages, item.Key)) > 0 {
					c.violated("a pull of %s from a cursor of %s tells of an item of the latter", c.Mailboxes[1].Address, c.m.Address)
				}
			},
		},
		{
			name: "ManyAtOnceNeverMix", section: "In general: Instances, Concurrency", needs: writing,
			rule: "Instances are used by many goroutines at once, and share nothing: each item stays in its mailbox, with its own text. (For one mailbox the suite, like the host, makes one Pull and one Apply at a time.)",
			do:   (*checking).manyAtOnce,
		},
	}
}

// manyAtOnce writes and reads with several instances, many goroutines each, and then looks where everything is.
func (c *checking) manyAtOnce() {
	const instances, goroutines, each = 3, 4, 2
	type lane struct{ apply, pull sync.Mutex } // what the host does one at a time for a mailbox
	boxes := c.Mailboxes[:min(2, len(c.Mailboxes))]
	lanes := make([]lane, len(boxes))
	var mu sync.Mutex
	var trouble []string
	amiss := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		trouble = append(trouble, fmt.Sprintf(format, args...))
	}
	want := make([]map[string]calendar.Event, len(boxes)) // by key
	for i := range want {
		want[i] = map[string]calendar.Event{}
	}
	one := func(b backend.Backend, at, n int) {
		box, l := boxes[at], &lanes[at]
		m := calendar.Mutation{Op: calendar.Create, Mailbox: box, Key: c.key(), Event: c.event()}
		m.Event.Subject = fmt.Sprintf("%s of %s, %s", subject, box.Address, m.Key)
		m.Event.Start = m.Event.Start.AddDate(0, 0, n)
		m.Event.End = m.Event.End.AddDate(0, 0, n)
		l.apply.Lock()
		r, err := c.apply(b, m)
		l.apply.Unlock()
		if err != nil {
			amiss("creating an item in the calendar of %s: %v", box.Address, err)
			return
		}
		mu.Lock()
		want[at][m.Key] = m.Event
		mu.Unlock()
		if got, err := c.fetch(b, box, r.Item.Ref); err != nil || got.Event.Subject != m.Event.Subject && !c.can.Omits.Has(calendar.FieldSubject) {
			amiss("the item just made in the calendar of %s, %q, was fetched as %q (%v)", box.Address, m.Event.Subject, got.Event.Subject, err)
		}
		l.pull.Lock()
		defer l.pull.Unlock()
		if _, err := c.pull(b, box, ""); err != nil {
			amiss("pulling the calendar of %s: %v", box.Address, err)
		}
	}
	var all sync.WaitGroup
	for range instances {
		b := c.another()
		for g := range goroutines {
			all.Go(func() {
				for n := range each {
					one(b, (g+n)%len(boxes), g)
				}
			})
		}
	}
	all.Wait()
	for _, t := range trouble {
		c.violated("%s", t)
	}
	for i, box := range boxes {
		what := c.soon(func() string {
			pages, err := c.pull(c.b, box, "")
			if err != nil {
				return err.Error()
			}
			for at := range want {
				for key, e := range want[at] {
					found := bearing(pages, key)
					switch {
					case at != i && len(found) > 0:
						return fmt.Sprintf("an item made in the calendar of %s is in that of %s", boxes[at].Address, box.Address)
					case at == i && len(found) != 1:
						return fmt.Sprintf("an item made in the calendar of %s is there %d times", box.Address, len(found))
					case at == i:
						if d := c.differences(e, found[0].Event, calendar.AllFields); len(d) > 0 {
							return fmt.Sprintf("an item in the calendar of %s is not as it was made: %v", box.Address, d)
						}
					}
				}
			}
			return ""
		})
		if what != "" {
			c.violated("%s", what)
		}
	}
}
