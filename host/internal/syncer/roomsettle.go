package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// What differences about the calendars of rooms are called, besides roomConflict.
const (
	roomSeries    = "series left alone"
	roomUnbooked  = "meeting without booking" // it stays in the room's calendar, and no booking stands for it
	roomDiffers   = "room differs"            // the booking says otherwise than the meeting that it came from
	roomEditLost  = "edit lost"
	roomNotFree   = "The room is not free at that time."
	roomCancelled = "The booking of the room was cancelled."
)

// roomSettling is the work on one item of a room's calendar, within one transaction. What it makes of row is stored by its
// caller.
type roomSettling struct {
	engine *Engine
	tx     *store.Tx
	pass   *pass
	row    *store.RoomItem
	meeting

	fields plan.Fields // what the copy says
	base   *plan.Fields
	tries  int // to settle it before

	refused bool // so far the room was not free for it
}

// follows are the fields in which a booking follows the copy that it came from.
const follows = calendar.FieldTime | calendar.FieldSubject | calendar.FieldAttendees

func (s *roomSettling) settle(ctx context.Context) error {
	s.refused = refuses(*s.row)
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	if why := strangePattern(s.item); why != "" {
		return s.strange(ctx, why)
	}
	var err error
	if s.base, err = loadCurrent(ctx, s.tx, s.row.Tenant, s.row.Base); err != nil {
		return fmt.Errorf("item of room %q: %w", s.row.Room, err)
	}
	if s.fields, err = s.said(ctx); err != nil {
		return err
	}
	b, from, err := s.known(ctx)
	switch {
	case err != nil:
		return err
	case from == waits:
		return nil
	}
	if err := s.reconsider(ctx, b); err != nil {
		return err
	}
	switch {
	case s.decided(b):
		return nil
	case b != nil && from == byRoom && s.base == nil && b.Series() != (s.fields.Recurrence != ""):
		return s.leave(ctx, roomDifference{roomSeries, b.ID, "one room is invited to the series and another one to one occurrence of it alone: book that in the booking system"})
	case b == nil:
		return s.book(ctx, nil)
	case b.Status == booking.Cancelled:
		return s.over(ctx, b, from)
	case from == byOrganizer:
		return s.copyOf(ctx, b)
	}
	return s.follow(ctx, b)
}

// decided reports whether the item was declined or left alone, and nothing has changed since.
func (s *roomSettling) decided(b *booking.Booking) bool {
	switch s.row.Role {
	case store.RoomDeclining:
		s.row.Due = s.engine.now()
	case store.RoomDeclined:
	case store.RoomLeft:
		if b != nil && b.Status == booking.Confirmed {
			return false
		}
	default:
		return false
	}
	return s.base != nil && plan.Diff(*s.base, s.fields)&whenFields == 0
}

// takeOver puts the item in the place of one that is gone and was the same: items change their reference when they are
// moved, or when the mailbox is reached in another way.
func (s *roomSettling) takeOver(ctx context.Context) error {
	if s.row.Role != store.RoomNew {
		return nil
	}
	rows, err := s.tx.RoomItemsByUID(ctx, s.row.Tenant, s.row.UID)
	if err != nil {
		return err
	}
	for _, old := range rows {
		if err := s.unsettledElsewhere(ctx, old); err != nil {
			return err
		}
		stays := old.GoneAt.IsZero() && old.Epoch == s.row.Epoch && old.Role != store.RoomDeclined && !isPlaceholder(old)
		if old.Room != s.row.Room || old.Ref == s.row.Ref || stays {
			continue
		}
		s.refused = s.refused || refuses(old)
		if !isPlaceholder(old) && old.Role != store.RoomDeclined {
			s.row.Booking, s.row.Role, s.row.Base, s.row.Answer, s.row.Reason = old.Booking, old.Role, old.Base, old.Answer, old.Reason
			s.row.Occurrences = old.Occurrences
			if err := s.engine.closeRoomDifferences(ctx, s.tx, old, roomWaits); err != nil { // it is not gone
				return err
			}
			if err := s.engine.readdressRoomDifferences(ctx, s.tx, old, s.row.Ref); err != nil {
				return err
			}
		}
		if err := s.engine.closeRoomDifferences(ctx, s.tx, old, ""); err != nil {
			return err
		}
		if err := s.tx.DeleteRoomItem(ctx, old); err != nil {
			return err
		}
	}
	return nil
}

// said returns what the copy says, leaving out what the policy of a room may have put there: the organizer's name in place
// of the subject or in front of it is no title. The text is nobody's business.
func (s *roomSettling) said(ctx context.Context) (plan.Fields, error) {
	ev := s.item.Event
	f, err := fieldsOfItem(ctx, s.tx, s.row.Tenant, ev.Organizer.Email, &ev)
	if err != nil {
		return f, err
	}
	raw := f
	f.Body = ""
	if title := spokenTitle(f.Subject, ev.Organizer.Name); title != "" || s.base == nil {
		f.Subject = title
	} else {
		f.Subject = s.base.Subject
	}
	if f.Recurrence != "" {
		f = s.saidOfOccurrences(f, raw)
	}
	return f, nil
}

// spokenTitle returns what a subject in a room's calendar says of the title; empty if it says nothing.
func spokenTitle(subject, organizer string) string {
	organizer = strings.Join(strings.Fields(organizer), " ")
	if organizer == "" {
		return subject
	}
	rest, named := strings.CutPrefix(subject, organizer)
	if !named || rest != "" && rest[0] != ' ' {
		return subject
	}
	return strings.TrimSpace(rest)
}

// origin says by what a booking of a meeting is known.
type origin int

const (
	nowhere     origin = iota
	byOrganizer        // by the organizer's own item: the room's is a copy and nothing else
	byRoom             // it came from rooms' calendars
	formerly           // it came from a room's calendar once, and is cancelled since
	waits              // it will be known later
)

// known finds the booking that stands for the meeting. Two for one meeting must never come to be, in whatever order the
// calendars are read.
func (s *roomSettling) known(ctx context.Context) (*booking.Booking, origin, error) {
	if s.row.Booking != "" {
		b, found, err := s.tx.Booking(ctx, s.row.Tenant, s.row.Booking)
		if err != nil {
			return nil, nowhere, err
		}
		if found && (s.row.Role == store.RoomCopy || b.Organizer != "" && !b.SyncOff) { // an item of its organizer's calendar is kept
			other, err := s.another(ctx, b)
			if err != nil || !other {
				return b, byOrganizer, err
			}
			s.row.Booking, found = "", false
		}
		if found {
			own, err := s.turnsOut(ctx, b)
			if err != nil || own != nil {
				return own, byOrganizer, err
			}
			return b, byRoom, nil
		}
	}
	if !s.own {
		if b, from, err := s.byLink(ctx); err != nil || from != nowhere {
			return b, from, err
		}
		if b, from, err := s.byOriginal(ctx); err != nil || from != nowhere {
			return b, from, err
		}
	}
	rows, err := s.tx.RoomItemsByUID(ctx, s.row.Tenant, s.row.UID)
	if err != nil {
		return nil, nowhere, err
	}
	for _, r := range rows {
		if r.Booking == "" || r.Room == s.row.Room && r.Ref == s.row.Ref {
			continue
		}
		b, found, err := s.tx.Booking(ctx, r.Tenant, r.Booking)
		if err != nil {
			return nil, nowhere, err
		}
		switch {
		case found && r.Role == store.RoomCopy:
			return b, byOrganizer, nil
		case found:
			return b, byRoom, nil
		}
	}
	b, found, err := s.tx.Booking(ctx, s.row.Tenant, s.meetingID())
	switch {
	case err != nil || !found:
		return nil, nowhere, err
	case b.Status == booking.Cancelled:
		return b, formerly, nil
	}
	return b, byRoom, nil
}

// byLink finds the booking by the UID of its organizer's item.
func (s *roomSettling) byLink(ctx context.Context) (*booking.Booking, origin, error) {
	links, err := s.tx.LinksByUID(ctx, s.row.Tenant, s.row.UID)
	if err != nil || len(links) == 0 {
		return nil, nowhere, err
	}
	l := links[len(links)-1]
	if i := slices.IndexFunc(links, func(l store.Link) bool { return l.State != store.LinkDead }); i >= 0 {
		l = links[i]
	}
	b, found, err := s.tx.Booking(ctx, l.Tenant, l.Booking)
	if err != nil || !found {
		return nil, nowhere, err
	}
	return b, byOrganizer, nil
}

// byOriginal finds the booking by the markers of its organizer's item, whose UID is not known yet.
func (s *roomSettling) byOriginal(ctx context.Context) (*booking.Booking, origin, error) {
	it := s.original
	if it == nil {
		return nil, nowhere, nil
	}
	l, found, err := s.tx.LinkByRef(ctx, s.row.Tenant, s.organizer.ID, it.Ref)
	if err != nil {
		return nil, nowhere, err
	}
	if !found && it.Key != "" {
		if l, found, err = s.tx.Link(ctx, s.row.Tenant, it.Key); err != nil {
			return nil, nowhere, err
		}
		switch {
		case !found:
		case l.Person != s.organizer.ID, l.UID != "" && l.UID != it.Event.UID:
			found = false // a copy that somebody made: another meeting
		case l.Ref != "" && l.Ref != it.Ref && l.State != store.LinkDead:
			return nil, waits, s.findOut(ctx) // moved, or a copy: the organizer's next pass tells
		}
	}
	if found {
		b, there, err := s.tx.Booking(ctx, l.Tenant, l.Booking)
		if err != nil || !there {
			return nil, nowhere, err
		}
		l.UID = it.Event.UID
		return b, byOrganizer, s.tx.PutLink(ctx, l)
	}
	if it.ForeignKey == "" {
		return nil, nowhere, nil
	}
	b, found, err := s.tx.Booking(ctx, s.row.Tenant, it.ForeignKey)
	if err != nil {
		return nil, nowhere, err
	}
	if found && b.Organizer == s.organizer.ID {
		links, err := s.tx.LinksOfBooking(ctx, b.Tenant, b.ID)
		if err != nil {
			return nil, nowhere, err
		}
		links = slices.DeleteFunc(links, func(l store.Link) bool { return l.State == store.LinkDead })
		if hasOther(links, it.Event.UID) {
			return nil, nowhere, nil // a copy that somebody made
		}
		return b, byOrganizer, nil
	}
	if until := s.row.Created.Add(s.engine.limits().ExpectWait); !found && until.After(s.engine.now()) {
		s.row.Due = s.engine.now().Add(min(s.engine.limits().RetryBase, until.Sub(s.engine.now())))
		return nil, waits, nil // the add-in made it, and its booking is on the way
	}
	return nil, nowhere, nil
}

// findOut has the organizer's calendar read in full, and the item looked at again after that.
func (s *roomSettling) findOut(ctx context.Context) error {
	mb, found, err := s.tx.Mailbox(ctx, s.row.Tenant, s.organizer.ID)
	if err != nil || !found {
		return err
	}
	mb.ReconcileAt = zeroTime
	if err := s.tx.SaveMailbox(ctx, mb); err != nil {
		return err
	}
	s.row.Due = s.engine.now().Add(s.engine.limits().RetryBase)
	return s.tx.MarkDirty(ctx, s.row.Tenant, s.organizer.ID, zeroTime)
}

// leave leaves the item alone and lays it before a person.
func (s *roomSettling) leave(ctx context.Context, d roomDifference) error {
	s.row.Role, s.row.Base = store.RoomLeft, saveFields(&s.fields)
	d.detail = s.which() + ": " + d.detail
	return s.engine.differInRoom(ctx, s.tx, *s.row, d)
}

// copyOf is the room's copy of a meeting that is booked: it tells what the room has answered.
func (s *roomSettling) copyOf(ctx context.Context, b *booking.Booking) error {
	if b.Series() && s.fields.Recurrence != "" {
		if collides, err := s.copySeries(ctx, b); err != nil || collides {
			return err
		}
	} else if !slices.Contains(b.Resources, s.row.Room) {
		if others, err := s.inTheWay(ctx, b); err != nil {
			return err
		} else if len(others) > 0 {
			return s.copyCollides(ctx, b, others)
		}
	}
	if s.isAlone(b) {
		s.row.Base = saveFields(&s.fields)
		return s.alone(ctx, b)
	}
	if err := s.becomesCopy(ctx); err != nil {
		return err
	}
	s.row.Booking, s.row.Base, s.row.Reason = b.ID, saveFields(&s.fields), ""
	if !slices.Contains(b.Resources, s.row.Room) {
		switch {
		case b.Organizer == "":
			return nil
		case s.refused: // the organizer's item has not changed, so its pass alone would not tell
			return s.engine.bringBack(ctx, s.tx, *s.row)
		}
		return s.tx.MarkDirty(ctx, b.Tenant, b.Organizer, zeroTime) // that tells whether the booking gets the room
	}
	return s.answers(ctx, b)
}

// becomesCopy ends what was laid before a person about the item while it was none of a booking's.
func (s *roomSettling) becomesCopy(ctx context.Context) error {
	if s.row.Role == store.RoomCopy {
		return nil
	}
	s.row.Role = store.RoomCopy
	return s.engine.closeRoomDifferences(ctx, s.tx, *s.row, "")
}

// inTheWay returns the bookings, but for b, for which the room is taken at the time of the meeting.
func (s *roomSettling) inTheWay(ctx context.Context, b *booking.Booking) ([]string, error) {
	there := b.Clone()
	if s.fields.Recurrence == "" {
		there = single(b) // perhaps it is one occurrence of it alone
	}
	there.Resources = []string{s.row.Room}
	if err := applyFields(ctx, s.tx, there, calendar.FieldTime, &s.fields); err != nil {
		return nil, err
	}
	return s.tx.Overlapping(ctx, there)
}

// over settles an item whose booking is cancelled.
func (s *roomSettling) over(ctx context.Context, b *booking.Booking, from origin) error {
	moved := s.base != nil && plan.Diff(*s.base, s.fields)&whenFields != 0
	if from == formerly || from == byRoom && moved && s.row.Role != store.RoomDeclining {
		return s.book(ctx, b)
	}
	if from == byOrganizer && s.isAlone(b) {
		s.row.Base = saveFields(&s.fields)
		return s.alone(ctx, b)
	}
	if from == byOrganizer {
		links, err := s.tx.LinksByUID(ctx, s.row.Tenant, s.row.UID)
		if err == nil && len(links) == 0 { // it was taken for the copy of one before that had its item
			links, err = s.tx.LinksOfBooking(ctx, b.Tenant, b.ID)
		}
		if err != nil {
			return err
		}
		s.row.Role, s.row.Booking, s.row.Base = store.RoomCopy, b.ID, saveFields(&s.fields)
		if !slices.ContainsFunc(links, func(l store.Link) bool { return l.State == store.LinkDead && l.Ref != "" }) {
			return nil // its deletion follows that of the organizer's item
		}
		return s.leave(ctx, roomDifference{roomUnbooked, b.ID, "the booking was cancelled and its item left in the organizer's calendar; the room is still invited"})
	}
	s.row.Booking = b.ID
	if s.canDecline() {
		return s.refuse(ctx, roomCancelled)
	}
	return s.leave(ctx, roomDifference{roomUnbooked, b.ID, "the booking was cancelled in the booking system; the meeting that it came from is still in the room's calendar: ask its organizer to cancel it"})
}

// collides settles an item at whose time the room is taken by other bookings. own is the booking of the meeting; nil: it has none.
// The organizer is told of the room and the time, and nothing of those others: they may be anybody's.
func (s *roomSettling) collides(ctx context.Context, own *booking.Booking, others []string) error {
	before := s.row.Role
	if waits, err := s.outdated(ctx, others); err != nil || waits {
		return err
	}
	if s.canDecline() {
		return s.refuse(ctx, roomNotFree)
	}
	s.row.Role, s.row.Base, s.row.Reason = store.RoomConflict, saveFields(&s.fields), ""
	if before == store.RoomConflict && (s.base == nil || plan.Diff(*s.base, s.fields)&calendar.FieldTime == 0) {
		return nil
	}
	e := s.engine
	if err := e.closeRoomDifferences(ctx, s.tx, *s.row, roomConflict); err != nil {
		return err
	}
	detail := fmt.Sprintf("%s: the room is taken at that time by booking %s; the meeting stays in the room's calendar and is not booked", s.which(), takenBy(others))
	if err := e.differInRoom(ctx, s.tx, *s.row, roomDifference{roomConflict, others[0], detail}); err != nil {
		return err
	}
	if err := e.record(ctx, s.tx, s.row.Tenant, s.row.Room, others[0], "room conflict", detail); err != nil || s.organizer.ID == "" {
		return err
	}
	about := store.Link{Tenant: s.row.Tenant, Person: s.organizer.ID, Booking: s.meetingID() + "/" + s.row.Room}
	if own != nil {
		about.Booking = own.ID
	}
	why := fmt.Sprintf("the room %s is taken by another booking at the time of your meeting, %s", displayName(s.pass.person.Person), clock(&s.item.Event))
	return e.mailOnError(ctx, s.tx, &about, mailNews{MailRoomConflict, why})
}

// copyCollides is collides for the copy of a meeting whose booking does not have the room, or no longer: it is none of that one's.
func (s *roomSettling) copyCollides(ctx context.Context, own *booking.Booking, others []string) error {
	if waits, err := s.outdated(ctx, others); err != nil || waits {
		return err
	}
	s.row.Booking = ""
	return s.collides(ctx, own, others)
}
