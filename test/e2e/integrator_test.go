package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// An answer of the REST API, whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// request makes a request with headers of one's own, by another key if one is given.
func (s *site) request(method, path, key, body string, headers ...string) answer {
	s.Helper()
	req, err := http.NewRequest(method, s.api+"/Default/api/v1"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if key == "" {
		key = s.key
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, data}
}

// decode reads the answer of what has to have succeeded.
func (s *site) decode(a answer, out any) {
	s.Helper()
	if a.status >= 300 {
		s.Fatalf("status %d: %s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		s.Fatalf("%v: %s", err, a.body)
	}
}

func (s *site) newKey(scope string) string {
	s.Helper()
	return strings.TrimSpace(s.must("apikey", "create", "--scope", scope, scope))
}

func TestScopesOfKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.put(meeting("there", "alice", day(1, 9)))
	read, bookings, admin := s.newKey("read"), s.newKey("bookings"), s.newKey("admin")
	body := func(b booking) string {
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, c := range []struct {
		method, path, body string
		needs              int // 0 read, 1 bookings, 2 admin
	}{
		{"GET", "/bookings/there", "", 0}, {"GET", "/persons", "", 0}, {"GET", "/changes?after=0", "", 0},
		{"GET", "/persons/alice/activity", "", 0}, {"GET", "/differences", "", 0}, {"GET", "/persons/alice/tests", "", 0},
		{"PUT", "/bookings/new", body(meeting("new", "carol", day(2, 9))), 1}, {"POST", "/persons/bob/sync", "{}", 1},
		{"PUT", "/persons/zoe", `{"email":"zoe@example.com"}`, 2}, {"GET", "/webhooks", "", 2}, {"GET", "/bookings/there/explain", "", 2},
		{"DELETE", "/persons/zoe", "", 2},
	} {
		for i, key := range []string{read, bookings, admin} {
			a := s.request(c.method, c.path, key, c.body)
			if allowed := i >= c.needs; allowed != (a.status < 300) || !allowed && a.status != http.StatusForbidden {
				t.Errorf("%s %s with scope %d: %d %s", c.method, c.path, i, a.status, a.body)
			}
		}
	}
	s.settle()
}

func TestRepeatedRequestIsNotDoneTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	admin := s.newKey("admin")
	hook := `{"name":"twice","url":"http://127.0.0.1:9/"}`
	first := s.request("POST", "/webhooks", admin, hook, "Idempotency-Key", "k-1")
	s.kill() // the answer may have got lost
	s.serve()
	again := s.request("POST", "/webhooks", admin, hook, "Idempotency-Key", "k-1")
	if first.status != http.StatusCreated || again.status != first.status || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d %v, then %d %v", first.status, first.header, again.status, again.header)
	}
	if !bytes.Equal(first.body, again.body) {
		t.Error("the answers differ")
	}
	var all struct {
		Items []struct{ ID string } `json:"items"`
	}
	s.decode(s.request("GET", "/webhooks", admin, ""), &all)
	if len(all.Items) != 1 {
		t.Errorf("%d webhooks were made", len(all.Items))
	}
	if other := s.request("POST", "/webhooks", admin, `{"url":"http://127.0.0.1:9/other"}`, "Idempotency-Key", "k-1"); other.status != http.StatusUnprocessableEntity || !bytes.Contains(other.body, []byte("idempotency-key")) {
		t.Errorf("another request with the same key: %d %s", other.status, other.body)
	}
}

// A stream is a connection that follows the change feed.
type stream struct {
	lines *bufio.Scanner
	close func()
}

// follow opens the feed as a stream, after an event if there was one.
func (s *site) follow(last string) *stream {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/Default/api/v1/changes", nil)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Accept", "text/event-stream")
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := s.http.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.Fatalf("follow the changes: %v %v", resp, err)
	}
	st := &stream{lines: bufio.NewScanner(resp.Body), close: func() { cancel(); _ = resp.Body.Close() }}
	st.lines.Buffer(nil, 1<<20)
	s.Cleanup(st.close)
	return st
}

// next returns the next event; ok is false once the stream has ended.
func (st *stream) next() (id string, c change, ok bool) {
	for st.lines.Scan() {
		line := st.lines.Text()
		switch {
		case strings.HasPrefix(line, "id: "):
			id = strings.TrimPrefix(line, "id: ")
		case strings.HasPrefix(line, "data: "):
			if json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &c) != nil {
				return id, c, false
			}
		case line == "" && id != "":
			return id, c, true
		}
	}
	return id, c, false
}

// TestStreamOfChangesAcrossRestarts follows the feed while hosts are stopped and killed: nothing is left out or told twice.
func TestStreamOfChangesAcrossRestarts(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	last, want := "", int64(0)
	var seen []string
	until := func(st *stream, id, source string) {
		t.Helper()
		for {
			event, c, ok := st.next()
			if !ok {
				t.Fatalf("the stream ended before %s by %s; seen: %v", id, source, seen)
			}
			want++
			if event != fmt.Sprint(want) || c.Seq != want {
				t.Fatalf("event %s with change %d came in place of %d", event, c.Seq, want)
			}
			last = event
			seen = append(seen, c.ID+" "+c.Kind+" by "+c.Source)
			if c.ID == id && c.Source == source {
				return
			}
		}
	}
	st := s.follow("")
	s.put(meeting("one", "alice", day(1, 9)))
	until(st, "one", "api")
	s.settle()
	s.outlook("alice", s.only("alice", hush+" one").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	until(st, "one", "calendar")
	for i, end := range []func(){s.kill, s.stop} {
		end()
		if _, _, ok := st.next(); ok {
			t.Error("a host that ended sends an event")
		}
		st.close()
		s.outlook("alice", s.only("alice", hush+" one").ID, func(a *exchangesim.Appointment) { a.BusyStatus = []string{"Free", "Busy"}[i] })
		s.serve()
		s.put(meeting(fmt.Sprint("more-", i), "carol", day(2+i, 9)))
		s.awaitChange("one", "updated", "calendar")
		st = s.follow(last)
		until(st, fmt.Sprint("more-", i), "api")
		if !strings.Contains(strings.Join(seen, "\n"), "one updated by calendar") {
			t.Errorf("seen: %v", seen)
		}
	}
	s.settle()
	st.close()
	var page struct {
		Last int64 `json:"last"`
	}
	s.do(http.MethodGet, "/changes?limit=1", nil, &page)
	if n, err := strconv.ParseInt(last, 10, 64); err != nil || n > page.Last {
		t.Errorf("the stream told of %s, the feed ends at %d", last, page.Last)
	}
}

// TestRefusedChanges has the booking system refuse what was done in Outlook.
func TestRefusedChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.must("person", "set", "carol", "--conflict", "cancel")
	for i, p := range []string{"alice", "carol"} {
		s.put(meeting("of-"+p, p, day(i, 9)))
	}
	s.settle()
	refused := map[string]change{}
	for i, p := range []string{"alice", "carol"} {
		s.outlook(p, s.only(p, hush+" of-"+p).ID, func(a *exchangesim.Appointment) { a.Start, a.End = day(i, 14), day(i, 15) })
		refused[p] = s.awaitChange("of-"+p, "updated", "calendar")
	}
	s.settle()
	reject := func(p, want string) {
		t.Helper()
		a := s.request("POST", fmt.Sprintf("/changes/%d/reject", refused[p].Seq), "", `{"reason":"The room is closed that day."}`)
		var got struct{ Outcome string }
		if s.decode(a, &got); got.Outcome != want {
			t.Errorf("the change of %s is %q, want %q", p, got.Outcome, want)
		}
	}
	for range 2 { // the second time changes nothing
		reject("alice", "rolled back")
		reject("carol", "cancelled")
		s.settle()
	}
	if it := s.only("alice", hush+" of-alice"); !it.Start.Equal(day(0, 9)) {
		t.Errorf("alice's item begins at %s", it.Start)
	}
	if b := s.booking("of-alice"); !b.start(s).Equal(day(0, 9)) || b.Status != "confirmed" {
		t.Errorf("alice's booking is %+v", b)
	}
	if b := s.booking("of-carol"); b.Status != "cancelled" {
		t.Errorf("carol's booking is %+v", b)
	}
	s.only("carol", hush+" of-carol") // stays as its owner wants it
	s.wantHistory("of-alice", "1 created by api", "2 updated by calendar", "3 updated by sync")
	s.wantHistory("of-carol", "1 created by api", "2 updated by calendar", "3 cancelled by sync")
	s.wantMails(hush+" of-alice", map[string]int{"request": 1, "update": 1}) // the update is Outlook's own
	if !strings.Contains(strings.Join(s.timeline("alice"), "\n"), "The room is closed that day.") {
		t.Errorf("the timeline does not tell why: %q", s.timeline("alice"))
	}
	if a := s.request("POST", "/changes/1/reject", "", `{"reason":"x"}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("refusing one's own change: %d %s", a.status, a.body)
	}
}
