package api

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

// Bookings changes bookings. Errors are those of package booking.
type Bookings interface {
	// Put creates or replaces b. Saying the same again changes nothing, not even the version.
	Put(ctx context.Context, b *booking.Booking, match booking.Match) (saved *booking.Booking, created bool, err error)
	// Cancel cancels a booking; cancelling what is cancelled changes nothing.
	Cancel(ctx context.Context, tenant, id string, match booking.Match) (*booking.Booking, error)
}

// Imported is what became of one row of an import.
type Imported struct {
	Created, Changed bool
	Err              error
}

// Persons changes persons and their sync. An unknown person is booking.ErrNotFound; a mail address that belongs to
// another person is *store.TakenError; what the directory's rules refuse is *booking.InvalidError.
type Persons interface {
	Put(ctx context.Context, p directory.Person) (created bool, err error)
	Delete(ctx context.Context, tenant, id string) error
	// Import puts every row and reports on each, in order. Its error means that the rows without a report were not
	// taken.
	Import(ctx context.Context, tenant string, rows []directory.Person) ([]Imported, error)
	// ApproveDeletions and RestoreDeletions decide on deletions that were held back because they were many.
	ApproveDeletions(ctx context.Context, tenant, id string) error
	RestoreDeletions(ctx context.Context, tenant, id string) error
	// Sync wakes a pass now; full makes it read everything.
	Sync(ctx context.Context, tenant, id string, full bool) error
}

// Reads is what the API reads of the store.
type Reads interface {
	Person(ctx context.Context, tenant, id string) (store.PersonRow, bool, error)
	Persons(ctx context.Context, tenant string, f store.PersonFilter) ([]store.PersonRow, error)
	Mailbox(ctx context.Context, tenant, person string) (store.Mailbox, bool, error)
	Booking(ctx context.Context, tenant, id string) (*booking.Booking, bool, error)
	Bookings(ctx context.Context, tenant string, f store.BookingFilter) ([]*booking.Booking, error)
	Intents(ctx context.Context, tenant, person string, now time.Time, limit int) ([]store.Intent, error)
	Changes(ctx context.Context, tenant string, after int64, limit int) ([]store.ChangeRecord, error)
	LastSeq(ctx context.Context, tenant string) (int64, error)
	WatchChanges(tenant string) (<-chan struct{}, func())
	Activities(ctx context.Context, tenant, person, booking string, limit int) ([]store.Activity, error)
	Differences(ctx context.Context, tenant string, f store.DifferenceFilter) ([]store.Difference, error)
}

// Keys is the store's keeping of API keys.
type Keys interface {
	APIKeyByHash(ctx context.Context, hash []byte) (store.APIKey, bool, error)
	APIKeys(ctx context.Context, tenant string) ([]store.APIKey, error)
	AddAPIKey(ctx context.Context, k store.APIKey) error
	// RevokeAPIKey reports false if there is no such key.
	RevokeAPIKey(ctx context.Context, tenant, id string) (bool, error)
	TouchAPIKey(ctx context.Context, tenant, id string, at time.Time) error
}
