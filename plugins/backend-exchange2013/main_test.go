package main

import (
	"net/http"
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
	if _, ok := b.(backend.Pusher); !ok {
		t.Error("it is no Pusher")
	}
	if _, ok := b.(backend.Watcher); !ok {
		t.Error("it is no Watcher")
	}
	if _, ok := b.(backend.Finder); !ok {
		t.Error("it is no Finder")
	}
}

func TestOpenRefusesMarkersThatExchangeCannotHold(t *testing.T) {
	t.Parallel()
	good := backend.DefaultMarkers()
	for name, m := range map[string]backend.Markers{
		"none":         {},
		"no such set":  {Key: good.Key, Foreign: backend.Property{Set: "MyStrings", Name: "AppointmentOid"}},
		"braces":       {Key: good.Key, Foreign: backend.Property{Set: "{" + good.Key.Set + "}", Name: "X"}},
		"no name":      {Key: good.Key, Foreign: backend.Property{Set: "PublicStrings"}},
		"same twice":   {Key: good.Key, Foreign: good.Key},
		"same by GUID": {Key: backend.Property{Set: "00020329-0000-0000-C000-000000000046", Name: "appointmentoid"}, Foreign: good.Foreign},
	} {
		if _, err := plugin().Open(t.Context(), Config{}, backend.Env{Markers: m}); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}
