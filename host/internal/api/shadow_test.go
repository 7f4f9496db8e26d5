package api

import (
	"context"
	"net/http"
	"testing"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

func TestShadowModeIsSwitchedAndReported(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	const at = persons + "/alice/shadow"
	if r := g.call(t, h, "GET", at, ""); r.StatusCode != http.StatusNotFound {
		t.Errorf("without: %d %s", r.StatusCode, r.text)
	}
	if r := g.call(t, h, "PUT", persons+"/nobody/shadow", `{"on":true}`); r.StatusCode != http.StatusNotFound {
		t.Errorf("nobody: %d %s", r.StatusCode, r.text)
	}
	if r := g.call(t, h, "PUT", at, `{"on":true}`); r.StatusCode != http.StatusNoContent {
		t.Fatalf("on: %d %s", r.StatusCode, r.text)
	}
	if r := g.call(t, h, "GET", at, ""); r.StatusCode != http.StatusNotFound {
		t.Errorf("before it was read: %d %s", r.StatusCode, r.text)
	}
	// Whoever writes persons and knows nothing of shadow mode does not end it.
	if r := g.call(t, h, "PUT", persons+"/alice", `{"email":"alice@example.com","display_name":"A"}`); !decode[rest.Person](t, r.text).Shadow {
		t.Errorf("put: %d %s", r.StatusCode, r.text)
	}
	data := []byte(`{"at":"2026-11-22T08:00:00Z","items":3,"bookings":2,"found":{"content":1},"does":{"` + syncer.ShadowCreate + `":1},` +
		`"entries":[{"booking":"b1","start":"2026-12-01T09:00:00Z","action":"` + syncer.ShadowCreate + `","why":"there is none"}]}`)
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.PutShadowReport(ctx, store.ShadowReport{Tenant: "Default", Person: "alice", At: g.Now(), Data: data})
	})
	if err != nil {
		t.Fatal(err)
	}
	r := decode[rest.ShadowReport](t, g.call(t, h, "GET", at, "").text)
	if r.Items != 3 || r.Found["content"] != 1 || len(r.Entries) != 1 || r.Entries[0].Action != syncer.ShadowCreate {
		t.Errorf("report %+v", r)
	}
	if r := g.call(t, h, "PUT", at, `{"on":false}`); r.StatusCode != http.StatusNoContent {
		t.Errorf("off: %d %s", r.StatusCode, r.text)
	}
	if mb, _, err := g.store.Mailbox(t.Context(), "Default", "alice"); err != nil || !mb.TakeOver || !mb.ReconcileAt.IsZero() {
		t.Errorf("mailbox %+v, %v", mb, err)
	}
}

func TestNewPersonsOfAnImportBeginInShadowMode(t *testing.T) {
	t.Parallel()
	g, post, _ := importRig(t)
	if r := post("?shadow=true", "id,email\nalice,alice@example.com\ncarol,carol@example.com\n"); r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.text)
	}
	for id, want := range map[string]bool{"alice": false, "carol": true} {
		if p, _, err := g.store.Person(t.Context(), "Default", id); err != nil || p.Shadow != want {
			t.Errorf("%s in shadow mode: %v, %v", id, p.Shadow, err)
		}
	}
	if r := post("", "id,email,display_name\ncarol,carol@example.com,Carol\n"); r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.text)
	}
	if p, _, err := g.store.Person(t.Context(), "Default", "carol"); err != nil || !p.Shadow || p.DisplayName != "Carol" {
		t.Errorf("an import ended shadow mode: %+v, %v", p, err)
	}
}
