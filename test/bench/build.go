package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// programs maps what is built to its package.
var programs = map[string]string{
	"roomwire":                               "./host",
	"exchangesim":                            "./exchangesim/cmd/exchangesim",
	"plugins/roomwire-auth-basic":            "./plugins/auth-basic",
	"plugins/roomwire-auth-ntlm":             "./plugins/auth-ntlm",
	"plugins/roomwire-backend-exchange2013":  "./plugins/backend-exchange2013",
	"online/roomwire-auth-oauth":             "./plugins/auth-oauth",
	"online/roomwire-backend-exchangeonline": "./plugins/backend-exchangeonline",
	"online/roomwire-backend-graph":          "./plugins/backend-graph",
	"hop/roomwire-backend-echo":              "./test/bench/echo",
	"hop/roomwire-auth-count":                "./test/bench/count",
	"hop/bare":                               "./test/bench/bare",
}

// onlineDir is the folder with the plugins for Exchange Online, which the other figures do not start.
const onlineDir = "online"

func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// build makes the programs as `make build` does. With -profile each of them also answers net/http/pprof, by a file that
// is laid over the source: the product has no such door.
func (b *bench) build(ctx context.Context) error {
	b.bin = filepath.Join(b.work, "bin")
	for name, pkg := range programs {
		args := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(b.bin, executable(name))}
		if b.profile != "" {
			overlay, err := b.overlay(name, pkg)
			if err != nil {
				return err
			}
			args = append(args, "-overlay", overlay)
		}
		cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
		cmd.Dir = b.root
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, text)
		}
	}
	for _, dir := range []string{"plugins", onlineDir} {
		cmd := exec.CommandContext(ctx, filepath.Join(b.bin, executable("roomwire")), "plugin", "lock", filepath.Join(b.bin, dir))
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("pin the plugins: %w\n%s", err, text)
		}
	}
	return nil
}

// doorSource listens for who wants a profile, and says where in a file named after the process.
const doorSource = `package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
)

func init() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return
	}
	_ = os.WriteFile(fmt.Sprintf("%s/pprof-%d", DIR, os.Getpid()), []byte(ln.Addr().String()), 0o600)
	go http.Serve(ln, nil)
}
`

func (b *bench) overlay(name, pkg string) (string, error) {
	flat := strings.ReplaceAll(name, "/", "-")
	source := filepath.Join(b.work, flat+".go")
	text := strings.ReplaceAll(doorSource, "DIR", fmt.Sprintf("%q", b.work))
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		return "", err
	}
	at := filepath.Join(b.root, pkg, "zz_profile.go")
	data, err := json.Marshal(map[string]map[string]string{"Replace": {at: source}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.work, flat+".overlay.json")
	return path, os.WriteFile(path, data, 0o600)
}

// profiled runs do, and takes a CPU profile of each process meanwhile if that is wanted: its first seconds, as many as
// given. A heap profile follows.
func (b *bench) profiled(name string, seconds int, pids map[string]int, do func() error) error {
	if b.profile == "" {
		return do()
	}
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	fetch := func(who string, pid int, what, query string) {
		addr, err := os.ReadFile(filepath.Join(b.work, fmt.Sprintf("pprof-%d", pid)))
		if err != nil {
			return
		}
		client := &http.Client{Timeout: time.Duration(seconds+60) * time.Second}
		resp, err := client.Get(fmt.Sprintf("http://%s/debug/pprof/%s%s", addr, what, query))
		if err != nil {
			return
		}
		defer resp.Body.Close()
		f, err := os.Create(filepath.Join(b.profile, fmt.Sprintf("%s-%s.%s", name, who, what)))
		if err != nil {
			return
		}
		defer f.Close()
		_, _ = io.Copy(f, resp.Body)
	}
	var taking sync.WaitGroup
	for who, pid := range pids {
		taking.Go(func() { fetch(who, pid, "profile", fmt.Sprintf("?seconds=%d", seconds)) })
	}
	err := do()
	for who, pid := range pids {
		fetch(who, pid, "heap", "?gc=1")
		fetch(who, pid, "goroutine", "?debug=1")
	}
	taking.Wait()
	return err
}
