package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A BookingFilter chooses bookings; its zero value chooses those that stand.
type BookingFilter struct {
	After            string    // id of the last booking of the page before
	Limit            int       // 0: as many as a page may hold, 1000
	Person           string    // organizer; empty: all
	Resource         string    // id of a room or desk; empty: all
	From, To         time.Time // those that touch the time between; zero: open
	Problem          bool      // only those with a SyncProblem, a link that needs a person, or an open difference
	NeverFound       bool      // only those that should have an item and were never seen with one
	Series           bool      // only series
	IncludeCancelled bool
}

// Booking returns one booking.
func (r Reads) Booking(ctx context.Context, tenant, id string) (b *booking.Booking, exists bool, err error) {
	err = r.atOnce(ctx, func(r Reads) (err error) {
		b, exists, err = r.booking(ctx, tenant, id)
		return err
	})
	return b, exists, err
}

func (r Reads) booking(ctx context.Context, tenant, id string) (*booking.Booking, bool, error) {
	if err := r.holdBooking(ctx, tenant, id); err != nil {
		return nil, false, fmt.Errorf("read booking %s: %w", id, err)
	}
	row, err := r.q.GetBooking(ctx, db.GetBookingParams{Tenant: tenant, ID: id})
	ok, err := found(err)
	if err != nil {
		return nil, false, fmt.Errorf("read booking %s: %w", id, err)
	}
	if !ok {
		return nil, false, nil
	}
	b, err := bookingFromRow(row)
	if err != nil {
		return nil, false, err
	}
	answers, err := r.Answers(ctx, tenant, id)
	b.Answers = sayings(answers)
	return b, err == nil, err
}

// holdBooking locks a booking, or its id if there is none: whoever finds none may make it.
func (r Reads) holdBooking(ctx context.Context, tenant, id string) error {
	if r.lock == nil {
		return nil
	}
	exists, err := r.lock(ctx, lockBooking, tenant, id)
	if err != nil || exists {
		return err
	}
	if err := r.reserve(ctx, bookingName(tenant, id)); err != nil {
		return err
	}
	_, err = r.lock(ctx, lockBooking, tenant, id) // somebody else may have made it while we waited
	return err
}

// Bookings returns the bookings that f chooses, ordered by id. A series is chosen by its occurrences.
func (r Reads) Bookings(ctx context.Context, tenant string, f BookingFilter) (list []*booking.Booking, err error) {
	err = r.atOnce(ctx, func(r Reads) (err error) {
		list, err = r.bookings(ctx, tenant, f)
		return err
	})
	return list, err
}

func (r Reads) bookings(ctx context.Context, tenant string, f BookingFilter) ([]*booking.Booking, error) {
	most := int(page(f.Limit))
	var list []*booking.Booking
	for {
		f.Limit = most - len(list)
		rows, err := r.listBookings(ctx, tenant, f)
		if err != nil {
			return nil, fmt.Errorf("list bookings: %w", err)
		}
		got, err := bookingsFromRows(rows)
		if err != nil {
			return nil, err
		}
		for _, b := range got {
			if f.chooses(b) {
				list = append(list, b)
			}
		}
		if len(got) < f.Limit || len(list) == most {
			return list, r.answered(ctx, tenant, list)
		}
		f.After = got[len(got)-1].ID
	}
}

// chooses looks more closely than the database can: whether it is a series, and an occurrence of it is meant.
func (f *BookingFilter) chooses(b *booking.Booking) bool {
	if f.Series && !b.Series() {
		return false
	}
	if !b.Series() || f.From.IsZero() && f.To.IsZero() && f.Resource == "" {
		return true
	}
	for o := range booking.Touching(b, f.From, f.To) {
		if f.Resource == "" || slices.Contains(o.Resources(), f.Resource) {
			return true
		}
		if f.To.IsZero() && o.Exception == nil && o.Occurrence.After(lastException(b)) {
			return false // all that follow are like it
		}
	}
	return false
}

func lastException(b *booking.Booking) time.Time {
	if len(b.Exceptions) == 0 {
		return time.Time{}
	}
	return b.Exceptions[len(b.Exceptions)-1].Occurrence
}

func (r Reads) listBookings(ctx context.Context, tenant string, f BookingFilter) ([]db.Booking, error) {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.From.IsZero() {
		from = f.From.UnixMilli()
	}
	if !f.To.IsZero() {
		to = f.To.UnixMilli()
	}
	resource := ""
	if f.Resource != "" {
		// As an element of a JSON array it has quotes that no text within another element can have.
		name, err := json.Marshal(f.Resource)
		if err != nil {
			return nil, err
		}
		resource = string(name)
	}
	if f.Person == "" {
		return r.q.ListBookings(ctx, db.ListBookingsParams{
			Tenant: tenant, After: f.After, FromMs: from, ToMs: to,
			OnlyProblems: f.Problem, NeverFound: f.NeverFound, IncludeCancelled: f.IncludeCancelled, Resource: resource,
			MaxRows: page(f.Limit),
		})
	}
	return r.q.ListBookingsOfPerson(ctx, db.ListBookingsOfPersonParams{
		Tenant: tenant, Organizer: f.Person, After: f.After, FromMs: from, ToMs: to,
		OnlyProblems: f.Problem, NeverFound: f.NeverFound, IncludeCancelled: f.IncludeCancelled, Resource: resource,
		MaxRows: page(f.Limit),
	})
}

// UnlinkedBookings returns bookings that should be in the person's calendar and have no link, or none but such as are to
// go: they stand, take part in the sync, and end after the given moment. Those that end first come first.
func (r Reads) UnlinkedBookings(ctx context.Context, tenant, person string, endAfter time.Time, limit int) ([]*booking.Booking, error) {
	rows, err := r.q.ListUnlinkedBookings(ctx, db.ListUnlinkedBookingsParams{
		Tenant: tenant, Organizer: person, EndAfter: endAfter.UnixMilli(), MaxRows: page(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list bookings of %s without a link: %w", person, err)
	}
	return bookingsFromRows(rows)
}

// PutBooking writes b as it is, its version too, and what it occupies. Of a series that occupies what it did before nothing is
// written but the booking itself.
func (t *Tx) PutBooking(ctx context.Context, b *booking.Booking) error {
	row, err := bookingToRow(b)
	if err != nil {
		return err
	}
	if b.Series() {
		old, until, err := t.before(ctx, b)
		if err != nil {
			return err
		}
		if old != nil && booking.SameOccupancy(old, b) {
			row.OccupiedUntil = until
			return t.upsert(ctx, row)
		}
	}
	occurrences, until := t.occupying(b)
	row.OccupiedUntil = millis(until)
	if err := t.upsert(ctx, row); err != nil {
		return err
	}
	return t.occupy(ctx, b, occurrences)
}

func (t *Tx) upsert(ctx context.Context, row db.UpsertBookingParams) error {
	if err := t.q.UpsertBooking(ctx, row); err != nil {
		return fmt.Errorf("save booking %s: %w", row.ID, err)
	}
	return nil
}

// before returns the booking that b replaces, nil if there is none, and until when its occurrences occupy their resources.
func (t *Tx) before(ctx context.Context, b *booking.Booking) (*booking.Booking, int64, error) {
	row, err := t.q.GetBooking(ctx, db.GetBookingParams{Tenant: b.Tenant, ID: b.ID})
	ok, err := found(err)
	if err != nil {
		return nil, 0, fmt.Errorf("read booking %s: %w", b.ID, err)
	}
	if !ok {
		return nil, 0, nil
	}
	old, err := bookingFromRow(row)
	return old, row.OccupiedUntil, err
}

func bookingName(tenant, id string) string { return "booking\x00" + tenant + "\x00" + id }

func bookingToRow(b *booking.Booking) (db.UpsertBookingParams, error) {
	resources, err := json.Marshal(b.Resources)
	if err != nil {
		return db.UpsertBookingParams{}, fmt.Errorf("write resources of booking %s: %w", b.ID, err)
	}
	attendees, err := json.Marshal(b.Attendees)
	if err != nil {
		return db.UpsertBookingParams{}, fmt.Errorf("write attendees of booking %s: %w", b.ID, err)
	}
	exceptions, external := []byte{}, []byte{}
	if len(b.Exceptions) > 0 {
		if exceptions, err = json.Marshal(b.Exceptions); err != nil {
			return db.UpsertBookingParams{}, fmt.Errorf("write exceptions of booking %s: %w", b.ID, err)
		}
	}
	if b.External != nil {
		if external, err = json.Marshal(b.External); err != nil {
			return db.UpsertBookingParams{}, fmt.Errorf("write organizer of booking %s: %w", b.ID, err)
		}
	}
	var reminder sql.NullInt64
	if b.ReminderMinutes != nil {
		reminder = sql.NullInt64{Int64: int64(*b.ReminderMinutes), Valid: true}
	}
	start, end := booking.Span(b)
	return db.UpsertBookingParams{
		Tenant:          b.Tenant,
		ID:              b.ID,
		Version:         b.Version,
		Title:           b.Title,
		Notes:           b.Notes,
		StartAt:         b.Start.UnixMilli(), // 1970 is a start like any other
		EndAt:           b.End.UnixMilli(),
		AllDay:          b.AllDay,
		Zone:            b.Zone,
		Organizer:       b.Organizer,
		Resources:       string(resources),
		Attendees:       string(attendees),
		Location:        b.Location,
		Busy:            string(b.Busy),
		Class:           string(b.Class),
		ReminderMinutes: reminder,
		Status:          string(b.Status),
		SyncDisabled:    b.SyncDisabled,
		SyncProblem:     b.SyncProblem,
		ItemExpected:    b.ItemExpected,
		ExpectedUntil:   millis(b.ExpectedUntil),
		SyncOff:         b.SyncOff,
		Recurrence:      b.Recurrence,
		Exceptions:      string(exceptions),
		LeadMinutes:     int64(b.LeadMinutes),
		FollowMinutes:   int64(b.FollowMinutes),
		External:        string(external),
		SpanStart:       start.UnixMilli(),
		SpanEnd:         end.UnixMilli(),
		Created:         millis(b.Created),
		Updated:         millis(b.Updated),
	}, nil
}

func bookingsFromRows(rows []db.Booking) ([]*booking.Booking, error) {
	list := make([]*booking.Booking, len(rows))
	for i, row := range rows {
		b, err := bookingFromRow(row)
		if err != nil {
			return nil, err
		}
		list[i] = b
	}
	return list, nil
}

func bookingFromRow(row db.Booking) (*booking.Booking, error) {
	b := &booking.Booking{
		Tenant:        row.Tenant,
		ID:            row.ID,
		Version:       row.Version,
		Title:         row.Title,
		Notes:         row.Notes,
		Start:         time.UnixMilli(row.StartAt).UTC(),
		End:           time.UnixMilli(row.EndAt).UTC(),
		AllDay:        row.AllDay,
		Zone:          row.Zone,
		Recurrence:    row.Recurrence,
		LeadMinutes:   int(row.LeadMinutes),
		FollowMinutes: int(row.FollowMinutes),
		Organizer:     row.Organizer,
		Location:      row.Location,
		Busy:          booking.Busy(row.Busy),
		Class:         booking.Class(row.Class),
		Status:        booking.Status(row.Status),
		SyncOff:       row.SyncOff,
		SyncDisabled:  row.SyncDisabled,
		SyncProblem:   row.SyncProblem,
		ItemExpected:  row.ItemExpected,
		ExpectedUntil: moment(row.ExpectedUntil),
		Created:       moment(row.Created),
		Updated:       moment(row.Updated),
	}
	if row.ReminderMinutes.Valid {
		m := int(row.ReminderMinutes.Int64)
		b.ReminderMinutes = &m
	}
	if err := json.Unmarshal([]byte(row.Resources), &b.Resources); err != nil {
		return nil, fmt.Errorf("read resources of booking %s: %w", row.ID, err)
	}
	if err := json.Unmarshal([]byte(row.Attendees), &b.Attendees); err != nil {
		return nil, fmt.Errorf("read attendees of booking %s: %w", row.ID, err)
	}
	if row.Exceptions != "" {
		if err := json.Unmarshal([]byte(row.Exceptions), &b.Exceptions); err != nil {
			return nil, fmt.Errorf("read exceptions of booking %s: %w", row.ID, err)
		}
	}
	if row.External != "" {
		if err := json.Unmarshal([]byte(row.External), &b.External); err != nil {
			return nil, fmt.Errorf("read organizer of booking %s: %w", row.ID, err)
		}
	}
	return b, nil
}
