// Package examples holds plugins to begin from: examples/auth-header and examples/backend-feed. These tests run them as
// the host does, and see to it that docs/plugins/tutorial.md shows what is really there.
package examples

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// start builds one of the examples and starts it, as long as the test runs.
func start(t *testing.T, name string) *launch.Process {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roomwire-"+name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", path, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	sum, err := launch.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := launch.Start(t.Context(), launch.Options{Path: path, SHA256: sum, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.Stop(ctx)
	})
	return p
}

// A feedServer publishes text under an ETag, to whoever has the token.
type feedServer struct {
	*httptest.Server
	text atomic.Value // string
}

func newFeedServer(t *testing.T, token string) *feedServer {
	t.Helper()
	s := &feedServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := s.text.Load().(string)
		tag := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(text)))
		switch {
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path != "/feed.json":
			w.WriteHeader(http.StatusNotFound)
		case r.Header.Get("If-None-Match") == tag:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("ETag", tag)
			_, _ = w.Write([]byte(text))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// open opens the feed for a token, as the host does for a sync mode.
func open(t *testing.T, authProcess, feed *launch.Process, token string) launch.Backend {
	t.Helper()
	a, err := authProcess.OpenAuth(t.Context(), map[string]any{"token": token})
	if err != nil {
		t.Fatal(err)
	}
	b, err := feed.OpenBackend(t.Context(), launch.BackendConfig{Identities: []launch.Identity{{
		Name: "header", AuthTraits: authProcess.Description().Auth, Auth: a,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pull returns what one Pull emits.
func pull(t *testing.T, b backend.Backend, m backend.Mailbox, since backend.Cursor) ([]backend.Page, error) {
	t.Helper()
	var pages []backend.Page
	err := b.Pull(t.Context(), backend.PullRequest{Mailbox: m, Since: since}, func(p backend.Page) error {
		pages = append(pages, p)
		return nil
	})
	return pages, err
}

const (
	twoEntries = `[{"id":"1","booking":"b1","title":"Desk","start":"2026-12-01T09:00:00+01:00","end":"2026-12-01T10:00:00+01:00"},
		{"id":"2","title":"Dentist","start":"2026-12-02T09:00:00Z","end":"2026-12-02T10:00:00Z"}]`
	oneEntry = `[{"id":"2","title":"Dentist","start":"2026-12-02T09:00:00Z","end":"2026-12-02T10:00:00Z"}]`
)

func TestTheFeedIsReadWithTheTokenOfTheAuthPlugin(t *testing.T) {
	t.Parallel()
	server := newFeedServer(t, "t0ken")
	server.text.Store(twoEntries)
	header, feed := start(t, "auth-header"), start(t, "backend-feed")
	b := open(t, header, feed, "t0ken")
	m := backend.Mailbox{Address: "dora@example.com", URL: server.URL + "/feed.json"}

	if st, err := b.Probe(t.Context(), m); err != nil || st.Server != "JSON feed" {
		t.Fatalf("Probe = %+v, %v", st, err)
	}
	pages, err := pull(t, b, m, "")
	if err != nil || len(pages) != 1 || !pages[0].Full || !pages[0].Last || len(pages[0].Changes) != 2 {
		t.Fatalf("the first Pull = %+v, %v; want one full page of two", pages, err)
	}
	changes, cursor := pages[0].Changes, pages[0].Next
	if it := changes[0].Item; it == nil || it.ForeignKey != "b1" || it.Event.Subject != "Desk" || it.Event.Start.Hour() != 8 {
		t.Errorf("the booking's item = %+v", it)
	}
	if changes[1].Ref != "2" || changes[1].Item != nil {
		t.Errorf("a person's own entry = %+v, want its reference alone", changes[1])
	}
	if pages, err := pull(t, b, m, cursor); err != nil || len(pages) != 1 || len(pages[0].Changes) != 0 || pages[0].Next != cursor || !pages[0].Last {
		t.Errorf("a Pull of nothing new = %+v, %v", pages, err)
	}
	server.text.Store(oneEntry)
	if pages, err := pull(t, b, m, cursor); fault.Of(err) != fault.StateExpired || len(pages) != 0 {
		t.Errorf("a Pull after a change = %+v, %v; want state expired", pages, err)
	}
	got, err := b.Fetch(t.Context(), m, []backend.Ref{"1", "2"})
	if err != nil || len(got) != 2 || fault.Of(got[0].Err) != fault.NotFound || got[1].Err != nil || got[1].Item.Event.Subject != "Dentist" {
		t.Errorf("Fetch = %+v, %v; want not found and the dentist", got, err)
	}
}

func TestTroubleHasTheRightKind(t *testing.T) {
	t.Parallel()
	server := newFeedServer(t, "t0ken")
	server.text.Store(`{"no":"list"}`)
	header, feed := start(t, "auth-header"), start(t, "backend-feed")
	good, bad := open(t, header, feed, "t0ken"), open(t, header, feed, "wrong")
	here := backend.Mailbox{URL: server.URL + "/feed.json"}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	for name, tc := range map[string]struct {
		b    launch.Backend
		m    backend.Mailbox
		want fault.Kind
	}{
		"a wrong token":   {bad, here, fault.Unauthorized},
		"no such feed":    {good, backend.Mailbox{URL: server.URL + "/other.json"}, fault.MailboxNotFound},
		"not a feed":      {good, here, fault.Unavailable},
		"nobody there":    {good, backend.Mailbox{URL: gone.URL}, fault.Unavailable},
		"not even an URL": {good, backend.Mailbox{URL: "http://a b/"}, fault.Invalid},
	} {
		if _, err := tc.b.Probe(t.Context(), tc.m); fault.Of(err) != tc.want {
			t.Errorf("%s: %v is %q, want %q", name, err, fault.Of(err), tc.want)
		} else if strings.Contains(err.Error(), "t0ken") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
	if _, err := good.Apply(t.Context(), calendar.Mutation{Op: calendar.Create}); !errors.Is(err, fault.Unsupported) {
		t.Errorf("Apply = %v, want unsupported", err)
	}
	if _, err := header.OpenAuth(t.Context(), map[string]any{"token": "two words"}); fault.Of(err) != fault.Invalid {
		t.Errorf("a token with a blank: %v, want invalid", err)
	}
	if s := header.Description().Settings; len(s) != 1 || !s[0].Secret || !s[0].Required {
		t.Errorf("settings = %+v", s)
	}
}

// TestTheDocumentationShowsThePrograms: every Go block of the tutorial is, line by line and in order, in one of the programs
// here or in one that roomwire plugin new writes. What the tutorial changes in that is tried beside its templates.
func TestTheDocumentationShowsThePrograms(t *testing.T) {
	t.Parallel()
	tutorial := read(t, "../docs/plugins/tutorial.md")
	programs := map[string]string{}
	for _, pattern := range []string{"*/main.go", "../host/internal/scaffold/templates/*/*.go.tmpl"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 3 {
			t.Fatalf("%s: %q, %v", pattern, paths, err)
		}
		for _, path := range paths {
			programs[path] = read(t, path)
		}
	}
	shown := map[string]bool{}
	for _, part := range strings.Split(tutorial, "```go\n")[1:] {
		block, _, closed := strings.Cut(part, "```")
		found := false
		for path, program := range programs {
			if closed && strings.Contains(program, block) {
				found, shown[path] = true, true
			}
		}
		if !found {
			t.Errorf("no program has this block of the tutorial:\n%s", block)
		}
	}
	for _, path := range []string{
		"backend-feed/main.go", "../host/internal/scaffold/templates/auth/main.go.tmpl", "../host/internal/scaffold/templates/backend/main.go.tmpl",
	} {
		if !shown[filepath.FromSlash(path)] {
			t.Errorf("the tutorial shows nothing of %s", path)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
