package syncer

import (
	"errors"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// decideMails has an administrator decide on writes that were held back because they would have mailed.
func (m *model) decideMails(n int) (decided bool) {
	ctx := m.t.Context()
	open, err := m.stage.store.Differences(ctx, m.tenant, store.DifferenceFilter{Kind: mailHeldBack})
	m.must(err)
	for i, d := range open {
		b := m.booking(d.Booking)
		if m.people[d.Person].SyncDisabled {
			continue
		}
		l, err := heldLink(ctx, m.stage.store, d)
		if err != nil {
			m.fail("%s: nothing is held back of what is shown as such: %+v, %v", d.Booking, d, err)
		}
		decided = true
		if (n+i)%2 == 0 && l.State == store.LinkLive && b.Status == booking.Confirmed {
			err := m.engine.Resolve(ctx, m.tenant, d.ID, Resolution{Use: UseCalendar})
			if err == nil {
				m.say("%s takes what the calendar says", d.Booking)
				m.note(d.Booking).own = nil
				m.note(d.Booking).puts++
				continue
			}
			if _, refused := errors.AsType[*booking.InvalidError](err); !refused {
				m.fail("%s: %v", d.Booking, err)
			}
			m.say("%s cannot take what the calendar says: %v", d.Booking, err)
		}
		m.say("%s is written though it mails", d.Booking)
		m.note(d.Booking).mails++
		m.must(m.engine.Resolve(ctx, m.tenant, d.ID, Resolution{Use: UseBooking, Mail: true}))
	}
	return decided
}

// heldStill reports whether somebody decided that the item stays as it is, though the booking cannot say all that it says.
func (m *model) heldStill(b *booking.Booking) bool {
	links, err := m.stage.store.LinksOfBooking(m.t.Context(), m.tenant, b.ID)
	m.must(err)
	return slices.ContainsFunc(links, func(l store.Link) bool { return l.State == store.LinkLive && len(l.Held) > 0 })
}
