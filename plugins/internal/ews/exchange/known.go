package exchange

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// readFor reads the item of an update. The exceptions of a series, which cost requests of their own, are those that the caller has read at
// the same revision.
func (b *Backend) readFor(ctx context.Context, m calendar.Mutation) (backend.Item, error) {
	if m.Known == nil || m.IfRevision == "" || m.Known.Recurrence == "" {
		return b.readOne(ctx, m.Mailbox, string(m.Ref))
	}
	_, item, err := b.readAlone(ctx, m.Mailbox, string(m.Ref))
	if err == nil && item.Kind == calendar.Master && item.Revision == m.IfRevision && !item.Omits.Has(calendar.FieldRecurrence) {
		item.Event.Exceptions = m.Known.Exceptions
	}
	return item, err // at another revision it is a conflict whatever the exceptions are
}

// readAlone reads an item, of a series without its exceptions.
func (b *Backend) readAlone(ctx context.Context, m backend.Mailbox, id string) (*ews.CalendarItem, backend.Item, error) {
	got, err := b.ews.GetItems(ctx, m, []string{id}, b.markers())
	if err == nil {
		err = got[0].Err
	}
	if err != nil {
		return nil, backend.Item{}, err
	}
	item, err := b.fromEWS(m, &got[0].Item)
	if err == nil && item.Kind == calendar.Master {
		ruled(&got[0].Item, &item)
	}
	return &got[0].Item, item, err
}

// readAgain reads a series some occurrences of which were written, on the given days. The others are taken to be as before, as far as the
// series tells: what somebody else has changed meanwhile is told by the next pull.
func (b *Backend) readAgain(ctx context.Context, m backend.Mailbox, before backend.Item, written map[time.Time]bool) (backend.Item, error) {
	whole, item, err := b.readAlone(ctx, m, string(before.Ref))
	if err != nil {
		return item, err
	}
	if item.Kind != calendar.Master || item.Omits.Has(calendar.FieldRecurrence) || !series.SameRule(item.Event, before.Event) ||
		series.Changing(item.Event, before.Event, calendar.FieldTime) != 0 {
		return b.readOne(ctx, m, string(before.Ref))
	}
	s, err := series.Of(item.Event)
	if err != nil {
		return item, err
	}
	was := s
	was.Exceptions = before.Event.Exceptions
	have := was.ByDay()
	known := make([]*calendar.Event, len(whole.Series.Modified))
	var ids []string
	for i, one := range whole.Series.Modified {
		day := originalDay(s, one.Original)
		if x := have[day]; !written[day] && x != nil && x.Event != nil {
			known[i] = x.Event
			continue
		}
		ids = append(ids, one.ID)
	}
	var got []ews.Got
	if len(ids) > 0 {
		if got, err = b.ews.GetItems(ctx, m, ids, nil); err != nil {
			return item, err
		}
	}
	read := b.eachOf(m, got)
	next := 0
	item.Event.Exceptions, err = b.exceptions(&item, whole.Series, func(i int) (calendar.Event, error) {
		if known[i] != nil {
			return *known[i], nil
		}
		next++
		return read(next - 1)
	})
	return item, err
}
