package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
)

// A postgres is a cluster of our own, which keeps its promises: fsync and synchronous_commit are on.
type postgres struct {
	url  string
	stop func()
}

// startPostgres makes and starts a cluster with the programs that Debian installs.
func startPostgres(ctx context.Context, b *bench) (*postgres, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return nil, errors.New("it is not installed (Debian's package postgresql)")
	}
	slices.Sort(found)
	bin := filepath.Dir(found[len(found)-1])
	dir := filepath.Join(b.work, "pg")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	prefix := []string{}
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		if err := os.Chmod(b.work, 0o755); err != nil {
			return nil, err
		}
		if out, err := exec.CommandContext(ctx, "chown", u.Uid+":"+u.Gid, dir).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("give %s to postgres: %w: %s", dir, err, out)
		}
		prefix = []string{"setpriv", "--reuid=" + u.Uid, "--regid=" + u.Gid, "--clear-groups"}
	}
	do := func(args ...string) error {
		args = append(prefix[:len(prefix):len(prefix)], args...)
		cmd := exec.CommandContext(context.WithoutCancel(ctx), args[0], args[1:]...)
		cmd.Dir = dir
		if err := cmd.Run(); err != nil { // its output stays with the server, so it cannot be read to its end
			return fmt.Errorf("%s: %w", filepath.Base(args[len(prefix)]), err)
		}
		return nil
	}
	data := filepath.Join(dir, "data")
	if err := do(filepath.Join(bin, "initdb"), "-D", data, "-U", "roomwire", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"); err != nil {
		return nil, err
	}
	settings := "-c listen_addresses= -c unix_socket_directories=" + dir + " -c max_connections=200"
	if err := do(filepath.Join(bin, "pg_ctl"), "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", settings, "start"); err != nil {
		return nil, err
	}
	p := &postgres{stop: func() { _ = do(filepath.Join(bin, "pg_ctl"), "-D", data, "-m", "immediate", "stop") }}
	query := url.Values{"host": {dir}, "user": {"roomwire"}}.Encode()
	p.url = "postgres:///postgres?" + query
	return p, nil
}
