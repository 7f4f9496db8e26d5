package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A fake is a server with one calendar, /alice/work/, for what Radicale does not do: pages, refusals, scheduling.
type fake struct {
	*httptest.Server
	noSync    bool // it knows no sync-collection
	noLimit   bool // it refuses to leave off
	noFilter  bool // it cannot search for properties that it does not know
	schedules bool
	silent    string // it says nothing of this object when several are asked for
	noMarks   bool   // it has neither sync-tokens nor ctags
	refuse    string // status line and body of what it answers to every PUT
	beforePut func() // somebody else is faster

	mu      sync.Mutex
	objects map[string]string
	etags   map[string]int
	log     []string // names, in the order of their changes; what is not in objects was deleted
}

// newFake starts the server and opens the backend for it, without any login.
func newFake(t *testing.T, settings Settings) (*fake, *caldav) {
	t.Helper()
	f := &fake{objects: map[string]string{}, etags: map[string]int{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	b, err := open(t.Context(), settings, backend.Env{HTTP: f.Client(), Log: hclog.NewNullLogger(), Markers: backend.DefaultMarkers()})
	if err != nil {
		t.Fatal(err)
	}
	return f, b.(*caldav)
}

func (f *fake) mailbox() backend.Mailbox {
	return backend.Mailbox{Address: "alice@example.com", URL: f.URL + "/alice/work/"}
}

// write changes an object as somebody else; an empty text deletes it.
func (f *fake) write(name, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set(name, text)
}

func (f *fake) set(name, text string) {
	f.log = append(f.log, name)
	f.etags[name] = len(f.log)
	if f.objects[name] = text; text == "" {
		delete(f.objects, name)
	}
}

func (f *fake) text(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.objects[name]
}

func (f *fake) etag(name string) string { return fmt.Sprintf("%q", fmt.Sprint(f.etags[name])) }

var hrefs = regexp.MustCompile(`<D:href>([^<]*)</D:href>`)

// ServeHTTP implements http.Handler.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	name := strings.TrimPrefix(r.URL.Path, "/alice/work/")
	if hook := f.beforePut; hook != nil && r.Method == http.MethodPut {
		hook()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.schedules {
		w.Header().Set("DAV", "1, 3, calendar-access, calendar-auto-schedule")
	}
	switch {
	case r.Method == http.MethodOptions:
	case r.Method == "PROPFIND":
		f.propfind(w, r)
	case r.Method == "REPORT":
		f.report(w, string(body))
	case r.Method == http.MethodPut && f.refuse != "":
		status, condition, _ := strings.Cut(f.refuse, " ")
		code := map[string]int{"403": 403, "409": 409, "507": 507}[status]
		refuse(w, code, condition)
	case r.Method == http.MethodPut:
		_, there := f.objects[name]
		if m := r.Header.Get("If-Match"); m != "" && (!there || m != f.etag(name)) || r.Header.Get("If-None-Match") == "*" && there {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		f.set(name, string(body))
		w.WriteHeader(http.StatusNoContent)
	case f.objects[name] == "":
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		f.set(name, "")
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("ETag", f.etag(name))
		_, _ = io.WriteString(w, f.objects[name])
	}
}

func refuse(w http.ResponseWriter, status int, condition string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<D:error xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><%s/></D:error>`, condition)
}

func (f *fake) multistatus(w http.ResponseWriter, inside string) {
	w.WriteHeader(http.StatusMultiStatus)
	_, _ = io.WriteString(w, `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/">`+inside+`</D:multistatus>`)
}

func (f *fake) propfind(w http.ResponseWriter, r *http.Request) {
	props := `<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>`
	if f.noSync {
		props += `<D:supported-report-set><D:supported-report><D:report><C:calendar-multiget/></D:report></D:supported-report></D:supported-report-set>`
	} else if !f.noMarks {
		props += fmt.Sprintf(`<D:sync-token>t%d</D:sync-token>`, len(f.log))
	}
	if !f.noMarks {
		props += fmt.Sprintf(`<S:getctag>c%d</S:getctag>`, len(f.log))
	}
	inside := response("/alice/work/", props)
	if r.Header.Get("Depth") == "1" {
		for name := range f.objects {
			inside += f.member(name, "")
		}
	}
	f.multistatus(w, inside)
}

func response(href, props string) string {
	return `<D:response><D:href>` + href + `</D:href><D:propstat><D:prop>` + props + `</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`
}

func without(href string, status int) string {
	return fmt.Sprintf(`<D:response><D:href>%s</D:href><D:status>HTTP/1.1 %d %s</D:status></D:response>`, href, status, http.StatusText(status))
}

func (f *fake) member(name, more string) string {
	if f.objects[name] == "" {
		return without("/alice/work/"+name, http.StatusNotFound)
	}
	return response("/alice/work/"+name, `<D:getetag>`+html.EscapeString(f.etag(name))+`</D:getetag>`+more)
}

func (f *fake) report(w http.ResponseWriter, body string) {
	inside := ""
	switch {
	case strings.Contains(body, "calendar-multiget"):
		for _, m := range hrefs.FindAllStringSubmatch(body, -1) {
			if name := strings.TrimPrefix(m[1], "/alice/work/"); name != f.silent {
				inside += f.member(name, `<C:calendar-data>`+html.EscapeString(f.objects[name])+`</C:calendar-data>`)
			}
		}
	case strings.Contains(body, "calendar-query") && f.noFilter:
		refuse(w, http.StatusForbidden, "C:supported-filter")
		return
	case strings.Contains(body, "calendar-query"):
		for name, text := range f.objects { // it finds more than it is asked for
			inside += f.member(name, `<C:calendar-data>`+html.EscapeString(text)+`</C:calendar-data>`)
		}
	case f.noSync:
		refuse(w, http.StatusForbidden, "D:supported-report")
		return
	default:
		f.sync(w, body)
		return
	}
	f.multistatus(w, inside)
}

// sync answers with the changes since a token, which is the number of changes before.
func (f *fake) sync(w http.ResponseWriter, body string) {
	since, limit := 0, 0
	_, after, _ := strings.Cut(body, "<D:sync-token>")
	if n, _ := fmt.Sscanf(after, "t%d<", &since); n == 0 && !strings.HasPrefix(after, "<") || since > len(f.log) {
		refuse(w, http.StatusForbidden, "D:valid-sync-token")
		return
	}
	if _, after, ok := strings.Cut(body, "<D:nresults>"); ok {
		_, _ = fmt.Sscanf(after, "%d", &limit)
		if f.noLimit {
			refuse(w, http.StatusInsufficientStorage, "D:number-of-matches-within-limits")
			return
		}
	}
	until, inside := len(f.log), ""
	var told []string
	for i := since; i < len(f.log); i++ {
		if limit > 0 && len(told) == limit {
			until, inside = i, inside+without("/alice/work/", http.StatusInsufficientStorage)
			break
		}
		if name := f.log[i]; !slices.Contains(told, name) {
			told = append(told, name)
			inside += f.member(name, "")
		}
	}
	f.multistatus(w, inside+fmt.Sprintf(`<D:sync-token>t%d</D:sync-token>`, until))
}

// plainEvent is somebody's own; markedEvent bears a booking's id.
func plainEvent(uid string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20270101T000000Z\r\nDTSTART:20270301T090000Z\r\nDTEND:20270301T100000Z\r\nSUMMARY:own\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func markedEvent(uid, booking string) string {
	return strings.Replace(plainEvent(uid), "SUMMARY:own", "X-APPOINTMENT-OID:"+booking+"\r\nSUMMARY:booked", 1)
}

// pulled is what a pull told.
type pulled struct {
	pages   []backend.Page
	changes map[backend.Ref]backend.Change
	next    backend.Cursor
}

func pullFrom(ctx context.Context, b backend.Backend, m backend.Mailbox, since backend.Cursor) (pulled, error) {
	p := pulled{changes: map[backend.Ref]backend.Change{}}
	err := b.Pull(ctx, backend.PullRequest{Mailbox: m, Since: since}, func(page backend.Page) error {
		p.pages = append(p.pages, page)
		for _, ch := range page.Changes {
			p.changes[ch.Ref] = ch
		}
		p.next = page.Next
		return nil
	})
	return p, err
}

// creation is a create of an event of one hour.
func creation(t *testing.T, m backend.Mailbox, key string) calendar.Mutation {
	t.Helper()
	start := morning()
	return calendar.Mutation{
		Op: calendar.Create, Mailbox: m, Key: key, ForeignKey: "booking of " + key,
		Event: calendar.Event{Subject: "Meeting", Start: start, End: start.Add(3600e9), Zone: "Europe/Berlin"},
	}
}

func sampleFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("internal/ics/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
