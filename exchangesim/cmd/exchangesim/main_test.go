package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestServesAllListenersUntilItIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, people := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "people.json")
	tenants := filepath.Join(dir, "tenants.json")
	for file, text := range map[string]string{
		people:  `[{"address":"zoe@example.com","password":"pw","place":"online"}]`,
		tenants: `[{"id":"00000000-1111-2222-3333-444444444444","domains":["example.com"],"ews_allowed_apps":[]}]`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--cert-out", cert, "--listen-online", "127.0.0.1:0", "--people", people, "--tenants", tenants, "--record", filepath.Join(dir, "rec")}, in, io.Discard)
	}()
	lines := bufio.NewScanner(out)
	var bases []string
	for range 3 {
		if !lines.Scan() {
			t.Fatal("no address")
		}
		_, control, _ := strings.Cut(lines.Text(), "control at ")
		bases = append(bases, control)
	}
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	for _, base := range bases {
		resp, err := client.Get(base + "people")
		if err != nil {
			t.Fatal(err)
		}
		var list []struct{ Address string }
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list) != 1 || list[0].Address != "zoe@example.com" {
			t.Errorf("%s: %v, %v", base, list, err)
		}
		_ = resp.Body.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFaultyOptionsAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--nope"}, {"extra"}, {"--cert-out", "x"}, {"--people", "/does/not/exist"}, {"--tenants", "/does/not/exist"}, {"--push-ca", "/does/not/exist"}, {"--listen", "nowhere"}, {"--auth", "kerberos"},
		{"--budget=burst"}, {"--budget=speed=3"}, {"--budget=concurrency=0"}, {"--latency", "20"}, {"--generate", "many"},
	} {
		if err := run(t.Context(), args, io.Discard, &bytes.Buffer{}); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}
