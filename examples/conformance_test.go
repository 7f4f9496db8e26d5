package examples

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/backendtest"
)

// built builds one of the examples and returns its binary.
func built(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roomwire-"+name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// The feed keeps what of the contract concerns a backend that only reads.
func TestTheFeedKeepsTheContract(t *testing.T) {
	t.Parallel()
	server := newFeedServer(t, "t0ken")
	server.text.Store(twoEntries)
	p, err := backendtest.Executable{
		Path: built(t, "backend-feed"),
		Auth: []backendtest.Auth{{Path: built(t, "auth-header"), Settings: map[string]any{"token": "t0ken"}}},
		URLs: []string{server.URL}, PlainHTTP: true,
	}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	backendtest.Run(t, backendtest.Fixture{
		Open: p.Open, Restart: p.Restart, CutOff: p.CutOff,
		Mailboxes: []backend.Mailbox{{Address: "dora@example.com", URL: server.URL + "/feed.json"}},
		Absent:    &backend.Mailbox{Address: "nobody@example.com", URL: server.URL + "/other.json"},
	})
}
