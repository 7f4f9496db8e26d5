package app

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/api"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// apiOptions are those of a handler that works on the store alone; the running host adds the rest.
func apiOptions(ctx context.Context, force *inForce, st *store.Store, e *syncer.Engine, adminKeyHash []byte, log hclog.Logger) api.Options {
	return api.Options{
		Tenants:      force.tenants,
		Bookings:     e,
		Persons:      persons{e},
		Rejecter:     e,
		Resolver:     resolver{e},
		Reviewer:     reviewer{e},
		Moves:        e,
		Reads:        st,
		Keys:         keys{st},
		Answers:      answers{st},
		Refusals:     refusals{st},
		Modes:        force.modes,
		Log:          log.Named("api"),
		AdminKeyHash: adminKeyHash,
		Closing:      ctx.Done(),
	}
}

// persons is the engine's handling of persons under the names that the API uses.
type persons struct{ e *syncer.Engine }

func (p persons) Put(ctx context.Context, d directory.Person) (bool, error) {
	return p.e.PutPerson(ctx, d)
}

func (p persons) Delete(ctx context.Context, tenant, id string) error {
	return p.e.DeletePerson(ctx, tenant, id)
}

func (p persons) Import(ctx context.Context, tenant string, rows []directory.Person, o api.ImportOptions) (api.Import, error) {
	done, err := p.e.ImportPersons(ctx, tenant, rows, syncer.ImportOptions(o))
	out := api.Import{
		Rows: make([]api.Imported, len(done.Persons)), Removed: done.Removed, Persons: done.Before,
		Applied: done.Applied, TooMany: done.TooMany,
	}
	for i, r := range done.Persons {
		out.Rows[i] = api.Imported{Created: r.Created, Changed: r.Changed, Kept: r.Kept, Err: r.Err}
	}
	return out, err
}

func (p persons) ApproveDeletions(ctx context.Context, tenant, id string) error {
	return p.e.ApproveDeletions(ctx, tenant, id)
}

func (p persons) RestoreDeletions(ctx context.Context, tenant, id string) error {
	return p.e.RestoreDeletions(ctx, tenant, id)
}

func (p persons) SetShadow(ctx context.Context, tenant, id string, on bool) error {
	return p.e.SetShadow(ctx, tenant, id, on)
}

func (p persons) Sync(ctx context.Context, tenant, id string, full bool) error {
	return p.e.Sync(ctx, tenant, id, full)
}

// resolver is the engine's deciding on differences under the names that the API uses.
type resolver struct{ e *syncer.Engine }

func (r resolver) Resolve(ctx context.Context, tenant string, id int64, use string, mail bool) error {
	return r.e.Resolve(ctx, tenant, id, syncer.Resolution{Use: use, Mail: mail})
}

// reviewer is the engine's deciding on many things at once under the names that the API uses.
type reviewer struct{ *syncer.Engine }

func (r reviewer) ResolveAll(ctx context.Context, tenant string, ids []int64, how api.Resolution) ([]api.Resolved, error) {
	done, err := r.Engine.ResolveAll(ctx, tenant, ids, syncer.Resolution{Use: how.Use, Mail: how.Mail}, how.Preview)
	out := make([]api.Resolved, len(done))
	for i, d := range done {
		out[i] = api.Resolved{
			ID: d.Difference.ID, Person: d.Difference.Person, Booking: d.Difference.Booking, Kind: d.Difference.Kind, Use: d.Use,
			Does: d.Does, Fields: d.Fields, Mails: d.Mails, Refused: d.Refused,
		}
	}
	return out, err
}

func (r reviewer) Held(q store.Quarantine) ([]api.HeldItem, error) {
	items, err := syncer.ParseQuarantine(q)
	out := make([]api.HeldItem, len(items))
	for i, it := range items {
		out[i] = api.HeldItem{Booking: it.Booking, Does: it.Does, Problem: it.Problem}
	}
	return out, err
}

// answers is the store's keeping of answers to repeated requests, a transaction for each call.
type answers struct{ *store.Store }

func (s answers) BeginAnswer(ctx context.Context, a store.Answer) (first bool, err error) {
	err = s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err = tx.BeginAnswer(ctx, a)
		return err
	})
	return first, err
}

func (s answers) FinishAnswer(ctx context.Context, a store.Answer) error {
	return s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.FinishAnswer(ctx, a) })
}

func (s answers) DropAnswer(ctx context.Context, tenant, apiKey, key string) error {
	return s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.DropAnswer(ctx, tenant, apiKey, key) })
}

// refusals is the store's knowledge of what rooms wrote under the names that the API uses.
type refusals struct{ st *store.Store }

func (r refusals) Refusals(ctx context.Context, tenant, resource string, limit int) ([]api.Refusal, error) {
	list, err := r.st.Refusals(ctx, tenant, resource, limit)
	out := make([]api.Refusal, len(list))
	for i, a := range list {
		out[i] = api.Refusal{Resource: a.Resource, Booking: a.Booking, At: a.At, Reason: a.Reason}
	}
	return out, err
}

// keys is the store's keeping of API keys, a transaction for each call.
type keys struct{ *store.Store }

func (k keys) AddAPIKey(ctx context.Context, key store.APIKey) error {
	return k.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.AddAPIKey(ctx, key) })
}

func (k keys) RevokeAPIKey(ctx context.Context, tenant, id string) (revoked bool, err error) {
	err = k.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		revoked, err = tx.RevokeAPIKey(ctx, tenant, id)
		return err
	})
	return revoked, err
}

func (k keys) TouchAPIKey(ctx context.Context, tenant, id string, at time.Time) error {
	return k.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.TouchAPIKey(ctx, tenant, id, at) })
}

// withTenant adds the tenant to a notification URL, as a bare query, unless an administrator wrote it there.
func withTenant(notificationURL, tenant string) string {
	base, query, _ := strings.Cut(notificationURL, "?")
	first, _, _ := strings.Cut(query, "&")
	if strings.EqualFold(first, tenant) {
		return notificationURL
	}
	u := base + "?" + url.QueryEscape(tenant)
	if query != "" {
		u += "&" + query
	}
	return u
}
