package api

import (
	"bufio"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/apikey"
)

// TestTheExampleClientFollows runs the client of docs/integrator/examples against the real handler.
func TestTheExampleClientFollows(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: there is no python3, so the example client in docs/integrator/examples is not tried")
	}
	g := newRig(t)
	key := strings.TrimPrefix(g.keyWith(t, apikey.ScopeBookings), "Bearer ")
	closing := make(chan struct{})
	g.Closing = closing
	h := New(g.Options)
	server := httptest.NewUnstartedServer(nil)
	server.Config = Server(h)
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(closing) })
	g.call(t, h, "PUT", bookings+"/earlier", `{"start":"2026-12-03","end":"2026-12-04","organizer":"bob"}`)

	cmd := exec.CommandContext(t.Context(), python, "../../../docs/integrator/examples/follow.py", "alice")
	cmd.Env = append(cmd.Environ(), "ROOMWIRE_URL="+server.URL+"/Default/api/v1", "ROOMWIRE_KEY="+key, "no_proxy=*")
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("%q, want %q; it says: %s", lines.Text(), want, faults.String())
		}
	}
	expect("2 created api example-1 2030-12-02T10:00:00Z")
	g.call(t, h, "DELETE", bookings+"/example-1", "")
	expect("3 cancelled api example-1 2030-12-02T10:00:00Z")
	server.CloseClientConnections() // it comes again, and goes on where it was
	g.call(t, h, "DELETE", bookings+"/earlier", "")
	expect("4 cancelled api earlier 2026-12-03")
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
}
