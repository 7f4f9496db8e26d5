package api

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/store"
)

// ListAPIKeys implements rest.StrictServerInterface.
func (h *handler) ListAPIKeys(ctx context.Context, _ rest.ListAPIKeysRequestObject) (rest.ListAPIKeysResponseObject, error) {
	rows, err := h.Keys.APIKeys(ctx, tenant(ctx))
	if err != nil {
		return nil, err
	}
	items := make([]rest.APIKey, len(rows))
	for i, k := range rows {
		items[i] = rest.APIKey{
			ID: k.ID, Name: k.Name, Scopes: scopesOut(k.Scopes), Created: k.Created.UTC(), Revoked: moment(k.Revoked),
			LastUsed: moment(k.LastUsed),
		}
	}
	return rest.ListAPIKeys200JSONResponse{Items: items}, nil
}

// CreateAPIKey implements rest.StrictServerInterface.
func (h *handler) CreateAPIKey(ctx context.Context, in rest.CreateAPIKeyRequestObject) (rest.CreateAPIKeyResponseObject, error) {
	scopes := []apikey.Scope{apikey.ScopeBookings}
	if in.Body.Scopes != nil {
		scopes = nil
		for _, s := range *in.Body.Scopes {
			scopes = append(scopes, apikey.Scope(s))
		}
	}
	key, row := apikey.New(tenant(ctx), in.Body.Name, scopes, h.Now())
	if err := h.Keys.AddAPIKey(ctx, row); err != nil {
		return nil, err
	}
	return rest.CreateAPIKey201JSONResponse{ID: row.ID, Name: row.Name, Scopes: scopesOut(row.Scopes), Key: key}, nil
}

func scopesOut(names []string) []rest.Scope {
	out := make([]rest.Scope, len(names))
	for i, name := range names {
		out[i] = rest.Scope(name)
	}
	return out
}

// RevokeAPIKey implements rest.StrictServerInterface.
func (h *handler) RevokeAPIKey(ctx context.Context, in rest.RevokeAPIKeyRequestObject) (rest.RevokeAPIKeyResponseObject, error) {
	found, err := h.Keys.RevokeAPIKey(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("there is no living API key %q", in.ID)
	}
	return rest.RevokeAPIKey204Response{}, nil
}

// KeysOn returns the Keys that s keeps.
func KeysOn(s *store.Store) Keys { return storedKeys{s} }

type storedKeys struct{ *store.Store }

// AddAPIKey implements Keys.
func (k storedKeys) AddAPIKey(ctx context.Context, row store.APIKey) error {
	return k.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.AddAPIKey(ctx, row) })
}

// RevokeAPIKey implements Keys.
func (k storedKeys) RevokeAPIKey(ctx context.Context, tenant, id string) (found bool, err error) {
	err = k.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		found, err = tx.RevokeAPIKey(ctx, tenant, id)
		return err
	})
	return found, err
}

// TouchAPIKey implements Keys.
func (k storedKeys) TouchAPIKey(ctx context.Context, tenant, id string, at time.Time) error {
	return k.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.TouchAPIKey(ctx, tenant, id, at) })
}

// moment leaves out a time that is not known.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// given leaves out the zero value.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// or returns what p points to, d if it is nil.
func or[T any](p *T, d T) T {
	if p == nil {
		return d
	}
	return *p
}
