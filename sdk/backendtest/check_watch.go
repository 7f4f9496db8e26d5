package backendtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// watcherChecks makes every check by either way.
func watcherChecks() []check {
	const needed = watcher | writing
	var out []check
	for _, way := range []backend.Way{backend.WayStreaming, backend.WayAsking} {
		name := map[backend.Way]string{backend.WayStreaming: "Streaming", backend.WayAsking: "Asking"}[way]
		out = append(out, []check{
			{
				name: name + "TellsWhatCameBeforeIt", section: "Watcher, 1", needs: needed,
				rule: "Listen makes a subscription; what changes from then on is told, even if Watch comes later.",
				do: func(c *checking) {
					sub := c.listen(way, c.m)
					c.create()
					c.watch(way, sub).dirty(c, sub, "an item was created after Listen and before Watch")
				},
			},
			{
				name: name + "TellsOfEachChange", section: "Watcher, 2 and 3", needs: needed,
				rule: "Watch emits Dirty for what changes, whoever changes it; the host calls it again and again.",
				do: func(c *checking) {
					sub := c.listen(way, c.m)
					w := c.watch(way, sub)
					item := c.create()
					w.dirty(c, sub, "an item was created")
					if way == backend.WayAsking {
						w.hears(c, backend.Hint{Subscription: sub.Subscription.ID, Kind: backend.Alive}, "what had changed was told, asked again, from the Mark of the hint")
					}
					w.forget()
					c.edit(item, "changed by somebody else")
					w.dirty(c, sub, "the item was changed by somebody else")
					w.forget()
					c.mustApply(c.another(), deletion(c.m, item.Key, item.Ref))
					w.dirty(c, sub, "the item was deleted by somebody else")
				},
			},
			{
				name: name + "LosesWhatIsUnknown", section: "Watcher, 4", needs: needed,
				rule: "A subscription that is gone is Lost, not an error, and one bad mailbox does not silence the others.",
				do: func(c *checking) {
					good := c.listen(way, c.m)
					bad := good
					bad.Subscription.ID = strange(good.Subscription.ID)
					w := c.watch(way, bad, good)
					w.hears(c, backend.Hint{Subscription: bad.Subscription.ID, Kind: backend.Lost}, "a subscription was watched that the server never gave")
					// What is lost is watched no longer, as by the host.
					w.stop()
					w = c.watch(way, good)
					c.create()
					w.dirty(c, good, "an item was created, and beside its subscription one was watched that is not known")
				},
			},
			{
				name: name + "EndsWithItsContext", section: "Watcher, 2; In general: Cancellation", needs: needed,
				rule: "Watch lasts until its time is over, the server ends the connection, or the context ends.",
				do: func(c *checking) {
					sub := c.listen(way, c.m)
					c.create() // so that it has something to say
					ctx, cancel := context.WithCancel(c.Context())
					defer cancel()
					err := c.promptly(func() error {
						return c.b.(backend.Watcher).Watch(ctx, watchRequest(way, sub), func([]backend.Hint) error {
							cancel()
							return nil
						})
					})
					if errors.Is(err, errLate) {
						c.violated("Watch was to end with its context, at its first hint; after %s it has not", c.Patience)
					} else if err != nil && !errors.Is(err, context.Canceled) {
						c.violated("Watch ended with its context, and answered %s", told(err))
					}
				},
			},
			{
				name: name + "TellsOnlyOfWhatIsWatched", section: "Watcher, 3", needs: needed | twoMailboxes,
				rule: "A hint is of a subscription that is watched, or Alive of all of them.",
				do: func(c *checking) {
					one := c.listen(way, c.m)
					first := c.m
					c.m = c.Mailboxes[1]
					two := c.listenWith(way, c.m, one.Subscription.Group)
					w := c.watch(way, one, two)
					c.create()
					w.dirty(c, two, "an item was created in the second of two calendars that are watched together")
					c.m = first
					c.create()
					w.dirty(c, one, "an item was created in the first of two calendars that are watched together")
					for _, h := range w.all() {
						known := h.Subscription == one.Subscription.ID || h.Subscription == two.Subscription.ID
						if !known && (h.Subscription != "" || h.Kind != backend.Alive) {
							c.violated("a hint of a subscription that is not watched: %+v", h)
						}
					}
				},
			},
		}...)
	}
	return append(out, check{
		name: "SomeWayIsSupported", section: "Watcher, 1", needs: watcher,
		rule: "Listen is Unsupported when a mailbox can never be listened to; a backend that can do it in no way is no Watcher.",
		do: func(c *checking) {
			for _, way := range []backend.Way{backend.WayStreaming, backend.WayAsking} {
				_, err := c.b.(backend.Watcher).Listen(c.Context(), listenRequest(way, c.m, ""))
				if fault.Of(err) != fault.Unsupported {
					return
				}
			}
			c.violated("Listen is Unsupported by either way")
		},
	})
}

// strange returns an id of the same form that the server does not know.
func strange(id string) string {
	if id == "" {
		return "unknown"
	}
	b := []byte(id)
	for i := len(b) / 2; i < len(b); i++ {
		switch {
		case b[i] >= '0' && b[i] <= '8', b[i] >= 'a' && b[i] <= 'e', b[i] >= 'A' && b[i] <= 'Y':
			b[i]++
			return string(b)
		}
	}
	return id + "0"
}

func listenRequest(way backend.Way, m backend.Mailbox, group string) backend.ListenRequest {
	return backend.ListenRequest{Mailbox: m, Way: way, Group: group, Timeout: 10 * time.Minute}
}

func watchRequest(way backend.Way, all ...backend.Watched) backend.WatchRequest {
	return backend.WatchRequest{Way: way, Watched: all, For: 2 * time.Minute}
}

func (c *checking) listen(way backend.Way, m backend.Mailbox) backend.Watched {
	c.Helper()
	return c.listenWith(way, m, "")
}

// listenWith makes a subscription; the check is skipped if the way is not supported.
func (c *checking) listenWith(way backend.Way, m backend.Mailbox, group string) backend.Watched {
	c.Helper()
	sub, err := c.b.(backend.Watcher).Listen(c.Context(), listenRequest(way, m, group))
	if fault.Of(err) == fault.Unsupported {
		c.Skipf("not checked: the backend does not do it this way: %v", err)
	}
	if err != nil {
		c.Fatalf("listening to the calendar of %s: %v", m.Address, err)
	}
	if sub.ID == "" {
		c.violated("a subscription has no ID")
	}
	return backend.Watched{Mailbox: m, Subscription: sub}
}

// watching is a Watch that is called again and again, as the host does.
type watching struct {
	mu    sync.Mutex
	heard []backend.Hint
	from  map[string]int // by subscription: what was waited for already
	more  chan struct{}  // closed and replaced when something was heard
	over  error          // why Watch failed
	stop  func()         // ends it, and waits for that
}

// watch watches until the check ends.
func (c *checking) watch(way backend.Way, all ...backend.Watched) *watching {
	w := &watching{more: make(chan struct{}), from: map[string]int{}}
	ctx, cancel := context.WithCancel(c.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pause := 20 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, time.Second) {
			err := c.b.(backend.Watcher).Watch(ctx, watchRequest(way, all...), func(hints []backend.Hint) error {
				w.hear(all, hints)
				return nil
			})
			w.ended(ctx, err)
			select {
			case <-time.After(pause): // the host leaves some time between two
			case <-ctx.Done():
			}
		}
	}()
	w.stop = func() {
		cancel()
		_ = c.promptly(func() error { <-done; return nil })
	}
	c.after(func(context.Context) { w.stop() })
	return w
}

// hear keeps what was said, and goes on from the marks.
func (w *watching) hear(all []backend.Watched, hints []backend.Hint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range hints {
		for i := range all {
			if all[i].Subscription.ID == h.Subscription && h.Mark != "" {
				all[i].Subscription.Mark = h.Mark
			}
		}
	}
	w.heard = append(w.heard, hints...)
	close(w.more)
	w.more = make(chan struct{})
}

func (w *watching) ended(ctx context.Context, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		w.over = err
	}
}

func (w *watching) all() []backend.Hint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]backend.Hint{}, w.heard...)
}

// dirty waits until the subscription is said to be Dirty.
func (w *watching) dirty(c *checking, s backend.Watched, what string) {
	c.Helper()
	w.hears(c, backend.Hint{Subscription: s.Subscription.ID, Kind: backend.Dirty}, what)
}

// forget counts what was said so far as heard: what is waited for then is told from now on.
func (w *watching) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.from {
		w.from[id] = len(w.heard)
	}
}

// hears waits for a hint.
func (w *watching) hears(c *checking, want backend.Hint, what string) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), c.Patience)
	defer cancel()
	for {
		w.mu.Lock()
		heard, more, over, from := w.heard, w.more, w.over, w.from[want.Subscription]
		w.mu.Unlock()
		for i := from; i < len(heard); i++ {
			if h := heard[i]; h.Subscription == want.Subscription && h.Kind == want.Kind {
				w.mu.Lock()
				w.from[want.Subscription] = i + 1
				w.mu.Unlock()
				return
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			seen := fmt.Sprintf("%d other hints came", len(heard)-from)
			if over != nil {
				seen += "; Watch answered " + told(over)
			}
			c.broken("%s, and within %s it was not told: %s", what, c.Patience, seen)
		}
	}
}
