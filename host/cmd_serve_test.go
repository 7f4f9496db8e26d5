//go:build !windows

package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// It sets a variable of the process, so it runs alone.
func TestServeTellsTheServiceManager(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	dir := folder(t, smallest)
	log := filepath.Join(dir, "logs", "roomwire.log")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := roomwire(ctx, "serve", "--config", dir, "--log-file", log)
		done <- err
	}()
	told := make(chan string)
	go func() {
		defer close(told)
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			told <- string(buf[:n])
		}
	}()
	changed := strings.Replace(smallest, "plugins {", "sync {\n  retry_delay = \"7s\"\n}\nplugins {", 1)
	reload := func() {
		if err := os.WriteFile(filepath.Join(dir, "roomwire.hcl"), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		want string
		then func()
	}{{"READY=1", reload}, {"RELOADING=1", func() {}}, {"READY=1", cancel}, {"STOPPING=1", func() {}}} {
		select {
		case got := <-told:
			if !strings.HasPrefix(got, step.want) {
				t.Fatalf("systemd is told %q, want %q", got, step.want)
			}
		case err := <-done:
			t.Fatalf("serve ended: %v", err)
		}
		step.then()
	}
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	_ = conn.Close()
	for range told {
	}
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), "stopped") {
		t.Errorf("the log file: %v\n%s", err, text)
	}
}
