package backendtest

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// FreeBusy implements backend.FreeBusy.
func (b *memory) FreeBusy(ctx context.Context, m backend.Mailbox, addresses []string, from, to time.Time) ([]backend.Availability, error) {
	if to.Sub(from) > backend.MaxFreeBusy && !b.has("free/busy of any span") {
		return nil, fmt.Errorf("too long: %w", fault.Invalid)
	}
	if _, err := b.reach(ctx, m); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []backend.Availability
	for _, address := range addresses {
		one := backend.Availability{Address: address}
		x := b.boxes[address]
		switch {
		case x == nil && b.has("free/busy fails for all"):
			return nil, fmt.Errorf("no mailbox %s: %w", address, fault.MailboxNotFound)
		case x == nil:
			one.Err = fmt.Errorf("no mailbox %s: %w", address, fault.MailboxNotFound)
		default:
			for _, item := range x.items {
				if e := item.Event; e.Start.Before(to) && e.End.After(from) {
					one.Busy = append(one.Busy, b.busyTime(e))
				}
			}
		}
		out = append(out, one)
	}
	return out, nil
}

func (b *memory) busyTime(e calendar.Event) backend.BusyTime {
	t := backend.BusyTime{Start: e.Start, End: e.End, Busy: e.Busy, Private: e.Class == calendar.Private}
	if !t.Private || b.has("free/busy tells what is private") {
		t.Subject, t.Location = e.Subject, e.Location
	}
	return t
}

// Members implements backend.GroupExpander. There are no groups.
func (b *memory) Members(ctx context.Context, m backend.Mailbox, group string) ([]calendar.Address, error) {
	if _, err := b.reach(ctx, m); err != nil {
		return nil, err
	}
	if b.has("everybody is a group") {
		return []calendar.Address{{Email: group}}, nil
	}
	return nil, fmt.Errorf("%s is no group: %w", group, fault.NotFound)
}
