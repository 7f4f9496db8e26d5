// Package fault names the failures that a plugin and the host must agree on.
//
// Wrap a Kind to give an error its meaning. The meaning and the message survive the process boundary; the wrapped
// chain does not.
//
//	return fmt.Errorf("calendar %q: %w", id, fault.NotFound)
//
// The set is closed: the host reacts to kinds, never to texts, and takes what it does not know for Unavailable.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kind is a sentinel error. Test for one with errors.Is.
type Kind string

// Error implements error.
func (k Kind) Error() string { return string(k) }

const (
	// Invalid means that the request can never succeed as it is: a fault of configuration or of our own.
	Invalid Kind = "invalid"
	// Unauthorized means that the server refused the credentials.
	Unauthorized Kind = "unauthorized"
	// Forbidden means that the credentials are good but lack a right.
	Forbidden Kind = "forbidden"
	// NotFound means that the server says explicitly that an item does not exist.
	NotFound Kind = "not found"
	// MailboxNotFound means that the server says that there is no such mailbox.
	MailboxNotFound Kind = "mailbox not found"
	// MailboxMoved means that the mailbox is, or is on its way to, somewhere else.
	MailboxMoved Kind = "mailbox moved"
	// Conflict means that the item changed since IfRevision.
	Conflict Kind = "conflict"
	// StateExpired means that a cursor is too old or unknown and that the pull must begin again from nothing.
	StateExpired Kind = "state expired"
	// SubscriptionLost means that a subscription no longer exists or was refused.
	SubscriptionLost Kind = "subscription lost"
	// Throttled means that the server asks to be left alone for a while; see After.
	Throttled Kind = "throttled"
	// Unavailable means that it did not work now and nobody knows more; never read it as "gone".
	Unavailable Kind = "unavailable"
	// Unsupported means that this backend, server or access cannot do it.
	Unsupported Kind = "unsupported"
	// Internal means a defect of the plugin.
	Internal Kind = "internal"
)

// Kinds lists the closed set.
func Kinds() []Kind {
	return []Kind{
		Invalid, Unauthorized, Forbidden, NotFound, MailboxNotFound, MailboxMoved, Conflict, StateExpired,
		SubscriptionLost, Throttled, Unavailable, Unsupported, Internal,
	}
}

// Of returns the kind of err: the outermost Kind it wraps, or Unavailable if it wraps none. Of(nil) is empty.
func Of(err error) Kind {
	if err == nil {
		return ""
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Unavailable
}

// An Error is an error of a known kind with its particulars. Most code wraps a Kind with fmt.Errorf instead.
type Error struct {
	Kind    Kind
	Message string        // for people; without secrets and without an appointment's text
	After   time.Duration // Throttled: how long to wait; zero if unknown
	Scope   Scope         // how far the failure reaches
	Code    string        // the server's own code, e.g. ErrorServerBusy or AADSTS7000215; for logs
	ID      string        // the server's request id, for the server's administrator
}

// Scope tells how far a failure reaches.
type Scope int

// The scopes.
const (
	ScopeMailbox Scope = iota // this mailbox
	ScopeServer               // everybody on this server or with these credentials
)

// Error implements error.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = string(e.Kind)
	}
	if e.Code != "" && !strings.Contains(s, e.Code) {
		s += " (" + e.Code + ")"
	}
	return s
}

// Is makes errors.Is(err, kind) true.
func (e *Error) Is(target error) bool { k, ok := target.(Kind); return ok && k == e.Kind }

// As makes errors.As find the Kind.
func (e *Error) As(target any) bool {
	if k, ok := target.(*Kind); ok {
		*k = e.Kind
		return true
	}
	return false
}

// ThrottledFor returns a Throttled error that asks to wait for d.
func ThrottledFor(d time.Duration, format string, args ...any) error {
	return &Error{Kind: Throttled, After: d, Message: fmt.Sprintf(format, args...)}
}

// After returns how long err asks to wait; zero if it does not say.
func After(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.After
	}
	return 0
}

// FromResponse returns nil for a 2xx answer and else an error whose kind fits the status; it does not read the body.
// Retry-After is honoured in seconds and as a date against the answer's own Date header.
func FromResponse(r *http.Response) error {
	kind, scope := Unavailable, ScopeMailbox
	switch c := r.StatusCode; {
	case c >= 200 && c < 300:
		return nil
	case c == http.StatusUnauthorized:
		kind, scope = Unauthorized, ScopeServer
	case c == http.StatusForbidden:
		kind = Forbidden
	case c == http.StatusNotFound, c == http.StatusGone:
		kind = NotFound
	case c == http.StatusPreconditionFailed, c == http.StatusConflict:
		kind = Conflict
	case c == http.StatusTooManyRequests, c == http.StatusServiceUnavailable:
		kind = Throttled
	case c == http.StatusBadRequest, c == http.StatusRequestEntityTooLarge, c == http.StatusUnprocessableEntity:
		kind = Invalid
	}
	e := &Error{Kind: kind, Scope: scope, Message: "the server answered HTTP " + r.Status}
	if kind == Throttled || kind == Unavailable {
		e.After = retryAfter(r.Header)
	}
	return e
}

func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s > 0 && s < 1<<20 {
		return time.Duration(s) * time.Second
	}
	at, err1 := http.ParseTime(v)
	now, err2 := http.ParseTime(h.Get("Date"))
	if err1 == nil && err2 == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
