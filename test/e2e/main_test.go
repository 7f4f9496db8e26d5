// Package e2e tests the whole house at once: the host as a real process, with real plugin processes, over TLS, against
// an Exchange stand-in in the test's own process. What it does to them is what happens in real life: edits on both
// sides, kill -9 at any moment, servers that are busy, deaf or gone, and administrators who mistype.
//
// Nothing here waits for a while and hopes. A test waits for what it expects, up to patience, which only a broken
// product uses up.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what must come. It is no expectation, only the end of a test that failed.
const patience = 60 * time.Second

// built is where TestMain puts the programs: roomwire itself, the plugins with their lock, and the Exchange stand-in.
var built string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		fmt.Fprintln(os.Stderr, "SKIPPED: the end-to-end tests do not run with -short")
		return 0
	}
	// Most of a test is waiting for other processes.
	if err := flag.Set("test.parallel", fmt.Sprint(max(4, runtime.GOMAXPROCS(0)))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "roomwire-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, "build the programs:", err)
		return 1
	}
	built = dir
	return m.Run()
}

// plugins are the names of the binaries that a site has.
var plugins = []string{"auth-basic", "auth-ntlm", "auth-oauth", "backend-exchange2013", "backend-exchangeonline", "backend-graph"}

// build makes the programs as an installation has them, but for failpoints. With ROOMWIRE_E2E_RACE set, they look for
// data races, too.
func build(dir string) error {
	args := []string{"build", "-tags", "failpoint"}
	if os.Getenv("ROOMWIRE_E2E_RACE") != "" {
		args = append(args, "-race")
	}
	goBuild := func(out, pkg string) error {
		cmd := exec.Command("go", append(args[:len(args):len(args)], "-o", filepath.Join(dir, out), pkg)...)
		cmd.Dir = "../.."
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", pkg, err, text)
		}
		return nil
	}
	if err := goBuild(program("roomwire"), "./host"); err != nil {
		return err
	}
	if err := goBuild(program("exchangesim"), "./exchangesim/cmd/exchangesim"); err != nil {
		return err
	}
	for _, p := range plugins {
		if err := goBuild(filepath.Join("plugins", program("roomwire-"+p)), "./plugins/"+p); err != nil {
			return err
		}
	}
	text, err := exec.Command(filepath.Join(dir, program("roomwire")), "plugin", "lock", filepath.Join(dir, "plugins")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pin the plugins: %w\n%s", err, text)
	}
	return nil
}

func program(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// cleanEnviron is the environment without settings of our own, which go before the files that a test writes.
func cleanEnviron() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ROOMWIRE_") && !strings.HasPrefix(v, "Exchange") {
			env = append(env, v)
		}
	}
	return env
}
