package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/config"
)

func TestTheHostsKeyGoesThroughNoProxy(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(host.Close)
	dir := t.TempDir()
	key, _ := apikey.NewAdmin()
	if err := apikey.Write(dir, apikey.File{URL: host.URL, Key: key}); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Store: config.Store{URL: "sqlite:" + filepath.Join(dir, "roomwire.db")}}
	base, _, transport, err := runningHost(cfg)
	if err != nil || base != host.URL {
		t.Fatalf("running host = %q, %v", base, err)
	}
	if tr, ok := transport.(*http.Transport); !ok || tr.Proxy != nil {
		t.Errorf("transport %T may ask the environment for a proxy", transport)
	}
}
