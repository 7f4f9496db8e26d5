// Package auth is the contract of an auth plugin: it turns a server's challenges into Authorization headers, so that
// a backend never sees how one logs in and the secret stays in the plugin's process.
//
// A minimal plugin opens a value of its own from its settings and returns an Exchange for each login:
//
//	func (b basic) Begin(context.Context, auth.Target) (auth.Exchange, error) { return auth.Fixed(b.header), nil }
package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/hashicorp/go-hclog"
)

// An Authenticator authorizes one identity; safe for concurrent use.
type Authenticator interface {
	// Begin starts an exchange with the server at target; ctx ends with the exchange.
	Begin(ctx context.Context, target Target) (Exchange, error)
}

// An Expirer is an Authenticator that knows when its credentials end. It is asked once, after Open.
type Expirer interface {
	Expires() []Expiry
}

// An Expiry says when a credential ends, so that the host can warn ahead of it.
type Expiry struct {
	What string    // the setting that holds it, e.g. client_secret
	At   time.Time // zero if it is not known
}

// An Exchange returns the header for the next leg. challenge holds the server's WWW-Authenticate values when it
// refused the previous leg; on the first leg it holds what the server offered to a request without credentials, or
// what it said when it refused a cached header, and may be empty. An Exchange is used by one goroutine.
type Exchange func(ctx context.Context, challenge []string) (Header, error)

// A Target is whom to log in to, and for whom.
type Target struct {
	Origin         string // scheme://host:port
	Mailbox        string // primary SMTP address acted for; empty unless the plugin is PerMailbox
	ChannelBinding []byte // RFC 5929 tls-server-end-point: the certificate hash alone, without prefix; empty without TLS
	// Retry counts the exchanges that the server refused before this one, each on a connection of its own.
	Retry int
	// Refused is RefusedSum of the header that the server refused just before this exchange; empty if it refused none. By
	// it a plugin that keeps headers knows which one is of no use any more.
	Refused []byte
}

// RefusedSum returns the form in which Target.Refused names a header: a hash, because who reads it need not see the header.
func RefusedSum(value string) []byte {
	sum := sha256.Sum256([]byte(value))
	return sum[:]
}

// A Header is the Authorization header of one leg. Its String and log forms redact it.
type Header struct {
	Value   string
	Expires time.Time // when a value good for many requests ends; zero if unknown
	More    bool      // the server will answer this leg with another challenge
}

// String keeps headers out of logs.
func (Header) String() string { return "auth.Header{redacted}" }

// GoString keeps headers out of %#v.
func (h Header) GoString() string { return h.String() }

// MarshalJSON keeps headers out of JSON.
func (Header) MarshalJSON() ([]byte, error) { return []byte(`"redacted"`), nil }

// Fixed returns an exchange of one leg that always answers h.
func Fixed(h Header) Exchange {
	return func(context.Context, []string) (Header, error) { return h, nil }
}

// Env is what the host gives an instance.
type Env struct {
	Log hclog.Logger // goes to the host's log under the plugin's name
}

// A Plugin is an auth plugin as a value. C is its settings: a struct whose fields bear `json:"name"` and, for the
// operator, `doc:"…"`, `required:"true"`, `secret:"true"`; unknown settings are refused before Open is called.
type Plugin[C any] struct {
	Name, Version string
	// Schemes are the WWW-Authenticate schemes that it can answer, best first, e.g. "NTLM", "Negotiate".
	Schemes []string
	// PerConnection: the server authorizes connections, not requests (NTLM).
	PerConnection bool
	// PerMailbox: headers differ by Target.Mailbox; otherwise one serves every mailbox of an origin.
	PerMailbox bool
	// Attempts is how many exchanges may be tried, each on a fresh connection, before the server's refusal is final;
	// 0 means 1. The exchange sees which one it is in Target.Retry.
	Attempts int
	Open     func(ctx context.Context, settings C, env Env) (Authenticator, error)
}
