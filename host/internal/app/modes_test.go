package app

import (
	"slices"
	"testing"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/supervise"
)

func TestALostMailboxIsLookedForByWhatLastsFirst(t *testing.T) {
	t.Parallel()
	mode := func(name, backend string) config.SyncMode { return config.SyncMode{Name: name, Backend: backend} }
	cfg := &config.Config{SyncModes: []config.SyncMode{
		mode("Exchange2013", "exchange2013"), mode("O365", "exchangeonline"), mode("O365Pull", "exchangeonline"), mode("Microsoft365", "graph")}}
	m := newModes(cfg, supervise.New(supervise.Options{Dir: t.TempDir(), RunDir: t.TempDir()}))
	if got, want := m.names(), []string{"Exchange2013", "Microsoft365", "O365", "O365Pull"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Another configuration gives a mail domain an override, and takes it away again: its persons are served by it at once, and
// what serves the others stays what it is.
func TestAnOverrideComesAndGoesWithoutItsSyncModeBeingOpenedAnew(t *testing.T) {
	t.Parallel()
	plain := config.SyncMode{Name: "O365", Backend: "exchangeonline", Notices: config.NoticesPush, URL: "https://outlook.office365.com/EWS/Exchange.asmx"}
	other := plain
	other.Name, other.Base, other.Domain, other.BaseURL = "O365/subsidiary.example", "O365", "subsidiary.example", plain.URL
	with := plain
	with.Overrides = []config.SyncMode{other}
	before, after := &config.Config{SyncModes: []config.SyncMode{plain}}, &config.Config{SyncModes: []config.SyncMode{with}}

	m := newModes(before, supervise.New(supervise.Options{Dir: t.TempDir(), RunDir: t.TempDir()}))
	base, _ := m.find("O365")
	base.origins.add("https://outlook.office365.com/EWS/Exchange.asmx")
	const address = "bob@Subsidiary.example"
	if got := m.instance("O365", address); got != "O365" {
		t.Errorf("before: served by %s", got)
	}
	if over := m.replace(after, []config.Change{{Block: `sync_mode "O365" / domain_override "subsidiary.example"`, Name: "tenant_id"}}); len(over) != 0 {
		t.Errorf("%d instances are closed though none was replaced", len(over))
	}
	if got := m.instance("o365", address); got != "O365/subsidiary.example" {
		t.Errorf("with the override: served by %s", got)
	}
	if got := m.instance("O365", "alice@example.com"); got != "O365" {
		t.Errorf("others: served by %s", got)
	}
	if now, _ := m.find("O365"); now.handle != base.handle || !now.origins.has("https://outlook.office365.com") {
		t.Error("the sync mode is opened anew")
	}
	for _, name := range []string{"O365", "o365/SUBSIDIARY.example"} {
		if _, found := m.pusher(name); !found {
			t.Errorf("nobody reads the messages of %s", name)
		}
	}
	for backend, want := range map[string]string{"": "O365", "exchangeonline": "O365", "graph": ""} {
		if got := m.defaultPusher(backend); got != want {
			t.Errorf("strangers' messages at the path of %q are read by %q, want %q", backend, got, want)
		}
	}
	if over := m.replace(before, nil); len(over) != 1 {
		t.Errorf("%d instances are closed, want the override's", len(over))
	}
	if got := m.instance("O365", address); got != "O365" {
		t.Errorf("without it again: served by %s", got)
	}
}
