package httpauth

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestManyCallersOverOnePoolNeverMixIdentities(t *testing.T) {
	t.Parallel()
	s := newConnServer(t, func(s *connServer) { s.checkBinding = true })
	n := &ntlmLike{
		byMailbox: map[string][2]string{"a@example.com": {"alice", "secret"}, "b@example.com": {"bob", "pässwörd"}},
		bind:      func(target auth.Target) []byte { return target.ChannelBinding },
	}
	id := n.identity()
	id.PerMailbox = true
	c := client(t, s.Server, id)

	var wg sync.WaitGroup
	for caller := range 16 {
		mailbox, want := "a@example.com", "alice"
		if caller%2 == 1 {
			mailbox, want = "b@example.com", "bob"
		}
		wg.Go(func() {
			ctx := backend.WithMailbox(t.Context(), mailbox)
			for i := range 50 {
				text := fmt.Sprintf("%s %d %d", want, caller, i)
				user, answer, err := post(ctx, c, s.URL+"/EWS", text)
				if err != nil || user != want || answer != text {
					t.Errorf("caller %d request %d: as %q got %q, %v; want %q as %q", caller, i, user, answer, err, text, want)
					return
				}
			}
		})
	}
	wg.Wait()

	if got := s.bodiesRefused.Load(); got != 0 {
		t.Errorf("%d requests with a body met a connection that was not logged in", got)
	}
	if got, most := s.hellos.Load(), int64(2*defaultLanes); got > most {
		t.Errorf("%d logins for at most %d lanes", got, most)
	}
}

func TestALaneWhoseConnectionEndedLogsInAgain(t *testing.T) {
	t.Parallel()
	s := newConnServer(t, func(s *connServer) { s.dropAfterYes = true })
	c := client(t, s.Server, (&ntlmLike{user: "alice", password: "secret"}).identity())
	for i := range 3 {
		if user, _, err := post(t.Context(), c, s.URL, "x"); err != nil || user != "alice" {
			t.Fatalf("request %d: as %q, %v", i, user, err)
		}
	}
	if got := s.hellos.Load(); got != 3 {
		t.Errorf("%d logins, want one per connection: 3", got)
	}
}

func TestAnAnswerHoldsItsLaneUntilItIsClosed(t *testing.T) {
	t.Parallel()
	s := newConnServer(t, nil)
	tr := New(Options{
		Identities: []Identity{(&ntlmLike{user: "alice", password: "secret"}).identity()}, Lanes: 1,
		RootCAs: client(t, s.Server).Transport.(*Transport).options.RootCAs,
	})
	t.Cleanup(tr.Close)
	c := tr.Client()
	first, err := c.Post(s.URL, "text/plain", strings.NewReader("one"))
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		_, _, err := post(t.Context(), c, s.URL, "two")
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("the second request did not wait for the lane: %v", err)
	default:
	}
	_, _ = io.ReadAll(first.Body)
	_ = first.Body.Close()
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	if got := s.hellos.Load(); got != 1 {
		t.Errorf("%d logins on one lane, want 1", got)
	}
}

func TestAnAnswerClosedEarlyCostsItsConnectionOnly(t *testing.T) {
	t.Parallel()
	s := newConnServer(t, nil)
	c := client(t, s.Server, (&ntlmLike{user: "alice", password: "secret"}).identity())
	resp, err := c.Post(s.URL, "text/plain", strings.NewReader(strings.Repeat("long ", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if user, answer, err := post(t.Context(), c, s.URL, "next"); err != nil || user != "alice" || answer != "next" {
		t.Errorf("next request: as %q got %q, %v", user, answer, err)
	}
}

func TestARefusedLoginIsUnauthorizedAndNoOtherIdentityIsTried(t *testing.T) {
	t.Parallel()
	s := newConnServer(t, func(s *connServer) { s.offers = []string{"Negotiate", "NTLM", `Basic realm="mail"`} })
	wrong := &ntlmLike{user: "alice", password: "wrong"}
	basic := Identity{Name: "basic", Schemes: []string{"Basic"}, Auth: fixed("Basic YWxpY2U6c2VjcmV0")}
	c := client(t, s.Server, wrong.identity(), basic)

	_, _, err := post(t.Context(), c, s.URL, "x")
	if fault.Of(err) != fault.Unauthorized {
		t.Fatalf("error = %v, want kind unauthorized", err)
	}
	for _, want := range []string{originOf(mustURL(t, s.URL)), "NTLM"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}

	s.mu.Lock()
	s.offers = []string{`Basic realm="mail"`} // as an attacker, or a careless administrator, would have it
	s.mu.Unlock()
	if _, _, err := post(t.Context(), c, s.URL, "x"); fault.Of(err) != fault.Unauthorized {
		t.Errorf("second error = %v, want kind unauthorized", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.authorizations {
		if strings.HasPrefix(a, "Basic") {
			t.Error("the password was sent by Basic after NTLM had been refused")
		}
	}
}

func TestARefusedExchangeIsTriedAgainOnAFreshConnection(t *testing.T) {
	t.Parallel()
	s := newConnServer(t, func(s *connServer) { s.dropAfterYes = true }) // wants no binding
	var retries []int
	var mu sync.Mutex
	n := &ntlmLike{user: "alice", password: "secret", bind: func(target auth.Target) []byte {
		mu.Lock()
		defer mu.Unlock()
		retries = append(retries, target.Retry)
		if target.Retry == 0 {
			return target.ChannelBinding // refused: the server knows another certificate
		}
		return nil
	}}
	id := n.identity()
	id.Attempts = 2
	c := client(t, s.Server, id)

	before := s.connections.Load()
	if user, _, err := post(t.Context(), c, s.URL, "x"); err != nil || user != "alice" {
		t.Fatalf("as %q, %v", user, err)
	}
	if got := s.connections.Load() - before; got != 3 { // the offer, the refused, the accepted
		t.Errorf("%d connections, want 3", got)
	}
	if _, _, err := post(t.Context(), c, s.URL, "x"); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(retries) != "[0 1 1]" {
		t.Errorf("attempts %v, want [0 1 1]: what worked is tried first", retries)
	}
}

func TestConnectionsThatEndDuringTheLoginAreUnavailable(t *testing.T) {
	t.Parallel()
	s := newConnServer(t, func(s *connServer) { s.dropAfterNo = true })
	c := client(t, s.Server, (&ntlmLike{user: "alice", password: "secret"}).identity())
	_, _, err := post(t.Context(), c, s.URL, "x")
	if fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("error = %v, want unavailable with the likely reason", err)
	}
}

func TestAServerThatAsksNothingIsServedNothing(t *testing.T) {
	t.Parallel()
	n := &ntlmLike{user: "alice", password: "secret"}
	s := newPlainTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("credentials were sent to a server that asked for none")
		}
		w.Header().Set("X-User", "nobody")
	})
	c := client(t, s, n.identity())
	if user, _, err := post(t.Context(), c, s.URL, "x"); err != nil || user != "nobody" {
		t.Errorf("as %q, %v", user, err)
	}
}
