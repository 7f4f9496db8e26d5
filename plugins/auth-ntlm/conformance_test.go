package main

import (
	"maps"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/authtest"
)

// exchange starts an Exchange for one account, which must bind to its certificate.
func exchange(t *testing.T, user, password string, schemes ...string) (url string, ca []byte) {
	t.Helper()
	sim, err := exchangesim.New(exchangesim.Options{
		People:  []exchangesim.Person{{Name: "Rooms", Address: "rooms@example.com", User: user, Password: password}},
		Schemes: schemes, ExtendedProtection: exchangesim.ProtectionRequire,
	})
	if err != nil {
		t.Fatal(err)
	}
	at, err := sim.StartTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = at.Close(), sim.Close() })
	return at.URL + "/EWS/Exchange.asmx", at.CertificatePEM
}

func TestTheExecutableKeepsTheContract(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roomwire-auth-ntlm.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	account := func(user, password, binding string) map[string]any {
		return map[string]any{"user": user, "password": password, "channel_binding": binding}
	}
	for name, schemes := range map[string][]string{"NTLM": {"NTLM"}, "Negotiate": {"Negotiate", "Basic"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, ca := exchange(t, `EXAMPLE\rooms`, "r00ms-secret", schemes...)
			otherURL, otherCA := exchange(t, `ELSEWHERE\desks`, "d3sks-secret", schemes...)
			settings := account(`EXAMPLE\rooms`, "r00ms-secret", "auto")
			bad := maps.Clone(settings)
			bad["channel_binding"] = "perhaps"
			p, err := authtest.Executable{
				Path: path, Settings: settings, Other: account(`ELSEWHERE\desks`, "d3sks-secret", "require"),
				Wrong: account(`EXAMPLE\rooms`, "wr0ng-secret", "auto"),
				Bad:   map[string]map[string]any{"an unknown way to bind": bad},
				URL:   url, OtherURL: otherURL, CAPEM: append(ca, otherCA...),
			}.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			authtest.Run(t, p.Fixture())
		})
	}
}
