package syncer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// An excuse is an invited room that an occurrence of a series has in its organizer's calendar and not in the booking.
type excuse struct {
	occurrence time.Time
	email      string
	without    string // the location of the occurrence in the booking, if it was taken for the names of its rooms
	with       string // and as the item has it
}

// excuse takes out of what the organizer's item says the invited rooms that its booking does not have because they are
// taken: they collide, or have declined, all of it or single occurrences. They stay invited.
func (e *Engine) excuse(ctx context.Context, tx *store.Tx, p *pair, f *plan.Fields) error {
	p.excused, p.excuses = nil, nil
	if p.booking == nil || len(f.Resources) == 0 {
		return nil
	}
	rows, read, who := []store.RoomItem(nil), false, guestsOf(tx, p.booking, &p.item.Event)
	for _, a := range p.item.Event.Attendees {
		room, found, err := who.PersonByEmail(ctx, p.link.Tenant, a.Email)
		if err != nil {
			return err
		}
		email := strings.ToLower(room.Email)
		if !found || room.Kind != directory.KindResource || !slices.Contains(f.Resources, email) {
			continue
		}
		booked := slices.Contains(p.booking.Resources, room.ID)
		if booked && f.Recurrence == "" {
			continue
		}
		if !read {
			if rows, err = tx.RoomItemsByUID(ctx, p.link.Tenant, p.item.Event.UID); err != nil {
				return err
			}
			read = true
		}
		refused, err := e.refusedNow(ctx, tx, p, f, room, rows)
		if err != nil {
			return err
		}
		if !booked && refused {
			p.excused = append(p.excused, a)
			for i := range f.Exceptions {
				if is := f.Exceptions[i].Is; is != nil && slices.Contains(is.Resources, email) {
					other := *is
					if err := excluded(ctx, tx, p.link.Tenant, &other, email); err != nil {
						return err
					}
					f.Exceptions[i].Is = &other
				}
			}
			if err := excluded(ctx, tx, p.link.Tenant, f, email); err != nil {
				return err
			}
			*f = plan.Canonical(*f)
			continue
		}
		for _, r := range rows {
			if r.Room != room.ID || f.Recurrence == "" {
				continue
			}
			for _, o := range r.Occurrences {
				if has, takesPlace := roomAt(p.booking, room.ID, o.Occurrence); takesPlace && !has {
					if err := e.excuseAt(ctx, tx, p, f, o.Occurrence, email); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// refusedNow reports whether a room that a booking does not have is taken, or has declined. That it is taken is looked at anew where its
// calendar is not read: nobody else does when it is freed.
func (e *Engine) refusedNow(ctx context.Context, tx *store.Tx, p *pair, f *plan.Fields, room store.PersonRow, rows []store.RoomItem) (bool, error) {
	var taken, declined bool
	for _, r := range rows {
		if r.Room == room.ID && refuses(r) {
			taken, declined = taken || r.Role == store.RoomConflict, declined || r.Role != store.RoomConflict
		}
	}
	if declined || !taken || e.RoomSync(room.Tenant) && !room.SyncDisabled && room.SyncMode != "" && room.Email != "" {
		return declined || taken, nil
	}
	next := withRoomAlone(p.booking, room.ID)
	if err := applyFields(ctx, tx, next, calendar.FieldTime|calendar.FieldRecurrence, f); err != nil {
		return false, err
	}
	conflicts, err := tx.Conflicts(ctx, nil, next)
	return len(conflicts) > 0, err
}

// excluded takes a room out of f, and out of its location where that is nothing but the names of the rooms.
func excluded(ctx context.Context, p people, tenant string, f *plan.Fields, email string) error {
	names, err := roomNames(ctx, p, tenant, f.Resources)
	if err != nil {
		return err
	}
	f.Resources = without(f.Resources, email)
	if f.Location == names {
		f.Location, err = roomNames(ctx, p, tenant, f.Resources)
	}
	return err
}

// excuseAt takes a room out of what the item says of one occurrence.
func (e *Engine) excuseAt(ctx context.Context, tx *store.Tx, p *pair, f *plan.Fields, at time.Time, email string) error {
	i := slices.IndexFunc(f.Exceptions, func(x plan.Exception) bool { return x.Occurrence.Equal(at) })
	x := plan.Exception{Occurrence: at}
	if i >= 0 {
		x = f.Exceptions[i]
	}
	is := f.Occurrence(x)
	if x.Skipped || !slices.Contains(is.Resources, email) {
		return nil
	}
	ex := excuse{occurrence: at, email: email}
	names, err := roomNames(ctx, tx, p.link.Tenant, is.Resources)
	if err != nil {
		return err
	}
	is.Resources = without(is.Resources, email)
	if is.Location == names {
		ex.with = is.Location
		if ex.without, err = roomNames(ctx, tx, p.link.Tenant, is.Resources); err != nil {
			return err
		}
		is.Location = ex.without
	}
	p.excuses = append(p.excuses, ex)
	replaceException(f, f.Except(at, is, calendar.AllFields))
	return nil
}

// invited returns f, which is to be written to the item of a pair, with the rooms that stay invited to single occurrences.
func (p *pair) invited(f plan.Fields) plan.Fields {
	f.Exceptions = slices.Clone(f.Exceptions)
	for _, ex := range slices.Backward(p.excuses) {
		i := slices.IndexFunc(f.Exceptions, func(x plan.Exception) bool { return x.Occurrence.Equal(ex.occurrence) })
		if i < 0 || f.Exceptions[i].Skipped {
			continue
		}
		is := f.Occurrence(f.Exceptions[i])
		is.Resources = append(slices.Clone(is.Resources), ex.email)
		if ex.with != "" && is.Location == ex.without {
			is.Location = ex.with
		}
		replaceException(&f, f.Except(ex.occurrence, is, calendar.AllFields))
	}
	return f
}

// replaceException puts x in the place of the exception of its occurrence; as the series is it is none.
func replaceException(f *plan.Fields, x plan.Exception) {
	list := slices.DeleteFunc(slices.Clone(f.Exceptions), func(o plan.Exception) bool { return o.Occurrence.Equal(x.Occurrence) })
	f.Exceptions = append(list, x)
	*f = plan.Canonical(*f)
}

func without(list []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == one })
}

// roomNames are the names of rooms by their addresses, as a location without words of its own has them.
func roomNames(ctx context.Context, p people, tenant string, emails []string) (string, error) {
	var rooms []directory.Person
	for _, email := range emails {
		row, found, err := p.PersonByEmail(ctx, tenant, email)
		if err != nil {
			return "", err
		}
		if found {
			rooms = append(rooms, row.Person)
		}
	}
	return namesOf(rooms), nil
}
