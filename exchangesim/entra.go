package exchangesim

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The names by which Faults and pauses know the requests to the login server. A fault without an operation does not hit them.
const (
	OperationToken     = "Token"
	OperationDiscovery = "Discovery"
)

// serveEntra answers a request to the login server; it reports whether the path is one of it.
func (s *Server) serveEntra(w http.ResponseWriter, r *http.Request) bool {
	tenant, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !ok || tenant == "" {
		return false
	}
	switch strings.ToLower(rest) {
	case "oauth2/v2.0/token":
		s.underFaults(w, r, OperationToken, func() { s.serveToken(w, r, tenant) })
	case "v2.0/.well-known/openid-configuration":
		s.underFaults(w, r, OperationDiscovery, func() { s.serveMetadata(w, r, tenant) })
	case "discovery/v2.0/keys":
		s.underFaults(w, r, OperationDiscovery, func() { s.serveKeys(w, r, tenant) })
	case "discovery/instance":
		s.underFaults(w, r, OperationDiscovery, func() { s.serveInstance(w, r) })
	default:
		return false
	}
	return true
}

// underFaults runs do under the faults programmed for an operation of the login server.
func (s *Server) underFaults(w http.ResponseWriter, r *http.Request, operation string, do func()) {
	s.mu.Lock()
	if operation == OperationToken {
		s.tokens.requests++
	} else {
		s.tokens.discovery++
	}
	s.mu.Unlock()
	plan := s.faults.meet(r.Context(), operation, "")
	if plan.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(plan.retryAfter))
	}
	switch {
	case plan.cutBefore:
		panic(http.ErrAbortHandler)
	case plan.status == http.StatusTooManyRequests:
		s.refusedToken("429")
		s.refuse(w, r, aad(90055, "There are too many incoming requests."))
		return
	case plan.status != 0:
		s.refusedToken(strconv.Itoa(plan.status))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(plan.status)
		_, _ = w.Write([]byte("<html><head><title>" + http.StatusText(plan.status) + "</title></head><body><h2>Our services aren't available right now</h2></body></html>"))
		return
	case plan.fault != nil:
		code, err := strconv.Atoi(plan.fault.code)
		if err != nil {
			code = 90033 // a transient error, for names of EWS
		}
		s.refusedToken(strconv.Itoa(code))
		s.refuse(w, r, aad(code, "%s", plan.fault.text))
		return
	}
	do()
	if there := s.stopAt(r.Context(), plan.after); plan.cutAfter || !there {
		panic(http.ErrAbortHandler) // what was written is lost: it is still in the buffer
	}
}

func (s *Server) refusedToken(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.refused[why]++
}

// findTenant finds the tenant that a path names.
func (s *Server) findTenant(name string) (*Tenant, *aadError) {
	switch strings.ToLower(name) {
	case "common", "organizations", "consumers":
		return nil, aad(50059, "No tenant-identifying information found in either the request or implied by any provided credentials.")
	case "00000000-0000-0000-0000-000000000000":
		return nil, aad(900021, "Requested tenant identifier '%s' is not valid. Tenant identifiers may not be an empty GUID.", name)
	}
	if !guidForm.MatchString(name) && !isDomain(name) {
		return nil, aad(900023, "Specified tenant identifier '%s' is neither a valid DNS name, nor a valid external domain.", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tenant(name); t != nil {
		return t, nil
	}
	return nil, aad(90002, "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. "+
		"Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", name)
}

// serveMetadata answers with the OpenID configuration of a tenant.
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request, name string) {
	t, refused := s.findTenant(name)
	if refused != nil {
		if refused.code == 90002 {
			refused.kind = "invalid_tenant" // here, and not at the token endpoint
		}
		s.refuse(w, r, refused)
		return
	}
	base := "https://" + r.Host + "/" + t.ID
	writeJSON(w, http.StatusOK, map[string]any{
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"issuer":                                base + "/v2.0",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"tenant_region_scope":                   "EU",
		"cloud_instance_name":                   r.Host,
		"msgraph_host":                          r.Host,
	})
}

// serveInstance says that the host is its own only name.
func (s *Server) serveInstance(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	endpoint := "https://" + host + "/common/v2.0/.well-known/openid-configuration"
	if asked, err := url.Parse(r.URL.Query().Get("authorization_endpoint")); err == nil && asked.Host != "" {
		tenant, _, _ := strings.Cut(strings.TrimPrefix(asked.Path, "/"), "/")
		endpoint = "https://" + host + "/" + tenant + "/v2.0/.well-known/openid-configuration"
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": endpoint,
		"api-version":               "1.1",
		"metadata":                  []map[string]any{{"preferred_network": host, "preferred_cache": host, "aliases": []string{host}}},
	})
}

// serveKeys answers with the keys that tokens are signed with.
func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request, name string) {
	if _, refused := s.findTenant(name); refused != nil && refused.code != 50059 {
		s.refuse(w, r, refused)
		return
	}
	key, err := s.signing()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": []map[string]string{key.jwk()}})
}

// LoginDown lets the login server answer nothing but 503 with a page for people, until Reset.
func (f *Faults) LoginDown() {
	for _, operation := range []string{OperationToken, OperationDiscovery} {
		f.add(Fault{Kind: "status", Operation: operation, Status: http.StatusServiceUnavailable, Count: -1})
	}
}

// LoginBusy lets the next n token requests be refused with 429, and Retry-After unless it is 0.
func (f *Faults) LoginBusy(n int, retryAfter time.Duration) {
	f.add(Fault{Kind: "status", Operation: OperationToken, Status: http.StatusTooManyRequests, Count: n, RetryAfter: int(retryAfter.Seconds())})
}

// LoginSlow delays all token requests until Reset.
func (f *Faults) LoginSlow(d time.Duration) {
	f.add(Fault{Kind: "latency", Operation: OperationToken, Count: -1, Delay: Milliseconds(d)})
}
