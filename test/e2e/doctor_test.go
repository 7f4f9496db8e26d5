package e2e

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// A finding is a line of `roomwire doctor --json`.
type finding struct{ Area, Name, Level, What, Remedy string }

// doctor examines the site, and returns what was found and the exit code.
func (s *site) doctor() (findings []finding, code int) {
	s.Helper()
	out, errs, err := s.roomwire("doctor", "--json")
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code = e.ExitCode()
	} else if err != nil {
		s.Fatal(err)
	}
	var report struct{ Findings []finding }
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		s.Fatalf("doctor: %v\n%s%s", err, out, errs)
	}
	return report.Findings, code
}

// found fails unless there is a finding of an area and level about name that says all of parts.
func (s *site) found(findings []finding, area, level, name string, parts ...string) {
	s.Helper()
	for _, f := range findings {
		all := f.Area == area && f.Level == level && strings.Contains(f.Name, name)
		for _, part := range parts {
			all = all && strings.Contains(f.What+" "+f.Remedy, part)
		}
		if all && (f.Remedy != "") == (level != "ok") {
			return
		}
	}
	s.Errorf("no %s %s of %s with %q, but:\n%s", area, level, name, parts, list(findings))
}

func list(findings []finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "  %s %s %s: %s → %s\n", f.Level, f.Area, f.Name, f.What, f.Remedy)
	}
	return b.String()
}

// TestDoctorOfAHealthyInstallation has all be well.
func TestDoctorOfAHealthyInstallation(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	s, _ := secured(t, cert, key)
	s.serve("SSL_CERT_FILE=" + filepath.Join(s.dir, "host.pem")) // as if a public authority had signed it
	s.settle()
	findings, code := s.doctor()
	full := false
	for _, f := range findings {
		switch {
		case f.Level != "ok" && f.Area == "disk":
			full = true // which is this machine's affair
		case f.Level != "ok":
			t.Errorf("%+v", f)
		}
	}
	if code != 0 && !full {
		t.Errorf("exit code %d", code)
	}
	for _, area := range []string{"host", "configuration", "plugins", "store", "queue", "server", "notifications", "persons"} {
		s.found(findings, area, "ok", "")
	}
	s.found(findings, "server", "ok", "Exchange2013", "login and acting for people (impersonation) work")
	s.found(findings, "server", "ok", "Exchange2013", "its certificate is valid until")
	s.found(findings, "notifications", "ok", "Default", "this host answers there")
}

// TestDoctorFindsWhatIsWrong breaks an installation in every way at once, and then takes the host away.
func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	var logins atomic.Int64
	counted := s.front(time.Now().AddDate(0, 0, 10), func(r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			logins.Add(1)
		}
	})
	expired := s.front(time.Now().AddDate(0, 0, -1), nil)
	s.copyPlugin("backend-changed")
	s.must("plugin", "lock")
	changed := filepath.Join(s.plugins, program("roomwire-backend-changed"))
	if err := os.WriteFile(changed, []byte("something else"), 0o755); err != nil {
		t.Fatal(err)
	}
	mode := func(name, backend, ca string) string {
		return fmt.Sprintf("sync_mode %q {\n  backend = %q\n  auth = [\"ntlm\"]\n  user = \"EXAMPLE\\\\svc-plain\"\n  password = \"not it\"\n  http {\n    %s\n  }\n}\n", name, backend, ca)
	}
	trusting := func(f front) string { return fmt.Sprintf("ca_file = %q", f.certFile) }
	s.appendHCL(mode("Mistyped", "exchange2013", trusting(counted)) + mode("Expired", "exchange2013", trusting(expired)) +
		mode("Untrusted", "exchange2013", "") + mode("Changed", "changed", "") + s.otherMode("NoRights", "svc-plain", password, ""))
	rows := []string{s.rows()[0]}
	for _, x := range []struct{ person, mode, url string }{
		{"mistyped", "Mistyped", counted.url}, {"expired", "Expired", expired.url}, {"untrusted", "Untrusted", s.exchange},
		{"changed", "Changed", s.exchange}, {"away", "Exchange2013", "https://127.0.0.1:9/EWS/Exchange.asmx"}, {"norights", "NoRights", s.exchange},
	} {
		if err := s.sim.AddPerson(exchangesim.Person{Address: address(x.person), Password: password}); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, s.row(x.person, x.mode, x.url))
	}
	s.must("person", "import", s.write("more.csv", strings.Join(rows, "\n")+"\n"))
	s.serve()
	for p, status := range map[string]string{
		"mistyped": "attention", "norights": "attention", "expired": "waiting", "untrusted": "waiting", "changed": "waiting", "away": "waiting",
	} {
		s.eventually(p+" is in trouble", func() error {
			st := s.state(p)
			return yes(st.Status == status, "%+v", st)
		})
	}
	before := logins.Load()
	if before == 0 {
		t.Error("nobody tried the mistyped password")
	}
	for range 3 {
		s.doctor()
	}
	if n := logins.Load() - before; n != 0 {
		t.Errorf("the doctor tried the wrong password %d times though the server is left alone because of it", n)
	}
	findings, code := s.doctor()
	if code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	s.found(findings, "server", "error", "Mistyped", "it is left alone until", "refused the login")
	s.found(findings, "server", "warning", "Mistyped", "its certificate is valid until", "Renew it")
	s.found(findings, "server", "error", "Expired", "its certificate ended on")
	s.found(findings, "server", "error", "Untrusted", "not trusted here", "ca_file")
	s.found(findings, "server", "error", "127.0.0.1:9", "it is not reached", "connection refused")
	s.found(findings, "server", "error", "NoRights", "ApplicationImpersonation")
	s.found(findings, "plugins", "error", "backend-changed", "plugin lock")
	s.found(findings, "plugins", "ok", "backend-exchange2013", "runs since")
	s.found(findings, "notifications", "warning", "Default", "without TLS")
	s.found(findings, "persons", "error", "unauthorized", "1 person needs attention")
	quiet, _, _ := s.roomwire("doctor", "-q")
	for line := range strings.Lines(quiet) {
		if strings.HasPrefix(line, "ok") {
			t.Errorf("-q tells what is well: %s", line)
		}
	}

	// The public URL leads elsewhere; then nowhere.
	s.replace("RoomsAppSettings.config", "<RoomsAppSettings>", fmt.Sprintf("<RoomsAppSettings>\n  <add key=\"ExchangeServiceUrl\" value=%q/>", s.api+"/WebServices/SyncNotification.svc"))
	findings, _ = s.doctor()
	s.found(findings, "configuration", "warning", "", "not in force yet", "config apply")
	s.apply()
	findings, _ = s.doctor()
	s.found(findings, "notifications", "error", "Default", "something else than this host answers there")
	s.replace("RoomsAppSettings.config", s.api, "https://127.0.0.1:9")
	s.apply()
	findings, _ = s.doctor()
	s.found(findings, "notifications", "warning", "Default", "connection refused")

	s.stop()
	findings, code = s.doctor()
	if code != 2 {
		t.Errorf("exit code %d without a host, want 2", code)
	}
	s.found(findings, "host", "error", "roomwire", "no host runs")
	s.found(findings, "plugins", "error", "backend-changed", "plugin lock")
	s.found(findings, "server", "error", "Untrusted", "not trusted here")
	s.replace("roomwire.hcl", "retry_delay", "retry_dely")
	if findings, code = s.doctor(); code != 2 {
		t.Errorf("exit code %d with a faulty file, want 2", code)
	}
	s.found(findings, "configuration", "error", "", "cannot be used")
}

// A front is another way to the site's Exchange.
type front struct{ url, certFile string }

// front serves the site's Exchange with a certificate that is valid until end. look sees every request before.
func (s *site) front(end time.Time, look func(*http.Request)) front {
	s.Helper()
	cert, key := selfSignedUntil(s.T, end)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		s.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	srv := s.sim.HTTPServer()
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	srv.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	if look != nil {
		next := srv.Handler
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			look(r)
			next.ServeHTTP(w, r)
		})
	}
	go func() { _ = srv.ServeTLS(ln, "", "") }() // until it is closed
	s.Cleanup(func() { _ = srv.Close() })
	return front{
		url:      "https://" + ln.Addr().String() + "/EWS/Exchange.asmx",
		certFile: s.write(fmt.Sprintf("front-%d.pem", end.Unix()), string(cert)),
	}
}
