package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// roomGone decides on the items of a room's calendar that were found gone: said so, or not mentioned by a complete read.
// Each is looked for once more; held reports that some wait for a person's word: they were too many to believe, or are not in a calendar that
// the room's address did not lead to when they were met.
func (e *Engine) roomGone(ctx context.Context, p *pass) (held bool, err error) {
	rows, err := e.Store.RoomItemsGone(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil {
		return false, ours(err)
	}
	approved := p.mb.DeletionsApproved
	if rows, err = e.harmlessInRoom(ctx, p, rows); err != nil {
		return false, err
	}
	missing, err := e.verifyInRoom(ctx, p, rows)
	if err != nil {
		return false, err
	}
	since, err := e.Store.AddressedSince(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil {
		return false, ours(err)
	}
	believed, waiting, err := believe(ctx, e, p, vanishing[store.RoomItem]{
		missing: missing, elsewhere: func(r store.RoomItem) bool { return r.Epoch < since }, total: e.Store.CountRoomItems,
	}, approved)
	if err != nil {
		return false, err
	}
	for _, r := range believed {
		if err := e.leftRoom(ctx, p, r); err != nil {
			return false, err
		}
		e.Failpoint("room:gone-settled")
	}
	if err := e.restGone(ctx, p, waiting); err != nil {
		return false, err
	}
	return len(waiting) > 0, e.hold(ctx, p, vanishedFromRoom(waiting, since), approved)
}

// restGone has the room left alone until somebody decides on items that are gone: nothing of them is due before.
func (e *Engine) restGone(ctx context.Context, p *pass, rows []store.RoomItem) error {
	for _, r := range rows {
		if r.Due.IsZero() {
			continue
		}
		err := e.withRoomItem(ctx, p, r, func(_ context.Context, _ *store.Tx, r *store.RoomItem) error {
			if !r.GoneAt.IsZero() {
				r.Due = zeroTime
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// vanishedFromRoom are what is held back of items that vanished from a room's calendar, which has had its address since that epoch.
func vanishedFromRoom(rows []store.RoomItem, since int64) []QuarantineItem {
	items := make([]QuarantineItem, len(rows))
	for i, r := range rows {
		items[i] = QuarantineItem{Booking: r.Booking, Key: string(r.Ref), Does: "the booking leaves the room, because the room's item was deleted"}
		if r.Epoch < since {
			items[i].Does = "the booking leaves the room, because its item is not in the calendar to which the room's address leads now"
		}
	}
	return items
}

// harmlessInRoom ends what puts nothing at stake, and returns the rest: items that no booking stands for, or one that is
// over. What was declined is remembered until the meeting is over, because its organizer's item still names the room.
func (e *Engine) harmlessInRoom(ctx context.Context, p *pass, rows []store.RoomItem) ([]store.RoomItem, error) {
	var rest []store.RoomItem
	for _, r := range rows {
		harmless := true
		err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			harmless = true
			now, found, err := tx.RoomItem(ctx, r.Tenant, r.Room, r.Ref)
			if err != nil || !found || now.GoneAt.IsZero() {
				return err
			}
			if now.Booking == "" && (refuses(now) && !e.basePast(now) || isPlaceholder(now) && e.takenAhead(now)) {
				now.GoneAt, now.Due, now.SeenRound = zeroTime, zeroTime, p.mb.Round
				if !isPlaceholder(now) {
					now.Role = store.RoomDeclined
					if err := e.closeRoomDifferences(ctx, tx, now, ""); err != nil {
						return err
					}
				}
				return tx.PutRoomItem(ctx, now)
			}
			if keep, err := e.unsettledGone(ctx, tx, &now); err != nil || keep {
				return err
			}
			b, found, err := tx.Booking(ctx, now.Tenant, now.Booking)
			if err != nil {
				return err
			}
			// What is left alone is nothing to a booking that its organizer's item stands for, but one that came from it goes with it.
			left := now.Role == store.RoomNew || now.Role == store.RoomLeft && found && b.Organizer != "" && !b.SyncOff
			if harmless = !found || b.Status != booking.Confirmed || e.past(b) || left; !harmless {
				r = now
				return nil
			}
			if err := e.closeRoomDifferences(ctx, tx, now, ""); err != nil {
				return err
			}
			return tx.DeleteRoomItem(ctx, now)
		})
		if err != nil {
			return nil, err
		}
		if !harmless {
			rest = append(rest, r)
		}
	}
	return rest, nil
}

// basePast reports whether a meeting was over by when it was settled last.
func (e *Engine) basePast(r store.RoomItem) bool {
	f, err := loadFields(r.Base)
	return err != nil || f == nil || e.endsBy(f)
}

// takenAhead reports whether the room was taken for an occurrence of a series that is not over.
func (e *Engine) takenAhead(r store.RoomItem) bool {
	return slices.ContainsFunc(r.Occurrences, func(o store.RoomOccurrence) bool { return o.End.After(e.now()) })
}

// verifyInRoom looks for items once more and returns those that are really gone. What is found is settled again.
func (e *Engine) verifyInRoom(ctx context.Context, p *pass, rows []store.RoomItem) (missing []store.RoomItem, err error) {
	var unnamed []store.RoomItem // by the references of another mode
	var named []store.RoomItem
	for _, r := range rows {
		if r.Epoch == p.mb.Epoch {
			named = append(named, r)
		} else {
			unnamed = append(unnamed, r)
		}
	}
	for part := range slices.Chunk(named, roomItemsAtOnce) {
		refs := make([]calendar.Ref, len(part))
		for i, r := range part {
			refs[i] = r.Ref
		}
		got, err := p.mode.Backend.Fetch(ctx, p.mailbox, refs)
		if err != nil {
			return nil, err
		}
		for i, r := range part {
			switch {
			case errors.Is(got[i].Err, fault.NotFound):
				unnamed = append(unnamed, r)
			case got[i].Err != nil:
				return nil, got[i].Err
			case got[i].Item.Event.Cancelled:
				missing = append(missing, r)
			default:
				err := e.withRoomItem(ctx, p, r, func(ctx context.Context, tx *store.Tx, r *store.RoomItem) error {
					r.GoneAt, r.Due, r.SeenRound = zeroTime, e.now(), p.mb.Round
					return e.closeRoomDifferences(ctx, tx, *r, roomWaits)
				})
				if err != nil {
					return nil, err
				}
			}
		}
	}
	for _, r := range unnamed {
		found, err := e.elsewhereInRoom(ctx, p, r)
		if err != nil {
			return nil, err
		}
		if !found {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

// elsewhereInRoom looks for an item under another reference. What is found is recorded, and takes its place when it is
// settled.
func (e *Engine) elsewhereInRoom(ctx context.Context, p *pass, r store.RoomItem) (bool, error) {
	if r.UID == "" || p.mode.Finder == nil {
		return false, nil
	}
	items, err := p.mode.Finder.Find(ctx, p.mailbox, backend.ByUID, r.UID)
	if errors.Is(err, fault.Unsupported) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, it := range items {
		if it.Ref == r.Ref || it.Event.Cancelled {
			continue
		}
		return true, e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			now, known, err := tx.RoomItem(ctx, r.Tenant, r.Room, it.Ref)
			if err != nil {
				return err
			}
			if !known {
				now = store.RoomItem{Tenant: r.Tenant, Room: r.Room, Ref: it.Ref, UID: r.UID, Created: e.now()}
			}
			now.Epoch, now.SeenRound, now.GoneAt, now.Due = p.mb.Epoch, p.mb.Round, zeroTime, e.now()
			return tx.PutRoomItem(ctx, now)
		})
	}
	return false, nil
}

// leftRoom settles an item that is really gone and for which a booking stands.
func (e *Engine) leftRoom(ctx context.Context, p *pass, r store.RoomItem) error {
	b, found, err := e.Store.Booking(ctx, r.Tenant, r.Booking)
	if err != nil || !found {
		return ours(err)
	}
	if r.Role != store.RoomCopy {
		if until := r.GoneAt.Add(roomSwapWait); until.After(e.now()) && !e.ownMeeting(p, b) {
			// Perhaps another room takes its place: that one's calendar tells.
			return e.withRoomItem(ctx, p, r, func(_ context.Context, _ *store.Tx, r *store.RoomItem) error {
				r.Due = until
				return nil
			})
		}
		return e.sourceGone(ctx, p, r)
	}
	said, err := e.saysOfRoom(ctx, p, b, r)
	if err != nil {
		return err
	}
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		now, found, err := tx.RoomItem(ctx, r.Tenant, r.Room, r.Ref)
		if err != nil || !found || now.GoneAt.IsZero() {
			return err
		}
		if said.wait != "" {
			return e.waitsToHear(ctx, tx, b, now, said)
		}
		if err := e.closeRoomDifferences(ctx, tx, now, ""); err != nil {
			return err
		}
		if err := tx.DeleteRoomItem(ctx, now); err != nil {
			return err
		}
		b, found, err := tx.Booking(ctx, r.Tenant, r.Booking)
		if err != nil || !found || b.Status != booking.Confirmed || !slices.Contains(b.Resources, r.Room) {
			return err
		}
		if said.invited && e.takenAhead(now) && now.UID != "" { // the organizer's item goes on inviting the room to what it is taken for
			mark := store.RoomItem{
				Tenant: now.Tenant, Room: now.Room, Ref: placeholder(now.UID), UID: now.UID, Role: store.RoomCopy, Occurrences: now.Occurrences,
			}
			if err := tx.PutRoomItem(ctx, mark); err != nil {
				return err
			}
		}
		if !said.invited {
			return tx.MarkDirty(ctx, b.Tenant, b.Organizer, zeroTime) // that tells what became of the meeting
		}
		return e.roomAnswers(ctx, tx, b, roomAnswer{room: p.person, state: booking.AnswerDeclined, reason: said.reason, heard: said.heard})
	})
}

func (e *Engine) ownMeeting(p *pass, b *booking.Booking) bool {
	return b.External != nil && strings.EqualFold(b.External.Email, p.person.Email)
}

// sourceGone takes a room out of a booking that came from rooms' calendars, or cancels it if that was the last one.
func (e *Engine) sourceGone(ctx context.Context, p *pass, r store.RoomItem) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		now, found, err := tx.RoomItem(ctx, r.Tenant, r.Room, r.Ref)
		if err != nil || !found || now.GoneAt.IsZero() {
			return err
		}
		if err := e.closeRoomDifferences(ctx, tx, now, ""); err != nil {
			return err
		}
		if err := tx.DeleteRoomItem(ctx, now); err != nil {
			return err
		}
		b, found, err := tx.Booking(ctx, r.Tenant, r.Booking)
		if err != nil || !found || b.Status != booking.Confirmed {
			return err
		}
		rows, err := tx.RoomItemsOfBooking(ctx, b.Tenant, b.ID)
		if err != nil {
			return err
		}
		next, what, why := b.Clone(), "booking changed", fmt.Sprintf("the meeting is gone from the calendar of %s", r.Room)
		withoutRoom(next, r.Room)
		if next.Normalize(); len(rows) == 0 {
			next, what = b.Clone(), "booking cancelled"
			next.Status = booking.Cancelled
		}
		if booking.Same(b, next) {
			return nil
		}
		if err := e.save(ctx, tx, b, next, sourceCalendar, why); err != nil {
			return err
		}
		return e.record(ctx, tx, b.Tenant, r.Room, b.ID, what, why)
	})
}

// listMeetingGone lays before a person that a booking which came from rooms' calendars stands, and why, though its meeting is there no more:
// nothing holds these rooms in Exchange.
func (e *Engine) listMeetingGone(ctx context.Context, tx *store.Tx, b *booking.Booking, why string) error {
	rows, err := tx.RoomItemsOfBooking(ctx, b.Tenant, b.ID)
	if err != nil {
		return err
	}
	for _, id := range b.Resources {
		room, found, err := tx.Person(ctx, b.Tenant, id)
		if err != nil {
			return err
		}
		there := slices.ContainsFunc(rows, func(r store.RoomItem) bool { return r.Room == id && r.GoneAt.IsZero() })
		if !found || there || room.SyncMode == "" || room.SyncDisabled {
			continue
		}
		about := store.RoomItem{Tenant: b.Tenant, Room: id, Booking: b.ID}
		if err := e.differInRoom(ctx, tx, about, roomDifference{roomDiffers, "", "the meeting is gone from the room's calendar, and " + why}); err != nil {
			return err
		}
	}
	return nil
}

// keepGone keeps the bookings whose meetings are gone from a room's calendar, and forgets that they came from there.
func (e *Engine) keepGone(ctx context.Context, tx *store.Tx, tenant, room string) (int, error) {
	rows, err := tx.RoomItemsGone(ctx, tenant, room)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		if r.Booking != "" {
			detail := "the meeting is gone from the room's calendar, and the booking was kept by an administrator"
			if err := e.differInRoom(ctx, tx, r, roomDifference{roomDiffers, "", detail}); err != nil {
				return 0, err
			}
		}
		if err := tx.DeleteRoomItem(ctx, r); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}
