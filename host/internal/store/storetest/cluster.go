package storetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Serving one cluster to the whole test binary needs a place that all tests share.
var start = sync.OnceValues(startCluster)

func cluster(t *testing.T) *server {
	t.Helper()
	s, err := start()
	if missing := (*missingError)(nil); errors.As(err, &missing) {
		t.Skipf("SKIPPED, NOT TESTED ON POSTGRESQL: %v", missing)
	}
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	return s
}

// A missingError means that this machine cannot run PostgreSQL for us.
type missingError struct{ what string }

// Error implements error.
func (e *missingError) Error() string {
	return e.what + "; install Debian's package postgresql to run this test"
}

// script makes and starts a cluster in the folder $1 with the programs in $2, says "ready", and tears everything down
// once its input ends. That happens when the test binary is gone, however it went.
const script = `
trap '' INT TERM HUP
dir=$1 bin=$2
finish() { "$bin/pg_ctl" -D "$dir/data" -m immediate stop; cd /; rm -rf "$dir"; }
cd "$dir" || exit 1
{
	"$bin/initdb" -D "$dir/data" -U roomwire -A trust -E UTF8 --locale=C.UTF-8 --no-sync &&
	"$bin/pg_ctl" -D "$dir/data" -w -l "$dir/server.log" -o "$3" start
} >"$dir/start.log" 2>&1 </dev/null || { cat "$dir/start.log" "$dir/server.log"; finish >/dev/null 2>&1; exit 1; }
echo ready
cat >/dev/null
finish >/dev/null 2>&1
`

func startCluster() (*server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(socketParent(), "rwpg")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	settings := "-c listen_addresses= -c unix_socket_directories=" + dir +
		" -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300 -c shared_buffers=64MB"
	args := []string{"sh", "-c", script, "roomwire-postgres", dir, bin, settings}
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		if args, err = asPostgres(dir, args); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	// The write end is never closed by us: it closes with this process.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "ready" {
		rest, _ := io.ReadAll(lines)
		return nil, fmt.Errorf("start: %s%s", line, rest)
	}
	return &server{socket: dir, user: "roomwire", stdin: stdin}, nil
}

// programs returns the newest folder with PostgreSQL's programs.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", &missingError{"there is no /usr/lib/postgresql/*/bin/initdb"}
	}
	best, newest := "", -1
	for _, f := range found {
		bin := filepath.Dir(f)
		if v, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && v > newest {
			best, newest = bin, v
		}
	}
	if best == "" {
		return "", &missingError{"/usr/lib/postgresql holds no version that we know to read"}
	}
	return best, nil
}

// socketParent avoids long temporary folders: the path of a socket has at most about a hundred bytes.
func socketParent() string {
	if dir := os.TempDir(); len(dir) < 60 {
		return dir
	}
	return "/tmp"
}

// asPostgres has args run as the user postgres, to whom dir is given.
func asPostgres(dir string, args []string) ([]string, error) {
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		return nil, &missingError{"this is root, and setpriv is not installed"}
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, &missingError{"this is root, and there is no user postgres"}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return nil, fmt.Errorf("give folder to postgres: %w", err)
	}
	return append([]string{setpriv, "--reuid=" + u.Uid, "--regid=" + u.Gid, "--clear-groups"}, args...), nil
}
