package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/roomwire/roomwire/host/internal/apikey"
)

// hostScope is what only the host's own key may do.
const hostScope apikey.Scope = "host"

// scopesOf reads from the description which scope each operation needs, by the mux's pattern. What says nothing needs
// the host's own key.
func scopesOf(spec *openapi3.T) map[string]apikey.Scope {
	all := map[string]apikey.Scope{}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			need, _ := op.Extensions["x-scope"].(string)
			if need == "" {
				need = string(hostScope)
			}
			all[method+" "+path] = apikey.Scope(need)
		}
	}
	return all
}

// allow sees that the caller may do what the route does. If it reports false, it has answered.
func (h *handler) allow(w http.ResponseWriter, r *http.Request, route string) bool {
	who, _ := r.Context().Value(callerKey).(caller)
	need := h.scopes[route]
	if who.admin || need != hostScope && apikey.Allows(who.scopes, need) {
		return true
	}
	p := problem{kind: "forbidden", status: http.StatusForbidden, scope: string(need)}
	switch {
	case need == hostScope || need == "":
		p.detail = "no API key may do this, only the commands on the host's machine: roomwire apikey, roomwire config apply"
	default:
		has := strings.Join(who.scopes, ", ")
		if has == "" {
			has = "none"
		}
		p.detail = fmt.Sprintf("this needs the scope %s, and the key's scope is %s: make a key with roomwire apikey create --scope %s NAME, "+
			"on the host's machine", need, has, need)
	}
	h.refuse(w, r, p)
	return false
}

// keyID names the caller's key within its tenant.
func keyID(ctx context.Context) string {
	who, _ := ctx.Value(callerKey).(caller)
	return who.key
}
