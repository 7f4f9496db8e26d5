package supervise

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/launch"
)

func TestDescribeAsksEachPluginAndStopsIt(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "run") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	names := []string{"auth-nonce", "backend-test", "auth-basic", "auth-absent", "auth-wrong", "auth-nonce"}
	about, errs := Describe(t.Context(), Options{Dir: plugins, RunDir: dir}, names)
	if len(about) != 3 || about["auth-nonce"].Name != "nonce" || about["backend-test"].Kind != launch.BackendPlugin {
		t.Errorf("they are %+v", about)
	}
	want := launch.Setting{Name: "password", Type: "string", Doc: "the password", Required: true, Secret: true}
	if !slices.Contains(about["auth-nonce"].Settings, want) {
		t.Errorf("auth-nonce declares %+v, want %+v among them", about["auth-nonce"].Settings, want)
	}
	if len(errs) != 2 || !strings.Contains(errs["auth-absent"].Error(), "roomwire plugin lock") || !strings.Contains(errs["auth-wrong"].Error(), "says that it is") {
		t.Errorf("errors: %v", errs)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("sockets are left behind: %v", left)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if about, errs := Describe(over, Options{Dir: plugins, RunDir: dir}, []string{"auth-nonce"}); len(about) != 0 || errs["auth-nonce"] == nil {
		t.Errorf("who is not waited for is described: %v, %v", about, errs)
	}
}

func TestDescribeDoesNotDisturbARunningPlugin(t *testing.T) {
	t.Parallel()
	before := New(Options{Dir: plugins, RunDir: ""})
	b := before.Backend(Instance{Name: "Test", Plugin: "backend-test"})
	defer b.Close()
	if about, errs := before.Describe(t.Context(), []string{"backend-test"}); about["backend-test"].Name == "" {
		t.Errorf("a Supervisor that does not run yet: %v", errs)
	}

	s, _ := running(t)
	b = s.Backend(Instance{Name: "Test", Plugin: "backend-test"})
	defer b.Close()
	first := pid(t, s, "backend-test")
	about, errs := s.Describe(t.Context(), []string{"backend-test", "auth-nonce", "auth-absent"})
	if about["backend-test"].Name == "" || about["auth-nonce"].Name != "nonce" || len(errs) != 1 {
		t.Errorf("described %v, errors %v", about, errs)
	}
	if again := pid(t, s, "backend-test"); again != first {
		t.Errorf("process %d became %d", first, again)
	}
	for _, st := range s.Status() {
		if st.Name != "backend-test" {
			t.Errorf("%s is kept, though nobody has a handle of it", st.Name)
		}
	}
}

func TestSettingsAreFittedToTheRunningProcess(t *testing.T) {
	t.Parallel()
	server := nonceServer(t)
	s, _ := running(t)
	fit := func(d launch.Description) map[string]any {
		out := map[string]any{}
		for _, set := range d.Settings {
			switch set.Name {
			case "user":
				out[set.Name] = "alice"
			case "password":
				out[set.Name] = "secret"
			case "abilities":
				out[set.Name] = "watcher"
			}
		}
		return out
	}
	b := s.Backend(Instance{
		Name: "Test", Plugin: "backend-test", Settings: map[string]any{"colour": "red"}, Fit: fit,
		Identities: []Identity{{Plugin: "auth-nonce", Settings: map[string]any{"colour": "red"}, Fit: fit}},
	})
	defer b.Close()
	can, err := b.Abilities(t.Context())
	if err != nil || !can.Watcher {
		t.Fatalf("abilities %+v, %v", can, err)
	}
	st, err := b.Probe(t.Context(), backend.Mailbox{URL: server.URL})
	if err != nil || st.Server != "alice" {
		t.Errorf("probe: %+v, %v", st, err)
	}
}
