package exchangesim

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// An aadError is a refusal of the login server, known by its AADSTS code.
type aadError struct {
	code   int
	kind   string // the error of OAuth, such as invalid_client
	status int
	text   string
}

// Error implements error.
func (e *aadError) Error() string { return fmt.Sprintf("AADSTS%d: %s", e.code, e.text) }

// aadKinds are the errors of OAuth and the statuses that go with a code; others are invalid_request with 400.
var aadKinds = map[int]struct {
	kind   string
	status int
}{
	50027:   {"invalid_client", http.StatusUnauthorized},
	65001:   {"invalid_grant", http.StatusBadRequest},
	70003:   {"unsupported_grant_type", http.StatusBadRequest},
	70011:   {"invalid_scope", http.StatusBadRequest},
	90033:   {"temporarily_unavailable", http.StatusServiceUnavailable},
	90055:   {"temporarily_unavailable", http.StatusTooManyRequests},
	500011:  {"invalid_resource", http.StatusBadRequest},
	501051:  {"invalid_grant", http.StatusBadRequest},
	700016:  {"unauthorized_client", http.StatusBadRequest},
	700021:  {"invalid_client", http.StatusUnauthorized},
	700023:  {"invalid_client", http.StatusUnauthorized},
	700024:  {"invalid_client", http.StatusUnauthorized},
	700027:  {"invalid_client", http.StatusUnauthorized},
	1002012: {"invalid_scope", http.StatusBadRequest},
	7000112: {"unauthorized_client", http.StatusBadRequest},
	7000215: {"invalid_client", http.StatusUnauthorized},
	7000218: {"invalid_client", http.StatusUnauthorized},
	7000222: {"invalid_client", http.StatusUnauthorized},
}

func aad(code int, format string, args ...any) *aadError {
	e := &aadError{code: code, kind: "invalid_request", status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
	if k, ok := aadKinds[code]; ok {
		e.kind, e.status = k.kind, k.status
	}
	return e
}

// aadMissing is the refusal of a request that lacks a parameter.
func aadMissing(parameter string) *aadError {
	return aad(900144, "The request body must contain the following parameter: '%s'.", parameter)
}

func newGUID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// refuse writes an error as Entra ID does.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e *aadError) {
	trace, correlation := newGUID(), r.Header.Get("client-request-id")
	if !guidForm.MatchString(correlation) {
		correlation = newGUID()
	}
	stamp := s.now().UTC().Format("2006-01-02 15:04:05Z")
	writeJSON(w, e.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
		Timestamp   string `json:"timestamp"`
		Trace       string `json:"trace_id"`
		Correlation string `json:"correlation_id"`
		URI         string `json:"error_uri"`
	}{
		Error:       e.kind,
		Description: fmt.Sprintf("%v Trace ID: %s Correlation ID: %s Timestamp: %s", e, trace, correlation, stamp),
		Codes:       []int{e.code}, Timestamp: stamp, Trace: trace, Correlation: correlation,
		URI: "https://login.microsoftonline.com/error?code=" + strconv.Itoa(e.code),
	})
}

// writeJSON writes an answer of the login server, which nobody may keep.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away
}
