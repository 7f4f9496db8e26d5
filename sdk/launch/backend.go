package launch

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

// A BackendConfig is what an instance of a backend is opened with.
type BackendConfig struct {
	Settings map[string]any
	// Identities in the order of preference: the first whose scheme a server offers is used there, and no other after
	// it was refused.
	Identities []Identity
	ActAs      bool
	Markers    backend.Markers // the zero value means backend.DefaultMarkers
	HTTP       HTTPOptions
}

// An Identity is one that a backend may use. Its secret never reaches the backend, but Basic's header is the password.
type Identity struct {
	Name string // told apart from the others by it
	AuthTraits
	Auth auth.Authenticator
	// Allow reports why the identity may not be used for an origin (scheme://host:port); nil allows every one.
	Allow func(origin string) error
}

// HTTPOptions are what a program would else take from its environment.
type HTTPOptions struct {
	CAFile  string        // certificates (PEM) trusted beside the system's
	CAPEM   []byte        // the same, given directly
	Proxy   string        // URL; empty for none
	Timeout time.Duration // of a request and its answer, streams apart; zero for none but the call's own deadline
}

// A Backend is an instance of a backend plugin. It has the methods of every optional interface, and says which of them the
// plugin's own value has: find them with backend.As, not by type assertion. What is called all the same is
// fault.Unsupported. A Watch ends without an error when the instance is closed or its process stopped.
type Backend interface {
	backend.Backend
	backend.Limited
	// Close ends the instance; calls under way go on to their end.
	io.Closer
	// Omits implements backend.Partial; it is empty for a plugin that is none.
	Omits() calendar.Fields
}

// An instance is what OpenBackend returns.
type instance struct {
	*wire.BackendClient
	close func() error
}

// Abilities implements backend.Limited.
func (i instance) Abilities() backend.Abilities { return i.BackendClient.Abilities }

// Close implements io.Closer.
func (i instance) Close() error { return i.close() }

// Omits implements backend.Partial.
func (i instance) Omits() calendar.Fields { return i.Abilities().Omits }

// AskingOnly implements backend.AskingOnly.
func (i instance) AskingOnly() bool { return i.Abilities().AskingOnly }

// PullsEverything implements backend.Complete.
func (i instance) PullsEverything() bool { return i.Abilities().Everything }

// Fetch implements backend.Backend. It holds the plugin to what the contract promises and a caller relies on.
func (i instance) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	got, err := i.BackendClient.Fetch(ctx, m, refs)
	if err == nil && len(got) != len(refs) {
		return nil, &fault.Error{
			Kind:    fault.Internal,
			Message: fmt.Sprintf("the plugin has a defect: asked for %d items it answered %d", len(refs), len(got)),
		}
	}
	return got, err
}

// OpenBackend opens an instance of a backend plugin.
func (p *Process) OpenBackend(ctx context.Context, c BackendConfig) (Backend, error) {
	if p.about.Kind != BackendPlugin {
		return nil, fmt.Errorf("%s is an %s plugin, not a backend: %w", p.about.Name, p.about.Kind, fault.Invalid)
	}
	wc, err := c.wire()
	if err != nil {
		return nil, err
	}
	permitted := map[string]wire.HostIdentity{}
	for _, id := range c.Identities {
		permitted[id.Name] = wire.HostIdentity{Auth: id.Auth, Allow: id.Allow}
	}
	if len(permitted) != len(c.Identities) {
		return nil, fmt.Errorf("two identities of a backend have the same name: %w", fault.Invalid)
	}
	p.keepSecret(c.Settings)
	p.secrets.AddSetting(c.HTTP.proxyPassword())
	id := p.id()
	p.host.Permit(id, permitted)
	ctx, cancel := context.WithTimeoutCause(ctx, p.opening, errOpening)
	defer cancel()
	b, err := p.conn.OpenBackend(ctx, &p.gate, id, wc)
	if err != nil {
		p.host.Forget(id)
		return nil, p.notOpened(ctx, err)
	}
	// The identities stay permitted until the process ends: calls under way when the instance is closed may still log in.
	return instance{BackendClient: b, close: closing(b.Close)}, nil
}

func (c BackendConfig) wire() (wire.BackendConfig, error) {
	settings, err := encode(c.Settings)
	if err != nil {
		return wire.BackendConfig{}, err
	}
	pem, err := c.HTTP.pem()
	if err != nil {
		return wire.BackendConfig{}, err
	}
	if c.Markers == (backend.Markers{}) {
		c.Markers = backend.DefaultMarkers()
	}
	wc := wire.BackendConfig{
		Settings: settings, ActAs: c.ActAs, Markers: c.Markers,
		HTTP: wire.HTTPOptions{CAPEM: pem, Proxy: c.HTTP.Proxy, Timeout: c.HTTP.Timeout},
	}
	for _, id := range c.Identities {
		wc.Identities = append(wc.Identities, wire.Identity{Name: id.Name, Traits: id.AuthTraits})
	}
	return wc, nil
}

// proxyPassword returns the password in the proxy's URL, if any.
func (o HTTPOptions) proxyPassword() string {
	u, err := url.Parse(o.Proxy)
	if err != nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}

// pem reads the CA file on the host's side, where the operator's paths and permissions hold.
func (o HTTPOptions) pem() ([]byte, error) {
	if o.CAFile == "" {
		return o.CAPEM, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("reading the CA file: %w: %w", err, fault.Invalid)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the CA file %s holds no certificate in PEM form: %w", o.CAFile, fault.Invalid)
	}
	return append(append([]byte{}, o.CAPEM...), pem...), nil
}
