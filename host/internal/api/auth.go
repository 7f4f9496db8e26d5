package api

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/apikey"
)

// touchEvery is how exactly it is known when a key was last used.
const touchEvery = 10 * time.Minute

// caller is who makes a request.
type caller struct {
	tenant string // the key's; empty for the host's own key
	key    string // its id, for the log
	scopes []string
	admin  bool
}

type contextKey int

const (
	callerKey contextKey = iota
	tenantKey
	requestKey
	acceptKey
)

// tenant returns the tenant of a request as it is spelt in the configuration. Handlers never take it from the path.
func tenant(ctx context.Context) string {
	t, _ := ctx.Value(tenantKey).(string)
	return t
}

// authenticate finds out who asks. If it reports false, it has answered.
func (h *handler) authenticate(w http.ResponseWriter, r *http.Request) (caller, bool) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	key = strings.TrimSpace(key)
	formed := strings.EqualFold(scheme, "Bearer") && apikey.Valid(key)
	hash := apikey.Hash(key)
	if formed && len(h.AdminKeyHash) > 0 && subtle.ConstantTimeCompare(hash, h.AdminKeyHash) == 1 {
		return caller{admin: true, key: "admin"}, true
	}
	// Who was let in before is not shut out by others who guess from the same address.
	if wait := h.strangers.empty(strange(r), h.Now()); wait > 0 && !h.keys.has(string(hash)) {
		h.refuse(w, r, tooManyFailures(wait))
		return caller{}, false
	}
	if formed {
		row, found, err := h.Keys.APIKeyByHash(r.Context(), hash)
		if err != nil {
			h.refuse(w, r, problem{kind: "unavailable", status: http.StatusServiceUnavailable, detail: "the key cannot be checked now; repeat the request", cause: err})
			return caller{}, false
		}
		if found && row.Revoked.IsZero() && subtle.ConstantTimeCompare(hash, row.Hash) == 1 {
			if now := h.Now(); now.Sub(row.LastUsed) >= touchEvery {
				if err := h.Keys.TouchAPIKey(r.Context(), row.Tenant, row.ID, now); err != nil {
					h.Log.Warn("the last use of an API key could not be noted", "tenant", row.Tenant, "key", row.ID, "error", err)
				}
			}
			who := caller{tenant: row.Tenant, key: row.ID, scopes: row.Scopes}
			return who, h.throttle(w, r, string(hash))
		}
	}
	h.keys.forget(string(hash))
	h.strangers.take(strange(r), h.Now())
	w.Header().Set("WWW-Authenticate", `Bearer realm="roomwire"`)
	h.refuse(w, r, problem{
		kind: "unauthorized", status: http.StatusUnauthorized,
		detail: "send Authorization: Bearer with an API key of this tenant; roomwire apikey create makes one",
	})
	return caller{}, false
}

// enter checks the path's tenant. Whether there are tenants that a key does not belong to is not told. If it reports
// false, it has answered.
func (h *handler) enter(w http.ResponseWriter, r *http.Request, who caller) (*http.Request, bool) {
	named, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	for _, t := range h.Tenants() {
		if strings.EqualFold(t, named) && (who.admin || strings.EqualFold(t, who.tenant)) {
			ctx := context.WithValue(r.Context(), callerKey, who)
			ctx = context.WithValue(ctx, acceptKey, r.Header.Values("Accept"))
			return r.WithContext(context.WithValue(ctx, tenantKey, t)), true
		}
	}
	h.refuse(w, r, notFound("there is no tenant %q for this key", named))
	return nil, false
}
