package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/app"
	"github.com/roomwire/roomwire/host/internal/config"
)

// An admin talks REST to the running host, or, while none runs, to the same handler in this process.
type admin struct {
	*client.ClientWithResponses
	tenant string
	local  bool // no host runs: what is asked for happens at its next start
	close  func()
}

// connect finds the host. It needs the key file that the host writes, so only who may read the host's data may use it.
func (f *flags) connect(cmd *cobra.Command) (*admin, error) {
	cfg, err := f.load(cmd, false)
	if err != nil {
		return nil, err
	}
	tenant, err := f.pickTenant(cfg)
	if err != nil {
		return nil, err
	}
	a := &admin{tenant: tenant, close: func() {}}
	base, key, transport, err := runningHost(cfg)
	if err != nil {
		return nil, err
	}
	if base == "" {
		local, err := app.OpenLocal(cmd.Context(), cfg, hclog.NewNullLogger())
		if err != nil {
			return nil, err
		}
		base, key, a.close, a.local = local.URL, local.Key, local.Close, true
	}
	a.ClientWithResponses, err = client.Open(base, key,
		client.WithHTTPClient(&http.Client{Transport: transport, Timeout: 10 * time.Minute}))
	if err != nil {
		a.close()
		return nil, fmt.Errorf("reach the host: %w", err)
	}
	return a, nil
}

// runningHost returns address and key of the host that runs on the configuration's data; an empty address if none does.
func runningHost(cfg *config.Config) (base, key string, transport http.RoundTripper, err error) {
	f, err := apikey.Read(app.DataDir(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil, nil
	}
	if err != nil {
		return "", "", nil, err
	}
	u, err := url.Parse(f.URL)
	if err != nil {
		return "", "", nil, fmt.Errorf("the address in the host's key file: %w", err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, 3*time.Second)
	if err != nil {
		return "", "", nil, nil // left behind by a host that was killed
	}
	_ = conn.Close()
	if u.Scheme != "https" {
		// Without the environment's proxy, which has no business with the key.
		return f.URL, f.Key, &http.Transport{}, nil
	}
	return f.URL, f.Key, &http.Transport{TLSClientConfig: &tls.Config{
		// The certificate names the public host, not this machine's loopback address: it is compared as a whole.
		InsecureSkipVerify: true, //nolint:gosec // verified below
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || apikey.Fingerprint(s.PeerCertificates[0].Raw) != f.Certificate {
				return errors.New("what listens there shows another certificate than the host's: it may be another program")
			}
			return nil
		},
	}}, nil
}

// deref returns what p points to, or the zero value.
func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// when shows a moment in the administrator's own time zone; empty if there is none.
func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
