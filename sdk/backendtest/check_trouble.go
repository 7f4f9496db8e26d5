package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

const unknown = "Not found or unavailable? A time-out, a 5xx, an answer that cannot be read is Unavailable: NotFound and Deleted are said only where the server said so about this very item. Else people's bookings are cancelled."

func unavailableChecks() []check {
	out := []check{
		{
			name: "WithoutANetwork", section: "Kinds of faults", needs: cutOff, rule: unknown,
			do: func(c *checking) { c.isTrouble(c.opened(c.CutOff), c.m, fault.Unavailable) },
		},
		{
			name: "WhereNobodyListens", section: "Kinds of faults", needs: unreachable, rule: unknown,
			do: func(c *checking) { c.isTrouble(c.b, *c.Unreachable, fault.Unavailable) },
		},
	}
	for _, one := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"HTTP500", status(http.StatusInternalServerError, "")},
		{"HTTP502WithAPage", status(http.StatusBadGateway, "<html><body>Bad gateway</body></html>")},
		{"APageInsteadOfAnAnswer", status(http.StatusOK, "<html><body>Please log in</body></html>")},
		{"NothingInsteadOfAnAnswer", status(http.StatusOK, "")},
		{"AnAnswerThatIsCutOff", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = w.Write([]byte("<"))
		}},
		{"AConnectionThatIsCutOff", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	} {
		out = append(out, check{
			name: one.name, section: "Kinds of faults", needs: atURL, rule: unknown,
			do: func(c *checking) { c.isTrouble(c.b, c.answered(one.answer), fault.Unavailable) },
		})
	}
	for _, one := range []struct {
		name string
		code int
		kind fault.Kind
	}{
		{"HTTP401IsUnauthorized", http.StatusUnauthorized, fault.Unauthorized},
		{"HTTP403IsForbidden", http.StatusForbidden, fault.Forbidden},
	} {
		out = append(out, check{
			name: one.name, section: "Probe; Kinds of faults", needs: atURL,
			rule: "Errors tell the difference between a wrong password (Unauthorized), a missing right (Forbidden), no such mailbox and everything else.",
			do:   func(c *checking) { c.isTrouble(c.b, c.answered(status(one.code, "")), one.kind) },
		})
	}
	return append(out, check{
		name: "ThrottledSaysForHowLong", section: "Kinds of faults", needs: atURL,
		rule: "Throttled when the server asks to be left alone; After if it says how long.",
		do: func(c *checking) {
			m := c.answered(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			_, err := c.b.Probe(c.Context(), m)
			if fault.Of(err) != fault.Throttled || fault.After(err) != 7*time.Second {
				c.violated("a server that answers 503 with Retry-After: 7 is %s, and After %s", told(err), fault.After(err))
			}
		},
	})
}

// status answers everything with a status and a body.
func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// elsewhere returns the mailbox at another host; nil if it has no URL.
func elsewhere(m backend.Mailbox, host string) *backend.Mailbox {
	at, err := url.Parse(m.URL)
	if err != nil || at.Host == "" {
		return nil
	}
	at.Host = host
	m.URL = at.String()
	return &m
}

// answered returns the mailbox at a server of the suite's own that answers everything in one way. The check is skipped if
// the backend does not go there.
func (c *checking) answered(answer http.HandlerFunc) backend.Mailbox {
	c.Helper()
	at, err := url.Parse(c.m.URL)
	if err != nil || at.Scheme != "http" {
		c.Skipf("not checked: the mailbox's URL is not http, and nobody can answer in the place of its server")
	}
	var asked atomic.Bool
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.Skipf("not checked: no port can be opened here: %v", err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Store(true)
			answer(w, r)
		}),
		ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with Close
	}()
	c.after(func(context.Context) {
		_ = server.Close()
		<-served
	})
	m := *elsewhere(c.m, l.Addr().String())
	if _, err := c.b.Probe(c.Context(), m); !asked.Load() {
		c.Skipf("not checked: the backend does not go where the mailbox's URL leads (Probe: %v)", err)
	}
	return m
}

// isTrouble checks that every call reports a kind, and that none takes trouble for an answer.
func (c *checking) isTrouble(b backend.Backend, m backend.Mailbox, want fault.Kind) {
	c.Helper()
	_, err := b.Probe(c.Context(), m)
	c.isKind("Probe", err, want)
	for i, since := range []calendar.Cursor{"", c.anyCursor()} {
		what := []string{"a pull from nothing", "a pull from a cursor"}[i]
		pages, err := c.pull(b, m, since)
		c.isKind(what, err, want)
		for _, p := range pages {
			if p.Last || len(p.Changes) > 0 {
				c.violated("%s emitted a page with %d changes (Last: %v)", what, len(p.Changes), p.Last)
			}
		}
	}
	if why := c.missing(reading); why == "" {
		got, err := b.Fetch(c.Context(), m, []calendar.Ref{"a-reference"})
		if err == nil && len(got) == 1 {
			err = got[0].Err
		}
		if kind := fault.Of(err); kind != want && kind != fault.Invalid { // a reference that it cannot even ask for
			c.violated("Fetch answered %s", told(err))
		}
	}
	if c.readOnly {
		return
	}
	ref := c.anyRef()
	if got, err := b.Fetch(c.Context(), m, []calendar.Ref{ref}); err == nil {
		for _, f := range got {
			c.isKind("Fetch of an item that there is", f.Err, want)
		}
	} else {
		c.isKind("Fetch of an item that there is", err, want)
	}
	_, err = b.Apply(c.Context(), deletion(m, c.key(), ref))
	c.isKind("a Delete", err, want)
	_, err = b.Apply(c.Context(), update(m, calendar.Item{Ref: ref, Key: c.key()}, c.event(), calendar.FieldSubject))
	c.isKind("an Update", err, want)
	_, err = b.Apply(c.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: m, Key: c.key(), Event: c.event()})
	c.isKind("a Create", err, want)
	if f, ok := b.(backend.Finder); ok {
		_, err = f.Find(c.Context(), m, backend.OurKey, c.key())
		c.isKind("Find", err, want)
	}
}

func (c *checking) isKind(what string, err error, want fault.Kind) {
	c.Helper()
	if fault.Of(err) != want {
		c.violated("%s answered %s; it ought to be %q", what, told(err), string(want))
	}
}

// anyCursor returns a cursor of the first mailbox, from nothing where there is none.
func (c *checking) anyCursor() calendar.Cursor {
	pages, err := c.pull(c.instance(), c.Mailboxes[0], "")
	if err != nil || len(pages) == 0 {
		return ""
	}
	return pages[len(pages)-1].Next
}

// anyRef returns the reference of an item of the suite's that there is.
func (c *checking) anyRef() calendar.Ref {
	c.Helper()
	return c.mustApply(c.instance(), c.creation(c.event())).Ref
}

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
	if f, ok := c.b.(backend.Finder); ok {
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

func processChecks() []check {
	return []check{
		{
			name: "ARestartForgetsNothing", section: "Pull, 1; Apply: Create; In general: No memory", needs: writing,
			rule: "A plugin keeps connections and nothing else: cursors, keys and references serve the process that comes after as well.",
			do: func(c *checking) {
				since := c.cursor()
				m := c.creation(c.event())
				item := c.mustApply(c.b, m)
				if err := c.anew(c.Context()); err != nil {
					c.Fatalf("%v", err)
				}
				if c.Restart == nil {
					c.Logf("Fixture.Restart is not set: a new instance stood for a new process")
				}
				c.b = c.instance()
				c.mustFetch(item.Ref)
				c.sees(c.b, since, item, "an item was created, the plugin started anew")
				c.again(c.b, m, item)
				c.mustApply(c.b, update(c.m, item, c.otherEvent(), calendar.FieldSubject))
			},
		},
		{
			name: "ARestartTakesOldCursors", section: "Pull, 1",
			rule: "Cursors live longer than the process.",
			do: func(c *checking) {
				since := c.cursor()
				if err := c.anew(c.Context()); err != nil {
					c.Fatalf("%v", err)
				}
				c.b = c.instance()
				pages := c.since(c.b, since)
				if len(pages) == 0 || !pages[len(pages)-1].Last {
					c.violated("after a restart, a pull from a cursor ended without an error and without a last page")
				}
			},
		},
		{
			name: "ARestartLeavesTheAbilities", section: "Watcher: optional interfaces",
			rule: "Optional interfaces are found on the value that Open returned; instances with the same settings have the same.",
			do: func(c *checking) {
				if err := c.anew(c.Context()); err != nil {
					c.Fatalf("%v", err)
				}
				if got := backend.AbilitiesOf(c.instance()); got != c.can {
					c.violated("before a restart the abilities were %+v, and then %+v", c.can, got)
				}
			},
		},
	}
}
