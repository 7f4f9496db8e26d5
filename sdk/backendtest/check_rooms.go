package backendtest

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func everythingChecks() []check {
	return []check{
		{
			name: "EverythingIsWhole", section: "Pull, 9", needs: complete,
			rule: "With Everything every item is told in full, marked or not.",
			do: func(c *checking) {
				var made calendar.Item
				if !c.readOnly {
					made = c.create()
				}
				amiss := c.soon(func() string {
					changes := c.everything(c.m)
					for _, ch := range changes {
						if !ch.Deleted && ch.Item == nil {
							return fmt.Sprintf("the item %q was told by its reference alone", ch.Ref)
						}
					}
					if _, told := changes[made.Ref]; !told && !c.readOnly {
						return fmt.Sprintf("the item with the key %s was not told", made.Key)
					}
					return ""
				})
				if amiss != "" {
					c.violated("in a pull of everything %s", amiss)
				}
			},
		},
		{
			name: "EverythingNeedsACursorOfItsOwn", section: "Pull, 9", needs: complete,
			rule: "A cursor of a pull without Everything does not do for one with it: StateExpired. The other way round it does.",
			do: func(c *checking) {
				err := c.pullWith(backend.PullRequest{Mailbox: c.m, Since: c.cursor(), Everything: true}, func(backend.Page) {})
				if fault.Of(err) != fault.StateExpired {
					c.violated("a pull of everything from the cursor of one that did not read everything ended with %s", told(err))
				}
				var next calendar.Cursor
				all := backend.PullRequest{Mailbox: c.m, Everything: true}
				if err := c.pullWith(all, func(p backend.Page) { next = p.Next }); err != nil {
					c.broken("a pull of everything ended with %s", told(err))
				}
				for _, everything := range []bool{true, false} {
					err := c.pullWith(backend.PullRequest{Mailbox: c.m, Since: next, Everything: everything}, func(backend.Page) {})
					if err != nil {
						c.violated("a pull with Everything %v from the cursor of a pull of everything ended with %s", everything, told(err))
					}
				}
			},
		},
	}
}

const answered = "What is answered like this already is left alone, and is a success. Declining takes the item out of the calendar; one that is gone is NotFound."

func responderChecks() []check {
	return []check{
		{
			name: "AnswersAnInvitation", section: "Responder", needs: responder | complete | writing | attendees | twoMailboxes, rule: answered,
			do: func(c *checking) {
				r := c.invited()
				for _, response := range []calendar.Response{calendar.TentativelyAccepted, calendar.TentativelyAccepted, calendar.Accepted} {
					r.Response = response
					if err := c.respond(r); err != nil {
						c.broken("answering an invitation by %d ended with %s", response, told(err))
					}
					if amiss := c.soon(func() string {
						ch, there := c.everything(r.Mailbox)[r.Ref]
						if !there || ch.Item == nil || ch.Item.Response != response {
							return fmt.Sprintf("told as %+v", ch.Item)
						}
						return ""
					}); amiss != "" {
						c.violated("an invitation that was answered by %d is %s", response, amiss)
					}
				}
				r.Response = calendar.Declined
				if err := c.respond(r); err != nil {
					c.broken("declining an invitation ended with %s", told(err))
				}
				if amiss := c.soon(func() string {
					if _, there := c.everything(r.Mailbox)[r.Ref]; there {
						return "still there"
					}
					return ""
				}); amiss != "" {
					c.violated("an invitation that was declined is %s", amiss)
				}
				if err := c.respond(r); fault.Of(err) != fault.NotFound {
					c.violated("declining it again ended with %s", told(err))
				}
			},
		},
		{
			name: "WhatIsNoInvitationIsInvalid", section: "Responder", needs: responder | writing,
			rule: "An item that is no invitation to this mailbox is Invalid.",
			do: func(c *checking) {
				item := c.create()
				err := c.respond(backend.Reaction{Mailbox: c.m, Ref: item.Ref, Response: calendar.Accepted})
				if fault.Of(err) != fault.Invalid {
					c.violated("accepting an appointment of one's own ended with %s", told(err))
				}
			},
		},
	}
}

// pullWith makes one Pull.
func (c *checking) pullWith(req backend.PullRequest, page func(backend.Page)) error {
	return c.b.Pull(c.Context(), req, func(p backend.Page) error {
		page(p)
		return nil
	})
}

// everything returns what a pull of everything from nothing tells.
func (c *checking) everything(m backend.Mailbox) map[calendar.Ref]calendar.Change {
	c.Helper()
	var pages []backend.Page
	if err := c.pullWith(backend.PullRequest{Mailbox: m, Everything: true}, func(p backend.Page) { pages = append(pages, p) }); err != nil {
		c.Fatalf("pulling everything in the calendar of %s: %v", m.Address, err)
	}
	return latest(pages)
}

func (c *checking) respond(r backend.Reaction) error {
	a, _ := backend.As[backend.Responder](c.b)
	return a.Respond(c.Context(), r)
}

// invited has the first mailbox invite the second, and returns where the invitation lies. It ends the check where servers do not
// put invitations into calendars.
func (c *checking) invited() backend.Reaction {
	c.Helper()
	m := c.creation(c.event())
	m.Mail = calendar.MailAll
	m.Event.Attendees = []calendar.Attendee{{Address: calendar.Address{Email: c.Mailboxes[1].Address}}}
	r, err := c.b.Apply(c.Context(), m)
	if err != nil {
		c.Fatalf("making a meeting in the calendar of %s: %v", c.m.Address, err)
	}
	c.after(func(ctx context.Context) {
		_ = c.remove(ctx, c.b, calendar.Mutation{Op: calendar.Delete, Mailbox: c.m, Key: m.Key, Ref: r.Item.Ref, Mail: calendar.MailAll})
	})
	at := backend.Reaction{Mailbox: c.Mailboxes[1], Comment: "conformance"}
	if c.within(c.Patience, func() string {
		for ref, ch := range c.everything(at.Mailbox) {
			if ch.Item != nil && ch.Item.ReadOnly && ch.Item.Event.UID == r.Item.Event.UID {
				at.Ref = ref
				return ""
			}
		}
		return "not there"
	}) != "" {
		c.Skipf("not checked: no invitation came to %s", at.Mailbox.Address)
	}
	return at
}
