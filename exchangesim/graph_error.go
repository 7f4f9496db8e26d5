package exchangesim

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// A graphError is a failure as Graph tells of it.
type graphError struct {
	status int
	code   string
	text   string
	header map[string]string
	more   map[string]any // further members of error
}

// Error implements error.
func (e *graphError) Error() string { return e.code + ": " + e.text }

func graphFail(status int, code, format string, args ...any) *graphError {
	return &graphError{status: status, code: code, text: fmt.Sprintf(format, args...)}
}

func accessDenied() *graphError {
	return graphFail(http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
}

func unknownZone(name string) *graphError {
	return graphFail(http.StatusBadRequest, "TimeZoneNotSupportedException",
		"A valid TimeZone value must be specified. The following TimeZone value is not supported: '%s'.", name)
}

// throttled is the refusal of an app that asks too much.
func throttled(limit string, wait time.Duration) *graphError {
	e := graphFail(http.StatusTooManyRequests, "ApplicationThrottled", "Application is over its %s limit.", limit)
	e.header = map[string]string{"Retry-After": retryAfter(wait)}
	return e
}

// retryAfter is a time to wait in whole seconds, at least one.
func retryAfter(wait time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
}

// graphStatus is the status of failures that EWS knows by the same code.
func graphStatus(code string) int {
	switch code {
	case "ErrorItemNotFound", "ErrorNonExistentMailbox", "ErrorFolderNotFound":
		return http.StatusNotFound
	case "ErrorIrresolvableConflict":
		return http.StatusPreconditionFailed
	case "ErrorAccessDenied":
		return http.StatusForbidden
	case "ErrorServerBusy":
		return http.StatusServiceUnavailable
	case "ErrorExceededMessageLimit", "ApplicationThrottled", "ErrorExceededConnectionCount":
		return http.StatusTooManyRequests
	case "ErrorInternalServerError", "ErrorInternalServerTransientError":
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// asGraph gives any error the form of Graph.
func asGraph(err error) *graphError {
	var g *graphError
	if errors.As(err, &g) {
		return g
	}
	e := asEWS(err)
	switch e.code {
	case "ErrorCalendarOccurrenceIsDeletedFromRecurrence", "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange", "ErrorCalendarCannotUseIdForOccurrenceId":
		return graphFail(http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
	}
	return graphFail(graphStatus(e.code), e.code, "%s", e.text)
}

// graphRefusal is the reply for an error.
func graphRefusal(err error) graphReply {
	e := asGraph(err)
	body := map[string]any{"code": e.code, "message": e.text}
	for name, value := range e.more {
		body[name] = value
	}
	return graphReply{status: e.status, header: e.header, body: map[string]any{"error": body}}
}

// graphReply is the answer to a request whose token is not accepted.
func (e *tokenError) graphReply() graphReply {
	text := e.text
	if e.reason == "missing" {
		text = "Access token is empty."
	}
	refusal := graphFail(http.StatusUnauthorized, "InvalidAuthenticationToken", "%s", text)
	refusal.header = map[string]string{"WWW-Authenticate": `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`}
	return graphRefusal(refusal)
}

// graphReply is what a plan of faults answers instead of carrying a request to Graph out, if it does.
func (p plan) graphReply() (graphReply, bool) {
	switch {
	case p.status != 0:
		reply := graphReply{status: p.status}
		if p.retryAfter > 0 {
			reply.header = map[string]string{"Retry-After": strconv.Itoa(p.retryAfter)}
		}
		return reply, true
	case p.fault == nil:
		return graphReply{}, false
	case p.fault.code == "ErrorServerBusy":
		e := graphFail(http.StatusTooManyRequests, "ApplicationThrottled", "Application is over its request limit.")
		for _, v := range p.fault.values {
			if ms, err := strconv.ParseInt(v.value, 10, 64); err == nil {
				e.header = map[string]string{"Retry-After": retryAfter(time.Duration(ms) * time.Millisecond)}
			}
		}
		return graphRefusal(e), true
	}
	return graphRefusal(graphFail(graphStatus(p.fault.code), p.fault.code, "%s", p.fault.text)), true
}
