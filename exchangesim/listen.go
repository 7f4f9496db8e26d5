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
	h.ReadHeaderTimeout = time.Minute
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
	return s.start(addr, nil)
}

// StartTLS serves HTTPS on addr with a certificate of its own for localhost, the loopback addresses and hosts.
func (s *Server) StartTLS(addr string, hosts ...string) (*Listener, error) {
	certificate, err := newCertificate(hosts)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.certificate = certificate.Leaf
	s.mu.Unlock()
	return s.start(addr, certificate)
}

func (s *Server) start(addr string, certificate *tls.Certificate) (*Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	l := &Listener{URL: "http://" + ln.Addr().String(), server: s.HTTPServer(), done: make(chan error, 1)}
	if certificate != nil {
		l.URL = "https://" + ln.Addr().String()
		l.CertificatePEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12})
	}
	go func() { l.done <- l.server.Serve(ln) }()
	return l, nil
}

// shownCertificate is the one that NTLM's channel binding is checked against.
func (s *Server) shownCertificate() *x509.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.certificate
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
