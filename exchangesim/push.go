package exchangesim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A pusher sends the notifications of one push subscription, one after the other.
type pusher struct {
	url       string
	frequency int // minutes
}

func defaultPushClient() *http.Client {
	return &http.Client{
		Timeout:       60 * time.Second,
		Transport:     &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 4, ForceAttemptHTTP2: false},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// startPush begins to send; s.mu is held. The first notification is a StatusEvent, sent at once.
func (s *Server) startPush(sub *subscription) {
	if s.ctx.Err() != nil {
		return // closed
	}
	sub.queue = append([][]event{{}}, sub.queue...)
	s.undelivered++
	s.work.Go(func() {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		s.work.Go(func() { // ends with the subscription or with the sender
			select {
			case <-sub.ended:
				cancel()
			case <-ctx.Done():
			}
		})
		s.runPush(ctx, sub)
		s.mu.Lock()
		sub.end()
		s.mu.Unlock()
	})
}

// runPush sends until the subscription ends, is given up, or ctx is done.
func (s *Server) runPush(ctx context.Context, sub *subscription) {
	frequency := time.Duration(sub.push.frequency) * s.opts.Minute
	status := time.NewTimer(frequency)
	defer status.Stop()
	for {
		events, more, ok := sub.take()
		if !ok {
			select {
			case <-sub.changed:
			case <-status.C: // idle for that long
				sub.enqueueStatus()
				status.Reset(frequency)
			case <-ctx.Done():
				return
			}
			continue
		}
		alive := s.deliver(ctx, sub, events, more)
		s.mu.Lock()
		s.settled(1)
		s.mu.Unlock()
		if !alive {
			return
		}
		status.Reset(frequency)
	}
}

// take returns the next group of events. The group counts as undelivered until it is settled.
func (sub *subscription) take() (events []event, more, ok bool) {
	sub.server.mu.Lock()
	defer sub.server.mu.Unlock()
	if len(sub.queue) == 0 || sub.server.subs[sub.id] != sub {
		return nil, false, false
	}
	events = sub.queue[0]
	sub.queue = sub.queue[1:]
	return events, len(sub.queue) > 0, true
}

// enqueueStatus queues a StatusEvent, which is a group without events.
func (sub *subscription) enqueueStatus() {
	sub.server.mu.Lock()
	defer sub.server.mu.Unlock()
	if sub.server.subs[sub.id] != sub {
		return
	}
	sub.queue = append(sub.queue, nil)
	sub.server.undelivered++
}

// deliver sends one notification, again and again if need be: after 30, 60, 120 … seconds from the first try until that
// would be later than StatusFrequency. It reports whether the subscription goes on.
func (s *Server) deliver(ctx context.Context, sub *subscription, events []event, more bool) bool {
	times := 1
	if len(events) > 0 {
		if err := s.faults.awaitRelease(ctx); err != nil {
			return false
		}
		times = s.faults.deliveries()
	}
	body := s.notificationBody(sub, events, more)
	for range times {
		if !s.insist(ctx, sub, body) {
			return false
		}
	}
	return true
}

// notificationBody makes the request, and moves the watermark of the subscription.
func (s *Server) notificationBody(sub *subscription, events []event, more bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := notification(sub, sub.box.watermark(sub.last), events, more)
	if len(events) > 0 {
		sub.last = events[len(events)-1].mark
	}
	message := success("SendNotification", n)
	header := el("s:Header", el("t:RequestServerVersion", attr{"Version", "Exchange2016"}))
	return el("s:Envelope", header, el("s:Body", el("m:SendNotification", el("m:ResponseMessages", message)))).document()
}

// insist sends a notification until it is answered. It reports whether the subscription goes on.
func (s *Server) insist(ctx context.Context, sub *subscription, body []byte) bool {
	limit := time.Duration(sub.push.frequency) * s.opts.Minute
	waited := time.Duration(0)
	for next := s.opts.RetryBase; ; next *= 2 {
		status, err := s.post(ctx, sub.push.url, body)
		switch {
		case err == nil:
			return status == "OK"
		case ctx.Err() != nil:
			return false
		case next >= limit:
			s.log.Info("push subscription dropped", "mailbox", sub.box.owner.Address, "reason", err.Error())
			return false
		}
		timer := time.NewTimer(next - waited)
		waited = next
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// longestReply bounds the answer to a notification.
const longestReply = 64 << 10

// post sends a notification once and returns the SubscriptionStatus of the answer.
func (s *Server) post(ctx context.Context, url string, body []byte) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("make the notification: %w", err)
	}
	req.Header.Set("Content-Type", xmlContentType)
	req.Header.Set("Accept", "text/xml")
	req.Header.Set("SOAPAction", messagesNamespace+"/SendNotification")
	req.Header.Set("User-Agent", "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 4.0.30319.42000)")
	resp, err := s.opts.PushClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("send the notification: %w", err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, longestReply))
	s.recorder.record("SendNotification", body, reply)
	switch {
	case err != nil:
		return "", fmt.Errorf("read the answer to the notification: %w", err)
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the notification was answered with HTTP status %d", resp.StatusCode)
	}
	return subscriptionStatus(reply)
}

// subscriptionStatus reads the answer to a notification, as strictly as Exchange: both elements belong to the messages
// namespace.
func subscriptionStatus(reply []byte) (string, error) {
	root, err := parseXML(reply)
	if err != nil {
		return "", fmt.Errorf("the answer to the notification is %w", err)
	}
	result := root.child("Body", "SendNotificationResult")
	status := result.child("SubscriptionStatus")
	if result == nil || result.prefix != "m" || status == nil || status.prefix != "m" {
		return "", fmt.Errorf("the answer to the notification is no SendNotificationResult")
	}
	switch v := status.value(); v {
	case "OK", "Unsubscribe":
		return v, nil
	default:
		return "", fmt.Errorf("the answer to the notification has the status %q", v)
	}
}
