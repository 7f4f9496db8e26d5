package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// buildPlugin builds a plugin that does not come with the product.
func (s *site) buildPlugin(name, pkg string) string {
	s.Helper()
	path := filepath.Join(s.TempDir(), program("roomwire-"+name))
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		s.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// feedServer publishes a calendar of one entry to whoever has the token.
func feedServer(t *testing.T, token string) (url string, publish func(title string)) {
	t.Helper()
	var text atomic.Value
	publish = func(title string) {
		text.Store(fmt.Sprintf(`[{"id":"1","booking":"fed","title":%q,"start":"2027-03-01T09:00:00Z","end":"2027-03-01T10:00:00Z"}]`, title))
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := text.Load().(string)
		tag := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(body)))
		switch {
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("If-None-Match") == tag:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("ETag", tag)
			_, _ = w.Write([]byte(body))
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/feed.json", publish
}

// TestANewKindOfMailbox adds a backend and an auth plugin of somebody else's to a running host, and takes them away again.
func TestANewKindOfMailbox(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	url, publish := feedServer(t, "t0ken-of-the-feed")
	publish(hush + " as booked")
	s.must("plugin", "install", s.buildPlugin("backend-feed", "../../examples/backend-feed"))
	out := s.must("plugin", "install", s.buildPlugin("auth-header", "../../examples/auth-header"))
	if !strings.Contains(out, "no sync mode uses it yet") {
		t.Errorf("install says: %s", out)
	}
	s.appendHCL(fmt.Sprintf("sync_mode \"Feed\" {\n  backend = \"feed\"\n  auth = [\"header\"]\n  url = %q\n  auth_settings \"header\" {\n    token = \"t0ken-of-the-feed\"\n  }\n}\n", url))
	alice := s.pluginProcesses("roomwire-backend-exchange2013")
	s.apply(`sync_mode "Feed" / backend = "feed" (new)`)
	s.must("person", "set", "fiona", "--email", "fiona@example.com", "--mode", "Feed")
	b := meeting("fed", "fiona", day(28, 9))
	b.Title, b.Notes, b.Item, b.Resources, b.Attendees = hush+" as booked", "", "expected", []string{desk(1)}, []attendee{}
	b.Start, b.End = "2027-03-01T09:00:00Z", "2027-03-01T10:00:00Z"
	s.put(b)
	s.eventually("the feed's entry is taken for the booking's", func() error {
		st := s.state("fiona")
		return yes(st.Status == "ok" && !st.Pending, "%+v", st)
	})
	s.must("sync", "now", "fiona", "--full")
	publish(hush + " as changed in the feed")
	s.awaitChange("fed", "updated", "calendar")
	if got := s.booking("fed"); got.Title != hush+" as changed in the feed" {
		t.Errorf("the booking is %+v", got)
	}
	for _, name := range []string{"backend-feed", "auth-header"} {
		if list := s.must("plugin", "show", name); !strings.Contains(list, "Feed") || !strings.Contains(list, "running since") {
			t.Errorf("show %s says: %s", name, list)
		}
	}
	if now := s.pluginProcesses("roomwire-backend-exchange2013"); fmt.Sprint(now) != fmt.Sprint(alice) {
		t.Errorf("the other backend's processes were %v and are %v", alice, now)
	}

	s.must("plugin", "remove", "backend-feed", "--force")
	s.must("sync", "now", "fiona")
	s.eventually("fiona's state says that the plugin is gone", func() error {
		st := s.state("fiona")
		return yes(st.Status == "waiting" && st.Kind == "unavailable", "%+v", st)
	})
	if shown := s.show("fiona"); !strings.Contains(shown, "backend-feed") || !strings.Contains(shown, "plugin install") {
		t.Errorf("person show says: %s", shown)
	}
	if findings, code := s.doctor(); code != 2 {
		t.Errorf("doctor ends with %d", code)
	} else {
		s.found(findings, "plugins", "error", "backend-feed", "plugin install")
	}
	s.put(meeting("meanwhile", "alice", day(2, 9)))
	s.settleOnly("alice")
	s.only("alice", hush+" meanwhile")

	s.must("plugin", "install", s.buildPlugin("backend-feed", "../../examples/backend-feed"))
	s.eventually("fiona's sync is well again, without a word", func() error {
		st := s.state("fiona")
		return yes(st.Status == "ok", "%+v", st)
	})
}
