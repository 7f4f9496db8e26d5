// Package endpoint is the public listener: messages of calendar servers arrive here, anonymously, from anywhere.
//
// It knows the notification paths and /healthz and nothing else. A message does nothing but mark a mailbox dirty, and
// only if it bears the token of a living subscription; what does not is answered as the protocol demands, so that the
// sender stops, and is counted. The answer is sent once the mark is durable. A message delivered twice is one more
// mark. Tokens and bodies are never logged.
//
//	handler := endpoint.New(endpoint.Options{
//		Tenants:       func() []string { return []string{"Default"} },
//		Subscriptions: endpoint.OnStore(st, func() time.Duration { return cfg.Sync.BackSyncDelay }),
//		Receiver:      supervisor.Pusher,
//		DefaultMode:   func(backend string) string { return "Exchange2013" },
//		Log:           log,
//	})
//	server := endpoint.Server(handler)
package endpoint

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// The paths that are answered. Their case does not matter, as IIS has it.
const (
	NotificationPath = "/WebServices/SyncNotification.svc"
	WebhookPath      = "/api/webhooks/exchange"
	HealthPath       = "/healthz"
)

// WebhookRoot is the path below which each backend has one of its own, by its name: /api/webhooks/graph. A protocol that wants
// a second address has it below that: /api/webhooks/graph/lifecycle. The name "exchange" is that of Exchange Web Services.
const WebhookRoot = "/api/webhooks/"

// MaxBody is how many bytes a message may have. Exchange's are a few kilobytes.
const MaxBody = 1 << 20

// Subscriptions is what the endpoint asks of the store.
type Subscriptions interface {
	// ByToken finds the subscription with the token whose SHA-256 is hash. An error means that the store could not
	// be asked, never that there is none.
	ByToken(ctx context.Context, hash []byte) (store.Subscription, bool, error)
	// Heard makes durable what was heard, all or nothing.
	Heard(ctx context.Context, batch []Heard) error
}

// Heard is what the messages of one subscription said.
type Heard struct {
	Tenant, Person string
	TokenHash      []byte
	Kind           backend.HintKind // the strongest of them
	At             time.Time
}

// Options are what a handler needs. Tenants, Subscriptions and Receiver must be set.
type Options struct {
	Tenants       func() []string // those configured
	Subscriptions Subscriptions
	// Receiver returns the plugin that reads the messages of a sync mode, false while there is none.
	Receiver func(mode string) (backend.Pusher, bool)
	// Backends returns the backends whose paths below WebhookRoot are answered; nil: there are none.
	Backends func() []string
	// DefaultMode names the sync mode whose plugin answers messages without a living token that arrive at the path of a
	// backend; empty stands for Exchange Web Services, whose paths name none. nil: there is none.
	DefaultMode func(backend string) string
	// Health is asked by /healthz; nil means that an answer at all is health enough.
	Health   func(ctx context.Context) error
	Log      hclog.Logger
	Counters *Counters // nil: nobody reads them
	Now      func() time.Time

	ReadTimeout  time.Duration // for a message's body; zero: 15 s
	ReplyTimeout time.Duration // for the store and the plugin; zero: 15 s
	TouchEvery   time.Duration // signs of life closer together than this are one; zero: 30 s; negative: each counts
	Linger       time.Duration // how long a sign of life waits for others to be written with; zero: 250 ms; negative: not at all
	MaxTrusted   int           // messages with a living token in work at once; zero: 128
	MaxUntrusted int           // and others; zero: 16
}

// New returns the handler of the public listener.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Counters == nil {
		o.Counters = &Counters{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.DefaultMode == nil {
		o.DefaultMode = func(string) string { return "" }
	}
	if o.Backends == nil {
		o.Backends = func() []string { return nil }
	}
	o.ReadTimeout = orDefault(o.ReadTimeout, 15*time.Second)
	o.ReplyTimeout = orDefault(o.ReplyTimeout, 15*time.Second)
	o.TouchEvery = orDefault(o.TouchEvery, 30*time.Second)
	batch := newBatcher(o.Subscriptions.Heard, o.ReplyTimeout)
	batch.linger = orDefault(o.Linger, linger)
	return &handler{
		Options:   o,
		batch:     batch,
		trusted:   make(chan struct{}, orDefault(o.MaxTrusted, 128)),
		untrusted: make(chan struct{}, orDefault(o.MaxUntrusted, 16)),
		lookups:   make(chan struct{}, maxLookups),
	}
}

func orDefault[T ~int | ~int64](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Server returns an http.Server for handler with limits fit for strangers: on headers, on idle connections, and on how
// long a request may take as a whole.
func Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// maxLookups is how many requests ask the store at once; the others wait for their turn. It leaves the store to those who
// work with it, whatever strangers send.
const maxLookups = 16

type handler struct {
	Options
	batch                       *batcher
	trusted, untrusted, lookups chan struct{} // semaphores
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.contain(w, r)
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Content-Security-Policy", pagePolicy)

	if strings.EqualFold(r.URL.Path, HealthPath) {
		h.health(w, r)
		return
	}
	at, known := h.route(r.URL.Path)
	if !known {
		h.Counters.NotFound.Add(1)
		plain(w, http.StatusNotFound, "not found")
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.page(w, r, at)
	case http.MethodPost:
		h.notice(w, r, at)
	default:
		head.Set("Allow", "GET, HEAD, POST")
		plain(w, http.StatusMethodNotAllowed, "method not allowed")
	}
}

// A route is what a notification path says.
type route struct {
	backend string // whose messages arrive there; empty: Exchange Web Services
	path    string // as we write it, without what may stand below it
}

// route reads a path. What is below a backend's path, one element, is that backend's affair.
func (h *handler) route(path string) (route, bool) {
	for _, known := range []string{NotificationPath, WebhookPath} {
		if strings.EqualFold(path, known) {
			return route{path: known}, true
		}
	}
	if len(path) <= len(WebhookRoot) || !strings.EqualFold(path[:len(WebhookRoot)], WebhookRoot) {
		return route{}, false
	}
	name, below, deeper := strings.Cut(path[len(WebhookRoot):], "/")
	if deeper && (below == "" || strings.Contains(below, "/")) {
		return route{}, false
	}
	for _, b := range h.Backends() {
		if name != "" && strings.EqualFold(b, name) {
			return route{backend: b, path: WebhookRoot + b}, true
		}
	}
	return route{}, false
}

func (h *handler) health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		plain(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	if h.Health != nil {
		ctx, cancel := context.WithTimeout(r.Context(), h.ReplyTimeout)
		defer cancel()
		if err := h.Health(ctx); err != nil {
			h.Log.Warn("health check failed", "error", err)
			plain(w, http.StatusServiceUnavailable, "unavailable")
			return
		}
	}
	plain(w, http.StatusOK, "ok")
}

// contain keeps a panic within its request. The answer asks the server to send the message again.
func (h *handler) contain(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // the sentinel is compared as net/http does
		panic(v)
	}
	h.Counters.Panics.Add(1)
	h.Log.Error("a request at the notification endpoint made the program panic", "method", r.Method, "panic", v)
	plain(w, http.StatusServiceUnavailable, "unavailable")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "30")
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the caller is gone if this fails; net/http drops the body of a HEAD
}

// tenant returns the configured name that equals name but for case.
func (h *handler) tenant(name string) (string, bool) {
	for _, t := range h.Tenants() {
		if name != "" && strings.EqualFold(t, name) {
			return t, true
		}
	}
	return "", false
}
