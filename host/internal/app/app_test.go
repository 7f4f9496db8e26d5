package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
)

func TestAHostThatCannotRunItsPluginsEndsAndSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hcl := "listen {\n  notifications = \"127.0.0.1:0\"\n  api = \"127.0.0.1:0\"\n}\n"
	if err := os.WriteFile(filepath.Join(dir, config.HCLFile), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, diags := config.Load(config.Source{Dir: dir, Executable: filepath.Join(dir, "roomwire")})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := New(ctx, Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	// A file where the folder of the plugins' sockets belongs.
	if err := os.WriteFile(filepath.Join(DataDir(cfg), "run"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Run(ctx); err == nil || !strings.Contains(err.Error(), "sockets") {
		t.Errorf("run = %v, want what is in the plugins' way", err)
	}
	if ctx.Err() != nil {
		t.Error("the host did not end by itself")
	}
}
