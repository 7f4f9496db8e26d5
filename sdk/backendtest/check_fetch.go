package backendtest

import (
	"slices"
	"strings"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func fetchChecks() []check {
	return []check{
		{
			name: "AnswersInOrder", section: "Fetch", needs: writing,
			rule: "There is one answer for each reference, in their order.",
			do: func(c *checking) {
				items := c.some(5)
				slices.Reverse(items)
				items = append(items, items[1]) // asked for twice
				refs := make([]calendar.Ref, len(items))
				for i, item := range items {
					refs[i] = item.Ref
				}
				got, err := c.b.Fetch(c.Context(), c.m, refs)
				if err != nil {
					c.Fatalf("Fetch: %v", err)
				}
				if len(got) != len(refs) {
					c.broken("Fetch of %d references gave %d answers", len(refs), len(got))
				}
				for i, f := range got {
					if f.Err != nil || f.Item.Key != items[i].Key {
						c.violated("answer %d of %d is the item with the key %q (error: %v) instead of %q", i+1, len(got), f.Item.Key, f.Err, items[i].Key)
					}
				}
			},
		},
		{
			name: "NothingForNothing", section: "Fetch", needs: reading,
			rule: "There is one answer for each reference: none for none, and no error.",
			do: func(c *checking) {
				if got, err := c.b.Fetch(c.Context(), c.m, nil); err != nil || len(got) != 0 {
					c.violated("Fetch without references gave %d answers and the error %v", len(got), err)
				}
			},
		},
		{
			name: "GoneIsNotFoundForThatItemAlone", section: "Fetch", needs: writing,
			rule: "NotFound in an answer means that the server said that there is no such item; the others are answered all the same.",
			do: func(c *checking) {
				good, gone := c.create(), c.create()
				c.mustApply(c.b, deletion(c.m, gone.Key, gone.Ref))
				amiss := c.soon(func() string {
					got, err := c.b.Fetch(c.Context(), c.m, []calendar.Ref{gone.Ref, good.Ref, gone.Ref})
					switch {
					case err != nil:
						return "the call failed: " + told(err)
					case len(got) != 3:
						return "the number of answers is not that of the references"
					case fault.Of(got[0].Err) != fault.NotFound || fault.Of(got[2].Err) != fault.NotFound:
						return "an item that was deleted was answered " + told(got[0].Err) + " and " + told(got[2].Err)
					case got[1].Err != nil || got[1].Item.Key != good.Key:
						return "the item between them was answered " + told(got[1].Err)
					}
					return ""
				})
				if amiss != "" {
					c.violated("of three references, the first and the last of a deleted item, %s", amiss)
				}
			},
		},
		{
			name: "AStrangeReferenceIsItsOwnTrouble", section: "Fetch", needs: writing,
			rule: "Trouble with one item is its own kind, in its answer; the others are answered all the same.",
			do: func(c *checking) {
				good := c.create()
				got, err := c.b.Fetch(c.Context(), c.m, []calendar.Ref{"no-such-item", good.Ref})
				if err != nil {
					c.broken("a reference that nobody gave made the whole call fail: %s", told(err))
				}
				if len(got) != 2 || got[0].Err == nil {
					c.broken("a reference that nobody gave was answered with an item, or not at all")
				}
				if got[1].Err != nil || got[1].Item.Key != good.Key {
					c.violated("the good item beside a strange reference was answered %s", told(got[1].Err))
				}
			},
		},
		{
			name: "ReadsWhatPullTold", section: "Fetch", needs: reading,
			rule: "A Ref that Pull told can be fetched, and the item is the same.",
			do: func(c *checking) {
				if !c.readOnly {
					c.create()
				}
				compared := 0
				for ref, ch := range latest(c.mustPull("")) {
					if ch.Item == nil || ch.Deleted || !c.readOnly && !strings.HasPrefix(ch.Item.Key, c.prefix) {
						continue
					}
					got, err := c.fetch(c.b, c.m, ref)
					if err != nil {
						c.violated("Pull told of the item %q, and Fetch answered %s", ref, told(err))
						continue
					}
					if d := c.differences(ch.Item.Event, got.Event, calendar.AllFields); len(d) > 0 || got.Key != ch.Item.Key || got.ForeignKey != ch.Item.ForeignKey {
						c.violated("Pull and Fetch show the item %q differently: %s", ref, strings.Join(d, "; "))
					}
					if compared++; compared == 20 {
						return
					}
				}
				if compared == 0 {
					c.Skipf("not checked: the calendar has no item that bears a marker")
				}
			},
		},
	}
}
