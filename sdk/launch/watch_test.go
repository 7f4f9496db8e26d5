package launch

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func watcher(t *testing.T, p *Process) (Backend, backend.Watcher) {
	t.Helper()
	b := openBackend(t, p, BackendConfig{Settings: map[string]any{"abilities": "watcher"}})
	return b, b.(backend.Watcher)
}

func TestEverythingOfAWatcherCrossesTheWire(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	_, w := watcher(t, p)
	sub, err := w.Listen(t.Context(), backend.ListenRequest{
		Mailbox: backend.Mailbox{Address: "a"}, Way: backend.WayAsking, Group: "g\x00", Timeout: time.Hour,
	})
	if want := (backend.Subscription{ID: "1 1h0m0s", Group: "g\x00\xff", Mark: "a\xff"}); err != nil || sub != want {
		t.Errorf("listen = %+v, %v; want %+v", sub, err, want)
	}
	_, err = w.Listen(t.Context(), backend.ListenRequest{Mailbox: backend.Mailbox{Address: "delegate"}})
	if fault.Of(err) != fault.Unsupported {
		t.Errorf("listen to a delegate's mailbox: %v, want unsupported", err)
	}
	var hints []backend.Hint
	err = w.Watch(t.Context(), backend.WatchRequest{Way: backend.WayAsking, Watched: []backend.Watched{
		{Mailbox: backend.Mailbox{Address: "a"}, Subscription: sub}, {Subscription: backend.Subscription{ID: "x"}},
	}}, func(h []backend.Hint) error {
		hints = append(hints, h...)
		return nil
	})
	of := backend.Hint{Subscription: "1 0s a"}
	want := []backend.Hint{{Subscription: sub.ID, Mark: "a\xffg\x00\xff"}, of, {Subscription: "x", Kind: backend.Dirty}, of}
	if fault.Of(err) != fault.Throttled || !slices.Equal(hints, want) {
		t.Errorf("watch = %+v, %v; want %+v and throttled", hints, err, want)
	}
}

// watching starts a Watch that lasts, and returns what it ends with.
func watching(ctx context.Context, w backend.Watcher, j *journal) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ended <- w.Watch(ctx, backend.WatchRequest{For: time.Minute}, func([]backend.Hint) error { return nil })
	}()
	j.wait("watching")
	return ended
}

func TestAWatchEndsWithItsContextItsInstanceAndItsProcess(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end  func(*testing.T, *Process, Backend, context.CancelFunc)
		want error
	}{
		"cancelled":       {func(_ *testing.T, _ *Process, _ Backend, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"instance closed": {func(_ *testing.T, _ *Process, b Backend, _ context.CancelFunc) { _ = b.Close() }, nil},
		"process stopped": {func(t *testing.T, p *Process, _ Backend, _ context.CancelFunc) {
			if err := p.Stop(context.Background()); err != nil {
				t.Errorf("stop = %v: it should not have had to cut the watch off", err)
			}
		}, nil},
		"process killed": {func(t *testing.T, p *Process, _ Backend, _ context.CancelFunc) { kill(t, p.PID()) }, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, j := startPlugin(t, "backend")
			b, w := watcher(t, p)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := watching(ctx, w, j)
			tc.end(t, p, b, cancel)
			if err := <-ended; !errors.Is(err, tc.want) {
				t.Errorf("watch = %v, want %v", err, tc.want)
			}
			if name == "cancelled" || name == "instance closed" {
				j.wait("watch ended")
			}
		})
	}
}

func TestAWatchIsCutOffByTheHostsOwnError(t *testing.T) {
	t.Parallel()
	p, j := startPlugin(t, "backend")
	_, w := watcher(t, p)
	full := errors.New("the disk is full")
	err := w.Watch(t.Context(), backend.WatchRequest{Watched: make([]backend.Watched, 1), For: time.Hour}, func([]backend.Hint) error {
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("watch = %v, want the host's error", err)
	}
	j.wait("watch ended")
}
