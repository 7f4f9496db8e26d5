package supervise

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestAHandleWatchesInWhateverProcessRuns(t *testing.T) {
	t.Parallel()
	s, j := running(t)
	b := s.Backend(Instance{Name: "Test", Plugin: "backend-test", Settings: map[string]any{"abilities": "watcher"}})
	can, err := b.Abilities(t.Context())
	if err != nil || !can.Watcher || can.Pusher || can.Finder {
		t.Errorf("abilities = %+v, %v; want a watcher alone", can, err)
	}
	sub, err := b.Listen(t.Context(), backend.ListenRequest{Mailbox: backend.Mailbox{Address: "a"}, Group: "g"})
	if err != nil || sub.Group != "g\xff" {
		t.Errorf("listen = %+v, %v", sub, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request := backend.WatchRequest{Watched: []backend.Watched{{Subscription: sub}}, For: time.Minute}
	watch := func() (<-chan backend.Hint, <-chan error) {
		hints, ended := make(chan backend.Hint, 8), make(chan error, 1)
		go func() {
			ended <- b.Watch(ctx, request, func(all []backend.Hint) error {
				for _, h := range all {
					hints <- h
				}
				return nil
			})
		}()
		return hints, ended
	}
	hints, ended := watch()
	if h := <-hints; h.Subscription != sub.ID {
		t.Errorf("hint = %+v, want of %q", h, sub.ID)
	}
	kill(t, pid(t, s, "backend-test"))
	if err := <-ended; fault.Of(err) != fault.Unavailable {
		t.Errorf("watch in a process that died = %v, want unavailable", err)
	}
	j.wait(2, "a plugin runs: plugin=backend-test")
	hints, ended = watch()
	if h := <-hints; h.Subscription != sub.ID {
		t.Errorf("hint of the next process = %+v, want of %q", h, sub.ID)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("watch = %v, want cancelled", err)
	}
}

func TestWhatAPluginCannotIsUnsupported(t *testing.T) {
	t.Parallel()
	s, _ := running(t)
	b := s.Backend(Instance{Name: "Test", Plugin: "backend-test"})
	_, listen := b.Listen(t.Context(), backend.ListenRequest{})
	_, find := b.Find(t.Context(), backend.Mailbox{}, backend.OurKey, "k")
	for what, err := range map[string]error{
		"listen": listen, "find": find,
		"watch": b.Watch(t.Context(), backend.WatchRequest{}, func([]backend.Hint) error { return nil }),
	} {
		if fault.Of(err) != fault.Unsupported {
			t.Errorf("%s = %v, want unsupported", what, err)
		}
	}
}
