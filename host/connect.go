package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
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
	cfg, err := f.load(cmd)
	if err != nil {
		return nil, err
	}
	tenant, err := f.pickTenant(cfg)
	if err != nil {
		return nil, err
	}
	a := &admin{tenant: tenant, close: func() {}}
	base, transport, err := runningHost(cfg)
	if err != nil {
		return nil, err
	}
	key := ""
	if base != "" {
		if key, err = app.ReadAdminKey(cfg); err != nil {
			return nil, err
		}
	} else {
		local, err := app.OpenLocal(cmd.Context(), cfg, hclog.NewNullLogger(), version)
		if err != nil {
			return nil, err
		}
		base, key, a.close, a.local = local.URL, local.Key, local.Close, true
	}
	a.ClientWithResponses, err = client.NewClientWithResponses(base,
		client.WithHTTPClient(&http.Client{Transport: transport, Timeout: 10 * time.Minute}),
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+key)
			return nil
		}))
	if err != nil {
		a.close()
		return nil, fmt.Errorf("reach the host: %w", err)
	}
	return a, nil
}

// runningHost returns the address of the host's API if a host listens there, else "".
func runningHost(cfg *config.Config) (string, http.RoundTripper, error) {
	l := cfg.Listen.API
	host, port, err := net.SplitHostPort(l.Addr)
	if err != nil {
		return "", nil, fmt.Errorf("listen.api %q: %w", l.Addr, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	addr := net.JoinHostPort(host, port)
	conn, err := net.DialTimeout("tcp", addr, 3*time.Second)
	if err != nil {
		return "", nil, nil
	}
	_ = conn.Close()
	if !l.TLS() {
		return "http://" + addr, nil, nil
	}
	pem, err := os.ReadFile(l.CertFile)
	if err != nil {
		return "", nil, fmt.Errorf("read the certificate of the API listener: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return "https://" + addr, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, nil
}

// said turns an answer that is no success into an error that says what the host said.
func said(resp *http.Response, p *client.Problem) error {
	if resp.StatusCode < 300 {
		return nil
	}
	if p == nil {
		return fmt.Errorf("the host answered %s", resp.Status)
	}
	parts := []string{p.Title}
	if p.Detail != "" {
		parts = []string{p.Detail}
	}
	if p.Violations != nil {
		for _, v := range *p.Violations {
			parts = append(parts, fmt.Sprintf("  %s: %s", v.Field, v.Reason))
		}
	}
	return errors.New(strings.Join(parts, "\n"))
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
