package exchangesim

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// A stream is a connection on which GetStreamingEvents is being answered.
type stream struct {
	subs    []*subscription
	changed chan struct{} // of capacity 1: a subscription has something to tell
	taken   chan struct{} // closed when another connection took a subscription over
}

// heartbeat is how often a stream without events says that it lives, in minutes.
const heartbeat = 0.5

// stream answers GetStreamingEvents: complete SOAP envelopes, one after the other, until the ConnectionTimeout.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, c *call, body []byte) {
	st, timeout, refusal := c.openStream()
	w.Header().Set("Content-Type", xmlContentType)
	if refusal != nil {
		status := http.StatusOK
		if refusal.name == "Fault" {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
		reply := envelope(refusal)
		s.recorder.record(c.name, body, reply)
		_, _ = w.Write(reply)
		return
	}
	defer s.closeStream(st)
	s.recorder.record(c.name, body, nil)
	out := http.NewResponseController(w)
	send := func(message *node) bool {
		if _, err := w.Write(streamEnvelope(response(c.name, message))); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	status := func(text string) *node { return success(c.name, el("m:ConnectionStatus", text)) }
	if !send(status("OK")) {
		return
	}
	end := time.NewTimer(timeout)
	defer end.Stop()
	beat := time.NewTicker(time.Duration(heartbeat * float64(s.opts.Minute)))
	defer beat.Stop()
	for {
		if n := s.streamed(st); n != nil && !send(success(c.name, n)) {
			return
		}
		select {
		case <-st.changed:
		case <-beat.C:
			if !send(status("OK")) {
				return
			}
		case <-st.taken:
			send(failure(c.name, fail("ErrorNewEventStreamConnectionOpened", "A new event stream connection was opened for the subscription."), el("m:ConnectionStatus", "Closed")))
			return
		case <-end.C:
			send(status("Closed"))
			return
		case <-ctx.Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// streamEnvelope wraps a body as Exchange does here, and clients rely on: the envelope itself has no prefix.
func streamEnvelope(body *node) []byte {
	return el("Envelope", attr{"xmlns", namespaces[0].uri}, el("s:Header", serverVersion()), el("s:Body", body)).document()
}

// openStream takes the subscriptions that a request names; refusal is the answer if it cannot.
func (c *call) openStream() (st *stream, timeout time.Duration, refusal *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[c.name]++
	if err := c.identify(); err != nil {
		return nil, 0, faultBody(asEWS(err))
	}
	minutes, err := strconv.Atoi(c.req.child("ConnectionTimeout").value())
	if err != nil || minutes < 1 || minutes > 30 {
		return nil, 0, faultBody(fail("ErrorSchemaValidation", "ConnectionTimeout must lie between 1 and 30 minutes."))
	}
	st = &stream{changed: make(chan struct{}, 1), taken: make(chan struct{})}
	wrong := el("m:ErrorSubscriptionIds")
	for _, id := range c.req.child("SubscriptionIds").children() {
		sub, err := c.subscriptionByID(id.value())
		if err != nil || sub.kind != "streaming" {
			wrong.kids = append(wrong.kids, el("t:SubscriptionId", id.value()))
			continue
		}
		st.subs = append(st.subs, sub)
	}
	if len(wrong.kids) > 0 || len(st.subs) == 0 {
		if len(wrong.kids) == 0 {
			return nil, 0, faultBody(fail("ErrorSchemaValidation", "The request names no subscription."))
		}
		return nil, 0, response(c.name, failure(c.name, fail("ErrorInvalidSubscription", "One or more subscriptions in the request are not valid."), wrong, el("m:ConnectionStatus", "Closed")))
	}
	for _, sub := range st.subs {
		if sub.stream != nil && sub.stream != st {
			sub.stream.takeOver()
		}
		sub.stream = st
	}
	st.wake()
	return st, time.Duration(minutes) * c.opts.Minute, nil
}

// takeOver ends a stream in favour of another; the server's lock is held.
func (st *stream) takeOver() {
	for _, sub := range st.subs {
		if sub.stream == st {
			sub.stream = nil
		}
	}
	close(st.taken)
}

func (st *stream) wake() {
	select {
	case st.changed <- struct{}{}:
	default:
	}
}

func (s *Server) closeStream(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range st.subs {
		if sub.stream == st {
			sub.stream = nil
		}
	}
}

// streamed takes what the subscriptions of a stream have to tell, or returns nil.
func (s *Server) streamed(st *stream) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := el("m:Notifications")
	for _, sub := range st.subs {
		if sub.stream != st || len(sub.queue) == 0 {
			continue
		}
		n := el("m:Notification", el("t:SubscriptionId", sub.id)) // the schema says t:, servers and clients say m:
		for _, group := range sub.queue {
			for _, e := range group {
				x := e.node()
				x.kids = x.kids[1:] // streaming events have no watermark
				n.kids = append(n.kids, x)
			}
		}
		sub.queue = nil
		all.kids = append(all.kids, n)
	}
	if len(all.kids) == 0 {
		return nil
	}
	return all
}
