package syncer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// meetingID is the id of the booking that a meeting becomes. It is the meeting's own, so that rooms that are read at the
// same moment, and a pass that is repeated, come to the same booking.
func (s *roomSettling) meetingID() string {
	name := s.row.UID
	if name == "" {
		name = s.row.Room + "\x00" + string(s.row.Ref)
	}
	return bookingOfMeeting(name)
}

// bookingOfMeeting is the id of the booking that the meeting with that UID becomes.
func bookingOfMeeting(uid string) string {
	sum := sha256.Sum256([]byte(uid))
	return "outlook-" + hex.EncodeToString(sum[:12])
}

// book makes a booking of the meeting, or one that was cancelled stand again.
func (s *roomSettling) book(ctx context.Context, old *booking.Booking) error {
	next, linked, err := s.draft(ctx)
	if err != nil {
		return err
	}
	others, err := s.tx.Overlapping(ctx, onlyRoom(next, s.row.Room))
	if err != nil {
		return err
	}
	for _, id := range others {
		if same, err := s.sameMeeting(ctx, id); err != nil {
			return err
		} else if same != nil {
			return s.copyOf(ctx, same)
		}
	}
	if waits, err := s.outdated(ctx, others); err != nil || waits {
		return err
	}
	if len(others) > 0 && !next.Series() {
		return s.collides(ctx, nil, others)
	}
	if err := s.dropTaken(ctx, next); err != nil {
		return err
	}
	if next.Series() {
		left, others, err := s.makeWay(ctx, nil, next)
		if err != nil {
			return err
		}
		if !left {
			return s.collides(ctx, nil, others)
		}
	}
	if v := booking.Validate(next); len(v) > 0 {
		why := refusalOf(&booking.InvalidError{Booking: next.ID, Violations: v}).listed
		return s.leave(ctx, roomDifference{roomUnbooked, "", "the meeting cannot be booked: " + why})
	}
	e := s.engine
	if err := e.save(ctx, s.tx, old, next, sourceCalendar, ""); err != nil {
		return err
	}
	if err := e.closeRoomDifferences(ctx, s.tx, *s.row, ""); err != nil {
		return err
	}
	s.row.Role, s.row.Booking, s.row.Base, s.row.Reason, s.row.Answer = store.RoomSource, next.ID, saveFields(&s.fields), "", ""
	if linked {
		s.row.Role = store.RoomCopy
		if err := s.tx.PutRoomItem(ctx, *s.row); err != nil { // which says for what the room is taken
			return err
		}
		if err := s.tie(ctx, next); err != nil {
			return err
		}
	}
	if err := e.record(ctx, s.tx, next.Tenant, s.row.Room, next.ID, "booking made", "the room was invited in a calendar"); err != nil {
		return err
	}
	if next.Status == booking.Cancelled { // the room had declined, and its organizer wants that
		return nil
	}
	return s.answers(ctx, next)
}

// draft returns the booking that the meeting is to become; linked, if the organizer's own item says what it is.
func (s *roomSettling) draft(ctx context.Context) (next *booking.Booking, linked bool, err error) {
	next = &booking.Booking{
		Tenant: s.row.Tenant, ID: s.meetingID(), Status: booking.Confirmed, Resources: []string{s.row.Room},
		Organizer: s.organizer.ID, SyncOff: true, Zone: s.engine.Zone(s.row.Tenant),
	}
	from, fields := s.fields, follows|calendar.FieldLocation|calendar.FieldRecurrence
	if s.organizer.ID == "" {
		next.External = &booking.Address{Name: s.item.Event.Organizer.Name, Email: s.item.Event.Organizer.Email}
		if s.own {
			// Nobody knows who wrote it there, so the room itself stands for its organizer.
			next.External = &booking.Address{Name: displayName(s.pass.person.Person), Email: s.pass.person.Email}
		}
		fields |= calendar.FieldClass
	}
	if it := s.original; it != nil && untouchable(it, nil) == "" {
		f, err := fieldsOfItem(ctx, s.tx, s.row.Tenant, s.organizer.Email, &it.Event)
		if err != nil {
			return nil, false, err
		}
		if slices.Contains(f.Resources, strings.ToLower(s.pass.person.Email)) {
			linked, next.SyncOff = true, false
			from, fields = f, calendar.AllFields&^(calendar.FieldBody|it.Omits)
		}
	}
	if err := s.engine.undisclosed(ctx, s.tx, next, fields, from); err != nil {
		return nil, false, err
	}
	if next.Title == "" && !linked {
		next.Title = s.item.Event.Organizer.Name // the room's policy leaves nothing else
	}
	if !slices.Contains(next.Resources, s.row.Room) {
		next.Resources = append(next.Resources, s.row.Room)
	}
	next.Normalize()
	return next, linked, nil
}

// sameMeeting returns the booking if it stands for this very meeting though nothing but what it says tells so: its item has
// not been read yet, or it has none because its organizer's sync is off.
func (s *roomSettling) sameMeeting(ctx context.Context, id string) (*booking.Booking, error) {
	b, found, err := s.tx.Booking(ctx, s.row.Tenant, id)
	if err != nil || !found || s.organizer.ID == "" || b.Organizer != s.organizer.ID || b.AllDay != s.fields.AllDay ||
		b.Recurrence != s.fields.Recurrence || !b.Start.Equal(s.fields.Start) || !b.End.Equal(s.fields.End) {
		return nil, err
	}
	links, err := s.tx.LinksOfBooking(ctx, b.Tenant, b.ID)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(links, func(l store.Link) bool { return l.State != store.LinkDead && l.UID != "" }) {
		return nil, nil // its item is another one
	}
	return b, nil
}

// dropTaken leaves out of a new booking the other rooms of the meeting that are taken. Their own calendars tell of them; until
// those are read a placeholder keeps the organizer's item from bringing them in.
func (s *roomSettling) dropTaken(ctx context.Context, next *booking.Booking) error {
	var free []string
	for _, id := range next.Resources {
		if id == s.row.Room {
			free = append(free, id)
			continue
		}
		if refused, err := s.refusedBefore(ctx, id); err != nil {
			return err
		} else if refused {
			continue
		}
		alone := onlyRoom(next, id)
		conflicts, err := s.tx.Conflicts(ctx, nil, alone)
		if err != nil {
			return err
		}
		for _, c := range conflicts {
			leaveOut(alone, id, c.Occurrence)
		}
		others := booking.OthersOf(conflicts)
		if len(others) == 0 || next.Series() && s.engine.hasRoomAhead(alone, id) { // what is taken of it is seen to later
			free = append(free, id)
			continue
		}
		rows, err := s.tx.RoomItemsByUID(ctx, next.Tenant, s.row.UID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(rows, func(r store.RoomItem) bool { return r.Room == id && r.Role != store.RoomNew }) {
			continue // one that waits to be settled does not say yet that the room is taken
		}
		mark := store.RoomItem{
			Tenant: next.Tenant, Room: id, Ref: placeholder(s.row.UID), UID: s.row.UID, Role: store.RoomConflict,
			Base: saveFields(&s.fields), Reason: roomNotFree,
		}
		if err := s.tx.PutRoomItem(ctx, mark); err != nil {
			return err
		}
		if err := s.engine.differInRoom(ctx, s.tx, mark, roomDifference{roomConflict, next.ID, takenAtAll(next, others)}); err != nil {
			return err
		}
		if err := s.tx.MarkDirty(ctx, next.Tenant, id, zeroTime); err != nil {
			return err
		}
	}
	for _, id := range next.Resources {
		if !slices.Contains(free, id) {
			withoutRoom(next, id)
		}
	}
	next.Normalize()
	return nil
}

const placeholderPrefix = "uid:"

// placeholder is the reference of an item that has not been read yet.
func placeholder(uid string) calendar.Ref { return calendar.Ref(placeholderPrefix + uid) }

func isPlaceholder(r store.RoomItem) bool {
	return r.Epoch == 0 && strings.HasPrefix(string(r.Ref), placeholderPrefix)
}

// tie links a new booking to its organizer's own item. What that says stays as it is, for it says what the booking says; it gets
// the booking's markers, of which nobody is mailed, so that it is known again when its reference is good no more.
func (s *roomSettling) tie(ctx context.Context, b *booking.Booking) error {
	mb, found, err := s.tx.Mailbox(ctx, b.Tenant, b.Organizer)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("mailbox of %q: %w", b.Organizer, booking.ErrNotFound)
	}
	links, err := s.tx.LinksOfBooking(ctx, b.Tenant, b.ID)
	if err != nil {
		return err
	}
	pr := pair{booking: b, person: s.organizer, item: s.original, link: store.Link{
		Tenant: b.Tenant, Key: fmt.Sprintf("%s.%d", b.ID, len(links)+1), Booking: b.ID, Person: b.Organizer, Epoch: mb.Epoch,
		State: store.LinkLive, Ref: s.original.Ref, Revision: s.original.Revision, UID: s.original.Event.UID, SeenRound: mb.Round,
		Created: s.engine.now(),
	}}
	in, err := s.engine.input(ctx, s.tx, &pr)
	if err != nil {
		return err
	}
	pr.link.Base = saveFields(plan.Agreed(in, 0))
	if err := s.tx.PutLink(ctx, pr.link); err != nil {
		return err
	}
	if err := s.engine.note(ctx, s.tx, pr.link, store.OpMark, calendar.MailNobody, "a room was invited in a calendar"); err != nil {
		return err
	}
	if err := s.tx.MarkDirty(ctx, b.Tenant, b.Organizer, zeroTime); err != nil {
		return err
	}
	return s.engine.hear(ctx, s.tx, &pr)
}

// refuses reports whether an item is that of a meeting that its room is not free for.
func refuses(r store.RoomItem) bool {
	return r.Role == store.RoomConflict || r.Role == store.RoomDeclining || r.Role == store.RoomDeclined
}
