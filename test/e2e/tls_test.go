package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestHostWithTLSOfItsOwn has both listeners speak TLS: notifications arrive, and commands find the host.
func TestHostWithTLSOfItsOwn(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	renewed, itsKey := selfSigned(t)
	s, roots := secured(t, cert, key)
	roots.AppendCertsFromPEM(renewed)
	s.serve()
	s.settle()
	subscribed(s)
	s.put(meeting("secured", "alice", day(1, 9)))
	s.settle()
	s.outlook("alice", s.only("alice", hush+" secured").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	s.awaitChange("secured", "updated", "calendar")
	s.settle()
	if shown := s.show("alice"); !strings.Contains(shown, "sync ok") {
		t.Errorf("person show says: %s", shown)
	}

	// The certificate is renewed in place: both listeners show the new one, and who was connected stays so.
	for _, listener := range []string{s.public, s.api} {
		if !bytes.Equal(shownBy(t, listener, roots), cert) {
			t.Errorf("%s does not show its certificate", listener)
		}
	}
	s.write("host.pem", string(renewed))
	if errs := fails(s, "config", "apply"); !strings.Contains(errs, "does not match") {
		t.Errorf("a certificate without its key: %s", errs)
	}
	s.write("host.key", string(itsKey))
	s.untouched(func() { s.apply("cert_file", "changed (other contents)") }, people...)
	for _, listener := range []string{s.public, s.api} {
		if !bytes.Equal(shownBy(t, listener, roots), renewed) {
			t.Errorf("%s does not show the renewed certificate", listener)
		}
	}
	s.bothWays("alice", "renewed", day(2, 9))
}

// secured makes a site, and does not start it, whose listeners speak TLS. Who trusts roots trusts it.
func secured(t *testing.T, cert, key []byte) (*site, *x509.CertPool) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	trusting := func() *http.Client {
		return &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	}
	s := newSite(t, setup{stopped: true, sim: exchangesim.Options{PushClient: trusting()}})
	s.write("host.pem", string(cert))
	s.write("host.key", string(key))
	s.replace("roomwire.hcl", "listen {\n", "listen {\n  cert_file = \"host.pem\"\n  key_file  = \"host.key\"\n")
	s.replace("roomwire.hcl", s.public+"/Default", strings.Replace(s.public, "http:", "https:", 1)+"/Default")
	s.public, s.api = strings.Replace(s.public, "http:", "https:", 1), strings.Replace(s.api, "http:", "https:", 1)
	s.http = trusting()
	t.Cleanup(s.http.CloseIdleConnections)
	return s, roots
}

// shownBy returns the certificate that a listener shows to who connects now.
func shownBy(t *testing.T, listener string, roots *x509.CertPool) []byte {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(listener, "https://"), &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw})
}

// selfSigned makes a certificate for the loopback address, and its key.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	return selfSignedUntil(t, time.Now().AddDate(0, 0, 90))
}

func selfSignedUntil(t *testing.T, end time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "roomwire"},
		NotBefore: time.Now().AddDate(0, 0, -30), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}
