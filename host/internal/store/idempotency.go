package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// An Answer is what a request with an Idempotency-Key was answered, kept for its repetitions.
type Answer struct {
	Tenant, APIKey, Key string
	Fingerprint         []byte // of the request, so that a key is not used for two
	Status              int    // 0 while the first request is in work
	ContentType         string
	Location            string
	Body                []byte
	At                  time.Time // when the first request came
}

// BeginAnswer claims a key for a request; false if it is claimed already: see Answer.
func (t *Tx) BeginAnswer(ctx context.Context, a Answer) (bool, error) {
	n, err := t.q.InsertIdempotency(ctx, db.InsertIdempotencyParams{
		Tenant: a.Tenant, ApiKey: a.APIKey, Key: a.Key, Fingerprint: a.Fingerprint, At: millis(t.s.now()),
	})
	if err != nil {
		return false, fmt.Errorf("claim idempotency key: %w", err)
	}
	return n == 1, nil
}

// FinishAnswer records the answer to a claimed key.
func (t *Tx) FinishAnswer(ctx context.Context, a Answer) error {
	err := t.q.FinishIdempotency(ctx, db.FinishIdempotencyParams{
		Tenant: a.Tenant, ApiKey: a.APIKey, Key: a.Key, Status: int64(a.Status), ContentType: a.ContentType,
		Location: a.Location, Body: a.Body,
	})
	if err != nil {
		return fmt.Errorf("record answer to idempotency key: %w", err)
	}
	return nil
}

// DropAnswer gives a claimed key back, unless it was answered: the request failed, and may be made again.
func (t *Tx) DropAnswer(ctx context.Context, tenant, apiKey, key string) error {
	if err := t.q.DropIdempotency(ctx, db.DropIdempotencyParams{Tenant: tenant, ApiKey: apiKey, Key: key}); err != nil {
		return fmt.Errorf("give idempotency key back: %w", err)
	}
	return nil
}

// Answer returns what a key was answered, or is about to be.
func (r Reads) Answer(ctx context.Context, tenant, apiKey, key string) (Answer, bool, error) {
	row, err := r.q.GetIdempotency(ctx, db.GetIdempotencyParams{Tenant: tenant, ApiKey: apiKey, Key: key})
	ok, err := found(err)
	if err != nil {
		return Answer{}, false, fmt.Errorf("read answer to idempotency key: %w", err)
	}
	if !ok {
		return Answer{}, false, nil
	}
	return Answer{
		Tenant: row.Tenant, APIKey: row.ApiKey, Key: row.Key, Fingerprint: row.Fingerprint, Status: int(row.Status),
		ContentType: row.ContentType, Location: row.Location, Body: bytesOf(row.Body), At: moment(row.At),
	}, true, nil
}
