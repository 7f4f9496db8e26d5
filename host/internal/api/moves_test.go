package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

const moves = "/Default/api/v1/moves"

// moveRig is a rig with the real engine's moves and a second sync mode. alice and carol have the first, dave's sync is off.
func moveRig(t *testing.T) (*rig, http.Handler) {
	t.Helper()
	g := newRig(t)
	g.Moves = syncer.New(syncer.Options{Store: g.store, Render: Render, Limits: syncer.DefaultLimits()})
	g.Modes = func() []config.SyncMode {
		return []config.SyncMode{{Name: "Feed", Backend: "feed"}, {Name: "Other", Backend: "other", URL: "https://other.example.com/x"}}
	}
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, p := range []directory.Person{
			{Tenant: "Default", ID: "carol", Email: "carol@example.com", Kind: directory.KindPerson, SyncMode: "Feed"},
			{Tenant: "Default", ID: "dave", Email: "dave@example.com", Kind: directory.KindPerson, SyncMode: "Feed", SyncDisabled: true},
		} {
			p.ConflictBehaviour = directory.Rollback
			if _, err := tx.PutPerson(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, New(g.Options)
}

func TestMovesAreAskedForShownAndCancelled(t *testing.T) {
	t.Parallel()
	g, h := moveRig(t)
	r := g.call(t, h, "POST", moves, `{"to":"other","all_of":"feed","dry_run":true}`)
	asked := decode[rest.MovesAsked](t, r.text)
	if r.StatusCode != 202 || !slices.Equal(asked.Asked, []string{"alice", "carol"}) || len(asked.Refused) != 0 {
		t.Fatalf("all of Feed: %d %s", r.StatusCode, r.text)
	}
	r = g.call(t, h, "POST", moves, `{"to":"Other","persons":["dave","alice","nobody","alice","bob"],"url":"https://mail.example.com/EWS/Exchange.asmx"}`)
	asked = decode[rest.MovesAsked](t, r.text)
	if r.StatusCode != 202 || !slices.Equal(asked.Asked, []string{"alice"}) || len(asked.Refused) != 3 {
		t.Fatalf("some: %d %s", r.StatusCode, r.text)
	}
	m := decode[rest.Move](t, g.call(t, h, "GET", moves+"/alice", "").text)
	if m.From != "Feed" || m.To != "Other" || m.State != rest.MoveStateWaiting || m.DryRun || or(m.URL, "") != "https://mail.example.com/EWS/Exchange.asmx" {
		t.Errorf("alice: %+v", m)
	}
	page := decode[rest.MovePage](t, g.call(t, h, "GET", moves+"?limit=1", "").text)
	if len(page.Items) != 1 || or(page.Next, "") != "alice" || page.Counts["waiting"] != 2 {
		t.Errorf("first page: %+v", page)
	}
	page = decode[rest.MovePage](t, g.call(t, h, "GET", moves+"?limit=1&after=alice&state=waiting", "").text)
	if len(page.Items) != 1 || page.Next != nil || !page.Items[0].DryRun {
		t.Errorf("second page: %+v", page)
	}
	for _, want := range []int{204, 404} {
		if r := g.call(t, h, "DELETE", moves+"/alice", ""); r.StatusCode != want {
			t.Errorf("cancel: %d %s, want %d", r.StatusCode, r.text, want)
		}
	}
	if m := decode[rest.Move](t, g.call(t, h, "GET", moves+"/alice", "").text); m.State != rest.MoveStateCancelled {
		t.Errorf("alice: %+v", m)
	}
	if r := g.call(t, h, "GET", moves+"/bob", ""); r.StatusCode != 404 {
		t.Errorf("bob: %d %s", r.StatusCode, r.text)
	}
}

func TestReportOfAMoveIsShown(t *testing.T) {
	t.Parallel()
	g, h := moveRig(t)
	report, err := json.Marshal(syncer.MoveReport{
		Links: 3, Verified: 1, Differing: 1, Missing: 1, Note: "why",
		Items: []syncer.MoveItem{{Booking: "b1", What: "differing"}, {Booking: "b2", What: "missing"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for person, state := range map[string]store.MoveState{"alice": store.MoveDone, "carol": store.MoveOffered} {
			m := store.Move{Tenant: "Default", Person: person, From: "Feed", To: "Other", State: state, Report: report, Requested: noon, Finished: noon}
			if err := tx.PutMove(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	m := decode[rest.Move](t, g.call(t, h, "GET", moves+"/alice", "").text)
	if r := m.Report; r == nil || r.Links != 3 || r.Missing != 1 || or(r.Note, "") != "why" || len(or(r.Items, nil)) != 2 || (*r.Items)[1].Booking != "b2" {
		t.Errorf("report: %+v", m.Report)
	}
	r := g.call(t, h, "POST", moves, `{"follow":true}`)
	if asked := decode[rest.MovesAsked](t, r.text); r.StatusCode != 202 || !slices.Equal(asked.Asked, []string{"carol"}) {
		t.Errorf("follow: %d %s", r.StatusCode, r.text)
	}
	r = g.call(t, h, "POST", moves+"/alice/decision", `{"decision":"make-anew"}`)
	if d := decode[rest.MoveDecided](t, r.text); r.StatusCode != 200 || d.Decided != 0 {
		t.Errorf("decision: %d %s", r.StatusCode, r.text)
	}
}

func TestFaultsOfAMoveAreNamed(t *testing.T) {
	t.Parallel()
	g, h := moveRig(t)
	for _, c := range []struct {
		path, body, fields, says string
		status                   int
	}{
		{"", `{"to":"Othre","persons":["alice"]}`, "to", "Did you mean Other", 422},
		{"", `{"persons":["alice"]}`, "to", "sync mode", 422},
		{"", `{"to":"Other"}`, "persons", "exactly one", 422},
		{"", `{"to":"Other","persons":["alice"],"all_of":"Feed"}`, "persons", "exactly one", 422},
		{"", `{"to":"Other","persons":["alice"],"url":"ftp://x"}`, "url", "http", 422},
		{"/nobody/decision", `{"decision":"let-go"}`, "", "nobody", 404},
		{"/alice/decision", `{"decision":"delete"}`, "decision", "", 422},
	} {
		r := g.call(t, h, "POST", moves+c.path, c.body)
		if r.StatusCode != c.status || r.fields() != c.fields || !strings.Contains(r.text, c.says) {
			t.Errorf("%s %s = %d %q %s, want %d %q", c.path, c.body, r.StatusCode, r.fields(), r.text, c.status, c.fields)
		}
	}
	if r := g.call(t, h, "GET", moves, "", "Authorization", "Bearer "+g.other); r.StatusCode != 401 && r.StatusCode != 403 && r.StatusCode != 404 {
		t.Errorf("another tenant's key: %d %s", r.StatusCode, r.text)
	}
}
