package exchangesim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

func defaultPushClient(connections int) *http.Client {
	return &http.Client{
		Timeout: 60 * time.Second,
		Transport: &http.Transport{
			Proxy: nil, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: false,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// notificationBody makes the request.
func notificationBody(n *node) []byte {
	header := el("s:Header", el("t:RequestServerVersion", attr{"Version", "Exchange2016"}))
	body := el("s:Body", el("m:SendNotification", el("m:ResponseMessages", success("SendNotification", n))))
	return el("s:Envelope", header, body).document()
}

// longestReply bounds the answer to a notification.
const longestReply = 64 << 10

// errBlocked is what a try meets while notifications are blocked.
var errBlocked = errors.New("send the notification: a firewall is in the way")

// post sends a notification once and returns the SubscriptionStatus of the answer.
func (s *Server) post(ctx context.Context, url string, body []byte) (string, error) {
	if s.faults.blocks() {
		return "", errBlocked
	}
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
