package exchangesim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A post is one notification that came to a mute endpoint.
type post struct {
	at    time.Duration
	path  string
	value []object
}

// muteClient takes what a server sends without a network: answer says with what status, and after how long.
func muteClient(posts *[]post, answer func(path string) (int, time.Duration)) *http.Client {
	began := time.Now()
	return &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		respond := func(status int, text string) *http.Response {
			return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(bytes.NewReader([]byte(text))), Request: r}
		}
		if token := r.URL.Query().Get("validationToken"); token != "" {
			return respond(http.StatusOK, token), nil
		}
		var body struct{ Value []object }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, err
		}
		status, after := answer(r.URL.Path)
		*posts = append(*posts, post{time.Since(began), r.URL.Path, body.Value})
		select {
		case <-time.After(after):
			return respond(status, ""), nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	})}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// ask sends a request to Graph without a network.
func (s *Server) ask(t *testing.T, method, path string, body any) (int, object) {
	t.Helper()
	tenant := SampleTenant()
	token, _, err := s.issue(&tenant, &tenant.Apps[0], "https://graph.microsoft.com", "1")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, graphRoot+path, bytes.NewReader(raw))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.Online().ServeHTTP(w, r)
	var answer object
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // some have none
	return w.Code, answer
}

func TestGraphSubscriptionsEndAndWarnBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var posts []post
		s, err := New(Options{TokenLifetime: 24 * time.Hour, PushClient: muteClient(&posts, func(string) (int, time.Duration) { return http.StatusAccepted, 0 })})
		if err != nil {
			t.Fatal(err)
		}
		body := wanted("https://hub.example.com")
		body["expirationDateTime"] = time.Now().Add(2 * time.Hour).Format(time.RFC3339)
		status, sub := s.ask(t, http.MethodPost, "/subscriptions", body)
		if status != http.StatusCreated {
			t.Fatalf("answered %d %v", status, sub)
		}
		time.Sleep(2*time.Hour - time.Second)
		synctest.Wait()
		if len(posts) != 1 || posts[0].path != "/life" || posts[0].at != 105*time.Minute || text(posts[0].value[0], "lifecycleEvent") != "reauthorizationRequired" {
			t.Fatalf("told was %v", posts)
		}
		if n := len(s.GraphSubscriptions()); n != 1 {
			t.Fatalf("there are %d subscriptions", n)
		}
		status, _ = s.ask(t, http.MethodPatch, "/subscriptions/"+text(sub, "id"), object{"expirationDateTime": time.Now().Add(time.Hour).Format(time.RFC3339)})
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if status != http.StatusOK || len(posts) != 2 || len(s.GraphSubscriptions()) != 1 {
			t.Errorf("after renewal (%d) told was %v", status, posts)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(s.GraphSubscriptions()) != 0 || s.Stats().Subscriptions["graph"] != 0 {
			t.Error("a subscription outlives its end")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestGraphTriesForFourHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var posts []post
		s, err := New(Options{TokenLifetime: 24 * time.Hour, PushClient: muteClient(&posts, func(path string) (int, time.Duration) {
			if path == "/hook" {
				return http.StatusAccepted, 4 * time.Second // too late
			}
			return http.StatusAccepted, 0
		})})
		if err != nil {
			t.Fatal(err)
		}
		body := wanted("https://hub.example.com")
		body["expirationDateTime"] = time.Now().Add(72 * time.Hour).Format(time.RFC3339)
		if status, sub := s.ask(t, http.MethodPost, "/subscriptions", body); status != http.StatusCreated {
			t.Fatalf("answered %d %v", status, sub)
		}
		if _, err := s.Outlook("alice@example.com").Create(Appointment{Subject: "x", Start: time.Now(), End: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if err := s.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		tries := 0
		for _, p := range posts {
			if p.path == "/hook" {
				tries++
			}
		}
		last := posts[len(posts)-1]
		if tries < 8 || last.path != "/life" || text(last.value[0], "lifecycleEvent") != "missed" || last.at > 4*time.Hour || last.at < time.Hour {
			t.Errorf("%d tries, the last post is %v", tries, last)
		}
		if st := s.Stats(); st.NotificationsLost != 1 || st.NotificationsFailed != tries {
			t.Errorf("the figures are %+v", st)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestGraphDropsWhatGoesToSlowEndpoints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var posts []post
		slow := true
		s, err := New(Options{PushClient: muteClient(&posts, func(string) (int, time.Duration) {
			if slow {
				return http.StatusAccepted, 4 * time.Second
			}
			return http.StatusAccepted, 0
		})})
		if err != nil {
			t.Fatal(err)
		}
		s.SetGraphQuirks(GraphQuirks{SlowRules: true})
		body := wanted("https://hub.example.com")
		body["expirationDateTime"] = time.Now().Add(72 * time.Hour).Format(time.RFC3339)
		if status, sub := s.ask(t, http.MethodPost, "/subscriptions", body); status != http.StatusCreated {
			t.Fatalf("answered %d %v", status, sub)
		}
		o := s.Outlook("alice@example.com")
		for range 12 {
			if _, err := o.Create(Appointment{Subject: "x", Start: time.Now(), End: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(4 * time.Second)
		}
		synctest.Wait()
		if s.Stats().NotificationsLost == 0 {
			t.Errorf("nothing is dropped of %d posts", len(posts))
		}
		slow = false
		time.Sleep(11 * time.Minute)
		before := len(posts)
		if _, err := o.Create(Appointment{Subject: "y", Start: time.Now(), End: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(posts) == before {
			t.Error("ten minutes later still nothing comes")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestGraphGroupsByEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var posts []post
		s, err := New(Options{PushClient: muteClient(&posts, func(string) (int, time.Duration) { return http.StatusAccepted, time.Second })})
		if err != nil {
			t.Fatal(err)
		}
		s.Faults().HoldNotifications()
		for _, who := range []string{"alice", "bob"} {
			body := wanted("https://hub.example.com")
			body["resource"] = "/Users/" + who + "@example.com/events"
			body["expirationDateTime"] = time.Now().Add(72 * time.Hour).Format(time.RFC3339)
			if status, sub := s.ask(t, http.MethodPost, "/subscriptions", body); status != http.StatusCreated {
				t.Fatalf("answered %d %v", status, sub)
			}
			if _, err := s.Outlook(who + "@example.com").Create(Appointment{Subject: "x", Start: time.Now(), End: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		s.Faults().Release()
		if err := s.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(posts) != 1 || len(posts[0].value) != 2 || slices.Compact(kindsOf(posts[0].value, "subscriptionId"))[0] == "" {
			t.Errorf("posted were %v", posts)
		}
		if a, b := posts[0].value[0]["subscriptionId"], posts[0].value[1]["subscriptionId"]; a == b {
			t.Error("both are of one subscription")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
