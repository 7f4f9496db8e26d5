package exchange

import (
	"context"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// updateRooms makes an update of which nobody is told but the rooms that it adds or takes off. First all else is written, in silence, so that
// a room is invited to what holds, and then the rooms: of a write of nothing but these Exchange tells those that are new or gone alone. Where it
// is cut off in between the item still lacks the rooms, and they are written when it is made again.
func (b *Backend) updateRooms(ctx context.Context, m calendar.Mutation, now backend.Item) (backend.Result, error) {
	first := m
	first.Event = series.Unseated(now.Event, m.Event, m.Rooms)
	done, err := b.write(ctx, first, now)
	if err != nil || series.SameSeats(done.Item.Event, m.Event, m.Rooms) {
		return done, err
	}
	last := m
	last.Event, last.Mail = series.Seated(done.Item.Event, m.Event, m.Rooms), calendar.MailConcerned
	last.Fields &= series.Guests | calendar.FieldRecurrence
	return b.write(ctx, last, done.Item)
}
