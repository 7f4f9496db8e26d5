package backendtest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
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
	if f, ok := backend.As[backend.Finder](b); ok {
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
