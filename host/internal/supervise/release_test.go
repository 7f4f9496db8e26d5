package supervise

import (
	"fmt"
	"sync"
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Whoever still has a closed handle does not open its instance anew: nobody would close it, and it would go on logging in
// with settings that were replaced.
func TestAClosedHandleIsNotOpenedAgain(t *testing.T) {
	t.Parallel()
	s, _ := running(t)
	spec := Instance{Name: "Test", Plugin: "backend-test", Identities: []Identity{{Plugin: "auth-nonce", Settings: map[string]any{"name": "old"}}}}
	old := s.Backend(spec)
	if _, err := old.Abilities(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := spec
	next.Identities = []Identity{{Plugin: "auth-nonce", Settings: map[string]any{"name": "new"}}}
	b := s.Backend(next)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Probe(t.Context(), backend.Mailbox{}); fault.Of(err) != fault.Unavailable {
		t.Errorf("a closed handle's call = %v, want unavailable", err)
	}
	if _, err := old.identity(t.Context(), spec.Identities[0]); fault.Of(err) != fault.Unavailable {
		t.Errorf("a closed handle's identity = %v, want unavailable", err)
	}
	if _, err := b.Abilities(t.Context()); err != nil {
		t.Errorf("the handle that replaced it: %v", err)
	}
	if n := len(s.auths); n != 1 {
		t.Errorf("%d identities are kept, want that of the new handle alone", n)
	}
}

// The last handle of a plugin may be closed while another is made: the new one must not be left with a plugin that stops.
func TestAHandleMadeWhileTheLastIsClosedHasALivingPlugin(t *testing.T) {
	t.Parallel()
	for i := range 500 {
		s := New(Options{})
		old := s.Backend(Instance{Plugin: "backend-test", Identities: []Identity{{Plugin: "auth-nonce"}}})
		var next *Backend
		var both sync.WaitGroup
		both.Go(func() { _ = old.Close() })
		both.Go(func() {
			next = s.Backend(Instance{Plugin: "backend-test", Settings: map[string]any{"n": fmt.Sprint(i)}, Identities: []Identity{{Plugin: "auth-nonce"}}})
		})
		both.Wait()
		if s.keepers["backend-test"] != next.keeper || s.keepers["auth-nonce"] == nil {
			t.Fatalf("round %d: the new handle's plugins are no longer kept", i)
		}
	}
}
