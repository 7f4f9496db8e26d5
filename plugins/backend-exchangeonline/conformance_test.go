package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/backendtest"
)

// built builds one of the plugins and returns its binary.
func built(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roomwire-"+name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// The plugin keeps the contract in Exchange Online with an app's tokens, and is called by the server.
func TestConformance(t *testing.T) {
	t.Parallel()
	sim, err := exchangesim.New(exchangesim.Options{Affinity: true, CopyToAttendees: true})
	if err != nil {
		t.Fatal(err)
	}
	sim.RequireAnchor(true)
	at, err := sim.StartOnlineTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = at.Close(), sim.Close() })
	authorities := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authorities, at.CertificatePEM, 0o600); err != nil {
		t.Fatal(err)
	}
	bell, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := strings.Replace(at.URL, "127.0.0.1", "localhost", 1)
	url := origin + "/EWS/Exchange.asmx"
	tenant := exchangesim.SampleTenant()
	p, err := backendtest.Executable{
		Path: built(t, "backend-exchangeonline"), ActAs: true, CAFile: authorities, URLs: []string{url},
		Auth: []backendtest.Auth{{Path: built(t, "auth-oauth"), Settings: map[string]any{
			"tenant_id": tenant.ID, "app_id": tenant.Apps[0].ID, "client_secret": tenant.Apps[0].Secrets[0].Value,
			"cloud": "custom", "authority": origin, "ca_file": authorities,
		}}},
	}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	backendtest.Run(t, backendtest.Fixture{
		Open: p.Open, Restart: p.Restart, CutOff: p.CutOff,
		Mailboxes: []backend.Mailbox{{Address: "alice@example.com", URL: url}, {Address: "bob@example.com", URL: url}},
		Absent:    &backend.Mailbox{Address: "nobody@example.com", URL: url},
		Attendees: true,
		Notices:   &backendtest.Notices{Listener: bell},
		Paging:    600, // of which the backend reads 256 at a time
	})
	if use := sim.TokenUse(); use.Issued == 0 || use.Issued > 20 {
		t.Errorf("%d tokens were issued: they are to be kept", use.Issued)
	}
}
