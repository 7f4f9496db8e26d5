package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// AddAPIKey records a key.
func (t *Tx) AddAPIKey(ctx context.Context, k APIKey) error {
	if k.Created.IsZero() {
		k.Created = t.s.now()
	}
	err := t.q.InsertAPIKey(ctx, db.InsertAPIKeyParams{
		Tenant: k.Tenant, ID: k.ID, Name: k.Name, Hash: k.Hash, Created: millis(k.Created),
		Scopes: strings.Join(k.Scopes, " "),
	})
	if err != nil {
		return fmt.Errorf("add api key %s: %w", k.ID, err)
	}
	return nil
}

// APIKeyByHash returns the key whose secret has this hash. A revoked key is not found.
func (r Reads) APIKeyByHash(ctx context.Context, hash []byte) (APIKey, bool, error) {
	row, err := r.q.GetAPIKeyByHash(ctx, hash)
	ok, err := found(err)
	if err != nil {
		return APIKey{}, false, fmt.Errorf("read api key: %w", err)
	}
	if !ok {
		return APIKey{}, false, nil
	}
	return apiKeyFromRow(row), true, nil
}

// APIKeys returns the keys of a tenant, revoked ones too, oldest first.
func (r Reads) APIKeys(ctx context.Context, tenant string) ([]APIKey, error) {
	rows, err := r.q.ListAPIKeys(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	return mapped(rows, apiKeyFromRow), nil
}

// RevokeAPIKey makes a key useless for ever; false if there is no such living key.
func (t *Tx) RevokeAPIKey(ctx context.Context, tenant, id string) (bool, error) {
	n, err := t.q.RevokeAPIKey(ctx, db.RevokeAPIKeyParams{Tenant: tenant, ID: id, Revoked: millis(t.s.now())})
	if err != nil {
		return false, fmt.Errorf("revoke api key %s: %w", id, err)
	}
	return n == 1, nil
}

// TouchAPIKey records that a key was used.
func (t *Tx) TouchAPIKey(ctx context.Context, tenant, id string, at time.Time) error {
	err := t.q.TouchAPIKey(ctx, db.TouchAPIKeyParams{Tenant: tenant, ID: id, LastUsed: millis(at)})
	if err != nil {
		return fmt.Errorf("touch api key %s: %w", id, err)
	}
	return nil
}

func apiKeyFromRow(row db.ApiKey) APIKey {
	return APIKey{
		Tenant:   row.Tenant,
		ID:       row.ID,
		Name:     row.Name,
		Hash:     row.Hash,
		Scopes:   strings.Fields(row.Scopes),
		Created:  moment(row.Created),
		Revoked:  moment(row.Revoked),
		LastUsed: moment(row.LastUsed),
	}
}
