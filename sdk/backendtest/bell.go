package backendtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
)

// maxNotice is how many bytes of a message are read, as by the host.
const maxNotice = 1 << 20

// A bell is where the server's messages arrive. Like the host it has the plugin read each, and answers what the plugin says.
type bell struct {
	url     string
	backend func() backend.Backend
	server  *http.Server
	served  chan struct{}

	mu     sync.Mutex
	living map[string]bool // secrets of subscriptions in force
	heard  []message
	more   chan struct{} // closed and replaced when something was heard
}

// A message is one request that arrived, and what the plugin said of it.
type message struct {
	secret  string
	inbound backend.Inbound
	reply   backend.Reply
	err     error
}

func newBell(n *Notices, b func() backend.Backend) *bell {
	url := strings.TrimSuffix(n.URL, "/")
	if url == "" {
		url = "http://" + n.Listener.Addr().String()
	}
	r := &bell{url: url, backend: b, living: map[string]bool{}, more: make(chan struct{}), served: make(chan struct{})}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(r.served)
		_ = r.server.Serve(n.Listener) // ends with close
	}()
	return r
}

func (r *bell) close() {
	_ = r.server.Close()
	<-r.served
}

// ServeHTTP implements http.Handler.
func (r *bell) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxNotice))
	if err != nil {
		return
	}
	r.mu.Lock()
	m := message{secret: r.secretIn(req.URL.Path)}
	trusted := r.living[m.secret]
	r.mu.Unlock()
	m.inbound = backend.Inbound{Method: req.Method, Query: req.URL.RawQuery, Header: req.Header, Body: body, Trusted: trusted}
	p, ok := backend.As[backend.Pusher](r.backend())
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	m.reply, m.err = p.Receive(req.Context(), m.inbound)
	r.mu.Lock()
	r.heard = append(r.heard, m)
	close(r.more)
	r.more = make(chan struct{})
	r.mu.Unlock()
	if m.err != nil || m.reply.Status < 200 || m.reply.Status > 599 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if m.reply.ContentType != "" {
		w.Header().Set("Content-Type", m.reply.ContentType)
	}
	w.WriteHeader(m.reply.Status)
	_, _ = w.Write(m.reply.Body)
}

// secretIn, with r.mu held, returns the secret that a path ends with, or has in it: what comes to a path below the URL arrives in the same way.
func (r *bell) secretIn(path string) string {
	parts := strings.Split(path, "/")
	for _, part := range parts {
		if r.living[part] {
			return part
		}
	}
	return parts[len(parts)-1]
}

// secret makes a new secret that is trusted, and the URL that bears it.
func (r *bell) secret() (secret, url string) {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	secret = hex.EncodeToString(raw[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	r.living[secret] = true
	return secret, r.url + "/" + secret
}

// forget has messages with the secret no longer trusted.
func (r *bell) forget(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.living, secret)
}

// rung tells how many messages have arrived; wait begins there.
func (r *bell) rung() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.heard)
}

// errSilent is what wait reports when nothing of the kind has arrived in time.
var errSilent = errors.New("no such message arrived")

// wait returns the first message after from that is wanted.
func (r *bell) wait(ctx context.Context, from int, wanted func(message) bool) (message, error) {
	for {
		r.mu.Lock()
		heard, more := r.heard, r.more
		r.mu.Unlock()
		for ; from < len(heard); from++ {
			if wanted(heard[from]) {
				return heard[from], nil
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return message{}, fmt.Errorf("%w among %d", errSilent, len(heard))
		}
	}
}
