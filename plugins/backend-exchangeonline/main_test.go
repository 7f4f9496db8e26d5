package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestOpenGivesABackendThatCanBePushedToWatchedAndSearched(t *testing.T) {
	t.Parallel()
	env := backend.Env{HTTP: http.DefaultClient, ActAs: true, Markers: backend.DefaultMarkers()}
	b, err := plugin().Open(t.Context(), Config{}, env)
	if err != nil {
		t.Fatal(err)
	}
	if can := backend.AbilitiesOf(b); !can.Pusher || !can.Watcher || !can.Finder {
		t.Errorf("it can %+v", can)
	}
}

func TestOpenRefusesToBeADelegate(t *testing.T) {
	t.Parallel()
	_, err := plugin().Open(t.Context(), Config{}, backend.Env{HTTP: http.DefaultClient, Markers: backend.DefaultMarkers()})
	if fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), "impersonation") {
		t.Errorf("%v, want Invalid", err)
	}
}
