package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

func TestWhatNeedsARunningHostSaysSo(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	for _, c := range [][3]string{
		{"GET", "/doctor"}, {"GET", "/host"}, {"POST", "/host/reload"}, {"GET", "/bookings/b/explain"},
		{"POST", "/changes/1/reject", `{"reason":"x"}`}, {"GET", "/persons/alice/tests"}, {"POST", "/persons/alice/tests"},
		{"GET", "/persons/alice/tests/1"}, {"GET", "/webhooks"}, {"POST", "/webhooks", `{"url":"https://example.com"}`},
		{"GET", "/webhooks/1"}, {"PATCH", "/webhooks/1", `{}`}, {"DELETE", "/webhooks/1"}, {"POST", "/webhooks/1/secret"},
		{"POST", "/webhooks/1/test"}, {"GET", "/webhooks/1/dead"}, {"POST", "/webhooks/1/dead/resend"},
		{"POST", "/webhooks/1/dead/1/resend"},
	} {
		r := g.call(t, h, c[0], "/Default/api/v1"+c[1], c[2], "Authorization", "Bearer "+g.admin)
		if r.StatusCode != 503 || !strings.Contains(r.problem.Detail, "roomwire serve") {
			t.Errorf("%s %s: %d %s", c[0], c[1], r.StatusCode, r.text)
		}
	}
}

type fakeHost struct {
	reload func() ([]string, []string, error)
}

func (fakeHost) State(context.Context) (HostState, error) {
	return HostState{
		Version: "1.2.3", Started: noon, Plugins: []Plugin{{Name: "auth-ntlm", Running: true, Since: noon, Restarts: 2}, {Name: "x", Problem: "it crashes"}},
		Modes: []Mode{{Name: "Exchange2013", Backend: "exchange2013", Auth: []string{"ntlm"}}, {Name: "Feed", Backend: "feed"}},
		Queue: Queue{Mailboxes: 9, Dirty: 2, OldestDirty: noon},
	}, nil
}

func (f fakeHost) Reload(context.Context) (changed, restart []string, err error) { return f.reload() }

func (fakeHost) Swap(_ context.Context, s Swap) (Swapped, error) {
	if s.File == "bad" {
		return Swapped{}, &booking.InvalidError{Violations: []booking.Violation{{Field: s.Plugin, Reason: "it hangs"}}}
	}
	return Swapped{From: "1", To: s.Plugin + s.SHA256[:2], Instances: 3, Pause: s.Drain}, nil
}

func (fakeHost) Stop(context.Context, string) error { return nil }

type fakeDoctor struct{}

func (fakeDoctor) Examine(context.Context) (Examination, error) {
	return Examination{At: noon, Findings: []Finding{{Area: "store", Name: "sqlite", Level: "ok", What: "it answers"}, {"disk", "data", "error", "it is full", "make room"}}}, nil
}

type explainer func(id string) (any, error)

func (f explainer) Explain(_ context.Context, _, id string) (any, error) { return f(id) }

func TestTheHostTellsOfItself(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.Host = fakeHost{func() ([]string, []string, error) { return []string{"sync_mode EWS1 is new"}, nil, nil }}
	g.Doctor = fakeDoctor{}
	g.Explainer = explainer(func(id string) (any, error) {
		if id != "b" {
			return nil, fmt.Errorf("booking %q: %w", id, booking.ErrNotFound)
		}
		return map[string]any{"booking": "b", "links": []any{map[string]any{"key": "b.1"}}, "unlinked": ""}, nil
	})
	h := New(g.Options)
	get := func(method, path string) answer {
		t.Helper()
		return g.call(t, h, method, "/Default/api/v1"+path, "", "Authorization", "Bearer "+g.admin)
	}
	host := decode[rest.Host](t, get("GET", "/host").text)
	if host.Version != "1.2.3" || host.Plugins[0].Restarts != 2 || *host.Plugins[1].Problem != "it crashes" || host.Modes[1].Auth == nil || host.Queue.Dirty != 2 {
		t.Errorf("%+v", host)
	}
	found := decode[rest.Examination](t, get("GET", "/doctor").text)
	if len(found.Findings) != 2 || *found.Findings[1].Remedy != "make room" || found.Findings[0].Remedy != nil {
		t.Errorf("%+v", found)
	}
	if r := get("POST", "/host/reload"); r.StatusCode != 200 || r.text != `{"changed":["sync_mode EWS1 is new"],"restart":[]}`+"\n" {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
	if r := get("GET", "/bookings/b/explain"); r.StatusCode != 200 || !strings.Contains(r.text, `"key":"b.1"`) {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
	if r := get("GET", "/bookings/c/explain"); r.StatusCode != 404 {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
	sum := strings.Repeat("ab", 32)
	r := g.call(t, h, "POST", "/Default/api/v1/host/plugins/auth-x/swap", `{"file":"good","sha256":"`+sum+`","drain_seconds":7}`, "Authorization", "Bearer "+g.admin)
	if s := decode[rest.Swapped](t, r.text); *s.From != "1" || s.To != "auth-xab" || s.Instances != 3 || s.PauseSeconds != 7 {
		t.Errorf("swap = %d %s", r.StatusCode, r.text)
	}
	r = g.call(t, h, "POST", "/Default/api/v1/host/plugins/auth-x/swap", `{"file":"bad"}`, "Authorization", "Bearer "+g.admin)
	if r.StatusCode != 422 || r.fields() != "auth-x" || !strings.Contains(r.text, "it hangs") {
		t.Errorf("a swap that fails: %d %s", r.StatusCode, r.text)
	}
	if r := get("POST", "/host/plugins/auth-x/stop"); r.StatusCode != 204 {
		t.Errorf("stop: %d %s", r.StatusCode, r.text)
	}
	g.Host = fakeHost{func() ([]string, []string, error) {
		return nil, nil, &booking.InvalidError{Violations: []booking.Violation{{Field: "roomwire.hcl:3", Reason: "is no block"}}}
	}}
	h = New(g.Options)
	if r := get("POST", "/host/reload"); r.StatusCode != 422 || r.fields() != "roomwire.hcl:3" {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
}

// hooks keeps webhooks in memory; 3 is the only dead message.
type hooks struct {
	list []store.Webhook
	dead []store.DeadMessage
}

func (k *hooks) at(tenant, id string) (int, error) {
	i := slices.IndexFunc(k.list, func(w store.Webhook) bool { return w.Tenant == tenant && w.ID == id })
	if i < 0 {
		return 0, fmt.Errorf("webhook %q: %w", id, booking.ErrNotFound)
	}
	return i, nil
}

func (k *hooks) List(_ context.Context, tenant string) (list []store.Webhook, err error) {
	for _, w := range k.list {
		if w.Tenant == tenant {
			list = append(list, w)
		}
	}
	return list, nil
}

func (k *hooks) Get(_ context.Context, tenant, id string) (store.Webhook, error) {
	i, err := k.at(tenant, id)
	if err != nil {
		return store.Webhook{}, err
	}
	return k.list[i], nil
}

func (k *hooks) Create(_ context.Context, w store.Webhook) (store.Webhook, error) {
	if !strings.HasPrefix(w.URL, "https://") {
		return w, &booking.InvalidError{Violations: []booking.Violation{{Field: "url", Reason: "must be https"}}}
	}
	w.ID, w.Secret, w.Created = fmt.Sprintf("w%d", len(k.list)+1), "whsec_1", noon
	k.list = append(k.list, w)
	return w, nil
}

func (k *hooks) Update(_ context.Context, w store.Webhook) (store.Webhook, error) {
	i, err := k.at(w.Tenant, w.ID)
	if err == nil {
		k.list[i] = w
	}
	return w, err
}

func (k *hooks) Delete(_ context.Context, tenant, id string) error {
	i, err := k.at(tenant, id)
	if err == nil {
		k.list = slices.Delete(k.list, i, i+1)
	}
	return err
}

func (k *hooks) RotateSecret(_ context.Context, tenant, id string) (string, error) {
	_, err := k.at(tenant, id)
	return "whsec_2", err
}

func (k *hooks) Test(_ context.Context, tenant, id string) (string, error) {
	_, err := k.at(tenant, id)
	return "it answered 500", err
}

func (k *hooks) Dead(_ context.Context, tenant, id string, after int64, limit int) (list []store.DeadMessage, err error) {
	_, err = k.at(tenant, id)
	for _, d := range k.dead {
		if d.Seq > after && len(list) < limit {
			list = append(list, d)
		}
	}
	return list, err
}

func (k *hooks) Resend(_ context.Context, tenant, id string, seq int64) (int, string, error) {
	if _, err := k.at(tenant, id); err != nil {
		return 0, "", err
	}
	switch seq {
	case 0:
		return 2, "it answered 500", nil
	case 3:
		return 1, "", nil
	}
	return 0, "", errors.New("no such message")
}

func TestWebhooksAreMadeChangedTriedAndForgotten(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var dead []store.DeadMessage
	for seq := range int64(5) {
		dead = append(dead, store.DeadMessage{Seq: seq + 1, At: noon, Attempts: 12, Problem: "it answered 500"})
	}
	g.Webhooks = &hooks{dead: dead}
	h := New(g.Options)
	const path = "/Default/api/v1/webhooks"
	made := g.call(t, h, "POST", path, `{"name":"web","url":"https://example.com/hook?a=b","kinds":["updated","cancelled"]}`)
	hook := decode[rest.NewWebhook](t, made.text)
	if made.StatusCode != 201 || made.Header.Get("Location") != path+"/w1" || hook.Secret != "whsec_1" || len(hook.Webhook.Kinds) != 2 {
		t.Fatalf("%d %v %s", made.StatusCode, made.Header, made.text)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "", `{"url":"ftp://example.com"}`, 422, `"field":"url"`},
		{"POST", "", `{"url":"https://example.com","kinds":["moved"]}`, 422, `"field":"kinds[0]"`},
		{"POST", "", `{}`, 422, `"field":"url"`},
		{"GET", "", "", 200, `"id":"w1"`},
		{"GET", "/w1", "", 200, `"kinds":["updated","cancelled"]`},
		{"GET", "/w2", "", 404, ""},
		{"PATCH", "/w1", `{"disabled":true}`, 200, `"kinds":["updated","cancelled"]`},
		{"PATCH", "/w1", `{"kinds":[],"name":"other"}`, 200, `"disabled":true`},
		{"GET", "/w1", "", 200, `"kinds":[]`},
		{"PATCH", "/w1", `{"secret":"whsec_mine"}`, 422, `"field":"secret"`},
		{"POST", "/w1/secret", "", 200, `{"secret":"whsec_2"}`},
		{"POST", "/w1/test", "", 200, `{"ok":false,"problem":"it answered 500"}`},
		{"GET", "/w1/dead?limit=2", "", 200, `"next":2`},
		{"GET", "/w1/dead?limit=2&after=3", "", 200, `"seq":5`},
		{"POST", "/w1/dead/3/resend", "", 200, `{"sent":1}`},
		{"POST", "/w1/dead/resend", "", 200, `{"problem":"it answered 500","sent":2}`},
		{"POST", "/w1/dead/0/resend", "", 400, ""},
		{"DELETE", "/w1", "", 204, ""},
		{"DELETE", "/w1", "", 404, ""},
	} {
		r := g.call(t, h, c.method, path+c.path, c.body)
		if r.StatusCode != c.status || !strings.Contains(r.text, c.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, r.StatusCode, r.text, c.status, c.want)
		}
		if c.path != "/w1/secret" && strings.Contains(r.text, "whsec_") {
			t.Errorf("%s %s shows the secret: %s", c.method, c.path, r.text)
		}
	}
}

func TestARefusalNeedsAReason(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.Rejecter = rejecter(func(_ context.Context, seq int64, reason string) (string, error) {
		return fmt.Sprint(seq, reason, time.Duration(0)), nil
	})
	h := New(g.Options)
	for body, want := range map[string]int{
		``: 422, `{}`: 422, `{"reason":""}`: 422, `{"reason":"  "}`: 422, `{"reason":"a\u0001b"}`: 422, `{"reason":" no room "}`: 200,
	} {
		if r := g.call(t, h, "POST", changes+"/3/reject", body); r.StatusCode != want || want == 200 && !strings.Contains(r.text, "3no room0s") {
			t.Errorf("%s: %d %s", body, r.StatusCode, r.text)
		}
	}
}

func TestWhatTellsOfAllTenantsIsForOneTenantOrTheHost(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.Host, g.Doctor = fakeHost{}, fakeDoctor{}
	ask := func(tenants []string, key, path string) int {
		g.Tenants = func() []string { return tenants }
		return g.call(t, New(g.Options), "GET", "/Default/api/v1"+path, "", "Authorization", "Bearer "+key).StatusCode
	}
	key := g.key // has scope admin
	for _, path := range []string{"/doctor", "/host"} {
		if got := ask([]string{"Default"}, key, path); got != 200 {
			t.Errorf("%s with one tenant: %d", path, got)
		}
		if got := ask([]string{"Default", "Other"}, key, path); got != 403 {
			t.Errorf("%s with several tenants: %d", path, got)
		}
		if got := ask([]string{"Default", "Other"}, g.admin, path); got != 200 {
			t.Errorf("%s with the host's key: %d", path, got)
		}
	}
}
