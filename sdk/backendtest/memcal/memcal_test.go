package memcal

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

const address = "room1@example.com"

// A client makes requests to a server of its own.
type client struct {
	*testing.T
	*Server
	url     string
	headers map[string]string
}

func start(t *testing.T) *client {
	t.Helper()
	s := New(address)
	at := httptest.NewServer(s)
	t.Cleanup(at.Close)
	return &client{T: t, Server: s, url: at.URL + "/calendars/" + address, headers: map[string]string{}}
}

// do makes a request and reads the answer, if it is a success, into out.
func (c *client) do(method, path, body string, out any) *http.Response {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	for k, v := range c.headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(text, out); err != nil {
			c.Fatalf("%s: %v", text, err)
		}
	}
	return resp
}

func (c *client) status(method, path, body string, want int) {
	c.Helper()
	if got := c.do(method, path, body, nil).StatusCode; got != want {
		c.Errorf("%s %s = %d, want %d", method, path, got, want)
	}
}

// told asks for changes and returns what they are, as "1" or "-1" for a deletion.
func (c *client) told(query string) (ids []string, next string, more bool) {
	c.Helper()
	var got struct {
		Changes []struct {
			Item
			Deleted bool
		}
		Next string
		More bool
	}
	if resp := c.do("GET", "/changes?"+query, "", &got); resp.StatusCode != http.StatusOK {
		c.Fatalf("changes?%s = %s", query, resp.Status)
	}
	for _, ch := range got.Changes {
		id := ch.ID
		if ch.Deleted {
			id = "-" + id
		}
		if ch.Deleted == (ch.ETag != "") {
			c.Errorf("change %+v", ch)
		}
		ids = append(ids, id)
	}
	return ids, got.Next, got.More
}

func at(hour int) time.Time { return time.Date(2026, 12, 1, hour, 0, 0, 0, time.UTC) }

func lunch() Item { return Item{Title: "Lunch", Start: at(12), End: at(13)} }

func TestAnItemIsCreatedReadChangedAndDeleted(t *testing.T) {
	t.Parallel()
	c := start(t)
	var made, read, changed Item
	resp := c.do("POST", "/items", `{"id":"x","title":"Desk","start":"2026-12-01T10:00:00+01:00","end":"2026-12-01T11:00:00+01:00",
		"zone":"Europe/Berlin","properties":{"key":"k1"}}`, &made)
	if resp.StatusCode != http.StatusCreated || made.ID != "1" || made.ETag == "" || resp.Header.Get("ETag") != made.ETag || !made.Start.Equal(at(9)) {
		t.Fatalf("made %s %+v", resp.Status, made)
	}
	c.do("GET", "/items/1", "", &read)
	if !reflect.DeepEqual(read, made) {
		t.Errorf("read %+v, want %+v", read, made)
	}
	c.do("PATCH", "/items/1", `{"location":"Room 1","properties":{"more":"m"}}`, &changed)
	want := made
	want.Location, want.Properties, want.ETag = "Room 1", map[string]string{"key": "k1", "more": "m"}, changed.ETag
	if !reflect.DeepEqual(changed, want) || changed.ETag == made.ETag {
		t.Errorf("changed %+v, want %+v with another etag", changed, want)
	}
	c.headers["If-Match"] = made.ETag
	c.status("PATCH", "/items/1", `{"title":"Late"}`, http.StatusPreconditionFailed)
	c.status("DELETE", "/items/1", "", http.StatusPreconditionFailed)
	c.headers["If-Match"] = changed.ETag
	c.status("DELETE", "/items/1", "", http.StatusOK)
	c.status("GET", "/items/1", "", http.StatusNotFound)
	c.status("PATCH", "/items/1", `{}`, http.StatusNotFound)
	c.status("DELETE", "/items/1", "", http.StatusNotFound)
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.status("POST", "/items", `{"title":"no times"}`, http.StatusUnprocessableEntity)
	c.status("POST", "/items", `{"start":"2026-12-01T10:00:00Z","end":"2026-12-01T09:00:00Z"}`, http.StatusUnprocessableEntity)
	c.status("POST", "/items", `[`, http.StatusBadRequest)
	c.status("POST", "/items", strings.Repeat(" ", maxBody+1), http.StatusBadRequest)
	c.status("GET", "/changes?limit=none", "", http.StatusBadRequest)
	c.status("GET", "/items?property=key", "", http.StatusBadRequest)
	c.status("PUT", "/items/1", "", http.StatusBadRequest)
	c.status("PUT", "/items", "", http.StatusMethodNotAllowed)
	if n := len(c.Items(address)); n != 0 {
		t.Errorf("%d items", n)
	}
	c.url += "x"
	c.status("GET", "", "", http.StatusNotFound)
	c.status("POST", "/items", "", http.StatusNotFound)
}

func TestAnItemOfAChosenIDIsMadeOnce(t *testing.T) {
	t.Parallel()
	c := start(t)
	const body = `{"id":"x","title":"Desk","start":"2026-12-01T09:00:00Z","end":"2026-12-01T10:00:00Z","properties":{"key":"k"}}`
	var made, replaced, anew Item
	c.headers["If-None-Match"] = "*"
	resp := c.do("PUT", "/items/a%2Fb.1", body, &made)
	if resp.StatusCode != http.StatusCreated || made.ID != "a/b.1" || made.ETag == "" {
		t.Fatalf("made %s %+v", resp.Status, made)
	}
	c.status("PUT", "/items/a%2Fb.1", body, http.StatusPreconditionFailed)
	c.status("PUT", "/items/A%2Fb.1", body, http.StatusCreated) // another
	if items := c.Items(address); len(items) != 2 || !reflect.DeepEqual(items[0], made) {
		t.Errorf("there is %+v, want %+v and another", items, made)
	}
	delete(c.headers, "If-None-Match")

	c.headers["If-Match"] = `"other"`
	c.status("PUT", "/items/a%2Fb.1", body, http.StatusPreconditionFailed)
	c.status("PUT", "/items/none", body, http.StatusPreconditionFailed)
	c.headers["If-Match"] = made.ETag
	resp = c.do("PUT", "/items/a%2Fb.1", `{"start":"2026-12-01T11:00:00Z","end":"2026-12-01T12:00:00Z"}`, &replaced)
	want := Item{ID: made.ID, ETag: replaced.ETag, Start: at(11), End: at(12)}
	if resp.StatusCode != http.StatusOK || !reflect.DeepEqual(replaced, want) || replaced.ETag == made.ETag {
		t.Errorf("replaced %s %+v, want %+v with another etag", resp.Status, replaced, want)
	}
	delete(c.headers, "If-Match")

	_, since, _ := c.told("")
	c.status("DELETE", "/items/a%2Fb.1", "", http.StatusOK)
	c.headers["If-None-Match"] = "*"
	if resp := c.do("PUT", "/items/a%2Fb.1", body, &anew); resp.StatusCode != http.StatusCreated || anew.ETag == made.ETag {
		t.Errorf("anew %s %+v", resp.Status, anew)
	}
	if ids, _, _ := c.told("since=" + since); fmt.Sprint(ids) != "[a/b.1]" {
		t.Errorf("after it was made anew = %v", ids)
	}
}

func TestANumberIsNoIDTwice(t *testing.T) {
	t.Parallel()
	c := start(t)
	const body = `{"start":"2026-12-01T09:00:00Z","end":"2026-12-01T10:00:00Z"}`
	c.status("PUT", "/items/2", body, http.StatusCreated) // the first
	c.status("POST", "/items", body, http.StatusCreated)
	if items := c.Items(address); len(items) != 2 || items[0].ID != "2" || items[1].ID != "3" {
		t.Errorf("there is %+v", items)
	}
}

func TestChangesComeInPagesFromWhereOneStopped(t *testing.T) {
	t.Parallel()
	c := start(t)
	for range 5 {
		c.Put(address, lunch())
	}
	c.Delete(address, "2")
	ids, next, more := c.told("limit=3")
	if fmt.Sprint(ids, more) != "[1 3 4] true" {
		t.Errorf("the first page = %v, more %v", ids, more)
	}
	ids, next, more = c.told("since=" + next)
	if fmt.Sprint(ids, more) != "[5 -2] false" {
		t.Errorf("the second page = %v, more %v", ids, more)
	}
	if ids, again, _ := c.told("since=" + next); len(ids) != 0 || again != next {
		t.Errorf("nothing new = %v, %s after %s", ids, again, next)
	}
	edited := c.Items(address)[0]
	edited.Title = "Late lunch"
	c.Put(address, edited)
	c.Delete(address, "3")
	c.Put(address, c.Items(address)[0])
	if ids, _, _ := c.told("since=" + next); fmt.Sprint(ids) != "[-3 1]" {
		t.Errorf("after edits = %v", ids)
	}
	if ids, _, _ := c.told(""); fmt.Sprint(ids) != "[4 5 1]" {
		t.Errorf("from nothing = %v", ids)
	}
	for range 2 * MaxPage {
		c.Put(address, lunch())
	}
	if ids, _, more := c.told("limit=100000"); len(ids) != MaxPage || !more {
		t.Errorf("%d in a page, more %v", len(ids), more)
	}
}

func TestATokenThatIsNotKnownIsGone(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.Put(address, lunch())
	_, next, _ := c.told("")
	for _, token := range []string{"t99", "t-1", "1", "t01", "x", "t+1"} {
		c.status("GET", "/changes?since="+token, "", http.StatusGone)
	}
	c.Forget(address)
	c.status("GET", "/changes?since="+next, "", http.StatusGone)
	ids, next, _ := c.told("")
	c.status("GET", "/changes?since="+next, "", http.StatusOK)
	if fmt.Sprint(ids) != "[1]" {
		t.Errorf("from nothing = %v", ids)
	}
}

func TestItemsAreFoundByAProperty(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, value := range []string{"a", "b", "a", ""} {
		it := lunch()
		it.Properties = map[string]string{"key": value}
		c.Put(address, it)
	}
	c.Put(address, c.Items(address)[0]) // an edit does not make it younger
	var got struct{ Items []Item }
	c.do("GET", "/items?property=key&value=a", "", &got)
	if len(got.Items) != 2 || got.Items[0].ID != "1" || got.Items[1].ID != "3" {
		t.Errorf("found %+v", got.Items)
	}
}

func TestOnlyThoseWithATokenAreServed(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.Require("t0ken", "other")
	for _, wrong := range []string{"", "Bearer", "Bearer wrong", "Basic t0ken"} {
		c.headers["Authorization"] = wrong
		if resp := c.do("GET", "", "", nil); resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%q: %s, %v", wrong, resp.Status, resp.Header)
		}
	}
	c.headers["Authorization"] = "Bearer other"
	c.status("GET", "", "", http.StatusOK)
	if n := c.Requests(); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
}

func TestItFailsAndLosesAnswersWhenAsked(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.Fail(2, http.StatusServiceUnavailable, 1500*time.Millisecond)
	for range 2 {
		if resp := c.do("GET", "", "", nil); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "2" {
			t.Errorf("%s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
		}
	}
	c.status("GET", "", "", http.StatusOK)
	c.Lose(1)
	_, err := http.Post(c.url+"/items", "application/json", strings.NewReader(`{"start":"2026-12-01T10:00:00Z","end":"2026-12-01T11:00:00Z"}`))
	if items := c.Items(address); err == nil || len(items) != 1 {
		t.Errorf("error %v and items %v; want the item and no answer", err, items)
	}
	c.status("DELETE", "/items/1", "", http.StatusOK)
}

func TestItemsHandedOutAreCopies(t *testing.T) {
	t.Parallel()
	c := start(t)
	it := lunch()
	it.Properties = map[string]string{"key": "a"}
	c.Put(address, it)
	it.Properties["key"] = "b"
	c.Items(address)[0].Properties["key"] = "c"
	if got := c.Items(address)[0].Properties["key"]; got != "a" {
		t.Errorf("property = %q, want a", got)
	}
}
