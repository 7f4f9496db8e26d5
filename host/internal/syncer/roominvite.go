package syncer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// What is written in silence mails nobody. A room is not somebody: nobody reads what its mailbox gets, and a room that is not invited
// does not hold its booking, so that others can take it in Outlook. So rooms are invited, and called off, though people are told nothing.
// An item is made without its rooms, and gets them by a change after that: a change can be told to rooms alone, and if it is cut off
// the rooms are still what the booking has to bring to its item.

// roomsLater takes the rooms out of what an item is made with, if nobody is to be told of it.
func (s *step) roomsLater(mode Mode) {
	if s.intent.Mail != calendar.MailNobody || backend.AbilitiesOf(mode.Backend).Omits.Any(calendar.FieldResources) {
		return
	}
	without := plan.Roomless(s.fields)
	if plan.Diff(without, s.fields) != 0 {
		s.fields, s.roomsLack = without, true
	}
}

// findRooms finds out which addresses of a silent change are those of rooms, and where the items are that tell of the booking in their
// calendars though they are not of this meeting.
func (s *step) findRooms(ctx context.Context, tx *store.Tx) error {
	if s.intent.Mail != calendar.MailNobody || s.apart { // what follows is told to rooms, too
		return nil
	}
	rooms, who := map[string]string{}, guestsOf(tx, s.pair.booking, &s.pair.item.Event)
	for _, email := range allInvited(s.event, s.pair.item.Event) {
		row, found, err := who.PersonByEmail(ctx, s.link.Tenant, email)
		if err != nil {
			return err
		}
		if found && row.Kind == directory.KindResource {
			s.rooms = append(s.rooms, email)
			rooms[row.ID] = email
		}
	}
	if len(rooms) == 0 {
		return nil
	}
	rows, err := tx.RoomItemsOfBooking(ctx, s.link.Tenant, s.link.Booking)
	if err != nil {
		return err
	}
	for _, r := range rows {
		of := r.Role == store.RoomCopy && r.GoneAt.IsZero() && !isPlaceholder(r)
		if email := rooms[r.Room]; of && email != "" && r.UID != s.pair.item.Event.UID && !invites(s.pair.item.Event, email) {
			s.former = append(s.former, formerCopy{r, email})
		}
	}
	return nil
}

// A formerCopy is an item of a room's calendar that came from another item of the booking.
type formerCopy struct {
	row   store.RoomItem
	email string
}

// formerWait is how long a silent change waits for a room's calendar that cannot be read.
const formerWait = time.Hour

// sparesHolders leaves out of the rooms to be told those whose calendar still holds the booking by a former item, that was deleted
// without telling them: they would decline the new one for the sake of the old. Where that cannot be found out now the change waits a while.
func (e *Engine) sparesHolders(ctx context.Context, p *pass, s *step) (waits bool, err error) {
	for _, c := range s.former {
		holds, known, err := e.holdsFormer(ctx, c)
		switch {
		case err != nil:
			return false, err
		case !known && s.intent.Created.Add(formerWait).After(e.now()):
			e.Log.Info("a change that nobody is to be told of waits for the calendar of a room, which cannot be read and may hold the booking by a former item; after an hour "+
				"it is made all the same", "tenant", s.intent.Tenant, "person", s.intent.Person, "booking", s.intent.Booking, "room", c.row.Room)
			return true, e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
				return tx.DeferIntent(ctx, s.intent.Tenant, s.intent.Key, e.now().Add(e.limits().RetryBase), s.intent.Failures)
			})
		case holds:
			s.rooms = without(s.rooms, c.email)
		}
	}
	return false, nil
}

// holdsFormer looks for the item of a room's calendar. known is false if the calendar cannot be read now; one that never is holds nothing.
func (e *Engine) holdsFormer(ctx context.Context, c formerCopy) (holds, known bool, err error) {
	there, problem, err := e.onlooker(ctx, store.Link{Tenant: c.row.Tenant, Person: c.row.Room})
	if err != nil {
		return false, false, ours(err)
	}
	if problem != "" {
		return false, there.isOff(), nil
	}
	got, err := there.mode.Backend.Fetch(ctx, there.mailbox, []calendar.Ref{c.row.Ref})
	if ctx.Err() != nil {
		return false, false, ctx.Err()
	}
	if err != nil || len(got) != 1 || got[0].Err != nil {
		return false, err == nil && len(got) == 1 && errors.Is(got[0].Err, fault.NotFound), nil
	}
	return !got[0].Item.Event.Cancelled, true, nil
}

// allInvited returns the addresses of everybody who is invited to one of events, or to an occurrence of it.
func allInvited(events ...calendar.Event) (list []string) {
	add := func(attendees []calendar.Attendee) {
		for _, a := range attendees {
			if email := strings.ToLower(a.Email); !slices.Contains(list, email) {
				list = append(list, email)
			}
		}
	}
	for _, ev := range events {
		add(ev.Attendees)
		for _, x := range ev.Exceptions {
			if x.Event != nil {
				add(x.Event.Attendees)
			}
		}
	}
	return list
}

func invites(ev calendar.Event, email string) bool { return slices.Contains(allInvited(ev), email) }
