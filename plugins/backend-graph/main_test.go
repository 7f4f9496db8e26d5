package main

import (
	"net/http"
	"testing"

	"github.com/roomwire/roomwire/plugins/internal/graph"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestOpenGivesABackendThatCanBePushedToWatchedAndSearched(t *testing.T) {
	t.Parallel()
	env := backend.Env{HTTP: http.DefaultClient, ActAs: true, Markers: backend.DefaultMarkers()}
	b, err := plugin().Open(t.Context(), graph.Settings{}, env)
	if err != nil {
		t.Fatal(err)
	}
	want := backend.Abilities{
		Pusher: true, Finder: true, Watcher: true, AskingOnly: true, Everything: true, Responder: true, Answers: true, Drift: true, FreeBusy: true, GroupExpander: true,
	}
	if got := backend.AbilitiesOf(b); got != want {
		t.Errorf("its abilities are %+v", got)
	}
	if _, err := plugin().Open(t.Context(), graph.Settings{WindowBack: "x"}, env); fault.Of(err) != fault.Invalid {
		t.Errorf("a window that is none: %v, want Invalid", err)
	}
}
