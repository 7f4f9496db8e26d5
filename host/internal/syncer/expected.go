package syncer

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// expects says how long the add-in's item of a booking that is put is waited for. One that is on its way to the same calendar still is, also
// where whoever puts the booking next says nothing of it: another one, made at once, would invite everybody again.
func (e *Engine) expects(old, next *booking.Booking) {
	switch {
	case next.ItemExpected:
		next.ExpectedUntil = e.now().Add(e.limits().ExpectWait)
	case old != nil && old.ItemExpected && old.ExpectedUntil.After(e.now()) && old.Organizer == next.Organizer && !next.SyncOff:
		next.ItemExpected, next.ExpectedUntil = true, old.ExpectedUntil
	}
}

// changedAwaited is the cause where the booking system changed, after the add-in had made the item and before that was found, what
// those invited are to be told of.
const changedAwaited = "booking changed while its item was awaited"

// causeOfChange says why a link's item is to be written after the booking system changed what mail are to be told of.
func causeOfChange(ctx context.Context, tx *store.Tx, l store.Link, mail calendar.Mail) (string, error) {
	if l.State != store.LinkExpected {
		return "booking changed", nil
	}
	in, found, err := tx.Intent(ctx, l.Tenant, l.Key)
	if err != nil {
		return "", err
	}
	if mail != calendar.MailNobody || found && in.Cause == changedAwaited {
		return changedAwaited, nil
	}
	return "booking changed", nil
}

// arrived ends the wait for an item that the add-in made, or that was made in its place: nobody looks for it any more.
// The booking's version stays: what it says has not changed.
func (e *Engine) arrived(ctx context.Context, tx *store.Tx, l *store.Link) error {
	b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
	if err != nil {
		return err
	}
	if found && b.ItemExpected {
		b.ItemExpected, b.ExpectedUntil = false, zeroTime
		if err := tx.PutBooking(ctx, b); err != nil {
			return err
		}
	}
	// The intent was put off until the item was to be made after all. It has nothing to wait for now.
	in, found, err := tx.Intent(ctx, l.Tenant, l.Key)
	if err != nil || !found || !in.NotBefore.After(e.now()) {
		return err
	}
	return tx.DeferIntent(ctx, in.Tenant, in.Key, e.now(), 0)
}
