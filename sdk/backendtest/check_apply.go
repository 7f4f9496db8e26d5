package backendtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

const once = "If an item of this calendar bears Key already, a Create changes nothing and reports that item with Repeated, so that a create whose answer was lost may be repeated."

func createChecks() []check {
	return []check{
		{
			name: "CreateMakesTheItem", section: "Apply: answer", needs: writing,
			rule: "The answer is the item as the server has it now.",
			do: func(c *checking) {
				m := c.creation(c.event())
				m.ForeignKey = c.key()
				r, err := c.apply(c.b, m)
				if err != nil {
					c.Fatalf("creating an item: %v", err)
				}
				if r.Repeated {
					c.violated("a Create with a new key was Repeated")
				}
				c.isThere("the answer", m, r.Item)
				c.isThere("what Fetch reads then", m, c.mustFetch(r.Item.Ref))
			},
		},
		{
			name: "CreateWritesNoForeignKeyUnasked", section: "Apply: Create; Markers", needs: writing,
			rule: "ForeignKey is written beside Key on Create; empty writes none.",
			do: func(c *checking) {
				if got := c.mustFetch(c.create().Ref).ForeignKey; got != "" {
					c.violated("an item that was created without ForeignKey bears %q", got)
				}
			},
		},
		{
			name: "CreateTwiceIsOnce", section: "Apply: Create", needs: writing, rule: once,
			do: func(c *checking) { c.repeats(func(*checking) backend.Backend { return c.b }) },
		},
		{
			name: "CreateByAnotherInstanceIsOnce", section: "Apply: Create; In general: No memory", needs: writing,
			rule: once + " A plugin keeps no list of what it made.",
			do:   func(c *checking) { c.repeats((*checking).another) },
		},
		{
			name: "CreateAfterFirstIsOnce", section: "Apply: Create", needs: writing,
			rule: "With First the host promises that it has never sent this Key before; then the item is made as ever, and a Create without First finds it.",
			do: func(c *checking) {
				m := c.creation(c.event())
				m.First = true
				first := c.mustApply(c.b, m)
				m.First = false
				c.again(c.b, m, first)
			},
		},
		{
			name: "RepeatedReportsTheItemAsItIs", section: "Apply: Create, answer", needs: writing,
			rule: "A repeated Create changes nothing and reports the item as it is now, not as it was asked for.",
			do: func(c *checking) {
				m := c.creation(c.event())
				now := c.edit(c.mustApply(c.b, m), "changed by somebody else")
				c.again(c.b, m, now)
			},
		},
		{
			name: "CreateAfterDeleteMakesANewOne", section: "Apply: Create", needs: writing,
			rule: "Only an item of this calendar makes a Create a repeated one: what was deleted, even into a wastebasket, is none.",
			do: func(c *checking) {
				m := c.creation(c.event())
				first := c.mustApply(c.b, m)
				c.mustApply(c.b, deletion(c.m, m.Key, first.Ref))
				var r backend.Result
				amiss := c.soon(func() (what string) {
					var err error
					if r, err = c.apply(c.b, m); err != nil {
						c.Fatalf("creating the item again: %v", err)
					}
					if r.Repeated {
						return "an item was created, deleted and created again: the last Create was Repeated"
					}
					return ""
				})
				if amiss != "" {
					c.broken("%s", amiss)
				}
				c.isThere("the item that was made anew", m, c.mustFetch(r.Item.Ref))
			},
		},
		{
			name: "CreateTellsKeysApart", section: "Apply: Create; Finder", needs: writing,
			rule: "An item bears a Key if its marker has exactly this value: neither a part of it nor another case.",
			do: func(c *checking) {
				m := c.creation(c.event())
				c.mustApply(c.b, m)
				for _, key := range []string{m.Key + "0", m.Key[:len(m.Key)-1] + "x", strings.ToUpper(m.Key)} {
					other := m
					other.Key = key
					r, err := c.apply(c.b, other)
					if err != nil {
						c.Fatalf("creating an item with the key %s: %v", key, err)
					}
					if r.Repeated {
						c.violated("after an item with the key %s was made, a Create with the key %s was Repeated", m.Key, key)
					}
				}
			},
		},
		{
			name: "CreateAtOnceIsOnce", section: "Apply: Create", needs: writing, rule: once,
			do: func(c *checking) {
				if !c.AtOnce {
					c.Skipf("not checked: the host makes one Apply at a time for a mailbox. Where the server itself refuses a second item (Fixture.AtOnce), eight creates at the same moment are tried")
				}
				m := c.creation(c.event())
				var all sync.WaitGroup
				for range 8 {
					all.Go(func() { _, _ = c.apply(c.b, m) })
				}
				all.Wait()
				amiss := c.soon(func() string {
					if n := len(bearing(c.mustPull(""), m.Key)); n != 1 {
						return fmt.Sprintf("of eight creates at the same moment, %d items were made", n)
					}
					return ""
				})
				if amiss != "" {
					c.violated("%s", amiss)
				}
			},
		},
		{
			name: "CreateThatWasCutOffMayBeRepeated", section: "Apply: Create; In general: Cancellation", needs: writing, rule: once,
			do: func(c *checking) {
				for _, after := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond} {
					c.cutOffAfter(after)
				}
			},
		},
	}
}

// isThere checks that an item is as a Create asked for it.
func (c *checking) isThere(what string, m calendar.Mutation, got calendar.Item) {
	c.Helper()
	if got.Ref == "" {
		c.violated("%s has no Ref", what)
	}
	if got.Revision == "" {
		c.violated("%s has no Revision, so that an Update could not say on which it was decided", what)
	}
	if got.Key != m.Key || got.ForeignKey != m.ForeignKey {
		c.violated("%s bears Key %q and ForeignKey %q instead of %q and %q", what, got.Key, got.ForeignKey, m.Key, m.ForeignKey)
	}
	if got.ReadOnly {
		c.violated("%s is ReadOnly, though it was made here", what)
	}
	if d := c.differences(m.Event, got.Event, calendar.AllFields); len(d) > 0 {
		c.violated("%s is not as it was asked for: %s", what, strings.Join(d, "; "))
	}
	if amiss := malformed(got); len(amiss) > 0 {
		c.violated("%s is not well formed: %s", what, strings.Join(amiss, "; "))
	}
}

// repeats creates an item twice, the second time otherwise and by another instance.
func (c *checking) repeats(by func(*checking) backend.Backend) {
	m := c.creation(c.event())
	first := c.mustApply(c.b, m)
	m.Event = c.otherEvent()
	c.again(by(c), m, first)
	if n := len(bearing(c.mustPull(""), m.Key)); n > 1 {
		c.violated("after two creates with the same key, %d items bear it", n)
	}
}

// again makes a Create whose item is there, and checks that it changes nothing and reports the item as it is.
func (c *checking) again(b backend.Backend, m calendar.Mutation, now calendar.Item) {
	c.Helper()
	var r backend.Result
	amiss := c.soon(func() string {
		var err error
		if r, err = c.apply(b, m); err != nil {
			return "the repeated Create failed: " + told(err)
		}
		if !r.Repeated || r.Item.Ref != now.Ref {
			return fmt.Sprintf("the repeated Create had Repeated = %v and the item %q; the item is %q", r.Repeated, r.Item.Ref, now.Ref)
		}
		return ""
	})
	if amiss != "" {
		c.broken("%s", amiss)
	}
	if d := c.differences(now.Event, r.Item.Event, calendar.AllFields); len(d) > 0 || r.Item.Key != m.Key {
		c.violated("the repeated Create reports the item otherwise than it is: Key %q; %s", r.Item.Key, strings.Join(d, "; "))
	}
	if d := c.differences(now.Event, c.mustFetch(now.Ref).Event, calendar.AllFields); len(d) > 0 {
		c.violated("the repeated Create changed the item: %s", strings.Join(d, "; "))
	}
}

// cutOffAfter calls a Create off after a while, wherever it is then, and repeats it.
func (c *checking) cutOffAfter(d time.Duration) {
	c.Helper()
	m := c.creation(c.event())
	ctx, cancel := context.WithTimeout(c.Context(), d)
	defer cancel()
	_, _ = c.b.Apply(ctx, m)
	c.mustApply(c.b, m)
	amiss := c.soon(func() string {
		if n := len(bearing(c.mustPull(""), m.Key)); n != 1 {
			return fmt.Sprintf("a Create was called off after %s and repeated, and %d items were made", d, n)
		}
		return ""
	})
	if amiss != "" {
		c.violated("%s", amiss)
	}
}

func changeChecks() []check {
	return []check{
		{
			name: "UpdateConflictsOnAStaleRevision", section: "Apply: Update", needs: writing,
			rule: "IfRevision not empty: Conflict if the item's content has changed since, and nothing is written.",
			do: func(c *checking) {
				item := c.mustFetch(c.create().Ref)
				now := c.edit(item, "changed by somebody else")
				m := update(c.m, item, c.otherEvent(), calendar.FieldSubject)
				m.IfRevision = item.Revision
				if _, err := c.apply(c.b, m); fault.Of(err) != fault.Conflict {
					c.violated("an Update that was decided on a revision that is no longer the item's was answered %s", told(err))
				}
				if d := c.differences(now.Event, c.mustFetch(now.Ref).Event, calendar.AllFields); len(d) > 0 {
					c.violated("such an Update was written all the same: %s", strings.Join(d, "; "))
				}
			},
		},
		{
			name: "UpdateGoesWithTheRevisionThatWasRead", section: "Apply: Update", needs: writing,
			rule: "An Update with the revision that the item has is no Conflict. (The host tries three times, as a revision may change by itself.)",
			do: func(c *checking) {
				item := c.create()
				m := update(c.m, item, c.otherEvent(), calendar.FieldSubject)
				var err error
				for range 3 {
					m.IfRevision = c.mustFetch(item.Ref).Revision
					if _, err = c.apply(c.b, m); fault.Of(err) != fault.Conflict {
						break
					}
				}
				if err != nil {
					c.violated("an Update with the revision just read was answered %s", told(err))
				}
			},
		},
		{
			name: "UpdateGivesANewRevision", section: "Apply: Update, answer", needs: writing,
			rule: "A revision changes with the item; else the host would overwrite what others wrote.",
			do: func(c *checking) {
				item := c.mustFetch(c.create().Ref)
				if now := c.mustFetch(c.edit(item, "changed").Ref); now.Revision == item.Revision || now.Revision == "" {
					c.violated("after an Update the revision was %q, and before %q", now.Revision, item.Revision)
				}
			},
		},
		{
			name: "UpdateOfWhatIsGoneIsNotFound", section: "Apply: Update", needs: writing,
			rule: "An Update of an item that is gone is NotFound; it does not make it anew.",
			do: func(c *checking) {
				item := c.create()
				c.mustApply(c.another(), deletion(c.m, item.Key, item.Ref))
				if _, err := c.apply(c.b, update(c.m, item, c.otherEvent(), calendar.FieldSubject)); fault.Of(err) != fault.NotFound {
					c.violated("an Update of an item that was deleted was answered %s", told(err))
				}
			},
		},
		{
			name: "UpdateWritesAMissingForeignKey", section: "Apply: Update; Markers", needs: writing,
			rule: "ForeignKey is written on Update when the item lacks it.",
			do: func(c *checking) {
				item := c.create()
				m := update(c.m, item, c.otherEvent(), calendar.FieldSubject)
				m.ForeignKey = c.key()
				now := c.mustApply(c.b, m)
				if got := c.mustFetch(now.Ref); got.ForeignKey != m.ForeignKey || got.Key != item.Key {
					c.violated("after an Update with ForeignKey %q, an item without bears ForeignKey %q and Key %q", m.ForeignKey, got.ForeignKey, got.Key)
				}
			},
		},
		{
			name: "RemarkReplacesTheMarkers", section: "Apply: Remark", needs: writing,
			rule: "With Remark an item gets Key and ForeignKey in place of those it bears, and nothing else of it is written.",
			do: func(c *checking) {
				m := c.creation(c.event())
				m.ForeignKey = c.key()
				item := c.mustApply(c.b, m)
				m.Op, m.Remark, m.Ref, m.Key, m.ForeignKey = calendar.Update, true, item.Ref, c.key(), c.key()
				m.Event, m.Fields, m.IfRevision = c.otherEvent(), calendar.FieldSubject, c.mustFetch(item.Ref).Revision
				for _, again := range []string{"", " again"} {
					answer := c.mustApply(c.b, m)
					for what, got := range map[string]calendar.Item{"the answer": answer, "the item": c.mustFetch(answer.Ref)} {
						if got.Key != m.Key || got.ForeignKey != m.ForeignKey {
							c.violated("when an item was given%s Key %q and ForeignKey %q, %s bears %q and %q", again, m.Key, m.ForeignKey, what, got.Key, got.ForeignKey)
						}
						if d := c.differences(item.Event, got.Event, calendar.AllFields); len(d) > 0 {
							c.violated("when an item was given%s other markers, %s was no longer as it was: %s", again, what, strings.Join(d, "; "))
						}
					}
					m.Ref, m.IfRevision = answer.Ref, c.mustFetch(answer.Ref).Revision
				}
				if n := len(bearing(c.mustPull(""), item.Key)); n != 0 {
					c.violated("an item was given another Key, and %d items still bear the one that it had", n)
				}
				if n := len(bearing(c.mustPull(""), m.Key)); n != 1 {
					c.violated("an item was given another Key, which %d items bear", n)
				}
			},
		},
		{
			name: "DeleteTakesItAway", section: "Apply: Delete", needs: writing,
			rule: "A Delete takes the item out of the calendar, and no other.",
			do: func(c *checking) {
				item, other := c.create(), c.create()
				r, err := c.apply(c.b, deletion(c.m, item.Key, item.Ref))
				if err != nil {
					c.Fatalf("deleting an item: %v", err)
				}
				if r.Repeated {
					c.violated("a Delete of what was there was Repeated")
				}
				if r.Item.Ref != item.Ref {
					c.violated("the answer to a Delete has the Ref %q instead of %q", r.Item.Ref, item.Ref)
				}
				if _, err := c.fetch(c.b, c.m, item.Ref); fault.Of(err) != fault.NotFound {
					c.violated("an item that was deleted was fetched %s", told(err))
				}
				if _, err := c.fetch(c.b, c.m, other.Ref); err != nil {
					c.violated("an item was deleted, and then another was fetched %s", told(err))
				}
			},
		},
		{
			name: "DeleteOfWhatIsGoneSucceeds", section: "Apply: Delete", needs: writing,
			rule: "What is gone already is a success.",
			do: func(c *checking) {
				item := c.create()
				for range 2 {
					if _, err := c.apply(c.b, deletion(c.m, item.Key, item.Ref)); err != nil {
						c.violated("a Delete was answered %s", told(err))
					}
				}
			},
		},
	}
}
