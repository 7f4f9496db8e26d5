package launch

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// TestNTLMAgainstARealServer logs in at Apache httpd with mod_auth_gssapi and gss-ntlmssp, over TLS: 16 callers at once,
// two identities, each for himself alone, with the real auth plugin.
func TestNTLMAgainstARealServer(t *testing.T) {
	t.Parallel()
	url, ca := startApache(t)
	ntlm, _ := startPlugin(t, "ntlm")
	p, _ := startPlugin(t, "backend")
	open := func(settings map[string]any) Backend {
		return openBackend(t, p, BackendConfig{
			Identities: []Identity{identity(t, ntlm, settings)}, HTTP: HTTPOptions{CAFile: ca},
		})
	}
	users := map[string]Backend{
		"alice": open(map[string]any{"user": `EXAMPLE\alice`, "password": "secret"}),
		"bob":   open(map[string]any{"user": "bob", "domain": "EXAMPLE", "password": "pässwörd"}),
	}

	var wg sync.WaitGroup
	for caller := range 16 {
		name := []string{"alice", "bob"}[caller%2]
		wg.Go(func() {
			for i := range 50 {
				st, err := users[name].Probe(t.Context(), backend.Mailbox{URL: url})
				if err != nil || !strings.Contains(strings.ToLower(st.Server), name) {
					t.Errorf("caller %d request %d: as %q, %v; want %s", caller, i, st.Server, err, name)
					return
				}
			}
		})
	}
	wg.Wait()

	wrong := open(map[string]any{"user": `EXAMPLE\alice`, "password": "wrong"})
	if _, err := wrong.Probe(t.Context(), backend.Mailbox{URL: url}); fault.Of(err) != fault.Unauthorized {
		t.Errorf("with a wrong password: %v, want unauthorized", err)
	}
}

// startApache starts the server of ../shared/ntlm-apache and returns a URL behind its login, and its certificate's file.
func startApache(t *testing.T) (url, certificate string) {
	t.Helper()
	script, err := filepath.Abs("../../../shared/ntlm-apache/start.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, needed := range []string{
		script, "/usr/sbin/apache2", "/usr/lib/apache2/modules/mod_auth_gssapi.so", "/etc/gss/mech.d/mech.ntlmssp.conf",
	} {
		if _, err := os.Stat(needed); err != nil {
			t.Skipf("SKIPPED, NTLM was not tried against a real server: %v (packages apache2, libapache2-mod-auth-gssapi, gss-ntlmssp)", err)
		}
	}
	// The server's user must be able to read it, which t.TempDir does not allow.
	dir, err := os.MkdirTemp("", "ntlm-apache")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Remote-User") == "" {
			t.Error("a request came through without a login")
		}
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(behind.Close)
	_, behindPort, _ := net.SplitHostPort(behind.Listener.Addr().String())
	plain, secure := freePort(t), freePort(t)

	apache := exec.Command(script, dir, plain, secure, behindPort)
	apache.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	apache.Stdout, apache.Stderr = output, output
	if err := apache.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- apache.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-apache.Process.Pid, syscall.SIGTERM)
		<-ended
	})
	for {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+secure); err == nil {
			_ = conn.Close()
			return fmt.Sprintf("https://127.0.0.1:%s/EWS/Exchange.asmx", secure), filepath.Join(dir, "cert.pem")
		}
		select {
		case err := <-ended:
			ended <- err
			said, _ := os.ReadFile(output.Name())
			logged, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("the server ended: %v\n%s\n%s", err, said, logged)
		case <-time.After(10 * time.Millisecond): // only how often it is looked
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
