package httpauth

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// stream opens a stream and reads its first part.
func stream(t *testing.T, c *http.Client, url string) io.ReadCloser {
	t.Helper()
	req, err := http.NewRequestWithContext(backend.WithStream(t.Context()), http.MethodPost, url, strings.NewReader("stream"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	first := make([]byte, len("first"))
	if _, err := io.ReadFull(resp.Body, first); err != nil || resp.StatusCode != http.StatusOK || string(first) != "first" {
		t.Fatalf("status %s, first part %q, %v", resp.Status, first, err)
	}
	return resp.Body
}

func TestStreamsTakeNoLaneAndArePassedOnAtOnce(t *testing.T) {
	t.Parallel()
	const streams = 5
	for name, identity := range map[string]func() (Identity, func() int64){
		"per connection": func() (Identity, func() int64) {
			n := &ntlmLike{user: "alice", password: "secret"}
			return n.identity(), n.begun.Load
		},
		"by header": func() (Identity, func() int64) { return Identity{}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newConnServer(t, func(s *connServer) { s.goOn = make(chan struct{}) })
			goOn := sync.OnceFunc(func() { close(s.goOn) })
			t.Cleanup(goOn)
			id, begun := identity()
			url := s.URL
			if begun == nil {
				p := newPlainTLS(t, func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Authorization") != "Basic x" {
						w.Header().Set("WWW-Authenticate", "Basic")
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					body, _ := io.ReadAll(r.Body)
					s.serve(w, "alice", body)
				})
				s.Server, url = p, p.URL
				var count int64
				begun = func() int64 { return count }
				id = Identity{Name: "basic", Schemes: []string{"Basic"}, Auth: authFunc(func(context.Context, auth.Target) (auth.Exchange, error) {
					count++
					return auth.Fixed(auth.Header{Value: "Basic x"}), nil
				})}
			}
			tr := New(Options{Identities: []Identity{id}, Lanes: 1, RootCAs: client(t, s.Server).Transport.(*Transport).options.RootCAs})
			t.Cleanup(tr.Close)
			c := tr.Client()
			var open []io.ReadCloser
			for range streams {
				open = append(open, stream(t, c, url))
			}
			logins := begun()
			for range 3 {
				if user, text, err := post(t.Context(), c, url, "ordinary"); err != nil || user != "alice" || text != "ordinary" {
					t.Fatalf("beside %d streams: as %q got %q, %v", streams, user, text, err)
				}
			}
			if id.PerConnection {
				if got := begun() - logins; got != 1 {
					t.Errorf("%d logins for ordinary requests on one lane, want 1", got)
				}
			} else if begun() != 1 {
				t.Errorf("%d logins, want 1: the header is kept", begun())
			}
			goOn()
			for _, body := range open {
				if rest, err := io.ReadAll(body); err != nil || string(rest) != "last" {
					t.Errorf("the rest is %q, %v", rest, err)
				}
			}
		})
	}
}

func TestTheTimeLimitIsForRequestsAndNotForStreams(t *testing.T) {
	t.Parallel()
	s := newConnServer(t, func(s *connServer) { s.goOn = make(chan struct{}) })
	tr := New(Options{
		Identities: []Identity{(&ntlmLike{user: "alice", password: "secret"}).identity()}, Timeout: time.Nanosecond,
		RootCAs: client(t, s.Server).Transport.(*Transport).options.RootCAs,
	})
	t.Cleanup(tr.Close)
	if _, _, err := post(t.Context(), tr.Client(), s.URL, "x"); fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "within 1ns") {
		t.Errorf("an ordinary request: %v, want that its time was over", err)
	}
	goOn := sync.OnceFunc(func() { close(s.goOn) })
	t.Cleanup(goOn)
	body := stream(t, tr.Client(), s.URL)
	goOn()
	if rest, err := io.ReadAll(body); err != nil || string(rest) != "last" {
		t.Errorf("a stream was cut: %q, %v", rest, err)
	}
}

func TestAnAnswerMustBeReadInTime(t *testing.T) {
	t.Parallel()
	s := newPlainTLS(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	tr := New(Options{Timeout: 200 * time.Millisecond, RootCAs: client(t, s).Transport.(*Transport).options.RootCAs})
	t.Cleanup(tr.Close)
	_, _, err := post(t.Context(), tr.Client(), s.URL, "x")
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("error = %v, want unavailable", err)
	}
}
