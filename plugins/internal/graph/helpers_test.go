package graph

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
)

// answered is an answer of somebody in between.
func answered(r *http.Request, status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}
}

func subscribing(m backend.Mailbox) backend.SubscribeRequest {
	return backend.SubscribeRequest{Mailbox: m, URL: "https://rooms.example.com/api/webhooks/graph?Default&k=secret", StatusInterval: time.Minute}
}

func subscribed(id string) backend.Subscription { return backend.Subscription{ID: id} }

// fakeBackend is one whose server is a function.
func fakeBackend(t *testing.T, f tripper) (*Backend, backend.Mailbox) {
	t.Helper()
	b, err := New(Settings{}, backend.Env{HTTP: &http.Client{Transport: f}, Markers: backend.DefaultMarkers()}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return b, backend.Mailbox{Address: "alice@example.com", URL: "https://graph.example.com/v1.0"}
}
