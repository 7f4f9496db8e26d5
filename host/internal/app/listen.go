package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/roomwire/roomwire/host/internal/config"
)

// A listener is an open address. Its certificate can be replaced while it is in use.
type listener struct {
	net.Listener
	cert atomic.Pointer[tls.Certificate] // nil: it speaks plain HTTP
}

func listen(name string, l config.Listener) (*listener, error) {
	ln, err := net.Listen("tcp", l.Addr)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot listen at %q: %w; choose another address in roomwire.hcl, or end the program that uses it", name, l.Addr, err)
	}
	out := &listener{Listener: ln}
	if !l.TLS() {
		return out, nil
	}
	cert, err := certificate(name, l)
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	out.cert.Store(cert)
	out.Listener = tls.NewListener(ln, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return out.cert.Load(), nil },
	})
	return out, nil
}

// certificate reads the certificate that connections are shown.
func certificate(name string, c config.Listener) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("%s: certificate %q with key %q: %w", name, c.CertFile, c.KeyFile, err)
	}
	return &cert, nil
}

// url is where the listener is reached from this machine.
func (l *listener) url() string {
	scheme := "http://"
	if l.cert.Load() != nil {
		scheme = "https://"
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + net.JoinHostPort(host, port)
}

// serveUntil serves until ctx ends, then waits for the requests under way.
func serveUntil(ctx context.Context, ln net.Listener, srv *http.Server) error {
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := srv.Shutdown(wait); err != nil {
		_ = srv.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	}
	return ctx.Err()
}
