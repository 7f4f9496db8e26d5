package endpoint

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// sender is whom a message is taken to come from.
type sender struct {
	trusted bool
	sub     store.Subscription // set if trusted
}

// notice answers a POST. Until the store has said that a token is unknown, and while it cannot be asked, the answer is
// 503: "Unsubscribe" would silence a mailbox for good.
func (h *handler) notice(w http.ResponseWriter, r *http.Request, at route) {
	from, err := h.lookUp(r)
	if errors.Is(err, errBusy) {
		h.Counters.Busy.Add(1)
		plain(w, http.StatusServiceUnavailable, "busy")
		return
	}
	if err != nil {
		h.Counters.StoreFailed.Add(1)
		h.Log.Warn("a message could not be checked against the subscriptions; its server is asked to repeat it", "error", err)
		plain(w, http.StatusServiceUnavailable, "unavailable")
		return
	}
	room := h.untrusted
	if from.trusted {
		room = h.trusted
	}
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	default:
		h.Counters.Busy.Add(1)
		plain(w, http.StatusServiceUnavailable, "busy")
		return
	}
	body, ok := h.read(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.ReplyTimeout)
	defer cancel()
	if !from.trusted {
		h.Counters.Untrusted.Add(1)
		h.Log.Debug("a message without a living token was answered so that its sender stops", "remote", r.RemoteAddr)
		if reply, ok := h.receive(ctx, w, inbound(r, body, false), h.DefaultMode(at.backend)); ok {
			write(w, reply)
		}
		return
	}
	h.heard(ctx, w, r, from.sub, body)
}

// heard answers a message that bears a living token.
func (h *handler) heard(ctx context.Context, w http.ResponseWriter, r *http.Request, sub store.Subscription, body []byte) {
	log := h.Log.With("tenant", sub.Tenant, "person", sub.Person)
	reply, ok := h.receive(ctx, w, inbound(r, body, true), sub.Mode)
	if !ok {
		return
	}
	kind := backend.Alive
	for _, hint := range reply.Hints {
		if sub.ID != "" && hint.Subscription != "" && hint.Subscription != sub.ID {
			h.Counters.Mismatched.Add(1)
			log.Warn("a message bears this person's token but speaks of another subscription; it was not acted on")
			if reply, ok := h.receive(ctx, w, inbound(r, body, false), sub.Mode); ok {
				write(w, reply)
			}
			return
		}
		kind = max(kind, hint.Kind)
	}
	now := h.Now()
	if kind != backend.Alive || now.Sub(sub.LastHeard) >= h.TouchEvery {
		err := h.batch.add(ctx, Heard{Tenant: sub.Tenant, Person: sub.Person, TokenHash: sub.TokenHash, Kind: kind, At: now})
		if err != nil {
			h.Counters.StoreFailed.Add(1)
			log.Warn("a notice could not be recorded; its server is asked to repeat it", "error", err)
			plain(w, http.StatusServiceUnavailable, "unavailable")
			return
		}
	}
	switch kind {
	case backend.Lost:
		h.Counters.Lost.Add(1)
		log.Info("this person's subscription or some of its events were lost; it is asked for anew")
	case backend.Dirty:
		h.Counters.Dirty.Add(1)
	default:
		h.Counters.Alive.Add(1)
	}
	log.Debug("notice", "kind", int(kind))
	write(w, reply)
}

// errBusy means that too many requests ask the store already.
var errBusy = errors.New("busy")

// lookUp identifies the sender when its turn has come.
func (h *handler) lookUp(r *http.Request) (sender, error) {
	ctx, cancel := context.WithTimeout(r.Context(), h.ReplyTimeout)
	defer cancel()
	select {
	case h.lookups <- struct{}{}:
		defer func() { <-h.lookups }()
		return h.identify(r)
	case <-ctx.Done():
		return sender{}, errBusy
	}
}

// identify looks the token up. A token of a tenant that is not configured, or that the query contradicts, is no token.
func (h *handler) identify(r *http.Request) (sender, error) {
	named, token := parseQuery(r.URL.RawQuery)
	if token == "" {
		return sender{}, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.ReplyTimeout)
	defer cancel()
	hash := sha256.Sum256([]byte(token))
	sub, found, err := h.Subscriptions.ByToken(ctx, hash[:])
	if err != nil || !found {
		return sender{}, err
	}
	owner, known := h.tenant(sub.Tenant)
	if !known {
		return sender{}, nil
	}
	if asked, ok := h.tenant(named); named != "" && (!ok || asked != owner) {
		return sender{}, nil
	}
	sub.TokenHash = hash[:]
	return sender{trusted: true, sub: sub}, nil
}

// read returns the body. If it reports false, it has answered.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	// A handler under test may have no connection to set a deadline on; then there is nobody to be slow.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.ReadTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err == nil {
		return body, true
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		h.Counters.TooLarge.Add(1)
		plain(w, http.StatusRequestEntityTooLarge, "too large")
		return nil, false
	}
	h.Counters.Unread.Add(1)
	w.Header().Set("Connection", "close")
	if ne, ok := errors.AsType[net.Error](err); errors.Is(err, os.ErrDeadlineExceeded) || ok && ne.Timeout() {
		plain(w, http.StatusRequestTimeout, "timeout")
	} else {
		plain(w, http.StatusBadRequest, "incomplete")
	}
	return nil, false
}

// receive lets the plugin of mode read the message. If it reports false, it has answered.
func (h *handler) receive(ctx context.Context, w http.ResponseWriter, in backend.Inbound, mode string) (backend.Reply, bool) {
	plugin, ok := h.Receiver(mode)
	if !ok {
		h.Counters.PluginFailed.Add(1)
		h.Log.Log(severity(in), "the plugin that reads this sync mode's messages is not running; the server is asked to repeat them", "sync_mode", mode)
		plain(w, http.StatusServiceUnavailable, "unavailable")
		return backend.Reply{}, false
	}
	reply, err := plugin.Receive(ctx, in)
	switch {
	case err == nil && reply.Status >= 200 && reply.Status <= 599:
		return reply, true
	case errors.Is(err, fault.Invalid):
		h.Counters.Invalid.Add(1)
		h.Log.Debug("a body that is no message of the protocol was refused", "sync_mode", mode, "bytes", len(in.Body))
		plain(w, http.StatusBadRequest, "not a notification")
	default:
		h.Counters.PluginFailed.Add(1)
		h.Log.Log(severity(in), "a message could not be read; its server is asked to repeat it", "sync_mode", mode, "error", err, "status", reply.Status)
		plain(w, http.StatusServiceUnavailable, "unavailable")
	}
	return backend.Reply{}, false
}

// severity keeps strangers from filling the log.
func severity(in backend.Inbound) hclog.Level {
	if in.Trusted {
		return hclog.Warn
	}
	return hclog.Debug
}

// inbound copies what the plugin may see. Credentials that a stranger sends are nobody's business.
func inbound(r *http.Request, body []byte, trusted bool) backend.Inbound {
	header := r.Header.Clone()
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
		header.Del(name)
	}
	return backend.Inbound{Method: r.Method, Query: r.URL.RawQuery, Header: header, Body: body, Trusted: trusted}
}

func write(w http.ResponseWriter, reply backend.Reply) {
	if reply.ContentType != "" {
		w.Header().Set("Content-Type", reply.ContentType)
	}
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // the caller is gone if this fails, and will repeat the message
}
