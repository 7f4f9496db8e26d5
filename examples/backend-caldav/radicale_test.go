package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/backendtest"
)

// password is everybody's. It must never be seen in an error or a log.
const password = `Zq9-w0rd-of-caldav`

// A radicale is a Radicale server as a process of its own, over TLS, with some persons who each have a calendar, and a service
// account, svc, which may write to all of them.
type radicale struct {
	*testing.T
	url    string // https://127.0.0.1:port
	caFile string
	dir    string // of its collections
	http   *http.Client
}

// newRadicale starts a server, or skips the test where there is none to start.
func newRadicale(t *testing.T, persons ...string) *radicale {
	t.Helper()
	if _, err := exec.LookPath("radicale"); err != nil {
		t.Skip("SKIPPED: radicale is not installed (.ci/run installs it)")
	}
	dir := t.TempDir()
	r := &radicale{T: t, dir: filepath.Join(dir, "collections"), caFile: filepath.Join(dir, "cert.pem")}
	r.certificate(filepath.Join(dir, "key.pem"))
	users := "svc:" + password + "\n"
	for _, p := range persons {
		users += p + ":" + password + "\n"
	}
	r.write(filepath.Join(dir, "users"), users)
	r.write(filepath.Join(dir, "rights"), `
[service]
user: svc
collection: .*
permissions: RrWw

[root]
user: .+
collection:
permissions: R

[home]
user: .+
collection: {user}
permissions: RW

[calendars]
user: .+
collection: {user}/[^/]+
permissions: rw
`)
	config := filepath.Join(dir, "config")
	r.write(config, fmt.Sprintf(`
[server]
hosts = 127.0.0.1:0
ssl = True
certificate = %s
key = %s
[auth]
type = htpasswd
htpasswd_filename = %s
htpasswd_encryption = plain
delay = 0
[rights]
type = from_file
file = %s
[storage]
filesystem_folder = %s
[web]
type = none
[logging]
level = info
`, r.caFile, filepath.Join(dir, "key.pem"), filepath.Join(dir, "users"), filepath.Join(dir, "rights"), r.dir))
	r.start(config)
	for _, p := range persons {
		r.must(http.StatusCreated, "MKCOL", "/"+p+"/", "")
		r.calendar(p, "work")
	}
	return r
}

func (r *radicale) write(path, text string) {
	r.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// certificate makes one for this machine, and the client that trusts it.
func (r *radicale) certificate(keyFile string) {
	r.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "radicale"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		r.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		r.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	r.write(r.caFile, string(public))
	r.write(keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	r.http = &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	r.Cleanup(r.http.CloseIdleConnections)
}

var listening = regexp.MustCompile(`Listening on '\[127\.0\.0\.1\]:(\d+)'`)

// start runs the server until the test ends.
func (r *radicale) start(config string) {
	r.Helper()
	cmd := exec.Command("radicale", "--config", config)
	cmd.SysProcAttr = dieWithTest()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		r.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.Fatalf("start radicale: %v", err)
	}
	said := make(chan string, 1) // the port; closed if it ends
	done := make(chan struct{})
	var log bytes.Buffer
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			log.WriteString(lines.Text() + "\n")
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				said <- m[1]
			}
		}
		close(said)
	}()
	r.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
		if r.Failed() {
			r.Logf("radicale said:\n%s", tail(log.String()))
		}
	})
	select {
	case port, ok := <-said:
		if !ok {
			r.Fatal("radicale ended at once")
		}
		r.url = "https://127.0.0.1:" + port
	case <-time.After(patience):
		r.Fatal("radicale does not listen")
	}
}

func tail(text string) string { return text[max(0, len(text)-6000):] }

// calendar makes a calendar.
func (r *radicale) calendar(person, name string) {
	r.Helper()
	r.must(http.StatusCreated, "MKCALENDAR", "/"+person+"/"+name+"/", "")
}

// call makes a request as another program would, with further headers as pairs.
func (r *radicale) call(method, path, body string, header ...string) (int, string, http.Header) {
	r.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	req.SetBasicAuth("svc", password)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// must is call for what has to be answered with a status.
func (r *radicale) must(status int, method, path, body string, header ...string) string {
	r.Helper()
	got, text, _ := r.call(method, path, body, header...)
	if got != status {
		r.Fatalf("%s %s: HTTP %d, %s", method, path, got, text)
	}
	return text
}

// put writes an object as another program would.
func (r *radicale) put(path, text string) {
	r.Helper()
	r.must(http.StatusCreated, http.MethodPut, path, strings.ReplaceAll(text, "\n", "\r\n"), "Content-Type", "text/calendar")
}

func (r *radicale) get(path string) string {
	r.Helper()
	return strings.ReplaceAll(r.must(http.StatusOK, http.MethodGet, path, ""), "\r\n", "\n")
}

// names lists the objects of a calendar.
func (r *radicale) names(person string) []string {
	r.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, "collection-root", person, "work", "*.ics"))
	if err != nil {
		r.Fatal(err)
	}
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	return files
}

// mailbox is a person's calendar by its own URL.
func (r *radicale) mailbox(person string) backend.Mailbox {
	return backend.Mailbox{Address: person + "@example.com", URL: r.url + "/" + person + "/work/"}
}

// plugin starts the plugin, and the one for Basic, as the host does.
func (r *radicale) plugin(settings map[string]any, user string) *backendtest.Process {
	r.Helper()
	p, err := backendtest.Executable{
		Path: filepath.Join(built, program("plugins/roomwire-backend-caldav")), Settings: settings, CAFile: r.caFile,
		Auth: []backendtest.Auth{{
			Path:     filepath.Join(built, program("plugins/roomwire-auth-basic")),
			Settings: map[string]any{"user": user, "password": password},
		}},
		URLs: []string{r.url},
	}.Start(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = p.Close() })
	return p
}

// open opens the backend as the service account.
func (r *radicale) open(settings map[string]any) backend.Backend {
	r.Helper()
	b, err := r.plugin(settings, "svc").Open(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return b
}
