package exchangesim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// A note is one notification: of a change, or about the life of a subscription.
type note struct {
	sub   *graphSub // nil if it is to be told though the subscription is no more
	body  map[string]any
	first time.Time     // when it was tried first; zero: not yet
	next  time.Duration // the pause after the next try that fails
}

// An endpoint is a URL that notifications of one kind go to, of however many subscriptions. It has a goroutine only while there
// is something to send. It is guarded by the server's lock.
type endpoint struct {
	key       string // under which the server knows it
	url       string
	lifecycle bool
	queue     []*note
	running   bool
	// For the rules about slow endpoints: since when answers are counted, how many there were and how many came late.
	since       time.Time
	total, late int
	deaf        time.Time // until when notifications are dropped
}

// mostNotes is how many notifications one request carries.
const mostNotes = 100

// kindOfChange is what an event in a mailbox is to who looks at the calendar, and the EWS id that the item has in it.
func (e event) kindOfChange() (kind, id string) {
	calendar := func(f *folder) bool { return f != nil && f.distinguished == "calendar" }
	switch {
	case e.of == nil || e.of.kind != "CalendarItem":
	case e.kind == "MovedEvent":
		if from, to := calendar(e.oldParent), calendar(e.parent); from && !to {
			return "deleted", e.oldItem
		} else if to && !from {
			return "created", e.item
		}
	case !calendar(e.parent):
	case e.kind == "CreatedEvent" || e.kind == "CopiedEvent":
		return "created", e.item
	case e.kind == "ModifiedEvent":
		return "updated", e.item
	case e.kind == "DeletedEvent":
		return "deleted", e.item
	}
	return "", ""
}

// tellGraph queues a group of events for the subscriptions of Graph.
func (b *mailbox) tellGraph(group []event) {
	if b.graph == nil || len(b.graph.subs) == 0 {
		return
	}
	now := b.server.now()
	for _, sub := range slices.Clone(b.graph.subs) {
		if !sub.alive(now) {
			sub.end()
			continue
		}
		for _, e := range group {
			if kind, id := e.kindOfChange(); slices.Contains(sub.changes, kind) {
				sub.tell(sub.url, false, sub.change(e, kind, id))
			}
		}
	}
}

// change is the notification of an event. It says what happened to which event, and nothing of its content.
func (sub *graphSub) change(e event, kind, id string) map[string]any {
	text := toREST.Replace(id)
	if sub.immutable {
		text = graphID(entryID{box: sub.box.guid, kind: itemKind, number: e.of.steady}, true)
	}
	resource := "Users/" + sub.box.guid + "/Events/" + text
	return map[string]any{
		"subscriptionId": sub.id, "subscriptionExpirationDateTime": sub.expires.UTC().Format(time.RFC3339), "changeType": kind,
		"clientState": orNull(sub.clientState), "tenantId": sub.who.tenant.ID, "resource": resource,
		"resourceData": map[string]any{
			"@odata.type": "#Microsoft.Graph.Event", "@odata.id": resource, "@odata.etag": `W/"` + changeKey(0x0f, e.key) + `"`, "id": text,
		},
	}
}

// lifecycle tells the app about the life of a subscription, if it wants to know. s.mu is held.
func (sub *graphSub) lifecycle(what string) {
	if sub.lifecycleURL == "" {
		return
	}
	body := map[string]any{
		"subscriptionId": sub.id, "subscriptionExpirationDateTime": sub.expires.UTC().Format(time.RFC3339), "lifecycleEvent": what,
		"clientState": orNull(sub.clientState), "tenantId": sub.who.tenant.ID, "resource": sub.resource,
	}
	sub.tell(sub.lifecycleURL, true, body)
}

// tell queues a notification.
func (sub *graphSub) tell(target string, lifecycle bool, body map[string]any) {
	s := sub.server
	n := &note{body: body, next: s.opts.RetryBase}
	if !lifecycle {
		n.sub = sub
		sub.pending[n] = struct{}{}
	}
	s.undelivered++
	key := target
	if lifecycle {
		key = "lifecycle " + target
	}
	e := s.graphs.ends[key]
	if e == nil {
		e = &endpoint{key: key, url: target, lifecycle: lifecycle}
		s.graphs.ends[key] = e
	}
	e.queue = append(e.queue, n)
	s.wakeEndpoint(e)
}

// wakeEndpoint lets a goroutine send what is queued; s.mu is held.
func (s *Server) wakeEndpoint(e *endpoint) {
	if e.running || s.ctx.Err() != nil {
		return
	}
	if s.graphs.slots == nil {
		s.graphs.slots = make(chan struct{}, s.opts.PushConnections)
	}
	e.running = true
	s.work.Go(func() { s.runEndpoint(e) })
}

// resumeGraph tells what was held back; s.mu is held.
func (s *Server) resumeGraph() {
	held := s.graphs.held
	s.graphs.held = nil
	for _, e := range held {
		s.wakeEndpoint(e)
	}
}

// runEndpoint sends until nothing is queued.
func (s *Server) runEndpoint(e *endpoint) {
	for {
		batch, times, delay := s.takeNotes(e)
		if batch == nil {
			return
		}
		if !s.rest(s.ctx, delay) {
			return
		}
		for range times {
			if !s.sendNotes(e, batch) {
				times = 0
				break
			}
		}
		if times > 0 {
			s.told(batch)
		}
	}
}

// takeNotes takes what one request carries, and how often it is to be sent; none if there is nothing to do.
func (s *Server) takeNotes(e *endpoint) (batch []*note, times int, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		e.queue = slices.DeleteFunc(e.queue, func(n *note) bool { return n.over() })
		if len(e.queue) == 0 || s.ctx.Err() != nil {
			e.running, e.queue = false, nil
			if !s.graphs.quirks.SlowRules && s.graphs.ends[e.key] == e {
				delete(s.graphs.ends, e.key) // there is nothing to remember of it
			}
			return nil, 0, 0
		}
		if !e.lifecycle && s.faults.holds() {
			e.running = false
			s.graphs.held = append(s.graphs.held, e)
			return nil, 0, 0
		}
		n := min(len(e.queue), mostNotes)
		batch = slices.Clone(e.queue[:n])
		e.queue = slices.Delete(e.queue, 0, n)
		times = 1
		if !e.lifecycle {
			times = s.faults.deliveries()
		}
		if s.graphs.quirks.SlowRules {
			if delay = s.slowRule(e); delay < 0 {
				times = 0
				s.graphs.dropped += n
			}
		}
		if times > 0 {
			return batch, times, max(delay, 0)
		}
		for _, n := range batch { // lost on their way
			n.settle(s)
		}
	}
}

// slowRule says how long notifications to an endpoint are delayed; less than zero means that they are dropped.
func (s *Server) slowRule(e *endpoint) time.Duration {
	now := time.Now()
	if now.Before(e.deaf) {
		return -1
	}
	if now.Sub(e.since) > 10*s.opts.Minute {
		e.since, e.total, e.late = now, 0, 0
	}
	switch {
	case e.total < 10:
		return 0
	case e.late*100 > 15*e.total:
		e.deaf = now.Add(10 * s.opts.Minute)
		e.total, e.late = 0, 0
		return -1
	case e.late*100 > 10*e.total:
		return s.opts.Minute / 6
	}
	return 0
}

// over reports whether a notification is of a subscription that ended.
func (n *note) over() bool {
	if n.sub == nil {
		return false
	}
	_, waits := n.sub.pending[n]
	return !waits
}

// settle counts a notification as done with; s.mu is held.
func (n *note) settle(s *Server) {
	if n.sub == nil {
		s.settled(1)
		return
	}
	if !n.over() {
		delete(n.sub.pending, n)
		s.settled(1)
	}
}

// told settles what was sent.
func (s *Server) told(batch []*note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range batch {
		n.settle(s)
	}
}

// sendNotes sends one request, and sees to its repetition if it was not accepted in time.
func (s *Server) sendNotes(e *endpoint, batch []*note) bool {
	select {
	case s.graphs.slots <- struct{}{}:
	case <-s.ctx.Done():
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.opts.GraphPatience)
	err := s.postNotes(ctx, e.url, batch)
	late := ctx.Err() != nil
	cancel()
	<-s.graphs.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	e.total++
	if late {
		e.late++
	}
	if err == nil {
		s.graphs.sent++
		return true
	}
	s.graphs.failed++
	s.log.Debug("graph notification not accepted", "url", e.url, "error", err)
	s.repeat(e, batch)
	return false
}

// graphPersistence is for how many minutes a notification is tried again.
const graphPersistence = 4 * 60

// repeat has a batch sent again after a pause, apart from what was tried for long enough: the app is told that it missed that.
func (s *Server) repeat(e *endpoint, batch []*note) {
	now := time.Now()
	var again []*note
	for _, n := range batch {
		if n.first.IsZero() {
			n.first = now
		}
		switch {
		case n.over():
		case now.Add(n.next).Sub(n.first) > graphPersistence*s.opts.Minute:
			s.graphs.dropped++
			sub := n.sub
			n.settle(s)
			if sub != nil && !e.lifecycle {
				sub.lifecycle("missed")
			}
		default:
			again = append(again, n)
		}
	}
	if len(again) == 0 || s.ctx.Err() != nil {
		return
	}
	pause := again[0].next
	for _, n := range again {
		n.next *= 2
	}
	s.work.Go(func() {
		if !s.rest(s.ctx, pause) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		e.queue = append(e.queue, again...)
		s.wakeEndpoint(e)
	})
}

// postNotes sends notifications once.
func (s *Server) postNotes(ctx context.Context, target string, batch []*note) error {
	if s.faults.blocks() {
		return errBlocked
	}
	bodies := make([]map[string]any, len(batch))
	for i, n := range batch {
		bodies[i] = n.body
	}
	raw, err := json.Marshal(map[string]any{"value": bodies})
	if err != nil {
		return fmt.Errorf("write the notification: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("make the notification: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Microsoft Graph change notifications")
	resp, err := s.opts.PushClient.Do(req)
	if err != nil {
		return fmt.Errorf("send the notification: %w", err)
	}
	defer resp.Body.Close()
	s.recorder.record("GraphNotification", raw, []byte(resp.Status))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the notification was answered with HTTP status %d", resp.StatusCode)
	}
	return nil
}
