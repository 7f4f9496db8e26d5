package endpoint

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener hands out in-memory connections, so that a server's deadlines run on a test bubble's clock.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

func TestABodyThatDoesNotArriveIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newRig()
		l := newPipeListener()
		server := Server(New(g.Options))
		var wg sync.WaitGroup
		wg.Go(func() { _ = server.Serve(l) })
		defer wg.Wait()
		defer func() { _ = server.Close() }()

		conn := l.dial()
		defer func() { _ = conn.Close() }()
		began := time.Now()
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nS1", target); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != http.StatusRequestTimeout || time.Since(began) != 15*time.Second {
			t.Errorf("answer %d after %v, want 408 after 15 s", r.StatusCode, time.Since(began))
		}
		if len(g.kinds()) != 0 || g.counters.Unread.Load() != 1 {
			t.Error("a body cut short was taken for a message")
		}
	})
}

// blockingBody keeps its reader waiting until it is released.
type blockingBody struct {
	entered chan<- struct{}
	release <-chan struct{}
	rest    io.Reader
	once    sync.Once
}

func (b *blockingBody) Read(p []byte) (int, error) {
	b.once.Do(func() {
		b.entered <- struct{}{}
		<-b.release
	})
	return b.rest.Read(p)
}

func TestStrangersCannotCrowdOutExchange(t *testing.T) {
	t.Parallel()
	g := newRig()
	g.MaxUntrusted, g.MaxTrusted = 2, 1
	h := New(g.Options)
	entered, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			body := &blockingBody{entered: entered, release: release, rest: strings.NewReader("x")}
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), "POST", NotificationPath, body))
		})
		<-entered
	}
	if got := do(t, h, "POST", NotificationPath, "x").StatusCode; got != 503 {
		t.Errorf("one stranger too many: %d, want 503", got)
	}
	if got := do(t, h, "POST", target, "S1 dirty").StatusCode; got != 200 {
		t.Errorf("Exchange: %d, want 200", got)
	}
	if g.counters.Busy.Load() != 1 {
		t.Error("the refusal was not counted")
	}
	close(release)
	wg.Wait()
}

func TestOverARealConnection(t *testing.T) {
	t.Parallel()
	g := newRig()
	server := httptest.NewUnstartedServer(nil)
	server.Config = Server(New(g.Options))
	server.Start()
	defer server.Close()

	post := func(body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/xml; charset=utf-8")
		r, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		return r.StatusCode, text(t, r)
	}
	if status, body := post("S1 dirty"); status != 200 || body != "OK" {
		t.Errorf("notice: %d %q", status, body)
	}
	if status, _ := post(strings.Repeat("x", MaxBody+1)); status != 413 {
		t.Errorf("a body too large: %d", status)
	}
	if status, body := post("S1 dirty"); status != 200 || body != "OK" {
		t.Errorf("the next notice: %d %q", status, body)
	}
	if got := len(g.kinds()); got != 2 {
		t.Errorf("%d marks, want 2", got)
	}
}
