package login

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/go-ntlmssp"
)

var (
	alice = Account{Domain: "EXAMPLE", User: "alice", UPN: "alice@example.com", Password: "secret", Tag: 1}
	bob   = Account{Domain: "EXAMPLE", User: "bob", UPN: "bob@example.com", Password: "pässwörd", Tag: 2}
)

// site is a server behind a Handler and a client that never opens a second connection.
type site struct {
	*httptest.Server
	client *http.Client
	conns  atomic.Int32
}

// serve starts a server that answers with the caller's name.
func serve(t *testing.T, o Options, cert *tls.Certificate) *site {
	t.Helper()
	o.Accounts, o.DefaultDomain = List(alice, bob), "EXAMPLE"
	s := &site{}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		a, ok := From(r.Context())
		if !ok {
			t.Error("a request without account came through")
		}
		fmt.Fprint(w, a.User)
	})
	s.Server = httptest.NewUnstartedServer(nil)
	s.Config = NewServer(Handler(o, next))
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		s.conns.Add(1)
		return ConnContext(ctx, c)
	}
	if cert != nil {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	s.client = &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: 1,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	return s
}

// ask sends one request and returns status, challenges and body.
func (s *site) ask(t *testing.T, authorization string) (int, []string, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(strings.Repeat("x", 400<<10)))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Values("WWW-Authenticate"), string(body)
}

// begin does the first two legs and returns the challenge.
func (s *site) begin(t *testing.T, scheme string) []byte {
	t.Helper()
	hello, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		t.Fatal(err)
	}
	code, offers, body := s.ask(t, scheme+" "+base64.StdEncoding.EncodeToString(hello))
	if code != http.StatusUnauthorized || len(offers) != 1 || len(body) < 2<<10 {
		t.Fatalf("Type 1: %d %q with %d bytes", code, offers, len(body))
	}
	got, token, _ := strings.Cut(offers[0], " ")
	challenge, err := base64.StdEncoding.DecodeString(token)
	if err != nil || got != scheme {
		t.Fatalf("challenge %q: %v", offers[0], err)
	}
	return challenge
}

// answer is the third leg.
func answer(t *testing.T, scheme string, challenge []byte, user, password string) string {
	t.Helper()
	m, err := ntlmssp.NewAuthenticateMessage(challenge, user, password, nil)
	if err != nil {
		t.Fatal(err)
	}
	return scheme + " " + base64.StdEncoding.EncodeToString(m)
}

func (s *site) login(t *testing.T, scheme, user, password string) (int, string) {
	t.Helper()
	code, _, body := s.ask(t, answer(t, scheme, s.begin(t, scheme), user, password))
	return code, body
}

func basicHeader(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestEveryFormOfNameLogsIn(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{NTLM, Negotiate, Basic} {
		for _, c := range []struct{ user, password, want string }{
			{`EXAMPLE\alice`, "secret", "alice"},
			{`example\ALICE`, "secret", "alice"},
			{`alice`, "secret", "alice"},
			{`alice@example.com`, "secret", "alice"},
			{`EXAMPLE\bob`, "pässwörd", "bob"},
			{`EXAMPLE\alice`, "Secret", ""},
			{`EXAMPLE\alice`, "", ""},
			{`EXAMPLE\nobody`, "secret", ""},
			{`OTHER\alice`, "secret", ""},
			{`alice@elsewhere.com`, "secret", ""},
		} {
			s := serve(t, Options{}, nil)
			var code int
			var body string
			if scheme == Basic {
				code, _, body = s.ask(t, basicHeader(c.user, c.password))
			} else {
				code, body = s.login(t, scheme, c.user, c.password)
			}
			if c.want == "" && code != http.StatusUnauthorized || c.want != "" && (code != 200 || body != c.want) {
				t.Errorf("%s as %s: %d %.20q, want %q", scheme, c.user, code, body, c.want)
			}
			if n := s.conns.Load(); n != 1 {
				t.Errorf("%s as %s took %d connections, want 1", scheme, c.user, n)
			}
		}
	}
}

func TestRefusalOffersSchemesInOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schemes, want []string }{
		{nil, []string{"Negotiate", "NTLM", `Basic realm="mail"`}},
		{[]string{Basic, NTLM}, []string{"NTLM", `Basic realm="mail"`}},
		{[]string{NTLM}, []string{"NTLM"}},
		{[]string{Basic}, []string{`Basic realm="mail"`}},
	} {
		s := serve(t, Options{Schemes: c.schemes, Realm: "mail"}, nil)
		for _, authorization := range []string{"", "Bearer x", "NTLM garbage!", "Basic garbage!", "NTLM " + base64.StdEncoding.EncodeToString([]byte("NTLMSSP\x00xyz")), basicHeader("alice", "wrong")} {
			code, offers, body := s.ask(t, authorization)
			if code != http.StatusUnauthorized || !slices.Equal(offers, c.want) || len(body) < 2<<10 {
				t.Errorf("%q: %d %q with %d bytes, want 401 %q with kilobytes", authorization, code, offers, len(body), c.want)
			}
		}
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	}
}

func TestSchemeThatIsNotOfferedIsNotAccepted(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Schemes: []string{NTLM}}, nil)
	if code, offers, _ := s.ask(t, basicHeader("alice", "secret")); code != http.StatusUnauthorized || !slices.Equal(offers, []string{"NTLM"}) {
		t.Errorf("Basic: %d %q", code, offers)
	}
}

func TestConnectionKeepsItsIdentityForWhoeverUsesIt(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	if code, body := s.login(t, NTLM, `EXAMPLE\alice`, "secret"); code != 200 || body != "alice" {
		t.Fatalf("login: %d %q", code, body)
	}
	for range 3 {
		if code, _, body := s.ask(t, ""); code != 200 || body != "alice" {
			t.Fatalf("request without credentials: %d %q, want alice", code, body)
		}
	}
	if code, _, body := s.ask(t, basicHeader("bob", "pässwörd")); code != 200 || body != "bob" {
		t.Errorf("Basic on an NTLM connection: %d %q, want bob", code, body)
	}
	if code, _, body := s.ask(t, ""); code != 200 || body != "alice" {
		t.Errorf("after Basic: %d %q, want alice", code, body)
	}
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestNewHandshakeEndsTheOldIdentity(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	if code, _ := s.login(t, NTLM, `EXAMPLE\alice`, "secret"); code != 200 {
		t.Fatalf("login: %d", code)
	}
	challenge := s.begin(t, NTLM)
	if code, _, _ := s.ask(t, ""); code != http.StatusUnauthorized {
		t.Errorf("during the handshake: %d, want 401", code)
	}
	third := answer(t, NTLM, challenge, `EXAMPLE\bob`, "pässwörd")
	if code, _, body := s.ask(t, third); code != 200 || body != "bob" {
		t.Errorf("second login: %d %q, want bob", code, body)
	}
	if code, _, _ := s.ask(t, third); code != http.StatusUnauthorized {
		t.Errorf("the same Type 3 again: %d, want 401", code)
	}
	if code, _, _ := s.ask(t, ""); code != http.StatusUnauthorized {
		t.Errorf("after the failure: %d, want 401", code)
	}
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestHandshakeDoesNotSpanConnections(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	third := answer(t, NTLM, s.begin(t, NTLM), `EXAMPLE\alice`, "secret")
	s.client.CloseIdleConnections()
	if code, _, _ := s.ask(t, third); code != http.StatusUnauthorized {
		t.Errorf("Type 3 on another connection: %d, want 401", code)
	}
}

func TestServerWithoutConnContextSaysSo(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Handler(Options{}, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "ConnContext") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// certificate makes a self-signed one whose signature uses the hash that belongs to the curve.
func certificate(t *testing.T, curve elliptic.Curve) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "exch1"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// bound adds channel bindings to a challenge's target info, from where the client library copies them.
func bound(t *testing.T, challenge, value []byte) []byte {
	t.Helper()
	length, offset := binary.LittleEndian.Uint16(challenge[40:]), binary.LittleEndian.Uint32(challenge[44:])
	info := slices.Clone(challenge[offset : offset+uint32(length)-4])
	info = appendAttribute(appendAttribute(info, avChannelBindings, value), avEOL, nil)
	b := append(slices.Clone(challenge[:offset]), info...)
	binary.LittleEndian.PutUint16(b[40:], uint16(len(info)))
	binary.LittleEndian.PutUint16(b[42:], uint16(len(info)))
	return b
}

func TestExtendedProtection(t *testing.T) {
	t.Parallel()
	cert := certificate(t, elliptic.P256())
	right, wrong := Binding(cert.Leaf), slices.Repeat([]byte{7}, 16)
	const in, out = 200, http.StatusUnauthorized
	for _, c := range []struct {
		mode   Protection
		sent   []byte
		secure bool
		want   int
	}{
		{None, nil, true, in}, {None, wrong, true, in},
		{Allow, nil, true, in}, {Allow, right, true, in}, {Allow, wrong, true, out}, {Allow, make([]byte, 16), true, out}, {Allow, []byte{}, true, out},
		{Require, nil, true, out}, {Require, right, true, in}, {Require, wrong, true, out}, {Require, make([]byte, 16), true, out},
		{Require, nil, false, in}, // no TLS, no channel
	} {
		o := Options{Protection: c.mode, Certificate: func() *x509.Certificate { return cert.Leaf }}
		shown := &cert
		if !c.secure {
			shown = nil
		}
		s := serve(t, o, shown)
		challenge := s.begin(t, NTLM)
		if c.sent != nil {
			challenge = bound(t, challenge, c.sent)
		}
		if code, _, _ := s.ask(t, answer(t, NTLM, challenge, `EXAMPLE\alice`, "secret")); code != c.want {
			t.Errorf("%v, TLS %t, binding %x: %d, want %d", c.mode, c.secure, c.sent, code, c.want)
		}
	}
}

func TestBindingHashesTheCertificateAsItsSignatureDoes(t *testing.T) {
	t.Parallel()
	prefix := "tls-server-end-point:"
	p256, p384 := certificate(t, elliptic.P256()), certificate(t, elliptic.P384())
	short, long := sha256.Sum256(p256.Leaf.Raw), sha512.Sum384(p384.Leaf.Raw)
	for _, c := range []struct {
		cert *x509.Certificate
		hash []byte
	}{{p256.Leaf, short[:]}, {p384.Leaf, long[:]}} {
		data := append([]byte(prefix), c.hash...)
		want := md5Of(append(binary.LittleEndian.AppendUint32(make([]byte, 16), uint32(len(data))), data...))
		if got := Binding(c.cert); !slices.Equal(got, want) {
			t.Errorf("%v: %x, want %x", c.cert.SignatureAlgorithm, got, want)
		}
	}
}

func md5Of(b []byte) []byte {
	sum := md5.Sum(b)
	return sum[:]
}
