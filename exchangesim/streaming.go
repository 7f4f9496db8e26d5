package exchangesim

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A stream is a connection on which GetStreamingEvents is being answered. It is guarded by the server's lock.
type stream struct {
	server  *Server
	owner   *Person // whose budget it is charged to
	caller  *Person
	opened  time.Time
	subs    []*subscription
	changed chan struct{} // of capacity 1: a subscription has something to tell
	taken   chan struct{} // closed when another connection took a subscription over
	cut     chan struct{} // closed when the connection is to be cut
}

// StreamInfo describes an open streaming connection.
type StreamInfo struct {
	Owner         string    `json:"owner"` // address of whom the connection is charged to
	Caller        string    `json:"caller"`
	Opened        time.Time `json:"opened"`
	Subscriptions int       `json:"subscriptions"`
	Mailboxes     []string  `json:"mailboxes"` // of its subscriptions
}

const (
	// heartbeat is how often a stream without events says that it lives, in minutes.
	heartbeat = 0.5
	// streamingLife is how many minutes a streaming subscription lives without a connection.
	streamingLife = 30
	// mostStreamed is how many subscriptions one connection may tell of.
	mostStreamed = 200
)

// Streams lists the open streaming connections, oldest first.
func (s *Server) Streams() []StreamInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []StreamInfo{}
	for st := range s.streams {
		info := StreamInfo{Owner: st.owner.Address, Caller: st.caller.Address, Opened: st.opened, Subscriptions: len(st.subs)}
		for _, sub := range st.subs {
			info.Mailboxes = append(info.Mailboxes, sub.box.owner.Address)
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b StreamInfo) int { return a.Opened.Compare(b.Opened) })
	return list
}

// CutStreams cuts the streaming connections that tell of a mailbox, as the failover of a front end does: the subscriptions
// stay. An empty address means all.
func (s *Server) CutStreams(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.streams {
		if address == "" || st.tells(address) {
			st.close(st.cut)
		}
	}
}

func (st *stream) tells(address string) bool {
	return slices.ContainsFunc(st.subs, func(sub *subscription) bool { return strings.EqualFold(sub.box.owner.Address, address) })
}

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
		reply := c.edition.envelope(refusal)
		s.recorder.record(c.name, body, reply)
		_, _ = w.Write(reply)
		return
	}
	defer s.closeStream(st)
	s.recorder.record(c.name, body, nil)
	out := http.NewResponseController(w)
	send := func(message *node) bool {
		if _, err := w.Write(c.edition.streamEnvelope(response(c.name, message))); err != nil {
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
	for ctx.Err() == nil {
		if told := s.streamed(st); len(told) > 0 && !send(success(c.name, notifications(told))) {
			s.untold(told)
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
		case <-st.cut:
			panic(http.ErrAbortHandler)
		case <-end.C:
			send(status("Closed"))
			return
		case <-ctx.Done():
		case <-s.ctx.Done():
			return
		}
	}
}

// streamEnvelope wraps a body as Exchange does here, and clients rely on: the envelope itself has no prefix.
func (e edition) streamEnvelope(body *node) []byte {
	return el("Envelope", attr{"xmlns", namespaces[0].uri}, el("s:Header", e.version()), el("s:Body", body)).document()
}

// close ends a stream by one of its channels; the server's lock is held. Its subscriptions wait for another connection.
func (st *stream) close(how chan struct{}) {
	if _, open := st.server.streams[st]; !open {
		return
	}
	delete(st.server.streams, st)
	for _, sub := range st.subs {
		if sub.stream == st {
			sub.stream, sub.heard = nil, st.server.now()
		}
	}
	if how != nil {
		close(how)
	}
}

// leave takes a subscription that has ended out of a stream; the server's lock is held.
func (st *stream) leave(sub *subscription) {
	st.subs = slices.DeleteFunc(st.subs, func(o *subscription) bool { return o == sub })
	sub.stream = nil
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
	st.close(nil)
}

// A tale is what a subscription has to tell.
type tale struct {
	sub   *subscription
	queue [][]event
}

// streamed takes what the subscriptions of a stream have to tell.
func (s *Server) streamed(st *stream) []tale {
	s.mu.Lock()
	defer s.mu.Unlock()
	var told []tale
	for _, sub := range st.subs {
		if sub.stream == st && len(sub.queue) > 0 {
			told = append(told, tale{sub, sub.queue})
			sub.queue = nil
		}
	}
	return told
}

// untold gives back what could not be sent: the next connection tells it.
func (s *Server) untold(told []tale) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range told {
		if s.subs[t.sub.id] == t.sub {
			t.sub.queue = append(t.queue, t.sub.queue...)
		}
	}
}

func notifications(told []tale) *node {
	all := el("m:Notifications")
	for _, t := range told {
		n := el("m:Notification", el("t:SubscriptionId", t.sub.id)) // the schema says t:, servers and clients say m:
		for _, group := range t.queue {
			for _, e := range group {
				x := e.node()
				x.kids = x.kids[1:] // streaming events have no watermark
				n.kids = append(n.kids, x)
			}
		}
		all.kids = append(all.kids, n)
	}
	return all
}
