package syncer

import (
	"context"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Rooms get other addresses: an organization gets another domain, or somebody made a slip. Items, and what was agreed on of them, go on naming a
// room by the address that it was invited by. So what both sides say is compared by the rooms' present addresses, and who is invited by a former one
// stays invited by that: it is no change, and nothing is written or mailed for it.

// addressOf is the address of a room by which its answers are kept: its own, or if it has none any more the one by which it was invited.
func addressOf(room store.PersonRow, invited string) string {
	if room.Email != "" {
		return directory.FoldEmail(room.Email)
	}
	return directory.FoldEmail(invited)
}

// loadCurrent is loadFields with rooms by their present addresses.
func loadCurrent(ctx context.Context, p people, tenant string, data []byte) (*plan.Fields, error) {
	f, err := loadFields(data)
	if err != nil || f == nil {
		return f, err
	}
	return f, currently(ctx, remember(p), tenant, f)
}

// currently replaces the addresses of rooms in f by their present ones.
func currently(ctx context.Context, p people, tenant string, f *plan.Fields) error {
	changed := false
	for i, email := range f.Resources {
		row, found, err := p.PersonByEmail(ctx, tenant, email)
		if err != nil {
			return err
		}
		if now := strings.ToLower(row.Email); found && now != email {
			if !changed {
				f.Resources = slices.Clone(f.Resources)
			}
			f.Resources[i], changed = now, true
		}
	}
	for i, x := range f.Exceptions {
		if x.Is == nil {
			continue
		}
		is := *x.Is
		if err := currently(ctx, p, tenant, &is); err != nil {
			return err
		}
		f.Exceptions[i].Is = &is
	}
	if f.Heard != nil {
		if err := currently(ctx, p, tenant, f.Heard); err != nil {
			return err
		}
	}
	if changed {
		f.Resources = slices.DeleteFunc(f.Resources, func(email string) bool { return email == "" }) // such a room has no calendar any more
		slices.Sort(f.Resources)
		f.Resources = slices.Compact(f.Resources)
	}
	return nil
}

// guests answers who is behind an address, as people does. But whoever is invited as a guest by an address that a room once had, which it may have
// had by a slip, is no room.
type guests struct {
	people
	as map[string]bool // the addresses of those who are guests to booking and event alike
}

// guestsOf returns people to whom the guests of a booking are guests, who are such to its event, too.
func guestsOf(p people, b *booking.Booking, ev *calendar.Event) people {
	if b == nil || ev == nil {
		return p
	}
	invited := map[string]bool{}
	invite := func(list []booking.Attendee) {
		for _, a := range list {
			invited[directory.FoldEmail(a.Email)] = true
		}
	}
	invite(b.Attendees)
	for _, x := range b.Exceptions {
		if x.Attendees != nil {
			invite(*x.Attendees)
		}
	}
	g := guests{p, map[string]bool{}}
	called := func(list []calendar.Attendee) {
		for _, a := range list {
			if email := directory.FoldEmail(a.Email); a.Role != calendar.Resource && invited[email] {
				g.as[email] = true
			}
		}
	}
	called(ev.Attendees)
	for _, x := range ev.Exceptions {
		if x.Event != nil {
			called(x.Event.Attendees)
		}
	}
	if len(g.as) == 0 {
		return p
	}
	return g
}

// PersonByEmail implements people.
func (g guests) PersonByEmail(ctx context.Context, tenant, email string) (store.PersonRow, bool, error) {
	row, found, err := g.people.PersonByEmail(ctx, tenant, email)
	if found && row.Kind == directory.KindResource && g.as[directory.FoldEmail(email)] && directory.FoldEmail(row.Email) != directory.FoldEmail(email) {
		return store.PersonRow{}, false, err
	}
	return row, found, err
}

// invitedBy returns the address by which a room is invited to an event already, or else its own.
func invitedBy(ctx context.Context, p people, room store.PersonRow, to *calendar.Event) (string, error) {
	own := strings.ToLower(room.Email)
	if to == nil || slices.ContainsFunc(to.Attendees, func(a calendar.Attendee) bool { return strings.EqualFold(a.Email, own) }) {
		return own, nil
	}
	for _, a := range to.Attendees {
		row, found, err := p.PersonByEmail(ctx, room.Tenant, a.Email)
		if err != nil {
			return "", err
		}
		if found && row.ID == room.ID {
			return a.Email, nil
		}
	}
	return own, nil
}
