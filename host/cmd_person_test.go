package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoServers = `
plugins {
  dir = "."
}
sync_mode "EWS1" {
  backend  = "exchange2013"
  auth     = ["basic"]
  url      = "https://one.example.com/EWS/Exchange.asmx"
  user     = "svc"
  password = "secret"
}
sync_mode "EWS2" {
  backend  = "exchange2013"
  auth     = ["basic"]
  url      = "https://two.example.com/EWS/Exchange.asmx"
  user     = "svc"
  password = "other"
}
`

func TestAnotherSyncModeBringsItsOwnURL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "roomwire.hcl"), []byte(twoServers), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		cmd := root()
		cmd.SetArgs(append([]string{"--config", dir, "person"}, args...))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatalf("person %v: %v\n%s", args, err, out.String())
		}
		return out.String()
	}
	const one, two, own = "https://one.example.com/", "https://two.example.com/", "https://own.example.com/"
	run("set", "ada", "--email", "ada@example.com", "--mode", "EWS1")
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"--name", "Ada"}, one},
		{[]string{"--mode", "ews2"}, two},
		{[]string{"--url", own + "EWS/Exchange.asmx"}, own},
		{[]string{"--mode", "EWS2"}, own}, // no other than before
		{[]string{"--mode", "EWS1", "--url", own + "EWS/Exchange.asmx"}, own},
		{[]string{"--mode", ""}, ""},
	} {
		run(append([]string{"set", "ada"}, step.args...)...)
		shown := run("show", "ada")
		for _, url := range []string{one, two, own} {
			if got := strings.Contains(shown, url); got != (url == step.want) {
				t.Errorf("after %q, want URL %q:\n%s", step.args, step.want, shown)
			}
		}
	}
}
