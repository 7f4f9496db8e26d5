package backendtest

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// PullsEverything implements backend.Complete.
func (b *memory) PullsEverything() bool { return true }

// invite puts a meeting into the calendars of its attendees, if they are told.
func (b *memory) invite(item calendar.Item, m calendar.Mutation) {
	for _, a := range item.Event.Attendees {
		x := b.boxes[a.Email]
		if x == nil || a.Email == m.Mailbox.Address || m.Mail == calendar.MailNobody {
			continue
		}
		copied := item
		copied.Ref, copied.ReadOnly = item.Ref+"/for/"+calendar.Ref(a.Email), true
		x.keep(copied)
	}
}

// Respond implements backend.Responder.
func (b *memory) Respond(ctx context.Context, r backend.Reaction) error {
	x, err := b.reach(ctx, r.Mailbox)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	item, there := x.items[r.Ref]
	switch {
	case !there && b.has("declining what is gone succeeds"):
		return nil
	case !there:
		return fmt.Errorf("item %q: %w", r.Ref, fault.NotFound)
	case !item.ReadOnly && !b.has("everybody may answer"):
		return fmt.Errorf("item %q is no invitation: %w", r.Ref, fault.Invalid)
	case item.Response == r.Response && b.has("an answer may be given once"):
		return fmt.Errorf("item %q was answered: %w", r.Ref, fault.Conflict)
	case b.has("answers are lost"):
		return nil
	}
	if item.Response = r.Response; r.Response == calendar.Declined && !b.has("what is declined stays") {
		delete(x.items, r.Ref)
		x.history = append(x.history, r.Ref)
	} else {
		x.keep(item)
	}
	return nil
}
