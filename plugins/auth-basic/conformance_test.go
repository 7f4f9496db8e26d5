package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/roomwire/roomwire/sdk/authtest"
)

// serverFor lets one account in. All such servers show the same certificate.
func serverFor(t *testing.T, user, password string) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="calendars", charset="UTF-8"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestTheExecutableKeepsTheContract(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roomwire-auth-basic.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	alice, bob := serverFor(t, `EXAMPLE\alice`, "pässw0rd"), serverFor(t, "bob@example.com", "s3cret:bob")
	p, err := authtest.Executable{
		Path:     path,
		Settings: map[string]any{"user": "alice", "password": "pässw0rd", "domain": "EXAMPLE"},
		Other:    map[string]any{"user": "bob@example.com", "password": "s3cret:bob"},
		Wrong:    map[string]any{"user": "alice", "password": "not-hers"},
		Bad:      map[string]map[string]any{"a colon in the user's name": {"user": "al:ice", "password": "pässw0rd"}},
		URL:      alice.URL, OtherURL: bob.URL,
		CAPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: alice.Certificate().Raw}),
	}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	authtest.Run(t, p.Fixture())
}
