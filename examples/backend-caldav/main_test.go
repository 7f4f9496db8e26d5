package main

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
const patience = time.Minute

// built is where TestMain puts the programs: this plugin as its own module makes it, the host and the plugin for Basic.
var built string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "roomwire-caldav")
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

func build(dir string) error {
	for _, p := range []struct{ out, in, pkg string }{
		{"plugins/roomwire-backend-caldav", ".", "."},
		{"plugins/roomwire-auth-basic", "../..", "./plugins/auth-basic"},
		{"roomwire", "../..", "./host"},
	} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, program(p.out)), p.pkg)
		cmd.Dir = p.in
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", p.pkg, err, text)
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

// cleanEnviron is the environment without settings of the host's, which go before the files that a test writes.
func cleanEnviron() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ROOMWIRE_") && !strings.HasPrefix(v, "Exchange") {
			env = append(env, v)
		}
	}
	return env
}
