package exchangesim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"time"

	"github.com/roomwire/roomwire/exchangesim/internal/login"
)

// headerTimeout is how long a client may take to send the header of a request.
const headerTimeout = time.Minute

type connStateKey struct{}

// ConnContext keeps the state of NTLM for one connection; an http.Server that serves s needs it as its ConnContext.
func (s *Server) ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(login.ConnContext(ctx, c), connStateKey{}, true)
}

func hasConnState(ctx context.Context) bool {
	ok, _ := ctx.Value(connStateKey{}).(bool)
	return ok
}

// HTTPServer returns a server for s with all that NTLM needs: state per connection, and no HTTP/2.
func (s *Server) HTTPServer() *http.Server {
	h := login.NewServer(s)
	h.ConnContext = s.ConnContext
	h.ReadHeaderTimeout = headerTimeout
	return h
}

// A Listener is a running HTTP or HTTPS listener of a Server.
type Listener struct {
	URL            string // scheme://host:port
	CertificatePEM []byte // what clients must trust; empty for HTTP
	server         *http.Server
	done           chan error
}

// Close ends the listener and its connections, and waits for it.
func (l *Listener) Close() error {
	err := l.server.Close()
	if served := <-l.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Start serves HTTP on addr, such as 127.0.0.1:0, until Close of what it returns.
func (s *Server) Start(addr string) (*Listener, error) {
	return listen(addr, s.HTTPServer(), nil)
}

// StartTLS serves HTTPS on addr with a certificate of its own for localhost, the loopback addresses and hosts.
func (s *Server) StartTLS(addr string, hosts ...string) (*Listener, error) {
	certificate, err := s.certificateFor(hosts)
	if err != nil {
		return nil, err
	}
	return listen(addr, s.HTTPServer(), certificate)
}

// certificateFor returns the server's certificate, a new one if there is none or it is not for all of hosts.
func (s *Server) certificateFor(hosts []string) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fits := s.certificate != nil
	for _, h := range hosts {
		fits = fits && (h == "" || s.certificate.Leaf.VerifyHostname(h) == nil)
	}
	if fits {
		return s.certificate, nil
	}
	certificate, err := newCertificate(hosts)
	if err != nil {
		return nil, err
	}
	s.certificate = certificate
	return certificate, nil
}

// listen serves on addr, over TLS if there is a certificate.
func listen(addr string, server *http.Server, certificate *tls.Certificate) (*Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	l := &Listener{URL: "http://" + ln.Addr().String(), server: server, done: make(chan error, 1)}
	serve := server.Serve
	if certificate != nil {
		l.URL = "https://" + ln.Addr().String()
		l.CertificatePEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
		serve = func(ln net.Listener) error { return server.ServeTLS(ln, "", "") }
	}
	go func() { l.done <- serve(ln) }()
	return l, nil
}

// shownCertificate is the one that NTLM's channel binding is checked against.
func (s *Server) shownCertificate() *x509.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.certificate == nil {
		return nil
	}
	return s.certificate.Leaf
}

// newCertificate makes a certificate that is its own authority.
func newCertificate(hosts []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for the certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: "exchangesim"},
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if h != "" {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
