package e2e

import (
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// postgres starts a PostgreSQL of the test's own from Debian's package and returns the URL of its database. It skips
// the test where there is none.
func postgres(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		t.Skip("SKIPPED, NOT TESTED ON POSTGRESQL: there is no /usr/lib/postgresql/*/bin; install Debian's package postgresql")
	}
	bin := found[len(found)-1]
	dir, err := os.MkdirTemp("/tmp", "rwe2e") // a socket's path has at most about a hundred bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	as := asPostgres(t, dir)
	command := func(program string, args ...string) *exec.Cmd {
		args = append(append(as[:len(as):len(as)], filepath.Join(bin, program)), args...)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "roomwire", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	server := command("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	if err := server.Start(); err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT) // immediate shutdown
		_ = server.Wait()
	})
	deadline := time.Now().Add(patience)
	for command("pg_isready", "-h", dir, "-U", "roomwire", "-d", "postgres", "-q").Run() != nil {
		if time.Now().After(deadline) {
			t.Fatal("PostgreSQL does not answer")
		}
	}
	return "postgres:///postgres?" + url.Values{"host": {dir}, "user": {"roomwire"}}.Encode()
}

// asPostgres is what runs a command as somebody whom PostgreSQL lets run it: it refuses root.
func asPostgres(t *testing.T, dir string) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED ON POSTGRESQL: this is root, and %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return []string{"setpriv", "--reuid=" + u.Uid, "--regid=" + u.Gid, "--clear-groups", "--pdeathsig=KILL"}
}
