package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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

// examine runs the suite with an executable in the calendars of Alice and Bob.
func examine(t *testing.T, e backendtest.Executable, url string, f backendtest.Fixture) {
	t.Helper()
	e.URLs = []string{url}
	p, err := e.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	f.Open, f.Restart, f.CutOff = p.Open, p.Restart, p.CutOff
	f.Mailboxes = []backend.Mailbox{{Address: "alice@example.com", URL: url}, {Address: "bob@example.com", URL: url}}
	f.Absent = &backend.Mailbox{Address: "nobody@example.com", URL: url}
	f.Attendees = true
	backendtest.Run(t, f)
}

// The plugin keeps the contract with a service account that impersonates, and is called by the server.
func TestConformanceByImpersonation(t *testing.T) {
	t.Parallel()
	sim, err := exchangesim.New(exchangesim.Options{CopyToAttendees: true, Affinity: true, Schemes: []string{"NTLM"}})
	if err != nil {
		t.Fatal(err)
	}
	at, err := sim.Start("127.0.0.1:0") // without TLS, so that the suite can answer in the server's place
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = at.Close(), sim.Close() })
	bell, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	examine(t, backendtest.Executable{
		Path: built(t, "backend-exchange2013"), ActAs: true,
		Auth: []backendtest.Auth{{Path: built(t, "auth-ntlm"), Settings: map[string]any{"user": `EXAMPLE\svc-rooms`, "password": "secret"}}},
	}, at.URL+"/EWS/Exchange.asmx", backendtest.Fixture{
		Notices: &backendtest.Notices{Listener: bell},
		Paging:  600, // of which the backend reads 256 at a time
	})
}

// The plugin keeps the contract with a delegate's permissions, whose mailboxes cannot be subscribed to.
func TestConformanceByFolderPermission(t *testing.T) {
	t.Parallel()
	people := exchangesim.SamplePeople()
	for i := range people {
		people[i].Delegates = []string{"svc-plain@example.com"}
	}
	sim, err := exchangesim.New(exchangesim.Options{People: people, CopyToAttendees: true})
	if err != nil {
		t.Fatal(err)
	}
	at, err := sim.StartTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = at.Close(), sim.Close() })
	authorities := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authorities, at.CertificatePEM, 0o600); err != nil {
		t.Fatal(err)
	}
	examine(t, backendtest.Executable{
		Path: built(t, "backend-exchange2013"), CAFile: authorities,
		Auth: []backendtest.Auth{{Path: built(t, "auth-basic"), Settings: map[string]any{"user": `EXAMPLE\svc-plain`, "password": "secret"}}},
	}, at.URL+"/EWS/Exchange.asmx", backendtest.Fixture{})
}
