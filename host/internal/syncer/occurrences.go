package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// keepExceptions gives a series that is put the exceptions it had, if whoever puts it did not say. It returns those that fit to no
// occurrence any more.
func keepExceptions(old, next *booking.Booking) ([]booking.Exception, error) {
	if !next.ExceptionsUnsaid {
		return nil, nil
	}
	next.ExceptionsUnsaid = false
	if old == nil || len(old.Exceptions) == 0 {
		return nil, nil
	}
	next.Exceptions = old.Clone().Exceptions
	dropped := booking.Rebase(old, next)
	next.Normalize()
	if v := booking.Validate(next); len(v) > 0 {
		return nil, &booking.InvalidError{Booking: next.ID, Violations: v}
	}
	return dropped, nil
}

// PutOccurrence says on behalf of the booking system what is different about one occurrence of a series, and records what its
// calendar needs. Saying the same again changes nothing. Errors: booking.ErrNotFound for a booking or an occurrence that does not
// exist, *booking.InvalidError with the fields of the exception, *booking.OverlapError, *booking.VersionError.
func (e *Engine) PutOccurrence(ctx context.Context, c booking.OccurrenceChange) (saved booking.Saved, err error) {
	c.Exception.Occurrence = c.Exception.Occurrence.UTC().Truncate(time.Second)
	err = e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		saved = booking.Saved{}
		old, found, err := tx.Booking(ctx, c.Tenant, c.Booking)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("booking %q: %w", c.Booking, booking.ErrNotFound)
		}
		if err := matches(ctx, tx, bookingID{c.Tenant, c.Booking}, old, found, c.Match); err != nil {
			return err
		}
		if why := notChangeable(old); why != "" {
			return &booking.InvalidError{Booking: c.Booking, Violations: []booking.Violation{{Field: "occurrence", Reason: why}}}
		}
		if !old.HasOccurrence(c.Exception.Occurrence) {
			return fmt.Errorf("occurrence %s of booking %q: %w", old.OccurrenceName(c.Exception.Occurrence), c.Booking, booking.ErrNotFound)
		}
		next := old.Clone()
		next.SetException(c.Exception)
		next.Normalize()
		regroup(old, next)
		v := booking.Validate(next)
		if len(v) == 0 {
			if v, err = strangers(ctx, tx, next); err != nil {
				return err
			}
		}
		if len(v) > 0 {
			return &booking.InvalidError{Booking: c.Booking, Violations: ofException(next, c.Exception.Occurrence, v)}
		}
		if booking.Same(old, next) {
			saved.Booking = old
			return nil
		}
		if conflicts, err := tx.Conflicts(ctx, old, next); err != nil {
			return err
		} else if len(conflicts) > 0 {
			return booking.Overlapped(c.Booking, conflicts)
		}
		saved.Booking = next
		return e.accept(ctx, tx, old, next)
	})
	if err != nil {
		return booking.Saved{}, err
	}
	return saved, nil
}

func notChangeable(b *booking.Booking) string {
	switch {
	case b.Status != booking.Confirmed:
		return "belongs to a cancelled booking: put the booking again first"
	case !b.Series():
		return "belongs to a single booking: put the booking itself"
	}
	return ""
}

// ofException names the fields of an exception as somebody knows them who changes that alone.
func ofException(b *booking.Booking, at time.Time, v []booking.Violation) []booking.Violation {
	i := slices.IndexFunc(b.Exceptions, func(x booking.Exception) bool { return x.Occurrence.Equal(at) })
	prefix := fmt.Sprintf("exceptions[%d].", i)
	for k := range v {
		v[k].Field = strings.TrimPrefix(v[k].Field, prefix)
	}
	return v
}

// kindRoomConflict is the kind of the difference that tells of a resource which two bookings have at one time; seriesUnreadable that of a
// series whose days cannot be told any more.
const (
	kindRoomConflict = "room conflict"
	seriesUnreadable = "series unreadable"
)

// ExtendSeries lets the series of all tenants that go on occupy their resources as far ahead as booking.Horizon says now; it is to
// be called once a day. Where others have a resource by then, that is laid before a person: nobody is refused anything. So is a series
// that cannot be read; the others go on. It returns how many series it extended.
func (e *Engine) ExtendSeries(ctx context.Context) (int, error) {
	const batch = 100
	for n, skipped := 0, 0; ; {
		var done store.Extension
		err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			var err error
			if done, err = tx.ExtendSeries(ctx, skipped, batch); err != nil {
				return err
			}
			for _, x := range done.Series {
				if err := e.tellOfExtended(ctx, tx, x); err != nil {
					return err
				}
			}
			for _, u := range done.Unreadable {
				if err := e.tellOfUnreadable(ctx, tx, u); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		for _, u := range done.Unreadable {
			e.Log.Error("a series cannot be read: it occupies its resources no further ahead than it does", "tenant", u.Tenant, "booking", u.ID,
				"person", u.Organizer, "error", u.Err)
		}
		skipped += len(done.Unreadable)
		if n += len(done.Series); !done.More {
			return n, nil
		}
	}
}

func (e *Engine) tellOfExtended(ctx context.Context, tx *store.Tx, x store.Extended) error {
	const most = 20
	if err := tx.CloseDifferences(ctx, x.Booking.Tenant, x.Booking.ID, seriesUnreadable); err != nil {
		return err
	}
	for _, c := range x.Conflicts[:min(len(x.Conflicts), most)] {
		detail := fmt.Sprintf("the series goes on, and %s is taken on %s by %s: leave that occurrence out, or give it another room",
			c.Resource, (&booking.Booking{AllDay: c.AllDay}).OccurrenceName(c.Start), strings.Join(c.Others, ", "))
		err := tx.AddDifference(ctx, store.Difference{
			Tenant: x.Booking.Tenant, Person: x.Booking.Organizer, Booking: x.Booking.ID, At: e.now(), Kind: kindRoomConflict, Detail: detail,
			Newer: store.SideUnknown, Recommend: advised[kindRoomConflict].side, Why: advised[kindRoomConflict].why,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) tellOfUnreadable(ctx context.Context, tx *store.Tx, u store.Unreadable) error {
	return tx.AddDifference(ctx, store.Difference{
		Tenant: u.Tenant, Person: u.Organizer, Booking: u.ID, At: e.now(), Kind: seriesUnreadable,
		Detail: "the booking is damaged in the database, and its rooms are not held any further ahead than they are: put it once more",
		Newer:  store.SideUnknown, Recommend: advised[seriesUnreadable].side, Why: advised[seriesUnreadable].why,
	})
}
