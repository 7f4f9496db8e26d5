package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// A booking that is put again after it was cancelled, or for another organizer, gets another item, and its rooms are asked anew: what they
// answered to the former one is no answer to that. Where the item that they answered is still there it is one.

// askAnew forgets what the rooms of a booking that is about to be saved have answered, unless its calendar holds an item that they may have
// answered.
func (e *Engine) askAnew(ctx context.Context, tx *store.Tx, b *booking.Booking) error {
	links, err := tx.LinksOfBooking(ctx, b.Tenant, b.ID)
	if err != nil || len(links) == 0 || b.SyncOff || beingRemoved(links, b.Organizer) != nil || slices.ContainsFunc(links, func(l store.Link) bool {
		return keeps(l, b) || l.State == store.LinkDead && l.Person == b.Organizer && (l.Ref != "" || len(l.Sent) > 0)
	}) {
		return err
	}
	_, err = e.forgetRooms(ctx, tx, b)
	return err
}

// forgetRooms has everything be news that a new item of a booking will say of the answers, and what the rooms answered to the former
// one be forgotten. It returns the rooms of which that is so. The booking is brought up to date, and not saved.
func (e *Engine) forgetRooms(ctx context.Context, tx *store.Tx, b *booking.Booking) (rooms []string, err error) {
	known, err := tx.Answers(ctx, b.Tenant, b.ID)
	if err != nil {
		return nil, err
	}
	for _, a := range known {
		answered := a.Resource != "" && (a.State != booking.AnswerPending || len(a.Occurrences) > 0)
		if a.Heard == "" && !answered {
			continue
		}
		if a.Heard = ""; answered {
			a.State, a.Reason, a.Occurrences, a.At = booking.AnswerPending, "", nil, e.now()
			rooms = append(rooms, a.Resource)
			for i := range b.Answers {
				if b.Answers[i].Resource == a.Resource {
					b.Answers[i] = a.Answer
				}
			}
		}
		if err := tx.PutAnswer(ctx, a); err != nil {
			return nil, err
		}
	}
	return rooms, nil
}

// tellOfAsking forgets what the rooms of a booking answered to its former item, and tells of it where the booking was saved with that.
func (e *Engine) tellOfAsking(ctx context.Context, tx *store.Tx, b *booking.Booking) error {
	rooms, err := e.forgetRooms(ctx, tx, b)
	if err != nil || len(rooms) == 0 {
		return err
	}
	if !b.SyncDisabled {
		b.SyncProblem = declinedProblem(b)
	}
	return e.tellAnswer(ctx, tx, b, fmt.Sprintf("%s: %s", strings.Join(rooms, ", "), booking.AnswerPending))
}
