package examples

import (
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/roomwire/roomwire/sdk/authtest"
	"github.com/roomwire/roomwire/sdk/backendtest/memcal"
)

// calendarFor serves one calendar to whoever has the token.
func calendarFor(t *testing.T, token string) string {
	t.Helper()
	calendars := memcal.New("room@example.com")
	calendars.Require(token)
	s := httptest.NewServer(calendars)
	t.Cleanup(s.Close)
	return s.URL + "/calendars/room@example.com"
}

func TestAuthHeaderKeepsTheContract(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roomwire-auth-header.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./auth-header").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p, err := authtest.Executable{
		Path:     path,
		Settings: map[string]any{"token": "t0ken-1"}, Other: map[string]any{"token": "t0ken-2"}, Wrong: map[string]any{"token": "t0ken-3"},
		Bad: map[string]map[string]any{"two words": {"token": "t0ken 4"}},
		URL: calendarFor(t, "t0ken-1"), OtherURL: calendarFor(t, "t0ken-2"),
	}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	authtest.Run(t, p.Fixture())
}
