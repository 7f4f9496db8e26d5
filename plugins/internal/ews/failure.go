package ews

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

// maxPause bounds what a server can ask for.
const maxPause = 24 * time.Hour

// A status is how the server says an operation, or a part of one, went.
type status struct {
	class string // ResponseClass; empty in a SOAP fault
	code  string // ResponseCode
	inner string // the code that ErrorInternalServerError wraps
	pause time.Duration
}

// ok reports success. A warning is none: the only one of ours, ErrorBatchProcessingStopped, means "not done".
func (s status) ok() bool {
	return s.code == "NoError" || (s.code == "" && s.class == "Success")
}

// effective returns the code to act on.
func (s status) effective() string {
	if s.code == "ErrorInternalServerError" && s.inner != "" {
		if _, known := codes[s.inner]; known {
			return s.inner
		}
	}
	if s.code == "" {
		return "ErrorInternalServerError"
	}
	return s.code
}

// A site says where a failure happened, so that its message can.
type site struct {
	doing    string
	mailbox  string
	id       string // of the request, on the server
	delegate bool   // no impersonation: the service account's own budget is spent
	online   *Online
}

func (at site) wrap(e *fault.Error) error {
	e.ID = at.id
	e.Message = at.doing + " of " + at.mailbox + ": " + e.Message
	return e
}

// reply returns the error that a response message reports; nil if it reports none.
func (at site) reply(s status) error {
	if s.ok() {
		return nil
	}
	return at.fault(s)
}

func (at site) fault(s status) error {
	code := s.effective()
	m := meaningOf(code)
	if text, ok := onlineTexts[code]; ok && at.online != nil {
		m.text = text
	}
	e := &fault.Error{Kind: m.kind, Message: m.text, Scope: m.scope, Code: code}
	if m.kind == fault.Throttled {
		e.After = s.pause
		if at.delegate {
			e.Scope = fault.ScopeServer
		}
	}
	return at.wrap(e)
}

func (at site) unreadable(err error) error {
	return at.wrap(&fault.Error{Kind: fault.Unavailable, Message: "the server's answer cannot be read: " + err.Error()})
}

func (at site) badURL(err error) error {
	return at.wrap(&fault.Error{Kind: fault.Invalid, Message: "the service URL is not valid: " + err.Error()})
}

// status maps an HTTP answer that is not 2xx. A SOAP fault in it says more than the status does.
func (at site) status(resp *http.Response, body []byte) error {
	after := fault.After(fault.FromResponse(resp))
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		if a, err := decode[struct{}](body, "", nil); err == nil && a.fault.code != "" {
			if a.fault.pause == 0 {
				a.fault.pause = after
			}
			return at.fault(a.fault)
		}
	}
	if at.online != nil {
		if e := at.online.status(resp, at.mailbox); e != nil {
			if e.Scope == fault.ScopeServer { // it is told to others, too: of whom it was met with is no matter
				e.ID = at.id
				return e
			}
			return at.wrap(e)
		}
	}
	e := &fault.Error{Kind: fault.Unavailable, Scope: fault.ScopeServer, After: after}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		e.Kind, e.Message = fault.Unauthorized, "the server refuses the credentials"
	case http.StatusForbidden:
		e.Kind, e.Scope = fault.Forbidden, fault.ScopeMailbox
		e.Message = "the server denies access; EWS may be off for this mailbox or application"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		e.Kind, e.Message = fault.Throttled, "the server is busy"
	case http.StatusNotFound:
		e.Message = "there is no Exchange Web Service at this URL"
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		e.Kind, e.Scope, e.Message = fault.Invalid, fault.ScopeMailbox, "the server refuses the request"
	default:
		e.Message = "the server failed"
	}
	e.Code = fmt.Sprintf("HTTP %d", resp.StatusCode)
	return at.wrap(e)
}

// transport maps an error of the HTTP client. A kind that the authorizing client gave it is kept.
func (at site) transport(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s of %s: %w", at.doing, at.mailbox, ctx.Err())
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // its text would repeat the URL
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		kept := *e
		kept.Message = at.doing + " of " + at.mailbox + ": " + e.Message
		return &kept
	}
	var kind fault.Kind
	if errors.As(err, &kind) {
		return at.wrap(&fault.Error{Kind: kind, Message: err.Error()})
	}
	e := &fault.Error{Kind: fault.Unavailable, Scope: fault.ScopeServer, Message: err.Error()}
	var (
		untrusted   *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		name        x509.HostnameError
		certificate x509.CertificateInvalidError
		lookup      *net.DNSError
	)
	switch {
	case errors.As(err, &untrusted), errors.As(err, &authority), errors.As(err, &name), errors.As(err, &certificate):
		e.Message = "the server's TLS certificate is not trusted; if it is right, name its issuer in ca_file: " + err.Error()
	case errors.As(err, &lookup):
		e.Message = "the server's name cannot be resolved: " + err.Error()
	}
	return at.wrap(e)
}
