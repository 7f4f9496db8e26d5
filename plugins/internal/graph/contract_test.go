package graph

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/backendtest"
)

// The backend keeps the contract.
func TestConformance(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, exchangesim.Options{}, Settings{})
	bell, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := func(next http.RoundTripper) (backend.Backend, error) {
		return New(Settings{}, backend.Env{HTTP: &http.Client{Transport: next}, ActAs: true, Markers: backend.DefaultMarkers()}, "test")
	}
	w.line.router = nil // the suite asks elsewhere, too
	backendtest.Run(t, backendtest.Fixture{
		Open: func(context.Context) (backend.Backend, error) { return open(w.line) },
		CutOff: func(context.Context) (backend.Backend, error) {
			return open(tripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("there is no network") }))
		},
		Mailboxes: []backend.Mailbox{w.alice, w.mailbox("bob@example.com")},
		Absent:    &backend.Mailbox{Address: "nobody@example.com", URL: w.url},
		Notices:   &backendtest.Notices{Listener: bell},
		Attendees: true, Patience: 5 * time.Second,
		Paging: 250, // of which the backend reads 100 at a time
	})
}

type tripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
