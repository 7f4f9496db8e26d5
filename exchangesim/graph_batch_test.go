package exchangesim

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// batch posts requests and returns the answers by id.
func (c *graphClient) batch(requests ...object) map[string]object {
	c.t.Helper()
	answers := map[string]object{}
	for _, r := range list(c.want(http.StatusOK, http.MethodPost, "/$batch", object{"requests": requests}), "responses") {
		answers[text(r, "id")], _ = r.(object)
	}
	return answers
}

func jsonBody(id, method, path string, body any) object {
	return object{"id": id, "method": method, "url": path, "headers": object{"Content-Type": "application/json", "Prefer": `IdType="ImmutableId"`}, "body": body}
}

func TestGraphBatches(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	id := text(c.create(desk("1", 0)), "id")
	s.Faults().add(Fault{Kind: "status", Operation: "GraphCreateEvent", Status: 503, RetryAfter: 7})
	got := c.batch(
		jsonBody("a", "POST", aliceEvents, desk("lost", 0)),
		object{"id": "b", "method": "GET", "url": strings.TrimPrefix(aliceEvents, "/") + "/" + id},
		object{"id": "c", "method": "GET", "url": aliceEvents + "/nonsense"},
		object{"id": "d", "method": "POST", "url": aliceEvents, "body": desk("x", 0)},
		jsonBody("e", "PATCH", aliceEvents+"/"+id, object{"subject": "2"}),
	)
	for id, want := range map[string]float64{"a": 503, "b": 200, "c": 400, "d": 400, "e": 200} {
		if got[id]["status"] != want {
			t.Errorf("%s is answered %v", id, got[id])
		}
	}
	if text(got["a"], "headers", "Retry-After") != "7" || text(got["e"], "body", "id") != id {
		t.Errorf("a and e are %v and %v", got["a"], got["e"])
	}
	s.Faults().add(Fault{Kind: "busy", Operation: "Graph", Address: "bob@example.com"})
	got = c.batch(object{"id": "a", "method": "GET", "url": "/users/bob@example.com/events"}, object{"id": "b", "method": "GET", "url": aliceEvents})
	if got["a"]["status"] != 429.0 || got["b"]["status"] != 200.0 {
		t.Errorf("with bob throttled the answers are %v", got)
	}
	serial := []object{jsonBody("1", "PATCH", aliceEvents+"/nonsense", object{}), jsonBody("2", "PATCH", aliceEvents+"/"+id, object{"subject": "3"})}
	serial[1]["dependsOn"] = []string{"1"}
	if got = c.batch(serial...); got["2"]["status"] != 424.0 {
		t.Errorf("what depends on a failure is answered %v", got["2"])
	}
	for name, bad := range map[string][]object{
		"none":   {},
		"twice":  {{"id": "1", "method": "GET", "url": "/x"}, {"id": "1", "method": "GET", "url": "/x"}},
		"circle": {{"id": "1", "method": "GET", "url": "/x", "dependsOn": []string{"1"}}},
		"absent": {{"id": "1", "method": "GET", "url": "/x", "dependsOn": []string{"2"}}},
		"many":   slices.Repeat([]object{{"id": "1", "method": "GET", "url": "/x"}}, 21),
		"whole":  {{"id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/x"}},
	} {
		if status, answer := c.with(func(c *graphClient) { c.lax = true }).do(http.MethodPost, "/$batch", object{"requests": bad}); status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}

func TestGraphThrottles(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	var releases []func()
	var done []chan int
	for range 4 {
		arrived, release := s.Faults().PauseBefore("GraphListEvents")
		answered := make(chan int, 1)
		go func() {
			status, _, _ := c.with(func(*graphClient) {}).try(http.MethodGet, aliceEvents, nil)
			answered <- status
		}()
		<-arrived
		releases, done = append(releases, release), append(done, answered)
	}
	status, answer := c.do(http.MethodGet, aliceEvents, nil)
	if status != http.StatusTooManyRequests || member(answer, "error", "message") != "Application is over its MailboxConcurrency limit." || c.answer.Get("Retry-After") == "" {
		t.Errorf("the fifth is answered %d %v", status, answer)
	}
	c.want(http.StatusOK, http.MethodGet, "/users/bob@example.com/events", nil)
	for i, release := range releases {
		release()
		if got := <-done[i]; got != http.StatusOK {
			t.Errorf("one of four is answered %d", got)
		}
	}
	s.Faults().add(Fault{Kind: "busy", Operation: "Graph", Count: 2, BackOff: Milliseconds(1500 * time.Millisecond)})
	for range 2 {
		c.refused(http.StatusTooManyRequests, "ApplicationThrottled", http.MethodGet, aliceEvents, nil)
	}
	c.want(http.StatusOK, http.MethodGet, aliceEvents, nil)
	s.SetGraphQuirks(GraphQuirks{Requests: 3})
	c.refused(http.StatusTooManyRequests, "ApplicationThrottled", http.MethodGet, aliceEvents, nil)
	if s.Count("GraphListEvents") < 8 {
		t.Errorf("%d requests are counted", s.Count("GraphListEvents"))
	}
}

func TestGraphLosesAnswers(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	event := desk("1", 0)
	event["transactionId"] = "tx"
	s.Faults().DropAfter("GraphCreateEvent", 1)
	c.http.Transport.(*http.Transport).TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{} // HTTP/1.1: no silent repetition
	if status, answer, err := c.try(http.MethodPost, aliceEvents, event); err == nil {
		t.Fatalf("answered %d %v", status, answer)
	}
	c.create(event)
	if n := len(s.Outlook("alice@example.com").Items()); n != 1 {
		t.Errorf("there are %d events", n)
	}
}

func TestGraphTranslatesIDs(t *testing.T) {
	t.Parallel()
	tenant := SampleTenant()
	tenant.Apps[0].Roles = append(tenant.Apps[0].Roles, "User.Read.All")
	s, c, _ := serveGraphFor(t, Options{Tenants: []Tenant{tenant}})
	c.token = c.tokenOf(tenant)
	c.create(desk("1", 0))
	ews := s.Outlook("alice@example.com").Items()[0].ID
	formats := []string{"ewsId", "restId", "restImmutableEntryId", "entryId", "immutableEntryId"}
	translate := func(id, from, to string) object {
		answer := c.want(http.StatusOK, http.MethodPost, "/users/alice@example.com/translateExchangeIds",
			object{"inputIds": []string{id}, "sourceIdType": from, "targetIdType": to})
		found, _ := list(answer, "value")[0].(object)
		return found
	}
	for _, from := range formats {
		id := text(translate(ews, "ewsId", from), "targetId")
		for _, to := range formats {
			back := text(translate(text(translate(id, from, to), "targetId"), to, "ewsId"), "targetId")
			if back != ews {
				t.Errorf("ewsId to %s to %s and back is %q, want %q", from, to, back, ews)
			}
		}
	}
	if got := translate("nonsense", "restId", "ewsId"); text(got, "errorDetails", "code") != "ErrorInvalidIdMalformed" || got["targetId"] != nil {
		t.Errorf("nonsense becomes %v", got)
	}
	s.SetGraphQuirks(GraphQuirks{NoTranslation: true})
	c.refused(http.StatusForbidden, "ErrorAccessDenied", http.MethodPost, "/users/alice@example.com/translateExchangeIds",
		object{"inputIds": []string{ews}, "sourceIdType": "ewsId", "targetIdType": "restId"})
}

func TestGraphTellsWhenPeopleAreBusy(t *testing.T) {
	t.Parallel()
	_, c, _ := serveGraphFor(t, Options{})
	event := desk("1", 1)
	event["sensitivity"] = "private"
	c.create(event)
	answer := c.want(http.StatusOK, http.MethodPost, "/users/alice@example.com/calendar/getSchedule", object{
		"schedules": []string{"alice@example.com", "nobody@example.com"}, "startTime": zoned(noon, "UTC"), "endTime": zoned(noon.Add(3*time.Hour), "UTC"),
		"availabilityViewInterval": 60,
	})
	all := list(answer, "value")
	if text(all[0], "availabilityView") != "020" || len(list(all[0], "scheduleItems")) != 1 || member(list(all[0], "scheduleItems")[0], "subject") != nil {
		t.Errorf("alice is %v", all[0])
	}
	if text(all[1], "error", "responseCode") != "ErrorMailRecipientNotFound" {
		t.Errorf("nobody is %v", all[1])
	}
	if got := c.want(http.StatusOK, http.MethodGet, "/users/alice@example.com/calendar", nil); text(got, "owner", "address") != "alice@example.com" {
		t.Errorf("the calendar is %v", got)
	}
}

func TestGraphMeetingsOfOthers(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{CopyToAttendees: true})
	event := desk("1", 0)
	event["attendees"] = []object{{"type": "required", "emailAddress": object{"address": "bob@example.com"}}}
	made := c.create(event)
	bob := list(c.want(http.StatusOK, http.MethodGet, "/users/bob@example.com/events", nil), "value")[0]
	if member(bob, "isOrganizer") != false || text(bob, "iCalUId") != text(made, "iCalUId") || text(bob, "responseStatus", "response") != "notResponded" {
		t.Errorf("bob's copy is %v", bob)
	}
	c.refused(http.StatusBadRequest, "ErrorInvalidRequest", http.MethodPost, "/users/bob@example.com/events/"+text(bob, "id")+"/cancel", object{})
	c.refused(http.StatusBadRequest, "ErrorInvalidRequest", http.MethodPost, aliceEvents+"/"+text(made, "id")+"/decline", object{})
	c.want(http.StatusAccepted, http.MethodPost, "/users/bob@example.com/events/"+text(bob, "id")+"/decline", object{"comment": "no", "sendResponse": true})
	own := c.event(text(made, "id"))
	if got := text(list(own, "attendees")[0], "status", "response"); got != "declined" {
		t.Errorf("alice sees %q", got)
	}
	if n := len(s.Mails()); n != 1 {
		t.Errorf("%d mails went out, want the request alone", n)
	}
}

func TestGraphOnlineMeetingLivesInTheBody(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	event := desk("1", 0)
	event["isOnlineMeeting"] = true
	made := c.create(event)
	id, joinURL := text(made, "id"), text(made, "onlineMeeting", "joinUrl")
	if made["isOnlineMeeting"] != true || joinURL == "" || !strings.Contains(text(made, "body", "content"), joinURL) {
		t.Fatalf("made was %v", made)
	}
	c.want(http.StatusOK, http.MethodPatch, aliceEvents+"/"+id, object{"subject": "2", "end": zoned(noon.Add(3*time.Hour), "UTC")})
	if got := c.event(id); got["isOnlineMeeting"] != true || !strings.Contains(text(got, "body", "content"), joinURL) {
		t.Errorf("after another change it is %v", got)
	}
	c.want(http.StatusOK, http.MethodPatch, aliceEvents+"/"+id, object{"body": object{"contentType": "text", "content": "gone"}})
	if got := c.event(id); got["isOnlineMeeting"] != false {
		t.Error("an online meeting survives without its blob")
	}
	if got := c.preferring(`outlook.body-content-type="text"`).event(id); text(got, "body", "contentType") != "text" || text(got, "body", "content") != "gone" {
		t.Errorf("as text the body is %v", got["body"])
	}
	o := s.Outlook("alice@example.com")
	if err := o.GoOnline(o.Items()[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := c.event(id); got["isOnlineMeeting"] != true {
		t.Error("Outlook did not make an online meeting")
	}
}

func TestGraphInstances(t *testing.T) {
	t.Parallel()
	_, c, _ := serveGraphFor(t, Options{})
	id := text(c.create(dailyFive()), "id")
	got := c.want(http.StatusOK, http.MethodGet, aliceEvents+"/"+id+"/instances"+days(0, 3), nil)
	if all := list(got, "value"); len(all) != 3 || text(all[1], "seriesMasterId") != id || text(all[1], "type") != "occurrence" {
		t.Errorf("instances are %v", got)
	}
	if n := len(list(c.want(http.StatusOK, http.MethodGet, aliceEvents, nil), "value")); n != 1 {
		t.Errorf("%d events are listed", n)
	}
	bad := dailyFive()
	bad["recurrence"] = object{"pattern": object{"type": "weekly", "interval": 1}, "range": object{"type": "noEnd", "startDate": "2026-11-22"}}
	c.refused(http.StatusBadRequest, "ErrorPropertyValidationFailure", http.MethodPost, aliceEvents, bad)
}

func TestGraphControl(t *testing.T) {
	t.Parallel()
	s, c, ews := serveGraphFor(t, Options{})
	ask := func(method, path, body string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, ews.url+path, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := ews.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	id := text(c.create(desk("1", 0)), "id")
	for _, r := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/sim/graph/quirks", `{"replay": 5, "in_order": true}`, 204},
		{"POST", "/sim/graph/quirks", `{"nonsense": 5}`, 400},
		{"GET", "/sim/graph/quirks", "", 200},
		{"GET", "/sim/graph/subscriptions", "", 200},
		{"DELETE", "/sim/graph/subscriptions?mailbox=alice@example.com", "", 200},
		{"POST", "/sim/graph/lifecycle?event=missed", "", 200},
		{"POST", "/sim/graph/lifecycle?event=nonsense", "", 400},
		{"POST", "/sim/graph/delta/expire?as=gone", "", 204},
		{"POST", "/sim/graph/delta/expire?as=nonsense", "", 400},
		{"GET", "/sim/graph/ids?mailbox=alice@example.com&id=" + url.QueryEscape(id), "", 200},
		{"GET", "/sim/graph/ids?mailbox=alice@example.com&id=nonsense", "", 400},
		{"POST", "/sim/graph/online-meeting?mailbox=alice@example.com&id=x", "", 404},
	} {
		if got := ask(r.method, r.path, r.body); got != r.want {
			t.Errorf("%s %s is answered %d, want %d", r.method, r.path, got, r.want)
		}
	}
	if q := s.GraphQuirks(); q.Replay != 5 || !q.InOrder {
		t.Errorf("chosen are %+v", q)
	}
}
