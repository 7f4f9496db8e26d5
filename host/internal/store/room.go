package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// RoomRole says what an item in a room's calendar is to us.
type RoomRole string

// The roles.
const (
	RoomNew       RoomRole = ""          // not settled yet
	RoomCopy      RoomRole = "copy"      // the room's copy of a meeting whose organizer's item is the booking's: it only tells the room's answer
	RoomSource    RoomRole = "source"    // the booking came from it, and follows it
	RoomConflict  RoomRole = "conflict"  // it collides with a booking and stays
	RoomDeclining RoomRole = "declining" // it is to be declined
	RoomDeclined  RoomRole = "declined"  // it was; its deletion follows
	RoomLeft      RoomRole = "left"      // nothing of ours
)

// A RoomItem is an item in the calendar of a room whose mailbox is synced.
type RoomItem struct {
	Tenant, Room string
	Ref          calendar.Ref
	UID          string // iCalendar
	Booking      string // empty: none
	Epoch        int64  // of the mailbox when Ref was learnt
	Role         RoomRole
	Base         []byte // what the item said when it was settled last (package plan, JSON)
	Answer       string // what the room had answered by then
	Reason       string // why it is declined or left alone
	SeenRound    int64  // last full read in which it was seen
	GoneAt       time.Time
	Due          time.Time // when it is to be looked at; zero: not at all
	Tries        int
	Created      time.Time
	Occurrences  []RoomOccurrence // of a series, that were decided on by themselves; sorted
}

// A RoomOccurrence is one occurrence of a series in a room's calendar for which the room is taken.
type RoomOccurrence struct {
	Occurrence time.Time `json:"occurrence"` // when the rule has it start, as in booking.Exception
	// Role is RoomConflict, RoomDeclining or RoomDeclined, as of an item.
	Role  RoomRole  `json:"role"`
	Start time.Time `json:"start"` // when it was to take place then
	End   time.Time `json:"end"`
	Tries int       `json:"tries,omitempty"`
}

// RoomItem returns the item of a room's calendar with this reference.
func (r Reads) RoomItem(ctx context.Context, tenant, room string, ref calendar.Ref) (RoomItem, bool, error) {
	row, err := r.q.GetRoomItem(ctx, db.GetRoomItemParams{Tenant: tenant, Room: room, Ref: string(ref)})
	ok, err := found(err)
	if err != nil {
		return RoomItem{}, false, fmt.Errorf("read item of room %s: %w", room, err)
	}
	if !ok {
		return RoomItem{}, false, nil
	}
	return roomItemFromRow(row), true, nil
}

// RoomItemsDue returns items of a room that are to be looked at by now, those that wait longest first.
func (r Reads) RoomItemsDue(ctx context.Context, tenant, room string, now time.Time, limit int) ([]RoomItem, error) {
	rows, err := r.q.ListRoomItemsDue(ctx, db.ListRoomItemsDueParams{Tenant: tenant, Room: room, Now: millis(now), MaxRows: page(limit)})
	return roomItems(rows, err)
}

// NextRoomItem returns when the next item of a room is to be looked at; zero: none is.
func (r Reads) NextRoomItem(ctx context.Context, tenant, room string) (time.Time, error) {
	at, err := r.q.NextRoomItem(ctx, db.NextRoomItemParams{Tenant: tenant, Room: room})
	if err != nil {
		return time.Time{}, fmt.Errorf("find the next item of room %s: %w", room, err)
	}
	return moment(at), nil
}

// RoomItemsGone returns the items of a room that were found gone and whose bookings' fate is open.
func (r Reads) RoomItemsGone(ctx context.Context, tenant, room string) ([]RoomItem, error) {
	rows, err := r.q.ListRoomItemsGone(ctx, db.ListRoomItemsGoneParams{Tenant: tenant, Room: room})
	return roomItems(rows, err)
}

// RoomItemsUnseen returns the items of a room that were not seen in the given round.
func (r Reads) RoomItemsUnseen(ctx context.Context, tenant, room string, round int64) ([]RoomItem, error) {
	rows, err := r.q.ListRoomItemsUnseen(ctx, db.ListRoomItemsUnseenParams{Tenant: tenant, Room: room, Round: round})
	return roomItems(rows, err)
}

// RoomItemsByUID returns the copies of one meeting in the calendars of all rooms; none if the UID is empty.
func (r Reads) RoomItemsByUID(ctx context.Context, tenant, uid string) ([]RoomItem, error) {
	if uid == "" {
		return nil, nil
	}
	rows, err := r.q.ListRoomItemsByUID(ctx, db.ListRoomItemsByUIDParams{Tenant: tenant, Uid: uid})
	return roomItems(rows, err)
}

// RoomItemsOfBooking returns the items in the calendars of all rooms that belong to a booking.
func (r Reads) RoomItemsOfBooking(ctx context.Context, tenant, booking string) ([]RoomItem, error) {
	rows, err := r.q.ListRoomItemsOfBooking(ctx, db.ListRoomItemsOfBookingParams{Tenant: tenant, Booking: booking})
	return roomItems(rows, err)
}

// CountRoomItems counts the items of a room that belong to a booking.
func (r Reads) CountRoomItems(ctx context.Context, tenant, room string) (int64, error) {
	n, err := r.q.CountRoomItems(ctx, db.CountRoomItemsParams{Tenant: tenant, Room: room})
	if err != nil {
		return 0, fmt.Errorf("count items of room %s: %w", room, err)
	}
	return n, nil
}

// A RoomItemChoice names items of rooms; what is empty does not matter.
type RoomItemChoice struct {
	Room, Booking string
	Role          RoomRole
}

// WakeRoomItems has items that are not gone looked at now, and returns how many they are.
func (t *Tx) WakeRoomItems(ctx context.Context, tenant string, c RoomItemChoice, now time.Time) (int64, error) {
	n, err := t.q.WakeRoomItems(ctx, db.WakeRoomItemsParams{
		Now: millis(now), Tenant: tenant, Room: c.Room, Booking: c.Booking, Role: string(c.Role),
	})
	if err != nil {
		return 0, fmt.Errorf("wake items of rooms: %w", err)
	}
	return n, nil
}

// WakeRoomConflicts has the items of a room looked at now for which, or for occurrences of which, it was taken. It returns how
// many they are.
func (t *Tx) WakeRoomConflicts(ctx context.Context, tenant, room string, now time.Time) (int64, error) {
	n, err := t.q.WakeRoomConflicts(ctx, db.WakeRoomConflictsParams{Now: millis(now), Tenant: tenant, Room: room})
	if err != nil {
		return 0, fmt.Errorf("wake items of room %s: %w", room, err)
	}
	return n, nil
}

// PutRoomItem writes i, as a new one if there is none with its reference. Created is kept as first written.
func (t *Tx) PutRoomItem(ctx context.Context, i RoomItem) error {
	if i.Created.IsZero() {
		i.Created = t.s.now()
	}
	err := t.q.UpsertRoomItem(ctx, db.UpsertRoomItemParams{
		Tenant: i.Tenant, Room: i.Room, Ref: string(i.Ref), Uid: i.UID, Booking: i.Booking, Epoch: i.Epoch, Role: string(i.Role),
		Base: i.Base, Answer: i.Answer, Reason: i.Reason, SeenRound: i.SeenRound, GoneAt: millis(i.GoneAt), Due: millis(i.Due),
		Tries: int64(i.Tries), Created: millis(i.Created), Occurrences: listed(i.Occurrences),
	})
	if err != nil {
		return fmt.Errorf("save item of room %s: %w", i.Room, err)
	}
	return nil
}

// DeleteRoomItem forgets an item.
func (t *Tx) DeleteRoomItem(ctx context.Context, i RoomItem) error {
	err := t.q.DeleteRoomItem(ctx, db.DeleteRoomItemParams{Tenant: i.Tenant, Room: i.Room, Ref: string(i.Ref)})
	if err != nil {
		return fmt.Errorf("forget item of room %s: %w", i.Room, err)
	}
	return nil
}

func roomItems(rows []db.RoomItem, err error) ([]RoomItem, error) {
	if err != nil {
		return nil, fmt.Errorf("list items of rooms: %w", err)
	}
	return mapped(rows, roomItemFromRow), nil
}

func roomItemFromRow(row db.RoomItem) RoomItem {
	return RoomItem{
		Tenant: row.Tenant, Room: row.Room, Ref: calendar.Ref(row.Ref), UID: row.Uid, Booking: row.Booking, Epoch: row.Epoch,
		Role: RoomRole(row.Role), Base: bytesOf(row.Base), Answer: row.Answer, Reason: row.Reason, SeenRound: row.SeenRound,
		GoneAt: moment(row.GoneAt), Due: moment(row.Due), Tries: int(row.Tries), Created: moment(row.Created),
		Occurrences: unlisted[RoomOccurrence](row.Occurrences),
	}
}

// WakeTenant makes all mailboxes of a tenant due for a full read, and returns how many they are.
func (t *Tx) WakeTenant(ctx context.Context, tenant string) (int64, error) {
	n, err := t.q.WakeTenant(ctx, db.WakeTenantParams{Now: millis(t.s.now()), Tenant: tenant})
	if err != nil {
		return 0, fmt.Errorf("wake the mailboxes of %s: %w", tenant, err)
	}
	return n, nil
}

// WakeRooms makes the mailboxes of all rooms of a tenant due for a full read, and returns how many they are.
func (t *Tx) WakeRooms(ctx context.Context, tenant string) (int64, error) {
	n, err := t.q.WakeRooms(ctx, db.WakeRoomsParams{Now: millis(t.s.now()), Tenant: tenant})
	if err != nil {
		return 0, fmt.Errorf("wake the rooms of %s: %w", tenant, err)
	}
	return n, nil
}
