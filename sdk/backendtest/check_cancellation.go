package backendtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

const ends = "The context of a call ends when the host no longer wants its result. It is passed to everything that takes time, and its error returned."

func cancellationChecks() []check {
	return []check{
		{
			name: "ThatCameBefore", section: "In general: Cancellation", rule: ends,
			do: func(c *checking) {
				ctx, cancel := context.WithCancel(c.Context())
				cancel()
				for what, call := range c.calls() {
					if err := c.promptly(func() error { return call(ctx, c.m) }); !errors.Is(err, context.Canceled) {
						c.violated("%s, whose context had ended before, answered %s", what, told(err))
					}
				}
			},
		},
		{
			name: "WhileTheServerIsSilent", section: "In general: Cancellation", needs: atURL, rule: ends,
			do: func(c *checking) {
				m, asked := c.silentServer()
				for what, call := range c.calls() {
					ctx, cancel := context.WithCancel(c.Context())
					done := make(chan error, 1)
					go func() { done <- call(ctx, m) }()
					late := time.NewTimer(c.Patience)
					select {
					case <-asked:
					case <-late.C: // it waits for something else
					case err := <-done:
						cancel()
						c.Logf("%s did not go where the mailbox's URL leads: %v", what, err)
						continue
					}
					late.Stop()
					cancel()
					if err := c.promptly(func() error { return <-done }); !errors.Is(err, context.Canceled) {
						c.violated("%s waited for a server that did not answer, its context ended, and within %s it answered %s", what, c.Patience, told(err))
					}
				}
			},
		},
	}
}

// calls are the calls of a backend that take time.
func (c *checking) calls() map[string]func(ctx context.Context, m backend.Mailbox) error {
	out := map[string]func(ctx context.Context, m backend.Mailbox) error{
		"Probe": func(ctx context.Context, m backend.Mailbox) error {
			_, err := c.b.Probe(ctx, m)
			return err
		},
		"Pull": func(ctx context.Context, m backend.Mailbox) error {
			return c.b.Pull(ctx, backend.PullRequest{Mailbox: m}, func(backend.Page) error { return nil })
		},
	}
	if c.missing(reading) == "" {
		out["Fetch"] = func(ctx context.Context, m backend.Mailbox) error {
			got, err := c.b.Fetch(ctx, m, []calendar.Ref{"a-reference"})
			if err == nil && len(got) == 1 && errors.Is(got[0].Err, context.Canceled) {
				err = got[0].Err
			}
			return err
		}
	}
	if !c.readOnly {
		out["a Create"] = func(ctx context.Context, m backend.Mailbox) error {
			_, err := c.b.Apply(ctx, calendar.Mutation{Op: calendar.Create, Mailbox: m, Key: c.key(), Event: c.event()})
			return err
		}
	}
	if f, ok := backend.As[backend.Finder](c.b); ok {
		out["Find"] = func(ctx context.Context, m backend.Mailbox) error {
			_, err := f.Find(ctx, m, backend.OurKey, c.key())
			return err
		}
	}
	return out
}

// silentServer returns the mailbox at a server that takes connections and never answers, and what tells when it was asked.
func (c *checking) silentServer() (backend.Mailbox, <-chan struct{}) {
	c.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.Skipf("not checked: no port can be opened here: %v", err)
	}
	asked := make(chan struct{}, 1)
	var mu sync.Mutex
	var conns []net.Conn
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			go hear(conn, asked)
		}
	}()
	c.after(func(context.Context) {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	m := elsewhere(c.m, l.Addr().String())
	if m == nil {
		c.Skipf("not checked: %s", fmt.Sprintf("the mailbox's URL %q leads nowhere", c.m.URL))
	}
	return *m, asked
}

// hear tells of everything that is said on a connection: a backend may use one again.
func hear(conn net.Conn, asked chan<- struct{}) {
	for buf := make([]byte, 4096); ; {
		if _, err := conn.Read(buf); err != nil {
			return
		}
		select {
		case asked <- struct{}{}:
		default:
		}
	}
}
