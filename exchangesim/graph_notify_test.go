package exchangesim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// notified is the receiving end of notifications.
type notified struct {
	*httptest.Server
	mu     sync.Mutex
	posts  int
	all    []object
	answer func(post int, path string) int // the status for the n-th post, from 1; nil: 202
}

func receive(t *testing.T) *notified {
	t.Helper()
	n := &notified{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := r.URL.Query().Get("validationToken"); token != "" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, token)
			return
		}
		var body struct{ Value []object }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.posts++
		if n.answer != nil {
			if status := n.answer(n.posts, r.URL.Path); status != http.StatusAccepted {
				w.WriteHeader(status)
				return
			}
		}
		n.all = append(n.all, body.Value...)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(n.Close)
	return n
}

// told are the notifications so far, when all are delivered; they are forgotten.
func (n *notified) told(s *Server, t *testing.T) []object {
	t.Helper()
	if err := s.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.all
	n.all, n.posts = nil, 0
	return all
}

func kindsOf(all []object, member string) []string {
	var kinds []string
	for _, n := range all {
		kinds = append(kinds, text(n, member))
	}
	slices.Sort(kinds)
	return kinds
}

func wanted(url string) object {
	return object{
		"changeType": "created,updated,deleted", "resource": "users/alice@example.com/events", "notificationUrl": url + "/hook?T&k=1",
		"lifecycleNotificationUrl": url + "/life?T&k=1", "clientState": "state", "expirationDateTime": noon.Add(72 * time.Hour).Format(time.RFC3339),
	}
}

func TestGraphNotifiesOfEveryEdit(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	app := receive(t)
	sub := c.want(http.StatusCreated, http.MethodPost, "/subscriptions", wanted(app.URL))
	if sub["clientState"] != "state" || text(sub, "expirationDateTime") != "2026-11-25T12:00:00.0000000Z" {
		t.Errorf("the subscription is %v", sub)
	}
	id := text(c.create(desk("1", 0)), "id")
	all := app.told(s, t)
	if got := kindsOf(all, "changeType"); !slices.Equal(got, []string{"created", "updated"}) {
		t.Errorf("a creation is told as %v", got)
	}
	first := all[0]
	if text(first, "resourceData", "id") != id || first["clientState"] != "state" || first["subscriptionId"] != sub["id"] || first["tenantId"] != SampleTenant().ID ||
		!strings.HasSuffix(text(first, "resource"), "/Events/"+id) || text(first, "resourceData", "@odata.type") != "#Microsoft.Graph.Event" {
		t.Errorf("a notification is %v", first)
	}
	o := s.Outlook("alice@example.com")
	if err := o.Update(o.Items()[0].ID, func(a *Appointment) { a.Subject = "2" }); err != nil {
		t.Fatal(err)
	}
	if got := kindsOf(app.told(s, t), "changeType"); len(got) < 2 || slices.Contains(got, "created") {
		t.Errorf("an edit in Outlook is told as %v", got)
	}
	if err := o.Delete(o.Items()[0].ID); err != nil {
		t.Fatal(err)
	}
	if all = app.told(s, t); len(all) != 1 || all[0]["changeType"] != "deleted" || text(all[0], "resourceData", "id") != id {
		t.Errorf("a deletion is told as %v", all)
	}
	path := "/subscriptions/" + text(sub, "id")
	c.refused(http.StatusConflict, "Conflict", http.MethodPost, "/subscriptions", wanted(app.URL))
	renewed := c.want(http.StatusOK, http.MethodPatch, path, object{"expirationDateTime": noon.Add(time.Minute).Format(time.RFC3339)})
	if text(renewed, "expirationDateTime") != "2026-11-22T12:45:00.0000000Z" {
		t.Errorf("a life of a minute becomes %v", renewed["expirationDateTime"])
	}
	c.want(http.StatusNoContent, http.MethodPost, path+"/reauthorize", nil)
	if got := list(c.want(http.StatusOK, http.MethodGet, "/subscriptions", nil), "value"); len(got) != 1 || member(got[0], "clientState") != nil {
		t.Errorf("listed are %v", got)
	}
	c.want(http.StatusNoContent, http.MethodDelete, path, nil)
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPatch} {
		c.refused(http.StatusNotFound, "ResourceNotFound", method, path, object{"expirationDateTime": noon.Add(time.Hour).Format(time.RFC3339)})
	}
	c.create(desk("3", 0))
	if all = app.told(s, t); len(all) > 0 {
		t.Errorf("after the end %v is told", all)
	}
}

func TestGraphRefusesSubscriptions(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	app := receive(t)
	deaf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	t.Cleanup(deaf.Close)
	for name, tc := range map[string]struct {
		field string
		value any
		code  string
	}{
		"endpoint":  {"notificationUrl", deaf.URL, "ValidationError"},
		"lifecycle": {"lifecycleNotificationUrl", deaf.URL, "ValidationError"},
		"plain":     {"notificationUrl", "http://hub.example.com/x", "InvalidRequest"},
		"long life": {"expirationDateTime", noon.AddDate(0, 0, 8).Format(time.RFC3339), "InvalidRequest"},
		"past":      {"expirationDateTime", noon.Add(-time.Hour).Format(time.RFC3339), "InvalidRequest"},
		"state":     {"clientState", strings.Repeat("x", 129), "InvalidRequest"},
		"kind":      {"changeType", "created,moved", "InvalidRequest"},
		"resource":  {"resource", "users/alice@example.com/messages", "InvalidRequest"},
	} {
		body := wanted(app.URL)
		body[tc.field] = tc.value
		if status, answer := c.do(http.MethodPost, "/subscriptions", body); status != http.StatusBadRequest || member(answer, "error", "code") != tc.code {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	body := wanted(app.URL)
	body["resource"] = "users/nobody@example.com/events"
	c.refused(http.StatusNotFound, "ErrorInvalidUser", http.MethodPost, "/subscriptions", body)
	s.Faults().BlockNotifications()
	c.refused(http.StatusBadRequest, "ValidationError", http.MethodPost, "/subscriptions", wanted(app.URL))
	if n := len(s.GraphSubscriptions()); n != 0 {
		t.Errorf("there are %d subscriptions", n)
	}
}

func TestGraphRepeatsNotifications(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{RetryBase: time.Millisecond})
	app := receive(t)
	app.answer = func(post int, _ string) int {
		if post == 1 {
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	}
	c.want(http.StatusCreated, http.MethodPost, "/subscriptions", wanted(app.URL))
	c.create(desk("1", 0))
	if all := app.told(s, t); len(all) != 2 {
		t.Errorf("told were %v", all)
	}
	app.answer = nil
	s.Faults().LoseNotifications(1)
	s.Faults().TouchAfterWrite(false)
	id := text(c.create(desk("2", 0)), "id")
	if all := app.told(s, t); len(all) != 0 {
		t.Errorf("told was what is lost: %v", all)
	}
	s.Faults().DuplicateNotifications(1)
	c.want(http.StatusNoContent, http.MethodDelete, aliceEvents+"/"+id, nil)
	if all := app.told(s, t); len(all) != 2 || all[0]["changeType"] != "deleted" {
		t.Errorf("told twice were %v", all)
	}
	s.Faults().HoldNotifications()
	for i := range 5 {
		c.create(desk(itoa(i), 0))
	}
	app.mu.Lock()
	if len(app.all) > 0 {
		t.Error("what is held was told")
	}
	app.mu.Unlock()
	s.Faults().Release()
	if err := s.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	app.mu.Lock()
	if app.posts != 1 || len(app.all) != 5 {
		t.Errorf("%d notifications came in %d posts, want 5 in one", len(app.all), app.posts)
	}
	app.mu.Unlock()
}

func TestGraphTellsOfLife(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{RetryBase: time.Millisecond, Minute: 50 * time.Microsecond})
	app := receive(t)
	c.want(http.StatusCreated, http.MethodPost, "/subscriptions", wanted(app.URL))
	for _, what := range []string{"reauthorizationRequired", "missed"} {
		if n, err := s.TellLifecycle("", what); n != 1 || err != nil {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
	if got := kindsOf(app.told(s, t), "lifecycleEvent"); !slices.Equal(got, []string{"missed", "reauthorizationRequired"}) {
		t.Errorf("told were %v", got)
	}
	s.Faults().TouchAfterWrite(false)
	app.answer = func(_ int, path string) int { // the change never arrives; that it is missed does
		if path == "/hook" {
			return http.StatusInternalServerError
		}
		return http.StatusAccepted
	}
	c.create(desk("1", 0))
	if got := kindsOf(app.told(s, t), "lifecycleEvent"); !slices.Equal(got, []string{"missed"}) {
		t.Errorf("told were %v", got)
	}
	if n, err := s.TellLifecycle("alice@example.com", "subscriptionRemoved"); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if got := kindsOf(app.told(s, t), "lifecycleEvent"); !slices.Equal(got, []string{"subscriptionRemoved"}) {
		t.Errorf("told were %v", got)
	}
	if n := len(s.GraphSubscriptions()); n != 0 {
		t.Errorf("there are %d subscriptions", n)
	}
	if _, err := s.TellLifecycle("", "nonsense"); err == nil {
		t.Error("nonsense is a lifecycle event")
	}
}
