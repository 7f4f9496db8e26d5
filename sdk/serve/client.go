package serve

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/httpauth"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

// httpClient makes the client that a backend's instance is opened with, and the function that ends its connections.
func httpClient(c wire.BackendConfig, log hclog.Logger) (*http.Client, func(), error) {
	o := httpauth.Options{Timeout: c.HTTP.Timeout, Log: log}
	for _, id := range c.Identities {
		o.Identities = append(o.Identities, httpauth.Identity{
			Name: id.Name, Schemes: id.Traits.Schemes, PerConnection: id.Traits.PerConnection,
			PerMailbox: id.Traits.PerMailbox, Attempts: id.Traits.Attempts, Auth: id.Auth,
		})
	}
	if len(c.HTTP.CAPEM) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(c.HTTP.CAPEM) {
			return nil, nil, fmt.Errorf("the CA file holds no certificate in PEM form: %w", fault.Invalid)
		}
		o.RootCAs = pool
	}
	if c.HTTP.Proxy != "" {
		proxy, err := url.Parse(c.HTTP.Proxy)
		if err != nil || proxy.Host == "" {
			// Without its text: it may hold a password.
			return nil, nil, fmt.Errorf("the proxy must be a URL such as http://proxy.example.com:3128: %w", fault.Invalid)
		}
		o.Proxy = proxy
	}
	t := httpauth.New(o)
	return t.Client(), t.Close, nil
}
