package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/fault"
)

// problem is an answer that says why a request did not work. It is an error so that handlers can return it.
type problem struct {
	kind       string // of the urn
	status     int
	detail     string
	violations []booking.Violation
	others     []string
	conflicts  []booking.Conflict
	current    *int64
	scope      string
	retry      time.Duration // when it may go better; zero: 5 s where the status says that it may
	cause      error         // for the log; set only if the operator should care
}

// Error implements error.
func (p problem) Error() string { return p.detail }

const urn = "urn:roomwire:problem:"

// titles says what each kind means. The set is part of the API.
var titles = map[string]string{
	"unauthorized":    "No valid API key",
	"forbidden":       "This key may not do that",
	"not-found":       "Not found",
	"method":          "Method not allowed",
	"malformed":       "The request cannot be read",
	"media-type":      "Unsupported content type",
	"too-large":       "The body is too large",
	"invalid":         "The request breaks rules",
	"overlap":         "A resource is taken",
	"version":         "Another version is current",
	"email-taken":     "The e-mail address belongs to another person",
	"feed-position":   "The change feed does not reach that far",
	"busy":            "Too many readers wait",
	"rate-limit":      "Too many requests",
	"in-work":         "The same request is in work",
	"idempotency-key": "The Idempotency-Key belongs to another request",
	"removals":        "Too many persons would be removed",
	"unavailable":     "Not available now",
	"internal":        "Internal error",
}

func notFound(format string, args ...any) problem {
	return problem{kind: "not-found", status: http.StatusNotFound, detail: fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) problem {
	return problem{kind: "malformed", status: http.StatusBadRequest, detail: fmt.Sprintf(format, args...)}
}

func invalid(violations ...booking.Violation) problem {
	return problem{
		kind: "invalid", status: http.StatusUnprocessableEntity, violations: violations,
		detail: fmt.Sprintf("%s %s", violations[0].Field, violations[0].Reason),
	}
}

// absent is answered where what is asked for needs more than a store.
func absent(what string) problem {
	return problem{
		kind: "unavailable", status: http.StatusServiceUnavailable,
		detail: what + " needs a running host: start roomwire serve, or the service",
	}
}

// problemOf finds the answer that fits err. What it does not know is an internal error, whose particulars go to the
// log and not to the caller.
func problemOf(err error) problem {
	var p problem
	var overlap *booking.OverlapError
	var version *booking.VersionError
	var broken *booking.InvalidError
	var taken *store.TakenError
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, booking.ErrNotFound):
		what, suffix := err.Error(), ": "+booking.ErrNotFound.Error()
		if !strings.HasSuffix(what, suffix) {
			return notFound("%s", what)
		}
		for strings.HasSuffix(what, suffix) { // some errors are wrapped into more than one
			what = strings.TrimSuffix(what, suffix)
		}
		return notFound("there is no %s", what)
	case errors.As(err, &overlap):
		return problem{kind: "overlap", status: http.StatusConflict, detail: overlap.Error(), others: overlap.Others, conflicts: overlap.Conflicts}
	case errors.As(err, &version):
		detail := version.Error()
		if version.Current == 0 {
			detail = fmt.Sprintf("there is no booking %q", version.Booking)
		}
		return problem{kind: "version", status: http.StatusPreconditionFailed, detail: detail, current: &version.Current}
	case errors.As(err, &broken) && len(broken.Violations) > 0:
		return invalid(broken.Violations...)
	case errors.As(err, &taken):
		return problem{
			kind: "email-taken", status: http.StatusConflict, detail: taken.Error(),
			violations: []booking.Violation{{Field: "email", Reason: "belongs to another person of this tenant"}},
		}
	case errors.Is(err, fault.Unavailable):
		return problem{kind: "unavailable", status: http.StatusServiceUnavailable, detail: err.Error(), cause: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem{kind: "unavailable", status: http.StatusServiceUnavailable, detail: "the request took too long; repeat it", cause: err}
	}
	return problem{
		kind: "internal", status: http.StatusInternalServerError, cause: err,
		detail: "the host failed to do this; its log says why under this request_id",
	}
}

// refuse answers with p.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, p problem) {
	if p.cause != nil {
		h.Log.Error("a request failed", "request_id", requestID(r.Context()), "method", r.Method, "error", p.cause)
	}
	switch {
	case p.retry > 0:
		w.Header().Set("Retry-After", strconv.Itoa(seconds(p.retry)))
	case p.status == http.StatusTooManyRequests, p.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(h.problemOut(r.Context(), p)) // the caller is gone if this fails
}

// problemOut is the document that tells of p.
func (*handler) problemOut(ctx context.Context, p problem) rest.Problem {
	body := rest.Problem{Type: urn + p.kind, Title: titles[p.kind], Status: p.status, Detail: p.detail, CurrentVersion: p.current, Scope: given(p.scope)}
	if id := requestID(ctx); id != "" {
		body.RequestID = &id
	}
	if len(p.others) > 0 {
		body.Others = &p.others
	}
	if n := len(p.conflicts); n > 0 {
		list := conflictsOut(p.conflicts[:min(n, mostConflicts)])
		body.Conflicts, body.ConflictsTotal = &list, &n
	}
	if len(p.violations) > 0 {
		list := make([]rest.Violation, len(p.violations))
		for i, v := range p.violations {
			list[i] = rest.Violation{Field: v.Field, Reason: v.Reason}
		}
		body.Violations = &list
	}
	return body
}

// failed answers for a handler that returned err.
func (h *handler) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the caller is gone
	}
	h.refuse(w, r, problemOf(err))
}

// badRequest answers for generated code that could not read a request which had passed the check.
func (h *handler) badRequest(w http.ResponseWriter, r *http.Request, err error) {
	text, _, _ := strings.Cut(err.Error(), "\n")
	h.refuse(w, r, malformed("%s", text))
}
