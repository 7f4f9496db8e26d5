package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
)

const persons = "/Default/api/v1/persons"

// field returns a string of a JSON object.
func field(t *testing.T, text, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	s, _ := m[name].(string)
	return s
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestPersonsAreCreatedReplacedAndForgotten(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	r := g.call(t, h, "PUT", persons+"/carol%20m", `{"email":"carol@example.com","display_name":"Carol","sync_mode":"feed"}`)
	p := decode[rest.Person](t, r.text)
	if r.StatusCode != 201 || r.Header.Get("Location") != persons+"/carol%20m" || p.ID != "carol m" || p.Kind != rest.KindPerson ||
		p.SyncMode != "Feed" || !p.MailOnError || p.ConflictBehaviour != rest.ConflictBehaviourRollback || p.Sync.Status != rest.StatusNew {
		t.Errorf("created: %d %v %s", r.StatusCode, r.Header, r.text)
	}
	r = g.call(t, h, "PUT", persons+"/carol%20m", `{"id":"carol m","email":"carol@example.com","kind":"resource","mail_on_error":false,"conflict_behaviour":"cancel"}`)
	p = decode[rest.Person](t, r.text)
	if r.StatusCode != 200 || p.Kind != rest.KindResource || p.MailOnError || p.ConflictBehaviour != rest.ConflictBehaviourCancel || p.DisplayName != "" {
		t.Errorf("replaced: %d %s", r.StatusCode, r.text)
	}
	if r := g.call(t, h, "PUT", persons+"/desk-7", `{"kind":"resource"}`); r.StatusCode != 201 {
		t.Errorf("a desk without a mailbox: %d %s", r.StatusCode, r.text)
	}
	for _, want := range []int{204, 404} {
		if r := g.call(t, h, "DELETE", persons+"/carol%20m", ""); r.StatusCode != want {
			t.Errorf("DELETE: %d %s, want %d", r.StatusCode, r.text, want)
		}
	}
}

func TestFaultsOfAPersonAreNamed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	for _, c := range []struct {
		path, body, fields, says string
		status                   int
	}{
		{"/x", `{"email":"no address","sync_mode":"Fed"}`, "email sync_mode", "Did you mean Feed", 422},
		{"/x", `{"email":"x@example.com","kind":"room"}`, "kind", "person, resource", 422},
		{"/x", `{"email":"x@example.com","sync_modus":"Feed"}`, "sync_modus", "spelling", 422},
		{"/x", `{"id":"y","email":"x@example.com"}`, "id", "path", 422},
		{"/%20x", `{"email":"x@example.com"}`, "id", "spaces", 422},
		{"/x", `{}`, "email", "empty", 422},
		{"/x", `{"email":"ALICE@example.com"}`, "email", "alice", 409},
	} {
		r := g.call(t, h, "PUT", persons+c.path, c.body)
		if r.StatusCode != c.status || r.fields() != c.fields || !strings.Contains(r.text, c.says) {
			t.Errorf("%s = %d %q %s, want %d %q", c.body, r.StatusCode, r.fields(), r.text, c.status, c.fields)
		}
	}
}

func TestPersonTellsHowTheirSyncIs(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		state := store.PersonState{Status: store.StatusAttention, Kind: "unauthorized", Reason: "the server refused the password", Remedy: "correct it", Since: noon, Until: noon}
		if err := tx.SetPersonState(ctx, "Default", "alice", state); err != nil {
			return err
		}
		m, _, err := tx.Mailbox(ctx, "Default", "alice")
		if err != nil {
			return err
		}
		m.Way, m.LastPull, m.LastPush, m.SubscriptionID, m.SubscribedAt, m.HeldDeletions = "push", noon, noon, "S1", noon, 7
		if err := tx.SaveMailbox(ctx, m); err != nil {
			return err
		}
		if err := tx.PutLink(ctx, store.Link{Tenant: "Default", Key: "b.1", Booking: "b", Person: "alice", State: store.LinkPending, Created: noon}); err != nil {
			return err
		}
		if err := tx.PutIntent(ctx, store.Intent{Tenant: "Default", Key: "b.1", Person: "alice", Booking: "b", Op: store.OpSync, NotBefore: noon.AddDate(0, 0, 1)}); err != nil {
			return err
		}
		return tx.SetDone(ctx, "Default", "alice", m.Wanted)
	})
	if err != nil {
		t.Fatal(err)
	}
	p := decode[rest.Person](t, g.call(t, h, "GET", persons+"/alice", "").text)
	s := p.Sync
	if s.Status != rest.StatusAttention || *s.Kind != "unauthorized" || *s.Reason == "" || *s.Remedy == "" || s.Until == nil ||
		*s.Way != "push" || !s.LastPull.Equal(noon) || !s.LastPush.Equal(noon) || !s.Subscribed.Equal(noon) || s.LastHeard != nil ||
		*s.Pending || *s.OpenWrites != 1 || *s.HeldDeletions != 7 || *s.DeletionsApproved {
		t.Errorf("state: %+v", s)
	}
	list := decode[rest.PersonPage](t, g.call(t, h, "GET", persons+"?status=attention", "").text)
	if len(list.Items) != 1 || list.Items[0].ID != "alice" || *list.Items[0].Sync.Remedy != "correct it" {
		t.Errorf("list: %+v", list)
	}
	if r := g.call(t, h, "POST", persons+"/alice/deletions/approve", ""); r.StatusCode != 202 {
		t.Errorf("approve: %d %s", r.StatusCode, r.text)
	}
	if p := decode[rest.Person](t, g.call(t, h, "GET", persons+"/alice", "").text); !*p.Sync.DeletionsApproved {
		t.Error("the approval is not shown")
	}
	if r := g.call(t, h, "POST", persons+"/alice/deletions/restore", ""); r.StatusCode != 202 {
		t.Errorf("restore: %d %s", r.StatusCode, r.text)
	}
}

func TestPersonsArePaged(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	for query, want := range map[string]string{
		"": "alice bob r1 r2", "?kind=resource": "r1 r2", "?limit=3": "alice bob r1 +r1", "?limit=3&after=r1": "r2", "?status=ok": "",
	} {
		page := decode[rest.PersonPage](t, g.call(t, h, "GET", persons+query, "").text)
		var got []string
		for _, p := range page.Items {
			got = append(got, p.ID)
		}
		if page.Next != nil {
			got = append(got, "+"+*page.Next)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s = %v, want %s", query, got, want)
		}
	}
}

func TestSyncWakesAPass(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	for _, body := range []string{"", `{}`, `{"full":true}`} {
		if r := g.call(t, h, "POST", persons+"/alice/sync", body); r.StatusCode != 202 {
			t.Errorf("%q: %d %s", body, r.StatusCode, r.text)
		}
	}
	if want := []string{"alicefalse", "alicefalse", "alicetrue"}; !slices.Equal(g.synced, want) {
		t.Errorf("woken: %v, want %v", g.synced, want)
	}
	for _, action := range []string{"sync", "deletions/approve", "deletions/restore"} {
		if r := g.call(t, h, "POST", persons+"/nobody/"+action, ""); r.StatusCode != 404 {
			t.Errorf("%s of nobody: %d", action, r.StatusCode)
		}
	}
}

func TestImportTakesTheGoodLinesAndNamesTheBad(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	post := func(csv string) answer {
		return g.call(t, h, "POST", persons+"/import", csv, "Content-Type", "text/csv; charset=utf-8")
	}
	r := post("id,email,display_name\ncarol,carol@example.com,Carol\nbob,bob@example.com,Bob\ndave,not an address,Dave\nerin,alice@example.com,Erin\n\"open,x@example.com,X\n")
	report := decode[rest.ImportReport](t, r.text)
	if r.StatusCode != 200 || report.Created != 1 || report.Updated != 1 || report.Failed != 3 || report.Unchanged != 0 {
		t.Fatalf("import: %d %s", r.StatusCode, r.text)
	}
	var lines []int
	for _, l := range report.Lines {
		lines = append(lines, l.Line)
		if (l.Result == rest.ImportLineResultFailed) != (l.Reason != nil) {
			t.Errorf("line %d: %+v", l.Line, l)
		}
	}
	if !slices.Equal(lines, []int{2, 3, 4, 5, 6}) {
		t.Errorf("lines %v", lines)
	}
	again := decode[rest.ImportReport](t, post("id,email,display_name\ncarol,carol@example.com,Carol\n").text)
	if again.Unchanged != 1 || again.Created+again.Updated+again.Failed != 0 || len(again.Lines) != 0 {
		t.Errorf("the same again: %+v", again)
	}
	if r := post("name,address\nCarol,carol@example.com\n"); r.StatusCode != 422 || !strings.HasPrefix(r.fields(), "line 1") {
		t.Errorf("without a header: %d %s", r.StatusCode, r.text)
	}
	if r := post(""); r.StatusCode != 422 {
		t.Errorf("an empty file: %d %s", r.StatusCode, r.text)
	}
}

func TestTimelineAndDifferences(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, b := range []string{"b1", "b2"} {
			if err := tx.AddActivity(ctx, store.Activity{Tenant: "Default", Person: "alice", Booking: b, At: noon, What: "item created", Why: "new booking"}); err != nil {
				return err
			}
			if err := tx.AddDifference(ctx, store.Difference{Tenant: "Default", Person: "alice", Booking: b, At: noon, Kind: "edit lost", Detail: "time"}); err != nil {
				return err
			}
		}
		return tx.CloseDifferences(ctx, "Default", "b2", "")
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		persons + "/alice/activity": 2, persons + "/alice/activity?booking=b1": 1, persons + "/alice/activity?limit=1": 1, persons + "/bob/activity": 0,
	} {
		if page := decode[rest.ActivityPage](t, g.call(t, h, "GET", path, "").text); len(page.Items) != want {
			t.Errorf("%s: %+v, want %d", path, page, want)
		}
	}
	for query, want := range map[string]int{"": 1, "?all=true": 2, "?person=bob": 0, "?booking=b1": 1} {
		if page := decode[rest.DifferencePage](t, g.call(t, h, "GET", "/Default/api/v1/differences"+query, "").text); len(page.Items) != want {
			t.Errorf("differences%s: %+v, want %d", query, page, want)
		}
	}
	if r := g.call(t, h, "GET", persons+"/nobody/activity", ""); r.StatusCode != 404 {
		t.Errorf("timeline of nobody: %d", r.StatusCode)
	}
}

type resolver func(id int64, use string, mail bool) error

func (f resolver) Resolve(_ context.Context, _ string, id int64, use string, mail bool) error {
	return f(id, use, mail)
}

func TestDifferencesAreDecidedOn(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var got string
	g.Resolver = resolver(func(id int64, use string, mail bool) error {
		got = fmt.Sprint(id, " ", use, " ", mail)
		switch id {
		case 1:
			return fmt.Errorf("difference 1: %w", booking.ErrNotFound)
		case 2:
			return &booking.InvalidError{Violations: []booking.Violation{{Field: "mail", Reason: "say that it is meant"}}}
		}
		return nil
	})
	h := New(g.Options)
	const at = "/Default/api/v1/differences/"
	for name, c := range map[string]struct {
		path, body, want string
		status           int
	}{
		"written":           {"17/resolve", `{"use":"booking","mail":true}`, "17 booking true", 202},
		"mail is not meant": {"17/resolve", `{"use":"calendar"}`, "17 calendar false", 202},
		"unknown":           {"1/resolve", `{"use":"ignore"}`, "1 ignore false", 404},
		"refused":           {"2/resolve", `{"use":"booking"}`, "2 booking false", 422},
		"another use":       {"17/resolve", `{"use":"both"}`, "", 422},
		"no number":         {"x/resolve", `{"use":"ignore"}`, "", 400},
	} {
		got = ""
		r := g.call(t, h, "POST", at+c.path, c.body)
		if r.StatusCode != c.status || got != c.want {
			t.Errorf("%s: %d, asked %q; want %d, %q\n%s", name, r.StatusCode, got, c.status, c.want, r.text)
		}
	}
}

func TestPersonTellsThatEWSInExchangeOnlineEnds(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	modes := g.Options.Modes()
	g.Options.Now = func() time.Time { return time.Date(2026, 11, 29, 16, 0, 0, 0, time.UTC) }
	g.Options.Modes = func() []config.SyncMode {
		return append(slices.Clone(modes), config.SyncMode{
			Name: "O365", Backend: "exchangeonline", URL: "https://outlook.office365.com/EWS/Exchange.asmx",
		})
	}
	h := New(g.Options)
	for body, does := range map[string]string{
		`{"email":"carol@example.com","sync_mode":"O365"}`:                      "roomwire person move --to Microsoft365 carol",
		`{"email":"carol@example.com","sync_mode":"O365","kind":"resource"}`:    "roomwire person set --mode Microsoft365 carol",
		`{"email":"carol@example.com","sync_mode":"O365","sync_disabled":true}`: "",
		`{"email":"carol@example.com","sync_mode":"Feed"}`:                      "",
		`{"email":"carol@example.com"}`:                                         "",
	} {
		p := decode[rest.Person](t, g.call(t, h, "PUT", persons+"/carol", body).text)
		got := or(p.Sync.Ahead, "")
		said := strings.HasPrefix(got, "EWS in Exchange Online ends on 2027-04-01, in 123 days") && strings.HasSuffix(got, does)
		if does == "" && got != "" || does != "" && !said {
			t.Errorf("%s: ahead %q", body, got)
		}
		list := decode[rest.PersonPage](t, g.call(t, h, "GET", persons, "").text)
		if i := slices.IndexFunc(list.Items, func(p rest.Person) bool { return p.ID == "carol" }); i < 0 || or(list.Items[i].Sync.Ahead, "") != got {
			t.Errorf("%s: the list says otherwise", body)
		}
	}
}
