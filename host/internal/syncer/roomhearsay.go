package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A hearsay is what the organizer's item says of a room whose copy is gone.
type hearsay struct {
	invited bool                // the room still is
	reason  string              // why it declined, as far as is known
	heard   booking.AnswerState // the answer that the item has of it by now; empty: not known
	wait    string              // why nobody knows now; empty: it is known
	look    bool                // the organizer's calendar is to be read first
}

// saysOfRoom asks the organizer's item. A room's copy is gone when the room declined, when somebody deleted it there, and
// when the organizer called the meeting off or exchanged the room: only the organizer's item tells which.
func (e *Engine) saysOfRoom(ctx context.Context, p *pass, b *booking.Booking, r store.RoomItem) (hearsay, error) {
	h := hearsay{invited: true, reason: "the meeting is gone from the room's calendar"}
	links, err := e.Store.LinksOfBooking(ctx, b.Tenant, b.ID)
	if err != nil {
		return h, ours(err)
	}
	i := slices.IndexFunc(links, func(l store.Link) bool {
		made := l.State == store.LinkLive && (l.Ref != "" || !l.GoneAt.IsZero()) ||
			l.State == store.LinkPending && len(l.Sent) > 0 // whose answer was lost
		return made && l.Person == b.Organizer
	})
	if i < 0 {
		return e.withoutReadable(ctx, links, b, r, h)
	}
	there, problem, err := e.onlooker(ctx, links[i])
	if err != nil {
		return h, ours(err)
	}
	if problem != "" {
		if there.isOff() {
			return h, nil
		}
		return hearsay{wait: unreadable(b, problem)}, nil
	}
	item, err := e.current(ctx, there, links[i])
	switch {
	case ctx.Err() != nil:
		return h, ctx.Err()
	case err != nil:
		return hearsay{wait: unreadable(b, sentence(err))}, nil
	case item == nil && links[i].State == store.LinkPending:
		return withoutItem(links, b, r, h), nil
	case item == nil: // called off, or dragged elsewhere: the organizer's own pass finds that out
		return hearsay{wait: fmt.Sprintf("the item of the booking is not where it was in the calendar of its organizer %s", b.Organizer), look: true}, nil
	case item.Event.Cancelled:
		return hearsay{}, nil
	}
	if r.UID != "" && item.Event.UID != "" && r.UID != item.Event.UID {
		return hearsay{}, nil // it was the copy of a former item
	}
	by, err := invitedBy(ctx, e.Store, p.person, &item.Event)
	if err != nil {
		return h, ours(err)
	}
	at := slices.IndexFunc(item.Event.Attendees, func(a calendar.Attendee) bool { return strings.EqualFold(a.Email, by) })
	if at < 0 {
		return hearsay{}, nil
	}
	h.heard = answerStates[item.Event.Attendees[at].Response]
	if item.Event.Attendees[at].Response == calendar.Declined {
		h.reason = e.whyDeclined(ctx, there, item, by)
	}
	return h, nil
}

// withoutItem is what can be said of a room's copy while b's organizer has no item: h, unless it was the copy of a former item, whose
// organizer or calendar is another one now, or the new one is on its way.
func withoutItem(links []store.Link, b *booking.Booking, r store.RoomItem, h hearsay) hearsay {
	for _, l := range links {
		if r.UID != "" && l.UID == r.UID && (l.Person != b.Organizer || l.State == store.LinkDead || l.State == store.LinkDeleting) {
			return hearsay{}
		}
	}
	for _, l := range links {
		if l.Person == b.Organizer && (l.State == store.LinkPending || l.State == store.LinkExpected) {
			return hearsay{wait: fmt.Sprintf("the item of the booking is still to come in the calendar of its organizer %s", b.Organizer)}
		}
	}
	return h
}

// withoutReadable is withoutItem where no calendar was asked. The item that is still to be made in one that is off invites the room once it
// is made: until then nothing does, and that may be never. One that the add-in made may be there.
func (e *Engine) withoutReadable(ctx context.Context, links []store.Link, b *booking.Booking, r store.RoomItem, h hearsay) (hearsay, error) {
	h = withoutItem(links, b, r, h)
	if h.wait == "" {
		return h, nil
	}
	there, problem, err := e.onlooker(ctx, store.Link{Tenant: b.Tenant, Person: b.Organizer})
	switch {
	case err != nil:
		return h, ours(err)
	case problem == "":
	case there.isOff() && !slices.ContainsFunc(links, func(l store.Link) bool { return l.State == store.LinkExpected }):
		return hearsay{}, nil
	default:
		h.wait = unreadable(b, problem)
	}
	return h, nil
}

// unreadable says why the organizer of a booking cannot be asked.
func unreadable(b *booking.Booking, problem string) string {
	return fmt.Sprintf("the calendar of its organizer %s cannot be read: %s", b.Organizer, problem)
}

// waitsToHear has an item that is gone looked at later. Once that has been in vain for a while it is laid before a person.
func (e *Engine) waitsToHear(ctx context.Context, tx *store.Tx, b *booking.Booking, r store.RoomItem, said hearsay) error {
	if r.Tries > 0 && r.Due.After(e.now()) {
		return nil // the room is looked at for another reason
	}
	r.Tries++
	r.Due = e.now().Add(min(e.limits().RetryBase<<min(r.Tries-1, 6), time.Hour))
	if said.look && r.Tries == 1 {
		if err := tx.MarkDirty(ctx, b.Tenant, b.Organizer, zeroTime); err != nil {
			return err
		}
	}
	if r.Tries == waitsUnnoticed {
		detail := "the meeting is gone from the room's calendar, and it is not known yet whether the room declined it; the booking keeps the room until then: " + said.wait
		if err := e.differInRoom(ctx, tx, r, roomDifference{roomWaits, b.ID, detail}); err != nil {
			return err
		}
	}
	return tx.PutRoomItem(ctx, r)
}

// isOff reports whether somebody's calendar is not read at all.
func (p *pass) isOff() bool {
	return p == nil || p.person.SyncDisabled || p.person.SyncMode == "" || p.person.Email == ""
}

// whyDeclined returns what a room wrote when it declined; empty if that is not known.
func (e *Engine) whyDeclined(ctx context.Context, there *pass, item *calendar.Item, room string) string {
	if there.mode.Answers == nil {
		return ""
	}
	text, err := there.mode.Answers.Answer(ctx, there.mailbox, item.Ref, room)
	e.unread.note(there.mode.Name, err)
	if err != nil {
		e.Log.Debug("what a room wrote could not be read", "tenant", there.mb.Tenant, "person", there.mb.Person, "error", err.Error())
		return ""
	}
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		text = string(r[:most-1]) + "…"
	}
	return text
}
