// Package api is the REST API: for the booking system, and for administration by the commands of the same machine.
//
// The description in internal/rest/openapi.yaml comes first; it is served at /openapi.json, and every request is checked
// against it. What the API does to bookings and persons is done by the interfaces in Options; this package translates,
// and it makes a problem document (RFC 9457) of everything that goes wrong. Keys and bodies are never logged.
package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/hashicorp/go-hclog"
	middleware "github.com/oapi-codegen/nethttp-middleware"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/config"
)

// Options are what a handler needs. Everything above Log must be set.
type Options struct {
	Tenants  func() []string // those in force; a change of the configuration may add one
	Bookings Bookings
	Persons  Persons
	Reads    Reads
	Keys     Keys
	// Modes returns the sync modes in force, against which persons are checked.
	Modes func() []config.SyncMode

	Log hclog.Logger
	// What is nil here is answered with 503: it needs a running host.
	Moves     Moves
	Explainer Explainer
	FreeBusy  FreeBusy
	Rejecter  Rejecter
	Resolver  Resolver
	Reviewer  Reviewer // may be nil
	Tests     Tests
	Webhooks  Webhooks
	Doctor    Doctor
	Host      Host
	Refusals  Refusals // nil: none are known
	// Observe is told of each request what it was, as METHOD and path, and how it was answered; nil: nobody.
	Observe func(operation string, status int, took time.Duration)
	// Answers keeps answers for repeated requests; nil: an Idempotency-Key means nothing.
	Answers Answers

	// AdminKeyHash is the SHA-256 of the host's own key (package apikey); empty: there is none.
	AdminKeyHash []byte
	// Closing is closed when the host begins to stop: whoever waits for changes is answered at once.
	Closing <-chan struct{}
	Now     func() time.Time

	FeedPoll   time.Duration // how often a waiting reader looks for other hosts' changes; zero: 2 s
	MaxWaiting int           // readers that may wait at once; zero: 256

	KeyRate      Rate // of each API key; zero: 1000 a second, 2000 at once
	StrangerRate Rate // of each address without a valid key; zero: 1 a second, 20 at once
}

// The bounds of request bodies, in bytes.
const (
	MaxJSON = 1 << 20
	MaxCSV  = 16 << 20
)

// New returns the handler of the REST API. It answers /openapi.json, /docs and /{tenant}/api/v1/…; everything else is 404.
// It panics if the description that is built in cannot be read, which every test would notice.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FeedPoll == 0 {
		o.FeedPoll = 2 * time.Second
	}
	if o.MaxWaiting == 0 {
		o.MaxWaiting = 256
	}
	spec, err := rest.GetSpec()
	if err != nil {
		panic(fmt.Sprintf("the API's description: %v", err))
	}
	document, err := spec.MarshalJSON()
	if err != nil {
		panic(fmt.Sprintf("the API's description: %v", err))
	}
	page, err := newPage(spec)
	if err != nil {
		panic(err.Error())
	}
	sum := sha256.Sum256(document)
	h := &handler{
		Options: o, mux: http.NewServeMux(), waiting: make(chan struct{}, o.MaxWaiting),
		document: document, documentTag: `"` + hex.EncodeToString(sum[:8]) + `"`,
		page:   page,
		scopes: scopesOf(spec),
		keys:   newBuckets(o.KeyRate, defaultKeyRate), strangers: newBuckets(o.StrangerRate, defaultStrangerRate),
	}
	strict := rest.NewStrictHandlerWithOptions(h, nil, rest.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  h.badRequest,
		ResponseErrorHandlerFunc: h.failed,
	})
	rest.HandlerWithOptions(strict, rest.StdHTTPServerOptions{BaseRouter: h.mux, ErrorHandlerFunc: h.badRequest})
	h.checked = middleware.OapiRequestValidatorWithOptions(spec, &middleware.Options{
		Options: openapi3filter.Options{
			MultiError:                        true,
			RejectWhenRequestBodyNotSpecified: true,
			AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc, // done before, by us
		},
		ErrorHandlerWithOpts: func(_ context.Context, err error, w http.ResponseWriter, r *http.Request, _ middleware.ErrorHandlerOpts) {
			h.refuse(w, r, problemOfValidation(err))
		},
		Skipper:              func(r *http.Request) bool { return bodyKind(r) == csvBody }, // its lines are checked one by one
		DoNotValidateServers: true,
	})(h.mux)
	return h
}

type handler struct {
	Options
	mux     *http.ServeMux
	checked http.Handler  // the mux behind the check against the description
	waiting chan struct{} // semaphore

	document    []byte
	documentTag string
	page        page

	scopes          map[string]apikey.Scope // by route
	keys, strangers *buckets
}

var _ rest.StrictServerInterface = (*handler)(nil)

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	r, done := h.begin(w, r)
	head.Set("X-Request-ID", requestID(r.Context()))
	w = done.writer()
	defer done.end()

	switch r.URL.Path {
	case "/openapi.json":
		h.describe(w, r)
		return
	case "/docs":
		h.showPage(w, r)
		return
	}
	if r.Method == http.MethodHead {
		// net/http drops the body of the answer by the original request.
		r = r.Clone(r.Context())
		r.Method = http.MethodGet
		r.Header.Del("Accept") // a stream without a body would never end
	}
	route, ok := h.route(w, r)
	if !ok {
		return
	}
	done.route(route)
	who, ok := h.authenticate(w, r)
	if !ok {
		return
	}
	done.caller(who)
	r, ok = h.enter(w, r, who)
	if !ok {
		return
	}
	who.tenant = tenant(r.Context()) // the key of the commands is good for all
	done.caller(who)
	if !h.allow(w, r, route) || !h.takeQuery(w, r) {
		return
	}
	if r, ok = h.takeBody(w, r); ok {
		h.once(w, r, route)
	}
}

// route answers 404 and 405 by itself.
func (h *handler) route(w http.ResponseWriter, r *http.Request) (string, bool) {
	// The mux would redirect an unclean path; no identifier of ours holds what is refused here, and PostgreSQL cannot.
	if !plain(r.URL.Path) || path.Clean(r.URL.Path) != r.URL.Path {
		h.refuse(w, r, notFound("there is nothing at this path; /openapi.json lists what there is"))
		return "", false
	}
	if _, pattern := h.mux.Handler(r); strings.Contains(pattern, " ") {
		return pattern, true
	}
	var allowed []string
	for _, method := range []string{
		http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodPost, http.MethodDelete,
	} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := h.mux.Handler(other); strings.Contains(pattern, " ") {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		h.refuse(w, r, notFound("there is nothing at this path; /openapi.json lists what there is"))
		return "", false
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	h.refuse(w, r, problem{
		kind: "method", status: http.StatusMethodNotAllowed,
		detail: fmt.Sprintf("this path takes %s, not %s", strings.Join(allowed, ", "), r.Method),
	})
	return "", false
}

func (h *handler) describe(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.refuse(w, r, problem{kind: "method", status: http.StatusMethodNotAllowed, detail: "the description can be read only"})
		return
	}
	w.Header().Set("ETag", h.documentTag)
	if r.Header.Get("If-None-Match") == h.documentTag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(h.document) // the caller is gone if this fails
}

// Server returns an http.Server for handler with limits that leave room for readers who wait for changes.
func Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      3 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}
