package config

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	const base = `
sync_mode "Exchange2013" {
  user     = "svc"
  password = "old-password"
  url      = "https://mail.example.com/EWS/Exchange.asmx"
  http { ca_file = "ca.pem" }
}
tenant "Default" { root_url = "https://rooms.example.com/Default" }
`
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	load := func(hcl string, ca []byte) *Config {
		dir := t.TempDir()
		for name, data := range map[string][]byte{HCLFile: []byte(hcl), "ca.pem": ca} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, diags := Load(Source{Dir: dir, Executable: "/opt/roomwire"})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return c
	}
	old := load(base, ca)
	for name, c := range map[string]struct {
		hcl     string
		ca      []byte
		want    []string // the changes, in order
		restart bool
		mode    bool // Exchange2013 is another one
	}{
		"the same":        {hcl: base + "\n# a comment\n"},
		"another secret":  {hcl: strings.Replace(base, "old-password", "new-password", 1), want: []string{`sync_mode "Exchange2013" / password changed (secret)`}, mode: true},
		"another CA file": {hcl: base, ca: append(slices.Clone(ca), ca...), want: []string{`sync_mode "Exchange2013" / http / ca_file = "ca.pem" changed (other contents)`}, mode: true},
		"a number":        {hcl: base + "sync { coalesce = \"1s\" }\n", want: []string{`sync / coalesce = "1s" (was "2s")`}},
		"the store":       {hcl: base + "store { url = \"sqlite:other.db\" }\n", want: []string{`store / url = "sqlite:other.db" (was "sqlite:data/roomwire.db")`}, restart: true},
		"an address":      {hcl: base + "listen { api = \"127.0.0.1:9\" }\n", want: []string{`listen / api = "127.0.0.1:9" (was "127.0.0.1:8081")`}, restart: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.ca == nil {
				c.ca = ca
			}
			changes := Diff(old, load(c.hcl, c.ca))
			var got []string
			restart := false
			for _, ch := range changes {
				got = append(got, ch.String())
				restart = restart || ch.Restart
			}
			if !slices.Equal(got, c.want) || restart != c.restart || ModeChanged(changes, "exchange2013") != c.mode {
				t.Errorf("changes %q (restart %v, mode %v), want %q", got, restart, ModeChanged(changes, "exchange2013"), c.want)
			}
			if strings.Contains(strings.Join(got, " "), "password changed") != (name == "another secret") {
				t.Errorf("the secret's change is not told, or told for nothing: %q", got)
			}
		})
	}
	back := Diff(load(base+"sync_mode \"EWS1\" {\n  user = \"a\"\n  password = \"b\"\n}\n", ca), old)
	if !ModeChanged(back, "EWS1") || ModeChanged(back, "Exchange2013") {
		t.Errorf("a removed mode: %v", back)
	}
}
