package api

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
)

// pipe is a network of one listener, whose deadlines keep to the time of a synctest bubble.
type pipe struct{ conns chan net.Conn }

func (p pipe) Accept() (net.Conn, error) {
	c, open := <-p.conns
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (pipe) Close() error   { return nil }
func (pipe) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p pipe) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// served calls f with a client of a server like the host's. It must be called in a bubble.
func served(t *testing.T, h http.Handler, f func(*http.Client)) {
	t.Helper()
	p := pipe{make(chan net.Conn)}
	server := Server(h)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(p)
	}()
	transport := &http.Transport{DialContext: p.dial}
	f(&http.Client{Transport: transport})
	transport.CloseIdleConnections()
	close(p.conns)
	_ = server.Close()
	<-done
	synctest.Wait()
}

func (g *rig) follow(t *testing.T, c *http.Client, query, lastEvent string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://host"+changes+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+g.key)
	r.Header.Set("Accept", "text/event-stream, application/problem+json;q=0.5")
	if lastEvent != "" {
		r.Header.Set("Last-Event-ID", lastEvent)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// next returns the next event, and how many heartbeats came before it.
func next(t *testing.T, lines *bufio.Scanner) (id string, change rest.Change, beats int) {
	t.Helper()
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case strings.HasPrefix(lines.Text(), ":"):
			beats++
		case field == "id":
			id = value
		case field == "event" && value != "change":
			t.Errorf("event %q", value)
		case field == "data":
			return id, decode[rest.Change](t, value), beats
		}
	}
	return "", rest.Change{}, beats
}

func TestAStreamOutlivesTheServersDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &feed{first: 1, last: 3}
		g := feedRig(f)
		closing := make(chan struct{})
		g.Closing = closing
		served(t, New(g.Options), func(c *http.Client) {
			res := g.follow(t, c, "?after=0", "1")
			defer res.Body.Close()
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("%d %v", res.StatusCode, res.Header)
			}
			lines := bufio.NewScanner(res.Body)
			for _, want := range []string{"2", "3"} {
				if id, change, _ := next(t, lines); id != want || change.Booking.ID != "b" || !change.Booking.Sync {
					t.Errorf("event %s: %+v, want %s", id, change, want)
				}
			}
			go func() {
				time.Sleep(time.Hour)
				f.grow()
				f.watch <- struct{}{}
			}()
			if id, _, beats := next(t, lines); id != "4" || beats < 170 || beats > 180 {
				t.Errorf("after an hour: event %q after %d heartbeats", id, beats)
			}
			close(closing)
			if id, _, _ := next(t, lines); id != "" || lines.Err() != nil {
				t.Errorf("after the host began to stop: event %q, %v", id, lines.Err())
			}
		})
	})
}

func TestHeadIsNoStream(t *testing.T) {
	t.Parallel()
	g := feedRig(&feed{first: 1, last: 3})
	r := g.call(t, New(g.Options), "HEAD", changes, "", "Accept", "text/event-stream")
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
}

func TestAStreamTellsOfItsPositionBeforeItBegins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := feedRig(&feed{first: 5, last: 9})
		g.MaxWaiting = 1
		served(t, New(g.Options), func(c *http.Client) {
			for _, at := range [][2]string{{"?after=2", ""}, {"", "3"}, {"?after=5", "10"}} {
				res := g.follow(t, c, at[0], at[1])
				if res.StatusCode != 410 || res.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%v: %d %v", at, res.StatusCode, res.Header)
				}
				_ = res.Body.Close()
			}
			res := g.follow(t, c, "?after=9", "")
			second := g.follow(t, c, "?after=9", "")
			if res.StatusCode != 200 || second.StatusCode != 429 {
				t.Errorf("one place for two: %d, %d", res.StatusCode, second.StatusCode)
			}
			_ = res.Body.Close()
			_ = second.Body.Close()
			synctest.Wait()
			res = g.follow(t, c, "?after=9", "")
			if res.StatusCode != 200 {
				t.Errorf("after the first has left: %d", res.StatusCode)
			}
			_ = res.Body.Close()
		})
	})
}

func TestAReaderWhoTakesNothingIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &feed{first: 1, last: 1}
		g := feedRig(f)
		g.MaxWaiting = 1
		served(t, New(g.Options), func(c *http.Client) {
			res := g.follow(t, c, "?after=1", "")
			defer res.Body.Close()
			f.mu.Lock()
			f.last = 5000 // more than any buffer between the two holds
			f.mu.Unlock()
			time.Sleep(2 * writeWithin)
			synctest.Wait()
			again := g.follow(t, c, "?after=1", "")
			defer again.Body.Close()
			if again.StatusCode != 200 {
				t.Errorf("its place is not free: %d", again.StatusCode)
			}
		})
	})
}
