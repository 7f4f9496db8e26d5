package httpauth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A connServer authorizes connections as NTLM does, by a challenge that is kept with the connection:
// "NTLM hello", "NTLM nonce", "NTLM user:proof". What it serves is the user's name and the request's body.
type connServer struct {
	*httptest.Server
	offers       []string // of an answer to a request without credentials
	passwords    map[string]string
	checkBinding bool
	dropAfterNo  bool // ends the connection after an answer 401
	dropAfterYes bool // ends it after any other

	// goOn lets answers to the body "stream" end; before, they consist of their first part.
	goOn chan struct{}

	connections, hellos, refusals, bare atomic.Int64
	bodiesRefused                       atomic.Int64 // requests with a body that were answered 401
	mu                                  sync.Mutex
	authorizations                      []string // every header that arrived
}

type connState struct {
	mu    sync.Mutex
	nonce string
	user  string
	tried int
}

type connStateKey struct{}

func newConnServer(t *testing.T, configure func(*connServer)) *connServer {
	t.Helper()
	s := &connServer{
		offers:    []string{"Negotiate", "NTLM"},
		passwords: map[string]string{"alice": "secret", "bob": "pässwörd"},
	}
	if configure != nil {
		configure(s)
	}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		s.connections.Add(1)
		return context.WithValue(ctx, connStateKey{}, &connState{})
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *connServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c := r.Context().Value(connStateKey{}).(*connState)
	c.mu.Lock()
	defer c.mu.Unlock()
	header := r.Header.Get("Authorization")
	s.mu.Lock()
	s.authorizations = append(s.authorizations, header)
	s.mu.Unlock()
	token, isNTLM := strings.CutPrefix(header, "NTLM ")
	switch {
	case header == "" && c.user != "":
		s.serve(w, c.user, body)
	case header == "":
		s.bare.Add(1)
		s.refuse(w, body, s.offers...)
	case isNTLM && token == "hello":
		s.hellos.Add(1)
		c.nonce = hex.EncodeToString([]byte(fmt.Sprintf("%p-%d", c, c.tried)))
		c.tried++
		c.user = ""
		s.refuse(w, body, "NTLM "+c.nonce)
	case isNTLM && s.good(c.nonce, token, r):
		c.user, _, _ = strings.Cut(token, ":")
		c.nonce = ""
		s.serve(w, c.user, body)
	default:
		s.refusals.Add(1)
		c.nonce = ""
		s.refuse(w, body, s.offers...)
	}
}

func (s *connServer) serve(w http.ResponseWriter, user string, body []byte) {
	w.Header().Set("X-User", user)
	if s.dropAfterYes {
		w.Header().Set("Connection", "close")
	}
	if string(body) == "stream" {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-s.goOn
		body = []byte("last")
	}
	_, _ = w.Write(body)
}

func (s *connServer) refuse(w http.ResponseWriter, body []byte, challenges ...string) {
	if len(body) > 0 {
		s.bodiesRefused.Add(1)
	}
	for _, c := range challenges {
		w.Header().Add("WWW-Authenticate", c)
	}
	if s.dropAfterNo {
		w.Header().Set("Connection", "close")
	}
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, strings.Repeat("a page that nobody reads ", 400))
}

func (s *connServer) good(nonce, token string, _ *http.Request) bool {
	user, rest, _ := strings.Cut(token, ":")
	password, ok := s.passwords[user]
	if !ok || nonce == "" {
		return false
	}
	var binding []byte
	if s.checkBinding {
		sum := sha256.Sum256(s.Certificate().Raw)
		binding = sum[:]
	}
	return hmac.Equal([]byte(rest), []byte(proof(nonce, password, binding)))
}

func proof(nonce, password string, binding []byte) string {
	m := hmac.New(sha256.New, []byte(password))
	m.Write([]byte(nonce))
	m.Write(binding)
	return hex.EncodeToString(m.Sum(nil))
}

// An ntlmLike answers a connServer; the user follows from the mailbox, or is fixed.
type ntlmLike struct {
	user, password string
	byMailbox      map[string][2]string
	bind           func(auth.Target) []byte
	begun          atomic.Int64
}

func (n *ntlmLike) Begin(_ context.Context, target auth.Target) (auth.Exchange, error) {
	n.begun.Add(1)
	user, password := n.user, n.password
	if pair, ok := n.byMailbox[target.Mailbox]; ok {
		user, password = pair[0], pair[1]
	}
	leg := 0
	return func(_ context.Context, challenges []string) (auth.Header, error) {
		if leg++; leg == 1 {
			return auth.Header{Value: "NTLM hello", More: true}, nil
		}
		for _, c := range challenges {
			if nonce, ok := strings.CutPrefix(c, "NTLM "); ok {
				var binding []byte
				if n.bind != nil {
					binding = n.bind(target)
				}
				return auth.Header{Value: "NTLM " + user + ":" + proof(nonce, password, binding)}, nil
			}
		}
		return auth.Header{}, fmt.Errorf("no nonce: %w", fault.Unauthorized)
	}, nil
}

func (n *ntlmLike) identity() Identity {
	return Identity{Name: "ntlm", Schemes: []string{"NTLM"}, PerConnection: true, Auth: n}
}

// client returns a client that trusts the server.
func client(t *testing.T, s *httptest.Server, ids ...Identity) *http.Client {
	t.Helper()
	o := Options{Identities: ids}
	if s.Certificate() != nil {
		o.RootCAs = x509.NewCertPool()
		o.RootCAs.AddCert(s.Certificate())
	}
	tr := New(o)
	t.Cleanup(tr.Close)
	return tr.Client()
}

// post posts text and returns what came back and as whom.
func post(ctx context.Context, c *http.Client, url, text string) (user, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, io.NopCloser(bytes.NewReader([]byte(text))))
	if err != nil {
		return "", "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return "", "", fmt.Errorf("a stray answer %s", resp.Status)
	}
	return resp.Header.Get("X-User"), string(raw), err
}
