package exchange

import (
	"cmp"
	"context"
	"fmt"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

var replies = map[calendar.Response]string{
	calendar.Accepted:            ews.Accept,
	calendar.TentativelyAccepted: ews.Tentative,
	calendar.Declined:            ews.Decline,
}

// Respond implements backend.Responder.
func (b *Backend) Respond(ctx context.Context, r backend.Reaction) error {
	as, ok := replies[r.Response]
	if !ok {
		return fmt.Errorf("an invitation cannot be answered by %d: %w", r.Response, fault.Invalid)
	}
	now, err := b.readOne(ctx, r.Mailbox, string(r.Ref))
	if err == nil && !r.Occurrence.IsZero() {
		now, err = b.occurrence(ctx, r, now)
	}
	if err != nil {
		return err
	}
	switch {
	case !now.ReadOnly:
		return fmt.Errorf("the item in the calendar of %s is no invitation that could be answered: %w", r.Mailbox.Address, fault.Invalid)
	case now.Event.Cancelled:
		return fmt.Errorf("the meeting in the calendar of %s was called off by its organizer: %w", r.Mailbox.Address, fault.Conflict)
	case now.Response == r.Response:
		return nil
	}
	return b.ews.Respond(ctx, r.Mailbox, ews.ItemID{ID: string(now.Ref), ChangeKey: now.Revision}, as, r.Comment)
}

// occurrence reads the one occurrence of a series that a reaction means.
func (b *Backend) occurrence(ctx context.Context, r backend.Reaction, series backend.Item) (backend.Item, error) {
	if series.Kind != calendar.Master {
		return backend.Item{}, fmt.Errorf("the item in the calendar of %s is no series, and has no occurrences: %w", r.Mailbox.Address, fault.Invalid)
	}
	at := r.Occurrence
	if series.Event.AllDay {
		zone, err := zones.Location(cmp.Or(series.Event.Zone, "UTC"))
		if err != nil {
			return backend.Item{}, fmt.Errorf("the series in the calendar of %s has the time zone %q: %w: %w",
				r.Mailbox.Address, series.Event.Zone, err, fault.Unsupported)
		}
		at = midnight(at, zone)
	}
	found, ok, err := b.ews.FindOccurrence(ctx, r.Mailbox, series.Event.UID, at)
	if err != nil {
		return backend.Item{}, err
	}
	if !ok {
		return backend.Item{}, fmt.Errorf("the series in the calendar of %s has no occurrence on %s: %w",
			r.Mailbox.Address, r.Occurrence.UTC().Format("2006-01-02 15:04 MST"), fault.NotFound)
	}
	return b.readOne(ctx, r.Mailbox, found.ID)
}
